"""Breaks the running machine on purpose: the three real processes, simulated pins, a schedule of faults from a seed.

``make chaos SEEDS=20`` or ``python tests/chaos.py FIRST_SEED SEEDS FAULTS_EACH``. Throughout it is checked that
  1  an overload, which the load cell alone shows, is on the buzzer's pin in time, unless load cell or device is broken;
  2  the buzzer is never on for longer than its longest pulse, unless its process was killed or frozen;
  3  every rep that was in the database stays there, once (after a corruption: every rep of the backup);
  4  memory and descriptors come back to what they were;
  5  no state, and no page, calls something ok that is stale;
  6  everything works again soon after each fault.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from device.bus import Subscriber, address
from device.command.config import to_toml
from device.command.demo import demo_config
from device.command.supervisor import Supervisor
from device.messages import LiveState
from device.scenario import load_scenario
from device.scenario_clock import ScenarioClock
from device.scenario_faults import Broken, ScenarioFaults
from device.store.backup import back_up
from device.store.prepare import database_path

SCENARIO = load_scenario("rounding")
OVERLOAD_KGF = 900.0
LONGEST_PULSE_S = 1.5
"""The longest of device.sound_patterns is well below; the rest is this busy computer."""
WITHIN_S = 1.5
"""For the buzzer after an overload, here with every process and the tests on the same two cores; see the report for
what was reached."""
RECOVERS_S = {"device": 20.0, "web": 20.0, "vision": 40.0}
"""On a busy computer; see the report for what was reached."""
STALE_S = 2.0

log = logging.getLogger("chaos")


class BrokenInvariantError(AssertionError):
    """Something that may never happen has; says what, and after which fault."""


@dataclass
class Report:
    faults: Counter[str] = field(default_factory=Counter)
    overload_ms: list[float] = field(default_factory=list)
    recovery_s: dict[str, list[float]] = field(default_factory=dict)
    states: int = 0
    reps: int = 0

    def summary(self) -> dict[str, Any]:
        def share(values: list[float], q: float) -> float | None:
            return round(sorted(values)[min(int(q * len(values)), len(values) - 1)], 2) if values else None

        return {
            "faults": sum(self.faults.values()),
            "by_kind": dict(sorted(self.faults.items())),
            "overload_to_pin_ms": {"n": len(self.overload_ms), "p50": share(self.overload_ms, 0.5),
                                   "p99": share(self.overload_ms, 0.99)},
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
        config = demo_config(SCENARIO, home, port, once=False)
        # the trace is no part of the machine: it must be written on a full disk, too
        trace = config.simulation.model_copy(update={"pin_trace": home / "pin_edges.jsonl"})
        self.config = config.model_copy(update={"simulation": trace})
        path = home / "config.toml"
        path.write_text(to_toml(self.config), encoding="utf-8")
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
        self._state: tuple[LiveState, float] | None = None
        self._ending = threading.Event()
        self._live = Subscriber(self.config.paths.runtime_dir, "live")

    def run(self) -> None:
        while not self._ending.is_set():
            self.supervisor.check()
            self._live.wait(0.05)
            for record in self._live.drain():
                if isinstance(record, LiveState):
                    self._state = record, time.monotonic()
                    self.report.states += 1
                    self._check(record)

    def _check(self, state: LiveState) -> None:
        if any(each.kind == "overload" for each in state.active_faults):
            self.overload_s = state.t_s
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
        """The newest; None when it is older than `STALE_S`."""
        if self._state is None or time.monotonic() - self._state[1] > STALE_S:
            return None
        return self._state[0]

    def set_broken(self, **what: Any) -> None:
        with self._breaking:
            self.broken = replace(self.broken, **what)
            self.faults.set(self.broken)

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

    def vision_works(self) -> bool:
        state = self.state()
        return state is not None and bool(state.cameras) and state.form_check

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

    def end(self) -> None:
        self._ending.set()
        self.join(10)
        self.supervisor.stop()
        self._live.close()

    def usage(self) -> dict[str, tuple[float, int]]:
        """Resident megabytes and open descriptors of each process."""
        found = {}
        for name in ("device", "vision", "web"):
            pid = self.pid(name)
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            found[name] = (pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(os.listdir(f"/proc/{pid}/fd")))
        return found


def wait_for(happened: Callable[[], bool], within_s: float, what: str) -> float:
    began_s = time.monotonic()
    while not happened():
        if time.monotonic() - began_s > within_s:
            raise BrokenInvariantError(f"{what}: not within {within_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - began_s


# --- the faults: each breaks something, waits, and mends it ------------------------------------------

Fault = Callable[[Machine, random.Random], None]
FAULTS: dict[str, Fault] = {}
DEVICE_AWAY = {"kill_device", "freeze_device"}
"""During these no warning can come; how long they take is limited by `RECOVERS_S`."""
LOAD_BROKEN = {"load_silent", "load_stuck_low", "load_noise", "load_rail_high", "load_rail_low", *DEVICE_AWAY}


def fault(name: str) -> Callable[[Fault], Fault]:
    def register(function: Fault) -> Fault:
        FAULTS[name] = function
        return function

    return register


def _killer(name: str) -> Fault:
    def kill(machine: Machine, chance: random.Random) -> None:
        began_s = time.monotonic()
        victim = machine.pid(name)
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: machine.pid(name) != victim, 10, f"{name} started again")
        if name == "device":
            machine.device_away_s.append((began_s, time.monotonic() + 3.0))

    return kill


def _freezer(name: str) -> Fault:
    def freeze(machine: Machine, chance: random.Random) -> None:
        began_s = time.monotonic()
        victim = machine.pid(name)
        os.kill(victim, signal.SIGSTOP)
        if name == "device":
            time.sleep(STALE_S + 0.6)
            if machine.pid(name) == victim and (code := machine.page()) == 200:
                raise BrokenInvariantError(f"the page answers {code} though the device has been frozen for 2.6 s")
        wait_for(lambda: machine.pid(name) != victim, 30, f"the frozen {name} was killed and started again")
        if name == "device":
            machine.device_away_s.append((began_s, time.monotonic() + 3.0))

    return freeze


def _breaker(key: str, value: str) -> Fault:
    def break_it(machine: Machine, chance: random.Random) -> None:
        machine.set_broken(**{key: value})
        time.sleep(chance.uniform(0.5, 2.5))
        machine.set_broken(**{key: None})

    return break_it


for _name in ("device", "vision", "web"):
    FAULTS[f"kill_{_name}"] = _killer(_name)
    FAULTS[f"freeze_{_name}"] = _freezer(_name)
for _camera in ("gone", "frozen", "garbage", "dark"):
    FAULTS[f"camera_{_camera}"] = _breaker("camera", _camera)
for _pot in ("open", "short", "jump"):
    FAULTS[f"seat_{_pot}"] = _breaker("pot", _pot)
for _load in ("silent", "stuck_low", "noise", "corrupt", "rail_high", "rail_low"):
    FAULTS[f"load_{_load}"] = _breaker("load", _load)


@fault("socket_deleted")
def _socket_deleted(machine: Machine, chance: random.Random) -> None:
    (machine.config.paths.runtime_dir / f"{chance.choice(('pose', 'live', 'command'))}.sock").unlink(missing_ok=True)
    time.sleep(1.5)


@fault("database_locked")
def _database_locked(machine: Machine, chance: random.Random) -> None:
    with closing(sqlite3.connect(machine.database, timeout=10, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        time.sleep(chance.uniform(1.0, 4.0))
        rival.execute("ROLLBACK")


@fault("database_corrupted")
def _database_corrupted(machine: Machine, chance: random.Random) -> None:
    before = machine.reps()
    back_up(machine.database)
    with machine.database.open("r+b") as file:
        file.write(b"\xa5" * 8192)
    victim = machine.pid("device")
    began_s = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: machine.pid("device") != victim, 10, "device started again")
    machine.device_away_s.append((began_s, time.monotonic() + 3.0))

    def restored() -> bool:
        with contextlib.suppress(sqlite3.Error):
            return machine.reps() >= before
        return False

    wait_for(restored, 30, "the backup was restored")
    state = wait_state(machine, lambda state: any(each.kind == "store_failed" for each in state.conditions), 10)
    if "backup" not in next(each.detail for each in state.conditions if each.kind == "store_failed"):
        raise BrokenInvariantError("the restored database is not said")


@fault("disk_read_only")
def _disk_read_only(machine: Machine, chance: random.Random) -> None:
    remount(machine.home / "state", "ro")
    time.sleep(chance.uniform(1.0, 3.0))
    remount(machine.home / "state", "rw")


@fault("disk_full")
def _disk_full(machine: Machine, chance: random.Random) -> None:
    filler = machine.home / "state" / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 65536)
    time.sleep(chance.uniform(2.0, 4.0))
    filler.unlink()


@fault("slow_consumer")
def _slow_consumer(machine: Machine, chance: random.Random) -> None:
    deaf = Subscriber(machine.config.paths.runtime_dir, "live")
    with socket.create_connection(("127.0.0.1", machine.config.web.port), timeout=5) as page:
        page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        page.sendall(f"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{machine.config.web.port}\r\n\r\n".encode())
        time.sleep(chance.uniform(1.0, 3.0))
    deaf.close()


@fault("thousand_clients")
def _thousand_clients(machine: Machine, chance: random.Random) -> None:
    """Connections at once, a third silent, a third half a request, a third a whole one."""
    held = []
    for number in range(1000):
        client = socket.socket()
        client.settimeout(0.2)
        with contextlib.suppress(OSError):
            client.connect(("127.0.0.1", machine.config.web.port))
            if number % 3:
                end = b"\r\n\r\n" if number % 3 == 1 else b"\r\nX: "
                client.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{machine.config.web.port}".encode() + end)
        held.append(client)
        if len(held) > 400:
            held.pop(0).close()
    for client in held:
        client.close()


@fault("garbage_on_the_bus")
def _garbage_on_the_bus(machine: Machine, chance: random.Random) -> None:
    import zmq

    pose = zmq.Context.instance().socket(zmq.SocketType.DEALER)
    pose.setsockopt(zmq.LINGER, 0)
    pose.connect(address(machine.config.paths.runtime_dir, "command"))
    for _ in range(200):
        pose.send_multipart([chance.randbytes(8), chance.randbytes(chance.choice((1, 100, 100000)))])
    time.sleep(0.3)
    pose.close()


@fault("busy_computer")
def _busy_computer(machine: Machine, chance: random.Random) -> None:
    """Two processes that compute and take a gigabyte of memory together."""
    code = (
        "import time\nblock = bytearray(500_000_000)\nend = time.time() + 2\nwhile time.time() < end: sum(range(9999))"
    )
    hogs = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    for hog in hogs:
        hog.wait()


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def wait_state(machine: Machine, wanted: Callable[[LiveState], bool], within_s: float) -> LiveState:
    found: list[LiveState] = []

    def there() -> bool:
        state = machine.state()
        if state is not None and wanted(state):
            found.append(state)
        return bool(found)

    wait_for(there, within_s, "a state that says so")
    return found[0]


NEEDS_MOUNT = {"disk_read_only", "disk_full"}


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A file system of its own for the state, where this user may mount one; says whether."""
    folder.mkdir(parents=True)
    if os.geteuid() != 0:
        yield False
        return
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


