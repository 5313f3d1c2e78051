"""The staff's pages of calibrations, over the real desks of device and vision: what they show, change and refuse."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from calibration_pictures import SLED, Cameras, sled_points, stickered, true_camera
from flask.testing import FlaskClient
from kiosk_scenes import IDLE, LIFTING
from web_machine import WebMachine, answers_of, form_token, make_open_machine

from device import calibration_store
from device.bus import BusError, CommandServer
from device.calibration_desk import CalibrationDesk
from device.config import Load, Seat
from device.messages import Command, CommandReply, LoadSample, SeatSample
from vision.calibration import POINT_NAMES
from vision.calibration_file import load_calibration
from web_ui.bus_feed import look_sender
from web_ui.camera_looks import AT_ONCE, CameraLooks
from web_ui.camera_points import POINTS

IN_A_SET = "Finish the set first: calibrating needs the machine for itself"


@pytest.fixture(name="machine")
def running(tmp_path: Path) -> WebMachine:
    return make_open_machine(tmp_path)


class Readings:
    """While the page waits for a measurement, the sensors give these."""

    def __init__(self, machine: WebMachine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine = machine
        self.counts: Callable[[], list[int]] = lambda: [84_000]
        self.seat_reading: float | None = None
        self.waits: list[float] = []
        self._random = random.Random(1)
        monkeypatch.setattr("web_ui.staff_sensor_calibration.sleep", self.wait)

    def weigh(self, *kgf: float) -> None:
        """On a cell of 8000 counts per kg each."""
        self.counts = lambda: [round(84_000 + 8000 * each + self._random.gauss(0, 100)) for each in kgf]

    def wait(self, duration_s: float) -> None:
        self.waits.append(duration_s)
        for _ in range(round(80 * duration_s)):
            self.machine.clock.now_s += 1 / 80
            now_s = self.machine.clock.now_s
            cells = tuple(LoadSample(now_s, counts, None, "uncalibrated") for counts in self.counts())
            self.machine.desk.note(cells[0] if len(cells) == 1 else replace(cells[0], cells=cells))
            self.machine.desk.note(SeatSample(now_s, None, None, "ok", reading=self.seat_reading))


@pytest.fixture
def readings(machine: WebMachine, monkeypatch: pytest.MonkeyPatch) -> Readings:
    return Readings(machine, monkeypatch)


def rewired(machine: WebMachine, **sections: Any) -> None:
    """The device's configuration is another."""
    config = machine.config.model_copy(update=sections)
    machine.desk = CalibrationDesk(config, config, lambda: None)
    machine.device.answer = answers_of(machine.desk, machine.clock)


def send(client: FlaskClient, address: str, **form: str) -> Any:
    """A form of the pages, its redirect followed."""
    token = form_token(client.get("/staff/calibration").text)
    return client.post(f"/staff/calibration/{address}", data={"form_token": token, **form}, follow_redirects=True)


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("&#39;", "'")


def audited(machine: WebMachine) -> list[tuple[str | None, str | None]]:
    return [(each.target, each.value) for each in machine.device.commands if each.name == "audit"]


def in_a_set(command: Command) -> CommandReply:
    refused = command.name == "calibrate" and command.target != "show"
    if refused:
        return CommandReply(command.id, False, IN_A_SET)
    if command.name == "calibrate":
        shown = {"unneeded": None, "fixed": None, "now": None, "before": None}
        setup = {"cells": [{"counts_per_kg": None, "tare_counts": 0}], "location": "plate", "rail_deg": 45.0}
        return CommandReply(command.id, True, None, json.dumps(shown | {"setup": setup}))
    return CommandReply(command.id, True)


# --- load and seat -------------------------------------------------------------------------------


