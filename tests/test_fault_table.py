"""Every way the sensors can lie: each fault injected at a pin or on a bus, and the reaction and its delay asserted.

A row never lets a wrong value pass: until the reaction comes, and after it, what is told is the truth or nothing.
"""

from __future__ import annotations

import itertools
import typing
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from pin_bench import BenchTime, run

from device import board_advice, machine_health
from device.config import Carriage, Config, Load, Pads, Pins, Seat
from device.messages import PartsReport
from device.pins import MockBoard
from device.scenario import CELL_COUNTS_PER_KG, CELL_TARE_COUNTS, ScenarioClock, load_scenario
from device.sensor_set import WireTime, open_sensors
from device.simulation.machine import VirtualMachine

ON_THE_SLED_KGF = 60.0


def load(**keys: typing.Any) -> Load:
    given = {"location": "stack", "counts_per_kg": CELL_COUNTS_PER_KG, "tare_counts": CELL_TARE_COUNTS, **keys}
    if given.get("cells") == 2:
        given |= {"counts_per_kg_right": CELL_COUNTS_PER_KG, "tare_counts_right": CELL_TARE_COUNTS}
    return Load(**given)


HX711 = Config(load=load())
HX711_SLOW = Config(load=load(samples_per_s=10))
TWO_CELLS = Config(load=load(cells=2))
NAU7802 = Config(load=load(converter="nau7802"))
NAU7802_SLOW = Config(load=load(converter="nau7802", samples_per_s=10))
TWO_NAU7802 = Config(load=load(converter="nau7802", cells=2))
POT = Config()
SWITCH_PINS = Pins(seat_switches=(7, 12, 13, 14, 15, 19, 21))
SWITCHES = Config(pins=SWITCH_PINS, seat=Seat(sensors=("switches",)))
TOF = Config(seat=Seat(sensors=("tof",)))
POT_AND_SWITCHES = Config(pins=SWITCH_PINS, seat=Seat(sensors=("pot", "switches")))
POT_AND_TOF = Config(seat=Seat(sensors=("pot", "tof")))
ENCODER = Config(carriage=Carriage(sensor="encoder"))
CARRIAGE_TOF = Config(carriage=Carriage(sensor="tof"))
PADS = Config(pads=Pads(enabled=True))


class Bench:
    """A virtual machine at rest, with a weight on the sled and the seat in its notch, under the real drivers."""

    def __init__(self, config: Config, folder, before: Callable[[VirtualMachine], object]):
        self.time, self.board = BenchTime(), MockBoard()
        scenario = load_scenario("mixed")
        self.notch = scenario.seat_from_notch
        self.machine = VirtualMachine(config, scenario, self.board, ScenarioClock(folder), now=lambda: self.time.now_s)
        self.machine.extra_kgf = ON_THE_SLED_KGF
        before(self.machine)
        timer = self.machine.timer
        self.sensors = open_sensors(config, self.board, WireTime(timer.now, timer.sleep))

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.board.close()

    def watch(self, sensor: str, duration_s: float):
        return run(getattr(self.sensors, sensor), self.time, duration_s)


def nothing(machine: VirtualMachine) -> None:
    """Injects nothing."""


def fault_of(chip: str, fault: str | None) -> Callable[[VirtualMachine], None]:
    return lambda machine: setattr(getattr(machine, chip), "fault", fault)


def keep(name: str, value: object) -> Callable[[VirtualMachine], None]:
    return lambda machine: setattr(machine, name, value)


@dataclass(frozen=True)
class Row:
    name: str
    config: Config
    sensor: str
    inject: Callable[[VirtualMachine], object]
    reaction: str
    """Quality of the sample that tells."""
    within_s: float
    repair: Callable[[VirtualMachine], object] = nothing
    back_within_s: float = 2.0
    at_start: bool = False
    """The fault is there before the drivers are."""
    named: str | None = None
    """What the part's report calls it; None = not asked."""
    also: tuple[str, ...] = field(default=())
    """Qualities that may come before the reaction."""


def chip_row(
    name: str, config: Config, sensor: str, chip: str, fault: str, reaction: str, within_s: float, **more: typing.Any
) -> Row:
    return Row(name, config, sensor, fault_of(chip, fault), reaction, within_s, fault_of(chip, None), **more)


def unplug_adc(out: bool) -> Callable[[VirtualMachine], None]:
    return lambda machine: setattr(machine.adc, "unplugged", out)


def stuck_switch(machine: VirtualMachine) -> None:
    closed = machine._switch_closed
    machine._switch_closed = lambda notch: notch == 7 or closed(notch)  # type: ignore[method-assign]  # broken on purpose


