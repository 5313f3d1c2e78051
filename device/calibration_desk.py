"""The device's end of a guided calibration: it owns the pins, so it measures, keeps and applies; others ask.

A request is the JSON value of a ``calibrate`` command: ``{"part": "load"|"seat", "do": "show"|"measure"|"store"|
"undo", ...}``, or ``{"part": "camera", "do": "free"}``: whether a camera may be calibrated now. In a set the core
refuses all of them but a ``show``, where the command's target says that it is one.
"""

from __future__ import annotations

import datetime
import json
from collections import deque
from collections.abc import Callable, Sequence
from statistics import fmean, pstdev
from typing import Any, Final

from device import calibration_store
from device.calibration_guide import Part
from device.calibration_store import CalibrationStoreError
from device.config import Config
from device.core.events import Event
from device.errors import LegpressError
from device.messages import LoadSample, SeatSample

KEPT_S: Final = 12.0
LONGEST_S: Final = 10.0
DOINGS: Final = ("show", "measure", "store", "undo")


class CalibrationDesk:
    """Remembers the last seconds of readings. ``changed`` is called once a new calibration is in force.

    ``config`` is in force now, ``given`` is what the configuration file alone says.
    """

    def __init__(self, config: Config, given: Config, changed: Callable[[], None]) -> None:
        self._config, self._given, self._changed = config, given, changed
        self._cells: tuple[deque[LoadSample], ...] = tuple(deque() for _ in range(config.load.cells))
        self._seat: deque[SeatSample] = deque()

    def note(self, event: Event) -> None:
        """Keep a reading."""
        if isinstance(event, LoadSample):
            each = (event,) if len(self._cells) == 1 else event.cells
            for cell, sample in zip(self._cells, each, strict=False):
                if not cell or sample.t_s > cell[-1].t_s:
                    _keep(cell, sample)
        elif isinstance(event, SeatSample):
            _keep(self._seat, event)

    def answer(self, request: str | None, now_s: float, only_show: bool = False) -> tuple[str | None, str | None]:
        """(error, data): one of them. ``data`` is JSON. ``only_show`` refuses all but ``show``."""
        try:
            wish = _parsed(request)
            if only_show and wish.get("do") != "show":
                raise CalibrationStoreError("a command whose target is show asks for show alone")
            return None, json.dumps(self._answer(wish, now_s))
        except LegpressError as error:
            return str(error), None

    def _answer(self, wish: dict[str, Any], now_s: float) -> dict[str, Any]:
        part, do = wish.get("part"), wish.get("do")
        if part == "camera" and do == "free":
            return {}
        if part not in ("load", "seat"):
            raise CalibrationStoreError(f"unknown part {part!r}: allowed are load and seat")
        if do not in DOINGS:
            raise CalibrationStoreError(f"unknown wish {do!r}: allowed are {', '.join(DOINGS[:-1])} and {DOINGS[-1]}")
        if do == "show":
            return self._show(part)
        if do == "measure":
            return self._measure(part, wish.get("span_s", 2.0), now_s)
        fixed = self._fixed(part)
        if fixed is not None:
            raise CalibrationStoreError(fixed)
        state_dir = self._config.paths.state_dir
        if do == "undo":
            after = calibration_store.undo(state_dir, part)
        else:
            values = wish.get("values")
            made_utc = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            after = calibration_store.store(
                state_dir, part, {**(values if isinstance(values, dict) else {}), "made_utc": made_utc}
            )
        self._changed()
        return {"now": _plain(after, part)}

    def _show(self, part: Part) -> dict[str, Any]:
        """What there is to calibrate, what is in force, and what was before."""
        stored = calibration_store.stored(self._config.paths.state_dir)
        return {
            "unneeded": self._unneeded(part),
            "fixed": self._fixed(part),
            "setup": self._load_setup() if part == "load" else self._seat_setup(),
            "now": _plain(stored, part),
            "before": _plain(stored, f"{part}_before"),
        }

    def _fixed(self, part: Part) -> str | None:
        keys = calibration_store.given_in_file(self._given, part)
        if not keys:
            return None
        return f"{' and '.join(keys)} stand in the configuration file, which wins: take them out, restart, try again"

    def _unneeded(self, part: Part) -> str | None:
        if part == "load":
            none = self._config.load.converter == "none"
            return "this machine has no load cell (load.converter = none)" if none else None
        sensors = self._config.seat.sensors
        if "pot" in sensors or "tof" in sensors:
            one = len(self._config.machine.seat_notches_m) < 2
            return "machine.seat_notches_m names one notch only: there is nothing to calibrate" if one else None
        if "switches" in sensors:
            return "notch switches need no calibration: each tells its own notch"
        return "this machine has no seat sensor (seat.sensors names none)"

    def _load_setup(self) -> dict[str, Any]:
        load = self._config.load
        cells = [{"counts_per_kg": load.counts_per_kg, "tare_counts": load.tare_counts}]
        if load.cells == 2:
            cells.append({"counts_per_kg": load.counts_per_kg_right, "tare_counts": load.tare_counts_right})
        return {"cells": cells, "location": load.location, "rail_deg": load.rail_deg}

    def _seat_setup(self) -> dict[str, Any]:
        seat, machine = self._config.seat, self._config.machine
        return {
            "sensors": list(seat.sensors),
            "notches_m": list(machine.seat_notches_m),
            "tolerance_m": machine.seat_notch_tolerance_m,
            "reading_at_first": seat.reading_at_first,
            "reading_at_last": seat.reading_at_last,
            "tof_first_m": seat.tof_first_m,
            "tof_direction": seat.tof_direction,
        }

    def _measure(self, part: Part, span_s: object, now_s: float) -> dict[str, Any]:
        if not isinstance(span_s, int | float) or not 0.2 <= span_s <= LONGEST_S:
            raise CalibrationStoreError(f"span_s is {span_s!r}: allowed 0.2 to {LONGEST_S:g}")
        unneeded = self._unneeded(part)
        if unneeded is not None:
            raise CalibrationStoreError(unneeded)
        since_s = now_s - span_s
        if part == "load":
            expected_hz = self._config.load.samples_per_s
            return {"cells": [_cell_measured(cell, since_s, expected_hz) for cell in self._cells]}
        samples = [sample for sample in self._seat if sample.t_s >= since_s]
        quality = samples[-1].quality if samples else "stale"
        return {
            "pot": _spread([s.reading for s in samples if s.reading is not None], quality),
            "tof": _spread([s.distance_m for s in samples if s.distance_m is not None], quality),
        }


