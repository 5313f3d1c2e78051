"""Switches, ranger, and any two sensors of one seat that watch each other."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pin_bench import BenchTime, run

from device.config import Machine, Seat
from device.messages import SeatSample
from device.pins import MockBoard
from device.range_part import RangePart
from device.seat import NoSeat
from device.seat_check import DISAGREE_S, CrossCheckedSeat, joint
from device.seat_place import notch_at
from device.seat_range import RangeSeat
from device.seat_switches import DEBOUNCE_S, PERIOD_S, SwitchSeat
from device.simulation.vl53l1x_chip import SimulatedVL53L1X
from device.vl53l1x import ADDRESS, VL53L1X

MACHINE = Machine()
PINS = (7, 12, 13, 14, 15, 19, 21)


class SwitchBench:
    def __init__(self):
        self.time, self.board, self.closed = BenchTime(), MockBoard(), {3}
        for notch, pin in enumerate(PINS, start=1):
            self.board.feed(pin, lambda notch=notch: notch not in self.closed)
        lines = [self.board.input(pin, "seat switch", pull_up=True) for pin in PINS]
        self.reader = SwitchSeat(lines, MACHINE)

    def samples(self, duration_s):
        return [sample for _, sample in run(self.reader, self.time, duration_s)]


@pytest.fixture
def switches():
    bench = SwitchBench()
    yield bench
    bench.board.close()


@pytest.mark.parametrize("notch", range(1, 8))
def test_the_one_closed_switch_is_the_notch_and_its_place(switches, notch):
    switches.closed = {notch}
    last = switches.samples(0.3)[-1]
    assert (last.notch, last.position_m, last.quality) == (notch, MACHINE.seat_notches_m[notch - 1], "ok")


@given(st.sets(st.integers(1, 7)))
def test_only_exactly_one_closed_switch_is_ever_a_notch(closed):
    bench = SwitchBench()
    bench.closed = closed
    last = bench.samples(0.3)[-1]
    expected = "ok" if len(closed) == 1 else "two_switches" if closed else "no_switch"
    assert last.quality == expected
    assert last.notch == (next(iter(closed)) if len(closed) == 1 else None)
    bench.board.close()


def test_switches_that_bounce_say_nothing_until_they_are_quiet(switches):
    switches.samples(0.3)
    found = []
    for closed in itertools.islice(itertools.cycle([set(), {3, 4}, {4}]), 12):
        switches.closed = closed
        found += switches.samples(PERIOD_S)
    assert found == []
    switches.closed = {4}
    assert [sample.notch for sample in switches.samples(DEBOUNCE_S + 3 * PERIOD_S)][-1] == 4


@pytest.mark.parametrize(("direction", "first_m"), [("away", 0.2), ("towards", 0.6)])
@pytest.mark.parametrize(("notch", "place_m"), list(enumerate(MACHINE.seat_notches_m, start=1)))
def test_a_ranger_knows_every_notch_in_either_direction(direction, first_m, notch, place_m):
    time, board = BenchTime(), MockBoard()
    seat = Seat(sensors=("tof",), tof_first_m=first_m, tof_direction=direction)
    distance_m = first_m + (place_m if direction == "away" else -place_m)
    SimulatedVL53L1X(board, 1, lambda t_s: distance_m, lambda: time.now_s)
    reader = RangeSeat(RangePart(VL53L1X(board.i2c(1, ADDRESS, "seat ranger")), "seat ranger"), seat, MACHINE)
    last = [sample for _, sample in run(reader, time, 1.2)][-1]
    assert (last.notch, last.quality, last.position_m) == (notch, "ok", pytest.approx(place_m, abs=0.001))
    board.close()


# --- two that watch each other ----------------------------------------------------------------------

places = st.none() | st.floats(-0.02, 0.32)


def told(place_m):
    """What a sensor makes of a place; None: all its switches are open."""
    if place_m is None:
        return SeatSample(1.0, None, None, "no_switch")
    notch = notch_at(MACHINE, place_m)
    return SeatSample(1.0, place_m, notch, "between" if notch is None else "ok")


@given(places, places)
def test_a_notch_is_told_only_where_neither_sensor_speaks_against_it(one_m, other_m):
    one, other = told(one_m), told(other_m)
    both = joint(one, other, 0.03)
    if both is not None and both.notch is not None:
        assert both.notch in (one.notch, other.notch)
        assert one_m is not None and other_m is not None
        assert abs(one_m - other_m) <= 0.03
    if both is None:
        assert one_m is None or other_m is None or abs(one_m - other_m) > 0.03


class Scripted:
    """A reader that says what it is told, twenty times a second."""

    def __init__(self, sample):
        self.sample, self.next_due_s = sample, float("-inf")

    def poll(self, now_s):
        self.next_due_s = now_s + 0.05
        return None if self.sample is None else replace(self.sample, t_s=now_s)

    def reports(self, now_s):
        return ()


def watched(first, second):
    time = BenchTime()
    seat = CrossCheckedSeat(first, second, Seat(sensors=("pot", "tof")))
    return seat, lambda duration_s: [sample for _, sample in run(seat, time, duration_s)], time


def test_two_that_agree_are_one_seat():
    _, samples, _ = watched(Scripted(told(0.10)), Scripted(told(0.11)))
    assert {(sample.notch, sample.quality) for sample in samples(1.0)[1:]} == {(3, "ok")}


def test_two_that_differ_tell_no_place_at_once_and_disagree_soon():
    first, second = Scripted(told(0.10)), Scripted(told(0.10))
    seat, samples, time = watched(first, second)
    samples(1.0)
    second.sample = told(0.20)
    start_s = time.now_s
    found = samples(2.0)
    assert {sample.notch for sample in found[1:]} == {None}
    disagree_s = next(sample.t_s for sample in found if sample.quality == "disagree")
    assert disagree_s - start_s <= DISAGREE_S + 0.2
    assert [part.detail for part in seat.reports(time.now_s)] == ["its two sensors differ (0.100 m and 0.200 m)"]


@pytest.mark.parametrize("quality", ["open", "short", "stale", "failed"])
def test_when_one_is_out_of_order_the_other_goes_on_alone(quality):
    broken = Scripted(SeatSample(1.0, None, None, quality))
    _, samples, _ = watched(broken, Scripted(told(0.10)))
    assert {(sample.notch, sample.quality) for sample in samples(1.0)[1:]} == {(3, "ok")}


def test_when_both_are_out_of_order_the_seat_is_unknown():
    _, samples, _ = watched(Scripted(SeatSample(1.0, None, None, "open")), Scripted(None))
    assert {sample.quality for sample in samples(1.0)} == {"open"}


def test_a_machine_without_a_seat_sensor_says_so_now_and_then():
    seat = NoSeat()
    assert (seat.poll(1.0).quality, seat.next_due_s) == ("disabled", 1.5)
    assert [part.health for part in seat.reports(1.0)] == ["ok"]