def dead_switches(machine: VirtualMachine) -> None:
    machine._switch_closed = lambda notch: False  # type: ignore[method-assign]  # broken on purpose


def moved_magnet(machine: VirtualMachine) -> None:
    machine._switch_closed = lambda notch: notch == 6  # type: ignore[method-assign]  # broken on purpose


def turn(count: int, fault: str) -> Callable[[VirtualMachine], None]:
    def inject(machine: VirtualMachine) -> None:
        machine.encoder.fault = fault
        machine.encoder.move_to(machine.encoder.count + count)

    return inject


ROWS = [
    # --- HX711: the cell that every machine has
    chip_row("hx711 dies", HX711, "load", "load_chip", "silent", "stale", 0.045, named="silent"),
    chip_row("hx711 at 10 samples/s dies", HX711_SLOW, "load", "load_chip", "silent", "stale", 0.36, back_within_s=3),
    chip_row("hx711 stays dead", HX711, "load", "load_chip", "silent", "failed", 1.15, also=("stale",)),
    chip_row("hx711 data wire shorted to ground", HX711, "load", "load_chip", "stuck_low", "rejected", 0.13,
             named="not_released"),
    chip_row("hx711 data wire stays shorted", HX711, "load", "load_chip", "stuck_low", "failed", 1.15,
             also=("rejected",)),
    chip_row("bridge wire broken, upper rail", HX711, "load", "load_chip", "rail_high", "saturated", 0.045,
             named="saturated"),
    chip_row("bridge wire broken, lower rail", HX711, "load", "load_chip", "rail_low", "saturated", 0.045),
    chip_row("noise instead of bits", HX711, "load", "load_chip", "noise", "rejected", 0.13, named="outlier"),
    chip_row("noise at 10 samples/s", HX711_SLOW, "load", "load_chip", "noise", "rejected", 0.75, back_within_s=3),
    # --- two cells
    chip_row("left foot's cell dies", TWO_CELLS, "load", "load_chip", "silent", "stale", 0.045),
    chip_row("right foot's cell dies", TWO_CELLS, "load", "load_chip_right", "silent", "stale", 0.045),
    chip_row("right foot's bridge broken", TWO_CELLS, "load", "load_chip_right", "rail_high", "saturated", 0.045),
    chip_row("left foot's data wire shorted", TWO_CELLS, "load", "load_chip", "stuck_low", "rejected", 0.13),
    # --- NAU7802
    chip_row("nau7802 dies", NAU7802, "load", "bridge", "silent", "stale", 0.045, named="silent"),
    chip_row("nau7802 at 10 samples/s dies", NAU7802_SLOW, "load", "bridge", "silent", "stale", 0.36, back_within_s=4),
    chip_row("nau7802 ready pin stuck high", NAU7802, "load", "bridge", "stuck_ready", "rejected", 0.13, named="late"),
    chip_row("nau7802 off the bus", NAU7802, "load", "bridge", "unplugged", "stale", 0.045, named="bus"),
    chip_row("nau7802 upper rail", NAU7802, "load", "bridge", "rail_high", "saturated", 0.045),
    chip_row("nau7802 lower rail", NAU7802, "load", "bridge", "rail_low", "saturated", 0.045),
    chip_row("nau7802 reads nothing but zero", NAU7802, "load", "bridge", "dead", "rejected", 0.13, named="no_value"),
    chip_row("nau7802 missing at the start", NAU7802, "load", "bridge", "unplugged", "failed", 1.6, at_start=True,
             also=("stale", "rejected"), named="bus"),
    chip_row("nau7802 cannot calibrate itself", NAU7802, "load", "bridge", "calibration", "failed", 2.4, at_start=True,
             also=("stale", "rejected"), named="calibration"),
    Row("nau7802's supply breaks down for a moment", NAU7802, "load", lambda m: m.bridge.brown_out(), "stale", 0.045),
    chip_row("right foot's nau7802 dies", TWO_NAU7802, "load", "bridge_right", "silent", "stale", 0.045),
    # --- seat: potentiometer
    Row("wiper wire broken", POT, "seat", keep("pot_fault", "open"), "open", 0.16, keep("pot_fault", None),
        named="open"),
    Row("wiper touches the supply", POT, "seat", keep("pot_fault", "short"), "short", 0.16, keep("pot_fault", None),
        named="short"),
    Row("worn potentiometer leaps", POT, "seat", keep("pot_fault", "jump"), "jump", 0.3, keep("pot_fault", None),
        also=("between",)),
    Row("converter unplugged", POT, "seat", unplug_adc(True), "open", 0.16, unplug_adc(False)),
    Row("seat between notches", POT, "seat", keep("seat_offset_notches", 0.5), "between", 0.31,
        keep("seat_offset_notches", 0.0), also=("jump",)),
    # --- seat: switches
    Row("no switch closed", SWITCHES, "seat", dead_switches, "no_switch", 0.09, named="no_switch"),
    Row("two switches closed", SWITCHES, "seat", stuck_switch, "two_switches", 0.09, named="two_switches"),
    Row("seat between switches", SWITCHES, "seat", keep("seat_offset_notches", 0.5), "no_switch", 0.09,
        keep("seat_offset_notches", 0.0)),
    # --- seat: time of flight
    chip_row("seat ranger unplugged", TOF, "seat", "seat_ranger", "unplugged", "stale", 0.5, named="bus"),
    chip_row("seat ranger stays unplugged", TOF, "seat", "seat_ranger", "unplugged", "failed", 1.25, also=("stale",)),
    chip_row("seat ranger hangs", TOF, "seat", "seat_ranger", "silent", "stale", 0.5, back_within_s=3),
    chip_row("seat ranger's window is dirty", TOF, "seat", "seat_ranger", "weak", "stale", 0.5, named="weak"),
    chip_row("seat ranger sees past its target", TOF, "seat", "seat_ranger", "wrapped", "stale", 0.5, named="wrapped"),
    chip_row("seat ranger reports a fault", TOF, "seat", "seat_ranger", "hardware", "stale", 0.5, named="hardware"),
    chip_row("another chip at the ranger's address", TOF, "seat", "seat_ranger", "wrong_chip", "failed", 1.3,
             at_start=True, also=("stale",), named="wrong_chip"),
    chip_row("seat ranger never boots", TOF, "seat", "seat_ranger", "never_boots", "failed", 1.3, at_start=True,
             also=("stale",), named="silent", back_within_s=3),
    Row("a leg before the seat ranger", TOF, "seat", lambda m: setattr(m, "_seat_distance_m", None) or
        setattr(m.seat_ranger, "_distance_m", lambda t_s: 0.05), "stale", 0.5, named="out_of_place"),
    # --- seat: two sensors
    Row("switch of the wrong notch", POT_AND_SWITCHES, "seat", moved_magnet, "disagree", 0.8, also=("jump",),
        named="disagree"),
    Row("ranger and potentiometer differ", POT_AND_TOF, "seat",
        lambda m: setattr(m.seat_ranger, "_distance_m", lambda t_s: 0.45), "disagree", 1.3, also=("jump",)),
    # --- carriage
    Row("encoder channel A dead", ENCODER, "carriage", turn(400, "dead_a"), "failed", 0.03, named="dead_channel"),
    Row("encoder channel B dead", ENCODER, "carriage", turn(400, "dead_b"), "failed", 0.03, named="dead_channel"),
    Row("noise on the encoder's wires", ENCODER, "carriage", lambda m: m.encoder.move_to(m.encoder.count + 4000),
        "failed", 0.03, named="leap"),
    chip_row("carriage ranger unplugged", CARRIAGE_TOF, "carriage", "carriage_ranger", "unplugged", "stale", 0.5),
    chip_row("carriage ranger stays blind", CARRIAGE_TOF, "carriage", "carriage_ranger", "weak", "failed", 1.2,
             also=("stale",), named="weak"),
    # --- back pad
    Row("lumbar sensor's wire broken", PADS, "pads", keep("pad_shares", (0.0, 0.45)), "open", 0.07,
        keep("pad_shares", (0.45, 0.45)), named="open"),
    Row("sacral sensor squashed", PADS, "pads", keep("pad_shares", (0.45, 1.0)), "short", 0.07,
        keep("pad_shares", (0.45, 0.45)), named="short"),
    Row("pads' converter unplugged", PADS, "pads", unplug_adc(True), "open", 0.07, unplug_adc(False)),
]  # fmt: skip


