"""Calibrating the seat: a potentiometer visits every notch, a ranger the first and the last; switches need none."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from statistics import fmean
from typing import Any, Final

from device.calibration_guide import Refused, Result, Step, Steps

STILL: Final = 0.01
"""Spread of the readings (share of full scale) while the seat rests: ten steps of the converter (ours)."""
SMALLEST_STEP: Final = 0.01
"""Of full scale between two notches: less is one notch visited twice, or a pot that does not turn (ours)."""
SMALLEST_TRAVEL: Final = 0.2
LOWEST, HIGHEST = 0.02, 0.98
"""Beyond lies what a broken or shorted wire reads."""
RANGE_STILL_M: Final = 0.06
"""Spread of the distances while the seat rests: three times the VL53L1X's own noise (data sheet: 20 mm)."""
NEAREST_M, FARTHEST_M = 0.04, 3.0
"""What a VL53L1X can measure; ``seat.tof_first_m`` goes no further."""
FEWEST_DISTANCES: Final = 5
"""Half of what a second holds: with fewer the target is hardly seen (ours)."""


def line_through(places_m: list[float], readings: list[float]) -> tuple[float, float]:
    """Least squares ``reading = a + b * place``: (a, b)."""
    mean_place, mean_reading = fmean(places_m), fmean(readings)
    over = sum((p - mean_place) ** 2 for p in places_m)
    slope = sum((p - mean_place) * (r - mean_reading) for p, r in zip(places_m, readings, strict=True)) / over
    return mean_reading - slope * mean_place, slope


