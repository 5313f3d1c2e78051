"""What the doctor says of a running machine: green where all is well, and each fault red with what to do."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from pin_bench import BenchTime, run

from device import calibration_store, installation_health, machine_health, model_file
from device.command import doctor, examination, examination_services
from device.config import Camera, Config, Paths, Simulation
from device.core.events import Tick
from device.core.live import live_state
from device.core.state import CoreState
from device.core.step import step
from device.machine_health import Finding
from device.messages import CameraStatus, Condition, ConditionKind, LiveState, PartsReport
from device.pins import MockBoard
from device.scenario import ScenarioClock, load_scenario
from device.sensor_set import WireTime, open_sensors
from device.simulation.machine import VirtualMachine
from device.store.prepare import prepare_database

NOW = datetime.datetime(2026, 6, 1, 12, 0, tzinfo=datetime.UTC)


def only(findings: Any) -> Finding:
    (finding,) = findings
    assert isinstance(finding, Finding)
    return finding


def live(*cameras: CameraStatus) -> LiveState:
    """A state of the real core, with these cameras."""
    state, _ = step(CoreState.initial(Config(), session="s"), Tick(1.0, "2026-06-01T12:00:00+00:00"))
    return replace(live_state(state), cameras=cameras, conditions=())


def camera(condition: Any = "ok", frames_per_s: float = 19.8, age_s: float = 0.08) -> CameraStatus:
    return CameraStatus("side", "side", condition, frames_per_s, 12, age_s)


# --- cameras -------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", ["ok", "nobody"])
def test_a_working_camera_is_green_with_its_figures(condition: Any) -> None:
    assert only(machine_health.cameras(live(camera(condition)))) == Finding(
        "camera side live", "ok", "19.8 frames/s (needed 8), newest 80 ms old, 12 dropped"
    )


@pytest.mark.parametrize(
    ("status", "health", "detail", "advice"),
    [
        (camera("lost", 0.0, 3.0), "failed", "gives no picture", "check its cable"),
        (camera("dark"), "failed", "sees too little", "uncover its lens, switch the light on"),
        (camera("blurred"), "failed", "sees a blurred picture", "clean its lens"),
        (camera("moved"), "failed", "has moved: recalibrate", "legpress calibrate camera side"),
        (camera("uncalibrated"), "degraded", "is not calibrated", "legpress calibrate camera side"),
        (camera("ok", 5.0), "failed", "5.0 frames/s (needed 8)", "choose model = 'lite'"),
        (camera("ok", 10.0), "degraded", "10.0 frames/s", "warnings come late"),
        (camera("ok", 20.0, 0.9), "degraded", "newest 900 ms old", "warnings come late"),
    ],
)
def test_each_fault_of_a_camera_is_said_with_what_to_do(
    status: CameraStatus, health: str, detail: str, advice: str
) -> None:
    finding = only(machine_health.cameras(live(status)))
    assert (finding.health, finding.detail.startswith(detail) or detail in finding.detail) == (health, True)
    assert advice in finding.advice


# --- sensors, on the virtual machine -------------------------------------------------------------


class Sensors:
    """The virtual machine with its real drivers, and what they report."""

    def __init__(self, folder: Path) -> None:
        scenario = load_scenario("mixed")
        self.config = scenario.configure(Config(paths=Paths(state_dir=folder / "state", runtime_dir=folder / "run")))
        self.time, self.board = BenchTime(), MockBoard()
        clock = ScenarioClock(folder / "run")
        self.machine = VirtualMachine(self.config, scenario, self.board, clock, now=lambda: self.time.now_s)
        wires = WireTime(self.machine.timer.now, self.machine.timer.sleep)
        self.sensors = open_sensors(self.config, self.board, wires)

    def rows(self, seconds: float = 3.0) -> dict[str, Finding]:
        start_s = self.time.now_s
        for reader in (self.sensors.load, self.sensors.seat):
            self.time.now_s = start_s
            run(reader, self.time, seconds)
        report = PartsReport(self.time.now_s, self.sensors.reports(self.time.now_s))
        return {finding.part: finding for finding in machine_health.parts(report)}


@pytest.fixture
def sensors(tmp_path: Path) -> Any:
    made = Sensors(tmp_path)
    yield made
    made.board.close()


def test_the_simulated_machines_sensors_are_green_with_rate_and_noise(sensors: Sensors) -> None:
    rows = sensors.rows()
    assert {finding.health for finding in rows.values()} == {"ok"}
    assert "readings a second; noise" in rows["load cell"].detail


@pytest.mark.parametrize("fault", ["silent", "stuck_low", "rail_high", "rail_low", "noise"])
def test_each_fault_of_the_load_cell_turns_its_row_red_with_advice(sensors: Sensors, fault: Any) -> None:
    sensors.rows(1.0)
    sensors.machine.load_chip.fault = fault
    row = sensors.rows(4.0)["load cell"]
    assert row.health == "failed"
    assert row.advice


@pytest.mark.parametrize("fault", ["open", "short"])
def test_each_fault_of_the_seat_turns_its_row_red_with_advice(sensors: Sensors, fault: Any) -> None:
    sensors.rows(1.0)
    sensors.machine.pot_fault = fault
    rows = sensors.rows(4.0)
    row = next(finding for part, finding in rows.items() if part.startswith("seat"))
    assert row.health == "failed"
    assert row.advice


# --- calibrations --------------------------------------------------------------------------------


def config_in(folder: Path, **more: Any) -> Config:
    return Config(paths=Paths(state_dir=folder, runtime_dir=folder / "run"), **more)


def load_made(folder: Path, made_utc: str) -> list[Finding]:
    calibration_store.store(folder, "load", {"counts_per_kg": 8000.0, "tare_counts": 5, "made_utc": made_utc})
    return list(machine_health.calibration_age(config_in(folder), NOW))


def test_a_calibrations_age_is_told_and_an_old_one_is_to_be_made_again(tmp_path: Path) -> None:
    assert only(load_made(tmp_path, "2026-05-20T12:00:00+00:00")) == Finding("load calibration", "ok", "12 days old")
    assert only(load_made(tmp_path, "2024-05-20T12:00:00+00:00")) == Finding(
        "load calibration", "degraded", "742 days old", "once a year: legpress calibrate load"
    )
    assert only(load_made(tmp_path, "2027-01-01T00:00:00+00:00")).advice == "see clock"
    assert only(load_made(tmp_path, "yesterday")).health == "degraded"


def test_a_damaged_calibration_is_red(tmp_path: Path) -> None:
    (tmp_path / "calibration.json").write_text("{")
    finding = only(machine_health.calibration_age(config_in(tmp_path), NOW))
    assert (finding.health, finding.advice) == ("failed", "remove it and calibrate again")


def test_a_cameras_calibration_tells_its_age_too(tmp_path: Path) -> None:
    (tmp_path / "calibration").mkdir()
    (tmp_path / "calibration" / "side.toml").write_text('made_utc = "2026-05-31T12:00:00+00:00"\n')
    config = config_in(tmp_path, cameras=(Camera(name="side"),))
    assert only(machine_health.calibration_age(config, NOW)) == Finding("camera side calibration", "ok", "1 days old")


# --- the board -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("milli_c", "health"), [(55_000, "ok"), (78_000, "degraded"), (84_000, "failed")])
def test_the_temperature_is_judged(tmp_path: Path, milli_c: int, health: str) -> None:
    (tmp_path / "class/thermal/thermal_zone0").mkdir(parents=True)
    (tmp_path / "class/thermal/thermal_zone0/temp").write_text(f"{milli_c}\n")
    finding = only(machine_health.temperature(tmp_path))
    assert (finding.health, bool(finding.advice)) == (health, health != "ok")
    assert list(machine_health.temperature(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("answer", "health", "told", "advice"),
    [
        ("throttled=0x0\n", "ok", "never throttled, voltage never too low", ""),
        ("throttled=0x50000\n", "degraded", "since the start: the supply voltage is too low", "27 W supply"),
        ("throttled=0x50005\n", "failed", "the supply voltage is too low; the processor is throttled", "27 W supply"),
        ("throttled=0x4\n", "failed", "the processor is throttled", "cool it"),
    ],
)
def test_throttling_now_is_red_and_earlier_amber(answer: str, health: str, told: str, advice: str) -> None:
    finding = only(machine_health.throttling(answer))
    assert (finding.health, finding.detail.startswith(told)) == (health, True)
    assert advice in finding.advice


def test_an_answer_that_is_none_says_nothing() -> None:
    assert [*machine_health.throttling(None), *machine_health.throttling("what?")] == []


def test_the_clock_is_amber_until_it_was_set(tmp_path: Path) -> None:
    assert list(machine_health.clock_sync(tmp_path)) == []
    (tmp_path / "systemd/timesync").mkdir(parents=True)
    finding = only(machine_health.clock_sync(tmp_path))
    assert (finding.health, "connect the network once" in finding.advice) == ("degraded", True)
    (tmp_path / "systemd/timesync/synchronized").touch()
    assert only(machine_health.clock_sync(tmp_path)) == Finding("clock", "ok", "set from the network")


@pytest.mark.parametrize(
    ("life", "sectors", "health", "told"),
    [
        ("0x01 0x02", 2_000_000, "ok", "20 % of its life used, 1.0 GB written a day"),
        ("0x09 0x01", 2_000_000, "degraded", "90 % of its life used"),
        ("0x0b 0x0b", 2_000_000, "failed", "110 % of its life used"),
        (None, 2_000_000, "ok", "1.0 GB written a day"),
        (None, 60_000_000, "degraded", "30.7 GB written a day"),
    ],
)
def test_a_disks_wear_is_told(tmp_path: Path, life: str | None, sectors: int, health: str, told: str) -> None:
    disk = tmp_path / "mmcblk0"
    (disk / "device").mkdir(parents=True)
    (disk / "stat").write_text(f"1 2 3 4 5 6 {sectors} 8 9 10 11\n")
    if life is not None:
        (disk / "device/life_time").write_text(life + "\n")
    finding = only(machine_health.disk_wear(86400.0, tmp_path))
    assert (finding.part, finding.health, finding.detail.startswith(told)) == ("disk mmcblk0", health, True)


# --- the whole -----------------------------------------------------------------------------------


def test_the_doctor_is_green_on_the_running_simulated_machine(
    sensors: Sensors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensors.rows(3.0)
    report = PartsReport(0.0, sensors.sensors.reports(sensors.time.now_s))
    both = live(camera(), CameraStatus("front", "front", "ok", 18.0, 3, 0.1))
    monkeypatch.setattr(examination_services, "_published", lambda config: (both, report))
    monkeypatch.setattr(examination_services, "_pages", lambda config: Finding("web pages", "ok", "answers"))
    config = sensors.config.model_copy(update={"simulation": Simulation(scenario="mixed")})
    checks = (examination.pins, installation_health.load_cell, examination.cameras, examination_services.services)
    findings = [finding for check in checks for finding in check(config)]
    assert [finding for finding in findings if finding.health != "ok"] == []
    assert doctor.overall(findings) == "ok"
    assert sum(finding.detail.startswith("SIMULATED") for finding in findings) == 3


def test_what_is_live_is_told_in_the_same_words_for_the_staffs_page(sensors: Sensors) -> None:
    sensors.rows(3.0)
    report = PartsReport(0.0, sensors.sensors.reports(sensors.time.now_s))
    found = machine_health.live(live(camera("moved")), report)
    assert [*machine_health.parts(report), *machine_health.cameras(live(camera("moved")))] == found[2:]
    told = {finding.part: finding.health for finding in found}
    assert (told["device service"], told["form check"], told["load cell"]) == ("ok", "degraded", "ok")
    assert told["camera side live"] == "failed"


def test_a_device_that_says_nothing_is_a_failure_where_it_must_run() -> None:
    assert only(machine_health.live(None, None)).health == "failed"
    assert only(machine_health.device_service(None, must_run=False)).health == "degraded"


def test_one_fault_is_one_row_and_nobody_on_the_machine_is_none() -> None:
    from dataclasses import replace

    nobody = Condition("nobody_in_view", "The camera does not see you", 1.0)
    load = Condition("load_failed", "The load cell has failed", 1.0)
    store = Condition("store_failed", "nothing is stored: the disk is full", 1.0)
    well, failing = (replace(live(camera()), conditions=(nobody, load, *more)) for more in ((), (store,)))
    assert only(machine_health.device_service(well, must_run=True)).health == "ok"
    finding = only(machine_health.device_service(failing, must_run=True))
    assert (finding.health, finding.detail) == ("degraded", "nothing is stored: the disk is full")


@pytest.mark.parametrize("kind", get_args(ConditionKind))
def test_every_condition_has_a_row_that_tells_of_it(kind: Any) -> None:
    """The device service's own, or one of the parts and cameras that report; none is lost between them."""
    own = not kind.startswith(machine_health.NOT_THE_SERVICES)
    assert own == (kind in {"vision_lost", "store_failed", "out_of_order"})


