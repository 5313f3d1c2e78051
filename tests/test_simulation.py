"""The virtual machine as the real drivers feel it: a whole pass, and each fault injected while they watch."""

import itertools
import math

import pytest
from pin_bench import BenchTime, run

from device.button import ButtonReader
from device.config import Config, Load
from device.hx711 import HX711
from device.load import LoadReader
from device.messages import ButtonPressed
from device.pins import MockBoard
from device.scenario import CELL_COUNTS_PER_KG, GRAVITY_M_S2, ScenarioClock, load_scenario
from device.seat import SeatReader
from device.simulation.machine import PulseTimer, VirtualMachine


class MachineBench:
    def __init__(self, folder, name="mixed", once=False, load=None):
        self.time = BenchTime()
        self.scenario = load_scenario(name)
        self.config = self.scenario.configure(Config())
        if load is not None:
            self.config = self.config.model_copy(update={"load": load})
        self.board, self.clock = MockBoard(), ScenarioClock(folder)
        self.machine = VirtualMachine(
            self.config, self.scenario, self.board, self.clock, once, now=lambda: self.time.now_s
        )
        pins, load = self.config.pins, self.config.load
        self.load = LoadReader(
            HX711(
                self.board.input(pins.load_data, "load cell data"),
                self.board.output(pins.load_clock, "load cell clock"),
                load.channel_gain,
                load.samples_per_s,
                pulse_clock=self.machine.timer.now,
                sleep=self.machine.timer.sleep,
            ),
            load,
        )
        self.seat = SeatReader(
            self.board.mcp3008(self.config.seat.channel, pins), self.config.seat, self.config.machine
        )
        self.button = ButtonReader(self.board.input(pins.button, "button", pull_up=True))

    def start(self, at_s=0.0):
        self.clock.start(self.time.now_s - at_s)
        self.start_s = self.time.now_s - at_s
        return self

    def feel(self, reader, duration_s):
        return [sample for _, sample in run(reader, self.time, duration_s)]


@pytest.fixture
def bench(tmp_path):
    bench = MachineBench(tmp_path)
    yield bench
    bench.board.close()


def test_before_the_start_the_sled_is_racked_and_the_seat_where_it_was_left(bench):
    load, seat = bench.feel(bench.load, 1.0)[-1], bench.feel(bench.seat, 1.0)[-1]
    assert load.kg == pytest.approx(0.0, abs=0.1)
    assert (seat.notch, seat.quality) == (bench.scenario.seat_from_notch, "ok")


