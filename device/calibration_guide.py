"""What the guided calibrations share, on the command line and on the staff's pages: steps, refusals, and the memory.

A calibration is some steps, each a thing to do and a measurement, and then a result that is taken or not. What
is asked, what is believed and what is refused is the part's own (``load_calibration``, ``seat_calibration``);
``sensor_calibration`` leads through it.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from device.errors import RunError, UserError
from device.messages import CommandReply

Part = Literal["load", "seat"]

RESUME_WITHIN_S: Final = 3600.0
"""What was measured an hour ago says nothing about now: temperature, and who has been at the machine (ours)."""


class Refused(RunError):
    """A measurement that cannot be right; the text says why and what to do. Nothing was changed.

    ``begin_again``: the steps contradict each other, so that none of them can be kept.
    """

    def __init__(self, text: str, *, begin_again: bool = False) -> None:
        super().__init__(text)
        self.begin_again = begin_again


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, then one measurement. ``what`` tells an installer, in full sentences."""

    key: str
    """Under which the measurement is kept, and how a person calls it."""
    what: str
    asks_kg: bool = False
    """Whether a known weight belongs to it, whose mass is asked for."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the steps come to. ``told``: check, before, after, a sentence each; ``values``: for the store."""

    told: tuple[str, ...]
    values: dict[str, Any]


class Steps(ABC):
    """The steps of one part. ``setup`` is what the device says of it, ``done`` what was measured, by step."""

    span_s: ClassVar[float]
    """How long is measured."""
    settles_s: ClassVar[float]
    """How long the machine is left alone before."""

    def __init__(self, setup: Mapping[str, Any], done: Mapping[str, Any]) -> None:
        self.setup, self.done = setup, done

    @property
    @abstractmethod
    def steps(self) -> tuple[Step, ...]:
        """All of them, in order."""

    @abstractmethod
    def made_for(self) -> dict[str, Any]:
        """What the measurements hold for: with another set-up they are worth nothing."""

    def next_step(self) -> Step | None:
        """The first that is not done; None when all are."""
        return next((step for step in self.steps if step.key not in self.done), None)

    @abstractmethod
    def check_kg(self, step: Step, kg: float) -> None:
        """Raises Refused for a weight that cannot serve."""

    @abstractmethod
    def describe(self, step: Step, measured: Mapping[str, Any]) -> list[str]:
        """The measurement in words, good or bad."""

    @abstractmethod
    def believed(self, step: Step, measured: Mapping[str, Any], kg: float | None) -> dict[str, Any]:
        """What is kept of a measurement. Raises Refused."""

    @abstractmethod
    def result(self) -> Result:
        """Once all steps are done. Raises Refused."""

    @staticmethod
    @abstractmethod
    def named(record: Mapping[str, Any] | None) -> str:
        """A stored calibration in a few words; None: none is stored."""


def answer_of(reply: CommandReply, asked: str) -> dict[str, Any]:
    """The figures in a service's reply. Raises Refused with its reason where it refused."""
    if not reply.ok:
        raise Refused(reply.error or f"the {asked} command was refused, without a reason")
    try:
        answer = json.loads(reply.data or "{}")
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Refused("the answer is not understood: are all services of one version?")
    return answer


class Progress:
    """What a calibration has measured so far, so that it can go on after an interruption, here or elsewhere.

    One file a part in the state folder: what was begun on the page goes on on the command line, and back.
    """

    def __init__(
        self, state_dir: Path, part: str, made_for: Mapping[str, Any], now: Callable[[], float] = time.time
    ) -> None:
        self._path = state_dir / f"calibrate-{part}.json"
        self._made_for, self._now = dict(made_for), now
        self.values: dict[str, Any] = {}

    def resume(self) -> bool:
        """Take up what is there; False where nothing is, it is too old, or the machine was wired otherwise."""
        try:
            found = json.loads(self._path.read_text("utf-8"))
            if not 0.0 <= self._now() - float(found["at_s"]) <= RESUME_WITHIN_S or found["for"] != self._made_for:
                return False
            self.values.update(found["values"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return bool(self.values)

    def keep(self, **values: Any) -> None:
        """Whole or not at all. Raises UserError where the folder cannot be written."""
        self.values.update(values)
        beside: str | None = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, beside = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), 0o660)  # the page's user and the command line's are two, of one group
                json.dump({"at_s": self._now(), "for": self._made_for, "values": self.values}, file)
            os.replace(beside, self._path)
        except OSError as error:
            if beside is not None:
                with contextlib.suppress(OSError):
                    os.unlink(beside)
            raise UserError(f"{self._path} cannot be written: {error.strerror}; run as the user of legpress") from error

    def forget(self) -> None:
        """Raises UserError where the file cannot be removed."""
        self.values.clear()
        try:
            self._path.unlink(missing_ok=True)
        except NotADirectoryError:
            return  # a file in the folder's place is told by who writes there
        except OSError as error:
            raise UserError(f"{self._path} cannot be removed: {error.strerror}; run as the user of legpress") from error
