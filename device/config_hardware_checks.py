"""Rules that hold across the keys of the hardware: no pin twice, no two chips at one address, nothing impossible."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Final

from device.config import Config
from device.config_faults import ConfigFault
from device.config_lines import KeyPath

I2C_PINS: Final = {2: "SDA", 3: "SCL"}
"""Header pins of /dev/i2c-1."""
STEEPEST_FLAT_DEG = 5.0
"""On rails flatter than this a cell under the plate feels next to no weight (ours)."""


def pins_in_use(config: Config) -> Iterator[tuple[KeyPath, int]]:
    """Where each pin that this configuration makes use of is named, and its BCM number; in the schema's order."""
    pins, load, outputs = config.pins, config.load, config.outputs
    names: list[str] = []
    if load.converter == "hx711":
        names += ["load_data", "load_clock"]
        names += ["load_data_right", "load_clock_right"] if load.cells == 2 else []
    if load.converter == "nau7802":
        names += ["load_ready"] + (["load_ready_right"] if load.cells == 2 else [])
    if "pot" in config.seat.sensors or config.pads.enabled:
        names += ["seat_spi_clock", "seat_spi_mosi", "seat_spi_miso", "seat_spi_select"]
    if "switches" in config.seat.sensors:
        yield from ((("pins", "seat_switches", i), pin) for i, pin in enumerate(pins.seat_switches))
    if config.carriage.sensor == "encoder":
        names += ["carriage_a", "carriage_b"]
    names += ["buzzer"] if outputs.buzzer != "none" else []
    names += ["light_red", "light_green", "light_blue"] if outputs.light != "none" else []
    for name in (*names, "button"):
        yield ("pins", name), getattr(pins, name)


def i2c_in_use(config: Config) -> Iterator[tuple[KeyPath, int, int]]:
    """Where each I2C chip's bus is named, the bus, and the chip's address (fixed by the chip)."""
    if config.load.converter == "nau7802":
        yield ("load", "bus"), config.load.bus, 0x2A
        if config.load.cells == 2:
            yield ("load", "bus_right"), config.load.bus_right, 0x2A
    if "tof" in config.seat.sensors:
        yield ("seat", "tof_bus"), config.seat.tof_bus, 0x29
    if config.carriage.sensor == "tof":
        yield ("carriage", "tof_bus"), config.carriage.tof_bus, 0x29


def _name(path: KeyPath) -> str:
    return ConfigFault(path, "").key


def _pins(config: Config) -> Iterator[ConfigFault]:
    taken: dict[int, str] = {}
    if any(bus == 1 for _, bus, _ in i2c_in_use(config)):
        taken = {pin: f"I2C ({line})" for pin, line in I2C_PINS.items()}
    for path, pin in pins_in_use(config):
        if pin in taken:
            yield ConfigFault(path, f"= {pin}: taken by {taken[pin]}; each device needs its own pin")
        else:
            taken[pin] = _name(path)


def _buses(config: Config) -> Iterator[ConfigFault]:
    taken: dict[tuple[int, int], str] = {}
    for path, bus, address in i2c_in_use(config):
        if (bus, address) in taken:
            yield ConfigFault(
                path,
                f"= {bus}: {taken[bus, address]} has a chip at the same address 0x{address:02X} on it; "
                "give each a bus of its own (dtoverlay=i2c-gpio or a second i2c in config.txt)",
            )
        else:
            taken[bus, address] = _name(path)


def _load(config: Config) -> Iterator[ConfigFault]:
    load = config.load
    for name in ("counts_per_kg", "counts_per_kg_right"):
        if getattr(load, name) == 0:
            yield ConfigFault(
                ("load", name),
                "= 0: would divide by zero; allowed -1000000 to 1000000 but 0, from a known weight, or leave the key "
                "out",
            )
    if load.converter == "hx711" and load.samples_per_s not in (10, 80):
        yield ConfigFault(
            ("load", "samples_per_s"), f"= {load.samples_per_s}: an HX711 gives 10 or 80; 20, 40, 320 need a NAU7802"
        )
    if load.converter == "nau7802" and load.channel_gain != "a128":
        yield ConfigFault(
            ("load", "channel_gain"), f'= "{load.channel_gain}": only an HX711 has it; leave the key out with a NAU7802'
        )
    if load.location == "plate" and load.rail_deg < STEEPEST_FLAT_DEG and load.counts_per_kg is not None:
        yield ConfigFault(
            ("load", "rail_deg"),
            f"= {load.rail_deg:g}: a cell under the plate feels no weight on rails flatter than "
            f'{STEEPEST_FLAT_DEG:g} (degrees); set load.location = "stack" or correct the angle',
        )


