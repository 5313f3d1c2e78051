"""What the device says now, fanned out to every open page.

One thread feeds the hub; each event stream waits on its own subscription. The state is conflated
(a slow page skips states, never lags behind); reps, alerts and sets are queued and never merged.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias

from device.bus import encode
from device.errors import RunError
from device.messages import (
    AlertRecord,
    Command,
    CommandReply,
    LiveState,
    PartReport,
    PartsReport,
    RepRecord,
    SetRecord,
)

Record: TypeAlias = LiveState | RepRecord | AlertRecord | SetRecord

STALE_S = 2.0
"""A state older than this is no state: the device publishes at least twice a second."""
REPORT_STALE_S = 4.0
"""Of the report of every sensor, which comes once a second."""
SMALLEST_GAP_S = 0.04
"""Between two states of one stream: 25 a second are smooth to the eye (ours)."""
QUEUE_LENGTH = 200
EVENT_NAMES: dict[type, str] = {RepRecord: "rep", AlertRecord: "alert", SetRecord: "set"}


@dataclass(frozen=True, slots=True)
class Arrived:
    """A state, when it came here (time.monotonic()), and its JSON."""

    state: LiveState
    t_s: float
    json: bytes


class StreamLimitError(RunError):
    """Every event stream that the configuration allows (web.event_streams) is in use."""


def _event(name: str, json: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + json + b"\n\n"


class LiveHub:
    """What the pages know of the device: ``publish`` is called by the one thread that reads the bus.

    ``send`` asks the device; it raises device.bus.BusError when no answer comes in time.
    """

    def __init__(
        self,
        send: Callable[[Command], CommandReply],
        max_streams: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._max_streams = max_streams
        self.clock = clock
        self.changed = threading.Condition()
        self.closed = False
        self._latest: Arrived | None = None
        self._report: tuple[float, PartsReport] | None = None
        self._subscriptions: set[Subscription] = set()
        self.states = 0

    def latest(self) -> Arrived | None:
        """The newest state, None before the first. Check its age."""
        return self._latest

    def take_report(self, report: PartsReport) -> None:
        self._report = (self.clock(), report)

    def report(self) -> PartsReport | None:
        """How every sensor is doing; None where the device has not said so lately."""
        if self._report is None or self.clock() - self._report[0] > REPORT_STALE_S:
            return None
        return self._report[1]

    def parts(self) -> tuple[PartReport, ...] | None:
        report = self.report()
        return None if report is None else report.parts

    def fresh_state(self) -> LiveState | None:
        """The newest state; None where the device has not sent one lately."""
        latest = self._latest
        return latest.state if latest is not None and self.clock() - latest.t_s <= STALE_S else None

    def send(self, command: Command) -> CommandReply:
        return self._send(command)

    def streams(self) -> int:
        return len(self._subscriptions)

    def publish(self, record: Record) -> None:
        json = encode(record)[1]
        with self.changed:
            if isinstance(record, LiveState):
                self._latest = Arrived(record, self.clock(), json)
                self.states += 1
            else:
                event = _event(EVENT_NAMES[type(record)], json)
                for subscription in self._subscriptions:
                    subscription.queue(event)
            self.changed.notify_all()

    def subscribe(self) -> Subscription:
        """A stream of events, to be closed. Raises StreamLimitError."""
        with self.changed:
            if len(self._subscriptions) >= self._max_streams:
                raise StreamLimitError(f"all {self._max_streams} event streams are in use; close another page")
            subscription = Subscription(self)
            self._subscriptions.add(subscription)
            return subscription

    def release(self, subscription: Subscription) -> None:
        with self.changed:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """Ends every stream."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()


class Subscription:
    """One page's stream: ``take`` in its own thread, ``close`` at its end."""

    def __init__(self, hub: LiveHub) -> None:
        self._hub = hub
        self._events: deque[bytes] = deque(maxlen=QUEUE_LENGTH)
        self._sent: Arrived | None = None
        self._sent_s = float("-inf")
        self.lost = 0
        """Records that a page too slow to take them has missed."""

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def queue(self, event: bytes) -> None:
        """Called by the hub, which holds its lock."""
        if len(self._events) == QUEUE_LENGTH:
            self.lost += 1
        self._events.append(event)

    def take(self, timeout_s: float) -> bytes | None:
        """The events since the last call, as Server-Sent Events text, waiting for at least one.

        Returns b"" after `timeout_s` without any; None when the stream is over.
        """
        hub = self._hub
        until_s = hub.clock() + timeout_s
        with hub.changed:
            while not hub.closed:
                now_s = hub.clock()
                ready = self._ready(now_s)
                if ready:
                    return ready
                if now_s >= until_s:
                    return b""
                wait_s = until_s - now_s
                if self._unsent() is not None:
                    wait_s = min(wait_s, max(self._sent_s + SMALLEST_GAP_S - now_s, 0.001))
                hub.changed.wait(wait_s)
        return None

    def _unsent(self) -> Arrived | None:
        latest = self._hub.latest()
        return None if latest is self._sent else latest

    def _ready(self, now_s: float) -> bytes:
        events = list(self._events)
        self._events.clear()
        unsent = self._unsent()
        if unsent is not None and (events or now_s - self._sent_s >= SMALLEST_GAP_S):
            self._sent = unsent
            # what a page gets first may be old: it is no state then
            if now_s - unsent.t_s <= STALE_S:
                self._sent_s = now_s
                events.append(_event("state", unsent.json))
        return b"".join(events)

    def close(self) -> None:
        self._hub.release(self)
