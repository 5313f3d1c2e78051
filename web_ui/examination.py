"""What ``legpress doctor`` finds, for the staff's pages: live from the device's records, the rest a little older.

Disk, model, backups and board take longer than an answer may; a thread looks at them while somebody looks at the page.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from device import installation_health, machine_health
from device.config import Config
from device.machine_health import Finding
from device.messages import Health, LiveState, PartsReport

log = logging.getLogger(__name__)

RENEW_S = 20.0
"""How old disk, model, backups and board may be on the page (ours; each look reads the model's file once)."""
FIRST_WAIT_S = 0.04
"""How long the first request waits for the first look, so that the page rarely comes without."""

Examine = Callable[[Config, datetime], list[Finding]]


@dataclass(frozen=True, slots=True)
class Examined:
    """All findings, worst first. ``complete``: the first look at disk, model, backups and board is done."""

    findings: tuple[Finding, ...]
    complete: bool

    @property
    def health(self) -> Health:
        return machine_health.overall(self.findings)

    @property
    def summary(self) -> str:
        return machine_health.summary(self.findings)

    @property
    def wrong(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.health != "ok")


class Examination:
    """The slow findings, looked for in a thread of its own, one at a time and only when somebody asks."""

    def __init__(
        self,
        config: Config,
        examine: Examine = installation_health.examine,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._examine, self._clock = config, examine, clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._found: tuple[Finding, ...] | None = None
        self._found_s = float("-inf")

    def now(self, state: LiveState | None, report: PartsReport | None) -> Examined:
        """What is known at this moment; asks for a new look where the last one is old, and does not wait for it."""
        self._look_soon()
        slow = self._found
        return Examined(
            tuple(machine_health.worst_first([*machine_health.live(state, report), *(slow or ())])), slow is not None
        )

    def look(self) -> None:
        """Looks now, in the caller's thread. A fault of the look itself is a finding, too."""
        try:
            found = tuple(self._examine(self._config, datetime.now(UTC)))
        except Exception as error:  # the page of faults is the last that may die of one
            log.exception("the examination itself failed")
            found = (Finding("examination", "failed", f"could not be done: {error}", "run: legpress doctor"),)
        self._found, self._found_s = found, self._clock()

    def _look_soon(self) -> None:
        with self._lock:
            if self._clock() - self._found_s < RENEW_S:
                return
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self.look, name="examination", daemon=True)
                self._thread.start()
            thread = self._thread
        if self._found is None:
            thread.join(FIRST_WAIT_S)
