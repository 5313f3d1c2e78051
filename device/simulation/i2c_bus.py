"""An I2C bus without wires: in the place of ``smbus2.SMBus``, with simulated chips on it."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any, Protocol


class I2cSlave(Protocol):
    """A chip as the bus sees it. Either method may raise OSError: the chip does not acknowledge."""

    def written(self, data: bytes) -> None:
        """Bytes after the address: a register's number (as wide as the chip has it), then values."""

    def asked(self, length: int) -> bytes:
        """Bytes from the register that was written last on."""


class SimulatedSMBus:
    """Chips by their address. Method names and parameters are those of smbus2's SMBus."""

    def __init__(self) -> None:
        self.chips: dict[int, I2cSlave] = {}
        self.transactions = 0

    def _chip(self, address: int) -> I2cSlave:
        self.transactions += 1
        if address not in self.chips:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        return self.chips[address]

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int, force: bool | None = None) -> list[int]:
        chip = self._chip(i2c_addr)
        chip.written(bytes([register]))
        return list(chip.asked(length))

    def write_byte_data(self, i2c_addr: int, register: int, value: int, force: bool | None = None) -> None:
        self._chip(i2c_addr).written(bytes([register, value]))

    def i2c_rdwr(self, *i2c_msgs: Any) -> None:
        """Messages of smbus2's own making (``i2c_msg``): flag 1 = read into its buffer, else write from it."""
        for message in i2c_msgs:
            chip = self._chip(message.addr)
            if not message.flags & 1:
                chip.written(bytes(message))
                continue
            for i, byte in enumerate(chip.asked(message.len)):
                message.buf[i] = byte

    def close(self) -> None:
        """Nothing to close; the chips stay."""


class Unplugged:
    """In place of a chip whose plug is out: nothing acknowledges."""

    def written(self, data: bytes) -> None:
        raise OSError(errno.EREMOTEIO, "Remote I/O error")

    def asked(self, length: int) -> bytes:
        raise OSError(errno.EREMOTEIO, "Remote I/O error")


def registers(data: Sequence[int], start: int, length: int) -> bytes:
    """``length`` registers from ``start``; zeros beyond the last."""
    return bytes(data[start : start + length]).ljust(length, b"\0")