@pytest.mark.parametrize(
    ("views", "health", "told"),
    [
        (("side", "front"), "ok", "checked: foot placement, heels, hips, knee valgus, lockout, rounding"),
        (("side",), "degraded", "not checked: knee valgus; checked: foot placement, heels, hips, lockout, rounding"),
        (("front",), "degraded", "not checked: foot placement, heels, hips, lockout, rounding; checked: knee valgus"),
        (("oblique",), "degraded", "not checked: heels, hips, knee valgus, rounding; checked: foot placement, lockout"),
        ((), "failed", "no calibrated camera: no posture is judged"),
    ],
)
def test_what_the_cameras_in_use_check_and_cannot_is_said(views: tuple[str, ...], health: str, told: str) -> None:
    finding = only(machine_health.form_check(views))
    assert (finding.health, finding.detail) == (health, told)


def test_a_view_is_not_said_to_check_what_the_fit_does_not_measure_by_it() -> None:
    from vision.posture import CHECKS

    measured_by = {"rounding": "lumbar_flexion", "lockout": "knee_flexion", "hips": "hip_slide", "heels": "heel_lift",
                   "foot placement": "foot_placement", "knee valgus": "valgus"}  # fmt: skip
    for view, checked in machine_health.CHECKED_BY.items():
        assert {measured_by[each] for each in checked} <= set(CHECKS[view])


