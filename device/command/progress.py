"""A progress bar for a person at a terminal; silent where nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

_WIDTH = 30
_REDRAW_S = 0.1


class Progress:
    """``label [######------] 42 %  3.1 s left`` on stderr; nothing when that is no terminal.

    `total` steps; 0 when unknown, then only the count is shown.
    """

    def __init__(
        self,
        label: str,
        total: int,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label, self._total = label, total
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._shown = self._stream.isatty()
        self._done = 0
        self._started_s = clock()
        self._drawn_s = -_REDRAW_S

    def step(self, count: int = 1) -> None:
        self.reach(self._done + count)

    def reach(self, done: int) -> None:
        self._done = done
        now_s = self._clock()
        if self._shown and now_s - self._drawn_s >= _REDRAW_S:
            self._drawn_s = now_s
            self._stream.write(f"\r{self.text(now_s)}\x1b[K")
            self._stream.flush()

    def text(self, now_s: float) -> str:
        """The line as it would be drawn at `now_s`."""
        if self._total <= 0:
            return f"{self._label}: {self._done}"
        share = min(1.0, self._done / self._total)
        bar = "#" * round(share * _WIDTH)
        line = f"{self._label} [{bar:-<{_WIDTH}}] {share:4.0%}"
        if 0 < share < 1:
            line += f"  {(now_s - self._started_s) * (1 - share) / share:.0f} s left"
        return line

    def close(self) -> None:
        """Takes the bar away: what follows is the result."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
