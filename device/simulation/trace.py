"""A log of the output pins' edges: what a logic analyser would show, for tests and measurements."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from device.config import Pins
from device.errors import UserError
from device.pins import MockBoard


class PinTrace:
    """Writes one JSON line per edge: ``{"t_s": monotonic, "pin": "buzzer", "high": true}``.

    Raises:
        UserError: the file cannot be written.
    """

    def __init__(self, path: Path, board: MockBoard, pins: Pins, clock: Callable[[], float] = time.monotonic) -> None:
        try:
            # line buffered: an edge is in the file before the process can die
            self._file: TextIO = path.open("a", buffering=1, encoding="ascii")
        except OSError as error:
            raise UserError(f"simulation.pin_trace: {path} cannot be written: {error.strerror}") from error
        self._clock = clock
        for name in ("buzzer", "light_red", "light_green", "light_blue"):
            board.watch(getattr(pins, name), self._watcher(name))

    def _watcher(self, name: str) -> Callable[[bool], None]:
        def edge(high: bool) -> None:
            if not self._file.closed:
                self._file.write(json.dumps({"t_s": self._clock(), "pin": name, "high": high}) + "\n")

        return edge

    def close(self) -> None:
        self._file.close()
