"""``legpress calibrate load``: the empty machine, a known weight, and a second one that proves the first."""

from __future__ import annotations

import datetime
import math
from typing import Any, Final

from device.command.calibrate_steps import Dialogue, Progress, Refused, ask_device
from device.config import Config

STEPS: Final = 4
SPAN_S: Final = 3.0
SETTLES_S: Final = 1.0
QUIET_COUNTS: Final = 2000.0
"""Noise (sd) above which something moves or a wire is loose: 0.25 kg on a 500 kg cell (ours)."""
SLOW_RATE: Final = 0.55
"""Share of the expected rate below which the board is strapped for another rate (half at most) or a wire is loose; in
between the computer is busy, which does the mean no harm (ours)."""
FEWEST_UNIQUE: Final = 3
"""A live converter's last bits never stand still; a value that repeats is a stuck line."""
CLEAR_OF_NOISE: Final = 50.0
"""The weight must move the reading by so many times the noise: then it is known to 2 % even from one reading (ours)."""
LIGHTEST_KG, HEAVIEST_KG = 5.0, 1000.0
APART: Final = 0.25
"""The second weight differs from the first by at least this share of it."""
LINEAR_WITHIN: Final = 0.02
"""The second weight must be read within 2 % (ours): load cells are linear to 0.03 %, so more is friction, a
sled that rests on its stops, or a wrong weight."""
COUNTS_LIMIT: Final = 1e6


def describe(measured: dict[str, Any]) -> list[str]:
    """Rate, noise, unique values and saturation, as Klipper's load cell diagnostic reports them."""
    valid = f"{measured['valid']} of {measured['samples']}"
    lines = [f"  Readings: {valid} valid, {measured['rate_hz']:.1f} a second (expected {measured['expected_hz']})"]
    if measured["valid"]:
        lines.append(
            f"  Mean {measured['mean']:.0f} counts, noise {measured['sd']:.0f} (sd), from {measured['low']} to "
            f"{measured['high']}, {measured['unique']} unique values"
        )
    lines.append(f"  Saturated: {measured['saturated']}")
    return lines


def refuse_bad(measured: dict[str, Any]) -> None:
    """Raises Refused for readings that no calibration can be built on."""
    if measured["saturated"]:
        raise Refused("the converter is saturated: the cell is overloaded, or one of its four wires is off")
    if measured["valid"] < 5:
        raise Refused(f"no valid readings (the cell is {measured['quality']}): run 'legpress doctor'")
    if measured["rate_hz"] < SLOW_RATE * measured["expected_hz"]:
        raise Refused(
            f"{measured['rate_hz']:.1f} readings a second, expected {measured['expected_hz']}: set "
            "load.samples_per_s to what the board is strapped for (RATE pin), or look for a loose wire"
        )
    if measured["unique"] < FEWEST_UNIQUE:
        raise Refused(f"only {measured['unique']} different values: the line is stuck; check DATA and CLOCK")
    if measured["sd"] > QUIET_COUNTS:
        raise Refused(f"the readings scatter by {measured['sd']:.0f} counts: let the machine come to rest")


