"""A progress bar for a terminal; where the output is none, nothing but silence."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

_BAR_WIDTH = 24
_REDRAW_S = 0.05


class ProgressBar:
    """One line on a terminal, redrawn in place and erased at the end. A context manager."""

    def __init__(self, stream: TextIO | None = None, unit_bytes: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty()
        self._unit_bytes = unit_bytes
        self._last_drawn_s = -_REDRAW_S
        self._last_label = ""

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._shown and self._last_label:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def __call__(self, label: str, done: float, total: float | None) -> None:
        """Shows how far ``label`` is; draws at most 20 times a second."""
        now_s = time.monotonic()
        if not self._shown or (label == self._last_label and done != total and now_s - self._last_drawn_s < _REDRAW_S):
            return
        self._last_drawn_s, self._last_label = now_s, label
        columns = shutil.get_terminal_size().columns
        self._stream.write("\r\x1b[K" + progress_line(label, done, total, self._unit_bytes)[: columns - 1])
        self._stream.flush()


def progress_line(label: str, done: float, total: float | None, unit_bytes: bool = False) -> str:
    """``Reading  [######......]  50 %  3 of 6``; without a total only the label."""
    if not total:
        return f"{label} ..."
    share = min(max(done / total, 0.0), 1.0)
    filled = round(share * _BAR_WIDTH)
    amount = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB" if unit_bytes else f"{done:.0f} of {total:.0f}"
    return f"{label}  [{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {share:4.0%}  {amount}"
