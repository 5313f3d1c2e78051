"""The one button: a short press on release, a long one as soon as it has been held long enough."""

from __future__ import annotations

import math

from device.messages import ButtonPressed
from device.pins import InputPin

DEBOUNCE_S = 0.03
"""A level counts once it has lasted this long: contacts bounce for 5-20 ms."""
HOLD_S = 2.0
PERIOD_S = 0.01


class ButtonReader:
    """A switch to ground on a pulled-up pin. Call ``poll`` when ``next_due_s`` has come."""

    def __init__(self, pin: InputPin) -> None:
        self._pin = pin
        self.next_due_s = -math.inf
        self._level: bool | None = None
        self._level_since_s = 0.0
        self._down_since_s: float | None = None
        self._reported_hold = False
        self._seen_up = False

    def poll(self, now_s: float) -> ButtonPressed | None:
        """A press as it is recognised, stamped with when the button went down.

        A button that is down at the start presses nothing until it has been seen up.
        """
        self.next_due_s = now_s + PERIOD_S
        down = not self._pin.state
        if down != self._level:
            self._level, self._level_since_s = down, now_s
        if now_s - self._level_since_s < DEBOUNCE_S:
            return None
        return self._pressed(now_s) if down else self._released()

    def _pressed(self, now_s: float) -> ButtonPressed | None:
        if not self._seen_up:
            return None
        if self._down_since_s is None:
            self._down_since_s = self._level_since_s
        if not self._reported_hold and now_s - self._down_since_s >= HOLD_S:
            self._reported_hold = True
            return ButtonPressed(self._down_since_s, held=True)
        return None

    def _released(self) -> ButtonPressed | None:
        self._seen_up = True
        down_since_s, held = self._down_since_s, self._reported_hold
        self._down_since_s, self._reported_hold = None, False
        if down_since_s is None or held:
            return None
        return ButtonPressed(down_since_s)