class LoadGuide:
    """The four steps. Make it with the configuration as the file gives it."""

    def __init__(self, config: Config, dialogue: Dialogue) -> None:
        self._config, self._talk = config, dialogue
        self._progress = Progress(config, "load")

    def run(self, *, undo: bool, again: bool) -> int:
        if undo:
            now = ask_device(self._config, {"part": "load", "do": "undo"})["now"]
            told = "not calibrated" if now is None else f"{now['counts_per_kg']:.1f} counts per kg"
            self._talk.say(f"The load is back at the calibration before: {told}.")
            return 0
        ask_device(self._config, {"part": "load", "do": "measure", "span_s": 0.2})  # is anybody there
        resumed = not again and self._progress.resume()
        if resumed:
            self._talk.say(f"Going on where it was left ({', '.join(self._progress.values)} measured; --again: anew).")
        else:
            self._progress.forget()
        tare = self._tare()
        first = self._weight(2, "first", "Load the machine with a known weight, half of what it takes or more", tare)
        second = self._weight(3, "second", "Now another known weight, at least a quarter more or less", tare)
        return self._finish(tare, first, second)

    def _measure(self) -> dict[str, Any]:
        self._talk.say(f"  Measuring for {SPAN_S:g} s ...")
        self._talk.sleep(SETTLES_S + SPAN_S)
        measured = ask_device(self._config, {"part": "load", "do": "measure", "span_s": SPAN_S})
        for line in describe(measured):
            self._talk.say(line)
        refuse_bad(measured)
        return measured

    def _tare(self) -> dict[str, Any]:
        if "empty" not in self._progress.values:
            self._talk.step(1, STEPS, "Empty the machine: no plates, nobody on it, the carriage where it rests.")
            self._progress.keep(empty=self._measure())
        found: dict[str, Any] = self._progress.values["empty"]
        return found

    def _weight(self, number: int, name: str, what: str, tare: dict[str, Any]) -> dict[str, Any]:
        if name in self._progress.values:
            known: dict[str, Any] = self._progress.values[name]
            return known
        self._talk.say(f"\nStep {number} of {STEPS}. {what}; its mass counts, without the sled.")
        question = "  How many kg are on it now? (Enter when it is at rest)"
        kg = self._talk.number(question, LIGHTEST_KG, HEAVIEST_KG, "kg")
        if name == "second":
            first_kg = self._progress.values["first"]["kg"]
            if abs(kg - first_kg) < APART * first_kg:
                raise Refused(f"{kg:g} kg is too near to {first_kg:g} kg: take one that differs by a quarter")
        measured = self._measure() | {"kg": kg}
        moved = abs(measured["mean"] - tare["mean"])
        noise = max(measured["sd"], tare["sd"], 1.0)
        if moved < CLEAR_OF_NOISE * noise:
            raise Refused(
                f"the reading moved by {moved:.0f} counts only, with noise of {noise:.0f}: does the weight hang "
                "on the cell, and is the carriage off its stops?"
            )
        self._progress.keep(**{name: measured})
        return measured

    def _finish(self, tare: dict[str, Any], first: dict[str, Any], second: dict[str, Any]) -> int:
        share = math.sin(math.radians(first["rail_deg"])) if first["location"] == "plate" else 1.0
        counts_per_kg = (first["mean"] - tare["mean"]) / (first["kg"] * share)
        if abs(counts_per_kg) > COUNTS_LIMIT:
            raise Refused(f"{counts_per_kg:.0f} counts per kg cannot be: check the weight that was entered")
        read_kg = (second["mean"] - tare["mean"]) / (counts_per_kg * share)
        error = read_kg / second["kg"] - 1.0
        told = f"{second['kg']:g} kg read as {read_kg:.2f} kg ({100 * error:+.1f} %)"
        self._talk.say(f"\nStep 4 of {STEPS}. Check: {told}.")
        if abs(error) > LINEAR_WITHIN:
            self._progress.forget()
            raise Refused(
                f"the second weight is off by {100 * error:+.1f} %, allowed {100 * LINEAR_WITHIN:g} %: one of the "
                "weights is not what was entered, something rubs, or the carriage touched its stops; begin again"
            )
        noise_kg = max(tare["sd"], first["sd"], second["sd"]) / abs(counts_per_kg * share)
        before = first["counts_per_kg"]
        was = "not calibrated" if before is None else f"{before:.1f} counts per kg, zero at {first['tare_counts']}"
        self._talk.say(f"  Before: {was}")
        zero = f"zero at {tare['mean']:.0f}"
        self._talk.say(f"  After:  {counts_per_kg:.1f} counts per kg, {zero}; noise {noise_kg:.2f} kg")
        if counts_per_kg < 0:
            self._talk.say("  (negative: the cell's white and green wires are swapped, which does no harm)")
        if not self._talk.agreed("Use it?"):
            self._talk.say("Nothing was changed. What was measured is kept for an hour.")
            return 1
        values = {
            "counts_per_kg": counts_per_kg,
            "tare_counts": round(tare["mean"]),
            "made_utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        ask_device(self._config, {"part": "load", "do": "store", "values": values})
        self._progress.forget()
        self._talk.say("In use now. 'legpress calibrate load --undo' brings back the calibration before.")
        return 0
