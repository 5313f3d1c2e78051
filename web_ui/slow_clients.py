"""Ends connections that hold a place without using it, so that a few of them cannot keep the screen out.

Waitress itself only notices silence, and tells time by a clock that NTP may set back by an hour: a client that sends
a byte a second, or connects during such an hour, would stay.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

REQUEST_WITHIN_S = 10.0
"""From a request's first byte to its last: our largest is 16 kB."""
IDLE_S = 30.0
"""Between two requests."""
LOOK_EVERY_S = 1.0


class Patience:
    """Looks at a waitress server's connections once a second; for the server's own thread only."""

    def __init__(self, server: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._server, self._clock = server, clock
        self._since: dict[int, tuple[object, float]] = {}
        self._next_s = float("-inf")
        self.dropped = 0

    def look(self) -> None:
        now_s = self._clock()
        if now_s < self._next_s:
            return
        self._next_s = now_s + LOOK_EVERY_S
        seen: dict[int, tuple[object, float]] = {}
        for number, channel in list(self._server.active_channels.items()):
            if channel.requests:
                continue  # being answered, or an event stream: its sending has limits of its own
            what = channel.request  # the request under way, None between two
            before, since_s = self._since.get(number, (None, now_s))
            if number not in self._since or before is not what:
                since_s = now_s
            seen[number] = (what, since_s)
            if now_s - since_s > (IDLE_S if what is None else REQUEST_WITHIN_S):
                channel.will_close = True
                self.dropped += 1
        self._since = seen
