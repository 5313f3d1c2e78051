"""Plays sound patterns on a buzzer of any kind."""

from __future__ import annotations

from typing import NamedTuple

from device.sound_patterns import Pattern, pattern
from device.sounder import Sounder

ROUNDING_S = 1e-6
"""So that an update exactly at its deadline is past the edge, whatever the subtraction of two times rounds to."""


class Level(NamedTuple):
    """What the buzzer should do now, and when (s since the pattern's start) that changes; None = never again."""

    high: bool
    next_edge_s: float | None
    pitch: float = 1.0
    """Of a tonal buzzer, times its base tone."""


def level_at(sound: Pattern, elapsed_s: float) -> Level:
    """The pattern's level ``elapsed_s`` after the start of ``sound``. Pure."""
    round_s, offset_s = elapsed_s, 0.0
    if sound.repeat_pause_s is not None:
        length_s = sound.burst_s + sound.repeat_pause_s
        offset_s = elapsed_s // length_s * length_s
        round_s = elapsed_s - offset_s
    edge_s = 0.0
    for i, pulse_s in enumerate(sound.pulses_s):
        edge_s += pulse_s
        if round_s < edge_s:
            return Level(True, offset_s + edge_s, sound.pitches[i] if sound.pitches else 1.0)
        edge_s += sound.pauses_s[i] if i < len(sound.pauses_s) else 0.0
        if round_s < edge_s:
            return Level(False, offset_s + edge_s)
    if sound.repeat_pause_s is None:
        return Level(False, None)
    return Level(False, offset_s + edge_s + sound.repeat_pause_s)


class BuzzerPlayer:
    """Plays one pattern at a time. ``play`` is heard at once; then ``update`` when its deadline has come."""

    def __init__(self, sounder: Sounder) -> None:
        self._sounder = sounder
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
        """Bring the buzzer to its level for ``now_s``; returns when to call again, None = not before ``play``."""
        if self._sound is None:
            self._sounder.silence()
            return None
        level = level_at(self._sound, max(0.0, now_s - self._start_s) + ROUNDING_S)
        if level.high:
            self._sounder.sound(level.pitch, (self.playing or "").startswith("high:"))
        else:
            self._sounder.silence()
        if level.next_edge_s is None:
            self._sound = self.playing = None
            return None
        return self._start_s + level.next_edge_s
