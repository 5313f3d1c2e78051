"""What every load-cell converter gives, whatever its wires: one conversion at a time, with its doubts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from device.sensor_report import Trouble

FrameFault = Literal[
    "slow_pulse", "not_released", "late", "no_value", "saturated", "settling", "bus", "calibration", "lost_settings"
]

BITS = 24
FULL_SCALE = 1 << (BITS - 1)
"""Counts at either rail: readings lie in -FULL_SCALE .. FULL_SCALE - 1."""
SETTLING_PERIODS = 4
"""Conversions until a value is to be trusted, after a reset or a change of channel or gain: 400 ms at 10 samples/s,
50 ms at 80 (HX711's data sheet; the NAU7802's filter is of the fourth order, and remembers as many)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One conversion. ``raw`` in counts, None where the bits mean nothing; valid only with ``fault`` None.

    Faults of any converter: ``no_value`` 0 or -1, which is what a dead line reads · ``saturated`` at a rail ·
    ``settling`` too soon after a reset or change of gain · ``late`` perhaps overtaken by the next conversion.
    Of the HX711: ``slow_pulse`` a clock pulse was too long · ``not_released`` DOUT low after the last pulse (clock out
    of step, or the line stuck low). Of the NAU7802: ``bus`` the chip did not answer · ``calibration`` its own
    calibration failed · ``lost_settings`` it has restarted by itself.
    """

    t_s: float
    raw: int | None
    fault: FrameFault | None


class LoadConverter(Protocol):
    """A converter as ``device.load`` uses it. Times are monotonic seconds."""

    period_s: float
    settled_s: float
    """Before this moment a conversion is not to be trusted."""

    @property
    def next_ready_s(self) -> float:
        """No conversion after the last fetched one is ready before this."""

    def read(self, now_s: float) -> Frame | None:
        """Fetch the waiting conversion; None when there is none. Never waits for one."""

    def reset(self, now_s: float) -> None:
        """A known state, settled ``SETTLING_PERIODS`` later."""


def signed(bits: int) -> int:
    """24 bits of two's complement as a number."""
    return bits - (1 << BITS) if bits & FULL_SCALE else bits


def doubt_value(raw: int) -> FrameFault | None:
    """What the value alone gives away."""
    if raw in (0, -1):
        return "no_value"
    return "saturated" if raw in (FULL_SCALE - 1, -FULL_SCALE) else None


TROUBLES: Final[dict[str, Trouble]] = {
    "silent": Trouble("gives no conversions", "check the converter's supply and its data wire"),
    "outlier": Trouble("single readings leap", "keep the cell's cable short, shielded and away from mains and motors"),
    "slow_pulse": Trouble(
        "clock pulses are too long, the converter restarts", "the computer is overloaded: see CPU load and temperature"
    ),
    "not_released": Trouble("the data line does not rise after a reading", "check the data wire for a short to ground"),
    "late": Trouble("readings are fetched too late", "the computer is overloaded: see CPU load and temperature"),
    "no_value": Trouble("reads nothing but 0 or -1", "check the data wire and the cell's four wires"),
    "saturated": Trouble(
        "is beyond its range", "check the cell's four wires for a break, and that the cell is not overloaded"
    ),
    "settling": Trouble("is starting", "wait a second"),
    "bus": Trouble("does not answer on I2C", "check SDA, SCL and supply; 'i2cdetect -y BUS' shows the chip at 2a"),
    "calibration": Trouble("its own calibration fails", "check the cell's four wires, and the supply of the converter"),
    "lost_settings": Trouble("restarts by itself", "its supply breaks down: check the 3.3 V wire and its capacitor"),
}
"""By fault of a frame; ``outlier`` and ``silent`` are found in ``device.load``."""
