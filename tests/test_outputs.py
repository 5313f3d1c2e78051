"""Buzzer and light, judged by the edges on their pins against IEC 60601-1-8's limits (EVIDENCE: the figures)."""

import itertools
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.buzzer import BuzzerPlayer, level_at
from device.core.actions import Flash as CoreFlash
from device.errors import UserError
from device.light import FLASH_HZ, MIX, Flash, LightPlayer, lit_at
from device.messages import Colour, FaultKind, Priority
from device.pins import MockBoard
from device.sound_patterns import CONFIRM, HELP, HIGH, LOW, MEDIUM, Pattern, pattern
from device.sounder import ActiveBuzzer

BUZZER, RED, GREEN, BLUE = 18, 17, 27, 22
FAULTS = typing.get_args(FaultKind)
PRIORITIES = typing.get_args(Priority)
EXACT = 1e-9


class OutputBench:
    """Records (time, level) of each edge while a player is updated exactly when it asks to be."""

    def __init__(self):
        self.board, self.now_s = MockBoard(), 1000.0
        self.edges = []
        self.board.watch(BUZZER, lambda level: self.edges.append((self.now_s, level)))
        self.buzzer = BuzzerPlayer(ActiveBuzzer(self.board.output(BUZZER, "buzzer")))
        self.light = LightPlayer(*(self.board.output(pin, "light") for pin in (RED, GREEN, BLUE)))

    def colour(self):
        return tuple(self.board.level(pin) for pin in (RED, GREEN, BLUE))

    def follow(self, player, deadline_s, duration_s):
        end_s = self.now_s + duration_s
        while deadline_s is not None and deadline_s < end_s:
            assert deadline_s > self.now_s
            self.now_s = deadline_s
            deadline_s = player.update(self.now_s)
        self.now_s = end_s
        return deadline_s

    def play(self, name, duration_s):
        """Lengths (s) of the pulses and of the pauses between them, as the pin has them."""
        self.edges.clear()
        start_s = self.now_s
        deadline_s = self.buzzer.play(name, start_s)
        assert self.edges[:1] == [(start_s, True)]  # the first pulse begins with the call, not after it
        self.follow(self.buzzer, deadline_s, duration_s)
        assert [level for _, level in self.edges] == [i % 2 == 0 for i in range(len(self.edges))]
        lengths = [b - a for (a, _), (b, _) in itertools.pairwise(self.edges)]
        return lengths[::2], lengths[1::2]


@pytest.fixture
def bench():
    bench = OutputBench()
    yield bench
    bench.board.close()


@pytest.mark.parametrize("kind", FAULTS)
def test_a_high_priority_burst_is_ten_pulses_of_75_to_200_ms(bench, kind):
    pulses_s, pauses_s = bench.play(f"high:{kind}", pattern(f"high:{kind}").burst_s + 1.0)
    assert len(pulses_s) == 10
    assert all(0.075 - EXACT <= pulse_s <= 0.200 + EXACT for pulse_s in pulses_s)
    assert all(0.05 - EXACT <= pause_s <= 0.45 for pause_s in pauses_s)
    # three and two, twice, with a breath in the middle
    assert sorted(range(9), key=lambda i: -pauses_s[i])[0] == 4


@pytest.mark.parametrize("kind", FAULTS)
def test_a_high_priority_burst_comes_again_after_two_and_a_half_to_fifteen_seconds(bench, kind):
    name = f"high:{kind}"
    pulses_s, pauses_s = bench.play(name, 4 * pattern(name).burst_s + 3 * 15.0)
    assert len(pulses_s) >= 20
    assert all(2.5 - 1e-6 <= pauses_s[i] <= 15.0 for i in range(9, len(pauses_s), 10))


@pytest.mark.parametrize("kind", FAULTS)
def test_a_medium_priority_burst_is_three_pulses_of_125_to_250_ms_and_plays_once(bench, kind):
    pulses_s, pauses_s = bench.play(f"medium:{kind}", 30.0)
    assert len(pulses_s) == 3
    assert all(0.125 - EXACT <= length_s <= 0.250 + EXACT for length_s in pulses_s + pauses_s)
    assert bench.buzzer.playing is None
    assert not bench.board.level(BUZZER)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_low_priority_sound_is_one_or_two_pulses_once(bench, kind):
    pulses_s, _ = bench.play(f"low:{kind}", 30.0)
    assert len(pulses_s) in (1, 2)
    assert all(0.125 - EXACT <= pulse_s <= 0.250 + EXACT for pulse_s in pulses_s)


def test_a_correction_is_confirmed_by_pulses_that_grow_and_is_soon_over(bench):
    pulses_s, _ = bench.play("confirm", 5.0)
    assert pulses_s == sorted(pulses_s)
    assert len(set(pulses_s)) == 3
    assert CONFIRM.burst_s <= 0.5


def test_a_call_for_help_goes_on_until_it_is_answered(bench):
    pulses_s, _ = bench.play("help", 60.0)
    assert len(pulses_s) >= 12
    assert bench.buzzer.play(None, bench.now_s) is None
    assert not bench.board.level(BUZZER)


def test_faults_of_one_priority_that_have_a_rhythm_have_their_own():
    for own in (HIGH, MEDIUM, LOW):
        rhythms = [(sound.pulses_s, sound.pauses_s) for sound in own.values()]
        assert len(set(rhythms)) == len(rhythms)
    assert HELP.pulses_s not in {sound.pulses_s for sound in (*HIGH.values(), *MEDIUM.values(), *LOW.values())}


@pytest.mark.parametrize("name", [f"{priority}:{kind}" for priority in PRIORITIES for kind in FAULTS])
def test_every_fault_at_every_priority_can_be_heard(name):
    assert pattern(name).pulses_s[0] > 0


