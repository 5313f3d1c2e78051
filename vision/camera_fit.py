"""A camera calibration made and told, for whoever asks: the vision process's desk, or the command on a picture file."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.config import Camera, Config
from device.scenario import load_scenario
from vision.calibration import Calibration, CalibrationError
from vision.calibration_file import load_calibration
from vision.camera_calibration import from_points, from_stickers
from vision.camera_pose import CameraPose, Miss, focal_length_px, lens_focal_px
from vision.machine_profile import MachineProfile, load_profile, profile_of
from vision.scene import SceneReference

Floats = NDArray[np.float64]

DEFAULT_LENS: Final = "module3"
SIMULATED: Final = "simulated"
"""Profile name: the simulated machine's own dimensions."""
CURRENT: Final = "current"
"""Profile name: the machine as the calibration in force describes it; it knows no stickers."""
HFOV_DEG: Final = (20.0, 140.0)
FOCAL_PX: Final = (100.0, 20_000.0)


@dataclass(frozen=True, slots=True)
class Lens:
    """What is known of the lens: its ``name``, its field of view, or its focal length; none: the default one."""

    name: str | None = None
    hfov_deg: float | None = None
    focal_px: float | None = None

    def __post_init__(self) -> None:
        """Raises CalibrationError for what no lens can be."""
        for key, value, (low, high), unit in (
            ("hfov", self.hfov_deg, HFOV_DEG, "degrees"),
            ("focal", self.focal_px, FOCAL_PX, "pixels"),
        ):
            if value is not None and not low <= value <= high:
                raise CalibrationError(f"{key} {value:g}: allowed {low:g} to {high:g} ({unit})")

    def focal_length_px(self, width_px: int) -> float:
        """Raises CalibrationError for an unknown lens."""
        if self.focal_px is not None:
            return self.focal_px
        if self.hfov_deg is not None:
            return focal_length_px(self.hfov_deg, width_px)
        return lens_focal_px(self.name or DEFAULT_LENS, width_px)


def profile_named(name: str, config: Config, camera: Camera) -> MachineProfile:
    """A shipped profile, a file, or one of this camera's: ``simulated``, ``current``. Raises CalibrationError."""
    if name == CURRENT:
        return profile_of(load_calibration(config.calibration_file(camera)), ())
    if name != SIMULATED:
        return load_profile(name)
    if config.simulation.scenario is None:
        raise CalibrationError("machine simulated: only with [simulation] scenario in the configuration")
    for seen in load_scenario(config.simulation.scenario).cameras:
        if seen.name == camera.name:
            return profile_of(load_calibration(seen.calibration), load_profile("sled45").stickers)
    raise CalibrationError(f"machine simulated: the scenario has no camera {camera.name}")


@dataclass(frozen=True, eq=False)
class Fit:
    """A calibration that may be used, how well it fits, and what it would replace."""

    made: Calibration
    pose: CameraPose
    before: Calibration | None

    @property
    def moved_m(self) -> float | None:
        """How far the camera stands from where it stood before."""
        return None if self.before is None else float(np.linalg.norm(self.before.eye - self.made.eye))

    def told(self) -> list[str]:
        """For the person who decides, a sentence each."""
        made, pose = self.made, self.pose
        x, y, z = made.eye
        measured = "measured" if pose.focal_measured else "as stated; the points do not tell it"
        lines = [
            f"Fit: the points miss by {pose.error_px:.2f} px (RMS), at most {pose.misses_px.max():.1f}",
            f"Camera: {abs(x):.2f} m {'left' if x > 0 else 'right'} of the middle, {abs(y):.2f} m "
            f"{'behind' if y > 0 else 'before'} the seat, {z:.2f} m up (to {100 * pose.eye_error_m:.0f} cm, "
            f"{pose.turn_error_deg:.1f} deg); {made.view} view",
            f"Focal length {made.focal_length_px:.0f} px ({measured})",
        ]
        if made.carriage_sticker is not None:
            lines.append(f"Sticker {made.carriage_sticker.id} rides on the carriage: it gives the travel")
        if made.view == "oblique":
            lines.append("An oblique view judges neither the back nor knees caving in: see docs/hardware.md")
        if self.before is None:
            lines.append("Before: not calibrated")
        else:
            assert self.moved_m is not None
            lines.append(
                f"Before: {self.before.view} view, fit {self.before.reprojection_error_px:.2f} px; the camera has "
                f"moved {100 * self.moved_m:.0f} cm since"
            )
        return lines

    def figures(self) -> dict[str, Any]:
        """The same for a page: JSON."""
        made, pose = self.made, self.pose
        return {
            "told": self.told(),
            "error_px": round(pose.error_px, 3),
            "worst_px": round(float(pose.misses_px.max()), 3),
            "misses": misses_told(pose.misses),
            "points": {point.name: [round(each, 2) for each in made.project(np.array(point.machine_m))]
                       for point in made.points},
            "view": made.view,
            "eye_m": [round(float(each), 4) for each in made.eye],
            "eye_error_m": round(pose.eye_error_m, 4),
            "turn_error_deg": round(pose.turn_error_deg, 3),
            "focal_length_px": round(made.focal_length_px, 2),
            "focal_measured": bool(pose.focal_measured),
            "carriage_sticker": None if made.carriage_sticker is None else made.carriage_sticker.id,
            "moved_m": None if self.moved_m is None else round(self.moved_m, 4),
        }  # fmt: skip


def misses_told(misses: tuple[Miss, ...]) -> list[dict[str, Any]]:
    """JSON: name, where it was seen and where it would be expected (px), and by how much it misses."""
    return [
        {
            "name": miss.name,
            "seen": [round(each, 2) for each in miss.seen_px],
            "expected": [round(each, 2) for each in miss.expected_px],
            "miss_px": round(miss.miss_px, 2),
        }
        for miss in misses
    ]


def calibration_in(path: Path) -> Calibration | None:
    """The calibration in a file; None where there is none that can be used."""
    try:
        return load_calibration(path)
    except CalibrationError:
        return None


def fit_points(
    profile: MachineProfile,
    clicked: Mapping[str, tuple[float, float]],
    size_px: tuple[int, int],
    lens: Lens,
    scene: SceneReference | None,
    before: Calibration | None,
) -> Fit:
    """Raises CalibrationError, of which MisfitError tells where it misses."""
    made, pose = from_points(profile, clicked, size_px, lens.focal_length_px(size_px[0]))
    return Fit(_dated(made, scene), pose, before)


def fit_stickers(
    profile: MachineProfile,
    seen: Mapping[int, Floats],
    family: str,
    size_px: tuple[int, int],
    lens: Lens,
    scene: SceneReference | None,
    before: Calibration | None,
) -> Fit:
    """Raises CalibrationError, of which MisfitError tells where it misses."""
    if not profile.stickers:
        raise CalibrationError("this description of the machine names no stickers: choose a profile that does")
    made, pose = from_stickers(profile, seen, size_px, lens.focal_length_px(size_px[0]), family)
    return Fit(_dated(made, scene), pose, before)


def _dated(made: Calibration, scene: SceneReference | None) -> Calibration:
    return replace(made, scene=scene, made_utc=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
