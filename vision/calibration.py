"""A camera's calibration: the machine's dimensions, and where this camera sees named points of it.

The camera's pose follows from the points (OpenCV's PnP). Machine frame: metres, x to the lifter's left,
y backwards (the lifter faces -y), z up. Camera frame: OpenCV's (x right, y down, z forward).
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from device.errors import UserError
from device.messages import View

Floats = NDArray[np.float64]

POINT_NAMES: Final = (
    "plate_top_left",
    "plate_top_right",
    "plate_bottom_left",
    "plate_bottom_right",
    "back_pad_bottom",
    "back_pad_top",
    "seat_left",
    "seat_right",
)
REQUIRED_POINTS: Final = POINT_NAMES[:6]
VIEWS: Final = ("side", "front", "oblique")
MACHINE_RANGES: Final = {
    "rail_deg": (-10.0, 90.0),
    "plate_deg": (-20.0, 110.0),
    "plate_height_m": (0.2, 1.5),
    "plate_width_m": (0.3, 2.0),
    "back_pad_deg": (0.0, 90.0),
    "seat_deg": (-20.0, 60.0),
}
REPROJECTION_LIMIT_PX: Final = 12.0
"""Ours: clicks good to 1-2 px give 0.5-3 px; beyond this a point is named wrongly."""


class CalibrationError(UserError):
    """A calibration that cannot be used; one line naming file, key, value and what is allowed."""


def _sagittal(forward: float, up: float) -> Floats:
    return np.array([0.0, -forward, up])


@dataclass(frozen=True)
class Machine:
    """What a tape measure and a protractor give. Angles above the floor, in degrees."""

    kind: str
    rail_deg: float
    plate_deg: float
    """The plate's normal."""
    plate_height_m: float
    plate_width_m: float
    back_pad_deg: float
    seat_deg: float

    @cached_property
    def rail(self) -> Floats:
        """Unit vector along the rail, away from the lifter."""
        return _sagittal(math.cos(math.radians(self.rail_deg)), math.sin(math.radians(self.rail_deg)))

    @cached_property
    def plate_normal(self) -> Floats:
        """Unit normal of the plate, away from the lifter."""
        return _sagittal(math.cos(math.radians(self.plate_deg)), math.sin(math.radians(self.plate_deg)))

    @cached_property
    def plate_up(self) -> Floats:
        """Unit vector in the plate, towards its top edge."""
        return _sagittal(-math.sin(math.radians(self.plate_deg)), math.cos(math.radians(self.plate_deg)))

    @cached_property
    def pad_up(self) -> Floats:
        """Unit vector along the back pad, towards the head."""
        return _sagittal(-math.cos(math.radians(self.back_pad_deg)), math.sin(math.radians(self.back_pad_deg)))

    @cached_property
    def pad_normal(self) -> Floats:
        """Unit normal of the back pad, towards the lifter."""
        return _sagittal(math.sin(math.radians(self.back_pad_deg)), math.cos(math.radians(self.back_pad_deg)))

    @cached_property
    def seat_forward(self) -> Floats:
        """Unit vector along the seat, forwards."""
        return _sagittal(math.cos(math.radians(self.seat_deg)), math.sin(math.radians(self.seat_deg)))


