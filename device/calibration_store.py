"""What the guided calibrations measured, kept in the state folder with the values before, so that it can be undone.

A key that stands in the configuration file wins over what was measured: nobody edits a file without effect.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from device.calibration_guide import Part
from device.config import Config, Direction
from device.errors import UserError

FILE: Final = "calibration.json"


class CalibrationStoreError(UserError):
    """The stored calibration cannot be used or changed; one sentence: which file, what is wrong, what to do."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


CountsPerKg = Annotated[float, Field(ge=-1e6, le=1e6)]
Reading = Annotated[float, Field(ge=0.02, le=0.98)]


class LoadCalibration(_Record):
    """Of the one cell, or of the left foot's and the right foot's."""

    counts_per_kg: CountsPerKg
    tare_counts: int
    counts_per_kg_right: CountsPerKg | None = None
    tare_counts_right: int | None = None
    made_utc: str


class SeatCalibration(_Record):
    """Of the potentiometer, of the ranger, or of both."""

    reading_at_first: Reading | None = None
    reading_at_last: Reading | None = None
    tof_first_m: Annotated[float, Field(ge=0, le=3)] | None = None
    tof_direction: Direction | None = None
    made_utc: str


class Measured(_Record):
    """The calibrations in force and those before them."""

    load: LoadCalibration | None = None
    seat: SeatCalibration | None = None
    load_before: LoadCalibration | None = None
    seat_before: SeatCalibration | None = None


def stored(state_dir: Path) -> Measured:
    """What was measured; nothing where no calibration was made yet. Raises CalibrationStoreError."""
    path = state_dir / FILE
    try:
        return Measured.model_validate_json(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Measured()
    except (ValidationError, UnicodeDecodeError) as error:
        first = str(error).replace("\n", " ")[:120]
        raise CalibrationStoreError(f"{path} is damaged ({first}); remove it and calibrate again") from error
    except OSError as error:
        raise CalibrationStoreError(f"{path} cannot be read: {error.strerror}") from error


def store(state_dir: Path, part: Part, values: dict[str, Any]) -> Measured:
    """Put a calibration in force; the one before is kept for ``undo``. Raises CalibrationStoreError."""
    now = stored(state_dir)
    kind = LoadCalibration if part == "load" else SeatCalibration
    try:
        record = kind.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise CalibrationStoreError(f"this is no calibration of the {part}: {problems}") from error
    problem = _nonsense(record)
    if problem is not None:
        raise CalibrationStoreError(problem)
    return _write(state_dir, now.model_copy(update={part: record, f"{part}_before": getattr(now, part)}))


def undo(state_dir: Path, part: Part) -> Measured:
    """Bring back the calibration before; asked twice, the newer one again. Raises CalibrationStoreError."""
    now = stored(state_dir)
    current, before = getattr(now, part), getattr(now, f"{part}_before")
    if current is None and before is None:
        raise CalibrationStoreError(f"the {part} was never calibrated: there is nothing to undo")
    return _write(state_dir, now.model_copy(update={part: before, f"{part}_before": current}))


def _write(state_dir: Path, measured: Measured) -> Measured:
    """In one step: after a power cut there is the old file or the new one, never half of either."""
    path = state_dir / FILE
    fresh = path.with_suffix(".new")
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(measured.model_dump(mode="json"), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise CalibrationStoreError(f"{path} cannot be written: {error.strerror}") from error
    return measured


def _nonsense(record: LoadCalibration | SeatCalibration) -> str | None:
    """Why values that are each allowed are no calibration together, or None."""
    if isinstance(record, LoadCalibration):
        if 0 in (record.counts_per_kg, record.counts_per_kg_right):
            return "counts_per_kg is 0: the weight made no difference"
        if (record.counts_per_kg_right is None) != (record.tare_counts_right is None):
            return "the right cell needs both counts_per_kg_right and tare_counts_right"
        return None
    halves = (record.reading_at_first, record.reading_at_last), (record.tof_first_m, record.tof_direction)
    if any((first is None) != (second is None) for first, second in halves) or halves == ((None, None), (None, None)):
        return "a seat needs reading_at_first and reading_at_last, tof_first_m and tof_direction, or all of them"
    if record.reading_at_first is not None and record.reading_at_first == record.reading_at_last:
        return "the first and the last notch read the same"
    return None


KEYS: Final[dict[Part, dict[str, tuple[str, str]]]] = {
    "load": {"cell": ("counts_per_kg", "tare_counts"), "right cell": ("counts_per_kg_right", "tare_counts_right")},
    "seat": {"pot": ("reading_at_first", "reading_at_last"), "tof": ("tof_first_m", "tof_direction")},
}
"""What a calibration measures, by the sensor that it belongs to; the two of a sensor hold together or not at all."""


def given_in_file(config: Config, part: Part) -> list[str]:
    """The keys of this part's sensors that the configuration file gives, and that hold whatever is measured."""
    if part == "load":
        sensors = ["cell", "right cell"] if config.load.cells == 2 else ["cell"]
    else:
        sensors = [sensor for sensor in config.seat.sensors if sensor in KEYS["seat"]]
    given = getattr(config, part).model_fields_set
    return [f"{part}.{key}" for sensor in sensors for key in KEYS[part][sensor] if key in given]


def in_force(config: Config) -> Config:
    """``config`` with what was measured where the file says nothing. Raises CalibrationStoreError."""
    measured = stored(config.paths.state_dir)
    for part, sensors in KEYS.items():
        record, section = getattr(measured, part), getattr(config, part)
        if record is None:
            continue
        values = {
            key: getattr(record, key)
            for pair in sensors.values()
            if not section.model_fields_set.intersection(pair)
            for key in pair
            if getattr(record, key) is not None
        }
        config = config.model_copy(update={part: section.model_copy(update=values)})
    return config
