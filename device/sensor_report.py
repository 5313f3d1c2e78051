"""What every sensor says of itself: the figures that the doctor, the calibration and the staff page need.

Every reader (load, seat, carriage, back pad, and the second of each) offers the same three things::

    next_due_s: float                          # when to call poll next (monotonic, s)
    poll(now_s) -> a sample, or None           # LoadSample, SeatSample, CarriageSample, PadSample
    reports(now_s) -> tuple[PartReport, ...]   # one per physical part, see ``device.messages.PartReport``

How to get them:

- *The machine runs*: the device process publishes ``PartsReport(t_s, parts)`` on the bus channel ``live`` once a
  second. ``legpress doctor`` and the staff page read that; they never touch a pin.
- *The device process is stopped* (``legpress calibrate``, or the doctor on a machine that is off)::

      with open_board(config.pins.factory) as board:
          sensors = open_sensors(config, board)      # device.sensor_set
          sample = sensors.load.poll(now_s)          # call when sensors.load.next_due_s has come
          for part in sensors.reports(now_s): ...

A ``PartReport`` carries ``health``, ``detail`` (one sentence with the measured figures), ``advice`` (what to do, empty
when nothing is), and the figures themselves over the last ``WINDOW_S``: ``rate_hz`` against ``wanted_hz``, ``noise``
(standard deviation, in ``unit``), ``mean``, ``unique`` different raw values of ``readings``, how many were
``saturated`` or ``rejected`` (by reason), and ``last_fault`` with its age. ``ReadingLog`` below keeps the books.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Mapping
from statistics import fmean, pstdev
from typing import NamedTuple, Protocol, TypeVar

from device.messages import Health, PartReport

WINDOW_S = 2.0
"""The figures are of this long: 160 readings of a load cell, two fifths of a second's settling left out (ours)."""
SLOW_SHARE = 0.8
"""Of the wanted rate: below, readings are missing (ours; a chip's own clock is within 10 %)."""
REJECTED_SHARE = 0.1
"""Of all readings: above, something is wrong with the wiring (ours; a busy computer spoils 2-3 %)."""
SILENT_PERIODS = 6
"""Without a valid reading for so many periods, and for a second at least, a part has failed."""
SHOWN_FOR_S = 60.0
"""How long a past fault is still named in the detail."""

Sample_co = TypeVar("Sample_co", covariant=True)


class Trouble(NamedTuple):
    """A fault in plain words: what is wrong, and what to do."""

    sentence: str
    advice: str


class Sensor(Protocol[Sample_co]):
    """What every reader is. ``poll`` when ``next_due_s`` has come; no thread, no clock of its own."""

    next_due_s: float

    def poll(self, now_s: float) -> Sample_co | None: ...

    def reports(self, now_s: float) -> tuple[PartReport, ...]: ...


