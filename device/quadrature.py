"""Counts the edges of a quadrature encoder, and notices the edges it missed and the wire that is dead."""

from __future__ import annotations

import threading

DEAD_EDGES = 100
"""So many edges of one channel and none of the other: its wire is broken (ours: 5 cm at 4000 edges per metre; a sled
that trembles on one edge makes a few dozen)."""


class QuadratureCounter:
    """``edge`` is called by the pins, in whatever thread; ``read`` by the reader. A leads B while counting up."""

    def __init__(self, a: bool, b: bool) -> None:
        self._levels = [a, b]
        self._lock = threading.Lock()
        self.count = 0
        self.missed = 0
        """Edges that must have come unseen: a channel that rises twice has fallen in between."""
        self._alone = [0, 0]
        """Edges of each channel since the last of the other."""

    def edge(self, channel: int, level: bool) -> None:
        """Channel 0 (A) or 1 (B) has changed to ``level``."""
        with self._lock:
            if self._levels[channel] == level:
                self.missed += 1
                return
            self._levels[channel] = level
            a, b = self._levels
            self.count += 1 if (a != b) == (channel == 0) else -1
            self._alone[channel] += 1
            self._alone[1 - channel] = 0

    @property
    def dead_channel(self) -> str | None:
        """``A`` or ``B`` while only the other one moves."""
        if self._alone[1] >= DEAD_EDGES:
            return "A"
        return "B" if self._alone[0] >= DEAD_EDGES else None