def test_an_admin_calibrates_the_load_step_by_step_and_takes_it_back(machine: WebMachine, readings: Readings) -> None:
    admin = machine.admin()
    assert "Load not calibrated" in plain(admin.get("/staff/calibration").text)
    assert "Step 1 of 4 Empty the machine" in plain(admin.get("/staff/calibration/load").text)
    readings.weigh(0.0)
    page = plain(send(admin, "load/measure", step="empty").text)
    assert "Step 2 of 4 Load the machine with a known weight" in page
    assert re.search(r"(24[01]) of \1 valid, 80\.0 a second \(expected 80\)", page)
    assert "unique values" in page and "Saturated: 0" in page
    readings.weigh(50 * 2**-0.5)
    send(admin, "load/measure", step="first", kg="50")
    readings.weigh(100 * 2**-0.5)
    page = plain(send(admin, "load/measure", step="second", kg="100,0").text)
    assert "Check: 100 kg read as 100.0" in page and "Before: not calibrated" in page
    assert calibration_store.stored(machine.config.paths.state_dir).load is None
    assert "In force 8000" not in page
    assert audited(machine) == []
    page = plain(send(admin, "load/accept").text)
    found = calibration_store.stored(machine.config.paths.state_dir).load
    assert found is not None and found.counts_per_kg == pytest.approx(8000, rel=0.001)
    assert "Load calibrated" in page and "counts per kg" in page and "The one before: not calibrated" in page
    assert readings.waits == [4.0] * 3
    assert audited(machine)[0][0] == "calibrated the load"
    assert (audited(machine)[0][1] or "").startswith("Check: 100 kg read as 100.0")
    page = plain(send(admin, "load/undo").text)
    assert calibration_store.stored(machine.config.paths.state_dir).load is None
    assert "Load not calibrated In force not calibrated" in page
    assert audited(machine)[1] == ("took back the calibration of the load", "")


def test_what_was_begun_on_the_page_goes_on_and_can_be_begun_again(machine: WebMachine, readings: Readings) -> None:
    admin = machine.admin()
    readings.weigh(0.0)
    send(admin, "load/measure", step="empty")
    send(admin, "load/measure", step="empty")  # pressed twice: measured once
    assert len(readings.waits) == 1
    assert "Step 2 of 4" in plain(admin.get("/staff/calibration/load").text)
    assert 'aria-current="step"' in admin.get("/staff/calibration/load").text
    assert "Begin again" in admin.get("/staff/calibration/load").text
    page = send(admin, "load/again").text
    assert "Begin again" not in page


@pytest.mark.parametrize(
    ("kg", "said"),
    [
        ("", "needs a number from 5 to 1000 kg"),
        ("much", "needs a number"),
        ("nan", "needs a number"),
        ("-3", "-3 kg: needs"),
    ],
)
def test_a_weight_that_is_none_is_refused_without_a_measurement(
    machine: WebMachine, readings: Readings, kg: str, said: str
) -> None:
    admin = machine.admin()
    readings.weigh(0.0)
    send(admin, "load/measure", step="empty")
    answer = send(admin, "load/measure", step="first", kg=kg)
    assert answer.status_code == 409 and said in plain(answer.text)
    assert len(readings.waits) == 1


def test_a_refused_measurement_says_why_with_its_figures(machine: WebMachine, readings: Readings) -> None:
    admin = machine.admin()
    readings.weigh(0.0)
    send(admin, "load/measure", step="empty")
    answer = send(admin, "load/measure", step="first", kg="50")
    assert answer.status_code == 409
    page = plain(answer.text)
    assert "Nothing was changed: the reading moved by" in page and "is the carriage off its stops?" in page
    assert "noise" in page
    assert 'value="50"' in answer.text


def test_weights_that_contradict_each_other_begin_again(machine: WebMachine, readings: Readings) -> None:
    admin = machine.admin()
    readings.weigh(0.0)
    send(admin, "load/measure", step="empty")
    readings.weigh(50.0)
    send(admin, "load/measure", step="first", kg="50")
    answer = send(admin, "load/measure", step="second", kg="80")
    assert answer.status_code == 409
    assert "the second weight is off by -37.5 %, allowed 2 %" in plain(answer.text)
    assert "Step 1 of 4 Empty the machine" in plain(admin.get("/staff/calibration/load").text)


