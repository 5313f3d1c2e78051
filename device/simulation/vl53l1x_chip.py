"""A VL53L1X on a simulated I2C bus: 16-bit registers, boot, and a measurement every 100 ms while it ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from device.pins import MockBoard
from device.simulation.i2c_bus import registers
from device.vl53l1x import (
    ADDRESS,
    BOOTED,
    DISTANCE_AT,
    INTERRUPT_CLEAR,
    MODE_START,
    MODEL,
    MODEL_ID,
    PERIOD_S,
    RANGING,
    RESULT,
    TIMER_READY,
)  # fmt: skip

RangerFault = Literal["unplugged", "silent", "never_boots", "wrong_chip", "weak", "wrapped", "hardware"]
_STATUS = {"weak": 4, "wrapped": 7, "hardware": 17}
_OK = 9
BOOT_S = 0.0012


class SimulatedVL53L1X:
    """Measures ``distance_m(t_s)``, None = nothing within range. No thread: it works when its bus is touched."""

    def __init__(
        self, board: MockBoard, bus: int, distance_m: Callable[[float], float | None], clock: Callable[[], float]
    ) -> None:
        self._distance_m, self._clock = distance_m, clock
        self.fault: RangerFault | None = None
        self._pointer = 0
        self._powered_s = clock()
        self._registers = bytearray(0x200)
        self._registers[MODEL_ID : MODEL_ID + 2] = MODEL.to_bytes(2, "big")
        self._next_s = float("inf")
        board.attach_i2c(bus, ADDRESS, self)

    def written(self, data: bytes) -> None:
        self._acknowledge()
        self._pointer = int.from_bytes(data[:2], "big")
        values = data[2:]
        self._registers[self._pointer : self._pointer + len(values)] = values
        touched = range(self._pointer, self._pointer + len(values))
        if MODE_START in touched:
            ranges = self._registers[MODE_START] == RANGING
            self._next_s = self._clock() + PERIOD_S if ranges else float("inf")
        if INTERRUPT_CLEAR in touched and self._registers[INTERRUPT_CLEAR] & 1:
            self._registers[TIMER_READY] &= ~1

    def asked(self, length: int) -> bytes:
        self._acknowledge()
        self._measure()
        booted = self._clock() - self._powered_s >= BOOT_S and self.fault != "never_boots"
        self._registers[BOOTED] = int(booted)
        if self.fault == "wrong_chip":
            return bytes(length) if self._pointer == MODEL_ID else registers(self._registers, self._pointer, length)
        return registers(self._registers, self._pointer, length)

    def _acknowledge(self) -> None:
        if self.fault == "unplugged":
            raise OSError(121, "Remote I/O error")

    def _measure(self) -> None:
        now_s = self._clock()
        if now_s < self._next_s or self.fault == "silent":
            return
        made_s = self._next_s + (now_s - self._next_s) // PERIOD_S * PERIOD_S
        self._next_s = made_s + PERIOD_S
        distance_m = self._distance_m(made_s)
        status = _STATUS.get(self.fault or "", _OK if distance_m is not None else 4)
        self._registers[RESULT] = status
        millimetres = round(1000 * (distance_m or 0.0))
        at = RESULT + DISTANCE_AT
        self._registers[at : at + 2] = max(0, min(0xFFFF, millimetres)).to_bytes(2, "big")
        self._registers[TIMER_READY] |= 1
