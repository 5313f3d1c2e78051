"""An active buzzer on one pin, playing sound patterns."""

from __future__ import annotations

from typing import NamedTuple

from device.pins import OutputPin
from device.sound_patterns import Pattern, pattern

ROUNDING_S = 1e-6
"""So that an update exactly at its deadline is past the edge, whatever the subtraction of two times rounds to."""


class Level(NamedTuple):
    """What a pin should be now, and when (s since the pattern's start) that changes; None = never again."""

    high: bool
    next_edge_s: float | None


def level_at(sound: Pattern, elapsed_s: float) -> Level:
    """The buzzer's level ``elapsed_s`` after the start of ``sound``. Pure."""
    round_s, offset_s = elapsed_s, 0.0
    if sound.repeat_pause_s is not None:
        length_s = sound.burst_s + sound.repeat_pause_s
        offset_s = elapsed_s // length_s * length_s
        round_s = elapsed_s - offset_s
    edge_s = 0.0
    for i, pulse_s in enumerate(sound.pulses_s):
        edge_s += pulse_s
        if round_s < edge_s:
            return Level(True, offset_s + edge_s)
        edge_s += sound.pauses_s[i] if i < len(sound.pauses_s) else 0.0
        if round_s < edge_s:
            return Level(False, offset_s + edge_s)
    if sound.repeat_pause_s is None:
        return Level(False, None)
    return Level(False, offset_s + edge_s + sound.repeat_pause_s)


class BuzzerPlayer:
    """Plays one pattern at a time. ``play`` acts on the pin at once; then ``update`` when its deadline has come."""

    def __init__(self, pin: OutputPin) -> None:
        self._pin = pin
        self._sound: Pattern | None = None
        self._start_s = 0.0
        self.playing: str | None = None
        """Name of the pattern being played, None = silent."""

    def play(self, name: str | None, now_s: float) -> float | None:
        """Start pattern ``name`` from its beginning in place of the one playing, or be silent. Returns as ``update``.

        Raises UserError for an unknown name, leaving what plays as it is.
        """
        self._sound = None if name is None else pattern(name)
        self.playing, self._start_s = name, now_s
        return self.update(now_s)

    def update(self, now_s: float) -> float | None:
        """Bring the pin to its level for ``now_s``; returns when to call again, None = not before the next ``play``."""
        if self._sound is None:
            self._pin.state = False
            return None
        level = level_at(self._sound, max(0.0, now_s - self._start_s) + ROUNDING_S)
        self._pin.state = level.high
        if level.next_edge_s is None:
            self._sound = self.playing = None
            return None
        return self._start_s + level.next_edge_s
