"""A log of the output pins' edges, and of when the load cell felt a change: what a logic analyser would show, for tests
and measurements."""

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
    """Writes one JSON line per edge: ``{"t_s": monotonic, "pin": "buzzer", "high": true}``. The load cell's lines also
    have ``read_s``, when the driver began to fetch that conversion.

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

    def load_changed(self, made_s: float, loaded: bool) -> None:
        """The conversion made at ``made_s`` is the first with what leans on the plate, or without it; fetched now."""
        if not self._file.closed:
            row = {"t_s": made_s, "pin": "load_data", "high": loaded, "read_s": self._clock()}
            self._file.write(json.dumps(row) + "\n")

    def close(self) -> None:
        self._file.close()
