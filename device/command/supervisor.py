"""Starts the three services as processes of their own and keeps them running, as systemd does on the machine."""

from __future__ import annotations

import ctypes
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

SERVICES = ("device", "web", "vision")
"""In the order they start: the buzzer first, the slow model last."""
SUPERVISED = "LEGPRESS_SUPERVISED"
"""Set in a child's environment: it ends when its supervisor does."""
_RESTART_AFTER_S = 0.1
"""As RestartSec in systemd/: nobody is warned meanwhile, and a start takes long enough to be no busy loop."""
_STOP_WITHIN_S = 1.5
"""A child that has not ended this long after SIGTERM is killed: Ctrl-C ends everything within 2 s."""
WATCHDOG_S = {"device": 3.0, "web": 10.0, "vision": 10.0}
"""A service that has said that it is ready and then falls silent for this long hangs, and is killed. As WatchdogSec
in systemd/."""
_POLL_S = 0.1
_BAD_INPUT = 2
_PR_SET_PDEATHSIG = 1


def end_with_supervisor() -> None:
    """In a supervised child: asks the kernel for SIGTERM when the supervisor dies, however it dies."""
    if os.environ.get(SUPERVISED):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == 1:  # it died before we asked
            os.kill(os.getpid(), signal.SIGTERM)


class Watchdog:
    """The supervisor's end of the datagrams of ``device.heartbeat``, for one child."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind("")  # the kernel picks an abstract name that nobody else has
        self._heard_s = math.inf

    def environment(self) -> dict[str, str]:
        name = self._socket.getsockname()
        return {"NOTIFY_SOCKET": f"@{name[1:].decode()}", "WATCHDOG_USEC": str(round(self._limit_s * 1e6))}

    def expired(self, now_s: float) -> bool:
        """True when a child that was ready has been silent for too long."""
        while True:
            try:
                words = self._socket.recv(4096).split(b"\n")
            except BlockingIOError:
                return now_s - self._heard_s > self._limit_s
            if b"STOPPING=1" in words:
                self._heard_s = math.inf
            elif b"READY=1" in words or b"WATCHDOG=1" in words:
                self._heard_s = now_s

    def close(self) -> None:
        self._socket.close()


class Supervisor:
    """The services as child processes; a context manager that leaves none behind.

    A child that dies is started again, except after exit code 2: bad configuration stays bad. One that hangs
    is killed first.
    """

    def __init__(self, config_path: Path | None, services: Sequence[str] = SERVICES, quiet: bool = False) -> None:
        self._config_path, self._services, self._quiet = config_path, services, quiet
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._due_s: dict[str, float] = {}
        self._watchdogs: dict[str, Watchdog] = {}
        self.restarts = 0

    def __enter__(self) -> Supervisor:
        for name in self._services:
            self._start(name)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self, name: str) -> None:
        command = [sys.executable, "-m", "device.command", "run", name]
        if self._config_path is not None:
            command += ["--config", str(self._config_path)]
        if name in self._watchdogs:
            self._watchdogs[name].close()
        self._watchdogs[name] = watchdog = Watchdog(WATCHDOG_S[name])
        environment: Mapping[str, str] = {**os.environ, SUPERVISED: "1", **watchdog.environment()}
        # a session of its own: Ctrl-C reaches the supervisor alone, which then ends the children in order
        self._children[name] = subprocess.Popen(command, env=environment, start_new_session=True)

    def pid(self, name: str) -> int:
        return self._children[name].pid

    def check(self) -> int | None:
        """Starts again what has died; the exit code when a child says that its input is bad, else None."""
        now_s = time.monotonic()
        for name, child in self._children.items():
            code = child.poll()
            if code is None:
                if self._watchdogs[name].expired(now_s):
                    log.error("%s hangs: no sign of life for %g s; killing it", name, WATCHDOG_S[name])
                    child.kill()
                    child.wait()
                continue
            if code == _BAD_INPUT:
                return code
            if name not in self._due_s:
                log.error("%s ended (%s); starting it again", name, _how(code))
                self._due_s[name] = now_s + _RESTART_AFTER_S
            elif now_s >= self._due_s[name]:
                del self._due_s[name]
                self.restarts += 1
                self._start(name)
        return None

    def wait(self, stop: threading.Event) -> int:
        """Keeps the services running until `stop` (0), or until one says that its input is bad (2)."""
        while not stop.wait(_POLL_S):
            code = self.check()
            if code is not None:
                return code
        return 0

    def stop(self) -> None:
        """Ends every child: politely, then not."""
        for child in self._children.values():
            if child.poll() is None:
                child.terminate()
        deadline_s = time.monotonic() + _STOP_WITHIN_S
        for name, child in self._children.items():
            try:
                child.wait(max(0.0, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("%s did not end by itself", name)
                child.kill()
                child.wait()
        for watchdog in self._watchdogs.values():
            watchdog.close()


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set. For the main thread."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop
