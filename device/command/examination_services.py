"""What ``legpress doctor`` asks of the running services: the processes, and what they tell of every part."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from device import machine_health
from device.bus import Subscriber
from device.config import Config
from device.errors import LegpressError
from device.machine_health import Finding
from device.messages import LiveState, PartsReport

ANSWER_WITHIN_S = 2.5
"""The device publishes its state at least twice a second, and how the parts are once a second."""


def services(config: Config) -> Iterator[Finding]:
    """The processes, and what they tell of sensors, outputs and cameras."""
    try:
        state, report = _published(config)
    except LegpressError as error:
        yield Finding("device service", "failed", str(error), "correct paths.runtime_dir")
        return
    yield from machine_health.device_service(state, must_run=False)
    yield from machine_health.parts(report)
    yield from machine_health.cameras(state)
    yield _pages(config)


def _published(config: Config) -> tuple[LiveState | None, PartsReport | None]:
    """The newest state and report of the parts that the device publishes; None for what does not come."""
    state: LiveState | None = None
    report: PartsReport | None = None
    subscriber = Subscriber(config.paths.runtime_dir, "live")
    until_s = time.monotonic() + ANSWER_WITHIN_S
    try:
        while (left_s := until_s - time.monotonic()) > 0 and not (state and report):
            subscriber.wait(left_s)
            for record in subscriber.drain():
                if isinstance(record, LiveState):
                    state = record
                elif isinstance(record, PartsReport):
                    report = record
        return state, report
    finally:
        subscriber.close()


def _pages(config: Config) -> Finding:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(config.web.host, config.web.host)
    address = f"http://{host}:{config.web.port}/healthz"
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_WITHIN_S) as answer:
            json.load(answer)
    except urllib.error.HTTPError as error:
        return Finding("web pages", "degraded", f"{address} answers {error.code}", "see the log of legpress run web")
    except (OSError, ValueError):
        return Finding("web pages", "degraded", f"{address} does not answer", "start it: legpress run")
    return Finding("web pages", "ok", f"{address} answers")
