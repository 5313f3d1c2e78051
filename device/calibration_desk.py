"""The device's end of a guided calibration: it owns the pins, so it measures, keeps and applies; a command asks.

A request is the JSON value of a ``calibrate`` command:
``{"part": "load"|"seat", "do": "measure"|"store"|"undo", ...}``.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from statistics import fmean, pstdev
from typing import Any, Final

from device import calibration_store
from device.calibration_store import CalibrationStoreError
from device.config import Config
from device.core.events import Event
from device.errors import LegpressError
from device.messages import LoadSample, SeatSample

KEPT_S: Final = 12.0
LONGEST_S: Final = 10.0


class CalibrationDesk:
    """Remembers the last seconds of readings. ``changed`` is called once a new calibration is in force.

    ``config`` is in force now, ``given`` is what the configuration file alone says.
    """

    def __init__(self, config: Config, given: Config, changed: Callable[[], None]) -> None:
        self._config, self._given, self._changed = config, given, changed
        self._load: deque[LoadSample] = deque()
        self._seat: deque[SeatSample] = deque()

    def note(self, event: Event) -> None:
        """Keep a reading."""
        if isinstance(event, LoadSample):
            self._load.append(event)
            while event.t_s - self._load[0].t_s > KEPT_S:
                self._load.popleft()
        elif isinstance(event, SeatSample):
            self._seat.append(event)
            while event.t_s - self._seat[0].t_s > KEPT_S:
                self._seat.popleft()

    def answer(self, request: str | None, now_s: float) -> tuple[str | None, str | None]:
        """(error, data): one of them. ``data`` is JSON."""
        try:
            return None, json.dumps(self._answer(_parsed(request), now_s))
        except LegpressError as error:
            return str(error), None

    def _answer(self, wish: dict[str, Any], now_s: float) -> dict[str, Any]:
        part, do = wish.get("part"), wish.get("do")
        if part not in ("load", "seat"):
            raise CalibrationStoreError(f"unknown part {part!r}: allowed are load and seat")
        if do == "measure":
            span_s = wish.get("span_s", 2.0)
            if not isinstance(span_s, int | float) or not 0.2 <= span_s <= LONGEST_S:
                raise CalibrationStoreError(f"span_s is {span_s!r}: allowed 0.2 to {LONGEST_S:g}")
            self._refuse_uncommon(part)
            return self._measure_load(now_s - span_s) if part == "load" else self._measure_seat(now_s - span_s)
        if do not in ("store", "undo"):
            raise CalibrationStoreError(f"unknown wish {do!r}: allowed are measure, store and undo")
        fixed = calibration_store.given_in_file(self._given, part)
        if fixed:
            raise CalibrationStoreError(
                f"{' and '.join(fixed)} stand in the configuration file, which wins: take them out, restart, try again"
            )
        state_dir = self._config.paths.state_dir
        if do == "undo":
            after = calibration_store.undo(state_dir, part)
        else:
            after = calibration_store.store(state_dir, part, wish.get("values") or {})
        self._changed()
        record = getattr(after, part)
        return {"now": None if record is None else record.model_dump(mode="json")}

    def _refuse_uncommon(self, part: str) -> None:
        load, seat = self._config.load, self._config.seat
        if part == "load" and load.converter == "none":
            raise CalibrationStoreError("this machine has no load cell (load.converter = none)")
        if part == "load" and load.cells == 2:
            raise CalibrationStoreError(
                "two load cells: calibrate each alone with load.cells = 1, and write both into the configuration file"
            )
        if part == "seat" and "pot" not in seat.sensors:
            raise CalibrationStoreError("only a seat potentiometer needs calibrating (seat.sensors names none)")

    def _measure_load(self, since_s: float) -> dict[str, Any]:
        """Rate, noise, unique values and saturation of the last seconds, in the words of Klipper's diagnostic."""
        samples = [sample for sample in self._load if sample.t_s >= since_s]
        raw = [sample.raw for sample in samples if sample.raw is not None and sample.quality in ("ok", "uncalibrated")]
        span_s = samples[-1].t_s - samples[0].t_s if len(samples) > 1 else 0.0
        config = self._config.load
        return {
            "samples": len(samples),
            "valid": len(raw),
            "rate_hz": (len(samples) - 1) / span_s if span_s > 0 else 0.0,
            "expected_hz": config.samples_per_s,
            "mean": fmean(raw) if raw else None,
            "sd": pstdev(raw) if raw else None,
            "low": min(raw, default=None),
            "high": max(raw, default=None),
            "unique": len(set(raw)),
            "saturated": sum(sample.quality == "saturated" for sample in samples),
            "quality": samples[-1].quality if samples else "stale",
            "location": config.location,
            "rail_deg": config.rail_deg,
            "counts_per_kg": config.counts_per_kg,
            "tare_counts": config.tare_counts,
        }

    def _measure_seat(self, since_s: float) -> dict[str, Any]:
        samples = [sample for sample in self._seat if sample.t_s >= since_s]
        places = [sample.position_m for sample in samples if sample.position_m is not None]
        seat, notches = self._config.seat, self._config.machine.seat_notches_m
        gain = (seat.reading_at_last - seat.reading_at_first) / max(notches[-1] - notches[0], 1e-9)
        readings = [seat.reading_at_first + (place - notches[0]) * gain for place in places]
        return {
            "samples": len(samples),
            "valid": len(readings),
            "reading": fmean(readings) if readings else None,
            "spread": max(readings) - min(readings) if readings else None,
            "quality": samples[-1].quality if samples else "stale",
            "notches_m": list(notches),
            "tolerance_m": self._config.machine.seat_notch_tolerance_m,
            "reading_at_first": seat.reading_at_first,
            "reading_at_last": seat.reading_at_last,
        }


def _parsed(request: str | None) -> dict[str, Any]:
    try:
        wish = json.loads(request or "")
    except ValueError as error:
        raise CalibrationStoreError("a calibrate command's value is JSON") from error
    if not isinstance(wish, dict):
        raise CalibrationStoreError("a calibrate command's value is a JSON object")
    return wish