def test_the_summary_counts_the_parts_that_need_somebody_and_the_worst_come_first() -> None:
    ok, amber, red = Finding("a", "ok", ""), Finding("b", "degraded", ""), Finding("c", "failed", "")
    assert machine_health.summary([ok]) == "All well"
    assert machine_health.summary([ok, amber]) == "1 part needs attention"
    assert machine_health.summary([ok, amber, red]) == "2 parts need attention"
    assert machine_health.worst_first([ok, amber, red, ok]) == [red, amber, ok, ok]
    assert machine_health.overall([ok, amber]) == "degraded"


# --- what is installed and stored ------------------------------------------------------------------


def stored_set(folder: Path, started_utc: str) -> None:
    with contextlib.closing(sqlite3.connect(prepare_database(folder))) as connection, connection:
        connection.execute(
            "INSERT INTO sets (id, goal, started_utc, reps, good, faulty, uncertain, enrolled, enrolment)"
            " VALUES ('s', 'quads', ?, 0, 0, 0, 0, 0, 0)",
            (started_utc,),
        )


def test_backups_are_asked_for_once_something_is_stored_that_none_holds(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    assert only(installation_health.backups(config, NOW)).detail == "none yet, for nothing is stored yet"
    stored_set(tmp_path, "2026-06-01T07:00:00.000Z")
    assert only(installation_health.backups(config, NOW)) == Finding(
        "backups", "ok", "none, and sets have been stored for 5 h"
    )
    finding = only(installation_health.backups(config, NOW + datetime.timedelta(days=3)))
    assert (finding.health, "legpress backup" in finding.advice) == ("degraded", True)


@pytest.mark.parametrize(
    ("name", "health", "told"),
    [
        ("legpress-20260601T033000Z.sqlite3", "ok", "1 kept, the newest 8 h old"),
        ("legpress-20260530T033000Z.sqlite3", "degraded", "1 kept, the newest 2 days old"),
        ("legpress-20260501T033000Z-before-0002.sqlite3", "failed", "1 kept, the newest 31 days old"),
    ],
)
def test_the_newest_backups_age_is_told(tmp_path: Path, name: str, health: str, told: str) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / name).touch()
    finding = only(installation_health.backups(config_in(tmp_path), NOW))
    assert (finding.health, finding.detail) == (health, told)


def test_a_model_that_is_not_the_pinned_one_is_red_and_the_right_one_tells_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(paths=Paths(state_dir=tmp_path, model_dir=tmp_path))
    assert installation_health.pose_model(config, "full").advice == "run: legpress model build"
    (tmp_path / "pose_full.task").write_bytes(b"another")
    finding = installation_health.pose_model(config, "full")
    assert (finding.health, "is damaged (SHA-256 " in finding.detail) == ("failed", True)
    monkeypatch.setitem(model_file.BUNDLES, "full", hashlib.sha256(b"another").hexdigest())
    finding = installation_health.pose_model(config, "full")
    assert (finding.health, hashlib.sha256(b"another").hexdigest()[:12] in finding.detail) == ("ok", True)
