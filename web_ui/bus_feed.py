"""Reads the device's records off the bus and hands them to the hub; sends commands the other way."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from device.bus import Subscriber, send_command
from device.messages import AlertRecord, Command, CommandReply, LiveState, PartsReport, RepRecord, SetRecord
from web_ui.live import LiveHub

log = logging.getLogger(__name__)

COMMAND_LIMIT_S = 1.5
LOOK_LIMIT_S = 2.5
"""For the vision process, which answers between two frames, and not while it takes up a calibration."""
POLL_S = 0.2
"""How soon the thread notices that it is to end."""


def command_sender(runtime_dir: Path, command: Command) -> CommandReply:
    """Asks the device. Raises device.bus.BusError when it does not answer."""
    return send_command(runtime_dir, command, timeout_s=COMMAND_LIMIT_S)


def look_sender(runtime_dir: Path, command: Command) -> CommandReply:
    """Asks the vision process. Raises device.bus.BusError when it does not answer."""
    return send_command(runtime_dir, command, LOOK_LIMIT_S, "camera")


class BusFeed:
    """A thread from the live channel to the hub. The device may come and go."""

    def __init__(self, runtime_dir: Path, hub: LiveHub) -> None:
        self._runtime_dir = runtime_dir
        self._hub = hub
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bus-feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        subscriber = Subscriber(self._runtime_dir, "live")
        rejected = 0
        try:
            while not self._ending.is_set():
                if not subscriber.wait(POLL_S):
                    continue
                for record in subscriber.drain():
                    if isinstance(record, PartsReport):
                        self._hub.take_report(record)
                    elif isinstance(record, LiveState | RepRecord | SetRecord | AlertRecord):
                        self._hub.publish(record)
                if subscriber.rejected and not rejected:
                    log.error("a record of the device was not understood: %s", subscriber.last_error)
                rejected = subscriber.rejected
        finally:
            subscriber.close()
