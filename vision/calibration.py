"""A camera's calibration: the machine's dimensions, and where this camera sees named points of it.

The camera's pose follows from the points (OpenCV's PnP). Machine frame: metres, x to the lifter's left,
y backwards (the lifter faces -y), z up. Camera frame: OpenCV's (x right, y down, z forward).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from device.errors import UserError
from device.messages import View
from vision.scene import SceneReference

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
PLATE_CORNERS: Final = POINT_NAMES[:4]
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


@dataclass(frozen=True)
class CarriageSticker:
    """A printed marker that rides on the carriage: its id, and its corners (m) with the carriage at rest."""

    family: str
    id: int
    corners_m: tuple[tuple[float, float, float], ...]
    """Four, as printed: top left, top right, bottom right, bottom left."""


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
    """RMS over the points, or the stickers' corners that it was made from."""
    scene: SceneReference | None = None
    """What stood around the machine when it was calibrated; what a moved camera is told by."""
    carriage_sticker: CarriageSticker | None = None
    made_utc: str | None = None
    """When it was made, ISO 8601; None for one written by hand."""

    @cached_property
    def projection(self) -> Floats:
        """(3, 4) K [R t]."""
        return self.K @ np.column_stack([self.R, self.t])

    @cached_property
    def eye(self) -> Floats:
        """The camera's place in the machine frame (m)."""
        return -self.R.T @ self.t

    @cached_property
    def plate_centre(self) -> Floats:
        """(3,) middle of the plate with the carriage at rest (m, machine frame)."""
        return cast(Floats, np.mean([self.point(name) for name in PLATE_CORNERS], axis=0))

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
