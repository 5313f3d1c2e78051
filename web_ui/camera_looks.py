"""Asks the vision process, on behalf of the staff's pages, without one page's wait becoming every page's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from device.bus import BusError
from device.calibration_guide import answer_of
from device.messages import Command, CommandReply
from web_ui.problems import ProblemError

AT_ONCE: Final = 2
"""Requests that may wait for the vision process at one time: of the pages' threads (web.threads, 4 at least) the others
stay free."""


def no_cameras(_command: Command) -> CommandReply:
    """For an application that no bus belongs to."""
    raise BusError("the vision process does not answer; is 'legpress run vision' running?")


class CameraLooks:
    """``send`` puts a ``look`` to the vision process; it raises device.bus.BusError when no answer comes in time."""

    def __init__(self, send: Callable[[Command], CommandReply] = no_cameras) -> None:
        self._send = send
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def ask(self, value: str) -> dict[str, Any]:
        """The answer's figures.

        Raises:
            ProblemError: too many ask already (503).
            Refused: with the vision process's reason.
            BusError: it does not answer.
        """
        if not self._free.acquire(blocking=False):
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "the cameras are busy with another page", {"Retry-After": "1"}
            )
        try:
            return answer_of(self._send(Command("look", value)), "look")
        finally:
            self._free.release()
