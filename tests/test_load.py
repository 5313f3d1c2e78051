"""From frames to kilograms: filter, calibration, staleness, and every way the load path can lie."""

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pin_bench import CLOCK, LoadBench, run

from device.config import Load
from device.errors import UserError
from device.load import CONFIRMED_BY, LoadError, LoadReader
from device.load_converter import FULL_SCALE

COUNTS_PER_KG = 8000.0
TARE = 84_213
STACK = Load(location="stack", counts_per_kg=COUNTS_PER_KG, tare_counts=TARE)


def counts(kgf):
    return round(TARE + COUNTS_PER_KG * kgf)


def bench_with(kgf=100.0, config=STACK, settle=True):
    bench = LoadBench(config.channel_gain, config.samples_per_s)
    bench.counts = counts(kgf)
    bench.reader = LoadReader(bench.driver, config)
    if settle:
        run(bench.reader, bench.time, 15 / config.samples_per_s)
    return bench


class ResetWatch:
    """Frees a hanging chip when the clock has been high for 60 us."""

    def __init__(self, bench):
        self.bench, self.rise_s, self.resets = bench, 0.0, 0

    def __call__(self, high):
        if high:
            self.rise_s = self.bench.time.now_s
        elif self.bench.time.now_s - self.rise_s > 60e-6:
            self.resets += 1
            self.bench.chip.fault = None


def qualities(samples):
    """Each quality once per run of equal ones."""
    found = []
    for _, sample in samples:
        if not found or found[-1] != sample.quality:
            found.append(sample.quality)
    return found


def test_a_cell_at_the_stack_gives_the_weight_itself():
    bench = bench_with(100.0)
    samples = run(bench.reader, bench.time, 0.5)
    assert len(samples) == 40
    assert {sample.quality for _, sample in samples} == {"ok"}
    assert all(sample.kg == pytest.approx(100.0, abs=1e-3) for _, sample in samples)
    assert all(sample.t_s == at_s for at_s, sample in samples)


def test_a_cell_under_the_plate_is_freed_of_the_rails_angle():
    config = Load(counts_per_kg=COUNTS_PER_KG, tare_counts=TARE, rail_deg=30.0)
    bench = bench_with(100.0 * math.sin(math.radians(30.0)), config)
    assert run(bench.reader, bench.time, 0.1)[-1][1].kg == pytest.approx(100.0, abs=1e-3)


def test_a_cell_wired_the_other_way_round_works_with_negative_counts():
    bench = bench_with(config=Load(location="stack", counts_per_kg=-COUNTS_PER_KG, tare_counts=TARE))
    bench.counts = round(TARE - COUNTS_PER_KG * 60.0)
    assert run(bench.reader, bench.time, 0.5)[-1][1].kg == pytest.approx(60.0, abs=1e-3)


def test_an_uncalibrated_cell_gives_counts_and_no_kilograms():
    bench = bench_with(50.0, Load(location="stack"))
    sample = run(bench.reader, bench.time, 0.1)[-1][1]
    assert (sample.raw, sample.kg, sample.quality) == (counts(50.0), None, "uncalibrated")


def test_flat_rails_under_a_plate_cell_are_refused_with_what_to_do():
    with pytest.raises(UserError) as error:
        bench_with(config=Load(counts_per_kg=1.0, rail_deg=2.0))
    assert str(error.value) == (
        "load.rail_deg is 2: a cell under the plate feels no weight on rails flatter than 5 deg; "
        'set load.location to "stack" or correct the angle'
    )


def test_zero_counts_per_kilogram_are_refused():
    with pytest.raises(UserError, match="load.counts_per_kg is 0"):
        bench_with(config=Load(location="stack", counts_per_kg=0.0))


def test_a_lone_outlier_is_dropped_without_a_word():
    bench = bench_with()
    bench.counts = lambda setting, t_s: counts(400.0 if len(bench.made) % 7 == 0 else 100.0)
    samples = run(bench.reader, bench.time, 2.0)
    assert {sample.quality for _, sample in samples} == {"ok"}
    assert {round(sample.kg, 3) for _, sample in samples} == {100.0}
    assert bench.reader.statistics.rejected["outlier"] > 15


def test_a_real_jump_is_believed_after_its_third_reading():
    bench = bench_with(0.0)
    bench.counts = counts(200.0)
    start_s = bench.time.now_s
    samples = run(bench.reader, bench.time, 0.3)
    first = next(sample for _, sample in samples if sample.kg > 100.0)
    assert first.kg == pytest.approx(200.0, abs=1e-3)
    assert first.t_s - start_s <= (CONFIRMED_BY + 1) / 80


def test_the_quickest_lifter_is_followed_sample_by_sample():
    bench = bench_with(0.0)
    bench.reader.statistics.rejected.clear()
    start_s = bench.time.now_s
    bench.counts = lambda setting, t_s: counts(min(300.0, 600.0 * max(0.0, t_s - start_s)))
    samples = run(bench.reader, bench.time, 0.7)
    assert bench.reader.statistics.rejected == {}
    lags_kg = [min(300.0, 600.0 * (at_s - start_s)) - sample.kg for at_s, sample in samples]
    assert max(lags_kg) <= 600.0 * 3.5 / 80  # a median of five is two samples behind, and one is being made


