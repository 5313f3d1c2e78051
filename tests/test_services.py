"""The shells around the core: outputs at once, a store that may fail, cameras that may die."""

from __future__ import annotations

import io
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from device.bus import Publisher, Subscriber, send_command
from device.command.progress import Progress
from device.config import Config, Paths
from device.core.actions import PlaySound, SetLight
from device.core.events import Event, StoreStatus
from device.mailbox import Mailbox
from device.messages import Command, CommandReply, LiveState, PartsReport, PoseSample
from device.pins import MockBoard
from device.recorder import NoStore, Store
from device.scenario import load_scenario
from device.service import Device, Outputs, WireTime, open_store, session_name
from device.simulation.machine import VirtualMachine
from device.simulation.trace import PinTrace
from device.store.rows import MemberHistory
from vision.camera_health import CameraHealth
from vision.capture import Detection
from vision.frames import Frame, FrameSource, Image, SourceError
from vision.landmarks import Crop, Landmarks
from vision.service import Vision
from vision.view_check import is_dark

CONFIG = Config()
TURNS = 2000
"""More rounds of a loop than any test needs; reached only when it fails."""


def config_in(folder: Path) -> Config:
    paths = Paths(state_dir=folder / "state", runtime_dir=folder / "run")
    return load_scenario("rounding").configure(Config(paths=paths))


def test_a_sound_is_on_the_pin_before_the_call_returns_and_silence_too() -> None:
    with MockBoard() as board:
        outputs = Outputs(board, CONFIG)
        outputs.apply(PlaySound("high:back_rounding"), 10.0)
        heard = board.level(CONFIG.pins.buzzer)
        next_edge_s = outputs.next_edge_s
        outputs.apply(PlaySound(None), 10.01)
        assert (heard, board.level(CONFIG.pins.buzzer)) == (True, False)
        assert 10.0 < next_edge_s < 10.3


def test_the_light_shows_amber_as_red_and_green_together() -> None:
    with MockBoard() as board:
        Outputs(board, CONFIG).apply(SetLight("amber", "steady"), 0.0)
        pins = CONFIG.pins
        assert [board.level(pin) for pin in (pins.light_red, pins.light_green, pins.light_blue)] == [True, True, False]


def test_every_edge_of_an_output_is_traced_with_its_time(tmp_path: Path) -> None:
    with MockBoard() as board:
        trace = PinTrace(tmp_path / "edges.jsonl", board, CONFIG.pins, clock=lambda: 7.5)
        Outputs(board, CONFIG).apply(SetLight("red", "steady"), 0.0)
        trace.close()
    assert (tmp_path / "edges.jsonl").read_text() == '{"t_s": 7.5, "pin": "light_red", "high": true}\n'


def test_a_database_that_cannot_be_opened_is_said_and_does_not_stop_the_warnings(tmp_path: Path) -> None:
    (tmp_path / "state" / "legpress.sqlite3").mkdir(parents=True)
    told: list[Event] = []
    heard = threading.Event()

    def tell(event: Event) -> None:
        told.append(event)
        heard.set()

    store = open_store(tmp_path / "state", tell)
    answers: list[MemberHistory] = []
    assert heard.wait(30)
    store.recall_member("4711", answers.append)
    store.close()
    assert len(told) == 1 and isinstance(told[0], StoreStatus) and not told[0].ok
    assert told[0].detail.startswith("nothing is stored: ")


def test_the_ids_of_two_runs_never_begin_alike() -> None:
    assert len({session_name() for _ in range(50)}) == 50


EVERYTHING = {
    "load": {"converter": "nau7802", "cells": 2, "location": "stack", "counts_per_kg": 8000.0,
             "counts_per_kg_right": 8000.0, "tare_counts": 84213, "tare_counts_right": 84213},
    "pins": {"factory": "mock", "seat_switches": [7, 12, 13, 14, 15, 19, 21]},
    "seat": {"sensors": ["switches", "tof"], "tof_bus": 4},
    "carriage": {"sensor": "encoder"},
    "pads": {"enabled": True},
    "outputs": {"buzzer": "passive", "light": "traffic"},
}  # fmt: skip


