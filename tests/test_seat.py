"""The seat, from the MCP3008's bits to a notch, and every way its wiring can lie."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pin_bench import BenchTime, run

from device.config import Machine, Pins, Seat
from device.pins import MockBoard
from device.seat import FAILED_AFTER_S, PERIOD_S, SETTLED_READINGS, SeatReader
from device.simulation.mcp3008_chip import SimulatedMCP3008

PINS, MACHINE, SEAT = Pins(), Machine(), Seat()


class SeatBench:
    def __init__(self, seat=SEAT, machine=MACHINE):
        self.time, self.board = BenchTime(), MockBoard()
        self.reading = 512
        self.chip = SimulatedMCP3008(self.board, PINS, self._convert)
        self.channels = []
        self.adc = self.board.mcp3008(seat.channel, PINS)
        self.reader = SeatReader(self.adc, seat, machine)

    def _convert(self, channel):
        self.channels.append(channel)
        return self.reading(self.time.now_s) if callable(self.reading) else self.reading

    def run(self, duration_s):
        return [sample for _, sample in run(self.reader, self.time, duration_s)]


@pytest.fixture
def bench():
    bench = SeatBench()
    yield bench
    bench.board.close()


def reading_at(metres):
    return round(1023 * (0.05 + 0.9 * metres / 0.30))


def test_the_converter_passes_every_value_exactly(bench):
    passed = []
    for value in range(1024):
        bench.reading = value
        passed.append(bench.adc.raw_value)
    assert passed == list(range(1024))


@pytest.mark.parametrize("channel", range(8))
def test_each_channel_is_asked_for_by_its_number(channel):
    bench = SeatBench(Seat(channel=channel))
    bench.reading = 700
    assert bench.adc.raw_value == 700
    assert bench.channels == [channel]
    bench.board.close()


@pytest.mark.parametrize(("notch", "metres"), list(enumerate(MACHINE.seat_notches_m, start=1)))
def test_every_notch_is_recognised(notch, metres):
    bench = SeatBench()
    bench.reading = reading_at(metres)
    sample = bench.run(0.3)[-1]
    assert (sample.notch, sample.quality) == (notch, "ok")
    assert sample.position_m == pytest.approx(metres, abs=0.0005)
    bench.board.close()


def test_a_seat_half_way_is_between_notches_and_its_place_known(bench):
    bench.reading = reading_at(0.125)
    sample = bench.run(0.3)[-1]
    assert (sample.notch, sample.quality) == (None, "between")
    assert sample.position_m == pytest.approx(0.125, abs=0.0005)


@pytest.mark.parametrize(("reading", "quality"), [(0, "open"), (15, "open"), (1008, "short"), (1023, "short")])
def test_a_broken_wire_is_no_place(bench, reading, quality):
    bench.reading = reading
    sample = bench.run(0.3)[-1]
    assert (sample.position_m, sample.notch, sample.quality) == (None, None, quality)


def test_a_moment_after_a_repair_the_seat_may_be_anywhere(bench):
    bench.reading = reading_at(0.0)
    bench.run(0.3)
    bench.reading = 0
    bench.run(0.5)
    bench.reading = reading_at(0.30)
    assert {(sample.notch, sample.quality) for sample in bench.run(0.3)[1:]} == {(7, "ok")}


def test_an_unplugged_converter_reads_as_an_open_wire(bench):
    bench.run(0.3)
    bench.chip.unplugged = True
    assert bench.run(0.3)[-1].quality == "open"


def test_a_single_wild_reading_is_dropped_without_a_word(bench):
    readings = itertools.chain([512] * 6, [60], [512] * 20)
    bench.reading = lambda now_s: next(readings)
    assert {(sample.quality, sample.notch) for sample in bench.run(1.0)} == {("ok", 4)}


def test_a_seat_that_leaps_further_than_it_can_move_is_not_believed_until_it_stays(bench):
    bench.reading = reading_at(0.05)
    bench.run(0.5)
    bench.reading = reading_at(0.30)
    samples = bench.run(0.5)
    found = [sample.quality for sample in samples if sample.notch != 2]
    assert found[: SETTLED_READINGS - 1] == ["jump"] * (SETTLED_READINGS - 1)
    assert samples[-1].notch == 7
    assert {sample.position_m for sample in samples if sample.quality == "jump"} == {None}


def test_a_worn_spot_whose_readings_leap_about_is_never_a_place(bench):
    bench.run(0.3)
    bounce = itertools.cycle([60, 60, 950, 950])
    bench.reading = lambda now_s: next(bounce)
    assert {sample.quality for sample in bench.run(2.0)[3:]} == {"jump"}


def test_a_seat_pushed_as_fast_as_allowed_is_followed(bench):
    start_s = bench.time.now_s
    bench.reading = lambda now_s: reading_at(min(0.30, max(0.0, 1.2 * (now_s - start_s - 0.2))))
    samples = bench.run(1.0)
    assert "jump" not in {sample.quality for sample in samples}
    assert samples[-1].notch == 7


def test_a_bus_that_does_not_answer_is_stale_and_then_failed(bench):
    class DeadBus:
        @property
        def raw_value(self):
            raise OSError("SPI transfer error")

    bench.run(0.3)
    bench.reader._adc = DeadBus()
    start_s = bench.time.now_s
    samples = bench.run(3.0)
    assert [quality for quality, _ in itertools.groupby(samples, lambda sample: sample.quality)] == ["stale", "failed"]
    failed_s = next(sample.t_s for sample in samples if sample.quality == "failed")
    assert failed_s - start_s <= FAILED_AFTER_S + 2 * PERIOD_S
    bench.reader._adc = bench.adc
    assert bench.run(0.3)[-1].quality == "ok"


def test_a_machine_without_notches_is_uncalibrated():
    bench = SeatBench(machine=Machine(seat_notches_m=()))
    assert bench.run(0.2)[-1].quality == "uncalibrated"
    bench.board.close()


def test_a_sample_comes_twenty_times_a_second(bench):
    assert len(bench.run(10.0)) == pytest.approx(200, abs=2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 1023), min_size=5, max_size=60))
def test_whatever_is_read_a_notch_is_only_told_where_the_readings_support_it(readings):
    bench = SeatBench()
    history = []

    def convert(now_s):
        history.append(readings[len(history) % len(readings)])
        return history[-1]

    bench.reading = convert
    for sample in bench.run(len(readings) * PERIOD_S):
        assert (sample.position_m is None) == (sample.quality in ("open", "short", "jump"))
        if sample.notch is not None:
            assert sample.quality == "ok"
            place_m = MACHINE.seat_notches_m[sample.notch - 1]
            assert any(abs(reading - reading_at(place_m)) <= 1023 * 3 * 0.013 for reading in history)
    bench.board.close()


glitches = st.lists(
    st.tuples(st.sampled_from(["noise", "wild", "dropout", "late"]), st.integers(0, 1023), st.integers(4, 20)),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(MACHINE.seat_notches_m), glitches)
def test_a_seat_that_stands_is_never_told_in_another_notch_whatever_single_readings_do(metres, history):
    """Noise of two steps throughout; lone wild readings, readings that fail, and polls that come late."""
    bench = SeatBench()
    notch = MACHINE.seat_notches_m.index(metres) + 1
    true, noise = reading_at(metres), itertools.cycle([-2, 0, 1, 2, -1])
    wild = []
    bench.reading = lambda now_s: wild.pop() if wild else true + next(noise)
    told = bench.run(0.5)
    for kind, value, quiet_polls in history:
        if kind == "wild":
            wild.append(value)
        elif kind == "dropout":
            wild.append(0)
        elif kind == "late":
            bench.time.now_s += value / 2000
        told += bench.run(quiet_polls * PERIOD_S)
    assert {sample.notch for sample in told} <= {notch, None}
    assert bench.run(0.5)[-1].notch == notch
    bench.board.close()