@pytest.mark.parametrize(
    ("samples_per_s", "stale_within_s"),
    [(80, 3.2 / 80), (10, 3.2 / 10)],
)
def test_a_silent_chip_is_stale_after_two_missed_conversions(samples_per_s, stale_within_s):
    bench = bench_with(config=Load(location="stack", counts_per_kg=8000.0, samples_per_s=samples_per_s))
    last_s = run(bench.reader, bench.time, 0.5)[-1][1].t_s
    bench.chip.fault = "silent"
    at_s, sample = run(bench.reader, bench.time, 1.0)[0]
    assert (sample.raw, sample.kg, sample.quality) == (None, None, "stale")
    assert 2 / samples_per_s < at_s - last_s <= stale_within_s


def test_a_silent_chip_has_failed_after_a_second_and_is_reset_again_and_again():
    bench = bench_with()
    bench.chip.fault = "silent"
    samples = run(bench.reader, bench.time, 5.0)
    assert qualities(samples) == ["stale", "failed"]
    assert next(at_s for at_s, sample in samples if sample.quality == "failed") - samples[0][0] <= 1.1
    assert 3 <= bench.reader.statistics.resets - 1 <= 5


@pytest.mark.parametrize("fault", ["silent", "stuck_low", "rail_high", "noise"])
def test_the_load_is_back_within_two_seconds_of_the_repair(fault):
    bench = bench_with(100.0)
    bench.chip.fault = fault
    run(bench.reader, bench.time, 10.0)
    bench.chip.fault = None
    after = run(bench.reader, bench.time, 2.0)
    assert (round(after[-1][1].kg, 3), after[-1][1].quality) == (100.0, "ok")


def test_a_chip_that_hangs_with_its_line_low_is_woken_by_a_reset():
    bench = bench_with()
    bench.chip.fault = "stuck_low"
    bench.board.watch(CLOCK, wake := ResetWatch(bench))
    samples = run(bench.reader, bench.time, 3.0)
    assert wake.resets == 1
    assert samples[-1][1].quality == "ok"


def test_what_was_measured_before_a_silence_does_not_colour_what_comes_after():
    bench = bench_with(100.0)
    bench.chip.fault = "silent"
    run(bench.reader, bench.time, 0.2)
    bench.chip.fault, bench.counts = None, counts(105.0)
    values_kg = {round(sample.kg, 3) for _, sample in run(bench.reader, bench.time, 0.5) if sample.kg is not None}
    assert values_kg == {105.0}


def test_a_conversion_is_fetched_within_a_tenth_of_its_period():
    bench = bench_with()
    waits_s = []
    for _ in range(100):
        ((at_s, _),) = run(bench.reader, bench.time, 1 / 80)[:1]
        waits_s.append(at_s - bench.made[-1][1])
    assert max(waits_s) <= 0.1 / 80 + 1e-4


def test_a_computer_too_busy_to_fetch_in_time_costs_the_late_frames_and_no_more():
    bench = bench_with()
    samples = []
    for _ in range(12):
        bench.time.now_s += 0.0245  # two conversions have come meanwhile
        sample = bench.reader.poll(bench.time.now_s)
        samples += [] if sample is None else [sample]
    assert [sample.quality for sample in samples] == ["rejected"] * len(samples)
    assert bench.reader.statistics.rejected["late"] == 12
    back_s = bench.time.now_s
    first = next(sample for _, sample in run(bench.reader, bench.time, 0.2) if sample.quality == "ok")
    assert (round(first.kg, 3), first.t_s - back_s < 2 / 80) == (100.0, True)


def test_a_line_stuck_low_has_failed_after_a_second():
    bench = bench_with()
    bench.chip.fault = "stuck_low"
    samples = run(bench.reader, bench.time, 3.0)
    assert qualities(samples) == ["rejected", "failed"]
    assert {sample.kg for _, sample in samples} == {None}


@pytest.mark.parametrize("fault", ["rail_high", "rail_low"])
def test_an_overdriven_bridge_is_called_saturated_at_once(fault):
    bench = bench_with()
    bench.chip.fault = fault
    start_s = bench.time.now_s
    samples = run(bench.reader, bench.time, 0.5)
    assert qualities(samples) == ["saturated"]
    assert samples[0][0] - start_s <= 3 / 80
    assert {sample.kg for _, sample in samples} == {None}


def test_pure_noise_on_the_wire_is_never_a_load():
    bench = bench_with(100.0)
    bench.chip.fault = "noise"
    samples = run(bench.reader, bench.time, 20.0)
    assert {sample.kg for _, sample in samples} == {None}
    assert qualities(samples) == ["rejected", "failed"]


