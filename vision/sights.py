"""What the model's landmarks say about hips, knees and ankles, with what was learned of their errors.

MediaPipe's landmarks lie off the joints by centimetres, the same way for everybody seen from the same
side. ``landmark_model.json`` holds that offset and its spread by view, by nearer or farther leg and by
joint, learned on rendered clips with known joints (``vision/training/landmark_fit.py``).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from device.messages import View
from vision.calibration import Calibration
from vision.landmarks import LEFT_ANKLE, LEFT_HIP, LEFT_KNEE, RIGHT_ANKLE, RIGHT_HIP, RIGHT_KNEE, Landmarks
from vision.lifter import POSE_MEAN, SHAPE_MEAN, LegModel
from vision.person import seat_m

Floats = NDArray[np.float64]

LEARNED_FILE: Final = Path(__file__).parent / "landmark_model.json"
LEG_LANDMARKS: Final = np.array([[LEFT_HIP, LEFT_KNEE, LEFT_ANKLE], [RIGHT_HIP, RIGHT_KNEE, RIGHT_ANKLE]])
"""(2 sides, 3 joints)"""
JOINTS: Final = ("hip", "knee", "ankle")


@cache
def _learned() -> dict[str, Any]:
    return cast(dict[str, Any], json.loads(LEARNED_FILE.read_text("utf-8")))


def _legs(calibration: Calibration) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was learned for the left and the right leg of this camera."""
    view: View = calibration.view
    near, far = _learned()[view]["near"], _learned()[view]["far"]
    return (near, far) if calibration.eye[0] > 0 else (far, near)


def landmark_bias_m(calibration: Calibration) -> tuple[Floats, Floats]:
    """(2, 3, 3) twice: offset of each landmark from its joint at 50 degrees of flexion, and its change over 40 more."""
    machine = calibration.machine
    out = np.zeros((2, 2, 3, 3))
    for side, (leg, sign) in enumerate(zip(_legs(calibration), (1.0, -1.0), strict=True)):
        for joint, name in enumerate(JOINTS):
            for i, key in enumerate(("bias", "slope")):
                outwards, up, off = leg[name][key]
                across = outwards * sign * np.array([1.0, 0.0, 0.0])
                out[i, side, joint] = across + up * machine.pad_up + off * machine.pad_normal
    return out[0], out[1]


def landmark_weight(calibration: Calibration) -> Floats:
    """(2, 3) 1 / sd in pixels, at the machine's distance."""
    px_per_m = calibration.focal_length_px / float((calibration.R @ seat_m(calibration) + calibration.t)[2])
    sd_m = np.array([[leg[name]["sd"] for name in JOINTS] for leg in _legs(calibration)])
    return np.asarray(1.0 / (sd_m * px_per_m), dtype=np.float64)


def leg_px(landmarks: Landmarks) -> Floats:
    """(2, 3, 2) hips, knees and ankles in pixels."""
    return np.asarray(landmarks.px[LEG_LANDMARKS], dtype=np.float64)


class FeetOnPlate:
    """Where the nearer ankle places the carriage, within a decimetre."""

    def __init__(self, model: LegModel, calibration: Calibration) -> None:
        self._calibration, self._rail = calibration, model.machine.rail
        self._side = 0 if calibration.eye[0] > 0 else 1
        self._x_m = float(SHAPE_MEAN[5] * (1 - 2 * self._side))
        resting = model.joints(SHAPE_MEAN, POSE_MEAN, np.array(0.0)).ankle[self._side]
        self._resting: Floats = resting + landmark_bias_m(calibration)[0][self._side, 2]

    def carriage_m(self, landmarks: Landmarks) -> float | None:
        """None from the front, where the plate hides the feet."""
        if self._calibration.view == "front":
            return None
        ankle = self._calibration.on_plane_x(leg_px(landmarks)[self._side, 2], self._x_m)
        return float((self._resting - ankle) @ self._rail)
