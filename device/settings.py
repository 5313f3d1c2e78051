"""What staff set on their pages: values laid over the configuration file, kept beside the database with their past.

``settings.json`` in ``paths.state_dir`` holds the versions, oldest first; the last one is in force from the next
start of the services on. Only sections that no pin, camera or path depends on can be set this way.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from device.config import Config
from device.config_checks import cross_faults, threshold_words
from device.config_faults import allowed_words, schema_faults
from device.errors import RunError, UserError

FILE_NAME = "settings.json"
SECTIONS = ("machine", "goals", "faults", "cueing", "retention")
NOT_HERE = ("machine.seat_notches_m", "machine.seat_notch_tolerance_m")
"""Measured on the machine, not chosen."""
VERSIONS_KEPT = 20

Values = dict[str, Any]
"""By key as a person writes it: ``{"faults.back_rounding_deg.onset": 8.0}``."""


class SettingsError(UserError):
    """Settings that cannot be used; ``lines`` holds one sentence per fault."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class SettingsFileError(RunError):
    """The file cannot be read or written; the text says why and what to do."""


def keys(config: Config) -> Iterator[tuple[str, Any]]:
    """Every key that can be set here, with its value in `config`."""
    for section in SECTIONS:
        yield from ((key, value) for key, value in _leaves(getattr(config, section), section) if key not in NOT_HERE)


def _leaves(model: BaseModel, path: str) -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{path}.{name}")
        else:
            yield f"{path}.{name}", value


def allowed(key: str) -> str:
    """What may be set for this key, with its unit, in words."""
    return threshold_words(key) or allowed_words(key)


def overlaid(config: Config, values: Values) -> Config:
    """`config` with these values in place of its own. Raises SettingsError with every fault."""
    known = dict(keys(config))
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise SettingsError([f"{key}: cannot be set here" for key in unknown])
    data = config.model_dump(mode="json")
    for key, value in values.items():
        *path, name = key.split(".")
        holder = data
        for part in path:
            holder = holder[part]
        holder[name] = value
    try:
        after = Config.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        raise SettingsError([f"{fault.key} {fault.problem}" for fault in schema_faults(error, data)]) from None
    faults = cross_faults(after)
    if faults:
        raise SettingsError([f"{fault.key} {fault.problem}" for fault in faults])
    # the other sections as they were: what the file leaves out there is still left out, for a calibration to fill in
    return config.model_copy(update={section: getattr(after, section) for section in SECTIONS})


def versions(state_dir: Path) -> list[Values]:
    """All that are kept, oldest first; empty where nothing was ever set.

    Raises:
        SettingsFileError: the file is damaged or cannot be read.
    """
    path = state_dir / FILE_NAME
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))["versions"]
    except (FileNotFoundError, NotADirectoryError):  # a file in the folder's place is told by who writes there
        return []
    except OSError as error:
        raise SettingsFileError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsFileError(f"{path} is damaged ({error}); delete it to return to the file alone") from error
    if not (isinstance(kept, list) and all(isinstance(version, dict) for version in kept)):
        raise SettingsFileError(f"{path} is damaged (no versions); delete it to return to the file alone")
    return kept


def in_force(state_dir: Path) -> Values:
    kept = versions(state_dir)
    return kept[-1] if kept else {}


def keep(state_dir: Path, values: Values) -> None:
    """Makes these the newest version. Check them with ``overlaid`` first. Raises SettingsFileError."""
    _write(state_dir, [*(versions(state_dir) or [{}]), values][-VERSIONS_KEPT:])


def undo(state_dir: Path) -> bool:
    """Returns to the version before; False when there is none."""
    kept = versions(state_dir)
    if len(kept) < 2:
        return False
    _write(state_dir, kept[:-1])
    return True


def _write(state_dir: Path, kept: list[Values]) -> None:
    """Whole or not at all. Readable by the group: each service has a user of its own."""
    path = state_dir / FILE_NAME
    beside: str | None = None
    try:
        descriptor, beside = tempfile.mkstemp(dir=state_dir, prefix=f".{FILE_NAME}-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o660)
            json.dump({"versions": kept}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        if beside is not None:
            with contextlib.suppress(OSError):
                os.unlink(beside)
        raise SettingsFileError(f"cannot write {path}: {error.strerror}") from error
