"""``legpress calibrate load`` and ``seat``: the guided calibration of ``device.sensor_calibration``, as a dialogue."""

from __future__ import annotations

from typing import Any, Final

from device.calibration_guide import Part, Step
from device.command.calibrate_steps import Dialogue, ask_device
from device.config import Config
from device.load_calibration import HEAVIEST_KG, LIGHTEST_KG
from device.sensor_calibration import SensorCalibration, undo

HOW_MANY_KG: Final = "  How many kg are on it now? (Enter when it is at rest)"


class SensorGuide:
    """Make it with the configuration as the file gives it."""

    def __init__(self, config: Config, dialogue: Dialogue, part: Part) -> None:
        self._config, self._talk, self._part = config, dialogue, part

    def _ask(self, wish: dict[str, Any]) -> dict[str, Any]:
        return ask_device(self._config, wish)

    def run(self, *, back: bool, again: bool) -> int:
        """Lead through the steps, or bring ``back`` the calibration before. Raises Refused, BusError or UserError."""
        if back:
            self._talk.say(f"The {self._part} is back at the calibration before: {undo(self._part, self._ask)}.")
            return 0
        calibration = SensorCalibration(self._part, self._ask, self._config.paths.state_dir, again=again)
        if calibration.resumed:
            done = ", ".join(calibration.steps.done)
            self._talk.say(f"Going on where it was left ({done} measured; --again: anew).")
        while (step := calibration.steps.next_step()) is not None:
            self._do(calibration, step)
        return self._finish(calibration)

    def _do(self, calibration: SensorCalibration, step: Step) -> None:
        heading = f"\nStep {calibration.number(step)} of {calibration.count}. {step.what}"
        kg: float | None = None
        if step.asks_kg:
            self._talk.say(heading)
            kg = self._talk.number(HOW_MANY_KG, LIGHTEST_KG, HEAVIEST_KG, "kg")
            calibration.steps.check_kg(step, kg)
        else:
            self._talk.ask(f"{heading}\n  Then press Enter.")
        self._talk.say(f"  Measuring for {calibration.steps.span_s:g} s ...")
        self._talk.sleep(calibration.steps.settles_s + calibration.steps.span_s)
        calibration.take(step, kg, lambda line: self._talk.say(f"  {line}"))

    def _finish(self, calibration: SensorCalibration) -> int:
        result = calibration.result()
        self._talk.say(f"\nStep {calibration.count} of {calibration.count}. {result.told[0]}")
        for line in result.told[1:]:
            self._talk.say(f"  {line}")
        if not self._talk.agreed("Use it?"):
            self._talk.say("Nothing was changed. What was measured is kept for an hour.")
            return 1
        calibration.accept(result)
        self._talk.say(f"In use now. 'legpress calibrate {self._part} --undo' brings back the calibration before.")
        return 0