# --- the invariants ----------------------------------------------------------------------------------


def edges(machine: Machine) -> list[tuple[float, bool]]:
    found = []
    trace = machine.home / "pin_edges.jsonl"
    for line in trace.read_text().splitlines() if trace.exists() else []:
        edge = json.loads(line)
        if edge["pin"] == "buzzer":
            found.append((float(edge["t_s"]), bool(edge["high"])))
    return found


def check_overload(machine: Machine) -> None:
    """1: somebody leans on the plate with far too much."""
    began_s = time.monotonic()
    machine.set_broken(extra_kgf=OVERLOAD_KGF)

    def heard() -> bool:
        return any(high and t_s > began_s for t_s, high in edges(machine)[-40:]) and machine.overload_s > began_s

    try:
        wait_for(heard, WITHIN_S + 1.0, f"the overload was heard, after {machine.fault}")
    finally:
        machine.set_broken(extra_kgf=0.0)
    first_s = min(t_s for t_s, high in edges(machine) if high and t_s > began_s)
    if first_s - began_s > WITHIN_S:
        raise BrokenInvariantError(
            f"the overload was heard after {first_s - began_s:.2f} s only, after {machine.fault}"
        )
    machine.report.overload_ms.append(1000 * (first_s - began_s))


def check_buzzer(machine: Machine) -> None:
    """2: by the trace of the pin."""
    rows = edges(machine)
    for (rise_s, high), (fall_s, _) in itertools.pairwise(rows):
        if high and fall_s - rise_s > LONGEST_PULSE_S:
            away = any(begin_s <= fall_s and rise_s <= end_s for begin_s, end_s in machine.device_away_s)
            if not away:
                raise BrokenInvariantError(f"the buzzer was on for {fall_s - rise_s:.2f} s, after {machine.fault}")


