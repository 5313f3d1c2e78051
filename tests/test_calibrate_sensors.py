"""The guided calibrations of load and seat, on the virtual machine's real drivers, with an installer who errs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pin_bench import BenchTime, run

from device import calibration_store
from device.calibration_desk import CalibrationDesk
from device.calibration_guide import Progress, Refused, answer_of
from device.calibration_store import CalibrationStoreError
from device.command import calibrate_sensor
from device.command.calibrate_sensor import SensorGuide
from device.command.calibrate_steps import Dialogue
from device.config import Config, Load, Paths, Pins, Seat, Simulation
from device.errors import UserError
from device.load_calibration import LoadSteps
from device.messages import CommandReply, Side
from device.pins import MockBoard
from device.scenario import CELL_COUNTS_PER_KG, CELL_TARE_COUNTS, ScenarioClock, load_scenario
from device.seat_calibration import line_through
from device.sensor_calibration import SensorCalibration
from device.sensor_set import WireTime, open_sensors
from device.simulation.machine import VirtualMachine

GO_ON = ""


def config_in(folder: Path, load: Load | None = None, seat: Seat | None = None) -> Config:
    return Config(
        paths=Paths(state_dir=folder / "state", runtime_dir=folder / "run"),
        pins=Pins(factory="mock"),
        load=load or Load(),
        seat=seat or Seat(),
        simulation=Simulation(scenario="rounding"),
    )


class Bench:
    """The virtual machine, its real drivers and the device's desk."""

    def __init__(self, folder: Path, config: Config | None = None, polled: str = "load") -> None:
        self.given = config or config_in(folder)
        self.polled = polled
        self.time = BenchTime()
        self.changes = 0
        self.board: MockBoard | None = None
        self.open()

    def open(self) -> None:
        """As the device process does, at its start and after a new calibration."""
        if self.board is not None:
            self.board.close()
        self.config = calibration_store.in_force(self.given)
        self.board = MockBoard()
        self.machine = VirtualMachine(
            self.config,
            load_scenario("rounding"),
            self.board,
            ScenarioClock(self.given.paths.runtime_dir),
            now=lambda: self.time.now_s,
        )
        wires = WireTime(self.machine.timer.now, self.machine.timer.sleep)
        self.sensors = open_sensors(self.config, self.board, wires)
        self.desk = CalibrationDesk(self.config, self.given, self._changed)
        self.pass_time(0.5)

    def _changed(self) -> None:
        self.changes += 1

    def pass_time(self, duration_s: float) -> None:
        for _, sample in run(getattr(self.sensors, self.polled), self.time, duration_s):
            self.desk.note(sample)

    def ask(self, config: Config, wish: dict[str, Any]) -> dict[str, Any]:
        error, data = self.desk.answer(json.dumps(wish), self.time.now_s)
        if error is not None:
            raise Refused(error)
        if wish["do"] in ("store", "undo"):
            self.open()
        found = json.loads(data or "")
        assert isinstance(found, dict)
        return found

    def hand(self, **what: float) -> None:
        folder = self.given.paths.runtime_dir
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / "hand.new"
        fresh.write_text(json.dumps(what))
        fresh.replace(folder / "hand.json")


Act = str | tuple[Callable[[], None], str]


class Installer:
    """Does and types one thing after another."""

    def __init__(self, bench: Bench, *acts: Act) -> None:
        self.bench, self.acts, self.out = bench, list(acts), io.StringIO()
        self.talk = Dialogue(self._line, self.out, sleep=bench.pass_time)

    def _line(self) -> str:
        if not self.acts:
            raise UserError("no more input")
        act = self.acts.pop(0)
        if isinstance(act, str):
            return act
        act[0]()
        return act[1]

    @property
    def told(self) -> str:
        return self.out.getvalue()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path)
    monkeypatch.setattr(calibrate_sensor, "ask_device", made.ask)
    yield made
    assert made.board is not None
    made.board.close()


