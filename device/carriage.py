"""The sled's own sensor: metres along the rail, + = lowered, from wherever it was when the device started.

An encoder or a ranger; each a ``device.sensor_report.Sensor`` of ``CarriageSample``, as is ``NoCarriage``.
"""

from __future__ import annotations

import math
from typing import Final

from device.config import Carriage
from device.messages import CarriageSample, PartReport
from device.quadrature import QuadratureCounter
from device.range_part import RangePart
from device.sensor_report import ReadingLog, Trouble

PERIOD_S = 0.02
"""Fifty positions a second: more than any camera gives, and enough for peak speed."""
FASTEST_M_S = 4.0
"""A sled in free fall down 0.6 m of vertical rail does 3.4 m/s: what is faster is a fault of the sensor (ours)."""
DISABLED_S = 0.5
SETTLED_READINGS = 3
"""After a leap, this many measurements at one place make it believable again (ours)."""
NOISE_M = 0.05
"""A ranger's reading may leap this far without the sled (VL53L1X data sheet: +-20 mm)."""

TROUBLES: Final = {
    "dead_channel": Trouble("only one channel gives edges", "check both channels' wires, and the encoder's supply"),
    "missed": Trouble("edges are missed", "choose an encoder with fewer edges per metre; keep its cable short"),
    "leap": Trouble("its position leaps", "shield its cable; check the encoder's supply and its coupling"),
}


class EncoderCarriage:
    """Counts over ``carriage.counts_per_m``. A standing sled gives no edges: that alone is no fault."""

    def __init__(self, counter: QuadratureCounter, config: Carriage) -> None:
        self._counter, self._counts_per_m = counter, config.counts_per_m
        self.next_due_s = -math.inf
        self._start = counter.count
        self._missed = counter.missed
        self._last: tuple[float, int] | None = None
        self._log = ReadingLog("carriage encoder", "mm", 1.0 / PERIOD_S, TROUBLES)

    def poll(self, now_s: float) -> CarriageSample:
        self.next_due_s = now_s + PERIOD_S
        count, missed = self._counter.count, self._counter.missed
        last, self._last = self._last, (now_s, count)
        if missed > self._missed:
            self._missed = missed
            self._log.refused(now_s, "missed")
        if self._counter.dead_channel is not None:
            self._log.refused(now_s, "dead_channel")
            return CarriageSample(now_s, None, "failed")
        if last is not None:
            reach_m = FASTEST_M_S * max(now_s - last[0], PERIOD_S)
            if abs(count - last[1]) / abs(self._counts_per_m) > reach_m:
                # noise on the wires: where the sled was is forgotten, and counted anew from here
                self._start += count - last[1]
                self._log.refused(now_s, "leap")
                return CarriageSample(now_s, None, "failed")
        position_m = (count - self._start) / self._counts_per_m
        self._log.took(now_s, 1000.0 * position_m)
        return CarriageSample(now_s, position_m, "ok")

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        return (self._log.report(now_s),)


class RangeCarriage:
    """Distances from the first valid one on, growing or shrinking as ``carriage.tof_direction`` has it."""

    def __init__(self, part: RangePart, config: Carriage) -> None:
        self._part = part
        self._sign = 1.0 if config.tof_direction == "away" else -1.0
        self.next_due_s = -math.inf
        self._first_m: float | None = None
        self._last: tuple[float, float] | None = None
        self._leapt_m: list[float] = []

    def poll(self, now_s: float) -> CarriageSample | None:
        self.next_due_s = now_s + PERIOD_S
        distance_m = self._part.distance_m(now_s)
        if distance_m is None:
            return self._missing(now_s)
        if self._leaps(now_s, distance_m):
            self._part.refused(now_s, "jump")
            return self._missing(now_s)
        self._part.took(now_s, distance_m)
        self._last, self._leapt_m = (now_s, distance_m), []
        self._first_m = distance_m if self._first_m is None else self._first_m
        return CarriageSample(now_s, self._sign * (distance_m - self._first_m), "ok")

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        return self._part.reports(now_s)

    def _leaps(self, now_s: float, distance_m: float) -> bool:
        """True while the distance is further from the last than the sled can have come, until it has stayed there."""
        if self._last is None or abs(distance_m - self._last[1]) <= NOISE_M + FASTEST_M_S * (now_s - self._last[0]):
            return False
        self._leapt_m = [*self._leapt_m[1 - SETTLED_READINGS :], distance_m]
        settled = len(self._leapt_m) == SETTLED_READINGS
        return not settled or max(self._leapt_m) - min(self._leapt_m) > NOISE_M

    def _missing(self, now_s: float) -> CarriageSample | None:
        silence = self._part.silence(now_s)
        return None if silence is None else CarriageSample(now_s, None, silence)


class NoCarriage:
    """In place of a carriage sensor on a machine without one: the cameras see the plate."""

    next_due_s = -math.inf

    def poll(self, now_s: float) -> None:
        self.next_due_s = now_s + DISABLED_S

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        return ()
