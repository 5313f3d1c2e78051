"""The running machine of ``tests/chaos.py``: three real processes on simulated pins, watched from outside."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sqlite3
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from chaos_inside import Hog, WallClock
from chaos_staff import StaffBrowser
from chaos_times import LoadChange, Warned, delays

from device.bus import Subscriber
from device.command.config import to_toml
from device.command.demo import demo_config
from device.command.supervisor import SERVICES, Supervisor
from device.messages import LiveState
from device.scenario import load_scenario
from device.scenario_clock import ScenarioClock
from device.scenario_faults import Broken, ScenarioFaults
from device.store.prepare import database_path

SCENARIO = load_scenario("rounding")
STALE_S = 2.0
DEVICE_UNIT = Path(__file__).parent.parent / "systemd" / "legpress-device.service"


class BrokenInvariantError(AssertionError):
    """Something that may never happen has; says what, and after which fault."""


@dataclass
class Report:
    faults: Counter[str] = field(default_factory=Counter)
    left_out: set[str] = field(default_factory=set)
    """Faults that this computer does not let us try."""
    warnings: list[Warned] = field(default_factory=list)
    """Of an overload, each."""
    recovery_s: dict[str, list[float]] = field(default_factory=dict)
    states: int = 0
    reps: int = 0

    def summary(self) -> dict[str, Any]:
        def share(values: list[float], q: float) -> float | None:
            return round(sorted(values)[min(int(q * len(values)), len(values) - 1)], 2) if values else None

        return {
            "faults": sum(self.faults.values()),
            "never_tried_here": sorted(self.left_out),
            "by_kind": dict(sorted(self.faults.items())),
            "warnings": delays(self.warnings),
            "recovery_s": {name: {"n": len(values), "p50": share(values, 0.5), "worst": share(values, 1.0)}
                           for name, values in self.recovery_s.items()},
            "states_checked": self.states,
            "reps_kept": self.reps,
        }  # fmt: skip


class Machine(threading.Thread):
    """The processes, and a thread that keeps them running and looks at every state they publish."""

    def __init__(self, home: Path, report: Report) -> None:
        super().__init__(daemon=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self.home, self.report = home, report
        self.clock, self.hog = WallClock(home), Hog(home)
        config = demo_config(SCENARIO, home, port, once=False)
        # the trace is no part of the machine: it must be written on a full disk, too
        self._trace = home / "pin_edges.jsonl"
        traced = config.simulation.model_copy(update={"pin_trace": self._trace})
        self.config = config.model_copy(update={"simulation": traced})
        if self.clock.available:  # so that the daily deletion comes due by a jump of the clock
            soon = datetime.now() + timedelta(hours=1)
            due = self.config.retention.model_copy(update={"at_hour": soon.hour})
            self.config = self.config.model_copy(update={"retention": due})
        path = home / "config.toml"
        path.write_text(to_toml(self.config), encoding="utf-8")
        self.staff = StaffBrowser(self.config)
        self.database = database_path(self.config.paths.state_dir)
        self.broken = Broken()
        self.faults = ScenarioFaults(self.config.paths.runtime_dir)
        self.supervisor = Supervisor(path)
        self.wrong: list[str] = []
        self.fault = "the start"
        self._breaking = threading.Lock()
        self.device_away_s: list[tuple[float, float]] = []
        self.overload_s = float("-inf")
        """When the overload was last said to be on."""
        self.overload_since_s = float("-inf")
        """Since when, as it was said then: the reading by which it was found."""
        self._state: tuple[LiveState, float] | None = None
        self._told_after_s = float("-inf")
        self._edges: list[tuple[float, bool]] = []
        self._changes: list[LoadChange] = []
        self._read_to = 0
        self._ending = threading.Event()
        self._live = Subscriber(self.config.paths.runtime_dir, "live")

    def run(self) -> None:
        favoured = 0
        while not self._ending.is_set():
            self.supervisor.check()
            if (device := self.pid("device")) != favoured:
                favoured = device
                favour(device)
            self._live.wait(0.05)
            for record in self._live.drain():
                if isinstance(record, LiveState):
                    self._state = record, time.monotonic()
                    self.report.states += 1
                    self._check(record)

    def _check(self, state: LiveState) -> None:
        for each in state.active_faults:
            if each.kind == "overload":
                self.overload_s, self.overload_since_s = state.t_s, each.since_s
        if state.form_check and (state.pose_age_s is None or state.pose_age_s > self.config.faults.pose_stale_s + 0.1):
            self.wrong.append(f"form check said to run on a pose {state.pose_age_s} s old, after {self.fault}")
        if state.load_quality == "ok" and state.load_kg is None:
            self.wrong.append(f"load ok without a load, after {self.fault}")
        if state.seat_quality == "ok" and state.seat_notch is None:
            self.wrong.append(f"seat ok without a notch, after {self.fault}")
        for camera in state.cameras:
            if camera.condition == "ok" and camera.age_s > STALE_S:
                self.wrong.append(f"camera ok with a picture {camera.age_s} s old, after {self.fault}")

    def state(self) -> LiveState | None:
        """The newest; None when it is older than `STALE_S`, or the device left since."""
        if self._state is None or time.monotonic() - self._state[1] > STALE_S:
            return None
        return self._state[0] if self._state[0].t_s > self._told_after_s else None

    def device_left(self, began_s: float) -> None:
        """The device was away since ``began_s`` and is being started: what it said before counts no more."""
        self._told_after_s = time.monotonic()
        self.device_away_s.append((began_s, self._told_after_s + 3.0))

    def set_broken(self, **what: Any) -> float:
        """The moment at which it was written for the machine to feel."""
        with self._breaking:
            self.broken = replace(self.broken, **what)
            return self.faults.set(self.broken)

    def pids(self) -> dict[str, int]:
        return {name: self.pid(name) for name in SERVICES}

    def pid(self, name: str) -> int:
        return self.supervisor.pid(name)

    def page(self, path: str = "api/v1/state", timeout_s: float = 5.0) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.config.web.port}/{path}", timeout=timeout_s) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def device_works(self) -> bool:
        state = self.state()
        return state is not None and state.load_quality == "ok" and state.seat_quality in ("ok", "between")

    def is_overloaded(self) -> bool:
        """As far as is known."""
        state = self.state()
        return state is None or any(each.kind == "overload" for each in state.active_faults)

    def vision_works(self) -> bool:
        state = self.state()
        return state is not None and bool(state.cameras) and state.form_check

    def seen_since(self, began_s: float) -> bool:
        """Form is checked on a pose that was taken after ``began_s``: an older one is believed for a while."""
        state = self.state()
        return self.vision_works() and state is not None and (state.t_s - (state.pose_age_s or 0.0)) > began_s

    def web_works(self) -> bool:
        return self.page(timeout_s=1.0) == 200

    def store_works(self) -> bool:
        with contextlib.suppress(sqlite3.Error):
            self.reps()
            return True
        return False

    def reps(self) -> set[tuple[str, int]]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            return set(connection.execute("SELECT set_id, number FROM reps"))

    def ids(self, kind: str) -> set[str]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            return {str(row[0]) for row in connection.execute(f"SELECT id FROM {kind}")}

    def buzzer_edges(self) -> list[tuple[float, bool]]:
        """(time, high) of each edge on the buzzer's pin so far. For one thread."""
        self._read_trace()
        return self._edges

    def load_changes(self) -> list[LoadChange]:
        """Each change of the load that the cell felt so far. For the same thread."""
        self._read_trace()
        return self._changes

    def _read_trace(self) -> None:
        if not self._trace.exists():
            return
        with self._trace.open("rb") as file:
            file.seek(self._read_to)
            whole = file.read().rpartition(b"\n")[0]
        self._read_to += len(whole) + 1 if whole else 0
        for row in map(json.loads, whole.splitlines()):
            if row["pin"] == "buzzer":
                self._edges.append((float(row["t_s"]), bool(row["high"])))
            elif row["pin"] == "load_data":
                self._changes.append(LoadChange(float(row["t_s"]), float(row["read_s"]), bool(row["high"])))

    def end(self) -> None:
        self._ending.set()
        self.join(10)
        self.supervisor.stop()
        self._live.close()

    def usage(self) -> dict[str, tuple[float, int]]:
        """Resident megabytes and open descriptors of each process."""
        found = {}
        for name, pid in self.pids().items():
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            found[name] = (pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(os.listdir(f"/proc/{pid}/fd")))
        return found


def favour(device: int) -> None:
    """Gives the process the share of the processor that its unit does, where this user may: Nice=, and for CPUWeight=,
    which takes a control group, the priority of its session, which the kernel groups processes by without one."""
    nice = re.search(r"(?m)^Nice=(-?\d+)$", DEVICE_UNIT.read_text())
    assert nice is not None
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, device, int(nice[1]))
        Path(f"/proc/{device}/autogroup").write_text(nice[1], encoding="ascii")


def wait_for(happened: Callable[[], bool], within_s: float, what: str) -> float:
    began_s = time.monotonic()
    while not happened():
        if time.monotonic() - began_s > within_s:
            raise BrokenInvariantError(f"{what}: not within {within_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - began_s


@contextlib.contextmanager
def running_machine(prefix: str) -> Iterator[Machine]:
    """The three processes in a folder of their own, started and with the scenario under way; ended at the end."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        (Path(name) / "state").mkdir()
        machine = Machine(Path(name), Report())
        try:
            machine.supervisor.__enter__()
            machine.start()
            wait_for(lambda: machine.page() == 200 and machine.store_works(), 120, "the machine started")
            ScenarioClock(machine.config.paths.runtime_dir).start(time.monotonic())
            yield machine
        finally:
            machine.end()
