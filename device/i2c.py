"""I2C chips, through smbus2: the only file that imports it.

Two ways to name a register are needed here: eight bits (NAU7802) and sixteen (VL53L1X). Every call is one transaction
of the kernel's, which several threads and processes may interleave. On simulated pins a bus of
``device.simulation.i2c_bus`` stands in the place of ``smbus2.SMBus``, with the same signatures (a test compares them).
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Sequence
from typing import Any, Final

from smbus2 import SMBus, i2c_msg

I2C_TIMEOUT: Final = 0x0702
"""ioctl of linux/i2c-dev.h, in units of 10 ms."""
GIVES_UP_10_MS: Final = 5
"""A bus that a chip holds low costs 50 ms a call, and not the kernel's second: whoever polls must come back (ours; the
longest transaction here, 93 bytes at 100 kHz, takes 9 ms)."""


class I2cChip:
    """One chip at its 7-bit ``address``. Every method raises OSError when the chip does not answer."""

    def __init__(self, bus: Any, address: int) -> None:
        self._bus, self.address = bus, address

    def read(self, register: int, length: int = 1) -> bytes:
        """``length`` bytes from an 8-bit register on, in one transaction."""
        return bytes(self._bus.read_i2c_block_data(self.address, register, length))

    def write(self, register: int, value: int) -> None:
        self._bus.write_byte_data(self.address, register, value)

    def read_wide(self, register: int, length: int = 1) -> bytes:
        """``length`` bytes from a 16-bit register on, in one transaction (repeated start)."""
        answer = i2c_msg.read(self.address, length)
        self._bus.i2c_rdwr(i2c_msg.write(self.address, register.to_bytes(2, "big")), answer)
        return bytes(answer)

    def write_wide(self, register: int, values: Sequence[int]) -> None:
        self._bus.i2c_rdwr(i2c_msg.write(self.address, [*register.to_bytes(2, "big"), *values]))

    def close(self) -> None:
        self._bus.close()


def open_chip(bus: int, address: int, opener: Callable[[int], Any] = SMBus) -> I2cChip:
    """The chip on /dev/i2c-``bus``; not spoken to yet. Raises OSError when the bus cannot be opened."""
    opened = opener(bus)
    fcntl.ioctl(opened.fd, I2C_TIMEOUT, GIVES_UP_10_MS)
    return I2cChip(opened, address)