def truthful(sample, bench: Bench) -> bool:
    """The sample tells the truth or nothing."""
    name = type(sample).__name__
    if name == "LoadSample":
        return sample.kg is None or abs(sample.kg - ON_THE_SLED_KGF) < 1.0
    if name == "SeatSample":
        return sample.notch is None or sample.notch == bench.notch
    return True


def reports(bench: Bench) -> list[str | None]:
    return [part.last_fault for part in bench.sensors.reports(bench.time.now_s)]


@pytest.mark.parametrize("row", [row for row in ROWS if row.named], ids=lambda row: row.name.replace(" ", "_"))
def test_a_fault_that_stays_turns_its_row_of_the_doctor_with_what_to_do(row: Row, tmp_path):
    with Bench(row.config, tmp_path, row.inject if row.at_start else nothing) as bench:
        if not row.at_start:
            bench.watch(row.sensor, 1.6)
            row.inject(bench.machine)
        bench.watch(row.sensor, 4.0)
        report = PartsReport(bench.time.now_s, bench.sensors.reports(bench.time.now_s))
        turned = [finding for finding in machine_health.parts(report) if finding.health != "ok"]
        assert turned and all(finding.advice for finding in turned)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "_"))
def test_the_fault_is_told_in_time_and_nothing_false_before_or_after(row: Row, tmp_path):
    with Bench(row.config, tmp_path, row.inject if row.at_start else nothing) as bench:
        if not row.at_start:
            before = bench.watch(row.sensor, 1.6)
            assert before[-1][1].quality == "ok"
            row.inject(bench.machine)
        injected_s = bench.time.now_s
        samples = bench.watch(row.sensor, row.within_s + 0.7)
        told = [(at_s, sample) for at_s, sample in samples if sample.quality == row.reaction]
        assert told, f"never told; seen {sorted({sample.quality for _, sample in samples})}"
        assert told[0][0] - injected_s <= row.within_s
        earlier = {sample.quality for at_s, sample in samples if at_s < told[0][0]}
        assert earlier <= {"ok", *row.also}
        assert [sample for _, sample in samples if not truthful(sample, bench)] == []
        if row.named is not None:
            assert row.named in reports(bench)
        if row.repair is not nothing:
            row.repair(bench.machine)
            back = bench.watch(row.sensor, row.back_within_s)
            assert back[-1][1].quality == "ok"
            assert [sample for _, sample in back if not truthful(sample, bench)] == []


