"""All sensors of one machine, as its configuration names them: the one place where drivers meet pins and buses.

Whoever reads sensors opens them here: the device process, the calibration, the doctor on a machine that is off. What
each of them offers stands in ``device.sensor_report``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from device.button import ButtonReader
from device.config import Config
from device.hx711 import HX711
from device.load import LoadReader
from device.load_converter import LoadConverter
from device.load_path import LoadPath, NoLoad
from device.messages import PartReport, SeatSample, Side
from device.pins import Board
from device.seat import NoSeat, SeatReader
from device.sensor_report import Sensor


class WireTime(NamedTuple):
    """What times the pulses on the load cell's wires (s), and waits between them."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


REAL_TIME = WireTime(time.perf_counter, time.sleep)


@dataclass(frozen=True, slots=True)
class SensorSet:
    """Every sensor; a part that the machine does not have is there too, in a form that says so."""

    load: LoadPath | NoLoad
    seat: Sensor[SeatSample]
    button: ButtonReader

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        """How each part is doing; safe to call from another thread than those that poll."""
        return (*self.load.reports(now_s), *self.seat.reports(now_s))


def open_sensors(config: Config, board: Board, wire_time: WireTime = REAL_TIME) -> SensorSet:
    """Raises PinError for a pin or bus that cannot be had, UserError for a calibration that cannot be used."""
    return SensorSet(
        load=_load(config, board, wire_time),
        seat=_seat(config, board),
        button=ButtonReader(board.input(config.pins.button, "button", pull_up=True)),
    )


def _load(config: Config, board: Board, wire_time: WireTime) -> LoadPath | NoLoad:
    load = config.load
    if load.converter == "none":
        return NoLoad()
    sides: tuple[Side | None, ...] = (None,) if load.cells == 1 else ("left", "right")
    cells = tuple(LoadReader(_converter(config, board, wire_time, side), load, side) for side in sides)
    return LoadPath(cells, load)


def _converter(config: Config, board: Board, wire_time: WireTime, side: Side | None) -> LoadConverter:
    pins, load = config.pins, config.load
    foot, right = f" {side}" if side else "", side == "right"
    return HX711(
        board.input(pins.load_data_right if right else pins.load_data, f"load data{foot}"),
        board.output(pins.load_clock_right if right else pins.load_clock, f"load clock{foot}"),
        load.channel_gain,
        load.samples_per_s,
        pulse_clock=wire_time.now,
        sleep=wire_time.sleep,
    )


def _seat(config: Config, board: Board) -> Sensor[SeatSample]:
    if not config.seat.sensors:
        return NoSeat()
    return SeatReader(board.mcp3008(config.seat.channel, config.pins), config.seat, config.machine)
