"""What is measured on the running processes: sample to pin, memory and processor, event streams."""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import itertools
import json
import os
import re
import selectors
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from device.bus import Publisher, Subscriber
from device.command.bench_core import percentile, pose_at
from device.command.config import to_toml
from device.command.demo import demo_config, web_answers
from device.command.supervisor import SERVICES, Supervisor
from device.config import Config
from device.errors import RunError
from device.messages import LiveState, Sided
from device.scenario import load_scenario
from device.scenario_clock import ScenarioClock
from device.sound_patterns import pattern
from vision.model import model_path, verify

SOUNDS = 1000
"""Samples that make the buzzer sound, each timed."""
STREAMS = 50
READY_WITHIN_S = 60.0
_STRAIGHT, _BENT = 2.0, 80.0
"""Knees locked, and bent so far that no rep counts as shallow, which would sound too."""
_PERIOD_S = 0.025
_CONFIRM = pattern("confirm")
_LOCKED, _CYCLE = 4, 24
"""Of every 24 samples the first four show locked knees: 0.6 s, for one sound must be over before the next."""
_EDGE_TOLERANCE_S = 0.02


@dataclasses.dataclass(frozen=True)
class Running:
    config: Config
    supervisor: Supervisor
    live: Subscriber
    trace: Path


@contextlib.contextmanager
def running(config: Config, services: Sequence[str], scenario: str) -> Iterator[Running]:
    """These services on the virtual machine, in a folder of their own, until the block is left."""
    with tempfile.TemporaryDirectory(prefix="legpress-bench-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        bench = demo_config(load_scenario(scenario), home, _free_port(), once=False)
        paths = bench.paths.model_copy(update={"model_dir": config.paths.model_dir})
        quick = bench.faults.knee_lockout_deg.model_copy(update={"dwell_s": 0.0})
        faults = bench.faults.model_copy(update={"knee_lockout_deg": quick})
        bench = bench.model_copy(update={"paths": paths, "faults": faults})
        path = home / "config.toml"
        path.write_text(to_toml(bench), encoding="utf-8")
        live = Subscriber(bench.paths.runtime_dir, "live")
        trace = bench.simulation.pin_trace
        assert trace is not None
        try:
            with Supervisor(path, services) as supervisor:
                _wait_for(live, "web" not in services, bench)
                yield Running(bench, supervisor, live, trace)
        finally:
            live.close()


def _wait_for(live: Subscriber, no_web: bool, config: Config) -> None:
    deadline_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline_s:
        reported = live.wait(0.1) and any(isinstance(record, LiveState) for record in live.drain())
        if reported and (no_web or web_answers(config)):
            return
    raise RunError(f"the services were not ready within {READY_WITHIN_S:.0f} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def latency_to_pin(config: Config, quick: bool) -> Sequence[tuple[str, float, str, str | None]]:
    """Samples published by this process, the buzzer pin of the device process, one clock for both.

    A lifter does a few reps and then locks and frees the knees again and again, until enough sounds were heard. The
    same warning sounds again after two seconds at the earliest, the confirmation at every release: timed is each
    silence that a sound ends, from the publication of its sample to the pin's rising edge.
    """
    wanted = 30 if quick else SOUNDS
    delays_ms: list[float] = []
    sent_s: list[float] = []
    with running(config, ("device",), "clean") as at:
        poses = Publisher(at.config.paths.runtime_dir, "pose")
        try:
            ScenarioClock(at.config.paths.runtime_dir).start(time.monotonic())
            lifter = _Lifter(poses)
            lifter.warm_up()
            while len(delays_ms) < wanted and len(sent_s) < 6 * wanted:
                sent_s += lifter.lock_and_free(max(1, (wanted - len(delays_ms)) // 2))
                heard_s = _sounds([json.loads(line) for line in at.trace.read_text().splitlines()])
                delays_ms = [1000 * delay_s for delay_s in _delays_s(sent_s, list(heard_s))]
        finally:
            poses.close()
    if not delays_ms:
        raise RunError("no sound reached the buzzer pin")
    return [
        ("sample to buzzer pin, sounds heard", len(delays_ms), f"of {len(sent_s) // 2}", f">= {wanted}"),
        ("sample to buzzer pin, median", percentile(delays_ms, 0.5), "ms", None),
        ("sample to buzzer pin, p99", percentile(delays_ms, 0.99), "ms", "<= 10"),
        ("sample to buzzer pin, worst", max(delays_ms), "ms", None),
    ]


class _Lifter:
    """Publishes at an even pace."""

    def __init__(self, poses: Publisher) -> None:
        self._poses = poses
        self._count = 0
        self._due_s = time.monotonic()

    def warm_up(self) -> None:
        """Some whole reps, so that a set has begun."""
        for _ in range(round(14.0 / _PERIOD_S)):
            self._publish(None)

    def lock_and_free(self, times: int) -> list[float]:
        """Returns when each sample left that locks the knees or frees them."""
        sent_s = []
        for at in range(times * _CYCLE):
            phase = at % _CYCLE
            moment_s = self._publish(_STRAIGHT if phase < _LOCKED else _BENT)
            if phase in (0, _LOCKED):
                sent_s.append(moment_s)
        return sent_s

    def _publish(self, knee_deg: float | None) -> float:
        self._due_s += _PERIOD_S
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        pose = pose_at(self._count, time.monotonic())
        if knee_deg is not None:
            pose = dataclasses.replace(pose, knee_flexion_deg=Sided(knee_deg, knee_deg))
        self._count += 1
        sent_s = time.monotonic()
        self._poses.send(pose)
        return sent_s


def _sounds(rows: Sequence[dict[str, Any]]) -> Iterator[float]:
    """When the buzzer's pin rose for a warning or its confirmation (s).

    A confirmation is known by all but its first pulse, which flows together with a warning that it cuts short.
    """
    edges = [row for row in rows if row["pin"] == "buzzer"]
    wanted_s = [*itertools.chain.from_iterable(zip(_CONFIRM.pauses_s, _CONFIRM.pulses_s[1:], strict=True))]
    for first in range(len(edges) - len(wanted_s) - 1):
        times_s = [edge["t_s"] for edge in edges[first + 1 : first + 2 + len(wanted_s)]]
        lasted_s = [after - before for before, after in itertools.pairwise(times_s)]
        alike = all(abs(a - b) < _EDGE_TOLERANCE_S for a, b in zip(lasted_s, wanted_s, strict=True))
        if edges[first]["high"] and alike:
            yield edges[first]["t_s"]


def _delays_s(sent_s: Sequence[float], heard_s: Sequence[float]) -> Iterator[float]:
    """From the newest of the samples sent before it to each sound."""
    for sound_s in heard_s:
        before = bisect.bisect_right(sent_s, sound_s)
        if before:
            yield sound_s - sent_s[before - 1]


def processes(config: Config, quick: bool) -> Sequence[tuple[str, float, str, str | None]]:
    """Resident memory and processor share of each process while two cameras watch a set."""
    verify(model_path(config.paths.model_dir, "full"), "full")
    rows: list[tuple[str, float, str, str | None]] = []
    limits = {"device": "<= 65", "web": "<= 90"}
    with running(config, SERVICES, "mixed") as at:
        time.sleep(5.0)
        ScenarioClock(at.config.paths.runtime_dir).start(time.monotonic())
        started_s = time.monotonic()
        before = {name: _cpu_s(at.supervisor.pid(name)) for name in SERVICES}
        time.sleep(5.0 if quick else 40.0)
        elapsed_s = time.monotonic() - started_s
        for name in SERVICES:
            pid = at.supervisor.pid(name)
            share = 100 * (_cpu_s(pid) - before[name]) / elapsed_s
            rows.append((f"{name}: resident memory", _resident_mb(pid), "MB", limits.get(name)))
            rows.append((f"{name}: processor", share, "% of a core", None))
    return rows


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found.group(1)) / 1024


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stream_delivery(config: Config, quick: bool) -> Sequence[tuple[str, float, str, str | None]]:
    """From the device's state to fifty pages at once, over real sockets."""
    with running(config, ("device", "web"), "clean") as at:
        delays_ms, served = _listen(at.config, 3.0 if quick else 15.0)
    return [
        ("event stream, clients served", served, f"of {STREAMS}", f">= {STREAMS}"),
        ("event stream, state to client, median", percentile(delays_ms, 0.5), "ms", None),
        ("event stream, state to client, p95", percentile(delays_ms, 0.95), "ms", "<= 100"),
        ("event stream, state to client, p99", percentile(delays_ms, 0.99), "ms", None),
    ]


def _listen(config: Config, duration_s: float) -> tuple[list[float], int]:
    """Delay of every state event that arrives at `STREAMS` clients (ms), and how many of them got any."""
    delays_ms: list[float] = []
    pattern = re.compile(rb'"t_s":([0-9.]+)')
    host, port = config.web.host, config.web.port
    request = f"GET /api/v1/live HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()
    served: set[int] = set()
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        for client in range(STREAMS):
            connection = stack.enter_context(socket.create_connection((host, port), timeout=5.0))
            connection.sendall(request)
            selector.register(connection, selectors.EVENT_READ, (client, connection))
        first_s = time.monotonic() + 1.0  # the states that wait for a new client are old by design
        while (now_s := time.monotonic()) < first_s + duration_s:
            for key, _ in selector.select(0.1):
                client, connection = key.data
                data = connection.recv(65536)
                arrived_s = time.monotonic()
                made = pattern.search(data)
                if made and b"event: state" in data and now_s >= first_s:
                    served.add(client)
                    delays_ms.append(1000 * (arrived_s - float(made.group(1))))
    if not delays_ms:
        raise RunError("no state arrived on any event stream")
    return delays_ms, len(served)
