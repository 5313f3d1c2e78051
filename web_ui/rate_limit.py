"""How often one client may ask: a bucket of requests that fills up steadily."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from flask import Flask, request

from web_ui.origin import is_from_machine
from web_ui.problems import ProblemError

CLIENTS_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Rate:
    per_s: float
    burst: float


MACHINE = Rate(100.0, 500.0)
"""The screen and the programs on the machine itself: a page loads some twenty files, then little (ours)."""
NETWORK = Rate(10.0, 100.0)
"""A browser of staff: five pages at once, then two a second with all their files (ours)."""
COMMANDS = Rate(5.0, 20.0)
"""What changes something: faster than a person can press (ours)."""


class Buckets:
    """One bucket a client; the longest unused are forgotten, and full again when they come back."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> bool:
        """Takes one request out of the client's bucket; False when it is empty."""
        with self._lock:
            now_s = self._clock()
            level, filled_s = self._buckets.pop(client, (self._rate.burst, now_s))
            level = min(self._rate.burst, level + (now_s - filled_s) * self._rate.per_s)
            allowed = level >= 1.0
            self._buckets[client] = (level - 1.0 if allowed else level, now_s)
            while len(self._buckets) > CLIENTS_REMEMBERED:
                self._buckets.popitem(last=False)
            return allowed


def client_of_network() -> str:
    """The address that our own proxy saw, else the one that we see."""
    return request.headers.get("X-Forwarded-For", request.remote_addr or "").rpartition(",")[2].strip()


def install(app: Flask, clock: Callable[[], float] = time.monotonic) -> None:
    """Refuses with 429 who asks too often, before anything else is looked at."""
    machine, network, commands = Buckets(MACHINE, clock), Buckets(NETWORK, clock), Buckets(COMMANDS, clock)

    @app.before_request
    def _limit() -> None:
        at_machine = is_from_machine(request)
        client = "machine" if at_machine else client_of_network()
        allowed = (machine if at_machine else network).take(client)
        if allowed and request.method not in ("GET", "HEAD", "OPTIONS"):
            allowed = commands.take(client)
        if not allowed:
            raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, "too many requests; try again", {"Retry-After": "1"})
