"""The wiring diagram of ``docs/hardware.md``, drawn from the pin map so that the two cannot differ.

``python -m device.wiring_diagram > docs/wiring.svg`` draws it for the default pins; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from device.config import Pins

PHYSICAL: Final = {
    2: 3, 3: 5, 4: 7, 17: 11, 27: 13, 22: 15, 10: 19, 9: 21, 11: 23, 5: 29, 6: 31, 13: 33, 19: 35, 26: 37,
    14: 8, 15: 10, 18: 12, 23: 16, 24: 18, 25: 22, 8: 24, 7: 26, 12: 32, 16: 36, 20: 38, 21: 40,
}  # fmt: skip
"""Header pin of each BCM number (the 40-pin header is the same on every Raspberry Pi since the B+)."""
SUPPLY: Final = {
    1: "3.3 V", 17: "3.3 V", 2: "5 V", 4: "5 V",
    6: "GND", 9: "GND", 14: "GND", 20: "GND", 25: "GND", 30: "GND", 34: "GND", 39: "GND",
    27: "ID", 28: "ID",
}  # fmt: skip

WIDTH, HEIGHT = 1080, 990
ROW = 38
"""Height of one header row and of one line in a box, px."""
HEADER_X, HEADER_Y = 172, 96
BOX_X, BOX_WIDTH = 400, 650
LOAD, SEAT, SOUND, LIGHT, BUTTON, BUS = "#1f6feb", "#8250df", "#bc4c00", "#1a7f37", "#9a6700", "#57606a"
WIRES: Final = {"3.3 V": "#cf222e", "5 V": "#8b1a1a", "GND": "#24292f", "ID": "#8c959f"}


@dataclass(frozen=True)
class Wire:
    """One line of a box: the pin (BCM, or a supply's name), what lies between, where it ends, and a branch."""

    pin: int | str
    between: str
    ends: str
    branch: str = ""


@dataclass(frozen=True)
class Box:
    title: str
    colour: str
    wires: tuple[Wire, ...]


def boxes(pins: Pins) -> tuple[Box, ...]:
    """What is connected, part by part; the parts that a machine may have besides stand in the text."""
    light = "light, - to collector, + to 5 V"
    return (
        Box(
            "Load cell on HX711 (board strapped for 80 samples/s: RATE high)",
            LOAD,
            (
                Wire("3.3 V", "", "VCC and VDD"),
                Wire("GND", "", "GND; the cable's shield here only"),
                Wire(pins.load_data, "", "DT (DOUT)"),
                Wire(pins.load_clock, "", "SCK", "10 kOhm to GND"),
            ),
        ),
        Box(
            "Seat potentiometer on MCP3008, channel 0",
            SEAT,
            (
                Wire("3.3 V", "", "VDD and VREF"),
                Wire("3.3 V", "560 Ohm", "one end of the potentiometer (10 kOhm)"),
                Wire("GND", "560 Ohm", "its other end; its wiper to CH0"),
                Wire("GND", "", "AGND and DGND"),
                Wire(pins.seat_spi_clock, "", "CLK"),
                Wire(pins.seat_spi_miso, "", "DOUT", "10 kOhm to GND"),
                Wire(pins.seat_spi_mosi, "", "DIN"),
                Wire(pins.seat_spi_select, "", "CS"),
            ),
        ),
        Box(
            "Buzzer, active, 5 V, on an NPN transistor (2N2222)",
            SOUND,
            (Wire(pins.buzzer, "1 kOhm", "base; buzzer, - to collector, + to 5 V", "10 kOhm to GND"),),
        ),
        Box(
            "Light, 5 V, on three NPN transistors",
            LIGHT,
            (
                Wire(pins.light_red, "1 kOhm", f"base; red {light}", "10 kOhm to GND"),
                Wire(pins.light_green, "1 kOhm", f"base; green {light}", "10 kOhm to GND"),
                Wire(pins.light_blue, "1 kOhm", f"base; blue {light}", "10 kOhm to GND"),
            ),
        ),
        Box("Button (the Pi pulls it up)", BUTTON, (Wire(pins.button, "", "button to GND"),)),
    )


def svg(pins: Pins) -> str:
    """The whole drawing."""
    parts = boxes(pins)
    used = {wire.pin: box.colour for box in parts for wire in box.wires if isinstance(wire.pin, int)}
    body = [*_header(used)]
    y = 64
    for box in parts:
        lines, height = _box(box, y)
        body += lines
        y += height + 14
    title = "Wiring of the leg press companion, default pins"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"',
            '  font-family="DejaVu Sans, Arial, sans-serif" font-size="14" fill="#24292f">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            _text(20, 34, f"{title} (BCM numbers)", size=20, weight="bold"),
            *body,
            "</svg>",
            "",
        ]
    )