@dataclass(frozen=True)
class MachinePoint:
    """One named point: where it is on the machine (m) and where the camera sees it (px)."""

    name: str
    machine_m: tuple[float, float, float]
    image_px: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Calibration:
    """One camera's view of one machine. ``R`` (3, 3) and ``t`` (3,) take machine to camera coordinates."""

    view: View
    image_size_px: tuple[int, int]
    """Width, height."""
    focal_length_px: float
    machine: Machine
    points: tuple[MachinePoint, ...]
    K: Floats
    R: Floats
    t: Floats
    reprojection_error_px: float
    """RMS over the points."""

    @cached_property
    def projection(self) -> Floats:
        """(3, 4) K [R t]."""
        return self.K @ np.column_stack([self.R, self.t])

    @cached_property
    def eye(self) -> Floats:
        """The camera's place in the machine frame (m)."""
        return -self.R.T @ self.t

    def point(self, name: str) -> Floats:
        """Machine coordinates of a named point; KeyError if the calibration has none of that name."""
        for candidate in self.points:
            if candidate.name == name:
                return np.array(candidate.machine_m)
        raise KeyError(name)

    def project(self, places_m: Floats) -> Floats:
        """(..., 3) machine metres to (..., 2) pixels."""
        camera = places_m @ self.R.T + self.t
        depth = np.maximum(camera[..., 2:3], 1e-6)
        centre = np.array([self.K[0, 2], self.K[1, 2]])
        return cast(Floats, self.focal_length_px * camera[..., :2] / depth + centre)

    def on_plane_x(self, px: Floats, x_m: Floats | float) -> Floats:
        """Machine coordinates (..., 3) where the sight lines through ``px`` meet the sagittal plane x = x_m."""
        centre = np.array([self.K[0, 2], self.K[1, 2]])
        rays = np.concatenate([(px - centre) / self.focal_length_px, np.ones((*px.shape[:-1], 1))], axis=-1) @ self.R
        eye = self.eye
        along = (np.asarray(x_m) - eye[0]) / np.where(np.abs(rays[..., 0]) < 1e-6, 1e-6, rays[..., 0])
        return cast(Floats, eye + rays * along[..., None])


def solve_pose(points: tuple[MachinePoint, ...], K: Floats) -> tuple[Floats, Floats, float]:
    """Camera rotation, translation and RMS reprojection error from at least six points (SQPNP, then least squares)."""
    places = np.array([p.machine_m for p in points])
    px = np.array([p.image_px for p in points])
    ok, rvec, tvec = cv2.solvePnP(places, px, K, None, flags=cv2.SOLVEPNP_SQPNP)
    if not ok:
        raise ValueError("no camera pose fits the points")
    rvec, tvec = cv2.solvePnPRefineLM(places, px, K, None, rvec, tvec)
    seen, _ = cv2.projectPoints(places, rvec, tvec, K, None)
    error = float(np.sqrt(np.mean(np.sum((seen[:, 0] - px) ** 2, axis=1))))
    rotation = np.asarray(cv2.Rodrigues(rvec)[0], dtype=np.float64)
    return rotation, np.asarray(tvec, dtype=np.float64).ravel(), error


def make_calibration(
    view: View,
    image_size_px: tuple[int, int],
    focal_length_px: float,
    machine: Machine,
    points: tuple[MachinePoint, ...],
) -> Calibration:
    """A calibration with its camera pose solved; ValueError if no pose fits."""
    width, height = image_size_px
    K = np.array([[focal_length_px, 0.0, width / 2], [0.0, focal_length_px, height / 2], [0.0, 0.0, 1.0]])
    rotation, translation, error = solve_pose(points, K)
    return Calibration(view, image_size_px, focal_length_px, machine, points, K, rotation, translation, error)


class _Reader:
    """Takes typed values out of parsed TOML, with errors that name file, key, value and what is allowed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, key: str, value: object, allowed: str) -> CalibrationError:
        return CalibrationError(f"{self.path}: {key} = {value!r}: must be {allowed}")

    def keys(self, table: dict[str, Any], allowed: tuple[str, ...], where: str) -> None:
        for key in table:
            if key not in allowed:
                raise CalibrationError(f"{self.path}: {where}{key}: unknown key; allowed: {', '.join(allowed)}")
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
        missing = [name for name in REQUIRED_POINTS if name not in found]
        if missing:
            raise CalibrationError(
                f"{self.path}: points: {', '.join(missing)} missing; needed: {', '.join(REQUIRED_POINTS)}"
            )
        return tuple(found.values())


def load_calibration(path: Path | str) -> Calibration:
    """Read a calibration file. Raises CalibrationError, one line, if it cannot be used."""
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise CalibrationError(f"{path}: cannot be read: {problem.strerror or problem}") from problem
    except RecursionError:
        raise CalibrationError(f"{path}: nested too deeply to be a calibration") from None
    except ValueError as problem:  # no TOML, no UTF-8, or a number of thousands of digits
        raise CalibrationError(f"{path}: not valid TOML: {problem}") from problem
    read = _Reader(path)
    read.keys(data, ("view", "image_size_px", "focal_length_px", "machine", "points"), "")
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
    return calibration
