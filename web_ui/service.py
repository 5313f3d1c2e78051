"""The web process: hub, feed and waitress, composed."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import waitress
from flask import Flask
from waitress import wasyncore

from device.config import Config
from device.errors import UserError
from device.heartbeat import Heartbeat
from web_ui.app import create_app
from web_ui.bus_feed import BusFeed, command_sender, look_sender
from web_ui.camera_looks import CameraLooks
from web_ui.live import LiveHub
from web_ui.slow_clients import Patience

log = logging.getLogger(__name__)

OUTPUT_HELD_BYTES = 512 * 1024
"""What waits for a slow page before its stream stops; far above a healthy stream's."""

RESTART_AFTER_S = 0.7
GONE_AFTER_MS = 10_000
"""A page that takes nothing for this long has left: its stream's thread is free again."""


LOOP_WAIT_S = 0.5
"""How long the main loop waits for something to happen before it looks after itself."""


class AddressError(UserError):
    """web.host and web.port cannot be listened on; the text says why."""


def make_server(config: Config, app: Flask) -> Any:
    """A waitress server listening on web.host and web.port, not yet serving.

    Every event stream occupies a thread for as long as it lasts, so there is one for each, and
    ``web.threads`` more for all else.

    Raises:
        AddressError: the port is in use or the address is not this machine's.
    """
    listening = _listen(config.web.host, config.web.port)
    return waitress.create_server(
        app,
        sockets=[listening],
        threads=config.web.threads + config.web.event_streams,
        connection_limit=config.web.event_streams + 200,
        channel_timeout=30,
        cleanup_interval=10,
        outbuf_high_watermark=OUTPUT_HELD_BYTES,
        max_request_body_size=64 * 1024,
        max_request_header_size=16 * 1024,
        # Caddy on this machine says whether it was asked over TLS; nobody else can connect to the loopback
        trusted_proxy="127.0.0.1",
        trusted_proxy_headers={"x-forwarded-proto"},
        clear_untrusted_proxy_headers=False,  # the kiosk's check must see that a proxy was in between
        ident=None,
    )


def _listen(host: str, port: int) -> socket.socket:
    # our own socket: waitress would leave its half-made server open when the port is taken
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror or error).partition(" (while")[0]
        raise AddressError(f"web: cannot listen on {host} port {port}: {reason}") from error
    # the connections that are accepted from it inherit this
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GONE_AFTER_MS)
    return listening


def restart_soon() -> None:
    """Ends this process once the answer under way has gone out; its supervisor starts it again."""
    threading.Timer(RESTART_AFTER_S, os.kill, (os.getpid(), signal.SIGTERM)).start()


def serve(config: Config, on_ready: Callable[[str], None] | None = None) -> int:
    """Runs until SIGTERM or Ctrl-C. Calls ``on_ready(address)`` once requests are answered."""
    logging.getLogger("waitress").setLevel(logging.WARNING)  # else a line for each page that leaves
    hub = LiveHub(partial(command_sender, config.paths.runtime_dir), config.web.event_streams)
    looks = CameraLooks(partial(look_sender, config.paths.runtime_dir))
    server = make_server(config, create_app(config, hub, restart=restart_soon, looks=looks))
    feed = BusFeed(config.paths.runtime_dir, hub)

    def end(_number: int, _frame: FrameType | None) -> None:
        hub.close()  # else each stream would hold its thread, and waitress would wait for it
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    feed.start()
    address = f"http://{config.web.host}:{config.web.port}/"
    log.info("serving %s", address)
    if on_ready is not None:
        on_ready(address)
    heartbeat = Heartbeat()
    heartbeat.ready()
    try:
        run_loop(server, feed, heartbeat)
    finally:
        heartbeat.stopping()
        server.task_dispatcher.shutdown()
        server.close()
        feed.close()
    return 0


def run_loop(server: Any, feed: BusFeed, heartbeat: Heartbeat) -> None:
    """Waitress's own loop, turn by turn, so that the watchdog is fed from it: while it turns and the device is
    listened to. A device that says nothing is no fault of this process."""
    patience = Patience(server)
    while server._map:
        wasyncore.loop(timeout=LOOP_WAIT_S, use_poll=True, map=server._map, count=1)
        patience.look()
        if feed.alive():
            heartbeat.beat()