def put(bench: Bench, kg: float) -> Callable[[], None]:
    return lambda: bench.hand(load_kg=kg)


def calibrate_load_with(bench: Bench, *acts: Act, undo: bool = False, again: bool = False) -> tuple[int, str]:
    installer = Installer(bench, *acts)
    code = SensorGuide(bench.given, installer.talk, "load").run(back=undo, again=again)
    return code, installer.told


def refused(bench: Bench, *acts: Act) -> str:
    installer = Installer(bench, *acts)
    with pytest.raises(Refused) as refusal:
        SensorGuide(bench.given, installer.talk, "load").run(back=False, again=True)
    assert bench.changes == 0
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


# --- load ----------------------------------------------------------------------------------------


def test_tare_a_weight_and_a_second_one_give_the_cells_true_calibration(bench: Bench) -> None:
    code, told = calibrate_load_with(bench, GO_ON, (put(bench, 50), "50"), (put(bench, 100), "100 kg"), "y")
    assert code == 0
    found = calibration_store.stored(bench.given.paths.state_dir).load
    assert found is not None
    assert found.counts_per_kg == pytest.approx(CELL_COUNTS_PER_KG, rel=0.001)
    assert found.tare_counts == pytest.approx(CELL_TARE_COUNTS, abs=50)
    assert "Before: not calibrated" in told
    assert "After:  80" in told and "counts per kg, zero at 842" in told
    assert "unique values" in told and "(expected 80)" in told and "Saturated: 0" in told


def test_the_device_weighs_right_with_the_new_calibration(bench: Bench) -> None:
    calibrate_load_with(bench, GO_ON, (put(bench, 40), "40"), (put(bench, 80), "80"), "y")
    bench.hand(load_kg=123.0)
    last = run(bench.sensors.load, bench.time, 0.5)[-1][1]
    assert (last.quality, last.kg) == ("ok", pytest.approx(123.0, abs=0.2))


def test_nothing_changes_without_a_yes(bench: Bench) -> None:
    code, told = calibrate_load_with(bench, GO_ON, (put(bench, 50), "50"), (put(bench, 100), "100"), "")
    assert (code, bench.changes) == (1, 0)
    assert told.endswith("Nothing was changed. What was measured is kept for an hour.\n")


def test_an_interrupted_calibration_goes_on_where_it_was_left(bench: Bench) -> None:
    with pytest.raises(UserError, match="no more input"):
        calibrate_load_with(bench, GO_ON, (put(bench, 50), "50"))
    code, told = calibrate_load_with(bench, (put(bench, 100), "100"), "y")
    assert code == 0
    assert "Going on where it was left (empty, first measured; --again: anew)." in told
    assert "Step 1 of 4" not in told


def test_a_calibration_can_be_undone_and_the_undoing_too(bench: Bench) -> None:
    calibrate_load_with(bench, GO_ON, (put(bench, 50), "50"), (put(bench, 100), "100"), "y")
    assert calibrate_load_with(bench, undo=True) == (
        0,
        "The load is back at the calibration before: not calibrated.\n",
    )
    assert bench.config.load.counts_per_kg is None
    _, told = calibrate_load_with(bench, undo=True)
    assert told.startswith("The load is back at the calibration before: 80")
    assert bench.config.load.counts_per_kg == pytest.approx(CELL_COUNTS_PER_KG, rel=0.001)


def test_undoing_what_was_never_done_is_refused(bench: Bench) -> None:
    with pytest.raises(Refused, match="the load was never calibrated: there is nothing to undo"):
        calibrate_load_with(bench, undo=True)


def test_a_weight_that_was_never_put_on_is_refused(bench: Bench) -> None:
    said = refused(bench, GO_ON, "50")
    assert "does the weight hang on the cell, and is the carriage off its stops?" in said


def test_a_second_weight_that_contradicts_the_first_is_refused(bench: Bench) -> None:
    said = refused(bench, GO_ON, (put(bench, 50), "50"), (put(bench, 100), "110"))
    assert said.startswith("the second weight is off by -9.1 %, allowed 2 %")


