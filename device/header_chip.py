"""Finds the GPIO chip that carries the header, whatever number the kernel gave it."""

from __future__ import annotations

from collections.abc import Sequence

from device.pin_lines import PinError

HEADER_LABEL = "pinctrl-rp1"
"""Label of the Pi 5's header chip, whose number differs between kernels (0, 4, 11-15 were seen)."""


def header_chip(chips: Sequence[tuple[int, str]]) -> int:
    """Number of the GPIO chip that carries the header, of (number, label) pairs. Raises PinError."""
    for number, label in chips:
        if label == HEADER_LABEL:
            return number
    # up to the Pi 4 the header is the SoC's own chip, always number 0 and labelled pinctrl-bcm...
    for number, label in chips:
        if number == 0 and label.startswith("pinctrl-bcm"):
            return number
    found = ", ".join(f"gpiochip{number} {label}" for number, label in chips) or "none"
    raise PinError(
        f"no GPIO chip of a Raspberry Pi header found (found: {found}); on other computers use the simulated "
        "machine: 'legpress demo'"
    )
