"""Finds, reads and checks the configuration file; all faults are reported at once.

Search order: ``--config``, ``$LEGPRESS_CONFIG``, ``./legpress.toml``, ``/etc/legpress/config.toml``; where
none exists, the defaults. A file that was named but cannot be read is an error, never the defaults.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from device import settings
from device.config import Config
from device.config_checks import cross_faults
from device.config_faults import ConfigFault, schema_faults
from device.config_lines import KeyPath, key_lines, nearest_line
from device.errors import UserError

ENVIRONMENT_VARIABLE = "LEGPRESS_CONFIG"
SYSTEM_FILE = Path("/etc/legpress/config.toml")
LOCAL_FILE = Path("legpress.toml")
EXAMPLE_FILE = Path(__file__).with_name("config.example.toml")


class ConfigError(UserError):
    """A configuration that cannot be used. ``lines`` holds one finished line per fault."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def find(named: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file to use: the first of the search order; None when there is none and the defaults hold.

    Raises ConfigError when the file named by the caller or by $LEGPRESS_CONFIG does not exist.
    """
    if named is not None:
        return _existing(named, "")
    if environ.get(ENVIRONMENT_VARIABLE):
        return _existing(Path(environ[ENVIRONMENT_VARIABLE]), f" (named by ${ENVIRONMENT_VARIABLE})")
    return next((path for path in (LOCAL_FILE, SYSTEM_FILE) if path.is_file()), None)


def _existing(path: Path, said_by: str) -> Path:
    path = _expanded(path)
    if not path.exists():
        raise ConfigError([f"{path}: no such configuration file{said_by}"])
    return path


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration in force, its paths absolute: the file, and over it what staff have set on their pages.

    Raises ConfigError with every fault of the file: key, value, what is allowed, line; and
    ``device.settings.SettingsFileError`` where staff's settings cannot be read.
    """
    config = load_file(path, environ)
    try:
        return settings.overlaid(config, settings.in_force(config.paths.state_dir))
    except settings.SettingsError as error:
        where = config.paths.state_dir / settings.FILE_NAME
        raise ConfigError([f"{where}: {line}" for line in error.lines]) from None


def load_file(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """As the file alone says, without what staff have set on their pages. Raises ConfigError as ``load`` does."""
    found = find(path, environ)
    if found is None:
        return with_absolute_paths(Config(), Path.cwd())
    try:
        text = found.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError([f"{found}: not a text in UTF-8 (byte {error.start}); is it a TOML file?"]) from None
    except OSError as error:
        raise ConfigError([f"{found}: cannot be read: {error.strerror}"]) from None
    return parse(text, found)


def parse(text: str, source: Path) -> Config:
    """The configuration that a TOML text gives; relative paths in it are taken from ``source``'s folder.

    Raises ConfigError as ``load`` does.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_fault(source, str(error), text)]) from None
    except ValueError as error:
        # A number of thousands of digits: Python refuses it before TOML can.
        raise ConfigError([f"{source}: {str(error).partition(';')[0]}: not a configuration"]) from None
    except RecursionError:
        raise ConfigError([f"{source}: nested too deeply to be a configuration"]) from None
    config, faults = _validate(data)
    if config is None or faults:
        lines = key_lines(text)
        where = [nearest_line(lines, fault.path) for fault in faults]
        ordered = sorted(zip(where, faults, strict=True), key=lambda pair: pair[0] or 0)
        raise ConfigError(
            [f"{source}:{f'{line}:' if line else ''} {fault.key} {fault.problem}" for line, fault in ordered]
        )
    try:
        return with_absolute_paths(config, source.absolute().parent)
    except ConfigError as error:
        raise ConfigError([f"{source}: {line}" for line in error.lines]) from None


def _syntax_fault(source: Path, message: str, text: str) -> str:
    at = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if at:
        return f"{source}:{at[1]}: {message[: at.start()]} (column {at[2]}): not valid TOML"
    last_line = text.count("\n") + 1
    return f"{source}:{last_line}: {message.removesuffix(' (at end of document)')} at the end: not valid TOML"


def _validate(data: dict[str, Any]) -> tuple[Config | None, list[ConfigFault]]:
    """Key by key, and then across keys, for which faulty keys stand at their defaults."""
    try:
        config = _strict(data)
    except ValidationError as error:
        faults = schema_faults(error, data)
    else:
        return config, cross_faults(config)
    usable = json.loads(json.dumps(data, default=str))
    for fault in faults:
        _drop(usable, fault.path)
    try:
        rest = cross_faults(_strict(usable))
    except ValidationError:
        return None, faults
    dropped = [fault.path for fault in faults]
    return None, faults + [fault for fault in rest if not any(_related(fault.path, path) for path in dropped)]


def _strict(data: dict[str, Any]) -> Config:
    # Through JSON, because pydantic's strict mode takes a list for a tuple and a text for a path only
    # there; strict, because a quoted "8080" or a 1 for true is a mistake in a TOML file.
    return Config.model_validate_json(json.dumps(_over_defaults(data), default=str), strict=True)


def _over_defaults(data: dict[str, Any]) -> dict[str, Any]:
    """Each fault's and goal's table completed, so that ``enabled = false`` alone is enough."""
    merged = dict(data)
    for section in ("faults", "goals"):
        if isinstance(given := data.get(section), dict):
            merged[section] = dict(given)
            for name, default in getattr(Config(), section).model_dump().items():
                if isinstance(default, dict) and isinstance(given.get(name), dict):
                    merged[section][name] = {**default, **given[name]}
    return merged


def _drop(data: dict[str, Any], path: KeyPath) -> None:
    """Removes the key at ``path``, or the smallest named thing around it, so that its default holds."""
    names = list(path)
    while names and isinstance(names[-1], int):
        names.pop()
    holder: Any = data
    for part in names[:-1]:
        try:
            holder = holder[part]
        except (KeyError, IndexError):
            return
    if isinstance(holder, dict) and names:
        if names[-1] in holder:
            del holder[names[-1]]
        elif len(names) > 1:
            _drop(data, tuple(names[:-1]))


def _related(one: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ConfigError([f"{path}: cannot expand ~, this user has no home folder; write the path in full"]) from None


def with_absolute_paths(config: Config, folder: Path) -> Config:
    """The same configuration with ``~`` expanded and relative paths taken from ``folder``."""

    def absolute(path: Path) -> Path:
        return folder / _expanded(path)

    paths = config.paths
    cameras = tuple(
        camera.model_copy(
            update={
                "clip": camera.clip and absolute(camera.clip),
                "calibration": camera.calibration and absolute(camera.calibration),
            }
        )
        for camera in config.cameras
    )
    absolute_paths = {name: absolute(getattr(paths, name)) for name in type(paths).model_fields}
    trace = config.simulation.pin_trace
    simulation = config.simulation.model_copy(update={"pin_trace": trace and absolute(trace)})
    return config.model_copy(
        update={"paths": paths.model_copy(update=absolute_paths), "cameras": cameras, "simulation": simulation}
    )
