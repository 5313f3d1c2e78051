"""The camera's pose, and where the picture allows it its focal length, from known places on the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.calibration import CalibrationError

Floats = NDArray[np.float64]

LENS_HFOV_DEG: Final = {
    "module2": 62.2,
    "module3": 66.0,
    "module3-wide": 102.0,
    "hq-6mm": 63.0,
    "global-6mm": 52.0,
}
"""Horizontal field of view of the whole sensor by Raspberry Pi's data sheets. A 4:3 picture cut out of a 16:9 sensor
(module 3) sees three quarters of its width."""
SENSOR_IS_WIDE: Final = ("module3", "module3-wide")
FOCAL_SURE: Final = 0.01
"""A focal length is taken from the picture where its standard error is below this share (ours: 3 cm at 3 m)."""
FOCAL_BOUND: Final = 0.15
"""Farther from the stated focal length the fit is not believed: the lens is another."""
PIXEL_SD: Final = 0.5
"""Least error of a marker's corner that the standard errors assume, px (ours)."""
WORST_FACTOR: Final = 4.0
"""A marker that misses by so many times the median is stuck elsewhere than the profile says."""


@dataclass(frozen=True, slots=True)
class Miss:
    """How far one point, or the middle of one sticker, lies from where the fitted camera would see it."""

    name: str
    seen_px: tuple[float, float]
    expected_px: tuple[float, float]
    miss_px: float
    """Of a sticker: RMS of its corners."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraPose:
    """``R`` (3, 3), ``t`` (3,) machine to camera; ``error_px`` RMS; ``misses_px`` (n,) by point."""

    focal_length_px: float
    focal_measured: bool
    """False: the stated one was kept, for the points do not tell it."""
    R: Floats
    t: Floats
    error_px: float
    misses_px: Floats
    eye_error_m: float
    """Standard error of the camera's place."""
    turn_error_deg: float
    """Standard error of its direction."""
    misses: tuple[Miss, ...] = ()
    """The same by name, a sticker's four corners as one."""

    @property
    def eye(self) -> Floats:
        return -self.R.T @ self.t


def focal_length_px(hfov_deg: float, width_px: int) -> float:
    """Of a pinhole whose whole width sees ``hfov_deg``."""
    return 0.5 * width_px / float(np.tan(np.radians(hfov_deg) / 2))


def lens_focal_px(lens: str, width_px: int) -> float:
    """Of one of ``LENS_HFOV_DEG`` behind a 4:3 picture. Raises CalibrationError for an unknown lens."""
    if lens not in LENS_HFOV_DEG:
        raise CalibrationError(f"unknown lens {lens!r}: allowed are {', '.join(LENS_HFOV_DEG)}")
    focal = focal_length_px(LENS_HFOV_DEG[lens], width_px)
    return focal * 4 / 3 if lens in SENSOR_IS_WIDE else focal


def camera_matrix(focal_px: float, size_px: tuple[int, int]) -> Floats:
    return np.array([[focal_px, 0.0, size_px[0] / 2], [0.0, focal_px, size_px[1] / 2], [0.0, 0.0, 1.0]])


def seen_from(pose: CameraPose, places_m: Floats, size_px: tuple[int, int]) -> Floats:
    """(n, 2) pixels where this camera sees ``places_m`` (n, 3), all of them before it."""
    camera = places_m @ pose.R.T + pose.t
    centre = np.array([size_px[0] / 2, size_px[1] / 2])
    return np.asarray(camera[:, :2] / camera[:, 2:] * pose.focal_length_px + centre, dtype=np.float64)


def solve_camera(places_m: Floats, px: Floats, size_px: tuple[int, int], focal_px: float) -> CameraPose:
    """Pose from ``places_m`` (n, 3) seen at ``px`` (n, 2), n >= 6; the focal length too where they determine it.

    Raises:
        CalibrationError: no pose fits.
    """
    K = camera_matrix(focal_px, size_px)
    try:
        ok, rvec, tvec = cv2.solvePnP(places_m, px, K, None, flags=cv2.SOLVEPNP_SQPNP)
        if ok:
            rvec, tvec = cv2.solvePnPRefineLM(places_m, px, K, None, rvec, tvec)
    except cv2.error:
        ok = False
    if not ok:
        raise CalibrationError("no camera pose fits these points: check that names and pixels belong together")
    start = np.concatenate([np.ravel(rvec), np.ravel(tvec), [1.0]])
    try:
        fixed, fixed_cov = _refine(start, places_m, px, size_px, focal_px, free_focal=False)
        free, free_cov = _refine(fixed, places_m, px, size_px, focal_px, free_focal=True)
    except np.linalg.LinAlgError as error:
        raise CalibrationError("no camera pose fits these points: they lie on one another") from error
    measured = float(np.sqrt(free_cov[6, 6])) < FOCAL_SURE * free[6] and abs(free[6] - 1.0) < FOCAL_BOUND
    best, covariance = (free, free_cov) if measured else (fixed, fixed_cov)
    miss = np.linalg.norm(_project(best, places_m, size_px, focal_px) - px, axis=1)
    rotation = np.asarray(cv2.Rodrigues(best[:3])[0], dtype=np.float64)
    return CameraPose(
        focal_px * float(best[6]),
        measured,
        rotation,
        best[3:6].copy(),
        float(np.sqrt(np.mean(miss**2))),
        miss,
        float(np.sqrt(np.trace(covariance[3:6, 3:6]))),
        float(np.degrees(np.sqrt(np.trace(covariance[:3, :3])))),
    )


def _project(guess: Floats, places_m: Floats, size_px: tuple[int, int], focal_px: float) -> Floats:
    seen, _ = cv2.projectPoints(places_m, guess[:3], guess[3:6], camera_matrix(focal_px * guess[6], size_px), None)
    return np.asarray(seen[:, 0], dtype=np.float64)


def _refine(
    guess: Floats, places_m: Floats, px: Floats, size_px: tuple[int, int], focal_px: float, *, free_focal: bool
) -> tuple[Floats, Floats]:
    """Least squares (Gauss-Newton, damped) over rotation, place and focal factor; with the (7, 7) covariance."""
    count = 7 if free_focal else 6
    damping = 1e-3

    def residual(at: Floats) -> Floats:
        return (_project(at, places_m, size_px, focal_px) - px).ravel()

    now = residual(guess)
    jacobian = np.zeros((len(now), count))
    for _ in range(30):
        for k in range(count):
            step = np.zeros(7)
            step[k] = 1e-6
            jacobian[:, k] = (residual(guess + step) - now) / 1e-6
        normal = jacobian.T @ jacobian
        move = np.zeros(7)
        move[:count] = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-12), -jacobian.T @ now)
        trial = residual(guess + move)
        if trial @ trial <= now @ now:
            done = (now @ now - trial @ trial) < 1e-10 * (1.0 + now @ now)
            guess, now, damping = guess + move, trial, damping / 10
            if done:
                break
        else:
            damping *= 10
    variance = max(float(now @ now) / max(len(now) - count, 1), PIXEL_SD**2)
    covariance = np.zeros((7, 7))
    covariance[:count, :count] = variance * np.linalg.pinv(jacobian.T @ jacobian)
    return guess, covariance


def misplaced(names: list[str], misses_px: Floats) -> str | None:
    """The point that fits far worse than the others, or None."""
    worst = int(np.argmax(misses_px))
    return names[worst] if misses_px[worst] > max(WORST_FACTOR * float(np.median(misses_px)), 3.0) else None