@pytest.mark.parametrize("name", ["", "urgent:knee_valgus", "Confirm", "high"])
def test_an_unknown_sound_is_refused_and_what_plays_goes_on(bench, name):
    bench.buzzer.play("medium:knee_valgus", bench.now_s)
    with pytest.raises(UserError, match="unknown sound"):
        bench.buzzer.play(name, bench.now_s)
    assert bench.buzzer.playing == "medium:knee_valgus"
    assert bench.board.level(BUZZER)


def test_silence_is_immediate(bench):
    bench.buzzer.play("high:knee_valgus", bench.now_s)
    assert bench.buzzer.play(None, bench.now_s) is None
    assert [level for _, level in bench.edges] == [True, False]
    assert bench.buzzer.playing is None


def test_a_new_sound_takes_the_place_of_the_old_at_once(bench):
    bench.buzzer.play("medium:back_rounding", bench.now_s)
    bench.now_s += 0.3  # in its first pause
    assert bench.buzzer.update(bench.now_s) is not None
    assert not bench.board.level(BUZZER)
    bench.buzzer.play("high:back_rounding", bench.now_s)
    assert bench.board.level(BUZZER)
    assert bench.buzzer.playing == "high:back_rounding"


def test_an_update_that_comes_late_finds_its_place_in_the_pattern(bench):
    deadline_s = bench.buzzer.play("medium:knee_valgus", bench.now_s)
    assert deadline_s == pytest.approx(bench.now_s + 0.13)
    assert bench.buzzer.update(bench.now_s + 0.30) == pytest.approx(bench.now_s + 0.39)
    assert bench.board.level(BUZZER)  # within the second pulse
    assert bench.buzzer.update(bench.now_s + 60.0) is None
    assert not bench.board.level(BUZZER)


def test_a_pattern_needs_a_pause_between_every_two_pulses():
    with pytest.raises(ValueError, match="3 pulses need 2 pauses, not 1"):
        Pattern((0.1, 0.1, 0.1), (0.1,))


lengths = st.floats(0.01, 1.0)


@given(
    st.integers(1, 8).flatmap(
        lambda n: st.builds(
            Pattern,
            st.lists(lengths, min_size=n, max_size=n).map(tuple),
            st.lists(lengths, min_size=n - 1, max_size=n - 1).map(tuple),
            st.none() | st.floats(0.1, 5.0),
        )
    ),
    st.floats(0, 60),
)
def test_the_next_edge_always_lies_ahead_and_nothing_changes_before_it(sound, elapsed_s):
    level = level_at(sound, elapsed_s)
    if level.next_edge_s is None:
        assert not level.high
        assert elapsed_s >= sound.burst_s - 1e-6
    else:
        assert level.next_edge_s >= elapsed_s
        half_way = level_at(sound, (elapsed_s + level.next_edge_s) / 2)
        assert half_way.high == level.high


def test_every_colour_has_its_own_mix_and_off_is_dark(bench):
    shown = {}
    for colour in typing.get_args(Colour):
        bench.light.show(colour, "steady", bench.now_s)
        shown[colour] = bench.colour()
    assert shown == {colour: MIX[colour] for colour in typing.get_args(Colour)}
    assert len(set(shown.values())) == len(shown)
    assert shown["off"] == (False, False, False)


@pytest.mark.parametrize(
    ("colour", "flash", "lowest_hz", "highest_hz"), [("red", "fast", 1.4, 2.8), ("amber", "slow", 0.4, 0.8)]
)
def test_a_warning_flashes_at_its_prioritys_rate_and_starts_lit(bench, colour, flash, lowest_hz, highest_hz):
    edges = []
    bench.board.watch(RED, lambda level: edges.append((bench.now_s, level)))
    deadline_s = bench.light.show(colour, flash, bench.now_s)
    assert bench.colour() == MIX[colour]
    bench.follow(bench.light, deadline_s, 20.0)
    rises_s = [at_s for at_s, level in edges if level]
    falls_s = [at_s for at_s, level in edges if not level]
    rate_hz = (len(rises_s) - 1) / (rises_s[-1] - rises_s[0])
    assert lowest_hz <= rate_hz <= highest_hz
    lit_share = sum(fall - rise for rise, fall in zip(rises_s, falls_s, strict=False)) / (rises_s[-1] - rises_s[0])
    assert 0.2 <= lit_share <= 0.6


def test_a_steady_light_asks_for_no_update(bench):
    assert bench.light.show("green", "steady", bench.now_s) is None
    assert bench.light.show("off", "fast", bench.now_s) is None
    assert bench.colour() == (False, False, False)


def test_showing_the_same_again_does_not_restart_the_flash(bench):
    bench.light.show("red", "fast", bench.now_s)
    bench.light.update(bench.now_s + 0.3)
    assert bench.colour() == (False, False, False)
    bench.light.show("red", "fast", bench.now_s + 0.31)
    assert bench.colour() == (False, False, False)
    bench.light.show("amber", "fast", bench.now_s + 0.32)
    assert bench.colour() == MIX["amber"]


@given(st.sampled_from(sorted(FLASH_HZ)), st.floats(0, 1e5))
def test_the_lights_next_edge_lies_ahead_by_half_a_period_at_most(flash, elapsed_s):
    _, next_s = lit_at(flash, elapsed_s)
    assert 0 <= next_s - elapsed_s <= 0.5 / FLASH_HZ[flash] + 1e-3


def test_the_flashes_are_those_that_the_core_asks_for():
    assert typing.get_args(Flash) == typing.get_args(CoreFlash)
