"""The load as the rest of the device sees it: of one cell or of both feet's, with what its course tells.

``LoadPath`` is a ``device.sensor_report.Sensor`` of ``LoadSample``, and so is ``NoLoad``, which stands in its place on
a machine without a cell.
"""

from __future__ import annotations

import math
from dataclasses import replace

from device.config import Load
from device.load import LoadError, LoadReader
from device.load_motion import CREEP_KG_MIN, MotionWatch, ZeroWatch
from device.messages import LoadSample, PartReport
from device.sensor_report import Trouble

TOGETHER_S = 0.1
"""Two cells' readings belong together when they are no further apart: a valid value is as old at most (DESIGN)."""
TOGETHER_PERIODS = 2.5
DISABLED_S = 0.5
"""How often a machine without a load cell says so."""


class LoadPath:
    """One cell, or the left and the right foot's. ``cells`` in that order; ``poll`` when ``next_due_s`` has come."""

    def __init__(self, cells: tuple[LoadReader, ...], config: Load) -> None:
        if len(cells) not in (1, 2):
            raise ValueError(f"a load path has one or two cells, not {len(cells)}")
        self.cells = cells
        self._config = config
        self.next_due_s = -math.inf
        self._latest: list[LoadSample | None] = [None] * len(cells)
        self._motion = MotionWatch(config)
        self._zero = ZeroWatch()
        self._together_s = max(TOGETHER_S, TOGETHER_PERIODS * max(cell.period_s for cell in cells))

    def poll(self, now_s: float) -> LoadSample | None:
        """A sample with every new reading (of the left foot, where there are two), or a lasting reason for none."""
        sample: LoadSample | None = None
        for i, cell in enumerate(self.cells):
            if cell.next_due_s > now_s:
                continue
            taken = cell.poll(now_s)
            if taken is not None:
                self._latest[i] = taken
                if i == 0 or (taken.kg is None and taken.quality != "uncalibrated"):
                    sample = self._summed(taken, now_s)
        self.next_due_s = min(cell.next_due_s for cell in self.cells)
        if sample is None:
            return None
        each = tuple(latest for latest in self._latest if latest is not None)
        sample = self._with_course(sample)
        return replace(sample, cells=each) if len(each) == 2 else sample

    def _summed(self, taken: LoadSample, now_s: float) -> LoadSample | None:
        if len(self.cells) == 1:
            return taken
        left, right = self._latest
        if left is None or right is None:
            return None if taken.kg is not None else taken
        raw = None if left.raw is None or right.raw is None else left.raw + right.raw
        if left.kg is None or right.kg is None:
            bad = left if left.kg is None else right
            return replace(bad, t_s=taken.t_s, raw=raw, left_kg=left.kg, right_kg=right.kg)
        if abs(left.t_s - right.t_s) > self._together_s:
            return LoadSample(now_s, None, None, "rejected")
        t_s = min(left.t_s, right.t_s)
        return LoadSample(t_s, raw, left.kg + right.kg, "ok", left_kg=left.kg, right_kg=right.kg)

    def _with_course(self, sample: LoadSample) -> LoadSample:
        if sample.kg is None:
            return sample
        moving = self._motion.take(sample.t_s, sample.kg)
        self._zero.take(sample.t_s, sample.kg, moving)
        return replace(sample, moving=moving, zero_off_kg=self._zero.off_kg)

    def tare(self) -> tuple[float, ...]:
        """Take every cell's mean of the last second as zero; returns them (counts).

        Raises LoadError, and then no cell's zero has changed, unless that second was complete and quiet in all.
        """
        before = tuple(cell.tare_counts for cell in self.cells)
        try:
            counts = tuple(cell.tare() for cell in self.cells)
        except LoadError:
            for cell, tare_counts in zip(self.cells, before, strict=True):
                cell.tare_counts = tare_counts
            raise
        self._zero.forget()
        return counts

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        worry = self._worry()
        return tuple(part for cell in self.cells for part in cell.reports(now_s, worry))

    def _worry(self) -> Trouble | None:
        off_kg, creep_kg_min = self._zero.off_kg, self._zero.creep_kg_min
        if off_kg is not None and abs(off_kg) > self._config.zero_limit_kg:
            return Trouble(
                f"the empty machine reads {off_kg:+.1f} kg",
                "with nobody on it set the load to zero: staff page, or 'legpress calibrate load'",
            )
        if creep_kg_min is not None and abs(creep_kg_min) > CREEP_KG_MIN:
            return Trouble(
                f"the empty machine's reading creeps by {creep_kg_min:+.2f} kg a minute",
                "wait half an hour; a cell that creeps on was overloaded or is damp: replace it",
            )
        return None


class NoLoad:
    """In place of a load path on a machine without a cell: the load is unknown, which the rules treat as heavy."""

    next_due_s = -math.inf

    def poll(self, now_s: float) -> LoadSample:
        self.next_due_s = now_s + DISABLED_S
        return LoadSample(now_s, None, None, "disabled")

    def tare(self) -> tuple[float, ...]:
        raise LoadError("the load cannot be set to zero: load.converter is none")

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        return (PartReport("load cell", "ok", "switched off (load.converter = none)"),)
