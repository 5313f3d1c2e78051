"""What the guided calibrations measured, kept in the state folder with the values before, so that it can be undone.

A key that stands in the configuration file wins over what was measured: nobody edits a file without effect.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from device.config import Config
from device.errors import UserError

FILE: Final = "calibration.json"
Part = Literal["load", "seat"]


class CalibrationStoreError(UserError):
    """The stored calibration cannot be used or changed; one sentence: which file, what is wrong, what to do."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LoadCalibration(_Record):
    counts_per_kg: Annotated[float, Field(ge=-1e6, le=1e6)]
    tare_counts: int
    made_utc: str


class SeatCalibration(_Record):
    reading_at_first: Annotated[float, Field(ge=0.02, le=0.98)]
    reading_at_last: Annotated[float, Field(ge=0.02, le=0.98)]
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
    if isinstance(record, LoadCalibration) and record.counts_per_kg == 0:
        raise CalibrationStoreError("counts_per_kg is 0: the weight made no difference")
    if isinstance(record, SeatCalibration) and record.reading_at_first == record.reading_at_last:
        raise CalibrationStoreError("the first and the last notch read the same")
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


def given_in_file(config: Config, part: Part) -> list[str]:
    """The keys of this part that the configuration file gives, and that therefore hold whatever is measured."""
    section, keys = (config.load, ("counts_per_kg", "tare_counts")) if part == "load" else (
        config.seat, ("reading_at_first", "reading_at_last"))  # fmt: skip
    return [f"{part}.{key}" for key in keys if key in section.model_fields_set]


def in_force(config: Config) -> Config:
    """``config`` with what was measured where the file says nothing. Raises CalibrationStoreError."""
    measured = stored(config.paths.state_dir)
    if measured.load is not None and not given_in_file(config, "load"):
        values = {"counts_per_kg": measured.load.counts_per_kg, "tare_counts": measured.load.tare_counts}
        config = config.model_copy(update={"load": config.load.model_copy(update=values)})
    if measured.seat is not None and not given_in_file(config, "seat"):
        ends = {"reading_at_first": measured.seat.reading_at_first, "reading_at_last": measured.seat.reading_at_last}
        config = config.model_copy(update={"seat": config.seat.model_copy(update=ends)})
    return config
