"""Profiles of machine models: what a tape measure gives, the named points, and where the stickers belong.

Two are shipped (``vision/profiles``): a 45-degree sled and a seated horizontal press. An installer copies the one that
is nearest and corrects it with the tape.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from vision.calibration import POINT_NAMES, Calibration, CalibrationError, Machine
from vision.calibration_file import Reader, parse_toml, read_toml
from vision.stickers import FACES, IDS, Sticker, sticker_corners

FOLDER: Final = Path(__file__).parent / "profiles"
Place = tuple[float, float, float]


@dataclass(frozen=True)
class MachineProfile:
    """``points_m``: machine coordinates of the named points, carriage at rest."""

    machine: Machine
    points_m: dict[str, Place]
    stickers: tuple[Sticker, ...]


def shipped() -> list[str]:
    """The names of the profiles that come with the product."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def profile_path(name: str) -> Path:
    """The file of a shipped profile, or the file itself where ``name`` is a path. Raises CalibrationError."""
    if name in shipped():
        return FOLDER / f"{name}.toml"
    path = Path(name)
    if path.suffix != ".toml" and "/" not in name:
        raise CalibrationError(f"no machine profile {name!r}: allowed are {', '.join(shipped())}, or a file NAME.toml")
    return path


def load_profile(name: str) -> MachineProfile:
    """Read a shipped profile by its name, or a file. Raises CalibrationError, one line."""
    path = profile_path(name)
    return _profile(read_toml(path), Reader(path))


def read_profile(text: str, name: str) -> MachineProfile:
    """A profile from its TOML text; ``name`` is what errors call it. Raises CalibrationError, one line."""
    return _profile(parse_toml(text, Path(name)), Reader(Path(name)))


def _profile(data: dict[str, Any], read: Reader) -> MachineProfile:
    read.keys(data, ("machine", "points", "stickers"), "")
    machine = read.machine(data["machine"])
    points = data["points"]
    if not isinstance(points, dict):
        raise read.fail("points", points, "a [points] table")
    read.keys(points, tuple(name for name in POINT_NAMES if name in points), "points.")
    read.require(points)
    places = {name: read.place(f"points.{name}", value) for name, value in points.items()}
    return MachineProfile(machine, places, _stickers(read, data["stickers"], machine))


def _stickers(read: Reader, entries: object, machine: Machine) -> tuple[Sticker, ...]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise read.fail("stickers", entries, "a list of [[stickers]] tables")
    found: dict[int, Sticker] = {}
    for i, entry in enumerate(entries):
        where = f"stickers[{i}]."
        read.keys(entry, ("id", "place", "size_m", "centre_m", "faces"), where, ("turn_deg", "moves"))
        index = entry["id"]
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < IDS or index in found:
            raise read.fail(f"{where}id", index, f"a whole number from 0 to {IDS - 1}, each once")
        if entry["faces"] not in FACES:
            raise read.fail(f"{where}faces", entry["faces"], f"one of {', '.join(FACES)}")
        if not isinstance(entry["place"], str) or not isinstance(entry.get("moves", False), bool):
            raise read.fail(f"{where}place", entry["place"], "a few words, and moves = true or false")
        size_m = read.number(f"{where}size_m", entry["size_m"], 0.03, 0.5)
        turn_deg = read.number(f"{where}turn_deg", entry.get("turn_deg", 0.0), -180.0, 180.0)
        centre = np.array(read.place(f"{where}centre_m", entry["centre_m"]))
        corners = sticker_corners(centre, size_m, entry["faces"], turn_deg, machine)
        places = tuple((float(x), float(y), float(z)) for x, y, z in corners)
        found[index] = Sticker(index, entry["place"], size_m, places, entry.get("moves", False))
    return tuple(found.values())


def profile_of(calibration: Calibration, stickers: tuple[Sticker, ...]) -> MachineProfile:
    """The machine that a calibration already describes, with these stickers on it."""
    points = {point.name: point.machine_m for point in calibration.points}
    return MachineProfile(calibration.machine, points, stickers)
