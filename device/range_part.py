"""What a VL53L1X can suffer from, in plain words; for the seat's and the carriage's."""

from __future__ import annotations

from typing import Final

from device.sensor_report import Trouble

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
