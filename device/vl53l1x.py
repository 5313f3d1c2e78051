"""Driver of the VL53L1X time-of-flight ranger on I2C. Registers and start-up as in ST's UM2510 (ultra lite driver).

Ranges by itself, ten times a second; every result carries a range status, and only one of them means a distance.
Nothing here waits: each ``read`` does the next step of the start-up that has become possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from device.i2c import I2cChip

ADDRESS: Final = 0x29
MODEL: Final = 0xEACC

VHV_TIMEOUT, VHV_INIT, CONFIGURATION, TIMER_READY, INTERRUPT_CLEAR, MODE_START, RESULT, BOOTED, MODEL_ID = (
    0x0008, 0x000B, 0x002D, 0x0031, 0x0086, 0x0087, 0x0089, 0x00E5, 0x010F,
)  # fmt: skip
RANGING: Final = 0x40
STOPPED: Final = 0x00
RESULT_BYTES: Final = 17
"""From the range status to the corrected distance (mm, at offset 13) and the signal rate."""
DISTANCE_AT: Final = 13
SETTINGS: Final = bytes.fromhex(
    "00 00 00 01 02 00 02 08 00 08 10 01 01 00 00 00 00 ff 00 0f 00 00 00 00 00 20 0b 00 00 02 0a 21 00 00 05 00 00 00"
    "00 c8 00 00 38 ff 01 00 08 00 00 01 cc 0f 01 f1 0d 01 68 00 80 08 b8 00 00 00 00 0f 89 00 00 00 00 00 00 00 01 0f"
    "0d 0e 0e 00 00 02 c7 ff 9b 00 00 00 01 00 00"
)
"""Registers 0x2D to 0x87 as ST wants them written (STSW-IMG009): long range, 100 ms a measurement, data-ready high."""
RangeFault = Literal["noisy", "weak", "out_of_range", "too_near", "wrapped", "hardware", "bus", "wrong_chip", "silent"]
STATUS: Final[dict[int, RangeFault | None]] = {
    9: None, 6: "noisy", 4: "weak", 5: "out_of_range", 8: "too_near", 7: "wrapped",
}  # fmt: skip
"""RESULT__RANGE_STATUS, bits 4-0, None = a good measurement; all others are faults of the chip."""
PERIOD_S: Final = 0.1
BOOTS_WITHIN_S: Final = 0.5
"""1.2 ms by the data sheet (ours: time for a slow supply)."""
SILENT_S: Final = 0.5
"""Without a result for five measurements the chip is started again (ours)."""

Stage = Literal["off", "booting", "first", "ranging"]


@dataclass(frozen=True, slots=True)
class Range:
    """One measurement, or why there is none: ``distance_m`` is valid only with ``fault`` None."""

    t_s: float
    distance_m: float | None
    fault: RangeFault | None


class VL53L1X:
    """One chip at its address of birth. Call ``read`` as often as wanted: it speaks to the bus once or twice."""

    def __init__(self, chip: I2cChip) -> None:
        self._chip = chip
        self._stage: Stage = "off"
        self._since_s = float("-inf")
        """When the stage began, or the last result came."""

    def read(self, now_s: float) -> Range | None:
        """The newest measurement, once; a fault again every ``SILENT_S`` while it lasts; None in between."""
        try:
            if self._stage == "ranging":
                return self._result(now_s)
            return self._start_up(now_s)
        except OSError:
            return self._restart(now_s, "bus")

    def _start_up(self, now_s: float) -> Range | None:
        if self._stage == "off":
            if now_s - self._since_s < SILENT_S:
                return None
            self._enter("booting", now_s)
        if self._stage == "booting":
            if not self._chip.read_wide(BOOTED)[0] & 1:
                return self._restart(now_s, "silent") if now_s - self._since_s > BOOTS_WITHIN_S else None
            if int.from_bytes(self._chip.read_wide(MODEL_ID, 2), "big") != MODEL:
                return self._restart(now_s, "wrong_chip")
            self._chip.write_wide(CONFIGURATION, SETTINGS)
            self._chip.write_wide(MODE_START, [RANGING])
            self._enter("first", now_s)
        elif self._data_ready():
            # the first measurement finds the chip's operating voltage; later ones start from it
            self._chip.write_wide(INTERRUPT_CLEAR, [1])
            self._chip.write_wide(MODE_START, [STOPPED])
            self._chip.write_wide(VHV_TIMEOUT, [9])
            self._chip.write_wide(VHV_INIT, [0])
            self._chip.write_wide(MODE_START, [RANGING])
            self._enter("ranging", now_s)
        elif now_s - self._since_s > SILENT_S:
            return self._restart(now_s, "silent")
        return None

    def _data_ready(self) -> bool:
        return bool(self._chip.read_wide(TIMER_READY)[0] & 1)

    def _result(self, now_s: float) -> Range | None:
        if not self._data_ready():
            return self._restart(now_s, "silent") if now_s - self._since_s > SILENT_S else None
        result = self._chip.read_wide(RESULT, RESULT_BYTES)
        self._chip.write_wide(INTERRUPT_CLEAR, [1])
        self._since_s = now_s
        fault = STATUS.get(result[0] & 0x1F, "hardware")
        if fault is not None:
            return Range(now_s, None, fault)
        return Range(now_s, int.from_bytes(result[DISTANCE_AT : DISTANCE_AT + 2], "big") / 1000.0, None)

    def _restart(self, now_s: float, fault: RangeFault) -> Range:
        self._enter("off", now_s)
        return Range(now_s, None, fault)

    def _enter(self, stage: Stage, now_s: float) -> None:
        self._stage, self._since_s = stage, now_s
