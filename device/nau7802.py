"""Driver of the NAU7802 load-cell converter on I2C, with its data-ready pin. Registers from Nuvoton's data sheet 1.7.

Powered up, its supply set to 3.0 V (LDO), gain 128; then it calibrates itself (offset, at the inputs shorted inside)
and converts on and on. DRDY rises when a conversion is ready and falls when it is fetched. Nothing here waits: each
``read`` does the next step of the start-up that has become possible, so a chip that never answers costs no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from device.load_converter import SETTLING_PERIODS, Frame, FrameFault, doubt_value, signed
from device.pins import InputPin

if TYPE_CHECKING:
    from device.i2c import I2cChip

ADDRESS: Final = 0x2A

PU_CTRL, CTRL1, CTRL2, ADCO_B2, ADC, POWER = 0x00, 0x01, 0x02, 0x12, 0x15, 0x1C
RESET, DIGITAL_UP, ANALOG_UP, POWERED, CYCLE_START, CYCLE_READY, INTERNAL_SUPPLY = (
    0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x80,
)  # fmt: skip
"""Bits of PU_CTRL: RR, PUD, PUA, PUR, CS, CR, AVDDS."""
RUNNING: Final = DIGITAL_UP | ANALOG_UP | CYCLE_START | INTERNAL_SUPPLY
LDO_3V0_GAIN_128: Final = 0b101 << 3 | 0b111
CALIBRATE, CALIBRATION_FAILED = 0x04, 0x08
"""Bits of CTRL2: CALS (cleared by the chip at the end), CAL_ERR. CALMOD 00 = internal offset calibration."""
RATES: Final[dict[int, int]] = {10: 0b000, 20: 0b001, 40: 0b010, 80: 0b011, 320: 0b111}
"""CRS, bits 6-4 of CTRL2, by samples per second."""
CHOPPER_OFF: Final = 0x30
"""REG_CHPS of the ADC register: the data sheet wants the clock of the chopper off."""
CHANNEL_2_CAPACITOR: Final = 0x80
"""PGA_CAP_EN: channel 2's pins carry the filter capacitor of a single cell."""
RESET_S = 0.001
"""The power-up takes 200 us."""
SUPPLY_RISES_S = 0.25
"""Until the LDO has charged the capacitor at AVDD (ours: 200 ms are in use elsewhere); calibration needs it steady."""
CALIBRATES_WITHIN_S = 1.0
"""The data sheet gives no time; 344 ms were seen at 10 samples/s (ours: three times that)."""
CHECKED_EVERY_S = 1.0
"""How often the settings are read back: a chip whose supply broke down has lost them."""
SHORTEST_PERIOD = 0.9
"""Of the nominal period: the chip's own clock may be off by some per cent (ours)."""

Stage = Literal["off", "resetting", "powering", "rising", "calibrating", "running"]


class NAU7802:
    """One chip, a ``device.load_converter.LoadConverter``. ``ready`` is its DRDY pin, high = a conversion waits."""

    def __init__(self, chip: I2cChip, ready: InputPin, samples_per_s: int = 80) -> None:
        self._chip, self._ready = chip, ready
        self._rate = RATES[samples_per_s] << 4
        self.period_s = 1.0 / samples_per_s
        self._stage: Stage = "off"
        self._stage_s = 0.0
        self._fetched_s = 0.0
        self._checked_s = 0.0
        self.settled_s = 0.0

    @property
    def next_ready_s(self) -> float:
        return self._fetched_s + SHORTEST_PERIOD * self.period_s

    def reset(self, now_s: float) -> None:
        """Begin the start-up; the first value comes after it and ``SETTLING_PERIODS``."""
        self._enter("resetting", now_s)
        # until it has calibrated itself nothing is due: at least as long as the filter settles
        self.settled_s = now_s + 2 * RESET_S + SUPPLY_RISES_S + 2 * SETTLING_PERIODS * self.period_s
        try:
            self._chip.write(PU_CTRL, RESET)
        except OSError:
            self._stage = "off"

    def read(self, now_s: float) -> Frame | None:
        try:
            if self._stage != "running":
                return self._start_up(now_s)
            if not self._ready.state:
                return None
            return self._fetch(now_s)
        except OSError:
            self._fetched_s = now_s
            return Frame(now_s, None, "bus")

    def _fetch(self, now_s: float) -> Frame:
        raw = signed(int.from_bytes(self._chip.read(ADCO_B2, 3), "big"))
        self._fetched_s = now_s
        if now_s - self._checked_s >= CHECKED_EVERY_S:
            self._checked_s = now_s
            if not self._settings_hold():
                return Frame(now_s, None, "lost_settings")
        return Frame(now_s, raw, self._doubt(raw, now_s))

    def _doubt(self, raw: int, now_s: float) -> FrameFault | None:
        if now_s < self.settled_s:
            return "settling"
        # DRDY still high: the next conversion came during the fetch, and the three bytes may be of both
        return "late" if self._ready.state else doubt_value(raw)

    def _settings_hold(self) -> bool:
        power, gain, rate = self._chip.read(PU_CTRL, 3)
        return power & RUNNING == RUNNING and gain == LDO_3V0_GAIN_128 and rate & 0x70 == self._rate

    def _start_up(self, now_s: float) -> Frame | None:
        waited_s = now_s - self._stage_s
        if self._stage == "off":
            self._fetched_s = now_s
            return Frame(now_s, None, "bus")
        if self._stage == "resetting" and waited_s >= RESET_S:
            self._chip.write(PU_CTRL, DIGITAL_UP)
            self._enter("powering", now_s)
        elif self._stage == "powering" and waited_s >= RESET_S:
            if not self._chip.read(PU_CTRL)[0] & POWERED:
                return self._wait(now_s, waited_s, "lost_settings")
            self._set_up()
            self._enter("rising", now_s)
        elif self._stage == "rising" and waited_s >= SUPPLY_RISES_S:
            self._chip.write(CTRL2, self._rate | CALIBRATE)
            self._enter("calibrating", now_s)
        elif self._stage == "calibrating":
            calibration = self._chip.read(CTRL2)[0]
            if calibration & CALIBRATE:
                return self._wait(now_s, waited_s, "calibration")
            if calibration & CALIBRATION_FAILED:
                return self._wait(now_s, CALIBRATES_WITHIN_S, "calibration")
            self.settled_s = now_s + SETTLING_PERIODS * self.period_s
            self._fetched_s = self._checked_s = now_s
            self._enter("running", now_s)
        return None

    def _set_up(self) -> None:
        self._chip.write(PU_CTRL, RUNNING)
        self._chip.write(CTRL1, LDO_3V0_GAIN_128)
        self._chip.write(ADC, CHOPPER_OFF)
        self._chip.write(POWER, CHANNEL_2_CAPACITOR)
        self._chip.write(CTRL2, self._rate)

    def _wait(self, now_s: float, waited_s: float, fault: FrameFault) -> Frame | None:
        """Nothing while there is still hope, then the fault; whoever reads must reset the chip."""
        if waited_s < CALIBRATES_WITHIN_S:
            # as long as it is at work a value is not due
            self.settled_s = max(self.settled_s, now_s + SETTLING_PERIODS * self.period_s)
            return None
        self._fetched_s = now_s
        return Frame(now_s, None, fault)

    def _enter(self, stage: Stage, now_s: float) -> None:
        self._stage, self._stage_s = stage, now_s
