"""The seat's place from one switch a notch: exactly one of them is closed, or something is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from device.config import Machine
from device.messages import PartReport, SeatSample
from device.pins import InputPin
from device.sensor_report import ReadingLog, Trouble

PERIOD_S = 0.02
DEBOUNCE_S = 0.05
"""Switches count once they have kept their state this long: reed contacts bounce for up to 5 ms, and a magnet between
two of them may close both for a moment (ours)."""

TROUBLES: Final = {
    "no_switch": Trouble(
        "no switch is closed", "lock the seat in a notch; if it is, check that notch's switch, its magnet and its wire"
    ),
    "two_switches": Trouble("more than one switch is closed", "one of them sticks: check the switches of both notches"),
}


class SwitchSeat:
    """Switches to ground on pulled-up pins, that of notch 1 first: low = closed."""

    def __init__(self, lines: Sequence[InputPin], machine: Machine) -> None:
        self._lines, self._machine = tuple(lines), machine
        self.next_due_s = -math.inf
        self._closed: tuple[int, ...] | None = None
        self._since_s = 0.0
        self._log = ReadingLog("seat switches", "notch", 1.0 / PERIOD_S, TROUBLES)

    def poll(self, now_s: float) -> SeatSample | None:
        """One sample a call, but none while the switches change."""
        self.next_due_s = now_s + PERIOD_S
        closed = tuple(i for i, line in enumerate(self._lines) if not line.state)
        if closed != self._closed:
            self._closed, self._since_s = closed, now_s
        if now_s - self._since_s < DEBOUNCE_S:
            return None
        if len(closed) == 1:
            self._log.took(now_s, closed[0] + 1)
            return SeatSample(now_s, self._machine.seat_notches_m[closed[0]], closed[0] + 1, "ok")
        if not closed:
            self._log.refused(now_s, "no_switch")
            return SeatSample(now_s, None, None, "no_switch")
        self._log.refused(now_s, "two_switches")
        return SeatSample(now_s, None, None, "two_switches")

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        return (self._log.report(now_s),)