def test_a_second_weight_too_near_to_the_first_is_refused(bench: Bench) -> None:
    assert refused(bench, GO_ON, (put(bench, 50), "50"), "55").startswith("55 kg is too near to 50 kg")


@pytest.mark.parametrize("typed", ["", "much", "-5", "0", "2000", "nan", "1e9"])
def test_nonsense_is_asked_again(bench: Bench, typed: str) -> None:
    code, told = calibrate_load_with(bench, GO_ON, typed, (put(bench, 50), "50"), (put(bench, 100), "100,0"), "y")
    assert code == 0
    assert "needs a number from 5 to 1000 kg" in told


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("silent", "no valid readings (the cell is "),
        ("rail_high", "the converter is saturated: the cell is overloaded, or one of its four wires is off"),
        ("noise", "no valid readings (the cell is "),
        ("stuck_low", "no valid readings (the cell is "),
    ],
)
def test_a_broken_cell_is_refused_with_what_is_wrong(bench: Bench, fault: Any, said: str) -> None:
    bench.machine.load_chip.fault = fault
    bench.pass_time(3.0)
    assert refused(bench, GO_ON).startswith(said)


def test_a_board_strapped_for_another_rate_is_told(bench: Bench) -> None:
    bench.machine.load_chip.period_s = 1 / 40
    bench.pass_time(3.0)
    assert "readings a second, expected 80: set load.samples_per_s to what the board is strapped for" in refused(
        bench, GO_ON
    )


def test_a_moving_sled_is_refused(bench: Bench) -> None:
    def swinging() -> None:
        from math import sin

        plain = bench.machine._counts
        bench.machine.load_chip._counts = lambda setting, t_s: plain(setting, t_s) + round(40_000 * sin(3 * t_s))

    assert refused(bench, (swinging, GO_ON)).startswith("the readings scatter by ")


def test_keys_in_the_configuration_file_win_and_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = Bench(tmp_path, config_in(tmp_path, load=Load(counts_per_kg=7000.0)))
    monkeypatch.setattr(calibrate_sensor, "ask_device", fixed.ask)
    with pytest.raises(Refused) as refusal:
        calibrate_load_with(fixed, GO_ON, (put(fixed, 50), "50"), (put(fixed, 100), "100"), "y")
    assert str(refusal.value) == (
        "load.counts_per_kg stand in the configuration file, which wins: take them out, restart, try again"
    )
    assert fixed.board is not None
    fixed.board.close()


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (Load(converter="none"), "this machine has no load cell"),
    ],
)
def test_what_cannot_be_calibrated_this_way_says_so(tmp_path: Path, load: Load, said: str) -> None:
    config = config_in(tmp_path, load=load)
    desk = CalibrationDesk(config, config, lambda: None)
    error, data = desk.answer('{"part": "load", "do": "measure"}', 1.0)
    assert data is None
    assert error is not None and error.startswith(said)


# --- a cell for each foot ------------------------------------------------------------------------