def _seat(config: Config) -> Iterator[ConfigFault]:
    seat, notches = config.seat, config.machine.seat_notches_m
    if seat.reading_at_first == seat.reading_at_last:
        problem = f"= {seat.reading_at_last}: must differ from seat.reading_at_first"
        yield ConfigFault(("seat", "reading_at_last"), problem)
    shown = "[" + ", ".join(f'"{sensor}"' for sensor in seat.sensors) + "]"
    if len(seat.sensors) > 2 or len(set(seat.sensors)) != len(seat.sensors):
        problem = f"= {shown}: allowed none, one or two different of pot, switches, tof"
        yield ConfigFault(("seat", "sensors"), problem)
    if "switches" in seat.sensors and len(config.pins.seat_switches) != len(notches):
        yield ConfigFault(
            ("pins", "seat_switches"),
            f"= {list(config.pins.seat_switches)}: {len(config.pins.seat_switches)} pins for the {len(notches)} "
            "notches of machine.seat_notches_m; each notch needs its switch",
        )
    if "tof" in seat.sensors and notches and seat.tof_direction == "towards" and seat.tof_first_m < notches[-1] + 0.04:
        yield ConfigFault(
            ("seat", "tof_first_m"),
            f"= {seat.tof_first_m:g}: with the distance shrinking over {notches[-1]:g} m of notches it must be at "
            f"least {notches[-1] + 0.04:g} (metres): a VL53L1X sees nothing nearer than 0.04",
        )


def _channels(config: Config) -> Iterator[ConfigFault]:
    used: list[tuple[KeyPath, int]] = []
    if "pot" in config.seat.sensors:
        used.append((("seat", "channel"), config.seat.channel))
    if config.pads.enabled:
        used.append((("pads", "lumbar_channel"), config.pads.lumbar_channel))
        used.append((("pads", "sacrum_channel"), config.pads.sacrum_channel))
    for (before, channel), (path, other) in itertools.combinations(used, 2):
        if channel == other:
            yield ConfigFault(path, f"= {other}: taken by {_name(before)}; each sensor needs its own channel, 0 to 7")
    if config.pads.lost >= config.pads.contact:
        problem = f"= {config.pads.lost:g}: must be below pads.contact = {config.pads.contact:g}"
        yield ConfigFault(("pads", "lost"), problem)


def _carriage(config: Config) -> Iterator[ConfigFault]:
    if config.carriage.counts_per_m == 0:
        yield ConfigFault(("carriage", "counts_per_m"), "= 0: would divide by zero; allowed -1000000 to 1000000 but 0")


def _outputs(config: Config) -> Iterator[ConfigFault]:
    outputs = config.outputs
    for name in ("loudness_day", "loudness_night"):
        loudness = getattr(outputs, name)
        if outputs.buzzer == "active" and loudness != 1.0:
            yield ConfigFault(
                ("outputs", name),
                f'= {loudness:g}: an active buzzer has one loudness, 1; use buzzer = "passive", or dampen it with a '
                "resistor in series or tape over its hole",
            )
    if outputs.night_from == outputs.night_to:
        problem = f'= "{outputs.night_to}": must differ from outputs.night_from; for one loudness set both the same'
        yield ConfigFault(("outputs", "night_to"), problem)


HARDWARE_CHECKS: Final[tuple[Callable[[Config], Iterator[ConfigFault]], ...]] = (
    _pins,
    _buses,
    _load,
    _seat,
    _channels,
    _carriage,
    _outputs,
)
