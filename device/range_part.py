"""A VL53L1X as a part of the machine, the seat's or the carriage's: what it can suffer from, and when it is silent."""

from __future__ import annotations

import math
from typing import Final, Literal

from device.messages import PartReport
from device.sensor_report import ReadingLog, Trouble
from device.vl53l1x import PERIOD_S, VL53L1X

STALE_AFTER_S: Final = 0.35
"""Three measurements without a value (ours)."""
FAILED_AFTER_S: Final = 1.0

TROUBLES: Final = {
    "noisy": Trouble("its distances scatter", "give it a flat, light target, and shade it from the sun"),
    "weak": Trouble("its light does not come back", "clean its window; give it a flat, light target of 10 cm"),
    "out_of_range": Trouble("sees nothing within range", "point it at its target again"),
    "too_near": Trouble("its target is nearer than 4 cm", "mount it further away"),
    "wrapped": Trouble("sees something far behind its target", "point it at its target again"),
    "out_of_place": Trouble(
        "sees something that is not the target",
        "clear its way; point it at its target again; a new one on the seat: 'legpress calibrate seat'",
    ),
    "hardware": Trouble("reports a fault of its own", "switch its supply off and on; if it stays, replace it"),
    "bus": Trouble("does not answer on I2C", "check SDA, SCL and supply; 'i2cdetect -y BUS' shows the chip at 29"),
    "wrong_chip": Trouble("another chip answers at its address", "only a VL53L1X will do, one on a bus"),
    "silent": Trouble("measures nothing", "check its supply and its XSHUT wire (high = on)"),
    "jump": Trouble("its distances leap about", "clear the way between it and its target"),
}


class RangePart:
    """The chip with the record of its readings. Its owner says of each distance whether it can be."""

    def __init__(self, ranger: VL53L1X, name: str) -> None:
        self._ranger = ranger
        self._log = ReadingLog(name, "mm", 1.0 / PERIOD_S, TROUBLES)
        self._target_s: float | None = None
        self._told_s = -math.inf

    def distance_m(self, now_s: float) -> float | None:
        """A new measurement; None while there is none, and where the chip itself does not vouch for it."""
        if self._target_s is None:
            self._target_s = now_s
        measured = self._ranger.read(now_s)
        if measured is None:
            return None
        if measured.fault is not None:
            self._log.refused(now_s, measured.fault)
        return measured.distance_m

    def took(self, now_s: float, distance_m: float) -> None:
        """The distance is believed."""
        self._target_s = now_s
        self._log.took(now_s, 1000.0 * distance_m)

    def refused(self, now_s: float, trouble: str, of_target: bool = False) -> None:
        """It is not; ``trouble`` is a key of ``TROUBLES``. ``of_target``: the target was measured, no silence."""
        if of_target:
            self._target_s = now_s
        self._log.refused(now_s, trouble)

    def silence(self, now_s: float, measured: bool = False) -> Literal["stale", "failed"] | None:
        """What to tell where the target is not measured: ten times a second at most, after three missing readings.

        ``measured``: something was, though not the target. That is told each time, for a calibration wants each.
        """
        assert self._target_s is not None
        silent_s = now_s - self._target_s
        if silent_s <= STALE_AFTER_S or (not measured and now_s - self._told_s < PERIOD_S):
            return None
        self._told_s = now_s
        return "failed" if silent_s > FAILED_AFTER_S else "stale"

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        return (self._log.report(now_s),)