@pytest.fixture
def two_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The right cell is twice as sensitive as the left one, and wired the other way round."""
    made = Bench(tmp_path, config_in(tmp_path, load=Load(cells=2)))
    real = VirtualMachine._bridge_counts

    def counts(machine: VirtualMachine, t_s: float, side: Side = "left") -> int:
        found = real(machine, t_s, side)
        return found if side == "left" else CELL_TARE_COUNTS - 2 * (found - CELL_TARE_COUNTS)

    monkeypatch.setattr(VirtualMachine, "_bridge_counts", counts)
    monkeypatch.setattr(calibrate_sensor, "ask_device", made.ask)
    made.open()
    yield made
    assert made.board is not None
    made.board.close()


def lay(bench: Bench, **kg: float) -> Callable[[], None]:
    return lambda: bench.hand(**kg)


def test_a_weight_left_and_one_right_calibrate_both_cells_of_one_plate(two_cells: Bench) -> None:
    bench = two_cells
    code, told = calibrate_load_with(
        bench,
        GO_ON,
        (lay(bench, load_left_kg=40), "40"),
        (lay(bench, load_right_kg=50), "50"),
        (lay(bench, load_left_kg=40, load_right_kg=50), "90"),
        "y",
    )
    assert code == 0
    found = calibration_store.stored(bench.given.paths.state_dir).load
    assert found is not None and found.counts_per_kg_right is not None
    assert found.counts_per_kg == pytest.approx(CELL_COUNTS_PER_KG, rel=0.002)
    assert found.counts_per_kg_right == pytest.approx(-2 * CELL_COUNTS_PER_KG, rel=0.002)
    assert "Step 5 of 5. Check: 90 kg read as" in told
    assert "Left: Readings: " in told and "Right: Saturated: 0" in told
    assert "(negative: the cell's white and green wires are swapped, which does no harm)" in told
    bench.hand(load_left_kg=30.0, load_right_kg=10.0)
    last = run(bench.sensors.load, bench.time, 0.5)[-1][1]
    assert (last.quality, last.kg) == ("ok", pytest.approx(40.0, abs=0.3))
    assert last.left_kg == pytest.approx(30.0 * 0.8 + 10.0 * 0.2, abs=0.3)
    assert calibrate_load_with(bench, undo=True)[1] == "The load is back at the calibration before: not calibrated.\n"


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("right", "left", "the weight on the left rests on the right cell: swap the two cells' plugs"),
        ("left", "left", "left and right load the two cells alike"),
    ],
)
def test_weights_on_the_wrong_side_are_refused(two_cells: Bench, first: str, second: str, said: str) -> None:
    bench = two_cells
    refusal = refused(
        bench,
        GO_ON,
        (lay(bench, **{f"load_{first}_kg": 40}), "40"),
        (lay(bench, **{f"load_{second}_kg": 50}), "50"),
        (lay(bench, load_kg=100), "100"),
    )
    assert refusal.startswith(said) and refusal.endswith("begin again")


def test_a_dead_cell_of_two_is_named(two_cells: Bench) -> None:
    two_cells.machine.load_chip_right.fault = "silent"
    two_cells.pass_time(3.0)
    assert refused(two_cells, GO_ON).startswith("the right cell: no valid readings")


def test_a_weight_on_both_sides_that_contradicts_the_others_is_refused(two_cells: Bench) -> None:
    bench = two_cells
    said = refused(
        bench,
        GO_ON,
        (lay(bench, load_left_kg=40), "40"),
        (lay(bench, load_right_kg=50), "50"),
        (lay(bench, load_kg=100), "120"),
    )
    assert said.startswith("the weight on both sides is off by -16.7 %, allowed 2 %")


@given(
    left=st.floats(-20_000, 20_000).filter(lambda value: abs(value) > 100),
    right=st.floats(-20_000, 20_000).filter(lambda value: abs(value) > 100),
    near=st.floats(0.65, 1.0),
    kg=st.tuples(st.floats(10, 200), st.floats(10, 200)),
)
def test_whatever_the_cells_share_their_calibration_comes_out(
    left: float, right: float, near: float, kg: tuple[float, float]
) -> None:
    def cells(left_kg: float, right_kg: float) -> dict[str, Any]:
        return {"cells": [{"mean": left * left_kg, "sd": 1.0}, {"mean": right * right_kg, "sd": 1.0}]}

    setup = {"cells": [{"counts_per_kg": None, "tare_counts": 0}] * 2, "location": "stack", "rail_deg": 45.0}
    done = {
        "empty": cells(0.0, 0.0),
        "left": cells(near * kg[0], (1 - near) * kg[0]) | {"kg": kg[0]},
        "right": cells((1 - near) * kg[1], near * kg[1]) | {"kg": kg[1]},
        "both": cells(100.0, 150.0) | {"kg": 250.0},
    }
    values = LoadSteps(setup, done).result().values
    assert (values["counts_per_kg"], values["counts_per_kg_right"]) == (pytest.approx(left), pytest.approx(right))


# --- seat ----------------------------------------------------------------------------------------


def visits(bench: Bench, *notches: float) -> list[Act]:
    def move(notch: float) -> Callable[[], None]:
        def there() -> None:
            bench.hand(seat_notch=notch)
            bench.pass_time(2.0)

        return there

    return [(move(notch), GO_ON) for notch in notches]


def calibrate_seat_with(bench: Bench, *acts: Act, undo: bool = False) -> tuple[int, str]:
    installer = Installer(bench, *acts)
    code = SensorGuide(bench.given, installer.talk, "seat").run(back=undo, again=False)
    return code, installer.told


@pytest.fixture
def turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A potentiometer that was mounted the other way round and covers less: 0.80 to 0.20."""
    made = Bench(tmp_path, polled="seat")
    wired = Seat(reading_at_first=0.80, reading_at_last=0.20)
    real = VirtualMachine._pot

    def pot(machine: VirtualMachine, channel: int) -> int:
        config, machine._config = machine._config, machine._config.model_copy(update={"seat": wired})
        try:
            return real(machine, channel)
        finally:
            machine._config = config

    monkeypatch.setattr(VirtualMachine, "_pot", pot)
    monkeypatch.setattr(calibrate_sensor, "ask_device", made.ask)
    made.open()
    yield made
    assert made.board is not None
    made.board.close()


