"""Where the seat can be: notches, and how fast it can get from one place to another. Shared by the seat's sensors."""

from __future__ import annotations

from collections import deque

from device.config import Machine, Seat
from device.messages import SeatSample

NOISE_M = 0.004
"""Reading noise that is no movement: about ten steps of the converter on 0.3 m of travel (ours)."""
SETTLED_READINGS = 3
"""After a jump, this many readings at one place make it believable again (ours)."""


def notch_at(machine: Machine, place_m: float) -> int | None:
    """The notch (from 1) that the seat is locked in at ``place_m``; None between notches."""
    notches = machine.seat_notches_m
    nearest = min(range(len(notches)), key=lambda i: abs(notches[i] - place_m))
    within = abs(notches[nearest] - place_m) <= machine.seat_notch_tolerance_m
    return nearest + 1 if within else None


class SeatPlace:
    """Turns places (m from the first notch) into samples, and doubts a seat that leaps."""

    def __init__(self, config: Seat, machine: Machine, noise_m: float = NOISE_M) -> None:
        self._config, self._machine, self._noise_m = config, machine, noise_m
        self._place_m: float | None = None
        self._place_s = 0.0
        self._jumped: deque[float] = deque(maxlen=SETTLED_READINGS)

    def sample(self, now_s: float, place_m: float) -> SeatSample:
        """``jump`` until a place out of reach has lasted, else the notch, or ``between`` notches."""
        if self._jumps(place_m, now_s):
            return SeatSample(now_s, None, None, "jump")
        self._place_m, self._place_s = place_m, now_s
        notch = notch_at(self._machine, place_m)
        return SeatSample(now_s, place_m, notch, "between" if notch is None else "ok")

    def _jumps(self, place_m: float, now_s: float) -> bool:
        """True while the place is further away than the seat can have moved, until it has stayed there for a while."""
        if self._place_m is None:
            return False
        reach_m = self._config.max_rate_m_s * (now_s - self._place_s) + self._noise_m
        if not self._jumped and abs(place_m - self._place_m) <= reach_m:
            return False
        self._jumped.append(place_m)
        settled = len(self._jumped) == SETTLED_READINGS and max(self._jumped) - min(self._jumped) <= self._noise_m
        if settled:
            self._jumped.clear()
        return not settled
