"""Reads and writes calibration files and machine profiles (TOML), with errors for the person who edits them."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, Final, cast

import cv2
import numpy as np

from device.messages import View
from vision.calibration import (
    MACHINE_RANGES,
    POINT_NAMES,
    REPROJECTION_LIMIT_PX,
    REQUIRED_POINTS,
    VIEWS,
    Calibration,
    CalibrationError,
    CarriageSticker,
    Machine,
    MachinePoint,
    make_calibration,
)
from vision.scene import FEWEST_CORNERS, SceneReference

OPTIONAL: Final = ("made_utc", "fit_error_px", "scene", "carriage_sticker")
FAMILIES: Final = ("aruco", "apriltag")
"""Printed markers: ArUco 4x4 with 50 ids, AprilTag 36h11."""


class Reader:
    """Takes typed values out of parsed TOML, with errors that name file, key, value and what is allowed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, key: str, value: object, allowed: str) -> CalibrationError:
        return CalibrationError(f"{self.path}: {key} = {value!r}: must be {allowed}")

    def keys(self, table: dict[str, Any], allowed: tuple[str, ...], where: str, optional: tuple[str, ...] = ()) -> None:
        for key in table:
            if key not in (*allowed, *optional):
                known = ", ".join((*allowed, *optional))
                raise CalibrationError(f"{self.path}: {where}{key}: unknown key; allowed: {known}")
        for key in allowed:
            if key not in table:
                raise CalibrationError(f"{self.path}: {where}{key}: missing")

    def number(self, key: str, value: object, low: float, high: float) -> float:
        # neither NaN nor an infinity lies between two numbers
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
        if not good:
            raise self.fail(key, value, f"a number from {low:g} to {high:g}")
        return float(cast(float, value))

    def numbers(self, key: str, value: object, count: int, low: float, high: float) -> tuple[float, ...]:
        if not isinstance(value, list) or len(value) != count:
            raise self.fail(key, value, f"a list of {count} numbers")
        return tuple(self.number(f"{key}[{i}]", item, low, high) for i, item in enumerate(value))

    def machine(self, table: object) -> Machine:
        if not isinstance(table, dict):
            raise self.fail("machine", table, "a [machine] table")
        self.keys(table, ("kind", *MACHINE_RANGES), "machine.")
        if not isinstance(table["kind"], str) or not table["kind"]:
            raise self.fail("machine.kind", table["kind"], 'a name such as "sled45"')
        values = {key: self.number(f"machine.{key}", table[key], *limits) for key, limits in MACHINE_RANGES.items()}
        return Machine(kind=table["kind"], **values)

    def points(self, entries: object, size: tuple[int, int]) -> tuple[MachinePoint, ...]:
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise self.fail("points", entries, "a list of [[points]] tables")
        found: dict[str, MachinePoint] = {}
        for i, entry in enumerate(entries):
            where = f"points[{i}]."
            self.keys(entry, ("name", "machine_m", "image_px"), where)
            name = entry["name"]
            if name not in POINT_NAMES or name in found:
                raise self.fail(f"{where}name", name, f"one of {', '.join(POINT_NAMES)}, each once")
            x, y, z = self.numbers(f"{where}machine_m", entry["machine_m"], 3, -10.0, 10.0)
            u, v = self.numbers(f"{where}image_px", entry["image_px"], 2, -2.0 * max(size), 3.0 * max(size))
            found[name] = MachinePoint(name, (x, y, z), (u, v))
        self.require(found)
        return tuple(found.values())

    def require(self, found: Container[str]) -> None:
        missing = [name for name in REQUIRED_POINTS if name not in found]
        if missing:
            raise CalibrationError(
                f"{self.path}: points: {', '.join(missing)} missing; needed: {', '.join(REQUIRED_POINTS)}"
            )

    def place(self, key: str, value: object) -> tuple[float, float, float]:
        x, y, z = self.numbers(key, value, 3, -10.0, 10.0)
        return x, y, z

    def scene(self, table: object) -> SceneReference:
        if not isinstance(table, dict):
            raise self.fail("scene", table, "a [scene] table")
        self.keys(table, ("sharpness", "contrast", "corners"), "scene.")
        px, descriptors = [], []
        for i, corner in enumerate(table["corners"] if isinstance(table["corners"], list) else []):
            if not isinstance(corner, list) or len(corner) != 3 or not re.fullmatch(r"[0-9a-f]{64}", str(corner[2])):
                raise self.fail(f"scene.corners[{i}]", corner, "[x, y, 64 hexadecimal digits]")
            px.append(self.numbers(f"scene.corners[{i}]", corner[:2], 2, -1.0, 8192.0))
            descriptors.append(np.frombuffer(bytes.fromhex(corner[2]), dtype=np.uint8))
        if len(px) < FEWEST_CORNERS:
            raise CalibrationError(f"{self.path}: scene.corners: {len(px)} corners; must be {FEWEST_CORNERS} or more")
        return SceneReference(
            np.array(px),
            np.array(descriptors),
            self.number("scene.sharpness", table["sharpness"], 0.0, 100.0),
            self.number("scene.contrast", table["contrast"], 0.0, 255.0),
        )

    def carriage_sticker(self, table: object) -> CarriageSticker:
        if not isinstance(table, dict):
            raise self.fail("carriage_sticker", table, "a [carriage_sticker] table")
        self.keys(table, ("family", "id", "corners_m"), "carriage_sticker.")
        if table["family"] not in FAMILIES:
            raise self.fail("carriage_sticker.family", table["family"], f"one of {', '.join(FAMILIES)}")
        corners = table["corners_m"]
        if not isinstance(corners, list) or len(corners) != 4:
            raise self.fail("carriage_sticker.corners_m", corners, "a list of four places")
        return CarriageSticker(
            table["family"],
            int(self.number("carriage_sticker.id", table["id"], 0, 49)),
            tuple(self.place(f"carriage_sticker.corners_m[{i}]", corner) for i, corner in enumerate(corners)),
        )


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises CalibrationError, one line."""
    try:
        return parse_toml(path.read_text(encoding="utf-8"), path)
    except OSError as problem:
        raise CalibrationError(f"{path}: cannot be read: {problem.strerror or problem}") from problem
    except UnicodeDecodeError as problem:
        raise CalibrationError(f"{path}: not valid TOML: {problem}") from problem


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """The tables of a text that came from ``path``. Raises CalibrationError, one line."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise CalibrationError(f"{path}: nested too deeply to be a calibration") from None
    except ValueError as problem:  # no TOML, or a number of thousands of digits
        raise CalibrationError(f"{path}: not valid TOML: {problem}") from problem


