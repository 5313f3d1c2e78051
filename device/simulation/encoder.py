"""A quadrature encoder on two mock pins, edge by edge."""

from __future__ import annotations

from typing import Literal

from device.pins import MockBoard

EncoderFault = Literal["dead_a", "dead_b", "unplugged"]
_CYCLE = ((False, False), (True, False), (True, True), (False, True))
"""Levels of A and B, counting up: A leads."""


class SimulatedEncoder:
    """Moves when told; ``fault`` keeps edges of a broken wire from the pins."""

    def __init__(self, board: MockBoard, pin_a: int, pin_b: int) -> None:
        self._board, self._pins = board, (pin_a, pin_b)
        self.count = 0
        self.fault: EncoderFault | None = None
        self._drive()

    def move_to(self, count: int) -> None:
        """Every edge on the way to ``count``."""
        while self.count != count:
            self.count += 1 if count > self.count else -1
            self._drive()

    def _drive(self) -> None:
        a, b = _CYCLE[self.count % 4]
        if self.fault not in ("dead_a", "unplugged"):
            self._board.drive(self._pins[0], a)
        if self.fault not in ("dead_b", "unplugged"):
            self._board.drive(self._pins[1], b)