def test_a_machine_with_every_sensor_there_is_reports_each_part_and_all_are_well(tmp_path: Path) -> None:
    from device.scenario_clock import ScenarioClock

    config = Config.model_validate({**config_in(tmp_path).model_dump(), **EVERYTHING})
    inbox: Mailbox[Event] = Mailbox()
    with MockBoard() as board:
        virtual = VirtualMachine(config, load_scenario("rounding"), board, ScenarioClock(tmp_path / "run"))
        wire_time = WireTime(virtual.timer.now, virtual.timer.sleep)
        device = Device(config, board, NoStore(), inbox, wire_time=wire_time)
        live = Subscriber(config.paths.runtime_dir, "live")
        stop = threading.Event()
        running = threading.Thread(target=device.run, args=(stop,))
        running.start()
        reports = (record for _ in range(TURNS) if live.wait(0.5) for record in live.drain())
        healthy = next(
            (r for r in reports if isinstance(r, PartsReport) and all(part.health == "ok" for part in r.parts)), None
        )
        stop.set()
        running.join(10)
        device.close()
        live.close()
    inbox.close()
    assert healthy is not None
    assert [part.part for part in healthy.parts] == [
        "load cell left", "load cell right", "seat switches", "seat ranger", "carriage encoder", "back pad lumbar",
        "back pad sacrum",
    ]  # fmt: skip


class Machine:
    """A device process inside this one, on simulated pins, turned by hand."""

    def __init__(self, folder: Path, board: MockBoard, store: Store | None = None) -> None:
        from device.scenario_clock import ScenarioClock

        self.config = config_in(folder)
        self.inbox: Mailbox[Event] = Mailbox()
        virtual = VirtualMachine(self.config, load_scenario("rounding"), board, ScenarioClock(folder / "run"))
        wire_time = WireTime(virtual.timer.now, virtual.timer.sleep)
        self.device = Device(self.config, board, store or NoStore(), self.inbox, wire_time=wire_time)
        self.live = Subscriber(self.config.paths.runtime_dir, "live")

    def turn_until_state(self) -> LiveState:
        for _ in range(TURNS):
            self.device.turn()
            states = [record for record in self.live.drain() if isinstance(record, LiveState)]
            if states:
                return states[-1]
        raise AssertionError("the device published no state")

    def ask(self, command: Command) -> CommandReply:
        """As a page does, over the socket."""
        replies: list[CommandReply] = []
        asking = threading.Thread(
            target=lambda: replies.append(send_command(self.config.paths.runtime_dir, command, 10))
        )
        asking.start()
        for _ in range(TURNS):
            self.device.turn()
            if not asking.is_alive():
                break
        asking.join(10)
        return replies[0]

    def close(self) -> None:
        self.device.close()
        self.live.close()
        self.inbox.close()


def test_a_command_from_a_page_changes_the_state_and_is_answered(tmp_path: Path) -> None:
    with MockBoard() as board:
        machine = Machine(tmp_path, board)
        machine.turn_until_state()
        replies: list[CommandReply] = []
        runtime_dir = machine.config.paths.runtime_dir
        asking = threading.Thread(
            target=lambda: replies.append(send_command(runtime_dir, Command("goal", "quads"), 10))
        )
        asking.start()
        for _ in range(TURNS):
            machine.device.turn()
            if not asking.is_alive():
                break
        asking.join(10)
        goals = {machine.turn_until_state().goal for _ in range(3)}
        machine.close()
    assert [reply.ok for reply in replies] == [True]
    assert "quads" in goals


def test_a_page_backs_up_and_restores_over_the_socket_and_signs_the_member_out(tmp_path: Path) -> None:
    def ended(machine: Machine) -> dict[str, object]:
        for _ in range(TURNS):
            status: dict[str, object] = json.loads(machine.ask(Command("backup", "status")).data or "")
            if status["stage"] == "idle":
                return status
        raise AssertionError("it does not end")

    state_dir = config_in(tmp_path).paths.state_dir
    with MockBoard() as board:
        store = open_store(state_dir, lambda event: None)
        machine = Machine(tmp_path, board, store)
        machine.turn_until_state()
        assert machine.ask(Command("tag", "4711")).ok
        assert machine.turn_until_state().member == "4711"
        while store.pending() or not (state_dir / "legpress.sqlite3").exists():
            machine.device.turn()
        assert machine.ask(Command("backup", "make", who="admin")).ok
        assert ended(machine)["ok"] is True
        [backup] = (state_dir / "backups").iterdir()
        assert machine.ask(Command("restore", backup.name, who="admin")).ok
        assert str(ended(machine)["said"]).startswith(f"{backup.name} was restored; the database before it is kept as")
        assert machine.turn_until_state().member is None
        machine.close()
        store.close()
    with closing(sqlite3.connect(state_dir / "legpress.sqlite3")) as database:
        assert database.execute("SELECT who, what FROM audit").fetchall() == [("admin", "restored a backup")]


