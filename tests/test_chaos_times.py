"""How the fault tests time a warning, on made-up traces and on the virtual machine in a time of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chaos_times import LoadChange, Warned, delays, warned
from test_simulation import MachineBench

from device.core.actions import PlaySound
from device.core.events import Tick
from device.core.state import CoreState
from device.core.step import step
from device.load_path import LoadPath
from device.simulation.trace import PinTrace

ON, OFF = LoadChange(10.004, 10.006, True), LoadChange(9.0, 9.001, False)


def test_a_warning_is_timed_from_the_first_conversion_that_shows_its_fault() -> None:
    edges = [(8.0, True), (8.2, False), (10.15, True), (10.35, False), (10.4, True)]
    times = warned(10.0, [LoadChange(7.0, 7.0, True), OFF, ON], 10.14, edges)
    assert times == Warned(10.0, 10.004, 10.006, 10.14, 10.15)


def test_a_conversion_that_the_simulated_chip_made_up_afterwards_is_no_older_than_its_load() -> None:
    times = warned(10.0, [LoadChange(9.99, 10.001, True)], 10.14, [(10.15, True)])
    assert times is not None
    assert times.sample_s == 10.0


@pytest.mark.parametrize(
    "edges",
    [
        [(9.9, True), (10.1, False), (10.15, True)],
        [(10.01, True), (10.1, False), (10.15, True)],
        [(10.01, True), (10.2, False), (10.25, True)],
    ],
)
def test_a_warning_amid_another_sound_is_not_timed(edges: list[tuple[float, bool]]) -> None:
    assert warned(10.0, [ON], 10.14, edges) is None


def test_what_the_trace_does_not_tell_is_no_time() -> None:
    with pytest.raises(ValueError, match=r"the load cell felt nothing of the load that was put on at 10.000 s"):
        warned(10.0, [OFF], 10.14, [(10.15, True)])
    with pytest.raises(ValueError, match=r"the buzzer did not sound after 10.140 s"):
        warned(10.0, [ON], 10.14, [(9.0, True), (9.1, False)])


def test_each_stretch_on_the_way_to_the_pin_is_told_in_milliseconds() -> None:
    warnings = [Warned(0.0, 0.01, 0.012, 0.1, 0.1 + 0.001 * number) for number in range(1, 101)]
    assert delays(warnings) == {
        "n": 100,
        "sample_to_pin_ms": {"p50": 141.0, "p99": 190.0, "worst": 190.0},
        "plate_to_pin_ms": {"p50": 151.0, "p99": 200.0, "worst": 200.0},
        "sample_to_driver_ms": {"p50": 2.0, "p99": 2.0, "worst": 2.0},
        "decision_to_pin_ms": {"p50": 51.0, "p99": 100.0, "worst": 100.0},
    }
    assert delays([]) == {"n": 0}


def lean_on(folder: Path, at_s: float, extra_kgf: float) -> Warned | None:
    """On the virtual machine ``at_s`` into its scenario, through the real driver and the real rules."""
    bench = MachineBench(folder, "rounding").start(at_s)
    trace = PinTrace(folder / "edges.jsonl", bench.board, bench.config.pins, clock=bench.time.now)
    bench.machine.on_load_changed = trace.load_changed
    path, state = LoadPath((bench.load,), bench.config.load), CoreState.initial(bench.config)
    put_on_s, heard_s, next_tick_s = bench.time.now_s + 1.0, None, 0.0
    while heard_s is None:
        now_s = bench.time.now_s
        if now_s >= put_on_s:
            bench.machine.extra_kgf = extra_kgf
        events = [Tick(now_s, "2026-11-27T08:00:00+00:00")] if now_s >= next_tick_s else []
        next_tick_s = now_s + 0.1 if events else next_tick_s
        sample = path.poll(now_s)
        for event in (*events, *([] if sample is None else [sample])):
            state, actions = step(state, event)
            if any(isinstance(each, PlaySound) and each.pattern == "high:overload" for each in actions):
                heard_s = now_s
        assert now_s < put_on_s + 2.0
        bench.time.now_s = max(now_s + 0.0005, min(path.next_due_s, next_tick_s))
    trace.close()
    bench.board.close()
    (row,) = map(json.loads, (folder / "edges.jsonl").read_text().splitlines())
    changes = [LoadChange(row["t_s"], row["read_s"], row["high"])]
    decided_s = next(fault.since_s for fault in state.faults if fault.kind == "overload")
    return warned(put_on_s, changes, decided_s, [(heard_s, True)])


@pytest.mark.parametrize("at_s", [3.0, 6.3, 8.7, 12.24, 15.6, 20.2])
def test_an_overload_is_decided_within_two_tenths_of_a_second_at_any_moment(tmp_path: Path, at_s: float) -> None:
    """What the tests on the running processes measure is this, and how long a busy computer makes them wait."""
    times = lean_on(tmp_path, at_s, 900.0)
    assert times is not None
    assert times.put_on_s <= times.sample_s <= times.read_s < times.put_on_s + 0.015
    assert 0.1 < times.decided_s - times.sample_s < 0.2