@pytest.mark.parametrize(("samples_per_s", "longest_gap_s"), [(80, 0.1), (10, 0.6)])
def test_a_slow_pulse_alone_does_not_make_the_load_unknown(samples_per_s, longest_gap_s):
    bench = bench_with(config=STACK.model_copy(update={"samples_per_s": samples_per_s}))
    bench.stalls_before_fall_s[bench.rises + 9] = 2e-3
    samples = run(bench.reader, bench.time, 80 / samples_per_s)
    assert {sample.quality for _, sample in samples} == {"ok"}
    gaps_s = [b - a for (a, _), (b, _) in itertools.pairwise(samples)]
    assert max(gaps_s) <= longest_gap_s


def test_when_every_pulse_is_slow_the_load_is_unknown_and_then_failed():
    bench = bench_with()
    bench.board.watch(CLOCK, lambda high: None if high else bench.time.sleep(0.2e-3))
    start_s = bench.time.now_s
    samples = run(bench.reader, bench.time, 3.0)
    assert qualities(samples) == ["rejected", "failed"]
    assert samples[0][0] - start_s <= 0.115


def test_nothing_is_said_while_the_chip_settles_for_the_first_time():
    for samples_per_s in (10, 80):
        bench = bench_with(config=STACK.model_copy(update={"samples_per_s": samples_per_s}), settle=False)
        samples = run(bench.reader, bench.time, 3.0)
        assert {sample.quality for _, sample in samples} == {"ok"}


def test_when_every_frame_is_bad_the_load_is_unknown_within_a_tenth_of_a_second():
    bench = bench_with(0.0)
    bench.counts = 0  # reads as a dead line
    start_s = bench.time.now_s
    samples = run(bench.reader, bench.time, 0.5)
    assert qualities(samples) == ["rejected"]
    assert 0.08 < samples[0][0] - start_s <= 0.115


def test_a_minute_with_one_frame_in_twenty_corrupted_has_no_wrong_value_and_no_gap():
    bench = bench_with(100.0)
    noise = random.Random(1)
    bench.counts = lambda setting, t_s: counts(100.0) + round(noise.gauss(0, 150))
    bench.chip.fault = "corrupt"
    samples = run(bench.reader, bench.time, 60.0)
    full_scale_kg = FULL_SCALE / COUNTS_PER_KG
    assert max(abs(sample.kg - 100.0) for _, sample in samples) <= 0.002 * full_scale_kg
    assert {sample.quality for _, sample in samples} == {"ok"}
    assert max(b - a for (a, _), (b, _) in itertools.pairwise(samples)) <= 0.1
    assert bench.reader.statistics.rejected["outlier"] > 150


faults = st.sampled_from([None, "silent", "stuck_low", "rail_high", "rail_low", "corrupt"])
episodes = st.lists(st.tuples(faults, st.floats(0.005, 0.6)), min_size=1, max_size=8)
stalls_s = st.dictionaries(st.integers(0, 5000), st.floats(0, 5e-3), max_size=30)


@settings(max_examples=30, deadline=None)
@given(episodes, stalls_s, stalls_s, st.integers(0, 2**32), st.sampled_from(["a128", "a64", "b32"]))
def test_no_wrong_load_passes_and_nothing_hangs_whatever_the_wires_do(history, before_s, after_s, seed, setting):
    config = Load(location="stack", counts_per_kg=COUNTS_PER_KG, tare_counts=TARE, channel_gain=setting)
    bench = bench_with(100.0, config)
    bench.chip.random.seed(seed)
    bench.stalls_before_fall_s = {bench.rises + pulse: stall_s for pulse, stall_s in before_s.items()}
    bench.time.stalls_s = {bench.time.looks + look: stall_s for look, stall_s in after_s.items()}
    for fault, duration_s in history:
        bench.chip.fault = fault
        for _, sample in run(bench.reader, bench.time, duration_s):
            assert sample.kg is None or abs(sample.kg - 100.0) < 1.0
            assert (sample.kg is not None) == (sample.quality == "ok")
    bench.chip.fault = None
    assert run(bench.reader, bench.time, 3.0)[-1][1].quality == "ok"


def test_tare_takes_the_mean_of_a_quiet_second_as_zero():
    bench = bench_with(3.0)
    run(bench.reader, bench.time, 1.2)
    assert bench.reader.tare() == counts(3.0)
    bench.counts = counts(53.0)
    assert run(bench.reader, bench.time, 0.3)[-1][1].kg == pytest.approx(50.0, abs=1e-3)


def test_tare_is_refused_before_a_whole_second_of_values():
    bench = bench_with()
    with pytest.raises(LoadError) as error:
        bench.reader.tare()
    assert str(error.value) == ("the load cannot be set to zero: no second of valid readings yet; wait and try again")


def test_tare_is_refused_while_the_load_moves():
    bench = bench_with()
    bench.counts = lambda setting, t_s: counts(100.0 + 5.0 * math.sin(6.0 * t_s))
    run(bench.reader, bench.time, 1.5)
    with pytest.raises(LoadError, match="cannot be set to zero while it moves"):
        bench.reader.tare()
