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
from device.carriage import EncoderCarriage, NoCarriage, RangeCarriage
from device.config import Config
from device.hx711 import HX711
from device.load import LoadReader
from device.load_converter import LoadConverter
from device.load_path import LoadPath, NoLoad
from device.messages import CarriageSample, PadSample, PartReport, SeatSample, Side
from device.nau7802 import ADDRESS as NAU7802_ADDRESS
from device.nau7802 import NAU7802
from device.pad_pressure import NoPads, PadReader
from device.pins import Board
from device.range_part import RangePart
from device.seat import NoSeat, SeatReader
from device.seat_check import CrossCheckedSeat
from device.seat_range import RangeSeat
from device.seat_switches import SwitchSeat
from device.sensor_report import Sensor
from device.vl53l1x import ADDRESS as VL53L1X_ADDRESS
from device.vl53l1x import VL53L1X


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
    carriage: Sensor[CarriageSample]
    pads: Sensor[PadSample]
    button: ButtonReader

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        """How each part is doing; safe to call from another thread than those that poll."""
        sensors = (self.load, self.seat, self.carriage, self.pads)
        return tuple(part for sensor in sensors for part in sensor.reports(now_s))


def open_sensors(config: Config, board: Board, wire_time: WireTime = REAL_TIME) -> SensorSet:
    """Raises PinError for a pin or bus that cannot be had, UserError for a calibration that cannot be used."""
    return SensorSet(
        load=_load(config, board, wire_time),
        seat=_seat(config, board),
        carriage=_carriage(config, board),
        pads=_pads(config, board),
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
    if load.converter == "nau7802":
        return NAU7802(
            board.i2c(load.bus_right if right else load.bus, NAU7802_ADDRESS, f"load converter{foot}"),
            board.input(pins.load_ready_right if right else pins.load_ready, f"load ready{foot}"),
            load.samples_per_s,
        )
    return HX711(
        board.input(pins.load_data_right if right else pins.load_data, f"load data{foot}"),
        board.output(pins.load_clock_right if right else pins.load_clock, f"load clock{foot}"),
        load.channel_gain,
        load.samples_per_s,
        pulse_clock=wire_time.now,
        sleep=wire_time.sleep,
    )


def _seat(config: Config, board: Board) -> Sensor[SeatSample]:
    readers = [_seat_reader(kind, config, board) for kind in config.seat.sensors]
    if not readers:
        return NoSeat()
    return readers[0] if len(readers) == 1 else CrossCheckedSeat(readers[0], readers[1], config.seat)


def _seat_reader(kind: str, config: Config, board: Board) -> Sensor[SeatSample]:
    seat, machine = config.seat, config.machine
    if kind == "pot":
        return SeatReader(board.mcp3008(seat.channel, config.pins), seat, machine)
    if kind == "switches":
        pins = config.pins.seat_switches
        lines = [board.input(pin, f"seat switch {i}", pull_up=True) for i, pin in enumerate(pins, start=1)]
        return SwitchSeat(lines, machine)
    return RangeSeat(_ranger(board, seat.tof_bus, "seat ranger"), seat, machine)


def _carriage(config: Config, board: Board) -> Sensor[CarriageSample]:
    carriage, pins = config.carriage, config.pins
    if carriage.sensor == "encoder":
        return EncoderCarriage(board.quadrature(pins.carriage_a, pins.carriage_b, "carriage encoder"), carriage)
    if carriage.sensor == "tof":
        return RangeCarriage(_ranger(board, carriage.tof_bus, "carriage ranger"), carriage)
    return NoCarriage()


def _pads(config: Config, board: Board) -> Sensor[PadSample]:
    pads = config.pads
    if not pads.enabled:
        return NoPads()
    return PadReader(board.mcp3008(pads.lumbar_channel, config.pins), board.mcp3008(pads.sacrum_channel, config.pins))


def _ranger(board: Board, bus: int, name: str) -> RangePart:
    return RangePart(VL53L1X(board.i2c(bus, VL53L1X_ADDRESS, name)), name)