def load_calibration(path: Path | str) -> Calibration:
    """Read a calibration file. Raises CalibrationError, one line, if it cannot be used."""
    path = Path(path)
    data = read_toml(path)
    read = Reader(path)
    read.keys(data, ("view", "image_size_px", "focal_length_px", "machine", "points"), "", OPTIONAL)
    if data["view"] not in VIEWS:
        raise read.fail("view", data["view"], f"one of {', '.join(VIEWS)}")
    width, height = (int(v) for v in read.numbers("image_size_px", data["image_size_px"], 2, 64, 8192))
    focal = read.number("focal_length_px", data["focal_length_px"], 0.2 * width, 20.0 * width)
    machine = read.machine(data["machine"])
    points = read.points(data["points"], (width, height))
    try:
        calibration = make_calibration(cast(View, data["view"]), (width, height), focal, machine, points)
    except (ValueError, cv2.error) as problem:
        raise CalibrationError(
            f"{path}: points: no camera pose fits them; check that names and pixels belong together"
        ) from problem
    if not calibration.reprojection_error_px <= REPROJECTION_LIMIT_PX:
        raise CalibrationError(
            f"{path}: points: they miss by {calibration.reprojection_error_px:.1f} px (RMS); must be within"
            f" {REPROJECTION_LIMIT_PX:g} px: a point is named wrongly or the focal length is off"
        )
    made_utc = data.get("made_utc")
    if made_utc is not None and not isinstance(made_utc, str):
        raise read.fail("made_utc", made_utc, "a time, ISO 8601, in quotes")
    # points that follow from a fit by stickers fit themselves: what it was made from missed by this
    error = calibration.reprojection_error_px
    if "fit_error_px" in data:
        error = max(error, read.number("fit_error_px", data["fit_error_px"], 0.0, REPROJECTION_LIMIT_PX))
    return dataclasses.replace(
        calibration,
        reprojection_error_px=error,
        scene=read.scene(data["scene"]) if "scene" in data else None,
        carriage_sticker=read.carriage_sticker(data["carriage_sticker"]) if "carriage_sticker" in data else None,
        made_utc=made_utc,
    )


def calibration_text(calibration: Calibration) -> str:
    """The calibration as a TOML file, from which ``load_calibration`` makes the same again."""
    width, height = calibration.image_size_px
    lines = [
        "# Where this camera sees known points of the machine (carriage at rest, legs extended).",
        "# Machine frame, metres: x to the lifter's left, y backwards (the lifter faces -y), z up.",
        f'view = "{calibration.view}"',
        f"image_size_px = [{width}, {height}]",
        f"focal_length_px = {calibration.focal_length_px:.2f}",
    ]
    if calibration.made_utc is not None:
        lines.append(f'made_utc = "{calibration.made_utc}"')
        lines.append(f"fit_error_px = {calibration.reprojection_error_px:.3f}")
    lines += ["", *machine_lines(calibration.machine)]
    for point in calibration.points:
        place, px = _listed(point.machine_m, 4), _listed(point.image_px, 2)
        lines += ["", "[[points]]", f'name = "{point.name}"', f"machine_m = {place}", f"image_px = {px}"]
    if calibration.carriage_sticker is not None:
        sticker = calibration.carriage_sticker
        lines += ["", "[carriage_sticker]", f'family = "{sticker.family}"', f"id = {sticker.id}"]
        lines += ["corners_m = [", *(f"    {_listed(corner, 4)}," for corner in sticker.corners_m), "]"]
    if calibration.scene is not None:
        scene = calibration.scene
        lines += ["", "# Corners around the machine with what they look like (no picture): tells a moved camera."]
        lines += ["[scene]", f"sharpness = {scene.sharpness:.4f}", f"contrast = {scene.contrast:.2f}", "corners = ["]
        for px, descriptor in zip(scene.px, scene.descriptors, strict=True):
            lines.append(f'    [{px[0]:.1f}, {px[1]:.1f}, "{descriptor.tobytes().hex()}"],')
        lines.append("]")
    return "\n".join(lines) + "\n"


def machine_lines(machine: Machine) -> list[str]:
    """The [machine] table."""
    values = dataclasses.asdict(machine)
    kind = values.pop("kind")
    return ["[machine]", f'kind = "{kind}"', *(f"{key} = {value:.4g}" for key, value in values.items())]


def _listed(values: Sequence[float], digits: int) -> str:
    return "[" + ", ".join(f"{value:.{digits}f}" for value in values) + "]"
