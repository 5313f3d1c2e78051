"""The installer's hand on the virtual leg press: puts weights on and moves the seat, for trying the calibrations.

It is a file in the runtime folder, ``hand.json``: ``{"load_kg": 50, "seat_notch": 3}``, each key optional;
``load_left_kg`` and ``load_right_kg`` are put on one side, where there are two cells.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

FILE: Final = "hand.json"


class Hand:
    """What the file says now; nothing where there is none, or where it is not understood."""

    def __init__(self, runtime_dir: Path) -> None:
        self._path = runtime_dir / FILE
        self._seen: tuple[int, int] | None = None
        self._values: dict[str, Any] = {}

    @property
    def load_kg(self) -> float:
        """Mass put on the sled or the stack."""
        return self._number("load_kg") or 0.0

    @property
    def load_left_kg(self) -> float:
        return self._number("load_left_kg") or 0.0

    @property
    def load_right_kg(self) -> float:
        return self._number("load_right_kg") or 0.0

    @property
    def seat_notch(self) -> float | None:
        """Notch that the seat was put into, 1 and up; None: where the scenario has it."""
        return self._number("seat_notch")

    def _number(self, key: str) -> float | None:
        self._read()
        value = self._values.get(key)
        return float(value) if isinstance(value, int | float) else None

    def _read(self) -> None:
        try:
            found = self._path.stat()
            seen = (found.st_ino, found.st_mtime_ns)
            if seen != self._seen:
                values = json.loads(self._path.read_text("utf-8"))
                self._values, self._seen = values if isinstance(values, dict) else {}, seen
        except (OSError, ValueError):
            self._values, self._seen = {}, None
