"""The button: bounce, short press, long press, a button that hangs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pin_bench import BenchTime, run

from device.button import DEBOUNCE_S, HOLD_S, ButtonReader
from device.messages import ButtonPressed
from device.pins import MockBoard

PIN = 23


class ButtonBench:
    def __init__(self, down=False):
        self.time, self.board = BenchTime(), MockBoard()
        pin = self.board.input(PIN, "button", pull_up=True)
        self.board.drive(PIN, not down)
        self.reader = ButtonReader(pin)

    def hold(self, down, duration_s):
        self.board.drive(PIN, not down)
        return [sample for _, sample in run(self.reader, self.time, duration_s)]


@pytest.fixture
def bench():
    bench = ButtonBench()
    bench.hold(False, 0.1)
    yield bench
    bench.board.close()


def test_a_short_press_is_told_on_release_with_when_it_began(bench):
    start_s = bench.time.now_s
    assert bench.hold(True, 0.4) == []
    (press,) = bench.hold(False, 0.2)
    assert press == ButtonPressed(pytest.approx(start_s, abs=0.011), held=False)


def test_a_long_press_is_told_once_while_it_is_held(bench):
    start_s = bench.time.now_s
    (press,) = bench.hold(True, 5.0)
    assert press == ButtonPressed(pytest.approx(start_s, abs=0.011), held=True)
    assert bench.hold(False, 1.0) == []


def test_the_long_press_is_told_after_two_seconds(bench):
    assert bench.hold(True, HOLD_S - 0.05) == []
    assert [press.held for press in bench.hold(True, 0.1)] == [True]


def test_bouncing_contacts_make_one_press(bench):
    presses = []
    for down, duration_s in [(True, 0.004), (False, 0.006), (True, 0.005), (False, 0.004), (True, 0.3)]:
        presses += bench.hold(down, duration_s)
    for down, duration_s in [(False, 0.005), (True, 0.008), (False, 0.3)]:
        presses += bench.hold(down, duration_s)
    assert [press.held for press in presses] == [False]


def test_a_spike_on_the_wire_is_no_press(bench):
    assert bench.hold(True, 0.02) + bench.hold(False, 0.5) == []


def test_a_button_that_is_down_at_the_start_presses_nothing_until_it_was_up():
    bench = ButtonBench(down=True)
    assert bench.hold(True, 10.0) == []
    assert bench.hold(False, 0.5) == []
    assert bench.hold(True, 0.2) == []
    assert len(bench.hold(False, 0.2)) == 1
    bench.board.close()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.001, 4.0), min_size=1, max_size=12))
def test_one_press_at_most_for_each_time_the_button_goes_down(durations_s):
    bench = ButtonBench()
    bench.hold(False, 0.1)
    presses, long_enough = [], 0
    for i, duration_s in enumerate(durations_s):
        down = i % 2 == 0
        presses += bench.hold(down, duration_s)
        long_enough += down and duration_s > DEBOUNCE_S / 2
    presses += bench.hold(False, 0.2)
    assert len(presses) <= long_enough
    assert len({press.t_s for press in presses}) == len(presses)
    bench.board.close()
