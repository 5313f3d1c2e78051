"""The watchdog: fed through a real socket, by the loop that does the work, and only while its inputs are alive."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from device.command import supervisor
from device.command.supervisor import Supervisor, Watchdog
from device.config import Config
from device.heartbeat import Heartbeat
from device.pins import MockBoard
from device.sampling import SamplingThread
from device.silence import main as silence_main
from vision.capture import CAPTURE_HANGS_AFTER_S, DETECTION_HANGS_AFTER_S, CameraThreads, LatestSlots
from vision.frames import Frame, FrameSource, SourceError


class Manager:
    """systemd's end of the socket."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind("\0" + path[1:] if path.startswith("@") else path)

    def heard(self) -> list[bytes]:
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(1024))
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("abstract", [False, True])
def test_a_beat_is_sent_at_half_the_interval_and_no_oftener(tmp_path: Path, abstract: bool) -> None:
    path = f"@legpress-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    manager, now_s = Manager(path), [100.0]
    heart = Heartbeat({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "3000000"}, lambda: now_s[0])
    heart.ready()
    for now_s[0] in (100.0, 100.1, 101.4, 101.5, 101.6, 103.0):
        heart.beat()
    heart.stopping()
    assert manager.heard() == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]
    manager.close()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "3000000"},
        {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "3000000"},
        {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "soon"},
    ],
)
def test_without_anybody_who_listens_nothing_happens(environ: dict[str, str]) -> None:
    heart = Heartbeat(environ)
    heart.ready()
    heart.beat()
    heart.stopping()
    assert heart.interval_s == (1.5 if environ.get("WATCHDOG_USEC") == "3000000" else float("inf"))


def test_the_watchdog_of_another_process_is_not_fed(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    manager = Manager(path)
    Heartbeat({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, pid=7).beat()
    assert manager.heard() == []
    manager.close()


# --- what counts as hanging ----------------------------------------------------------------------


class Reader:
    """A sensor's driver that answers, or is stuck until it is let go."""

    next_due_s = 0.0

    def __init__(self, stuck_from: int) -> None:
        self.polls, self._stuck_from = 0, stuck_from
        self.stuck, self.let_go = threading.Event(), threading.Event()

    def poll(self, now_s: float) -> int | None:
        self.polls += 1
        if self.polls >= self._stuck_from:
            self.stuck.set()
            self.let_go.wait(30)
        return None


@pytest.mark.parametrize(("stuck_from", "hangs"), [(2, True), (1, False)])
def test_a_driver_that_sticks_is_a_hang_unless_it_never_answered(stuck_from: int, hangs: bool) -> None:
    reader = Reader(stuck_from)
    thread: SamplingThread[int] = SamplingThread("load", reader, lambda _: None, lambda _: None)
    thread.start()
    assert reader.stuck.wait(10)
    now_s = time.monotonic()
    assert [thread.hangs(now_s, 1.0), thread.hangs(now_s + 1.5, 1.0)] == [False, hangs]
    reader.let_go.set()
    thread.stop()


class Source:
    """A camera that gives one picture, then fails or sticks."""

    def __init__(self, then: str) -> None:
        self._then, self._given = then, False
        self.later, self.let_go = threading.Event(), threading.Event()

    def read(self, timeout_s: float) -> Frame | None:
        if not self._given:
            self._given = True
            return Frame(np.zeros((48, 64, 3), dtype=np.uint8), time.monotonic(), 0)
        self.later.set()
        if self._then == "fail":
            self.let_go.wait(0.01)
            return None
        self.let_go.wait(30)
        raise SourceError("let go")

    def close(self) -> None: ...


class Detector:
    def __init__(self, source: Source, dies: bool = False) -> None:
        self._source, self._dies = source, dies

    def detect(self, image_bgr: object, t_ms: int, crop: object = None) -> None:
        if self._dies:
            self._source.let_go.wait(30)


@pytest.mark.parametrize(
    ("then", "model_sticks", "after_s", "hangs"),
    [
        ("fail", False, DETECTION_HANGS_AFTER_S + 0.5, False),  # a camera known to be broken
        ("stick", False, CAPTURE_HANGS_AFTER_S + 0.5, True),
        ("stick", False, DETECTION_HANGS_AFTER_S - 0.5, False),
        ("stick", True, DETECTION_HANGS_AFTER_S + 0.5, True),
    ],
)
def test_a_stuck_camera_or_model_is_a_hang_and_a_broken_camera_is_not(
    then: str, model_sticks: bool, after_s: float, hangs: bool
) -> None:
    source = Source(then)

    def open_it() -> FrameSource:
        return source

    camera = CameraThreads(0, "side", open_it, Detector(source, model_sticks), LatestSlots(1))
    camera.start()
    assert source.later.wait(10)
    for _ in range(1000):
        if then != "fail" or camera.error:
            break
        source.let_go.wait(0.01)
    now_s = time.monotonic()
    assert (camera.hangs(now_s), camera.hangs(now_s + after_s)) == (False, hangs)
    source.let_go.set()
    camera.close()


# --- the supervisor as a watchdog ----------------------------------------------------------------


def test_a_child_is_only_missed_once_it_was_ready_and_not_after_it_began_to_stop() -> None:
    watchdog = Watchdog(3.0)
    heart = Heartbeat(watchdog.environment())
    silent = watchdog.expired(1000.0)
    heart.ready()
    after_ready = [watchdog.expired(2000.0), watchdog.expired(2002.9), watchdog.expired(2003.1)]
    heart.beat()
    after_beat = [watchdog.expired(2004.0), watchdog.expired(2007.1)]
    heart.stopping()
    after_stopping = watchdog.expired(9000.0)
    watchdog.close()
    assert (silent, after_ready, after_beat, after_stopping) == (False, [False, False, True], [False, True], False)


@pytest.mark.system
def test_a_frozen_service_is_killed_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "WATCHDOG_S", {"device": 1.0})
    config = tmp_path / "legpress.toml"
    config.write_text(
        f'[paths]\nstate_dir = "{tmp_path}/state"\nruntime_dir = "{tmp_path}/run"\n'
        '[pins]\nfactory = "mock"\n[simulation]\nscenario = "rounding"\n'
        '[[cameras]]\nsource = "scenario"\n'
    )
    with Supervisor(config, ("device",)) as running:
        first = running.pid("device")
        until_s = time.monotonic() + 60
        while running._watchdogs["device"]._heard_s == float("inf"):
            assert running.check() is None and time.monotonic() < until_s
            time.sleep(0.05)
        os.kill(first, signal.SIGSTOP)
        while running.pid("device") == first:
            assert running.check() is None and time.monotonic() < until_s
            time.sleep(0.05)
    assert running.restarts == 1


# --- silence after a killed device -----------------------------------------------------------------


def test_after_a_killed_device_every_output_is_driven_low() -> None:
    class Killed(MockBoard):
        """A header on which a killed process left the buzzer on."""

        driven: list[int]

        def output(self, pin: int, purpose: str):  # type: ignore[no-untyped-def]
            self.driven = [*getattr(self, "driven", []), pin]
            return super().output(pin, purpose)

    board = Killed()
    assert silence_main([], lambda config: board) == 0
    pins = Config().pins
    assert sorted(board.driven) == sorted([pins.buzzer, pins.light_red, pins.light_green, pins.light_blue])


def test_silence_without_a_header_says_so_in_one_line() -> None:
    done = subprocess.run([sys.executable, "-m", "device.silence"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("silence: ")
