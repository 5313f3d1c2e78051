"""A web application over a real database and a hub that the test feeds, with a clock that the test moves."""

from __future__ import annotations

import atexit
import functools
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from kiosk_scenes import LIFTING

from device.bus import BusError
from device.calibration_desk import CalibrationDesk
from device.config import Config, Machine, Paths, Web
from device.messages import Command, CommandReply, LiveState
from device.store.prepare import database_path, prepare_database
from device.store.writer import StoreWriter
from web_ui.app import create_app
from web_ui.camera_looks import CameraLooks
from web_ui.credentials import set_password
from web_ui.guess_limit import GuessLimit
from web_ui.live import LiveHub

PASSWORD = "a long enough password"
ADMIN_PASSWORD = "another long password of the admin"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Device:
    """The far end of the command channel."""

    commands: list[Command] = field(default_factory=list)
    answer: Callable[[Command], CommandReply] = lambda command: CommandReply(command.id, ok=True)

    def send(self, command: Command) -> CommandReply:
        self.commands.append(command)
        return self.answer(command)

    def refuse(self, reason: str) -> None:
        self.answer = lambda command: CommandReply(command.id, ok=False, error=reason)

    def fall_silent(self) -> None:
        def silent(_command: Command) -> CommandReply:
            raise BusError("the device process did not answer within 1.5 s; is 'legpress run device' running?")

        self.answer = silent


@dataclass
class WebMachine:
    app: Flask
    hub: LiveHub
    device: Device
    clock: Clock
    config: Config
    desk: CalibrationDesk
    """The device's own: it answers what the pages ask of load and seat."""

    def publish(self, state: LiveState = LIFTING, seq: int = 1) -> None:
        self.hub.publish(replace(state, seq=seq))

    def kiosk(self) -> FlaskClient:
        """A client on the machine itself."""
        return self.app.test_client()

    def stranger(self) -> FlaskClient:
        """A client from the local network, by the machine's name there."""
        client = self.app.test_client()
        client.environ_base |= {"REMOTE_ADDR": "192.168.1.20", "HTTP_HOST": "legpress.lan"}
        return client

    def staff(self) -> FlaskClient:
        """A client on the machine that has signed in."""
        client = self.kiosk()
        answer = sign_in(client, PASSWORD)
        assert answer == 303
        return client

    def admin(self) -> FlaskClient:
        """A client on the machine that has signed in as admin."""
        client = self.kiosk()
        assert sign_in(client, ADMIN_PASSWORD) == 303
        return client

    def store(self) -> StoreWriter:
        """A writer into this machine's database; call ``work_once`` for each write."""
        return StoreWriter(database_path(self.config.paths.state_dir), lambda ok, detail: None)


def form_token(page: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def sign_in(client: FlaskClient, password: str) -> int:
    token = form_token(client.get("/staff/login").text)
    return client.post("/staff/login", data={"form_token": token, "password": password}).status_code


@functools.cache
def _template() -> Path:
    """A state folder with an empty database and the password, made once: both take a while."""
    folder = Path(tempfile.mkdtemp(prefix="legpress-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    prepare_database(folder)
    # cheap to check, for a hundred tests sign in; what a real password costs, test_web_login pays
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("web_ui.credentials.SCRYPT_N", 2**4)
        set_password(folder, PASSWORD)
        set_password(folder, ADMIN_PASSWORD, "admin")
    return folder


def answers_of(desk: CalibrationDesk, clock: Callable[[], float]) -> Callable[[Command], CommandReply]:
    """A device that lets everything pass and has its real desk answer what is asked of calibrations."""

    def answer(command: Command) -> CommandReply:
        if command.name != "calibrate":
            return CommandReply(command.id, ok=True)
        error, data = desk.answer(command.value, clock(), command.target == "show")
        return CommandReply(command.id, error is None, error, data)

    return answer


def make_machine(
    state_dir: Path,
    max_streams: int = 3,
    port: int = 8080,
    rate_clock: Callable[[], float] = time.monotonic,
    house_rules: str | None = None,
    looks: CameraLooks | None = None,
) -> WebMachine:
    """Over the state folder as it is: without a database and a password if it is new.

    Without ``looks`` no vision process answers.
    """
    config = Config(
        paths=Paths(state_dir=state_dir),
        web=Web(port=port, event_streams=max_streams, threads=4, names=("legpress.lan",)),
        machine=Machine(house_rules=house_rules),
    )
    clock = Clock()
    desk = CalibrationDesk(config, config, lambda: None)
    device = Device(answer=answers_of(desk, clock))
    hub = LiveHub(device.send, max_streams, clock)
    app = create_app(config, hub, GuessLimit(clock), lambda: NOON, rate_clock, looks=looks)
    app.testing = False
    return WebMachine(app, hub, device, clock, config, desk)


def make_open_machine(state_dir: Path, **options: Any) -> WebMachine:
    """With both passwords and an empty database; the options are those of ``make_machine``."""
    shutil.copytree(_template(), state_dir, dirs_exist_ok=True)
    return make_machine(state_dir, **options)