def _keep(kept: deque[Any], sample: LoadSample | SeatSample) -> None:
    kept.append(sample)
    while sample.t_s - kept[0].t_s > KEPT_S:
        kept.popleft()


def _cell_measured(kept: Sequence[LoadSample], since_s: float, expected_hz: float) -> dict[str, Any]:
    """Rate, noise, unique values and saturation of the last seconds, in the words of Klipper's diagnostic."""
    samples = [sample for sample in kept if sample.t_s >= since_s]
    raw = [sample.raw for sample in samples if sample.raw is not None and sample.quality in ("ok", "uncalibrated")]
    span_s = samples[-1].t_s - samples[0].t_s if len(samples) > 1 else 0.0
    return {
        "samples": len(samples),
        "valid": len(raw),
        "rate_hz": (len(samples) - 1) / span_s if span_s > 0 else 0.0,
        "expected_hz": expected_hz,
        "mean": fmean(raw) if raw else None,
        "sd": pstdev(raw) if raw else None,
        "low": min(raw, default=None),
        "high": max(raw, default=None),
        "unique": len(set(raw)),
        "saturated": sum(sample.quality == "saturated" for sample in samples),
        "quality": samples[-1].quality if samples else "stale",
    }


def _spread(values: list[float], quality: str) -> dict[str, Any]:
    return {
        "valid": len(values),
        "mean": fmean(values) if values else None,
        "spread": max(values) - min(values) if values else None,
        "quality": quality,
    }


def _plain(stored: calibration_store.Measured, name: str) -> dict[str, Any] | None:
    record = getattr(stored, name)
    return None if record is None else dict(record.model_dump(mode="json"))


def _parsed(request: str | None) -> dict[str, Any]:
    try:
        wish = json.loads(request or "")
    except (ValueError, RecursionError) as error:
        raise CalibrationStoreError("a calibrate command's value is JSON") from error
    if not isinstance(wish, dict):
        raise CalibrationStoreError("a calibrate command's value is a JSON object")
    return wish
