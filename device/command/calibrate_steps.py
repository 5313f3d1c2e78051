"""What the guided calibrations share: the talk with the installer, the questions to the services, the memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, TextIO

from device.bus import BusError, send_command
from device.config import Config
from device.errors import RunError, UserError
from device.messages import Command

RESUME_WITHIN_S: Final = 3600.0
"""What was measured an hour ago says nothing about now: temperature, and who has been at the machine (ours)."""


class Refused(RunError):
    """A measurement that cannot be right; the text says why and what to do. Nothing was changed."""


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

    def step(self, number: int, of: int, what: str) -> None:
        """Tell what to do, and wait until it is done."""
        self.ask(f"\nStep {number} of {of}. {what}\n  Then press Enter.")

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
    return _asked(config, "command", Command("calibrate", json.dumps(wish)))


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
    if not reply.ok:
        raise Refused(reply.error or f"the {command.name} command was refused, without a reason")
    answer = json.loads(reply.data or "{}")
    if not isinstance(answer, dict):
        raise Refused("the answer is not understood: are all services of one version?")
    return answer


class Progress:
    """What a calibration has measured so far, so that it can go on after an interruption."""

    def __init__(self, config: Config, part: str, now: Callable[[], float] = time.time) -> None:
        self._path: Path = config.paths.state_dir / f"calibrate-{part}.json"
        self._now = now
        self.values: dict[str, Any] = {}

    def resume(self) -> bool:
        """Take up what is there; False where nothing is, or it is too old."""
        try:
            found = json.loads(self._path.read_text("utf-8"))
            if self._now() - float(found["at_s"]) > RESUME_WITHIN_S:
                return False
            self.values = dict(found["values"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return bool(self.values)

    def keep(self, **values: Any) -> None:
        self.values.update(values)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps({"at_s": self._now(), "values": self.values}), "utf-8")
        except OSError as error:
            raise UserError(f"{self._path} cannot be written: {error.strerror}; run as the user of legpress") from error

    def forget(self) -> None:
        self.values = {}
        self._path.unlink(missing_ok=True)