class SeatSteps(Steps):
    """``setup``: sensors, notches_m, tolerance_m, and what is in force (reading_at_first, ..., tof_direction).

    A measurement is ``{"pot": ..., "tof": ...}`` for the sensors that there are; what is kept of a notch is
    ``{"pot": share of full scale, "tof": m}``.
    """

    span_s = 1.0
    settles_s = 0.5

    @property
    def steps(self) -> tuple[Step, ...]:
        count = len(self.setup["notches_m"])
        visited = range(1, count + 1) if self._has("pot") else (1, count)
        return tuple(
            Step(f"notch {number}", f"Put the seat into notch {number} of {count}, until its pin falls in.")
            for number in visited
        )

    def made_for(self) -> dict[str, Any]:
        return {"sensors": list(self.setup["sensors"]), "notches_m": list(self.setup["notches_m"])}

    def check_kg(self, step: Step, kg: float) -> None:
        """The seat asks for no weight."""

    def describe(self, step: Step, measured: Mapping[str, Any]) -> list[str]:
        lines = []
        if self._has("pot") and measured["pot"]["valid"]:
            lines.append(f"{step.key.capitalize()} reads {measured['pot']['mean']:.4f} of full scale")
        if self._measures_range(step) and measured["tof"]["valid"]:
            lines.append(f"{step.key.capitalize()} is {measured['tof']['mean']:.3f} m from the ranger")
        return lines

    def believed(self, step: Step, measured: Mapping[str, Any], kg: float | None) -> dict[str, Any]:
        kept = {}
        if self._has("pot"):
            kept["pot"] = self._believed_pot(step, measured["pot"])
        if self._measures_range(step):
            kept["tof"] = _believed_range(step, measured["tof"])
        return kept

    def _believed_pot(self, step: Step, measured: Mapping[str, Any]) -> float:
        if not measured["valid"]:
            raise Refused(f"no reading in {step.key}: the seat sensor is {measured['quality']}; check its wires")
        if measured["spread"] > STILL:
            raise Refused(f"the reading wanders by {measured['spread']:.3f} in {step.key}: let it rest")
        reading: float = measured["mean"]
        if not LOWEST <= reading <= HIGHEST:
            raise Refused(
                f"{step.key} reads {reading:.3f}, allowed {LOWEST:g} to {HIGHEST:g}: fit the resistors at both "
                "ends of the potentiometer, or move it on its bracket"
            )
        for other, before in self.done.items():
            if abs(reading - before["pot"]) < SMALLEST_STEP:
                raise Refused(f"{step.key} reads as {other} did ({reading:.4f}): is the seat in the next notch?")
        return reading

    def result(self) -> Result:
        told: list[str] = []
        values: dict[str, Any] = {}
        for sensor, part in (("pot", self._line), ("tof", self._range)):
            if self._has(sensor):
                found = part()
                told += found.told
                values |= found.values
        return Result(tuple(told), values)

    def _line(self) -> Result:
        """The potentiometer's."""
        notches = self.setup["notches_m"]
        readings = [self.done[step.key]["pot"] for step in self.steps]
        steps = [after - before for before, after in itertools.pairwise(readings)]
        if min(steps) < 0 < max(steps):
            raise Refused(
                "the readings rise and fall from notch to notch: the notches were visited out of order",
                begin_again=True,
            )
        offset, slope = line_through(notches, readings)
        off = [abs(r - offset - slope * p) for p, r in zip(notches, readings, strict=True)]
        worst_m, number = max(off) / abs(slope), 1 + off.index(max(off))
        if worst_m > self.setup["tolerance_m"] / 2:
            raise Refused(
                f"notch {number} lies {1000 * worst_m:.0f} mm off the line, allowed "
                f"{500 * self.setup['tolerance_m']:.0f}: measure the notches again (machine.seat_notches_m), or the "
                "potentiometer is not linear",
                begin_again=True,
            )
        first, last = offset + slope * notches[0], offset + slope * notches[-1]
        if abs(last - first) < SMALLEST_TRAVEL or not (LOWEST <= first <= HIGHEST and LOWEST <= last <= HIGHEST):
            raise Refused(
                f"the travel reads {first:.3f} to {last:.3f}; allowed 0.02-0.98, {SMALLEST_TRAVEL:g} apart",
                begin_again=True,
            )
        return Result(
            (
                f"Check: every notch within {1000 * worst_m:.1f} mm of a straight line.",
                f"Before: {self.setup['reading_at_first']:.4f} to {self.setup['reading_at_last']:.4f} of full scale",
                f"After:  {first:.4f} to {last:.4f}",
            ),
            {"reading_at_first": first, "reading_at_last": last},
        )

    def _range(self) -> Result:
        """The ranger's: both ends share what the travel is off by."""
        notches, tolerance_m = self.setup["notches_m"], self.setup["tolerance_m"]
        ends = [self.done[step.key]["tof"] for step in (self.steps[0], self.steps[-1])]
        sign = 1 if ends[1] > ends[0] else -1
        apart_m, seen_m = notches[-1] - notches[0], abs(ends[1] - ends[0])
        if abs(seen_m - apart_m) > 2 * tolerance_m:
            raise Refused(
                f"the ranger saw the seat move {seen_m:.3f} m, the notches are {apart_m:.3f} m apart (allowed "
                f"{1000 * 2 * tolerance_m:.0f} mm off): clear its way, let it look along the rail, or measure "
                "machine.seat_notches_m again",
                begin_again=True,
            )
        direction = "away" if sign > 0 else "towards"
        first_m = fmean(end - sign * notch for end, notch in zip(ends, (notches[0], notches[-1]), strict=True))
        first_m = min(max(first_m, 0.0), FARTHEST_M)
        now = {"tof_first_m": round(first_m, 4), "tof_direction": direction}
        return Result(
            (
                f"Check: the ranger saw {seen_m:.3f} m of travel, the notches are {apart_m:.3f} m apart.",
                f"Before: {_told_range(self.setup)}",
                f"After:  {_told_range(now)}",
            ),
            now,
        )

    @staticmethod
    def named(record: Mapping[str, Any] | None) -> str:
        if record is None:
            return "the defaults"
        found = []
        if record.get("reading_at_first") is not None:
            found.append(f"{record['reading_at_first']:.3f} to {record['reading_at_last']:.3f}")
        if record.get("tof_first_m") is not None:
            found.append(f"ranger {_told_range(record)}")
        return ", ".join(found)

    def _has(self, sensor: str) -> bool:
        return sensor in self.setup["sensors"]

    def _measures_range(self, step: Step) -> bool:
        return self._has("tof") and step.key in (self.steps[0].key, self.steps[-1].key)


def _believed_range(step: Step, measured: Mapping[str, Any]) -> float:
    if measured["valid"] < FEWEST_DISTANCES:
        raise Refused(
            f"no distance in {step.key}: the ranger is {measured['quality']}; clear its way, clean its window, give it "
            "a flat, light target"
        )
    if measured["spread"] > RANGE_STILL_M:
        raise Refused(f"the distance wanders by {1000 * measured['spread']:.0f} mm in {step.key}: let the seat rest")
    distance_m: float = measured["mean"]
    if not NEAREST_M <= distance_m <= FARTHEST_M:
        raise Refused(
            f"{step.key} is {distance_m:.3f} m away, allowed {NEAREST_M:g} to {FARTHEST_M:g}: move the ranger"
        )
    return round(distance_m, 5)


def _told_range(values: Mapping[str, Any]) -> str:
    way = "growing" if values["tof_direction"] == "away" else "shrinking"
    return f"{values['tof_first_m']:.3f} m at zero, {way}"
