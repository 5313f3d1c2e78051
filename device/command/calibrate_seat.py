"""``legpress calibrate seat``: the seat in each notch, one after another, and a straight line through the readings."""

from __future__ import annotations

import datetime
import itertools
from statistics import fmean
from typing import Any, Final

from device.command.calibrate_steps import Dialogue, Progress, Refused, ask_device
from device.config import Config

SPAN_S: Final = 1.0
STILL: Final = 0.01
"""Spread of the readings (share of full scale) while the seat rests: ten steps of the converter (ours)."""
SMALLEST_STEP: Final = 0.01
"""Of full scale between two notches: less is one notch visited twice, or a pot that does not turn (ours)."""
SMALLEST_TRAVEL: Final = 0.2
LOWEST, HIGHEST = 0.02, 0.98
"""Beyond lies what a broken or shorted wire reads."""


def line_through(places_m: list[float], readings: list[float]) -> tuple[float, float]:
    """Least squares ``reading = a + b * place``: (a, b)."""
    mean_place, mean_reading = fmean(places_m), fmean(readings)
    over = sum((p - mean_place) ** 2 for p in places_m)
    slope = sum((p - mean_place) * (r - mean_reading) for p, r in zip(places_m, readings, strict=True)) / over
    return mean_reading - slope * mean_place, slope


class SeatGuide:
    """Visits every notch of ``machine.seat_notches_m``."""

    def __init__(self, config: Config, dialogue: Dialogue) -> None:
        self._config, self._talk = config, dialogue
        self._progress = Progress(config, "seat")

    def run(self, *, undo: bool, again: bool) -> int:
        if undo:
            now = ask_device(self._config, {"part": "seat", "do": "undo"})["now"]
            told = "the defaults" if now is None else f"{now['reading_at_first']:.3f} to {now['reading_at_last']:.3f}"
            self._talk.say(f"The seat is back at the calibration before: {told}.")
            return 0
        now = ask_device(self._config, {"part": "seat", "do": "measure", "span_s": 0.5})
        notches: list[float] = now["notches_m"]
        if len(notches) < 2:
            raise Refused("machine.seat_notches_m names one notch only: there is nothing to calibrate")
        if not again and self._progress.resume():
            self._talk.say(f"Going on where it was left ({len(self._progress.values)} notches read; --again: anew).")
        else:
            self._progress.forget()
        readings = [self._visit(number, len(notches)) for number in range(1, len(notches) + 1)]
        return self._finish(now, readings)

    def _visit(self, number: int, of: int) -> float:
        key = f"notch {number}"
        if key not in self._progress.values:
            self._talk.step(number, of + 1, f"Put the seat into notch {number} of {of}, until its pin falls in.")
            self._talk.sleep(SPAN_S + 0.5)
            measured = ask_device(self._config, {"part": "seat", "do": "measure", "span_s": SPAN_S})
            self._progress.keep(**{key: self._believed(number, measured)})
        found: float = self._progress.values[key]
        self._talk.say(f"  Notch {number} reads {found:.4f} of full scale")
        return found

    def _believed(self, number: int, measured: dict[str, Any]) -> float:
        if not measured["valid"]:
            raise Refused(f"no reading in notch {number}: the seat sensor is {measured['quality']}; check its wires")
        if measured["spread"] > STILL:
            raise Refused(f"the reading wanders by {measured['spread']:.3f} in notch {number}: let it rest")
        reading: float = measured["reading"]
        if not LOWEST <= reading <= HIGHEST:
            raise Refused(
                f"notch {number} reads {reading:.3f}, allowed {LOWEST:g} to {HIGHEST:g}: fit the resistors at both "
                "ends of the potentiometer, or move it on its bracket"
            )
        for other, before in self._progress.values.items():
            if abs(reading - before) < SMALLEST_STEP:
                raise Refused(f"notch {number} reads as {other} did ({reading:.4f}): is the seat in the next notch?")
        return reading

    def _finish(self, now: dict[str, Any], readings: list[float]) -> int:
        notches: list[float] = now["notches_m"]
        steps = [after - before for before, after in itertools.pairwise(readings)]
        if min(steps) < 0 < max(steps):
            self._progress.forget()
            raise Refused("the readings rise and fall from notch to notch: the notches were visited out of order")
        offset, slope = line_through(notches, readings)
        worst = max(abs(r - offset - slope * p) / abs(slope) for p, r in zip(notches, readings, strict=True))
        number = 1 + max(range(len(notches)), key=lambda i: abs(readings[i] - offset - slope * notches[i]))
        first, last = offset + slope * notches[0], offset + slope * notches[-1]
        of = len(notches) + 1
        self._talk.say(f"\nStep {of} of {of}. Check: every notch within {1000 * worst:.1f} mm of a straight line.")
        if worst > now["tolerance_m"] / 2:
            self._progress.forget()
            raise Refused(
                f"notch {number} lies {1000 * worst:.0f} mm off the line, allowed {500 * now['tolerance_m']:.0f}: "
                "measure the notches again (machine.seat_notches_m), or the potentiometer is not linear"
            )
        if abs(last - first) < SMALLEST_TRAVEL or not (LOWEST <= first <= HIGHEST and LOWEST <= last <= HIGHEST):
            self._progress.forget()
            raise Refused(f"the travel reads {first:.3f} to {last:.3f}; allowed 0.02-0.98, {SMALLEST_TRAVEL:g} apart")
        self._talk.say(f"  Before: {now['reading_at_first']:.4f} to {now['reading_at_last']:.4f} of full scale")
        self._talk.say(f"  After:  {first:.4f} to {last:.4f}")
        if not self._talk.agreed("Use it?"):
            self._talk.say("Nothing was changed. What was measured is kept for an hour.")
            return 1
        values = {
            "reading_at_first": first,
            "reading_at_last": last,
            "made_utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        ask_device(self._config, {"part": "seat", "do": "store", "values": values})
        self._progress.forget()
        self._talk.say("In use now. 'legpress calibrate seat --undo' brings back the calibration before.")
        return 0
