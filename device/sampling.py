"""A thread that polls one reader at the pace the reader asks for."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

Sample_co = TypeVar("Sample_co", covariant=True)
Item = TypeVar("Item")

log = logging.getLogger(__name__)

SHORTEST_SLEEP_S = 0.0005
LONGEST_SLEEP_S = 0.1
"""So that ``stop`` is obeyed within this time."""


class Polled(Protocol[Sample_co]):
    next_due_s: float

    def poll(self, now_s: float) -> Sample_co | None: ...


class InTurn(Generic[Item]):
    """Readers that share a bus, as one: each polled when it is due, one a call."""

    def __init__(self, *readers: Polled[Item]) -> None:
        self._readers = readers
        self.next_due_s = -math.inf

    def poll(self, now_s: float) -> Item | None:
        reader = min(self._readers, key=lambda each: each.next_due_s)
        sample = reader.poll(now_s) if reader.next_due_s <= now_s else None
        self.next_due_s = min(each.next_due_s for each in self._readers)
        return sample


class SamplingThread(Generic[Item]):
    """Hands every sample to ``deliver``, in this thread. A reader that raises ends the thread and calls ``died``, once:
    the service must end then, for nothing limps on half alive."""

    def __init__(
        self,
        name: str,
        reader: Polled[Item],
        deliver: Callable[[Item], None],
        died: Callable[[BaseException], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader, self._deliver, self._died, self._clock = reader, deliver, died, clock
        self._stop = threading.Event()
        self.polled_s: float | None = None
        """When the reader last answered, with a sample or without; None before it ever did."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def hangs(self, now_s: float, patience_s: float) -> bool:
        """True when a reader that once answered has not come back for `patience_s`.

        One that never answered is a known fault, which the age of its samples shows: starting again would not
        cure it, and would take the other sensors away each time.
        """
        return self.polled_s is not None and now_s - self.polled_s > patience_s

    def stop(self) -> None:
        """End the thread and wait for it; harmless when it has ended or never began."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                now_s = self._clock()
                sample = self._reader.poll(now_s)
                self.polled_s = now_s
                if sample is not None:
                    self._deliver(sample)
                due_s = self._reader.next_due_s
                wait_s = due_s - self._clock() if math.isfinite(due_s) else 0.0
                self._stop.wait(min(max(wait_s, SHORTEST_SLEEP_S), LONGEST_SLEEP_S))
        except Exception as error:  # whatever a driver died of, the service has to hear it
            log.exception("%s has died", self._thread.name)
            self._died(error)