def test_two_cells_are_led_through_left_right_and_both(machine: WebMachine, readings: Readings) -> None:
    rewired(machine, load=Load(cells=2, location="stack"))
    admin = machine.admin()
    for step, kgf, kg in (("empty", (0, 0), ""), ("left", (32, 8), "40"), ("right", (10, 40), "50")):
        readings.weigh(*kgf)
        send(admin, "load/measure", step=step, kg=kg)
    readings.weigh(50, 70)
    page = plain(send(admin, "load/measure", step="both", kg="120").text)
    assert "Check: 120 kg read as 120.0" in page and "Left: Readings:" in page and "Step 5 of 5" in page
    send(admin, "load/accept")
    found = calibration_store.stored(machine.config.paths.state_dir).load
    assert found is not None and found.counts_per_kg_right == pytest.approx(8000, rel=0.002)


def test_the_seat_is_led_from_notch_to_notch(machine: WebMachine, readings: Readings) -> None:
    admin = machine.admin()
    for notch in range(7):
        readings.seat_reading = 0.1 + 0.12 * notch
        page = plain(send(admin, "seat/measure", step=f"notch {notch + 1}").text)
    assert "Check: every notch within 0.0 mm of a straight line." in page
    assert "After: 0.1000 to 0.8200" in page
    send(admin, "seat/accept")
    found = calibration_store.stored(machine.config.paths.state_dir).seat
    assert found is not None and found.reading_at_last == pytest.approx(0.82)
    assert "0.100 to 0.820" in plain(admin.get("/staff/calibration").text)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"load": Load(converter="none")}, "this machine has no load cell"),
        ({"load": Load(counts_per_kg=7000.0)}, "load.counts_per_kg stand in the configuration file, which wins"),
        ({"seat": Seat(sensors=("switches",))}, "notch switches need no calibration: each tells its own notch"),
    ],
)
def test_what_needs_no_calibration_says_so_and_offers_none(
    machine: WebMachine, sections: dict[str, Any], said: str
) -> None:
    rewired(machine, **sections)
    part = next(iter(sections))
    admin = machine.admin()
    assert said in plain(admin.get("/staff/calibration").text)
    assert f"Calibrate the {part}" not in admin.get("/staff/calibration").text
    answer = admin.get(f"/staff/calibration/{part}")
    assert answer.status_code == 409 and said in plain(answer.text)


def test_nobodys_set_is_disturbed(machine: WebMachine, readings: Readings) -> None:
    machine.device.answer = in_a_set
    admin = machine.admin()
    assert admin.get("/staff/calibration").status_code == 200
    for address, form in (
        ("load/measure", {"step": "empty"}),
        ("load/undo", {}),
        ("camera/side/undo", {}),
        ("camera/side/preview", {}),
        ("camera/side/stickers", {"family": "aruco"}),
        ("camera/side/fit", {"wish": "{}"}),
        ("camera/side/keep", {"fit": "01234567"}),
    ):
        answer = send(admin, address, **form)
        assert (answer.status_code, IN_A_SET in answer.text) == (409, True), address
    assert readings.waits == [] and audited(machine) == []


def test_one_measurement_is_taken_at_a_time(machine: WebMachine, readings: Readings, monkeypatch: Any) -> None:
    admin, second = machine.admin(), machine.admin()
    found: list[Any] = []

    def meanwhile(duration_s: float) -> None:
        found.append(send(second, "load/measure", step="empty"))

    monkeypatch.setattr("web_ui.staff_sensor_calibration.sleep", meanwhile)
    send(admin, "load/measure", step="empty")
    assert found[0].status_code == 409 and "another measurement is under way" in found[0].text


def test_a_device_that_does_not_answer_is_told_on_the_page(machine: WebMachine) -> None:
    machine.device.fall_silent()
    staff = machine.staff()
    page = staff.get("/staff/calibration")
    assert page.status_code == 200
    assert page.text.count("the device process did not answer within 1.5 s") == 2
    assert machine.admin().get("/staff/calibration/load").status_code == 503


# --- who may -------------------------------------------------------------------------------------