def test_the_table_has_more_than_forty_rows_each_of_its_own_name():
    assert len(ROWS) > 40
    assert len({row.name for row in ROWS}) == len(ROWS)


TOLERATED = [
    ("hx711 with 5 % corrupted frames", HX711, "load", fault_of("load_chip", "corrupt"), 0.1),
    ("nau7802 with 5 % corrupted frames", NAU7802, "load", fault_of("bridge", "corrupt"), 0.1),
    ("two cells, the right one with 5 % corrupted frames", TWO_CELLS, "load", fault_of("load_chip_right", "corrupt"),
     0.1),
    ("one slow pulse", HX711, "load", lambda m: m.timer.sleep(1e-3), 0.1),
    ("a nau7802 whose clock is 8 % slow", NAU7802, "load", lambda m: setattr(m.bridge, "rate_error", 1.08), 0.1),
    ("potentiometer open, switches go on", POT_AND_SWITCHES, "seat", keep("pot_fault", "open"), 0.1),
    ("seat ranger unplugged, potentiometer goes on", POT_AND_TOF, "seat", fault_of("seat_ranger", "unplugged"), 0.1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "config", "sensor", "inject", "longest_gap_s"), TOLERATED, ids=lambda v: str(v)[:40])
def test_what_can_be_survived_is_survived_without_a_gap(name, config, sensor, inject, longest_gap_s, tmp_path):
    with Bench(config, tmp_path, nothing) as bench:
        bench.watch(sensor, 1.6)
        inject(bench.machine)
        samples = bench.watch(sensor, 6.0)
        assert {sample.quality for _, sample in samples} == {"ok"}
        assert [sample for _, sample in samples if not truthful(sample, bench)] == []
        assert max(b - a for (a, _), (b, _) in itertools.pairwise(samples)) <= longest_gap_s + 1e-6


BOARD_ROWS = [
    ("GPIO busy", lambda at: board_advice.gpio_advice("GPIO busy"), "gpioinfo"),
    ("no permission for the header", lambda at: board_advice.gpio_advice("can not open gpiochip"), "usermod -aG gpio "),
    ("SPI off", lambda at: board_advice.spi_advice("can not open SPI device", at), "Interface Options, SPI"),
    ("SPI without permission", lambda at: board_advice.spi_advice("Permission denied", made(at, "spidev0.0")),
     "usermod -aG spi "),
    ("I2C off", lambda at: board_advice.i2c_advice("No such file", 1, at), "Interface Options, I2C"),
    ("second I2C bus missing", lambda at: board_advice.i2c_advice("No such file", 3, at), "dtoverlay=i2c-gpio,bus=3"),
    ("I2C without permission", lambda at: board_advice.i2c_advice("Permission denied", 1, made(at, "i2c-1")),
     "usermod -aG i2c "),
]  # fmt: skip


def made(folder, name):
    (folder / name).touch()
    return folder


@pytest.mark.parametrize(("name", "advice", "says"), BOARD_ROWS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_board_that_refuses_is_told_with_its_own_cure(name, advice, says, tmp_path):
    told = advice(tmp_path)
    assert says in told
    others = [other for _, _, other in BOARD_ROWS if other != says]
    assert [other for other in others if other in told] == []
