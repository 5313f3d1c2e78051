"""A pin as its user sees it: what drivers take, whatever board gives it. No GPIO library is known here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from device.errors import RunError


class PinError(RunError):
    """A pin cannot be had or used; the text says which and what to do."""


class InputPin(Protocol):
    """A header pin that is read. ``state``: True = high."""

    @property
    def state(self) -> bool: ...


class OutputPin(Protocol):
    """A header pin that is driven. ``state``: True = high."""

    state: bool


class TonePin:
    """A header pin that drives a passive buzzer: a square wave of any pitch and duty cycle, or low."""

    def __init__(self, device: Any) -> None:
        self._device = device

    def sound(self, frequency_hz: float, duty: float) -> None:
        """``duty`` 0 to 1: the share of each period that is high."""
        self._device.frequency = frequency_hz
        self._device.value = duty

    def silence(self) -> None:
        self._device.value = 0.0


class AnalogInput(Protocol):
    """One channel of an MCP3008. ``raw_value``: 0..1023. May raise OSError."""

    @property
    def raw_value(self) -> int: ...


class EdgeWatch:
    """Calls ``edge(level)`` at every edge of a pin, in the library's thread, until it is closed."""

    def __init__(self, line: Any, edge: Callable[[bool], None]) -> None:
        self._line, self._edge = line, edge
        line.edges = "both"
        # the library keeps only a weak reference: this object is what keeps it
        line.when_changed = self._changed

    def _changed(self, _: float, level: bool) -> None:
        self._edge(bool(level))

    def close(self) -> None:
        self._line.when_changed = None
