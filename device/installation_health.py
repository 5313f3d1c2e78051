"""How what is installed and stored is: program, pose models, disk space, backups, calibrations.

``legpress doctor`` and the staff's health page show it. It reads files, and may take a second: not for a request.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from device import calibration_store, machine_health, model_file
from device.calibration_store import CalibrationStoreError
from device.config import Config
from device.machine_health import Finding
from device.store.backup_list import backup_time, backups_of
from device.store.engine import connect_readonly
from device.store.schema import DATABASE_NAME

FULL_BYTES: Final = 100e6
NEARLY_FULL_BYTES: Final = 1e9
"""Free disk below which the store cannot be trusted, and below which it is time to act (ours: a year of
sets takes some 300 MB)."""
OLD_BACKUP_DAYS: Final = 2.0
"""One is made each night; a computer that was off at that hour makes it at its next start."""
LOST_BACKUP_DAYS: Final = 14.0
"""As long as nightly ones are kept: by then nobody looks after them."""


def software_version() -> str:
    try:
        return importlib.metadata.version("legpress")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def software() -> Iterator[Finding]:
    yield Finding("software", "ok", f"legpress {software_version()}")


def variants_needed(config: Config) -> list[model_file.Variant]:
    return sorted({camera.model for camera in config.cameras})


def pose_model(config: Config, variant: model_file.Variant) -> Finding:
    """Whether this pose model is there, and the one that was tested (by its SHA-256)."""
    pinned = model_file.BUNDLES[variant]
    path = model_file.model_path(config.paths.model_dir.expanduser(), variant)
    fault = model_file.fault_of(path, variant, pinned)
    if fault is None:
        return Finding(f"model {variant}", "ok", f"{path}, verified, SHA-256 {pinned[: model_file.TOLD]}...")
    problem, _, advice = fault.rpartition("; ")
    return Finding(f"model {variant}", "failed", problem or fault, advice if problem else "correct its permissions")


def state_folder(config: Config) -> Iterator[Finding]:
    """Whether the folder of all that is stored can be written, and how much room there is."""
    folder = config.paths.state_dir.expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        detail = f"{folder} cannot be written: {error.strerror}"
        yield Finding("state folder", "failed", detail, "give it to this user, or set paths.state_dir")
        return
    detail = f"{folder}, {free_bytes / 1e9:.1f} GB free"
    if free_bytes < FULL_BYTES:
        yield Finding("state folder", "failed", detail, "free some space: sets can no longer be stored")
    elif free_bytes < NEARLY_FULL_BYTES:
        yield Finding("state folder", "degraded", detail, "free some space soon")
    else:
        yield Finding("state folder", "ok", detail)


def backups(config: Config, now: datetime.datetime) -> Iterator[Finding]:
    """How old the newest backup is; without one, since when sets have been stored that no backup holds."""
    database = config.paths.state_dir.expanduser() / DATABASE_NAME
    kept = backups_of(database)
    newest = next((moment for moment in map(backup_time, kept) if moment is not None), None)
    since = newest or _first_set(database)
    if since is None:
        yield Finding("backups", "ok", "none yet, for nothing is stored yet")
        return
    days = max((now - since).total_seconds() / 86400.0, 0.0)
    if newest is None:
        detail = f"none, and sets have been stored for {_days(days)}"
    else:
        detail = f"{len(kept)} kept, the newest {_days(days)} old"
    advice = "legpress backup; then see why none comes by itself: systemctl status legpress-backup.timer"
    if days <= OLD_BACKUP_DAYS:
        yield Finding("backups", "ok", detail)
    else:
        yield Finding("backups", "failed" if days > LOST_BACKUP_DAYS else "degraded", detail, advice)


def _days(days: float) -> str:
    hours = round(24 * days)
    return f"{hours} h" if hours < 48 else f"{days:.0f} days"


def _first_set(database: Path) -> datetime.datetime | None:
    """When the first set began that is stored; None where there is none, or where the database cannot be read."""
    if not database.is_file():
        return None
    try:
        with contextlib.closing(connect_readonly(database)) as connection:
            found = connection.execute("SELECT min(started_utc) FROM sets").fetchone()[0]
        return None if found is None else datetime.datetime.fromisoformat(found)
    except (sqlite3.Error, ValueError):
        return None  # what is wrong with it the device process says


def load_cell(config: Config) -> Iterator[Finding]:
    if config.load.converter == "none":
        yield Finding("load cell scale", "ok", "none (load.converter = none)")
    elif config.load.counts_per_kg is None:
        detail = "not calibrated: the load is unknown, and treated as heavy"
        yield Finding("load cell scale", "degraded", detail, "legpress calibrate load")
    else:
        yield Finding("load cell scale", "ok", f"{config.load.counts_per_kg:g} counts per kg")


def examine(config: Config, now: datetime.datetime) -> list[Finding]:
    """All of it, and the computer's own state: for the staff's page, which adds what is live."""
    with contextlib.suppress(CalibrationStoreError):  # a damaged file has a row of its own
        config = calibration_store.in_force(config)
    return [
        *(pose_model(config, variant) for variant in variants_needed(config)),
        *state_folder(config),
        *backups(config, now),
        *load_cell(config),
        *machine_health.calibration_age(config, now),
        *machine_health.board(),
        *software(),
    ]
