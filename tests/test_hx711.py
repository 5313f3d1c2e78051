"""The HX711 driver, bit by bit against a simulated chip that follows the data sheet."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pin_bench import CLOCK, DATA, LoadBench

from device.hx711 import MAX_HIGH_S, POWER_DOWN_S, PULSES
from device.load_converter import FULL_SCALE


@pytest.fixture
def bench():
    bench = LoadBench()
    yield bench
    bench.board.close()


def opened(setting="a128", samples_per_s=80):
    bench = LoadBench(setting, samples_per_s)
    bench.driver.reset(bench.time.now_s)
    return bench


@pytest.mark.parametrize("setting", list(PULSES))
@pytest.mark.parametrize(
    "counts", [1, 2, 0x555555, 0x2AAAAA, FULL_SCALE - 2, -2, -3, -0x555556, -FULL_SCALE + 1, 123_456, -123_456]
)
def test_every_bit_of_a_frame_arrives_at_every_setting(setting, counts):
    bench = opened(setting)
    bench.counts = counts
    assert bench.valid_frame().raw == counts
    bench.board.close()


@given(st.integers(-FULL_SCALE + 1, FULL_SCALE - 2).filter(lambda counts: counts not in (0, -1)))
def test_any_value_between_the_rails_arrives_exactly(counts):
    bench = opened()
    bench.counts = counts
    assert bench.valid_frame().raw == counts
    bench.board.close()


@pytest.mark.parametrize(("setting", "pulses"), [("a128", 25), ("b32", 26), ("a64", 27)])
def test_the_number_of_pulses_chooses_channel_and_gain(setting, pulses):
    bench = opened(setting)
    bench.next_frame()
    before = bench.rises
    frame = bench.valid_frame()
    assert frame.fault is None
    assert bench.rises - before == pulses
    assert bench.chip.setting == setting
    assert bench.made[-1][0] == setting
    bench.board.close()


def test_the_conversion_made_before_a_change_of_gain_is_not_believed():
    bench = opened("b32")
    first = bench.next_frame()
    assert (bench.made[-1][0], first.fault) == ("a128", "settling")
    second = bench.next_frame()
    assert (bench.made[-1][0], second.fault) == ("b32", None)
    assert second.t_s - first.t_s >= 4 / 80
    bench.board.close()


def test_no_frame_is_believed_while_a_new_gain_settles():
    bench = opened("a64")
    assert bench.next_frame().fault == "settling"
    bench.chip._next_s, bench.chip.setting = bench.time.now_s, "a64"  # a chip that answers before it has settled
    bench.chip._pulses = 0
    assert bench.next_frame().fault == "settling"
    bench.board.close()


@pytest.mark.parametrize(("samples_per_s", "settling_s"), [(80, 0.05), (10, 0.4)])
def test_no_frame_is_believed_before_the_chip_has_settled(samples_per_s, settling_s):
    bench = opened(samples_per_s=samples_per_s)
    start_s = bench.time.now_s
    assert settling_s <= bench.valid_frame().t_s - start_s <= settling_s + 0.002
    bench.board.close()


def test_a_chip_that_answers_while_it_settles_is_not_believed_either(bench):
    bench.chip._next_s = 0.0  # some chips pull DOUT low at once
    bench.driver.reset(bench.time.now_s)
    bench.chip._next_s = 0.0
    assert bench.next_frame().fault == "settling"


def test_nothing_is_read_while_no_conversion_waits(bench):
    bench.driver.reset(bench.time.now_s)
    before = bench.rises
    assert bench.driver.read(bench.time.now_s) is None
    assert bench.rises == before


def test_a_silent_chip_gives_no_frame(bench):
    bench.driver.reset(bench.time.now_s)
    bench.chip.fault = "silent"
    assert bench.next_frame(within_s=2.0) is None


@pytest.mark.parametrize(
    ("chip_fault", "fault"),
    [("stuck_low", "not_released"), ("rail_high", "saturated"), ("rail_low", "saturated")],
)
def test_a_broken_wire_is_told_apart_from_a_value(chip_fault, fault):
    bench = opened()
    bench.valid_frame()
    bench.chip.fault = chip_fault
    assert bench.next_frame().fault == fault
    bench.board.close()


@pytest.mark.parametrize("counts", [0, -1])
def test_what_a_dead_line_reads_is_no_value(counts):
    bench = opened()
    bench.counts = counts
    bench.next_frame()
    frame = bench.next_frame()
    assert (frame.raw, frame.fault) == (counts, "no_value")
    bench.board.close()


def test_a_conversion_beyond_a_rail_saturates():
    bench = opened()
    bench.counts = 2 * FULL_SCALE
    frame = bench.next_frame()
    assert (frame.raw, frame.fault) == (FULL_SCALE - 1, "saturated")
    bench.board.close()


@pytest.mark.parametrize("pulse", range(1, 26))
def test_a_pulse_that_resets_the_chip_costs_the_frame_and_the_settling_time(pulse):
    bench = opened()
    bench.valid_frame()
    bench.stalls_before_fall_s[bench.rises + pulse] = 200e-6
    slow = bench.next_frame()
    assert (slow.raw, slow.fault) == (None, "slow_pulse")
    after = bench.next_frame()
    assert (after.raw, after.fault) == (123_456, None)
    assert after.t_s - slow.t_s >= 4 / 80
    bench.board.close()


def test_a_pulse_above_50_us_that_did_not_reset_the_chip_costs_only_its_frame():
    bench = opened()
    bench.valid_frame()
    bench.stalls_before_fall_s[bench.rises + 7] = (MAX_HIGH_S + POWER_DOWN_S) / 2
    slow = bench.next_frame()
    assert (slow.raw, slow.fault) == (None, "slow_pulse")
    after = bench.next_frame()
    assert (after.raw, after.fault) == (123_456, None)
    assert after.t_s - slow.t_s < 2 / 80
    bench.board.close()


def test_a_pulse_of_45_us_is_fine():
    bench = opened()
    bench.valid_frame()
    for pulse in range(1, 26):
        bench.stalls_before_fall_s[bench.rises + pulse] = 42e-6
    assert bench.next_frame().fault is None
    bench.board.close()


def test_power_down_silences_the_chip_and_power_up_starts_it_again(bench):
    bench.driver.reset(bench.time.now_s)
    bench.valid_frame()
    bench.driver.power_down()
    assert bench.board.level(CLOCK)
    bench.time.now_s += 1.0
    assert bench.board.level(DATA)
    bench.driver.power_up(bench.time.now_s)
    assert bench.valid_frame().raw == 123_456


def test_a_gain_of_64_is_chosen_again_after_a_reset_by_a_slow_pulse():
    bench = opened("a64")
    bench.valid_frame()
    bench.stalls_before_fall_s[bench.rises + 3] = 1e-3
    assert bench.next_frame().fault == "slow_pulse"
    assert bench.next_frame().fault == "settling"
    assert bench.next_frame().fault is None
    assert bench.made[-1][0] == "a64"
    bench.board.close()


def test_a_frame_that_the_next_conversion_may_have_overtaken_is_not_believed():
    bench = opened()
    bench.counts = lambda setting, t_s: 0x00FFFF if len(bench.made) % 2 else 0x7F0000
    bench.valid_frame()
    bench.time.now_s = bench.chip._next_s + bench.chip.period_s - 100e-6  # the fetch takes 150 us
    torn = bench.driver.read(bench.time.now_s)
    assert torn.raw not in (0x00FFFF, 0x7F0000)
    assert torn.fault == "late"
    assert bench.valid_frame().raw in (0x00FFFF, 0x7F0000)
    bench.board.close()


waits = st.floats(0, 0.05) | st.floats(0.0120, 0.0126) | st.sampled_from([0.001, 0.0094, 0.05])
stalls_s = st.dictionaries(st.integers(0, 800), st.floats(0, 5e-3), max_size=25)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(PULSES)), stalls_s, stalls_s, st.lists(waits, min_size=10, max_size=40))
def test_whatever_the_computer_is_busy_with_no_wrong_value_passes(setting, before_fall_s, after_fall_s, waits_s):
    """Stalls inside pulses (the chip feels them), around them (only the driver does), and fetches at any moment."""
    bench = opened(setting)
    bench.counts = lambda made_with, t_s: {"a128": 1, "a64": 2, "b32": 3}[made_with] << 16 | int(t_s * 1000) & 0xFFFF
    bench.stalls_before_fall_s = {bench.rises + pulse: stall_s for pulse, stall_s in before_fall_s.items()}
    bench.time.stalls_s = {bench.time.looks + look: stall_s for look, stall_s in after_fall_s.items()}
    for wait_s in waits_s:
        bench.time.now_s += wait_s
        frame = bench.driver.read(bench.time.now_s)
        if frame is not None and frame.fault is None:
            made_with, _, counts = bench.made[-1]
            assert (made_with, frame.raw) == (setting, counts)
    bench.time.stalls_s.clear()
    bench.stalls_before_fall_s.clear()
    bench.driver.reset(bench.time.now_s)
    assert bench.valid_frame() is not None
    bench.board.close()
