"""Calibrating the load: the empty machine, a known weight, and another that proves it; one cell, or one for each foot.

Two cells under one plate share every weight in a way that nobody knows. So a weight is put on the left, then one
on the right: each cell's counts per kilogram follow from both (two equations), whatever the share, as long as the two
places differ. The third weight, anywhere, proves them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from device.calibration_guide import Refused, Result, Step, Steps

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
"""The weight that proves differs from the others by at least this share of them."""
SHARES_APART: Final = 0.25
"""Of a weight on the left the left cell must carry so much more than of one on the right: below, what the two cells
have in common hides their difference, and their errors grow fourfold (ours)."""
LINEAR_WITHIN: Final = 0.02
"""The weight that proves must be read within 2 % (ours): load cells are linear to 0.03 %, so more is friction, a
sled that rests on its stops, or a wrong weight."""
COUNTS_LIMIT: Final = 1e6
SIDES: Final = ("left", "right")

_EMPTY: Final = Step("empty", "Empty the machine: no plates, nobody on it, the carriage where it rests.")
ONE_CELL: Final = (
    _EMPTY,
    Step(
        "first",
        "Load the machine with a known weight, half of what it takes or more; its mass counts, without the sled.",
        asks_kg=True,
    ),
    Step(
        "second",
        "Now another known weight, at least a quarter more or less; its mass counts, without the sled.",
        asks_kg=True,
    ),
)
TWO_CELLS: Final = (
    _EMPTY,
    Step(
        "left",
        "Put a known weight on the lifter's left side only, as far out as it goes (the left peg, or the left half of "
        "the plate); its mass counts, without the sled.",
        asks_kg=True,
    ),
    Step(
        "right",
        "Take it off the left side. Put a known weight on the right side only, as far out as it goes.",
        asks_kg=True,
    ),
    Step(
        "both",
        "Now another known weight on both sides or in the middle, at least a quarter more or less than each before.",
        asks_kg=True,
    ),
)


def describe_cell(measured: Mapping[str, Any]) -> list[str]:
    """Rate, noise, unique values and saturation, as Klipper's load cell diagnostic reports them."""
    valid = f"{measured['valid']} of {measured['samples']}"
    lines = [f"Readings: {valid} valid, {measured['rate_hz']:.1f} a second (expected {measured['expected_hz']})"]
    if measured["valid"]:
        lines.append(
            f"Mean {measured['mean']:.0f} counts, noise {measured['sd']:.0f} (sd), from {measured['low']} to "
            f"{measured['high']}, {measured['unique']} unique values"
        )
    lines.append(f"Saturated: {measured['saturated']}")
    return lines


def refuse_bad(measured: Mapping[str, Any]) -> None:
    """Raises Refused for readings of a cell that no calibration can be built on."""
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