def _header(used: dict[int, str]) -> Iterator[str]:
    yield _text(HEADER_X + 30, HEADER_Y - 26, "Raspberry Pi, 40-pin header", anchor="middle", weight="bold")
    yield f'<rect x="{HEADER_X}" y="{HEADER_Y - 16}" width="60" height="{20 * ROW + 2}" rx="6" fill="#24292f"/>'
    by_physical = {physical: bcm for bcm, physical in PHYSICAL.items()}
    for physical in range(1, 41):
        left = physical % 2 == 1
        x = HEADER_X + (16 if left else 44)
        y = HEADER_Y + (physical - 1) // 2 * ROW + 4
        bcm = by_physical.get(physical)
        name = SUPPLY.get(physical) if bcm is None else f"GPIO {bcm}"
        colour = WIRES[str(name)] if bcm is None else used.get(bcm, "#d0d7de")
        yield f'<circle cx="{x}" cy="{y}" r="9" fill="{colour}" stroke="#ffffff"/>'
        ink = "#24292f" if colour == "#d0d7de" else "#ffffff"
        yield _text(x, y + 3.5, str(physical), anchor="middle", size=9, colour=ink)
        at = HEADER_X - 8 if left else HEADER_X + 68
        shade = colour if bcm is None or bcm in used else "#8c959f"
        yield _text(at, y + 5, str(name), anchor="end" if left else "start", size=13, colour=shade)


def _box(box: Box, y: int) -> tuple[list[str], int]:
    height = 40 + len(box.wires) * ROW
    lines = [
        f'<rect x="{BOX_X}" y="{y}" width="{BOX_WIDTH}" height="{height}" rx="8" fill="#f6f8fa" '
        f'stroke="{box.colour}"/>',
        _text(BOX_X + 14, y + 24, box.title, weight="bold", colour=box.colour),
    ]
    for index, wire in enumerate(box.wires):
        lines += _wire(wire, box.colour, y + 50 + index * ROW)
    return lines, height


def _wire(wire: Wire, colour: str, y: int) -> list[str]:
    named = wire.pin if isinstance(wire.pin, str) else f"GPIO {wire.pin} = pin {PHYSICAL[wire.pin]}"
    ink = WIRES[wire.pin] if isinstance(wire.pin, str) else colour
    x = BOX_X + 14
    out = [
        f'<rect x="{x}" y="{y - 12}" width="142" height="24" rx="12" fill="{ink}"/>',
        _text(x + 71, y + 5, named, anchor="middle", size=13, colour="#ffffff"),
        f'<path d="M{x + 142} {y} H{x + 300}" stroke="{ink}" stroke-width="2" fill="none"/>',
        _text(x + 308, y + 5, wire.ends),
    ]
    if wire.between:
        out += _resistor(x + 152, y, wire.between, ink)
    if wire.branch:
        # the pull-down sits on the Pi's side of the series resistor's far end: at the base, or on the line itself
        out += [
            f'<circle cx="{x + 238}" cy="{y}" r="3.5" fill="{ink}"/>',
            f'<path d="M{x + 238} {y} V{y + 17} H{x + 246}" stroke="#24292f" stroke-width="1.5" fill="none"/>',
            _text(x + 250, y + 21, wire.branch, size=11),
        ]
    return out


def _resistor(x: int, y: int, value: str, ink: str) -> list[str]:
    return [
        f'<rect x="{x}" y="{y - 9}" width="66" height="18" fill="#ffffff" stroke="{ink}" stroke-width="1.5"/>',
        _text(x + 33, y + 4.5, value, anchor="middle", size=12),
    ]


def _text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    size: int = 14,
    weight: str = "normal",
    colour: str = "#24292f",
) -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{colour}">'
        f"{escape(words)}</text>"
    )


if __name__ == "__main__":
    sys.stdout.write(svg(Pins()))
