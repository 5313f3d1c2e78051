"""Keeps a camera's calibration file, the one before beside it: whole or not at all, also when the power goes."""

from __future__ import annotations

import os
from pathlib import Path

from vision.calibration import CalibrationError


def before_path(path: Path) -> Path:
    """Where the calibration before the one in ``path`` is kept."""
    return path.with_suffix(".before")


def keep(path: Path, text: str) -> None:
    """Put the calibration with this text in force; the one before is kept for ``undo``. Raises CalibrationError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _write(before_path(path), path.read_bytes())
        _write(path, text.encode())
    except OSError as error:
        raise _unwritable(path, error) from error


def undo(path: Path) -> None:
    """Bring back the calibration before; asked twice, the newer one again. Raises CalibrationError."""
    before = before_path(path)
    try:
        if not before.exists():
            raise CalibrationError(f"there is no calibration before this one ({before} is missing)")
        newer = path.read_bytes() if path.exists() else None
        _write(path, before.read_bytes())
        if newer is not None:
            _write(before, newer)
        else:
            before.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _unwritable(path: Path, error: OSError) -> CalibrationError:
    return CalibrationError(
        f"{path} cannot be written: {error.strerror}; let the user of the vision service write there, or take "
        "'calibration' of this camera out of the configuration: then the state folder is used"
    )