class LoadSteps(Steps):
    """``setup``: cells (each with counts_per_kg and tare_counts in force), location, rail_deg.

    A measurement is ``{"cells": [...]}``, the left foot's first; what is kept is each cell's mean and sd, and kg.
    """

    span_s = 3.0
    settles_s = 1.0

    @property
    def steps(self) -> tuple[Step, ...]:
        return ONE_CELL if len(self.setup["cells"]) == 1 else TWO_CELLS

    def made_for(self) -> dict[str, Any]:
        return {"cells": len(self.setup["cells"]), "location": self.setup["location"]}

    def check_kg(self, step: Step, kg: float) -> None:
        if not LIGHTEST_KG <= kg <= HEAVIEST_KG:  # NaN too
            raise Refused(f"{kg:g} kg: needs a number from {LIGHTEST_KG:g} to {HEAVIEST_KG:g} kg")
        if step is not self.steps[-1]:
            return
        for other in self._weights()[:-1]:
            other_kg = self.done[other.key]["kg"]
            if abs(kg - other_kg) < APART * other_kg:
                raise Refused(f"{kg:g} kg is too near to {other_kg:g} kg: take one that differs by a quarter")

    def describe(self, step: Step, measured: Mapping[str, Any]) -> list[str]:
        cells = measured["cells"]
        if len(cells) == 1:
            return describe_cell(cells[0])
        return [f"{side.capitalize()}: {line}" for side, cell in zip(SIDES, cells, strict=True)
                for line in describe_cell(cell)]  # fmt: skip

    def believed(self, step: Step, measured: Mapping[str, Any], kg: float | None) -> dict[str, Any]:
        cells = measured["cells"]
        for side, cell in zip(SIDES, cells, strict=False):
            try:
                refuse_bad(cell)
            except Refused as refusal:
                raise Refused(f"the {side} cell: {refusal}" if len(cells) == 2 else str(refusal)) from None
        if step.asks_kg:
            self._refuse_unmoved(step, cells)
        kept = {"cells": [{"mean": cell["mean"], "sd": cell["sd"]} for cell in cells]}
        return kept | ({} if kg is None else {"kg": kg})

    def _refuse_unmoved(self, step: Step, cells: list[dict[str, Any]]) -> None:
        concerned = [SIDES.index(step.key)] if step.key in SIDES else range(len(cells))
        for i in concerned:
            empty = self.done["empty"]["cells"][i]
            moved = abs(cells[i]["mean"] - empty["mean"])
            noise = max(cells[i]["sd"], empty["sd"], 1.0)
            if moved < CLEAR_OF_NOISE * noise:
                what = "the reading" if len(cells) == 1 else f"the {SIDES[i]} cell's reading"
                raise Refused(
                    f"{what} moved by {moved:.0f} counts only, with noise of {noise:.0f}: does the weight hang "
                    "on the cell, and is the carriage off its stops?"
                )

    def result(self) -> Result:
        counts_per_kg = self._counts_per_kg()
        proof = self.done[self.steps[-1].key]
        read_kg = sum(moved / each for moved, each in zip(self._moved(self.steps[-1]), counts_per_kg, strict=True))
        read_kg /= self._share()
        error = read_kg / proof["kg"] - 1.0
        if abs(error) > LINEAR_WITHIN:
            which = "second weight" if len(counts_per_kg) == 1 else "weight on both sides"
            raise Refused(
                f"the {which} is off by {100 * error:+.1f} %, allowed {100 * LINEAR_WITHIN:g} %: one of the "
                "weights is not what was entered, something rubs, or the carriage touched its stops; begin again",
                begin_again=True,
            )
        empty = [cell["mean"] for cell in self.done["empty"]["cells"]]
        now = [
            {"counts_per_kg": each, "tare_counts": round(zero)} for each, zero in zip(counts_per_kg, empty, strict=True)
        ]
        told = [
            f"Check: {proof['kg']:g} kg read as {read_kg:.2f} kg ({100 * error:+.1f} %).",
            f"Before: {_told(self.setup['cells'])}",
            f"After:  {_told(now)}; noise {self._noise_kg(counts_per_kg):.2f} kg",
        ]
        if min(counts_per_kg) < 0:
            told.append("(negative: the cell's white and green wires are swapped, which does no harm)")
        values: dict[str, Any] = dict(now[0])
        if len(now) == 2:
            values |= {f"{key}_right": value for key, value in now[1].items()}
        return Result(tuple(told), values)

    @staticmethod
    def named(record: Mapping[str, Any] | None) -> str:
        if record is None:
            return "not calibrated"
        if record.get("counts_per_kg_right") is None:
            return f"{record['counts_per_kg']:.1f} counts per kg"
        return f"{record['counts_per_kg']:.1f} (left) and {record['counts_per_kg_right']:.1f} (right) counts per kg"

    def _weights(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.asks_kg)

    def _share(self) -> float:
        """Of a mass's weight that the cells feel: all of it at the stack, what acts along the rails under the plate."""
        return math.sin(math.radians(self.setup["rail_deg"])) if self.setup["location"] == "plate" else 1.0

    def _moved(self, step: Step) -> list[float]:
        """Counts that a step's weight has moved each cell by."""
        cells, empty = self.done[step.key]["cells"], self.done["empty"]["cells"]
        return [cell["mean"] - zero["mean"] for cell, zero in zip(cells, empty, strict=True)]

    def _counts_per_kg(self) -> list[float]:
        """Of each cell. Raises Refused."""
        first = self._weights()[0]
        if len(self.setup["cells"]) == 1:
            found = [self._moved(first)[0] / (self.done[first.key]["kg"] * self._share())]
        else:
            found = self._of_both()
        for each in found:
            if not abs(each) <= COUNTS_LIMIT:
                raise Refused(
                    f"{each:.0f} counts per kg cannot be: check the weight that was entered", begin_again=True
                )
        return found

    def _of_both(self) -> list[float]:
        """Solves ``left / a + right / b = kgf`` for the weight on the left and for that on the right."""
        (left_1, right_1), (left_2, right_2) = (self._moved(step) for step in TWO_CELLS[1:3])
        kgf_1, kgf_2 = (self.done[step.key]["kg"] * self._share() for step in TWO_CELLS[1:3])
        determinant = left_1 * right_2 - left_2 * right_1
        over_a = (kgf_1 * right_2 - kgf_2 * right_1) / determinant if determinant else 0.0
        over_b = (left_1 * kgf_2 - left_2 * kgf_1) / determinant if determinant else 0.0
        apart = left_1 * over_a / kgf_1 - left_2 * over_a / kgf_2
        if apart < -SHARES_APART:
            raise Refused(
                "the weight on the left rests on the right cell: swap the two cells' plugs, or the pins of left and "
                "right in the configuration; begin again",
                begin_again=True,
            )
        if apart < SHARES_APART or over_a == 0 or over_b == 0:
            raise Refused(
                f"left and right load the two cells alike (the left cell's share differs by {100 * apart:.0f} %, "
                f"needed {100 * SHARES_APART:g}): put the weights farther out; begin again",
                begin_again=True,
            )
        return [1.0 / over_a, 1.0 / over_b]

    def _noise_kg(self, counts_per_kg: list[float]) -> float:
        worst = [max(self.done[step.key]["cells"][i]["sd"] for step in self.steps) for i in range(len(counts_per_kg))]
        return math.hypot(*(sd / each for sd, each in zip(worst, counts_per_kg, strict=True))) / self._share()


def _told(cells: list[dict[str, Any]]) -> str:
    if any(cell["counts_per_kg"] is None for cell in cells):
        return "not calibrated"
    each = [f"{cell['counts_per_kg']:.1f} counts per kg, zero at {cell['tare_counts']}" for cell in cells]
    return each[0] if len(each) == 1 else f"left {each[0]}; right {each[1]}"
