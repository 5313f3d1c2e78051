"""Raw evidence of one frame that depends on nothing but that frame: what the neutral contrast is made from.

Places are in metres on the machine, where the sight line of a landmark meets a plane that the machine and
the calibration fix; the member's own clean rep at the same carriage position takes out what is personal.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from vision.calibration import Calibration
from vision.landmarks import (
    LEFT_ANKLE,
    LEFT_HIP,
    LEFT_KNEE,
    LEFT_SHOULDER,
    RIGHT_ANKLE,
    RIGHT_HIP,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    Landmarks,
)
from vision.lifter import Joints
from vision.person import seat_m
from vision.silhouette import silhouette_back_deg

Floats = NDArray[np.float64]

HALF_WIDTH_M: Final = {"hip": 0.11, "knee": 0.14, "ankle": 0.18, "shoulder": 0.173}
"""Distance of each joint from the machine's middle plane (means of the rendered lifters)."""
_LEFT: Final = {"hip": LEFT_HIP, "knee": LEFT_KNEE, "ankle": LEFT_ANKLE, "shoulder": LEFT_SHOULDER}
_RIGHT: Final = {"hip": RIGHT_HIP, "knee": RIGHT_KNEE, "ankle": RIGHT_ANKLE, "shoulder": RIGHT_SHOULDER}


def uses_mask(calibration: Calibration) -> bool:
    """True where this camera's person mask enters the measures; elsewhere none need be made."""
    return calibration.view == "side"


def camera_cues(
    calibration: Calibration, landmarks: Landmarks, joints: Joints, plate_centre: Floats
) -> dict[str, float]:
    """Cues by name. From the front: lateral places of hips and knees. Else: places of the nearer leg and shoulder.

    ``plate_centre`` (3,) is the plate's middle now.
    """
    if calibration.view == "front":
        return _frontal(calibration, landmarks, joints)
    return _sagittal(calibration, landmarks, plate_centre)


def _sagittal(calibration: Calibration, landmarks: Landmarks, plate_centre: Floats) -> dict[str, float]:
    """Along (``_up``) and off (``_off``) the pad, from the calibrated seat, of the camera-side joints.

    Also how far the nearer hip is forward on the seat, and the nearer ankle off the plate; from the side, what
    the lifter's outline says of the back.
    """
    machine, seat = calibration.machine, seat_m(calibration)
    sign = 1.0 if calibration.eye[0] > 0 else -1.0
    out: dict[str, float] = {}
    index = _LEFT if sign > 0 else _RIGHT
    seen_px = landmarks.px[[index[name] for name in HALF_WIDTH_M]]
    places = calibration.on_plane_x(seen_px, sign * np.array(list(HALF_WIDTH_M.values())))
    ups, offs = (places - seat) @ machine.pad_up, (places - seat) @ machine.pad_normal
    for name, up, off in zip(HALF_WIDTH_M, ups, offs, strict=True):
        out[f"near_{name}_up"], out[f"near_{name}_off"] = float(up), float(off)
    hip, _, ankle, _ = places
    out["near_hip_forward"] = float((hip - seat) @ machine.seat_forward)
    out["near_ankle_lift"] = float((plate_centre - ankle) @ machine.plate_normal)
    if uses_mask(calibration) and landmarks.mask is not None and _is_mask(landmarks.mask):
        out["lumbar_outline"] = silhouette_back_deg(calibration, landmarks.mask)
    return out


def _is_mask(mask: NDArray[np.float32]) -> bool:
    """Shares from 0 to 1, rounding aside; a number that is none is not among them."""
    return bool(mask.size and mask.min() >= -0.01 and mask.max() <= 1.01)


def _frontal(calibration: Calibration, landmarks: Landmarks, joints: Joints) -> dict[str, float]:
    """Lateral place (x) of hips, knees and shoulders at the fitted joint's distance from the camera."""
    out: dict[str, float] = {}
    for i, (side, index) in enumerate((("left", _LEFT), ("right", _RIGHT))):
        for name, place in (("hip", joints.hip[i]), ("knee", joints.knee[i])):
            miss = landmarks.px[index[name]] - calibration.project(place)
            metres = float((calibration.R @ place + calibration.t)[2]) / calibration.focal_length_px
            moved = calibration.R.T @ np.array([miss[0] * metres, miss[1] * metres, 0.0])
            out[f"{name}_{side}_x"] = float(place[0] + moved[0])
            out[f"{name}_{side}_up"] = float((place - seat_m(calibration) + moved) @ calibration.machine.pad_up)
    return out