class ReadingLog:
    """The last readings of one physical part, and its last fault. Read in one thread, reported in another.

    ``wanted_hz`` readings a second are expected, in ``unit``; ``noisy``: a healthy part never gives the same value
    for the whole window. ``troubles`` says each fault of this part in plain words.
    """

    def __init__(
        self, part: str, unit: str, wanted_hz: float, troubles: Mapping[str, Trouble], *, noisy: bool = False
    ) -> None:
        self.part, self._unit, self._wanted_hz, self._noisy = part, unit, wanted_hz, noisy
        self._troubles = troubles
        self._lock = threading.Lock()
        self._valid: deque[tuple[float, float]] = deque()
        self._refused: deque[tuple[float, str]] = deque()
        self._began_s: float | None = None
        self._last_valid_s = -math.inf
        self.last_fault: str | None = None
        self._last_fault_s = -math.inf

    def took(self, t_s: float, raw: float) -> None:
        """A reading that is believed."""
        with self._lock:
            self._begin(t_s)
            self._valid.append((t_s, raw))
            self._last_valid_s = t_s
            self._forget(t_s)

    def refused(self, t_s: float, fault: str) -> None:
        """A reading that is not, or one that is missing; ``fault`` is a key of ``troubles``."""
        with self._lock:
            self._begin(t_s)
            self._refused.append((t_s, fault))
            self.last_fault, self._last_fault_s = fault, t_s
            self._forget(t_s)

    def _begin(self, t_s: float) -> None:
        if self._began_s is None:
            self._began_s = t_s

    def _forget(self, now_s: float) -> None:
        for kept in (self._valid, self._refused):
            while kept and kept[0][0] < now_s - WINDOW_S:
                kept.popleft()

    def report(self, now_s: float, worry: Trouble | None = None) -> PartReport:
        """The part as it stands. ``worry`` is something only the caller can know (drift, a wrong calibration)."""
        with self._lock:
            self._forget(now_s)
            values = [raw for _, raw in self._valid]
            rejected = Counter(fault for _, fault in self._refused)
        span_s = min(WINDOW_S, now_s - (now_s if self._began_s is None else self._began_s))
        rate_hz = len(values) / span_s if span_s > 0 else None
        health, trouble = self._judge(now_s, len(values), span_s, rejected)
        unique = len(set(values))
        if trouble is None and self._noisy and unique == 1 and len(values) >= self._wanted_hz:
            health = "degraded"
            trouble = Trouble(
                f"the same value {len(values)} times", "the converter hangs: switch its supply off and on"
            )
        if trouble is None and worry is not None:
            health, trouble = "degraded", worry
        age_s = None if self.last_fault is None else now_s - self._last_fault_s
        return PartReport(
            part=self.part,
            health=health,
            detail=self._detail(values, rate_hz, trouble, age_s),
            advice="" if trouble is None else trouble.advice,
            unit=self._unit,
            rate_hz=rate_hz,
            wanted_hz=self._wanted_hz,
            noise=pstdev(values) if len(values) > 1 else None,
            mean=fmean(values) if values else None,
            unique=unique,
            readings=len(values) + rejected.total(),
            saturated=rejected["saturated"],
            rejected=dict(rejected),
            last_fault=self.last_fault,
            last_fault_age_s=age_s,
        )

    def _judge(self, now_s: float, valid: int, span_s: float, rejected: Counter[str]) -> tuple[Health, Trouble | None]:
        worst = rejected.most_common(1)[0][0] if rejected else None
        if self._began_s is None:
            return "failed", Trouble("has not been read yet", "wait a second and ask again")
        limit_s = max(1.0, SILENT_PERIODS / self._wanted_hz)
        if now_s - max(self._last_valid_s, self._began_s) > limit_s:
            return "failed", self.trouble(worst or self.last_fault or "silent")
        if worst is not None and rejected.total() > REJECTED_SHARE * (valid + rejected.total()):
            return "degraded", self.trouble(worst)
        if span_s >= WINDOW_S / 2 and valid / span_s < SLOW_SHARE * self._wanted_hz:
            return "degraded", Trouble(
                f"{valid / span_s:.0f} readings a second of {self._wanted_hz:.0f}",
                "see that the computer is not overloaded and that the converter is set to the configured rate",
            )
        return "ok", None

    def trouble(self, fault: str) -> Trouble:
        """``fault`` in plain words."""
        return self._troubles.get(fault, Trouble(fault.replace("_", " "), "check its wiring"))

    def _detail(self, values: list[float], rate_hz: float | None, trouble: Trouble | None, age_s: float | None) -> str:
        figures = []
        if values and rate_hz is not None:
            figures.append(f"{rate_hz:.0f} readings a second")
        if len(values) > 1:
            figures.append(f"noise {pstdev(values):.3g} {self._unit}")
        if trouble is not None:
            return "; ".join([trouble.sentence, *figures])
        if self.last_fault is not None and age_s is not None and age_s <= SHOWN_FOR_S:
            figures.append(f"{age_s:.0f} s ago: {self.trouble(self.last_fault).sentence}")
        return "; ".join(figures) or "no readings"