def test_visiting_every_notch_gives_the_seats_true_ends(turned: Bench) -> None:
    code, told = calibrate_seat_with(turned, *visits(turned, 1, 2, 3, 4, 5, 6, 7), "y")
    assert code == 0
    found = calibration_store.stored(turned.given.paths.state_dir).seat
    assert found is not None
    assert (found.reading_at_first, found.reading_at_last) == (
        pytest.approx(0.80, abs=0.003),
        pytest.approx(0.20, abs=0.003),
    )
    assert "Before: 0.0500 to 0.9500 of full scale" in told
    for notch in (1, 4, 7):
        turned.hand(seat_notch=notch)
        turned.pass_time(1.5)
        assert run(turned.sensors.seat, turned.time, 0.2)[-1][1].notch == notch


def test_a_notch_visited_twice_is_refused(turned: Bench) -> None:
    with pytest.raises(Refused, match=r"notch 3 reads as notch 2 did \(0.7\d+\): is the seat in the next notch\?"):
        calibrate_seat_with(turned, *visits(turned, 1, 2, 2))
    assert turned.changes == 0


def test_notches_in_the_wrong_order_are_refused(turned: Bench) -> None:
    with pytest.raises(Refused, match="the notches were visited out of order"):
        calibrate_seat_with(turned, *visits(turned, 1, 2, 4, 3, 5, 6, 7))


def test_a_seat_between_notches_shows_off_the_line(turned: Bench) -> None:
    with pytest.raises(Refused, match=r"notch 4 lies \d+ mm off the line, allowed 6"):
        calibrate_seat_with(turned, *visits(turned, 1, 2, 3, 4.4, 5, 6, 7))


@pytest.mark.parametrize("fault", ["open", "short", "jump"])
def test_a_broken_potentiometer_is_refused(turned: Bench, fault: Any) -> None:
    def break_it() -> None:
        turned.machine.pot_fault = fault
        turned.pass_time(2.0)

    with pytest.raises(Refused, match="no reading in notch 1: the seat sensor is |the reading wanders"):
        calibrate_seat_with(turned, (break_it, GO_ON))


