"""An MCP3008 on mock pins: a ten-bit converter of eight channels that answers SPI bit by bit (Microchip DS21295)."""

from __future__ import annotations

from collections.abc import Callable

from device.config import Pins
from device.pins import MockBoard

_COMMAND_BITS = 5
"""Start, single-ended, three of the channel."""
_RESULT_BITS = 10


class SimulatedMCP3008:
    """Converts ``reading(channel)`` (0..1023) on request; no thread: it works when its pins are touched."""

    def __init__(self, board: MockBoard, pins: Pins, reading: Callable[[int], int]) -> None:
        self._board, self._mosi = board, pins.seat_spi_mosi
        self._reading = reading
        self.unplugged = False
        """MISO left floating on its pull-down: every reading is 0."""
        self._selected = False
        self._command: list[bool] = []
        self._after_command = 0
        self._result = 0
        self._out = False
        board.watch(pins.seat_spi_select, self._select_edge)
        board.watch(pins.seat_spi_clock, self._clock_edge)
        board.feed(pins.seat_spi_miso, self._miso_level)

    def _select_edge(self, high: bool) -> None:
        self._selected = not high
        self._command.clear()
        self._after_command = 0
        self._out = False

    def _clock_edge(self, high: bool) -> None:
        if not self._selected:
            return
        if high and len(self._command) < _COMMAND_BITS:
            bit = self._board.level(self._mosi)
            # zeros before the start bit are padding
            if bit or self._command:
                self._command.append(bit)
                if len(self._command) == _COMMAND_BITS:
                    self._convert()
        elif not high and len(self._command) == _COMMAND_BITS:
            # falling edges after the command: sampling ends, a null bit, then the result from its top bit
            self._after_command += 1
            place = self._after_command - 3
            self._out = 0 <= place < _RESULT_BITS and bool(self._result >> (_RESULT_BITS - 1 - place) & 1)

    def _convert(self) -> None:
        channel = sum(bit << place for bit, place in zip(self._command[2:], (2, 1, 0), strict=True))
        single_ended = self._command[1]
        self._result = max(0, min((1 << _RESULT_BITS) - 1, self._reading(channel))) if single_ended else 0

    def _miso_level(self) -> bool:
        return self._out and not self.unplugged
