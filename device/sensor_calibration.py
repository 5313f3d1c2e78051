"""Leads through the calibration of the load or the seat: one flow, for the command line and for the staff's page.

``ask`` puts a wish to the device process, which owns the pins, and gives its answer; it raises Refused with the reason
where the device refuses, and device.bus.BusError where it does not answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from device.calibration_guide import Part, Progress, Refused, Result, Step, Steps
from device.load_calibration import LoadSteps
from device.seat_calibration import SeatSteps

Ask = Callable[[dict[str, Any]], dict[str, Any]]
STEPS: Final[dict[Part, type[Steps]]] = {"load": LoadSteps, "seat": SeatSteps}


def undo(part: Part, ask: Ask) -> str:
    """Bring back the calibration before; returns it in a few words. Raises Refused."""
    return STEPS[part].named(ask({"part": part, "do": "undo"})["now"])


class SensorCalibration:
    """One calibration under way; takes up what was measured within the last hour, unless ``again``.

    Raises:
        Refused: there is nothing to calibrate, or the configuration file says what holds.
    """

    def __init__(
        self, part: Part, ask: Ask, state_dir: Path, *, again: bool = False, now: Callable[[], float] = time.time
    ) -> None:
        self.part, self._ask = part, ask
        shown = ask({"part": part, "do": "show"})
        for reason in (shown["unneeded"], shown["fixed"]):
            if reason is not None:
                raise Refused(reason)
        kind = STEPS[part]
        self._progress = Progress(state_dir, part, kind(shown["setup"], {}).made_for(), now)
        self.steps = kind(shown["setup"], self._progress.values)
        self.resumed = not again and self._progress.resume()
        """Whether something measured before was taken up: the keys of ``steps.done``."""
        if not self.resumed:
            self._progress.forget()

    @property
    def count(self) -> int:
        """Of all steps, the check at the end included."""
        return len(self.steps.steps) + 1

    def number(self, step: Step) -> int:
        return self.steps.steps.index(step) + 1

    def take(self, step: Step, kg: float | None, tell: Callable[[str], None]) -> None:
        """Measure a step that was done, the machine at rest for ``steps.settles_s + steps.span_s``; keep what it says.

        Raises Refused, after ``tell`` was told what was measured.
        """
        if step.asks_kg:
            self.steps.check_kg(step, float("nan") if kg is None else kg)
        measured = self._ask({"part": self.part, "do": "measure", "span_s": self.steps.span_s})
        described = self.steps.describe(step, measured)
        for line in described:
            tell(line)
        kept = self.steps.believed(step, measured, kg if step.asks_kg else None)
        self._progress.keep(**{step.key: kept | {"told": described}})

    def result(self) -> Result:
        """What all steps come to. Raises Refused; what contradicts itself is forgotten."""
        try:
            return self.steps.result()
        except Refused as refusal:
            if refusal.begin_again:
                self.begin_again()
            raise

    def accept(self, result: Result) -> None:
        """Put it in force. Raises Refused."""
        self._ask({"part": self.part, "do": "store", "values": result.values})
        self.begin_again()

    def begin_again(self) -> None:
        """Forget what was measured."""
        self._progress.forget()