def test_the_seat_goes_on_where_it_was_left_and_can_be_undone(turned: Bench) -> None:
    with pytest.raises(UserError):
        calibrate_seat_with(turned, *visits(turned, 1, 2, 3))
    code, told = calibrate_seat_with(turned, *visits(turned, 4, 5, 6, 7), "y")
    assert code == 0 and "Going on where it was left (notch 1, notch 2, notch 3 measured; --again: anew)." in told
    assert calibrate_seat_with(turned, undo=True)[1] == "The seat is back at the calibration before: the defaults.\n"
    assert turned.config.seat.reading_at_first == 0.05


@given(
    places=st.lists(st.floats(0, 1.5), min_size=2, max_size=12, unique_by=lambda value: round(value, 3)),
    offset=st.floats(0, 1),
    slope=st.floats(-3, 3),
)
def test_the_line_through_exact_readings_is_exact(places: list[float], offset: float, slope: float) -> None:
    assert line_through(places, [offset + slope * place for place in places]) == (
        pytest.approx(offset, abs=1e-6),
        pytest.approx(slope, abs=1e-6),
    )


# --- a ranger on the seat ------------------------------------------------------------------------


@pytest.fixture
def ranged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A VL53L1X that was mounted at the far end: 0.9 m at notch 1, and nearer from notch to notch."""
    made = Bench(tmp_path, config_in(tmp_path, seat=Seat(sensors=("tof",))), polled="seat")
    monkeypatch.setattr(VirtualMachine, "_seat_distance_m", lambda machine, t_s: 0.9 - machine._seat_m())
    monkeypatch.setattr(calibrate_sensor, "ask_device", made.ask)
    made.open()
    yield made
    assert made.board is not None
    made.board.close()


def test_the_first_and_the_last_notch_give_the_rangers_place_and_direction(ranged: Bench) -> None:
    code, told = calibrate_seat_with(ranged, *visits(ranged, 1, 7), "y")
    assert code == 0
    found = calibration_store.stored(ranged.given.paths.state_dir).seat
    assert found is not None
    assert (found.tof_first_m, found.tof_direction) == (pytest.approx(0.9, abs=0.002), "towards")
    assert found.reading_at_first is None
    assert "Step 3 of 3. Check: the ranger saw 0.300 m of travel, the notches are 0.300 m apart." in told
    assert "Before: 0.200 m at zero, growing" in told
    ranged.hand(seat_notch=5)
    ranged.pass_time(1.5)
    assert run(ranged.sensors.seat, ranged.time, 0.3)[-1][1].notch == 5


def test_a_ranger_that_sees_another_travel_is_refused(ranged: Bench) -> None:
    with pytest.raises(Refused, match=r"the ranger saw the seat move 0\.200 m, the notches are 0\.300 m apart"):
        calibrate_seat_with(ranged, *visits(ranged, 2, 6))
    assert ranged.changes == 0


def test_a_ranger_that_sees_nothing_is_refused(ranged: Bench) -> None:
    ranged.machine.seat_ranger.fault = "weak"
    with pytest.raises(Refused, match="no distance in notch 1: the ranger is failed; clear its way"):
        calibrate_seat_with(ranged, *visits(ranged, 1))


def test_a_potentiometer_and_a_ranger_are_calibrated_in_one_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Bench(tmp_path, config_in(tmp_path, seat=Seat(sensors=("pot", "tof"))), polled="seat")
    monkeypatch.setattr(VirtualMachine, "_seat_distance_m", lambda machine, t_s: 0.5 + machine._seat_m())
    monkeypatch.setattr(calibrate_sensor, "ask_device", both.ask)
    both.open()
    code, told = calibrate_seat_with(both, *visits(both, 1, 2, 3, 4, 5, 6, 7), "y")
    found = calibration_store.stored(both.given.paths.state_dir).seat
    assert code == 0 and found is not None
    assert (found.tof_first_m, found.tof_direction) == (pytest.approx(0.5, abs=0.002), "away")
    assert found.reading_at_first == pytest.approx(0.05, abs=0.003)
    assert told.count("from the ranger") == 2
    both.hand(seat_notch=4)
    both.pass_time(1.5)
    sample = run(both.sensors.seat, both.time, 0.2)[-1][1]
    assert (sample.quality, sample.notch) == ("ok", 4)
    assert both.board is not None
    both.board.close()


@pytest.mark.parametrize(
    ("sensors", "said"),
    [
        (("switches",), "notch switches need no calibration: each tells its own notch"),
        ((), "this machine has no seat sensor (seat.sensors names none)"),
    ],
)
def test_a_seat_that_needs_no_calibration_says_so(tmp_path: Path, sensors: Any, said: str) -> None:
    config = config_in(tmp_path, seat=Seat(sensors=sensors))
    desk = CalibrationDesk(config, config, lambda: None)

    def ask(wish: dict[str, Any]) -> dict[str, Any]:
        return answer_of(CommandReply("", True, *desk.answer(json.dumps(wish), 1.0)), "calibrate")

    with pytest.raises(Refused) as refusal:
        SensorCalibration("seat", ask, tmp_path)
    assert str(refusal.value) == said


def test_what_is_in_force_may_be_looked_at_and_nothing_else_while_somebody_lifts(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    desk = CalibrationDesk(config, config, lambda: None)
    error, data = desk.answer('{"part": "load", "do": "show"}', 1.0, only_show=True)
    assert error is None and json.loads(data or "")["now"] is None
    assert desk.answer('{"part": "load", "do": "undo"}', 1.0, only_show=True)[0] == (
        "a command whose target is show asks for show alone"
    )


# --- what is kept --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is damaged"),
        ('{"load": {"counts_per_kg": 1e9, "tare_counts": 0, "made_utc": ""}}', "is damaged"),
        ('{"colour": 1}', "is damaged"),
    ],
)
def test_a_damaged_file_is_said_in_one_line_with_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(CalibrationStoreError) as error:
        calibration_store.stored(tmp_path)
    assert said in str(error.value) and "remove it and calibrate again" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("load", {"counts_per_kg": 0.0, "tare_counts": 0, "made_utc": "now"}),
        ("load", {"counts_per_kg": float("inf"), "tare_counts": 0, "made_utc": "now"}),
        ("load", {"tare_counts": 0}),
        ("seat", {"reading_at_first": 0.5, "reading_at_last": 0.5, "made_utc": "now"}),
        ("seat", {"reading_at_first": 0.0, "reading_at_last": 0.9, "made_utc": "now"}),
        ("load", {}),
        ("load", {"counts_per_kg": 1.0, "tare_counts": 0, "counts_per_kg_right": 2.0, "made_utc": "now"}),
        ("seat", {"reading_at_first": 0.5, "made_utc": "now"}),
        ("seat", {"tof_first_m": 4.0, "tof_direction": "away", "made_utc": "now"}),
        ("seat", {"made_utc": "now"}),
    ],
)
def test_nonsense_is_never_stored(tmp_path: Path, part: Any, values: dict[str, Any]) -> None:
    with pytest.raises(CalibrationStoreError):
        calibration_store.store(tmp_path, part, values)
    assert not (tmp_path / "calibration.json").exists()


@given(st.text(max_size=60) | st.none())
def test_whatever_is_asked_the_desk_answers_in_a_sentence(request_text: str | None) -> None:
    config = Config()
    error, data = CalibrationDesk(config, config, lambda: None).answer(request_text, 5.0)
    assert data is None
    assert error


def test_what_was_measured_over_an_hour_ago_or_with_other_cells_is_not_taken_up(tmp_path: Path) -> None:
    now_s = [1000.0]
    wired = {"cells": 1}
    Progress(tmp_path, "load", wired, lambda: now_s[0]).keep(empty={"mean": 1})
    assert Progress(tmp_path, "load", wired, lambda: now_s[0]).resume()
    assert not Progress(tmp_path, "load", {"cells": 2}, lambda: now_s[0]).resume()
    now_s[0] += 3601.0
    assert not Progress(tmp_path, "load", wired, lambda: now_s[0]).resume()
