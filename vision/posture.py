"""From camera frames and landmarks to posture measures: one or two cameras, frame by frame, never looking ahead.

For every frame: the carriage from the tracked footplate, then the kinematic model fitted to the landmarks
of all cameras that have looked lately, then the measures of that fit and the raw cues that
``device.core.posture`` contrasts with the member's neutral.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from device.messages import CARRIAGE_CORRECTED, CameraStatus, Measure, PoseSample, Sided
from vision.calibration import Calibration
from vision.camera_look import CameraLook
from vision.cues import camera_cues, uses_mask
from vision.extension import RISEN_ERROR_DEG, Extension
from vision.figure import figure_places
from vision.fit import LegFit, PoseFit, ShapeFit, Sights
from vision.landmarks import Crop, Landmarks
from vision.lifter import (
    POSE_MEAN,
    POSE_SD,
    POSE_SD_HIPS_UNSEEN,
    SOLE_BEHIND_ANKLE_M,
    LegModel,
    knee_flexion_deg,
    valgus_deg,
)
from vision.person import lifter_region_px
from vision.plate import UNSURE_M
from vision.sights import landmark_bias_m
from vision.trunk import trunk_direction

Floats = NDArray[np.float64]

CHECKS: Final[dict[str, tuple[Measure, ...]]] = {
    "side": ("knee_flexion", "lumbar_flexion", "hip_slide", "foot_placement", "heel_lift", "carriage"),
    "front": ("knee_flexion", "valgus", "carriage"),
    "oblique": ("knee_flexion", "foot_placement", "carriage"),
}
"""What each view can check at all (docs/accuracy.md)."""
FRESH_S: Final = 0.15
"""Two cameras' frames belong together within this; a slower one leaves the other alone for a moment."""
FROM_MEAN_SHARE: Final = 0.1
"""Of the newest frame in how far a camera places the carriage from the mean of both (ours)."""
SLIDE_SHARE: Final = 0.04
"""How fast hips that stay forward are believed to sit there: half in 17 frames (a rounding is shorter)."""
SAT_SHARE: Final = 0.6
"""Of how far they seem to stay from the calibrated seat: the rest is taken for the landmarks' error (pairs of the fifth
and sixth test: knee 1.79 degrees off at 0.6, 1.84 at 1, 1.83 at 0.2)."""
HIP_SEEN_FORWARD_M: Final = -0.005
"""MediaPipe's nearer hip of a lifter who sits right, forward of the calibrated seat."""
CORRECTED_M: Final = 0.015
"""A carriage found to be off by more has spoilt what was learned of the lifter's shape (ours)."""
UNLIKE: Final = 3.5
"""A leg whose landmarks miss the model by so many standard deviations is covered, or somebody else's: not told. On the
given clips half of the frames miss by 0.5 and 95 of 100 by less than 1."""
SWAPPED_FROM: Final = 1.5
SWAPPED_GAIN: Final = 3.0
"""Left and right are exchanged back where the landmarks miss the last frame's legs by more standard deviations than the
first, and the other way round come so many times nearer (ours)."""
SWAPPED_WITHIN_S: Final = 0.3
RESTS_BELOW_DEG: Final = 60.0
"""Who stands with knees that the fit, or the machine and a usual leg, bend by more does not rest at the top: the set
began at the bottom (ours; a leg shorter than 98 of 100 has 49 at the top before it is known)."""
PLACEMENT_RANGE: Final = (-0.1, 1.1)
"""Feet beyond the plate's edges are not believed."""
REFINED: Final = ((12, 1), (60, 3), (math.inf, 6))
"""Up to so many frames the shape is refined at each so-manyth: it costs as much as two poses, and moves little."""
FORGET_AFTER_S: Final = 8.0
"""With nobody in view for so long, the next person is a new one."""


