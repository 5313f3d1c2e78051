"""A red-green-blue light, or a traffic light, on three pins. Each lamp is on or off."""

from __future__ import annotations

import math
from typing import Final, Literal

from device.config import Pins
from device.messages import Colour
from device.pins import Board, OutputPin

Flash = Literal["steady", "slow", "fast"]

FLASH_HZ: Final[dict[Flash, float]] = {"slow": 0.6, "fast": 2.0}
"""IEC 60601-1-8: medium priority flashes at 0.4-0.8 Hz, high at 1.4-2.8 Hz."""
ROUNDING_S: Final = 1e-6
"""So that an update exactly at its deadline is past the edge, whatever the subtraction of two times rounds to."""
ON_SHARE: Final = 0.5
"""Share of a flash's period that is lit (IEC 60601-1-8: 20-60 %)."""
Mix = dict[Colour, tuple[bool, bool, bool]]
MIX: Final[Mix] = {
    "off": (False, False, False),
    "red": (True, False, False),
    "green": (False, True, False),
    "blue": (False, False, True),
    "amber": (True, True, False),
}
"""Red, green and blue of an RGB light; amber is red and green together."""
TRAFFIC_MIX: Final[Mix] = {
    "off": (False, False, False),
    "red": (True, False, False),
    "green": (False, True, False),
    "blue": (False, True, True),
    "amber": (False, False, True),
}
"""Red, green and amber lamp of a traffic light; it has no blue, and no warning lights two lamps (ours)."""


class NoLamp:
    """In place of a lamp on a machine without a light."""

    state = False


def open_light(kind: Literal["rgb", "traffic", "none"], board: Board, pins: Pins) -> LightPlayer:
    """The light that ``outputs.light`` names. Raises PinError."""
    if kind == "none":
        return LightPlayer(NoLamp(), NoLamp(), NoLamp())
    third = "blue light" if kind == "rgb" else "amber light"
    return LightPlayer(
        board.output(pins.light_red, "red light"),
        board.output(pins.light_green, "green light"),
        board.output(pins.light_blue, third),
        MIX if kind == "rgb" else TRAFFIC_MIX,
    )


def lit_at(flash: Flash, elapsed_s: float) -> tuple[bool, float | None]:
    """Whether the light is on ``elapsed_s`` after it was set, and when (s since then) that changes. Pure."""
    if flash == "steady":
        return True, None
    period_s = 1.0 / FLASH_HZ[flash]
    rounds = math.floor(elapsed_s / period_s)
    lit_until_s, next_round_s = (rounds + ON_SHARE) * period_s, (rounds + 1) * period_s
    return (True, lit_until_s) if elapsed_s < lit_until_s else (False, next_round_s)


class LightPlayer:
    """``show`` acts on the pins at once; then ``update`` when its deadline has come."""

    def __init__(self, red: OutputPin, green: OutputPin, third: OutputPin, mix: Mix = MIX) -> None:
        self._pins, self._mix = (red, green, third), mix
        self._flash: Flash = "steady"
        self._start_s = 0.0
        self.colour: Colour = "off"

    def show(self, colour: Colour, flash: Flash, now_s: float) -> float | None:
        """Light up in ``colour``, beginning with the lit half of a flash. The same again does not restart the flash.

        Returns as ``update``.
        """
        if (colour, flash) != (self.colour, self._flash):
            self.colour, self._flash, self._start_s = colour, flash, now_s
        return self.update(now_s)

    def update(self, now_s: float) -> float | None:
        """Bring the pins to their levels for ``now_s``; returns when to call again, None = not before ``show``."""
        lit, next_s = lit_at(self._flash, max(0.0, now_s - self._start_s) + ROUNDING_S)
        for pin, part in zip(self._pins, self._mix[self.colour], strict=True):
            pin.state = part and lit
        return None if next_s is None or self.colour == "off" else self._start_s + next_s
