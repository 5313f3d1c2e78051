"""Buzzers of either kind, lights of either kind, and the loudness of the hour, as the pins have them."""

import datetime
import itertools
import math
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.buzzer import BuzzerPlayer
from device.config import Config, Outputs, Pins
from device.light import MIX, TRAFFIC_MIX, open_light
from device.pins import MockBoard
from device.service import Outputs as DrivenOutputs
from device.sound_patterns import CONFIRM, HIGH_PITCHES, Pattern, pattern
from device.sounder import LEAST_HIGH, duty_for, loudness_at, open_sounder

BUZZER = 18
NOON, MIDNIGHT = datetime.datetime(2026, 11, 26, 12), datetime.datetime(2026, 11, 26, 0, 30)


@pytest.fixture
def board():
    board = MockBoard()
    yield board
    board.close()


def passive(board, hour=NOON, **keys):
    outputs = Outputs(buzzer="passive", **keys)
    return BuzzerPlayer(open_sounder(outputs, board, BUZZER, now=lambda: hour))


def follow(player, board, name, duration_s, start_s=100.0):
    """(frequency, duty) of each pulse of ``name``, as the pin has it, and the pulses' times."""
    pulses, edges = [], []
    now_s = [start_s]
    board.watch(BUZZER, lambda high: edges.append((now_s[0], high)))
    next_s = player.play(name, now_s[0])
    pulses.append(board.tone_on(BUZZER))
    while next_s is not None and next_s < start_s + duration_s:
        now_s[0] = next_s
        next_s = player.update(now_s[0])
        if board.level(BUZZER):
            pulses.append(board.tone_on(BUZZER))
    return pulses, edges


def test_a_tonal_buzzer_plays_the_standards_ten_pulses_in_its_own_rhythm_and_rising(board):
    pulses, edges = follow(passive(board, tone_hz=800), board, "high:back_rounding", 4.0)
    sound = pattern("high:back_rounding")
    assert [frequency for frequency, _ in pulses[:10]] == [800 * pitch for pitch in HIGH_PITCHES]
    lengths = [b - a for (a, _), (b, _) in itertools.pairwise(edges)][:19]
    assert lengths[::2] == [pytest.approx(pulse_s, abs=1e-6) for pulse_s in sound.pulses_s]
    assert all(0.075 <= pulse_s <= 0.200 + 1e-6 for pulse_s in lengths[::2])


def test_a_correction_rises_on_a_tonal_buzzer(board):
    pulses, _ = follow(passive(board, tone_hz=1000), board, "confirm", 2.0)
    frequencies = [frequency for frequency, _ in pulses]
    assert frequencies == sorted(frequencies)
    assert len(set(frequencies)) == len(CONFIRM.pulses_s)
    assert not board.level(BUZZER)


def test_at_night_a_tonal_buzzer_is_softer_and_high_priority_not_below_its_least(board):
    keys = {"loudness_day": 1.0, "loudness_night": 0.1}
    player = passive(board, MIDNIGHT, **keys)
    player.play("medium:knee_valgus", 0.0)
    assert board.tone_on(BUZZER)[1] == pytest.approx(duty_for(0.1))
    player.play("high:knee_valgus", 1.0)
    assert board.tone_on(BUZZER)[1] == pytest.approx(duty_for(LEAST_HIGH))


def test_by_day_it_is_as_loud_as_a_square_wave_can_be(board):
    passive(board, NOON, loudness_night=0.1).play("medium:knee_valgus", 0.0)
    assert board.tone_on(BUZZER)[1] == pytest.approx(0.5)


@given(st.floats(0, 1))
def test_the_duty_cycle_makes_the_fundamental_as_strong_as_the_loudness(loudness):
    assert math.sin(math.pi * duty_for(loudness)) == pytest.approx(loudness, abs=1e-9)
    assert 0 <= duty_for(loudness) <= 0.5


@pytest.mark.parametrize(
    ("begins", "ends", "at", "night"),
    [
        ("22:00", "07:00", "23:30", True),
        ("22:00", "07:00", "06:59", True),
        ("22:00", "07:00", "07:00", False),
        ("22:00", "07:00", "21:59", False),
        ("01:00", "05:00", "03:00", True),
        ("01:00", "05:00", "00:30", False),
    ],
)
def test_the_night_may_go_past_midnight(begins, ends, at, night):
    outputs = Outputs(buzzer="passive", night_from=begins, night_to=ends, loudness_night=0.2)
    assert loudness_at(outputs, datetime.time.fromisoformat(at)) == (0.2 if night else 1.0)


def test_an_active_buzzer_takes_no_notice_of_pitch(board):
    player = BuzzerPlayer(open_sounder(Outputs(), board, BUZZER))
    player.play("confirm", 0.0)
    assert board.level(BUZZER)
    assert board.tone_on(BUZZER)[0] is None


def test_a_machine_without_buzzer_and_light_has_both_in_their_normal_shape(board):
    outputs = DrivenOutputs(board, Config(outputs=Outputs(buzzer="none", light="none")))
    assert outputs.buzzer.play("help", 0.0) == 0.5
    assert outputs.light.show("red", "fast", 0.0) == 0.25
    assert not any(board.level(pin) for pin in (18, 17, 27, 22))


def test_a_traffic_light_shows_each_colour_with_its_lamps_and_no_warning_with_two(board):
    pins = Pins()
    light = open_light("traffic", board, pins)
    shown = {}
    for colour in TRAFFIC_MIX:
        light.show(colour, "steady", 0.0)
        shown[colour] = tuple(board.level(pin) for pin in (pins.light_red, pins.light_green, pins.light_blue))
    assert shown == TRAFFIC_MIX
    assert len(set(shown.values())) == len(MIX)
    assert [sum(shown[colour]) for colour in ("red", "amber", "green")] == [1, 1, 1]


def test_a_pattern_needs_a_pitch_for_every_pulse_or_none():
    with pytest.raises(ValueError, match="2 pulses need 2 pitches, not 1"):
        Pattern((0.1, 0.1), (0.1,), pitches=(1.0,))


def test_a_tone_is_low_from_the_start_and_after_close():
    board = MockBoard()
    levels = []
    board.watch(BUZZER, levels.append)
    passive(board).play("help", 0.0)
    board.close()
    assert levels == [True, False]


def test_however_the_process_ends_a_tonal_buzzer_is_silent(tmp_path):
    log = tmp_path / "edges"
    program = f"""
        import os, signal, time
        from device.pins import MockBoard, silence_on_exit
        board = MockBoard()
        silence_on_exit(board)
        board.watch(18, lambda level: open({str(log)!r}, "a").write(f"{{level}} "))
        board.tone(18, "buzzer").sound(880, 0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, check=False)
    assert (log.read_text(), done.returncode) == ("True False ", 143)