class PostureEstimator:
    """Feed frames of one or two cameras in the order of their times; every frame gives a PoseSample.

    ``calibrations``: one to a camera. All must be of the same machine.
    """

    def __init__(self, calibrations: Sequence[Calibration], names: Sequence[str] = ()) -> None:
        if not 1 <= len(calibrations) <= 2:
            raise ValueError(f"{len(calibrations)} calibrations: must be one or two, one to a camera")
        # The parts of the picture are small: sharing them among threads costs a third to a half more, and the cores are
        # the pose model's.
        cv2.setNumThreads(1)
        names = tuple(names) or tuple(c.view for c in calibrations)
        self._model = LegModel(calibrations[0])
        self._cameras = [
            CameraLook(name, calibration, self._model) for name, calibration in zip(names, calibrations, strict=True)
        ]
        biases = [landmark_bias_m(c) for c in calibrations]
        self._bias_m, self._slope_m = (np.array([b[i] for b in biases]) for i in (0, 1))
        pose_sd = POSE_SD if any(c.view == "side" for c in calibrations) else POSE_SD_HIPS_UNSEEN
        self._fit = LegFit(self._model, np.array([c.projection for c in calibrations]), pose_sd)
        self._from_mean_m: dict[str, float] = {}
        """How far a camera alone places the carriage from the mean of both, by name."""
        self._seq = 0
        self._last_person_s = -1e9
        self._shape = ShapeFit(self._fit, len(calibrations))
        self._extension = Extension()
        self._pose: Floats = POSE_MEAN.copy()
        self._usual: Floats = POSE_MEAN.copy()
        self._expected_px: Floats | None = None
        """Where the last fit's legs are seen, see ``PoseFit.seen_px``."""
        self._last_fit_s = -1e9
        self._least_bent_deg = 180.0
        """Of the two knees, in the last fit."""

    def uses_mask(self, camera: int) -> bool:
        """Whether this camera's landmarks should carry the person mask."""
        return uses_mask(self._cameras[camera].calibration)

    def region_px(self, camera: int) -> Crop | None:
        """Where in this camera's image the lifter can be: what to show the pose model."""
        return lifter_region_px(self._cameras[camera].calibration)

    def update(self, camera: int, t_s: float, image_bgr: NDArray[np.uint8], landmarks: Landmarks | None) -> PoseSample:
        """Take in one frame of one camera; ``landmarks`` in pixels of the whole image."""
        self._seq += 1
        self._cameras[camera].look(t_s, image_bgr, landmarks)
        fresh = [c for c in self._cameras if t_s - c.t_s <= FRESH_S and c.condition != "dark"]
        speed_m_s = self._cameras[camera].speed_m_s
        behind_m = [speed_m_s * (t_s - c.t_s) if c in fresh else 0.0 for c in self._cameras]
        carriage_m, carriage_error_m = self._carriage(fresh, behind_m)
        corrected_m = self._correction(self._cameras[camera], fresh)
        if corrected_m:
            self._from_mean_m.clear()
        if abs(corrected_m) > CORRECTED_M:
            self._start_anew()  # the shape was learned at carriage positions that were wrong
        elif corrected_m:
            self._shape.shift(corrected_m)
            self._extension = Extension()
        seen = [c for c in fresh if c.px is not None]
        if not seen or carriage_m is None:
            if t_s - self._last_person_s > FORGET_AFTER_S:
                self._start_anew()
            return PoseSample(self._seq, t_s, False, self._status(t_s), (), carriage_m=carriage_m)
        self._last_person_s = t_s
        sights, swapped = self._unswapped(t_s, self._sights(seen, behind_m))
        if self._cameras[camera] in seen:  # what another camera saw was added when it was new
            newest = np.arange(len(self._cameras)) == camera
            self._shape.add(carriage_m, replace(sights, weight=sights.weight * newest[:, None, None]))
        if self._extension.follow(t_s, carriage_m, can_rest=self._least_bent_deg < RESTS_BELOW_DEG):
            self._shape.rest_at(carriage_m)
        if not self._extension.knows_top:  # leg and hips are not known so well that the plate's place alone tells
            carriage_error_m = max(carriage_error_m, UNSURE_M)
        if self._shape.frames % next(each for until, each in REFINED if self._shape.frames < until) == 0:
            self._shape.refine(self._bias_m, self._slope_m)
        fit = self._fit.fit_pose(self._shape.shape, self._pose, carriage_m, sights)
        self._pose, self._expected_px, self._last_fit_s = fit.pose, fit.seen_px, t_s
        self._least_bent_deg = float(knee_flexion_deg(fit.joints).min())
        self._usual[:2] += SLIDE_SHARE * (SAT_SHARE * fit.pose[:2] - self._usual[:2])
        sample = self._sample(t_s, seen, behind_m, fit, carriage_m, carriage_error_m)
        odd = ({"swapped": 1.0} if swapped else {}) | ({CARRIAGE_CORRECTED: corrected_m} if corrected_m else {})
        return replace(sample, cues={**sample.cues, **odd}) if odd else sample

    def _start_anew(self) -> None:
        self._shape = ShapeFit(self._fit, len(self._cameras))
        self._extension = Extension()
        self._pose, self._usual = POSE_MEAN.copy(), POSE_MEAN.copy()
        self._expected_px, self._least_bent_deg = None, 180.0

    def _unswapped(self, t_s: float, sights: Sights) -> tuple[Sights, bool]:
        """With left and right as in the last frame, where a camera's landmarks have exchanged them."""
        if self._expected_px is None or t_s - self._last_fit_s > SWAPPED_WITHIN_S:
            return sights, False
        expected_px, weight = self._expected_px, sights.weight[..., None]
        straight = _squares((expected_px - sights.px) * weight)
        odd = straight > SWAPPED_FROM**2 * (sights.weight > 0).sum(axis=(1, 2))
        if not odd.any():
            return sights, False
        swap = odd & (_squares((expected_px - sights.px[:, ::-1]) * weight) * SWAPPED_GAIN**2 < straight)
        px = np.where(swap[:, None, None, None], sights.px[:, ::-1], sights.px)
        return replace(sights, px=px), bool(swap.any())

    def _carriage(self, fresh: Sequence[CameraLook], behind_m: Sequence[float]) -> tuple[float | None, float]:
        """Weighted mean of the cameras' carriage positions, all brought to now, and its standard error.

        A camera that looks alone for a moment is taken where the mean of both would be: millimetres tell here.
        """
        found = {
            c.name: (1.0 / c.position.standard_error_m**2, c.position.carriage_m + moved_m)
            for c, moved_m in zip(self._cameras, behind_m, strict=True)
            if c in fresh and c.position is not None
        }
        if not found:
            return None, 1.0
        total = sum(weight for weight, _ in found.values())
        mean_m = sum(weight * at_m for weight, at_m in found.values()) / total
        if len(found) < len(self._cameras):
            return mean_m - sum(self._from_mean_m.get(name, 0.0) for name in found), total**-0.5
        for name, (_, at_m) in found.items():
            before_m = self._from_mean_m.get(name, at_m - mean_m)
            self._from_mean_m[name] = before_m + FROM_MEAN_SHARE * (at_m - mean_m - before_m)
        return mean_m, total**-0.5

    def _correction(self, camera: CameraLook, fresh: Sequence[CameraLook]) -> float:
        """By how much this frame of ``camera`` moved the absolute position of the cameras' mean."""
        if camera.position is None or not camera.position.corrected_m:
            return 0.0
        weights = {c.name: 1.0 / c.position.standard_error_m**2 for c in fresh if c.position is not None}
        return camera.position.corrected_m * weights.get(camera.name, 0.0) / sum(weights.values())

    def _sights(self, seen: Sequence[CameraLook], behind_m: Sequence[float]) -> Sights:
        px = np.zeros((len(self._cameras), 2, 3, 2))
        weight = np.zeros((len(self._cameras), 2, 3))
        for i, camera in enumerate(self._cameras):
            if camera in seen and camera.px is not None:
                px[i], weight[i] = camera.px, camera.weight
        return Sights(px, weight, self._bias_m, self._slope_m, self._usual, np.array(behind_m))

    def _status(self, t_s: float) -> tuple[CameraStatus, ...]:
        return tuple(
            CameraStatus(
                c.name, c.calibration.view, c.condition if t_s - c.t_s <= 1.0 else "lost", 0.0, 0, max(0.0, t_s - c.t_s)
            )
            for c in self._cameras
        )  # fmt: skip

    def _sample(
        self, t_s: float, seen: Sequence[CameraLook], behind_m: Sequence[float], fit: PoseFit, carriage_m: float,
        carriage_error_m: float,
    ) -> PoseSample:  # fmt: skip
        checks = tuple(dict.fromkeys(m for c in seen for m in CHECKS[c.calibration.view]))
        shape, joints = self._shape.shape, fit.joints
        bounds_deg = self._extension.bounds_deg(carriage_m, float(shape[0] + shape[1]))
        least_deg, most_deg = bounds_deg or (0.0, 180.0)
        flexion = np.clip(knee_flexion_deg(joints), least_deg, most_deg)
        trunk = trunk_direction([(c.calibration, c.landmarks) for c in seen if c.landmarks is not None])
        thigh = joints.knee - joints.hip
        cosine = (thigh @ trunk) / np.linalg.norm(thigh, axis=-1)
        hip_flexion = 180.0 - np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
        placement = 0.5 - (float(shape[6]) + SOLE_BEHIND_ANKLE_M) / self._model.machine.plate_height_m
        cues: dict[str, float] = {}
        cues_behind_m: dict[str, float] = {}
        for camera, moved_m in zip(self._cameras, behind_m, strict=True):
            if camera in seen and camera.landmarks is not None:
                plate = self._model.plate_centre - (carriage_m - moved_m) * self._model.machine.rail
                own = camera.answers | camera_cues(camera.calibration, camera.landmarks, joints, plate)
                if "near_ankle_lift" in own and camera.step_m is not None:
                    own["near_ankle_step"] = camera.step_m
                cues |= own
                if moved_m:
                    cues_behind_m |= dict.fromkeys(own, moved_m)
        cues |= {"thigh_m": float(shape[0]), "shank_m": float(shape[1])}
        told = (fit.miss < UNLIKE) & (bounds_deg is not None)
        low, high = PLACEMENT_RANGE
        places = "foot_placement" in checks and bool(told.any()) and low <= placement <= high
        return PoseSample(
            seq=self._seq,
            t_s=t_s,
            person=True,
            cameras=self._status(t_s),
            checks=checks,
            knee_flexion_deg=_sided(flexion, told),
            hip_flexion_deg=_sided(hip_flexion, told),
            valgus_deg=_sided(valgus_deg(joints), told) if "valgus" in checks else Sided(),
            hip_slide_m=cues["near_hip_forward"] - HIP_SEEN_FORWARD_M
            if "near_hip_forward" in cues and "hip_slide" in checks
            else None,
            foot_placement=Sided(placement, placement) if places else Sided(),
            stance_m=float(2 * shape[5]),
            carriage_m=carriage_m,
            standard_error=self._errors(fit, carriage_error_m, risen=most_deg < 90.0),
            cues=cues,
            cues_behind_m=cues_behind_m,
            figure=figure_places(self._model, joints, trunk, carriage_m),
        )

    def _errors(self, fit: PoseFit, carriage_error_m: float, risen: bool) -> dict[str, float]:
        """From the fit's covariances: on the given clips 1 to 1.5 times the errors that were made."""
        shape = self._shape
        thigh = float(shape.shape[0])
        valgus = np.degrees(np.sqrt(np.maximum(np.diag(fit.covariance)[2:], 0.0)) / thigh)
        knee = self._fit.knee_errors_deg(shape.shape, shape.covariance, fit)
        if risen:
            knee = np.minimum(knee, RISEN_ERROR_DEG)
        placement = float(np.sqrt(shape.covariance[6, 6])) / self._model.machine.plate_height_m
        return {
            "knee_flexion_left_deg": float(knee[0]),
            "knee_flexion_right_deg": float(knee[1]),
            "valgus_left_deg": float(valgus[0]),
            "valgus_right_deg": float(valgus[1]),
            "foot_placement": placement,
            "carriage_m": carriage_error_m,
        }


def _squares(of: Floats) -> Floats:
    """(cameras,) sum of the squares of (cameras, 2, 3, 2)."""
    return cast(Floats, (of * of).sum(axis=(1, 2, 3)))


def _sided(values: Floats, told: NDArray[np.bool_]) -> Sided:
    """Both legs' values; None for a leg that is not ``told``."""
    return Sided(*(float(value) if told[i] else None for i, value in enumerate(values)))
