"""The seat's place from a VL53L1X that looks along the seat's rail."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from statistics import median_low
from typing import Literal

from device.config import Machine, Seat
from device.messages import PartReport, SeatSample
from device.range_part import TROUBLES
from device.seat_place import SeatPlace
from device.sensor_report import ReadingLog
from device.vl53l1x import PERIOD_S, VL53L1X

POLL_S = 0.025
MEDIAN_OF = 3
NOISE_M = 0.02
"""Of the VL53L1X (data sheet: +-20 mm with ambient light)."""
BEYOND_M = 0.08
"""So far outside its notches the seat cannot be: something else is in the light (ours)."""
STALE_AFTER_S = 0.35
"""Three measurements without a value (ours)."""
FAILED_AFTER_S = 1.0


class RangeSeat:
    """Distances to places: growing or shrinking from notch to notch, as ``seat.tof_direction`` has it."""

    def __init__(self, ranger: VL53L1X, config: Seat, machine: Machine) -> None:
        self._ranger, self._config, self._machine = ranger, config, machine
        self.next_due_s = -math.inf
        self._recent: deque[float] = deque(maxlen=MEDIAN_OF)
        self._place = SeatPlace(config, machine, NOISE_M)
        self._last_valid_s: float | None = None
        self._last_report_s = -math.inf
        self._log = ReadingLog("seat ranger", "mm", 1.0 / PERIOD_S, TROUBLES)

    def poll(self, now_s: float) -> SeatSample | None:
        """A sample for each measurement, and ten a second while there is none."""
        self.next_due_s = now_s + POLL_S
        if self._last_valid_s is None:
            self._last_valid_s = now_s
        measured = self._ranger.read(now_s)
        if measured is None or measured.distance_m is None:
            if measured is not None and measured.fault is not None:
                self._log.refused(now_s, measured.fault)
            return self._missing(now_s)
        sign = 1.0 if self._config.tof_direction == "away" else -1.0
        place_m = sign * (measured.distance_m - self._config.tof_first_m)
        notches = self._machine.seat_notches_m
        if not notches:
            return SeatSample(now_s, None, None, "uncalibrated", distance_m=measured.distance_m)
        if not notches[0] - BEYOND_M <= place_m <= notches[-1] + BEYOND_M:
            self._log.refused(now_s, "out_of_place")
            return self._missing(now_s, measured.distance_m)
        self._last_valid_s = now_s
        self._recent.append(place_m)
        sample = self._place.sample(now_s, median_low(self._recent))
        if sample.quality == "jump":
            self._log.refused(now_s, "jump")
        else:
            self._log.took(now_s, 1000.0 * measured.distance_m)
        return replace(sample, distance_m=measured.distance_m)

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        return (self._log.report(now_s),)

    def _missing(self, now_s: float, distance_m: float | None = None) -> SeatSample | None:
        assert self._last_valid_s is not None
        silent_s = now_s - self._last_valid_s
        # a distance out of place comes once a measurement: a calibration wants each of them
        if silent_s <= STALE_AFTER_S or (distance_m is None and now_s - self._last_report_s < PERIOD_S):
            return None
        self._last_report_s = now_s
        self._recent.clear()
        quality: Literal["failed", "stale"] = "failed" if silent_s > FAILED_AFTER_S else "stale"
        return SeatSample(now_s, None, None, quality, distance_m=distance_m)
