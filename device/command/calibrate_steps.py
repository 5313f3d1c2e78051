"""What the guided calibrations share on the command line: the talk with the installer, questions to the services."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Literal, TextIO

from device.bus import BusError, send_command
from device.calibration_guide import answer_of
from device.config import Config
from device.messages import Command


class Dialogue:
    """Asks and tells. ``line`` gives what the installer types; ``sleep`` passes the time of a measurement."""

    def __init__(
        self,
        line: Callable[[], str],
        out: TextIO,
        assume_yes: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._line, self._out, self._yes, self.sleep = line, out, assume_yes, sleep

    def say(self, text: str = "") -> None:
        print(text, file=self._out, flush=True)

    def ask(self, question: str) -> str:
        self.say(question)
        return self._line()

    def number(self, question: str, low: float, high: float, unit: str) -> float:
        """Asked again until it is a number from ``low`` to ``high``."""
        while True:
            text = self.ask(question).lower().removesuffix(unit).strip().replace(",", ".")
            try:
                value = float(text)
            except ValueError:
                value = float("nan")
            if low <= value <= high:
                return value
            self.say(f"  {text or 'nothing'!r}: needs a number from {low:g} to {high:g} {unit}")

    def agreed(self, question: str) -> bool:
        """True on yes; anything else is no."""
        if self._yes:
            self.say(f"{question} [y/N] yes (--yes)")
            return True
        return self.ask(f"{question} [y/N]").lower() in ("y", "yes")


def ask_device(config: Config, wish: dict[str, Any]) -> dict[str, Any]:
    """The device process's answer to a ``calibrate`` command.

    Raises:
        BusError: it is not running: it owns the pins, so calibrating without it is not possible.
        Refused: it refuses, with its reason.
    """
    shows = wish.get("do") == "show"
    return _asked(config, "command", Command("calibrate", json.dumps(wish), target="show" if shows else None))


def look(config: Config, value: str) -> dict[str, Any]:
    """The vision process's answer to a ``look`` command. Raises BusError or Refused."""
    return _asked(config, "camera", Command("look", value))


def _asked(config: Config, channel: Literal["command", "camera"], command: Command) -> dict[str, Any]:
    try:
        reply = send_command(config.paths.runtime_dir, command, 4.0, channel)
    except BusError as error:
        who = "device" if channel == "command" else "vision"
        raise BusError(
            f"the {who} process does not answer, and only it can measure: start it "
            f"('sudo systemctl start legpress-{who}', or 'legpress run {who}'), then calibrate again"
        ) from error
    return answer_of(reply, command.name)
