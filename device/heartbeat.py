"""What a service tells whoever supervises it: ready, alive, ending. The datagrams of sd_notify(3).

systemd names the socket in the environment; so does ``device.command.supervisor``. Without a supervisor
everything here does nothing.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import time
from collections.abc import Callable, Mapping


class Heartbeat:
    """Feeds the watchdog. For a service's main loop only: a thread beside it would outlive the loop's hang."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        pid: int | None = None,
    ) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._clock = clock
        self._next_s = -math.inf
        self.interval_s = _watchdog_s(environ, os.getpid() if pid is None else pid) / 2
        """How often ``beat`` speaks: half of what the supervisor allows; infinite where nobody watches."""

    def ready(self) -> None:
        """The service does its work now; until then its peers wait and the watchdog sleeps."""
        self._send("READY=1")

    def beat(self) -> None:
        """The loop turns and its inputs are fresh, or known to be faulty. Cheap: speaks only when it is time to."""
        now_s = self._clock()
        if now_s >= self._next_s and math.isfinite(self.interval_s):
            self._next_s = now_s + self.interval_s
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # a supervisor that is gone or too busy to listen is no reason for the service to fail
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode("ascii"), self._address)


def _watchdog_s(environ: Mapping[str, str], pid: int) -> float:
    """The time allowed between two beats; infinite when none is asked of this very process."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return math.inf
    try:
        return int(environ["WATCHDOG_USEC"]) / 1e6 or math.inf
    except (KeyError, ValueError):
        return math.inf