FORMS = {
    "load/measure": {"step": "empty"},
    "load/again": {},
    "load/accept": {},
    "load/undo": {},
    "seat/undo": {},
    "camera/side/preview": {},
    "camera/side/hide": {},
    "camera/side/stickers": {"family": "aruco"},
    "camera/side/fit": {"wish": "{}"},
    "camera/side/keep": {"fit": "01234567"},
    "camera/side/undo": {},
}


@pytest.mark.parametrize("address", FORMS)
def test_nothing_is_done_for_staff_strangers_or_another_sites_form(machine: WebMachine, address: str) -> None:
    admin, staff = machine.admin(), machine.staff()
    token = form_token(staff.get("/staff/calibration").text)
    path = f"/staff/calibration/{address}"
    assert staff.post(path, data={"form_token": token, **FORMS[address]}).status_code == 403
    machine.device.commands.clear()
    assert admin.post(path, data=FORMS[address]).status_code == 403
    assert admin.post(path, data={"form_token": "x", **FORMS[address]}).status_code == 403
    own = {"form_token": form_token(admin.get("/staff/calibration").text), **FORMS[address]}
    machine.device.commands.clear()
    assert admin.post(path, data=own, headers={"Origin": "https://evil.example"}).status_code == 403
    assert machine.kiosk().post(path, data=own).status_code == 401
    assert machine.device.commands == []


def test_staff_see_the_calibrations_and_no_button(machine: WebMachine) -> None:
    page = machine.staff().get("/staff/calibration").text
    assert "Only an admin can calibrate" in page and "button" not in page.split("<main")[1]
    for path in ("load", "seat", "camera/side", "camera/side/picture"):
        assert machine.staff().get(f"/staff/calibration/{path}").status_code == 403


# --- camera --------------------------------------------------------------------------------------


def camera_machine(folder: Path, looks: CameraLooks) -> WebMachine:
    return make_open_machine(folder, looks=looks)


@pytest.fixture(name="seen")
def with_cameras(tmp_path: Path) -> tuple[WebMachine, Cameras]:
    cameras = Cameras(tmp_path, lambda: machine.clock(), stickered())
    machine = make_open_machine(tmp_path, looks=CameraLooks(cameras.answer))
    return machine, cameras


def ask(client: FlaskClient, what: str, **form: str) -> Any:
    token = form_token(client.get("/staff/calibration").text)
    return client.post(f"/staff/calibration/camera/side/{what}", data={"form_token": token, **form})


def wish(**more: Any) -> str:
    return json.dumps({"points": sled_points(), "focal_px": true_camera().focal_length_px} | more)


def test_the_picture_is_shown_after_its_announcement_while_it_lasts_and_kept_nowhere(
    seen: tuple[WebMachine, Cameras], tmp_path: Path
) -> None:
    machine, cameras = seen
    admin = machine.admin()
    picture = "/staff/calibration/camera/side/picture"
    refused = admin.get(picture)
    assert (refused.status_code, refused.content_type) == (409, "application/problem+json")
    assert refused.json["detail"] == "nobody looks through camera side now: ask for the picture again"
    files = sorted(tmp_path.rglob("*"))
    assert ask(admin, "preview").json == {"left_s": 300.0}
    assert audited(machine) == [("looked through a camera", "side")]
    assert cameras.desk.previewing("side", machine.clock())
    assert admin.get(picture).status_code == 204
    machine.clock.now_s += 1.5
    shown = admin.get(picture)
    assert (shown.status_code, shown.content_type) == (200, "image/jpeg")
    assert (shown.headers["Cache-Control"], shown.headers["X-Preview-Left"]) == ("no-store", "298.5")
    assert np.asarray(cv2.imdecode(np.frombuffer(shown.data, np.uint8), cv2.IMREAD_COLOR)).shape == (480, 640, 3)
    assert "Somebody is looking through it now" in admin.get("/staff/calibration").text
    machine.clock.now_s += 299.0
    assert admin.get(picture).status_code == 409
    ask(admin, "preview")
    assert ask(admin, "hide").status_code == 200
    assert admin.get(picture).status_code == 409
    assert sorted(tmp_path.rglob("*")) == files


def test_nobody_who_lifts_is_looked_at(seen: tuple[WebMachine, Cameras]) -> None:
    machine, cameras = seen
    admin = machine.admin()
    machine.publish(IDLE)
    ask(admin, "preview")
    machine.clock.now_s += 2.0
    assert admin.get("/staff/calibration/camera/side/picture").status_code == 200
    machine.publish(LIFTING, seq=2)
    answer = admin.get("/staff/calibration/camera/side/picture")
    assert (answer.status_code, answer.json["detail"]) == (
        409,
        "somebody lifts now: the picture is hidden; show it again after the set",
    )
    assert not cameras.desk.previewing("side", machine.clock())


def test_a_folder_that_cannot_be_written_is_told(machine: WebMachine, readings: Readings) -> None:
    (machine.config.paths.state_dir / "calibrate-load.json").mkdir()
    readings.weigh(0.0)
    answer = send(machine.admin(), "load/measure", step="empty")
    assert answer.status_code == 409
    assert "calibrate-load.json cannot be removed: " in plain(answer.text)


def test_points_are_fitted_and_what_was_shown_is_put_in_force_and_taken_back(
    seen: tuple[WebMachine, Cameras], tmp_path: Path
) -> None:
    machine, cameras = seen
    admin = machine.admin()
    page = admin.get("/staff/calibration/camera/side").text
    assert all(words.title in page for words in POINTS.values())
    first = ask(admin, "fit", wish=wish()).json
    assert (first["refused"], first["view"]) == (None, "side")
    assert not (tmp_path / "calibration").exists()
    assert ask(admin, "keep", fit=first["fit"]).json["path"].endswith("calibration/side.toml")
    kept = load_calibration(tmp_path / "calibration" / "side.toml")
    assert float(np.linalg.norm(kept.eye - true_camera().eye)) < 0.01
    assert cameras.reloads == 1
    assert audited(machine) == [("calibrated a camera", "side")]
    assert "side view, fit 0.0" in plain(admin.get("/staff/calibration").text)
    second = ask(admin, "fit", wish=wish(machine="current", focal_px=1.05 * true_camera().focal_length_px)).json
    ask(admin, "keep", fit=second["fit"])
    page = plain(send(admin, "camera/side/undo").text)
    assert load_calibration(tmp_path / "calibration" / "side.toml").made_utc == kept.made_utc
    assert audited(machine)[-1] == ("took back the calibration of a camera", "side")


def test_stickers_are_looked_for_and_fitted(seen: tuple[WebMachine, Cameras]) -> None:
    machine, _ = seen
    admin = machine.admin()
    asked = json.dumps({"stickers": "aruco", "focal_px": true_camera().focal_length_px})
    early = ask(admin, "fit", wish=asked)
    assert early.status_code == 409 and "look for the stickers first" in early.json["detail"]
    for _ in range(8):
        found = ask(admin, "stickers", family="aruco").json
    assert len(found["stickers"]) >= 4
    fit = ask(admin, "fit", wish=asked).json
    assert fit["refused"] is None and fit["misses"][0]["name"].startswith("sticker ")
    assert ask(admin, "stickers", family="../x").status_code == 400


def test_a_fit_that_misses_is_refused_with_every_points_miss(seen: tuple[WebMachine, Cameras]) -> None:
    machine, cameras = seen
    admin = machine.admin()
    off = sled_points() | {"back_pad_top": (500.0, 300.0)}
    fit = ask(admin, "fit", wish=wish(points=off)).json
    assert "miss by" in fit["refused"] and len(fit["misses"]) == len(SLED.points_m)
    kept = ask(admin, "keep", fit="01234567")
    assert kept.status_code == 409 and "fit again" in kept.json["detail"]
    assert ask(admin, "keep", fit="../../x").status_code == 400
    assert ask(admin, "fit", wish="{").status_code == 400
    assert "needed: plate_top_left" in ask(admin, "fit", wish=wish(points={"seat_left": [1, 2]})).json["refused"]
    assert cameras.reloads == 0


