"""What to do when a pin or a bus cannot be had: one advice for each cause, in the words of Raspberry Pi OS."""

from __future__ import annotations

import os
from pathlib import Path

DEVICES = Path("/dev")


def _group(group: str) -> str:
    return f"'sudo usermod -aG {group} USER' for legpress's user, then log in again (a service: restart it)"


def _forbidden(error: str) -> bool:
    text = error.lower()
    return "permission" in text or "not permitted" in text


def gpio_advice(error: str) -> str:
    """For a pin of the header, or the header itself."""
    text = error.lower()
    if "busy" in text or "in use" in text or "reserved" in text:
        return f"in use already ({error}); stop the other program ('gpioinfo' names it) or change the pin in [pins]"
    if _forbidden(error) or "can not open" in text:
        return f"no permission ({error}); {_group('gpio')}"
    return f"{error}; check the wiring and [pins], then run 'legpress doctor'"


def spi_advice(error: str, devices: Path = DEVICES) -> str:
    """For the MCP3008's bus."""
    device = devices / "spidev0.0"
    if not device.exists():
        return (
            f"SPI is switched off ({error}): switch it on with 'sudo raspi-config', Interface Options, SPI, then reboot"
        )
    if _forbidden(error) or not os.access(device, os.R_OK | os.W_OK):
        return f"no permission ({error}); {_group('spi')}"
    return f"{error}; stop other programs that use SPI0, and check [pins]: clock 11, mosi 10, miso 9, select 8 or 7"


def i2c_advice(error: str, bus: int, devices: Path = DEVICES) -> str:
    """For an I2C bus."""
    device = devices / f"i2c-{bus}"
    if not device.exists() and bus == 1:
        return (
            f"I2C is switched off ({error}): switch it on with 'sudo raspi-config', Interface Options, I2C, then reboot"
        )
    if not device.exists():
        return (
            f"there is no such bus ({error}): add 'dtoverlay=i2c-gpio,bus={bus},i2c_gpio_sda=PIN,i2c_gpio_scl=PIN' to "
            "/boot/firmware/config.txt, then reboot"
        )
    if _forbidden(error) or not os.access(device, os.R_OK | os.W_OK):
        return f"no permission ({error}); {_group('i2c')}"
    return f"{error}; check SDA, SCL and supply with 'i2cdetect -y {bus}'"
