"""How fast passwords may be guessed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FREE_GUESSES = 5
LONGEST_WAIT_S = 300.0


class GuessLimit:
    """After five wrong passwords each further one doubles the wait, up to five minutes; a right one resets it.

    One limit for all: behind a proxy every guess comes from the same address anyway.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong = 0
        self._until_s = float("-inf")

    def wait_s(self) -> float:
        """Seconds until the next guess is looked at; 0 when it may come now."""
        with self._lock:
            return max(self._until_s - self._clock(), 0.0)

    def wrong(self) -> None:
        with self._lock:
            self._wrong += 1
            if self._wrong >= FREE_GUESSES:
                wait_s = min(2.0 ** (self._wrong - FREE_GUESSES + 1), LONGEST_WAIT_S)
                self._until_s = self._clock() + wait_s

    def right(self) -> None:
        with self._lock:
            self._wrong = 0
            self._until_s = float("-inf")