def test_through_a_whole_pass_the_load_is_the_sleds_mass_and_its_inertia(bench):
    samples = bench.start().feel(bench.load, bench.scenario.pass_s)
    assert {sample.quality for sample in samples} == {"ok"}
    assert len(samples) == pytest.approx(80 * bench.scenario.pass_s, rel=0.01)
    sine = math.sin(math.radians(bench.scenario.rail_deg))
    errors_kg = []
    for sample in samples:
        # the median of five is two conversions old
        moment = bench.scenario.moment(sample.t_s - bench.start_s - 2.5 / 80)
        errors_kg.append(sample.kg - moment.sled_kg * (1 - moment.acceleration_m_s2 / GRAVITY_M_S2 / sine))
    errors_kg.sort(key=abs)
    assert abs(errors_kg[len(errors_kg) // 2]) < 0.2
    assert abs(errors_kg[int(0.95 * len(errors_kg))]) < 6.0
    assert max(sample.kg for sample in samples) > 1.1 * bench.scenario.set_kg


def test_a_cell_at_the_stack_feels_the_same_machine(tmp_path):
    load = Load(location="stack", counts_per_kg=CELL_COUNTS_PER_KG, tare_counts=84_213)
    bench = MachineBench(tmp_path, load=load).start(at_s=load_scenario("mixed").set_start_s + 0.1)
    assert bench.feel(bench.load, 0.3)[-1].kg == pytest.approx(bench.scenario.set_kg, abs=0.2)
    bench.board.close()


@pytest.mark.parametrize(("gain", "kg"), [("a128", 150.0), ("a64", 75.0), ("b32", 0.0)])
def test_the_channel_and_gain_that_the_driver_asks_for_are_what_it_gets(tmp_path, gain, kg):
    load = Load(location="stack", counts_per_kg=CELL_COUNTS_PER_KG, channel_gain=gain)
    bench = MachineBench(tmp_path, load=load).start(at_s=load_scenario("mixed").set_start_s + 0.1)
    tare_kg = {"a128": 84_213, "a64": 84_213 / 2, "b32": 0}[gain] / CELL_COUNTS_PER_KG
    assert bench.feel(bench.load, 0.4)[-1].kg == pytest.approx(kg + tare_kg, abs=0.3)
    bench.board.close()


def test_the_seat_moves_from_notch_to_notch_while_the_machine_settles(bench):
    samples = bench.start().feel(bench.seat, 3.0)
    assert [quality for quality, _ in itertools.groupby(samples, lambda sample: sample.quality)] == [
        "ok",
        "between",
        "ok",
    ]
    assert (samples[0].notch, samples[-1].notch) == (bench.scenario.seat_from_notch, bench.scenario.seat_notch)


def test_repeated_passes_lift_again_and_once_does_not(tmp_path):
    at_s = load_scenario("clean").pass_s + 2.0
    again = MachineBench(tmp_path / "again", "clean").start(at_s)
    assert again.feel(again.load, 0.5)[-1].kg > 100.0
    again.board.close()
    ended = MachineBench(tmp_path / "ended", "clean", once=True).start(at_s)
    assert ended.feel(ended.load, 0.5)[-1].kg == pytest.approx(0.0, abs=0.1)
    ended.board.close()


@pytest.mark.parametrize(
    ("fault", "qualities"),
    [
        ("silent", ["stale", "failed"]),
        ("stuck_low", ["rejected", "failed"]),
        ("rail_high", ["saturated"]),
        ("rail_low", ["saturated"]),
        ("noise", ["rejected", "failed"]),
        ("corrupt", ["ok"]),
    ],
)
def test_each_fault_of_the_load_path_shows_and_passes(bench, fault, qualities):
    bench.start().feel(bench.load, 0.5)
    bench.machine.load_chip.fault = fault
    found = [quality for quality, _ in itertools.groupby(bench.feel(bench.load, 2.5), lambda sample: sample.quality)]
    assert found == qualities
    bench.machine.load_chip.fault = None
    assert bench.feel(bench.load, 2.0)[-1].quality == "ok"


@pytest.mark.parametrize(
    ("fault", "quality"), [("pot_open", "open"), ("pot_short", "short"), ("unplugged", "open"), ("offset", "between")]
)
def test_each_fault_of_the_seat_shows_and_passes(bench, fault, quality):
    bench.start(at_s=5.0).feel(bench.seat, 0.5)
    bench.machine.pot_fault = {"pot_open": "open", "pot_short": "short"}.get(fault)
    bench.machine.seat_chip.unplugged = fault == "unplugged"
    bench.machine.seat_offset_notches = 0.5 if fault == "offset" else 0.0
    found = bench.feel(bench.seat, 1.0)[-1]
    assert (found.notch, found.quality) == (None, quality)
    bench.machine.pot_fault, bench.machine.seat_chip.unplugged, bench.machine.seat_offset_notches = None, False, 0.0
    assert (bench.feel(bench.seat, 1.0)[-1].notch) == bench.scenario.seat_notch


def test_a_worn_potentiometer_leaps_about(bench):
    bench.start(at_s=5.0).feel(bench.seat, 0.5)
    bench.machine.pot_fault = "jump"
    assert "jump" in {sample.quality for sample in bench.feel(bench.seat, 1.0)}


def test_somebody_leaning_on_the_plate_is_felt(bench):
    bench.start(at_s=12.0)
    bench.machine.extra_kgf = 20.0
    sine = math.sin(math.radians(bench.scenario.rail_deg))
    assert bench.feel(bench.load, 0.3)[-1].kg == pytest.approx(20.0 / sine, abs=0.2)


def test_a_slow_pulse_on_the_wires_resets_the_chip_and_the_load_goes_on(bench):
    bench.start().feel(bench.load, 0.5)
    bench.board.watch(bench.config.pins.load_clock, lambda high: slow.pop()() if slow and not high else None)
    slow = [lambda: bench.machine.timer.sleep(1e-3)]
    samples = bench.feel(bench.load, 1.0)
    assert bench.load.statistics.rejected["slow_pulse"] == 1
    assert {sample.quality for sample in samples} == {"ok"}


def test_the_button_is_pressed_and_released(bench):
    bench.feel(bench.button, 0.1)
    pressed_s = bench.time.now_s
    bench.machine.button.press()
    bench.feel(bench.button, 0.2)
    bench.machine.button.release()
    assert bench.feel(bench.button, 0.2) == [ButtonPressed(pytest.approx(pressed_s, abs=0.011))]


def test_time_on_the_virtual_wires_passes_with_every_look_and_not_with_the_computers_clock():
    timer = PulseTimer()
    first, second = timer.now(), timer.now()
    assert second - first == pytest.approx(PulseTimer.LOOK_S)
    timer.sleep(0.5)
    assert timer.now() - second == pytest.approx(0.5 + PulseTimer.LOOK_S)
