"""The sled's encoder, edge by edge on its two pins, and the readers that make metres of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pin_bench import BenchTime, run

from device.carriage import EncoderCarriage, NoCarriage, RangeCarriage
from device.config import Carriage
from device.pins import MockBoard
from device.quadrature import DEAD_EDGES, QuadratureCounter
from device.range_part import RangePart
from device.simulation.encoder import SimulatedEncoder
from device.simulation.vl53l1x_chip import SimulatedVL53L1X
from device.vl53l1x import ADDRESS, VL53L1X

A, B = 16, 20


class EncoderBench:
    def __init__(self, **keys):
        self.time, self.board = BenchTime(), MockBoard()
        self.counter = self.board.quadrature(A, B, "carriage encoder")
        self.encoder = SimulatedEncoder(self.board, A, B)
        self.reader = EncoderCarriage(self.counter, Carriage(sensor="encoder", **keys))

    def samples(self, duration_s):
        return [sample for _, sample in run(self.reader, self.time, duration_s)]


@pytest.fixture
def bench():
    bench = EncoderBench()
    yield bench
    bench.board.close()


@given(st.lists(st.integers(-300, 300), max_size=12))
def test_wherever_the_encoder_turns_the_count_follows(places):
    counter = QuadratureCounter(False, False)
    levels, count = [False, False], 0
    for place in places:
        while count != place:
            step = 1 if place > count else -1
            channel = (count if step > 0 else count - 1) % 2
            count += step
            levels[channel] = not levels[channel]
            counter.edge(channel, levels[channel])
        assert counter.count == place
    assert counter.missed == 0


def test_metres_are_counts_over_the_counts_per_metre_from_where_it_began(bench):
    start_m = bench.samples(0.1)[-1].position_m
    for i in range(50):
        bench.encoder.move_to(20 * i)
        bench.samples(0.02)
    bench.encoder.move_to(1000)
    assert bench.samples(0.1)[-1].position_m - start_m == pytest.approx(0.25, abs=0.001)


def test_an_encoder_the_other_way_round_has_negative_counts():
    bench = EncoderBench(counts_per_m=-4000.0)
    start_m = bench.samples(0.1)[-1].position_m
    bench.encoder.move_to(-100)
    assert bench.samples(0.1)[-1].position_m - start_m == pytest.approx(0.025, abs=0.001)
    bench.board.close()


def test_a_standing_sled_is_no_fault(bench):
    assert {sample.quality for sample in bench.samples(5.0)} == {"ok"}
    (report,) = bench.reader.reports(bench.time.now_s)
    assert report.health == "ok"


@pytest.mark.parametrize(("fault", "channel"), [("dead_a", "A"), ("dead_b", "B")])
def test_a_dead_channel_is_found_within_its_edges_and_forgiven_after_the_repair(bench, fault, channel):
    bench.encoder.fault = fault
    bench.encoder.move_to(2 * DEAD_EDGES + 2)
    assert bench.counter.dead_channel == channel
    assert bench.samples(0.1)[-1].quality == "failed"
    bench.encoder.fault = None
    bench.encoder.move_to(bench.encoder.count + 8)
    bench.samples(0.1)
    assert bench.samples(0.2)[-1].quality == "ok"


def test_a_sled_trembling_on_one_edge_is_no_dead_channel(bench):
    for _ in range(DEAD_EDGES // 2 - 1):
        bench.encoder.move_to(1)
        bench.encoder.move_to(0)
    assert bench.counter.dead_channel is None


def test_an_edge_that_cannot_be_is_counted_as_missed():
    counter = QuadratureCounter(False, False)
    counter.edge(0, False)
    assert (counter.count, counter.missed) == (0, 1)


def test_a_ranger_gives_the_way_from_where_it_began_in_either_direction():
    for direction, sign in (("away", 1), ("towards", -1)):
        time, board = BenchTime(), MockBoard()
        place = [1.0]
        SimulatedVL53L1X(board, 4, lambda t_s, place=place: place[0], lambda time=time: time.now_s)
        config = Carriage(sensor="tof", tof_bus=4, tof_direction=direction)
        reader = RangeCarriage(RangePart(VL53L1X(board.i2c(4, ADDRESS, "carriage ranger")), "carriage ranger"), config)
        run(reader, time, 1.0)
        for _ in range(10):
            place[0] += 0.02
            run(reader, time, 0.1)
        last = [sample for _, sample in run(reader, time, 0.3)][-1]
        assert last.position_m == pytest.approx(sign * 0.2, abs=0.002)
        board.close()


def test_a_ranger_that_leaps_is_not_believed():
    time, board, place = BenchTime(), MockBoard(), [0.5]
    SimulatedVL53L1X(board, 1, lambda t_s: place[0], lambda: time.now_s)
    ranger = VL53L1X(board.i2c(1, ADDRESS, "ranger"))
    reader = RangeCarriage(RangePart(ranger, "carriage ranger"), Carriage(sensor="tof"))
    run(reader, time, 1.0)
    place[0] = 2.5
    found = [sample for _, sample in run(reader, time, 0.15)]
    assert [sample.position_m for sample in found if sample.quality == "ok" and sample.position_m > 0.1] == []
    assert "jump" in reader.reports(time.now_s)[0].rejected
    board.close()


def test_a_machine_without_a_sensor_says_nothing():
    none = NoCarriage()
    assert (none.poll(1.0), none.next_due_s, none.reports(1.0)) == (None, 1.5, ())
