"""The load as a whole: two feet, static load and moving force, and a zero that stays zero."""

import itertools
import math

import pytest
from pin_bench import run

from device.config import Config, Load
from device.core.sensors import load_fresh_s
from device.load import LoadError
from device.load_motion import CREEP_KG_MIN, EMPTY_S, LEFT_ALONE_S, MotionWatch, ZeroWatch
from device.messages import LoadSample
from device.pins import MockBoard
from device.scenario import CELL_COUNTS_PER_KG, CELL_TARE_COUNTS
from device.sensor_set import WireTime, open_sensors
from device.simulation.hx711_chip import SimulatedHX711
from device.simulation.machine import PulseTimer

GRAVITY = 9.80665


class FeetBench:
    """Two cells, each carrying what the test says (kgf)."""

    def __init__(self, left_kgf=60.0, right_kgf=40.0, **keys):
        from pin_bench import BenchTime

        self.time, self.board, timer = BenchTime(), MockBoard(), PulseTimer()
        self.kgf = {"left": left_kgf, "right": right_kgf}
        calibrated = {"counts_per_kg": CELL_COUNTS_PER_KG, "tare_counts": CELL_TARE_COUNTS}
        given = {"location": "stack", "cells": 2, **calibrated, **{f"{k}_right": v for k, v in calibrated.items()}}
        config = Config(load=Load(**{**given, **keys}))
        pins = config.pins
        wires = {"left": (pins.load_data, pins.load_clock), "right": (pins.load_data_right, pins.load_clock_right)}
        self.chips = {
            side: SimulatedHX711(
                self.board, data, clock, lambda setting, t_s, side=side: self.counts(side),
                clock=lambda: self.time.now_s, pulse_clock=timer.now,
            )
            for side, (data, clock) in wires.items()
        }  # fmt: skip
        self.path = open_sensors(config, self.board, WireTime(timer.now, timer.sleep)).load

    def counts(self, side):
        return round(CELL_TARE_COUNTS + CELL_COUNTS_PER_KG * self.kgf[side])

    def samples(self, duration_s):
        return [sample for _, sample in run(self.path, self.time, duration_s)]


@pytest.fixture
def feet():
    bench = FeetBench()
    yield bench
    bench.board.close()


def test_two_cells_are_summed_and_each_is_reported_with_the_imbalance(feet):
    sample = feet.samples(0.5)[-1]
    assert (sample.kg, sample.left_kg, sample.right_kg) == (
        pytest.approx(100.0), pytest.approx(60.0), pytest.approx(40.0),
    )  # fmt: skip
    assert sample.imbalance == pytest.approx(0.2)
    assert sample.raw == feet.counts("left") + feet.counts("right")


def test_a_sum_comes_with_every_reading_of_the_left_foot(feet):
    feet.samples(0.5)
    assert len(feet.samples(1.0)) == pytest.approx(80, abs=2)


def test_two_cells_under_a_plate_are_freed_of_the_rails_angle():
    half = 50.0 * math.sin(math.radians(30.0))
    bench = FeetBench(half, half, location="plate", rail_deg=30.0)
    assert bench.samples(0.5)[-1].kg == pytest.approx(100.0, abs=1e-3)
    bench.board.close()


def test_while_one_cell_is_out_the_sum_is_unknown_and_the_other_still_told(feet):
    feet.samples(0.5)
    feet.chips["right"].fault = "silent"
    samples = feet.samples(1.0)
    assert samples[-1].kg is None
    assert samples[-1].left_kg == pytest.approx(60.0)
    assert samples[-1].quality == "stale"


def test_two_cells_with_corrupted_frames_give_a_sum_that_never_grows_too_old(feet):
    config = Config(load=Load(cells=2))
    feet.samples(0.5)
    for chip in feet.chips.values():
        chip.fault = "corrupt"
    told = run(feet.path, feet.time, 60.0)
    assert {sample.quality for _, sample in told} == {"ok"}
    assert all(sample.kg == pytest.approx(100.0, abs=0.01) for _, sample in told)
    ages_s = [after_s - sample.t_s for (_, sample), (after_s, _) in itertools.pairwise(told)]
    assert max(ages_s) <= load_fresh_s(config)


def test_with_one_cell_uncalibrated_there_are_counts_and_no_kilograms():
    bench = FeetBench(counts_per_kg_right=None)
    sample, both = bench.samples(0.5)[-1], bench.counts("left") + bench.counts("right")
    assert (sample.quality, sample.kg, sample.raw) == ("uncalibrated", None, both)
    bench.board.close()


