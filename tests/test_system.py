"""The three real processes on simulated pins, with the real pose model: what the product is for, end to end.

These tests wait for real time to pass; each waits for something to happen, and fails if it does not.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from device.scenario import load_scenario

pytestmark = pytest.mark.system

SCENARIO = load_scenario("rounding")
READY_S = 90.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Demo:
    """A running ``legpress demo`` and what can be seen of it from outside."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home, self.port = home, free_port()
        home.mkdir()
        command = [sys.executable, "-m", "device.command", "demo", "--no-browser", "--port", str(self.port)]
        with (home.parent / "demo.log").open("w") as log:
            self.process = subprocess.Popen(
                [*command, "--state", str(home), *arguments], stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.output: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)

    def wait_until_ready(self) -> None:
        wait_for(
            lambda: any("Ctrl-C ends it" in line for line in self.output) or self.process.poll() is not None, READY_S
        )
        assert self.process.poll() is None, self.log()

    def log(self) -> str:
        return (self.home.parent / "demo.log").read_text() + "".join(self.output)

    def state(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/state", timeout=5) as answer:
            state: dict[str, Any] = json.load(answer)
            return state

    def edges(self, pin: str) -> list[dict[str, Any]]:
        trace = self.home / "state" / "pin_edges.jsonl"
        rows = [json.loads(line) for line in trace.read_text().splitlines()] if trace.exists() else []
        return [row for row in rows if row["pin"] == pin]

    def started_s(self) -> float:
        """When the scenario began, time.monotonic()."""
        return float((self.home / "run" / "scenario-start").read_text())

    def children(self) -> dict[str, int]:
        """Process number of each service."""
        found: dict[str, int] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if parent == self.process.pid and b"run" in words:
                found[words[words.index(b"run") + 1].decode()] = int(entry.name)
        return found

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


def wait_for(happened: Callable[[], bool], within_s: float) -> float:
    """Seconds until `happened`; fails when it does not."""
    started_s = time.monotonic()
    while not happened():
        waited_s = time.monotonic() - started_s
        assert waited_s < within_s, f"did not happen within {within_s:g} s"
        time.sleep(0.05)
    return time.monotonic() - started_s


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


class Events(threading.Thread):
    """A browser's ear on the event stream."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def run(self) -> None:
        kind = ""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/live", timeout=30) as stream:
                for raw in stream:
                    line = raw.decode().rstrip("\n")
                    if line.startswith("event: "):
                        kind = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        self.seen.append((kind, json.loads(line.removeprefix("data: "))))
        except OSError:
            return  # the service has ended, and with it the stream

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [record for name, record in list(self.seen) if name == kind]


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Demo]:
    arguments = getattr(request, "param", ())
    running = Demo(tmp_path / "demo", "--scenario", SCENARIO.name, *arguments)
    yield running
    running.end()


def rounding_s() -> tuple[float, float]:
    """First and last moment of true rounding, from the scenario's start."""
    truth = json.loads(SCENARIO.cameras[0].truth.read_text())
    intervals = [fault for fault in truth["faults"] if fault["kind"] == "rounding"]
    return SCENARIO.set_start_s + intervals[0]["t_start"], SCENARIO.set_start_s + intervals[-1]["t_end"]


@pytest.mark.parametrize("demo", [("--once",)], indirect=True)
def test_a_rounding_back_is_heard_seen_and_stored(demo: Demo) -> None:
    demo.wait_until_ready()
    events = Events(demo.port)
    events.start()
    wait_for(lambda: demo.process.poll() is not None, SCENARIO.pass_s + 30)
    assert demo.process.returncode == 0, demo.log()

    begin_s = demo.started_s() + rounding_s()[0]
    rises_s = [edge["t_s"] for edge in demo.edges("buzzer") if edge["high"]]
    assert [t_s for t_s in rises_s if begin_s <= t_s <= begin_s + 1.5], (
        f"buzzer rose at {rises_s}, back rounds at {begin_s}"
    )
    assert demo.edges("buzzer")[-1]["high"] is False

    warned = [state["warning"] for state in events.of("state") if state["warning"]]
    assert "back_rounding" in {warning["kind"] for warning in warned}
    assert "back_rounding" in {alert["kind"] for alert in events.of("alert")}

    with sqlite3.connect(demo.home / "state" / "legpress.sqlite3") as database:
        kinds = {kind for (kind,) in database.execute("SELECT kind FROM alerts")}
        true_reps = len(json.loads(SCENARIO.cameras[0].truth.read_text())["reps"])
        stored = database.execute(
            "SELECT count(*) FROM reps JOIN sets ON sets.id = reps.set_id WHERE NOT sets.enrolment"
        ).fetchone()[0]
        replays = database.execute("SELECT count(*) FROM replays").fetchone()[0]
    database.close()
    assert "back_rounding" in kinds
    assert stored == true_reps
    assert replays >= 1
    assert re.search(r"demo: \d+ reps; .*back rounding", "".join(demo.output))


def test_killing_vision_leaves_the_buzzer_working_and_says_that_the_check_is_off(demo: Demo) -> None:
    demo.wait_until_ready()
    wait_for(lambda: demo.state()["phase"] == "lifting" and demo.state()["form_check"], SCENARIO.set_start_s + 15)
    victim = demo.children()["vision"]
    before = len(demo.edges("buzzer"))
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: demo.state()["form_check"] is False, 2.0)
    wait_for(lambda: any(c["kind"] == "vision_lost" for c in demo.state()["conditions"]), 2.0)
    wait_for(lambda: any(edge["high"] for edge in demo.edges("buzzer")[before:]), 3.0)
    assert demo.state()["light"] == "amber"
    assert demo.state()["load_quality"] == "ok"
    wait_for(lambda: demo.state()["form_check"] is True, 30.0)
    assert demo.children()["vision"] != victim


def test_ctrl_c_ends_everything_within_two_seconds_with_the_buzzer_low(demo: Demo) -> None:
    demo.wait_until_ready()
    children = demo.children()
    assert set(children) == {"device", "vision", "web"}
    # in the middle of a warning, where a forgotten buzzer would be heard
    begin_s = demo.started_s() + rounding_s()[0]
    wait_for(lambda: any(e["high"] and e["t_s"] > begin_s for e in demo.edges("buzzer")), rounding_s()[1] + 20)
    demo.process.send_signal(signal.SIGINT)
    took_s = wait_for(lambda: demo.process.poll() is not None, 5.0)
    assert took_s <= 2.0
    assert demo.process.returncode == 0, demo.log()
    assert [name for name, pid in children.items() if alive(pid)] == []
    assert demo.edges("buzzer")[-1]["high"] is False


def test_nothing_is_left_when_the_demo_itself_is_killed(demo: Demo) -> None:
    demo.wait_until_ready()
    children = demo.children()
    demo.process.kill()
    wait_for(lambda: not any(alive(pid) for pid in children.values()), 10.0)
    assert demo.process.wait(5) == -signal.SIGKILL


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "device.command", "demo", "--no-browser", "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"legpress: port {port} cannot be used (Address already in use); choose another with --port"
    ]
