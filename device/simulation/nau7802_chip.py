"""A NAU7802 on a simulated I2C bus, with its DRDY on a mock pin: registers and timing as the data sheet has them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

from device.load_converter import BITS, FULL_SCALE
from device.nau7802 import (
    ADCO_B2,
    ADDRESS,
    ANALOG_UP,
    CALIBRATE,
    CALIBRATION_FAILED,
    CTRL1,
    CTRL2,
    CYCLE_READY,
    CYCLE_START,
    DIGITAL_UP,
    LDO_3V0_GAIN_128,
    POWERED,
    PU_CTRL,
    RATES,
    RESET,
)  # fmt: skip
from device.pins import MockBoard
from device.simulation.i2c_bus import registers

BridgeFault = Literal["silent", "stuck_ready", "rail_high", "rail_low", "dead", "corrupt", "unplugged", "calibration"]
"""``silent`` DRDY stays low · ``stuck_ready`` it stays high · ``rail_*`` the bridge overdriven · ``dead`` reads 0 ·
``corrupt`` a share of the conversions random · ``unplugged`` nothing acknowledges · ``calibration`` fails."""
POWER_UP_S = 200e-6
CALIBRATION_PERIODS = 4
_REGISTERS = 0x20
_GAIN_1 = 128


class SimulatedNAU7802:
    """Converts ``counts(t_s)`` (at gain 128) at its own pace. No thread: it works when its bus or pin is touched."""

    def __init__(
        self, board: MockBoard, bus: int, ready_pin: int, counts: Callable[[float], int], clock: Callable[[], float]
    ) -> None:
        self._counts, self._clock = counts, clock
        self.fault: BridgeFault | None = None
        self.corrupt_share = 0.05
        self.random = random.Random(7802)
        self.rate_error = 1.0
        """The chip's own clock: its period is so many times the nominal."""
        self._registers = bytearray(_REGISTERS)
        self._pointer = 0
        self._powered_s = self._calibrated_s = self._next_s = float("inf")
        self._waiting = False
        board.attach_i2c(bus, ADDRESS, self)
        board.feed(ready_pin, self._ready_level)

    def brown_out(self) -> None:
        """The supply breaks down for a moment: all settings are lost."""
        self._registers = bytearray(_REGISTERS)
        self._powered_s = self._calibrated_s = self._next_s = float("inf")
        self._waiting = False

    @property
    def period_s(self) -> float:
        code = self._registers[CTRL2] >> 4 & 7
        return self.rate_error / next(rate for rate, bits in RATES.items() if bits == code)

    def _ready_level(self) -> bool:
        if self.fault in ("silent", "unplugged"):
            return False
        self._convert()
        return self.fault == "stuck_ready" or self._waiting

    def written(self, data: bytes) -> None:
        self._acknowledge()
        self._pointer = data[0]
        if len(data) == 1:
            return
        value, now_s = data[1], self._clock()
        self._registers[self._pointer] = value
        if self._pointer == PU_CTRL:
            if value & RESET:
                self.brown_out()
            elif value & DIGITAL_UP and self._powered_s == float("inf"):
                self._powered_s = now_s + POWER_UP_S
            if value & CYCLE_START and value & ANALOG_UP:
                self._next_s = now_s + self.period_s
        elif self._pointer == CTRL2 and value & CALIBRATE:
            self._calibrated_s = now_s + CALIBRATION_PERIODS * self.period_s
            self._next_s = self._calibrated_s + self.period_s
            self._waiting = False

    def asked(self, length: int) -> bytes:
        self._acknowledge()
        self._convert()
        now_s = self._clock()
        if now_s >= self._powered_s:
            self._registers[PU_CTRL] |= POWERED
        self._registers[PU_CTRL] = self._registers[PU_CTRL] & ~CYCLE_READY | (CYCLE_READY if self._waiting else 0)
        if now_s >= self._calibrated_s:
            self._calibrated_s = float("inf")
            self._registers[CTRL2] &= ~CALIBRATE
            if self.fault == "calibration":
                self._registers[CTRL2] |= CALIBRATION_FAILED
        answer = registers(self._registers, self._pointer, length)
        if self._pointer == ADCO_B2:
            self._waiting = False
        return answer

    def _acknowledge(self) -> None:
        if self.fault == "unplugged":
            raise OSError(121, "Remote I/O error")

    def _convert(self) -> None:
        now_s = self._clock()
        if now_s < self._next_s or now_s < self._calibrated_s < float("inf"):
            return
        made_s = self._next_s + (now_s - self._next_s) // self.period_s * self.period_s
        self._next_s = made_s + self.period_s
        self._waiting = True
        self._registers[ADCO_B2 : ADCO_B2 + 3] = self._output(self._counts(made_s)).to_bytes(3, "big")

    def _output(self, counts: int) -> int:
        if self.fault == "corrupt" and self.random.random() < self.corrupt_share:
            return self.random.getrandbits(BITS)
        if self.fault == "dead":
            counts = 0
        elif self.fault in ("rail_high", "rail_low"):
            counts = FULL_SCALE - 1 if self.fault == "rail_high" else -FULL_SCALE
        elif self._registers[CTRL1] != LDO_3V0_GAIN_128:
            counts //= _GAIN_1  # the gain after a reset is 1
        return max(-FULL_SCALE, min(FULL_SCALE - 1, counts)) & ((1 << BITS) - 1)
