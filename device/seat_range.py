"""The seat's place from a VL53L1X that looks along the seat's rail."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from statistics import median_low

from device.config import Machine, Seat
from device.messages import PartReport, SeatSample
from device.range_part import RangePart
from device.seat_place import SeatPlace

POLL_S = 0.025
MEDIAN_OF = 3
NOISE_M = 0.02
"""Of the VL53L1X (data sheet: +-20 mm with ambient light)."""
BEYOND_M = 0.08
"""So far outside its notches the seat cannot be: something else is in the light (ours)."""


class RangeSeat:
    """Distances to places: growing or shrinking from notch to notch, as ``seat.tof_direction`` has it."""

    def __init__(self, part: RangePart, config: Seat, machine: Machine) -> None:
        self._part, self._config, self._machine = part, config, machine
        self.next_due_s = -math.inf
        self._recent: deque[float] = deque(maxlen=MEDIAN_OF)
        self._place = SeatPlace(config, machine, NOISE_M)

    def poll(self, now_s: float) -> SeatSample | None:
        """A sample for each measurement, and ten a second while there is none."""
        self.next_due_s = now_s + POLL_S
        distance_m = self._part.distance_m(now_s)
        if distance_m is None:
            return self._missing(now_s)
        sign = 1.0 if self._config.tof_direction == "away" else -1.0
        place_m = sign * (distance_m - self._config.tof_first_m)
        notches = self._machine.seat_notches_m
        if not notches:
            return SeatSample(now_s, None, None, "uncalibrated", distance_m=distance_m)
        if not notches[0] - BEYOND_M <= place_m <= notches[-1] + BEYOND_M:
            self._part.refused(now_s, "out_of_place")
            return self._missing(now_s, distance_m)
        self._recent.append(place_m)
        sample = self._place.sample(now_s, median_low(self._recent))
        if sample.quality == "jump":
            self._part.refused(now_s, "jump", of_target=True)
        else:
            self._part.took(now_s, distance_m)
        return replace(sample, distance_m=distance_m)

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        return self._part.reports(now_s)

    def _missing(self, now_s: float, distance_m: float | None = None) -> SeatSample | None:
        silence = self._part.silence(now_s, measured=distance_m is not None)
        if silence is None:
            return None
        self._recent.clear()
        return SeatSample(now_s, None, None, silence, distance_m=distance_m)
