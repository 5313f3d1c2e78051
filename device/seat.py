"""The seat's place, from a potentiometer on an MCP3008: metres and notch, or an honest reason for none.

The potentiometer is wired with a resistor at either end, so that its whole travel reads 5 to 95 % of full
scale: what reads outside is a broken wire, never a seat.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median_low

from device.config import Machine, Seat
from device.messages import SeatSample
from device.pins import AnalogInput

FULL_SCALE = 1023
OPEN_BELOW = 0.02
SHORT_ABOVE = 0.98
"""Shares of full scale (ours): half-way between the wired ends and the rails."""
PERIOD_S = 0.05
MEDIAN_OF = 3
NOISE_M = 0.004
"""Reading noise that is no movement: about ten steps of the converter on 0.3 m of travel (ours)."""
SETTLED_READINGS = 3
"""After a jump, this many readings at one place make it believable again (ours)."""
STALE_AFTER_S = 0.15
FAILED_AFTER_S = 1.0


class SeatReader:
    """Turns readings into samples. Call ``poll`` when ``next_due_s`` has come; no thread, no clock of its own."""

    def __init__(self, adc: AnalogInput, config: Seat, machine: Machine) -> None:
        self._adc, self._config, self._machine = adc, config, machine
        self.next_due_s = -math.inf
        self._raw: deque[int] = deque(maxlen=MEDIAN_OF)
        self._place_m: float | None = None
        self._place_s = 0.0
        self._jumped: deque[float] = deque(maxlen=SETTLED_READINGS)
        self._last_read_s: float | None = None

    def poll(self, now_s: float) -> SeatSample | None:
        """One sample a call; None only before the first reading of a converter that does not answer."""
        self.next_due_s = now_s + PERIOD_S
        try:
            raw = self._adc.raw_value
        except OSError:
            return self._unanswered(now_s)
        self._last_read_s = now_s
        self._raw.append(raw)
        share = median_low(self._raw) / FULL_SCALE
        if share < OPEN_BELOW:
            return SeatSample(now_s, None, None, "open")
        if share > SHORT_ABOVE:
            return SeatSample(now_s, None, None, "short")
        place_m = self._to_metres(share)
        if place_m is None:
            return SeatSample(now_s, None, None, "uncalibrated")
        if self._jumps(place_m, now_s):
            return SeatSample(now_s, None, None, "jump")
        self._place_m, self._place_s = place_m, now_s
        notch = self._notch(place_m)
        return SeatSample(now_s, place_m, notch, "between" if notch is None else "ok")

    def _unanswered(self, now_s: float) -> SeatSample | None:
        if self._last_read_s is None:
            self._last_read_s = now_s
        silent_s = now_s - self._last_read_s
        if silent_s > FAILED_AFTER_S:
            return SeatSample(now_s, None, None, "failed")
        return SeatSample(now_s, None, None, "stale") if silent_s > STALE_AFTER_S else None

    def _to_metres(self, share: float) -> float | None:
        notches, config = self._machine.seat_notches_m, self._config
        span = config.reading_at_last - config.reading_at_first
        if not notches or span == 0:
            return None
        return notches[0] + (share - config.reading_at_first) / span * (notches[-1] - notches[0])

    def _jumps(self, place_m: float, now_s: float) -> bool:
        """True while the place is further away than the seat can have moved, until it has stayed there for a while."""
        if self._place_m is None:
            return False
        reach_m = self._config.max_rate_m_s * (now_s - self._place_s) + NOISE_M
        if not self._jumped and abs(place_m - self._place_m) <= reach_m:
            return False
        self._jumped.append(place_m)
        settled = len(self._jumped) == SETTLED_READINGS and max(self._jumped) - min(self._jumped) <= NOISE_M
        if settled:
            self._jumped.clear()
        return not settled

    def _notch(self, place_m: float) -> int | None:
        notches = self._machine.seat_notches_m
        nearest = min(range(len(notches)), key=lambda i: abs(notches[i] - place_m))
        within = abs(notches[nearest] - place_m) <= self._machine.seat_notch_tolerance_m
        return nearest + 1 if within else None