def check_recovery(machine: Machine) -> None:
    """6."""
    for name, works in (
        ("device", machine.device_works),
        ("web", machine.web_works),
        ("vision", machine.vision_works),
    ):
        took_s = wait_for(works, RECOVERS_S[name], f"{name} works again after {machine.fault}")
        if took_s > 0.1:
            machine.report.recovery_s.setdefault(name, []).append(took_s)


def run_seed(seed: int, count: int, report: Report, quiet: bool = True) -> None:
    """One machine, `count` faults of `seed`, every invariant. Raises BrokenInvariantError."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="legpress-chaos-") as name:
        home = Path(name)
        with small_disk(home / "state") as mounted:
            machine = Machine(home, report)
            try:
                machine.supervisor.__enter__()
                machine.start()
                _run_faults(machine, chance, count, mounted, quiet)
            finally:
                machine.end()


def _run_faults(machine: Machine, chance: random.Random, count: int, mounted: bool, quiet: bool) -> None:
    names = [name for name in FAULTS if mounted or name not in NEEDS_MOUNT]
    wait_for(lambda: machine.page() == 200, 90, "the machine started")
    ScenarioClock(machine.config.paths.runtime_dir).start(time.monotonic())
    check_recovery(machine)
    wait_for(machine.store_works, 60, "the database was made")
    machine.report.recovery_s.clear()
    before, committed = machine.usage(), machine.reps()
    order = [name for _ in range(count // len(names) + 1) for name in chance.sample(names, len(names))][:count]
    for number, name in enumerate(order):
        machine.fault = f"fault {number}, {name}"
        if not quiet:
            log.info("%s", machine.fault)
        began_s = time.monotonic()
        if name in LOAD_BROKEN or name == "database_corrupted":
            FAULTS[name](machine, chance)
            check_recovery(machine)
            check_overload(machine)
        else:
            _with_overload(machine, chance, name)
            check_recovery(machine)
        machine.report.faults[name] += 1
        check_buzzer(machine)
        if machine.wrong:
            raise BrokenInvariantError("; ".join(machine.wrong[:3]))
        after = machine.reps()
        if lost := committed - after:
            raise BrokenInvariantError(f"{len(lost)} committed reps are gone after {machine.fault}")
        committed = after
        log.debug("%s took %.1f s", name, time.monotonic() - began_s)
    machine.report.reps += len(committed)
    for name, (megabytes, descriptors) in machine.usage().items():
        if megabytes > 1.3 * before[name][0] + 20 or descriptors > before[name][1] + 20:
            raise BrokenInvariantError(
                f"{name} holds {megabytes:.0f} MB, {descriptors} files; began with {before[name]}"
            )


def _with_overload(machine: Machine, chance: random.Random, name: str) -> None:
    """The fault, and in its midst an overload, which must be heard all the same."""
    with ThreadPoolExecutor(1) as aside:
        breaking = aside.submit(FAULTS[name], machine, chance)
        time.sleep(0.3)
        check_overload(machine)
        breaking.result(60)


def main(words: list[str]) -> int:
    first, seeds, count = int(words[0]), int(words[1]), int(words[2])
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    report = Report()
    broken = 0
    for seed in range(first, first + seeds):
        try:
            run_seed(seed, count, report, quiet=False)
        except BrokenInvariantError as error:
            broken += 1
            print(json.dumps({"seed": seed, "broken": str(error)}), flush=True)
    print(json.dumps({"seeds": seeds, "broken": broken, **report.summary()}, indent=1))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