def test_garbage_on_the_socket_does_not_stop_the_device(tmp_path: Path) -> None:
    with MockBoard() as board:
        machine = Machine(tmp_path, board)
        publisher = Publisher(machine.config.paths.runtime_dir, "pose")
        machine.turn_until_state()
        publisher._socket.send_multipart([b"PoseSample", b"{not json"])
        publisher._socket.send_multipart([b"Nonsense"])
        state = machine.turn_until_state()
        publisher.close()
        machine.close()
    assert state.form_check is False


# --- vision ---------------------------------------------------------------------------------------


def seen(t_s: float, level: int = 120) -> Detection:
    picture = np.full((48, 64, 3), level, dtype=np.uint8)
    picture[:, :32] = level // 2
    return Detection(0, Frame(picture, t_s, 0), None)


def test_a_camera_without_a_new_frame_for_a_second_is_lost() -> None:
    health = CameraHealth("side", "side", calibrated=True)
    health.saw(seen(10.0), 10.02)
    assert health.status(10.9, 0, None).condition == "ok"
    lost = health.status(11.1, 0, None)
    assert (lost.condition, lost.frames_per_s) == ("lost", 0.0)


def test_a_camera_is_starting_until_its_first_frame_and_lost_when_that_never_comes() -> None:
    health = CameraHealth("side", "side", calibrated=True)
    assert health.status(5.0, 0, None).condition == "starting"
    assert health.status(10.9, 0, None).condition == "starting"
    assert health.status(11.1, 0, None).condition == "lost"
    health.saw(seen(12.0), 12.0)
    assert health.status(12.1, 0, None).condition == "ok"
    assert health.status(14.0, 0, None).condition == "lost"


def test_a_camera_that_cannot_be_opened_is_lost_at_once() -> None:
    assert CameraHealth("side", "side", calibrated=True).status(5.0, 0, None, failed=True).condition == "lost"


def test_a_covered_lens_is_dark_and_an_uncalibrated_camera_says_so() -> None:
    covered, new = CameraHealth("side", "side", True), CameraHealth("side", "side", False)
    covered.saw(seen(10.0, level=3), 10.0)
    new.saw(seen(10.0), 10.0)
    assert is_dark(np.zeros((480, 640, 3), dtype=np.uint8))
    assert covered.status(10.1, 0, None).condition == "dark"
    assert new.status(10.1, 0, None).condition == "uncalibrated"


def test_the_frame_rate_is_measured_from_exposure_to_exposure() -> None:
    health = CameraHealth("side", "side", True)
    for count in range(60):
        health.saw(seen(10.0 + count / 20), 10.0 + count / 20 + 0.03)
    assert health.status(13.0, 4, None).frames_per_s == pytest.approx(20.0, abs=0.2)


class NoModel:
    def detect(self, image_bgr: Image, t_ms: int, crop: Crop | None = None) -> Landmarks | None:
        return None


def test_without_a_picture_the_cameras_state_is_still_published() -> None:
    stop, published = threading.Event(), []

    def publish(sample: PoseSample) -> None:
        published.append(sample)
        if len(published) == 3:
            stop.set()

    def broken(camera: object, config: Config) -> FrameSource:
        raise SourceError("camera side: no such camera")

    Vision(config_in(Path("/nowhere")), [None], [NoModel()], publish, opener=broken).run(stop)
    assert [sample.seq for sample in published[:3]] == [1, 2, 3]
    assert {status.condition for sample in published for status in sample.cameras} == {"lost"}
    assert not any(sample.person or sample.checks for sample in published)


# --- progress -------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_for_a_person_and_taken_away_at_the_end() -> None:
    now_s = [0.0]
    terminal = Terminal()
    bar = Progress("analyzing", 4, terminal, clock=lambda: now_s[0])
    now_s[0] = 1.0
    bar.step(2)
    bar.close()
    assert "analyzing [###############---------------]  50%  1 s left" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_progress_is_silent_where_nobody_watches() -> None:
    file = io.StringIO()
    bar = Progress("analyzing", 4, file)
    bar.step(4)
    bar.close()
    assert file.getvalue() == ""