def test_a_camera_that_shows_nothing_is_told(seen: tuple[WebMachine, Cameras]) -> None:
    machine, cameras = seen
    cameras.image = None
    admin = machine.admin()
    ask(admin, "preview")
    machine.clock.now_s += 2.0
    answer = admin.get("/staff/calibration/camera/side/picture")
    assert answer.status_code == 409
    assert answer.json["detail"] == "camera side gives no picture: check its cable, then 'legpress doctor'"
    cameras.image = np.zeros((480, 640, 3), np.uint8)
    assert "sees too little: uncover its lens" in ask(admin, "fit", wish=wish()).json["detail"]


def test_a_camera_that_is_not_there_and_a_vision_process_that_does_not_run(machine: WebMachine) -> None:
    admin = machine.admin()
    assert admin.get("/staff/calibration/camera/top").status_code == 404
    page = admin.get("/staff/calibration/camera/side")
    assert page.status_code == 503 and "the vision process does not answer" in page.text and "Try again" in page.text
    assert "the vision process does not answer" in admin.get("/staff/calibration").text
    answer = ask(admin, "preview")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")


def test_pages_that_wait_for_the_cameras_leave_threads_for_the_others(tmp_path: Path) -> None:
    entered, free = threading.Semaphore(0), threading.Event()

    def slow(command: Command) -> CommandReply:
        entered.release()
        free.wait(10)
        return CommandReply(command.id, True, None, "{}")

    looks = CameraLooks(slow)
    machine = camera_machine(tmp_path, looks)
    waiting = [threading.Thread(target=looks.ask, args=("picture side",)) for _ in range(AT_ONCE)]
    for each in waiting:
        each.start()
    for _ in waiting:
        assert entered.acquire(timeout=10)
    answer = machine.admin().get("/staff/calibration/camera/side/picture")
    free.set()
    for each in waiting:
        each.join(10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json["detail"] == "the cameras are busy with another page"


def test_every_point_that_a_machine_may_have_is_told_where_it_is() -> None:
    assert tuple(POINTS) == POINT_NAMES
    assert all(words.where.endswith(".") for words in POINTS.values())


# --- over a real bus -----------------------------------------------------------------------------


@contextmanager
def answering(server: CommandServer, answer: Callable[[Command], CommandReply]) -> Iterator[None]:
    """Answers until it is left, as a service's loop does."""
    ending = threading.Event()

    def serve() -> None:
        while not ending.wait(0.01):
            for command in server.drain():
                server.reply(answer(command))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(10)
        server.close()


def test_the_vision_processes_desk_answers_the_page_over_a_real_bus(tmp_path: Path) -> None:
    run = tmp_path / "run"
    machine = make_open_machine(tmp_path / "state", looks=CameraLooks(lambda command: look_sender(run, command)))
    cameras = Cameras(tmp_path / "state", machine.clock, stickered())
    admin = machine.admin()
    with answering(CommandServer(run, "camera"), cameras.answer):
        assert admin.get("/staff/calibration/camera/side").status_code == 200
        ask(admin, "preview")
        machine.clock.now_s += 2.0
        assert admin.get("/staff/calibration/camera/side/picture").content_type == "image/jpeg"
        fit = ask(admin, "fit", wish=wish()).json
        assert ask(admin, "keep", fit=fit["fit"]).status_code == 200
        assert "Camera side calibrated" in plain(admin.get("/staff/calibration").text)
    assert load_calibration(tmp_path / "state" / "calibration" / "side.toml").scene is not None


def test_a_device_that_starts_anew_with_its_calibration_is_asked_once_more(machine: WebMachine) -> None:
    answers = machine.device.answer
    lost: list[Command] = []

    def lose_the_first(command: Command) -> CommandReply:
        if command.target == "show" and not lost:
            lost.append(command)
            raise BusError("the device process did not answer within 1.5 s")
        return answers(command)

    machine.device.answer = lose_the_first
    assert "did not answer" not in machine.staff().get("/staff/calibration").text
    assert len(lost) == 1
