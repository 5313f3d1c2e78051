"""A camera's calibration made from what it sees: stickers, or named points; refused where it cannot be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.messages import View
from vision.calibration import (
    REPROJECTION_LIMIT_PX,
    REQUIRED_POINTS,
    Calibration,
    CalibrationError,
    CarriageSticker,
    MachinePoint,
)
from vision.camera_pose import CameraPose, Miss, camera_matrix, misplaced, seen_from, solve_camera
from vision.machine_profile import MachineProfile

Floats = NDArray[np.float64]

FEWEST_STICKERS: Final = 4
"""Sixteen corners; with fewer one that was stuck wrongly cannot be told (ours)."""
STICKERS_LIMIT_PX: Final = 4.0
"""RMS miss of the corners: stickers measured to 1 cm give 2 px at 3 m; beyond 4 the profile is another machine's."""
EYE_LIMIT_M: Final = 0.05
TURN_LIMIT_DEG: Final = 1.0
NEAREST_M, FARTHEST_M = 0.8, 8.0
"""Distance of a camera that sees a whole machine (ours)."""
SIDE_WITHIN_DEG: Final = 25.0
FRONT_WITHIN_DEG: Final = 25.0


class MisfitError(CalibrationError):
    """A camera fits the points, but too badly to be used; ``misses`` tell where."""

    def __init__(self, text: str, misses: Sequence[Miss]) -> None:
        super().__init__(text)
        self.misses = tuple(misses)


def view_of(pose: CameraPose, profile: MachineProfile) -> View:
    """What a camera there can judge: side (square to the movement), front (before the plate, steeply down), oblique."""
    middle = np.mean([profile.points_m[name] for name in REQUIRED_POINTS], axis=0)
    x, y, z = pose.eye - middle
    level = float(np.hypot(x, y))
    from_side_deg = float(np.degrees(np.arctan2(abs(y), abs(x))))
    from_front_deg = float(np.degrees(np.arctan2(abs(x), -y))) if y < 0 else 180.0
    if from_side_deg <= SIDE_WITHIN_DEG and z < level:
        return "side"
    return "front" if from_front_deg <= FRONT_WITHIN_DEG and z > 0.3 * level else "oblique"


def from_stickers(
    profile: MachineProfile, seen: Mapping[int, Floats], size_px: tuple[int, int], focal_px: float, family: str
) -> tuple[Calibration, CameraPose]:
    """``seen``: (4, 2) corner pixels by id, the carriage at rest. The named points follow from the pose.

    Raises:
        CalibrationError: too few stickers, one at another place than the profile says, or too large an error.
    """
    known = {sticker.id: sticker for sticker in profile.stickers if sticker.id in seen}
    strangers = sorted(set(seen) - {sticker.id for sticker in profile.stickers})
    if len(known) < FEWEST_STICKERS:
        extra = f"; {', '.join(map(str, strangers))} not in the profile" if strangers else ""
        raise CalibrationError(
            f"{len(known)} stickers of the profile seen ({', '.join(map(str, sorted(known))) or 'none'}{extra}); "
            f"needed: {FEWEST_STICKERS}. More light, no glare, nobody in the way, and 12 cm prints within 4 m"
        )
    ids = sorted(known)
    places = np.concatenate([np.array(known[index].corners_m) for index in ids])
    px = np.concatenate([seen[index] for index in ids])
    pose = solve_camera(places, px, size_px, focal_px)
    names = [f"sticker {index} ({known[index].place})" for index in ids]
    pose = replace(pose, misses=_misses(names, pose, places, px, size_px))
    _refuse(pose, STICKERS_LIMIT_PX)
    moving = [known[index] for index in ids if known[index].moves]
    rider = max(moving, key=lambda sticker: _area(seen[sticker.id]), default=None)
    carriage = CarriageSticker(family, rider.id, rider.corners_m) if rider is not None else None
    return replace(_calibration(profile, pose, size_px), carriage_sticker=carriage), pose


