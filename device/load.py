"""One load cell, from its converter and the calibration: median-filtered kilograms, or an honest reason for none.

kg means the mass on the sled or stack. ``counts_per_kg`` counts per kilogram-force on the cell. Under the
plate the cell carries only the part of the weight that acts along the rails, m g sin(rail angle), and whatever
accelerates the sled; at the stack it carries the whole weight.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from statistics import fmean, median_low
from typing import Literal

from device.config import Load
from device.config_hardware_checks import STEEPEST_FLAT_DEG
from device.errors import RunError, UserError
from device.load_converter import FULL_SCALE, TROUBLES, Frame, LoadConverter
from device.messages import LoadSample, PartReport, Side
from device.sensor_report import ReadingLog, Trouble

MISSED_PERIODS = 2.5
"""Stale once two data-ready signals are missing (Klipper's watchdog); the half is for the chip's own clock."""
VALID_WITHIN_S = 0.1
"""A valid value at least this often, or within six periods of a slow chip: its four of settling, and two."""
FAILED_AFTER_S = 1.0
"""Silent this long: failed, and the chip is reset once in this time (ours)."""
MEDIAN_OF = 5
OUTLIER_FRACTION = 0.01
"""A reading further than this share of full scale from the last one must be confirmed (ours): the load cannot move
further within 12.5 ms unless the sled is slammed, and then the next readings say so too."""
CONFIRMED_BY = 3
"""Readings in a row at the new place: with 5 % of random frames two agree by chance 7 times an hour, three once in
ten days. With no earlier reading to go by, as many as the median takes must agree."""
CURED_BY_RESET = ("not_released", "bus", "calibration", "lost_settings")
REPEAT_S = 0.1
"""How often a lasting fault is reported again."""
TARE_S = 1.0


class LoadError(RunError):
    """The load path cannot do what was asked now; the text says what to do."""


@dataclass(slots=True)
class LoadStatistics:
    """Counts since the start, for the health page."""

    frames: int = 0
    valid: int = 0
    resets: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """By fault of the frame, and ``outlier``."""


class LoadReader:
    """Turns frames into samples. Call ``poll`` when ``next_due_s`` has come; no thread, no clock of its own.

    The value is the median of the last five readings: two conversions behind, 25 ms at 80 samples/s. ``side`` is the
    foot whose cell it is, where there are two.
    """

    def __init__(self, chip: LoadConverter, config: Load, side: Side | None = None) -> None:
        key = "counts_per_kg_right" if side == "right" else "counts_per_kg"
        self._counts_per_kg: float | None = getattr(config, key)
        if self._counts_per_kg == 0:
            raise UserError(f"load.{key} is 0: calibrate with 'legpress calibrate load', or leave the key out")
        self._kg_per_kgf = 1.0
        if config.location == "plate":
            if config.rail_deg < STEEPEST_FLAT_DEG:
                raise UserError(
                    f"load.rail_deg is {config.rail_deg:g}: a cell under the plate feels no weight on rails flatter "
                    f'than {STEEPEST_FLAT_DEG:g} deg; set load.location to "stack" or correct the angle'
                )
            self._kg_per_kgf = 1.0 / math.sin(math.radians(config.rail_deg))
        self._chip = chip
        self.tare_counts = float(config.tare_counts_right if side == "right" else config.tare_counts)
        self._log = ReadingLog(
            f"load cell {side}" if side else "load cell", "counts", 1.0 / chip.period_s, TROUBLES, noisy=True
        )
        self.statistics = LoadStatistics()
        self.next_due_s = -math.inf
        self._valid_within_s = max(VALID_WITHIN_S, 6 * chip.period_s)
        self._window: deque[int] = deque(maxlen=MEDIAN_OF)
        self._recent: deque[int] = deque(maxlen=max(3, round(TARE_S / chip.period_s)))
        self._suspects: list[int] = []
        self._last_frame_s: float | None = None
        self._missed = False
        self._why: Literal["rejected", "saturated"] = "rejected"
        self._last_valid_s = 0.0
        self._last_reset_s = 0.0
        self._last_report_s = -math.inf
        self._same_fault = 0
        self._last_fault: str | None = None

    def poll(self, now_s: float) -> LoadSample | None:
        """One sample: a value, or a lasting reason for none; None while there is nothing to say.

        A rejected frame is reported only once no valid value has come for ``VALID_WITHIN_S``.
        """
        if self._last_frame_s is None:
            self._reset(now_s)
            self._last_frame_s = now_s
            self._last_valid_s = self._chip.settled_s
        frame = self._chip.read(now_s)
        if frame is None:
            return self._silent(now_s)
        self._last_frame_s, self._missed = now_s, False
        self.next_due_s = max(now_s + self._chip.period_s / 12, self._chip.next_ready_s)
        self.statistics.frames += 1
        fault = frame.fault or self._outlier(frame)
        self._same_fault = self._same_fault + 1 if fault == self._last_fault else 1
        self._last_fault = fault
        if fault is not None:
            self.statistics.rejected[fault] += 1
            self._log.refused(now_s, fault)
            return self._rejected(frame, fault, now_s)
        self._log.took(now_s, self._window[-1])
        return self._valid(now_s)

    @property
    def period_s(self) -> float:
        return self._chip.period_s

    def reports(self, now_s: float, worry: Trouble | None = None) -> tuple[PartReport, ...]:
        """How the cell is doing; ``worry`` as in ``ReadingLog.report``."""
        if worry is None and self._counts_per_kg is None:
            worry = Trouble("is not calibrated", "run 'legpress calibrate load'")
        return (self._log.report(now_s, worry),)

    def _valid(self, now_s: float) -> LoadSample:
        self.statistics.valid += 1
        self._last_valid_s = now_s
        self._last_report_s = -math.inf
        raw = median_low(self._window)
        self._recent.append(raw)
        if self._counts_per_kg is None:
            return LoadSample(now_s, raw, None, "uncalibrated")
        kg = (raw - self.tare_counts) / self._counts_per_kg * self._kg_per_kgf
        return LoadSample(now_s, raw, kg, "ok")

    def _outlier(self, frame: Frame) -> str | None:
        """Take the frame's value into the window, unless it stands alone far from the others."""
        raw = frame.raw
        assert raw is not None
        limit = OUTLIER_FRACTION * FULL_SCALE
        if not self._window or abs(raw - self._window[-1]) > limit:
            if self._suspects and abs(raw - self._suspects[-1]) > limit:
                self._suspects.clear()
            self._suspects.append(raw)
            if len(self._suspects) < (CONFIRMED_BY if self._window else MEDIAN_OF):
                return "outlier"
            # a real jump: what came before it says nothing any more
            self._window.clear()
            self._window.extend(self._suspects[:-1])
        self._suspects.clear()
        self._window.append(raw)
        return None

    def _rejected(self, frame: Frame, fault: str, now_s: float) -> LoadSample | None:
        lasting = self._same_fault >= 2
        self._why = "saturated" if fault == "saturated" and lasting else "rejected"
        if self._why == "saturated":
            self._forget()
            return self._report(LoadSample(now_s, frame.raw, None, "saturated"))
        if fault in CURED_BY_RESET and now_s - self._last_reset_s > FAILED_AFTER_S and lasting:
            self._reset(now_s)
        return self._unknown(LoadSample(now_s, frame.raw, None, "rejected"))

    def _silent(self, now_s: float) -> LoadSample | None:
        """No conversion waits: fine until it is overdue, or until too many before it were rejected."""
        assert self._last_frame_s is not None
        period_s = self._chip.period_s
        overdue_s = now_s - max(self._last_frame_s, self._chip.settled_s - period_s)
        self._missed = self._missed or overdue_s > MISSED_PERIODS * period_s
        self.next_due_s = now_s + period_s / (3 if self._missed else 12)
        if not self._missed:
            return self._unknown(LoadSample(now_s, None, None, self._why))
        self._forget()
        self._suspects.clear()
        if now_s - self._last_report_s >= REPEAT_S:
            self._log.refused(now_s, "silent")
        if now_s - self._last_reset_s > FAILED_AFTER_S:
            self._reset(now_s)
        return self._report(LoadSample(now_s, None, None, "stale"))

    def _unknown(self, sample: LoadSample) -> LoadSample | None:
        """Report ``sample`` once the last valid value is too old to stand for now."""
        age_s = sample.t_s - self._last_valid_s
        if age_s <= self._valid_within_s:
            return None
        # late fetches mean a busy computer: they cast no doubt on the values before them
        if self._last_fault != "late" or age_s > FAILED_AFTER_S:
            self._forget()
        return self._report(sample)

    def _report(self, sample: LoadSample) -> LoadSample | None:
        if sample.t_s - self._last_report_s < REPEAT_S:
            return None
        self._last_report_s = sample.t_s
        if sample.quality == "saturated" or sample.t_s - self._last_valid_s <= FAILED_AFTER_S:
            return sample
        return replace(sample, quality="failed")

    def _reset(self, now_s: float) -> None:
        self.statistics.resets += 1
        self._last_reset_s = now_s
        self._chip.reset(now_s)

    def _forget(self) -> None:
        """What was measured before a gap is no neighbour of what comes after."""
        self._window.clear()
        self._recent.clear()

    def tare(self) -> float:
        """Take the mean of the last second as zero and return it (counts).

        Raises LoadError unless that second was complete and quiet (spread below 0.1 % of full scale, ours).
        """
        recent = list(self._recent)
        if len(recent) < (self._recent.maxlen or 0):
            raise LoadError("the load cannot be set to zero: no second of valid readings yet; wait and try again")
        spread = max(recent) - min(recent)
        if spread > 0.001 * FULL_SCALE:
            raise LoadError(
                f"the load cannot be set to zero while it moves (spread {spread} counts); leave the sled alone"
            )
        self.tare_counts = fmean(recent)
        return self.tare_counts