def test_tare_sets_both_cells_to_zero_or_neither(feet):
    feet.samples(1.5)
    assert feet.path.tare() == (feet.counts("left"), feet.counts("right"))
    assert feet.samples(0.2)[-1].kg == pytest.approx(0.0)
    feet.kgf["left"] += 10.0
    feet.chips["right"].fault = "silent"
    feet.samples(1.5)
    before = [cell.tare_counts for cell in feet.path.cells]
    with pytest.raises(LoadError):
        feet.path.tare()
    assert [cell.tare_counts for cell in feet.path.cells] == before


def test_a_hardly_loaded_machine_has_no_imbalance():
    assert LoadSample(0.0, 1, 2.0, "ok", left_kg=1.5, right_kg=0.5).imbalance is None


def test_without_a_cell_the_load_is_unknown_and_nothing_else_is_wrong():
    with MockBoard() as board:
        path = open_sensors(Config(load=Load(converter="none")), board).load
        assert path.poll(1.0) == LoadSample(1.0, None, None, "disabled")
        assert path.next_due_s == 1.5
        with pytest.raises(LoadError, match="load.converter is none"):
            path.tare()
        assert [part.health for part in path.reports(1.0)] == ["ok"]


# --- static and moving ----------------------------------------------------------------------------


def swing(config, peak_m_s2, seconds=6.0, kg=100.0, every_s=3.0):
    """Whether the watch calls it moving, while the sled accelerates to and fro with ``peak_m_s2``."""
    watch = MotionWatch(config)
    steepness = math.sin(math.radians(config.rail_deg)) if config.location == "plate" else 1.0
    told = []
    for i in range(round(seconds * 80)):
        t_s = i / 80
        acceleration = peak_m_s2 * math.sin(2 * math.pi * t_s / every_s)
        told.append(watch.take(t_s, kg * (1 - acceleration / (GRAVITY * steepness))))
    return told[40:]


@pytest.mark.parametrize("rail_deg", [20.0, 45.0, 90.0])
def test_a_lifted_sled_is_moving_and_a_held_one_is_not_at_any_angle(rail_deg):
    config = Load(rail_deg=rail_deg)
    lifted = swing(config, 1.5)
    assert sum(lifted) / len(lifted) > 0.5
    assert not any(swing(config, 0.05))


def test_the_flatter_the_rails_the_more_the_reading_may_swing_before_it_means_movement():
    shares = [MotionWatch(Load(rail_deg=deg)).share for deg in (90.0, 45.0, 20.0)]
    assert shares == sorted(shares)
    assert MotionWatch(Load(location="stack", rail_deg=20.0)).share == pytest.approx(shares[0])


def test_the_noise_of_a_quiet_cell_is_no_movement():
    watch = MotionWatch(Load())
    assert not any(watch.take(i / 80, 0.2 * (i % 2)) for i in range(200))


# --- zero -----------------------------------------------------------------------------------------


def zero_after(readings):
    watch = ZeroWatch()
    for t_s, kg, moving in readings:
        watch.take(t_s, kg, moving)
    return watch


def test_the_empty_machines_reading_is_known_after_ten_quiet_seconds():
    watch = zero_after([(i / 10, 2.5, False) for i in range(round(EMPTY_S * 10) + 1)])
    assert watch.off_kg == pytest.approx(2.5)
    assert zero_after([(i / 10, 2.5, False) for i in range(90)]).off_kg is None


def test_a_lifter_is_no_drift():
    resting = [(i / 10, 80.0, False) for i in range(3000)]
    assert zero_after(resting).off_kg is None
    assert zero_after([(i / 10, 1.0, True) for i in range(3000)]).off_kg is None


def test_a_load_that_nobody_can_hold_so_still_is_the_machines_own():
    readings = [(i / 2, 30.0, False) for i in range(round((LEFT_ALONE_S + EMPTY_S) * 2) + 4)]
    assert zero_after(readings).off_kg == pytest.approx(30.0)


def test_creep_is_told_in_kilograms_a_minute():
    readings = [(i / 10, 1.0 + 0.3 * (i / 10) / 60.0, False) for i in range(600)]
    watch = zero_after(readings)
    assert watch.creep_kg_min == pytest.approx(0.3, rel=0.05)
    assert watch.creep_kg_min > CREEP_KG_MIN


def test_a_zero_that_has_moved_is_reported_with_what_to_do_and_a_tare_ends_it():
    bench = FeetBench(3.0, 1.0)
    samples = bench.samples(2 * EMPTY_S)
    assert samples[-1].zero_off_kg == pytest.approx(4.0, abs=0.01)
    parts = bench.path.reports(bench.time.now_s)
    assert {(part.health, part.detail.split(";")[0]) for part in parts if "same value" not in part.detail} <= {
        ("degraded", "the empty machine reads +4.0 kg")
    }
    bench.path.tare()
    assert bench.samples(0.2)[-1].zero_off_kg is None
    bench.board.close()