def from_points(
    profile: MachineProfile, clicked: Mapping[str, tuple[float, float]], size_px: tuple[int, int], focal_px: float
) -> tuple[Calibration, CameraPose]:
    """``clicked``: pixels of named points, the carriage at rest; all six that are required, seat points if given.

    Raises:
        CalibrationError: a point is unknown, missing or outside the picture, or they do not fit together.
    """
    width, height = size_px
    for name, (x, y) in clicked.items():
        if name not in profile.points_m:
            raise CalibrationError(f"unknown point {name!r}: allowed are {', '.join(profile.points_m)}")
        if not (-0.5 * width <= x <= 1.5 * width and -0.5 * height <= y <= 1.5 * height):
            raise CalibrationError(f"point {name} = {x:g},{y:g}: far outside the picture of {width} x {height}")
    missing = [name for name in REQUIRED_POINTS if name not in clicked]
    if missing:
        raise CalibrationError(f"points missing: {', '.join(missing)}; needed: {', '.join(REQUIRED_POINTS)}")
    names = list(clicked)
    places = np.array([profile.points_m[name] for name in names])
    px = np.array([clicked[name] for name in names])
    pose = solve_camera(places, px, size_px, focal_px)
    pose = replace(pose, misses=_misses([f"point {name}" for name in names], pose, places, px, size_px))
    _refuse(pose, REPROJECTION_LIMIT_PX / 2)
    made = _calibration(profile, pose, size_px)
    points = tuple(MachinePoint(name, profile.points_m[name], clicked[name]) for name in names)
    return replace(made, points=points, reprojection_error_px=pose.error_px), pose


def _area(quad: Floats) -> float:
    x, y = quad[:, 0], quad[:, 1]
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _misses(
    names: list[str], pose: CameraPose, places_m: Floats, px: Floats, size_px: tuple[int, int]
) -> tuple[Miss, ...]:
    """``px`` (n, 2), as many to each name."""
    each = len(px) // len(names)
    expected = seen_from(pose, places_m, size_px)
    middles = [np.mean(pixels.reshape(-1, each, 2), axis=1) for pixels in (px, expected)]
    misses_px = np.sqrt(np.mean(pose.misses_px.reshape(-1, each) ** 2, axis=1))
    return tuple(
        Miss(name, (float(u[0]), float(u[1])), (float(v[0]), float(v[1])), float(miss))
        for name, u, v, miss in zip(names, *middles, misses_px, strict=True)
    )


def _refuse(pose: CameraPose, limit_px: float) -> None:
    names, misses_px = [miss.name for miss in pose.misses], np.array([miss.miss_px for miss in pose.misses])
    wrong = misplaced(names, misses_px)
    if pose.error_px > limit_px:
        guess = wrong or f"worst: {names[int(np.argmax(misses_px))]}"
        raise MisfitError(
            f"the points miss by {pose.error_px:.1f} px (RMS), allowed {limit_px:g}: {guess} is not where the profile "
            "says, or the profile is not this machine's, or the lens is another",
            pose.misses,
        )
    if wrong is not None:
        raise MisfitError(
            f"{wrong} misses by {float(misses_px.max()):.1f} px, the others by {float(np.median(misses_px)):.1f}: it "
            "is not where the profile says; measure it again",
            pose.misses,
        )
    if pose.eye_error_m > EYE_LIMIT_M or pose.turn_error_deg > TURN_LIMIT_DEG:
        raise MisfitError(
            f"the camera's place is known to {100 * pose.eye_error_m:.0f} cm and {pose.turn_error_deg:.1f} deg only, "
            f"allowed {100 * EYE_LIMIT_M:.0f} cm and {TURN_LIMIT_DEG:g} deg: place the points more exactly, and use "
            "more that lie farther apart",
            pose.misses,
        )


def _calibration(profile: MachineProfile, pose: CameraPose, size_px: tuple[int, int]) -> Calibration:
    K = camera_matrix(pose.focal_length_px, size_px)
    places = np.array(list(profile.points_m.values()))
    camera = places @ pose.R.T + pose.t
    distance_m = float(np.linalg.norm(pose.eye - places.mean(axis=0)))
    if camera[:, 2].min() <= 0.1 or not NEAREST_M <= distance_m <= FARTHEST_M or pose.eye[2] < -0.2:
        raise CalibrationError(
            f"the camera would be {distance_m:.1f} m from the machine, {pose.eye[2]:.1f} m above the floor: that "
            "cannot be; check that names and places belong together"
        )
    seen = seen_from(pose, places, size_px)
    points = tuple(
        MachinePoint(name, place, (float(px[0]), float(px[1])))
        for (name, place), px in zip(profile.points_m.items(), seen, strict=True)
    )
    return Calibration(
        view_of(pose, profile),
        size_px,
        pose.focal_length_px,
        profile.machine,
        points,
        K,
        pose.R,
        pose.t,
        pose.error_px,
    )
