"""What makes the sound: an active buzzer, a passive one, or none; one shape for all three.

An active buzzer has one tone and one loudness, on or off. A passive one plays the pitch that its pulse's width
repeats, as loud as the profile of the hour allows.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import Final, Protocol

from device.config import Outputs
from device.pins import Board, OutputPin, TonePin

LEAST_HIGH: Final = 0.3
"""High priority is never softer, whatever the profile says (ours)."""


class Sounder(Protocol):
    def sound(self, pitch: float, urgent: bool) -> None:
        """Sound until ``silence``. ``pitch``: times the base tone; ``urgent``: of high priority."""

    def silence(self) -> None: ...


class ActiveBuzzer:
    """High = sounds. Pitch and loudness are the buzzer's own."""

    def __init__(self, pin: OutputPin) -> None:
        self._pin = pin

    def sound(self, pitch: float, urgent: bool) -> None:
        self._pin.state = True

    def silence(self) -> None:
        self._pin.state = False


class PassiveBuzzer:
    """Square waves of ``tone_hz`` times the pitch. ``loudness()`` gives 0 to 1 for the hour."""

    def __init__(self, pin: TonePin, tone_hz: float, loudness: Callable[[], float]) -> None:
        self._pin, self._tone_hz, self._loudness = pin, tone_hz, loudness

    def sound(self, pitch: float, urgent: bool) -> None:
        loudness = self._loudness()
        self._pin.sound(self._tone_hz * pitch, duty_for(max(loudness, LEAST_HIGH) if urgent else loudness))

    def silence(self) -> None:
        self._pin.silence()


class NoBuzzer:
    """In place of a buzzer on a machine without one."""

    def sound(self, pitch: float, urgent: bool) -> None: ...

    def silence(self) -> None: ...


def duty_for(loudness: float) -> float:
    """Duty cycle whose fundamental is ``loudness`` times as strong as a square wave's (sin(pi d), by Fourier)."""
    return math.asin(min(max(loudness, 0.0), 1.0)) / math.pi


def loudness_at(outputs: Outputs, local: datetime.time) -> float:
    """The profile's loudness at a time of day; the night may go past midnight. Pure."""
    begins, ends = (datetime.time.fromisoformat(at) for at in (outputs.night_from, outputs.night_to))
    night = begins <= local < ends if begins < ends else local >= begins or local < ends
    return outputs.loudness_night if night else outputs.loudness_day


def open_sounder(
    outputs: Outputs, board: Board, pin: int, now: Callable[[], datetime.datetime] = datetime.datetime.now
) -> Sounder:
    """The buzzer that ``outputs.buzzer`` names. Raises PinError."""
    if outputs.buzzer == "none":
        return NoBuzzer()
    if outputs.buzzer == "active":
        return ActiveBuzzer(board.output(pin, "buzzer"))
    return PassiveBuzzer(board.tone(pin, "buzzer"), outputs.tone_hz, lambda: loudness_at(outputs, now().time()))
