"""The web application behind a real waitress, on a free port of the loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from waitress import wasyncore
from web_machine import WebMachine, make_open_machine

from web_ui.camera_looks import CameraLooks
from web_ui.service import make_server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(
    state_dir: Path, max_streams: int = 4, looks: CameraLooks | None = None
) -> Iterator[tuple[WebMachine, str]]:
    """A machine and the address it is served at; real time."""
    machine = make_open_machine(state_dir, max_streams=max_streams, port=free_port(), looks=looks)
    server: Any = make_server(machine.config, machine.app)
    thread = threading.Thread(target=server.run, name="waitress", daemon=True)
    thread.start()
    try:
        yield machine, f"http://127.0.0.1:{machine.config.web.port}"
    finally:
        machine.hub.close()
        server.task_dispatcher.shutdown(timeout=5)
        # waitress ends by an exception in its own thread only: empty its map of sockets there instead;
        # when that thread was awake already, it has closed the trigger before this wakes it
        with suppress(OSError):
            server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map, ignore_all=True))
        thread.join(10.0)
