"""A small kinematic model of a lifter on a leg press, fitted to the landmarks of one or two cameras.

Shape (per member and set) and pose (per frame) are few, because the machine is known: the feet lie on the
plate, whose place along the rail is tracked; the pelvis is near the calibrated seat; bones keep their
length; a leg is never longer than straight. Everything is evaluated in batches, so that a numerical
Jacobian costs one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from vision.calibration import Calibration, Machine
from vision.person import seat_m

Floats = NDArray[np.float64]

SHAPE: Final = (
    "thigh_m",
    "shank_m",
    "hip_up_m",
    "hip_off_m",
    "hip_half_width_m",
    "ankle_half_width_m",
    "ankle_up_m",
    "ankle_off_m",
)
"""Thigh, shank; neutral hip place along and off the pad, against the calibrated seat; half the distances
between the hip joints and between the ankles; the ankle's place on the plate, up from its middle and off it."""
SHAPE_MEAN: Final = np.array([0.428, 0.428, 0.0, 0.0, 0.110, 0.180, -0.070, 0.082])
SHAPE_SD: Final = np.array([0.030, 0.032, 0.012, 0.010, 0.008, 0.035, 0.080, 0.004])
"""Of the rendered lifters (body sizes of adults), widened by a third."""
POSE: Final = ("hip_up_m", "hip_off_m", "knee_left_m", "knee_right_m")
"""Shift of the hips along and off the pad; medial offset of each knee from its hip-ankle line."""
POSE_MEAN: Final = np.array([0.0, 0.0, -0.008, -0.008])
POSE_SD: Final = np.array([0.012, 0.012, 0.030, 0.030])
POSE_SD_HIPS_UNSEEN: Final = np.array([0.003, 0.003, 0.030, 0.030])
"""Where no camera looks from the side the hips' place is too uncertain to follow: they are held at the seat."""
STRAIGHT: Final = 0.9994
"""A leg reaches at most this share of thigh + shank (soft)."""
STRAIGHT_SD_M: Final = 0.002
SOLE_BEHIND_ANKLE_M: Final = 0.070
"""The middle of the sole lies this far up the plate from the ankle (rendered lifters: sd 3 mm)."""
SIGN: Final = np.array([1.0, -1.0])
"""+x is the lifter's left; sides are ordered left, right."""
SPREAD: Final = SIGN[:, None] * np.array([1.0, 0.0, 0.0])
"""(2, 3) from the middle outwards."""


@dataclass(frozen=True, slots=True, eq=False)
class Joints:
    """Batches of joint places, machine frame, metres: (..., 2 sides, 3). Hips and ankles may lack, or have once, what
    they do not depend on."""

    hip: Floats
    knee: Floats
    ankle: Floats
    overreach_m: Floats
    """(..., 2) how much farther the ankle is from the hip than a straight leg is long."""

    def stacked(self) -> Floats:
        """(..., 2, 3 joints, 3) hip, knee, ankle."""
        out = np.empty((*self.knee.shape[:-1], 3, 3))
        out[..., 0, :], out[..., 1, :], out[..., 2, :] = self.hip, self.knee, self.ankle
        return out


class LegModel:
    """Places of hips, knees and ankles from shape, pose and carriage, on one machine."""

    def __init__(self, calibration: Calibration) -> None:
        machine: Machine = calibration.machine
        self.machine = machine
        self.seat = seat_m(calibration)
        self.plate_centre = calibration.plate_centre
        self._pad_axes = np.stack([machine.pad_up, machine.pad_normal])
        self._plate_axes = np.stack([machine.plate_up, -machine.plate_normal])
        self._upwards = machine.pad_up + machine.pad_normal

    def joints(self, shape: Floats, pose: Floats, carriage_m: Floats) -> Joints:
        """``shape`` (..., 8), ``pose`` (..., 4), ``carriage_m`` (...): broadcast against each other."""
        hip_mid = self.seat + (shape[..., 2:4] + pose[..., :2]) @ self._pad_axes
        ankle_mid = self.plate_centre - carriage_m[..., None] * self.machine.rail + shape[..., 6:8] @ self._plate_axes
        hip = hip_mid[..., None, :] + shape[..., 4, None, None] * SPREAD
        ankle = ankle_mid[..., None, :] + shape[..., 5, None, None] * SPREAD
        knee, over = self._knee(hip, ankle, shape[..., 0, None], shape[..., 1, None], pose[..., 2:4])
        return Joints(hip, knee, ankle, over)

    def slack_m(self, shape: Floats, joints: Joints) -> tuple[Floats, Floats]:
        """(2,) how much farther each leg could reach, and (8, 2) how that changes with the ``SHAPE``; of one pose."""
        line = joints.ankle - joints.hip
        reach = length_m(line)
        along = (line / reach[:, None]).T
        slopes = np.ones((8, 2))
        slopes[2:4] = self._pad_axes @ along
        slopes[4] = SIGN * along[0]
        slopes[5] = -slopes[4]
        slopes[6:] = -self._plate_axes @ along
        return shape[0] + shape[1] - reach, slopes

    def _knee(
        self, hip: Floats, ankle: Floats, thigh: Floats, shank: Floats, medial_m: Floats
    ) -> tuple[Floats, Floats]:
        line = ankle - hip
        reach = length_m(line)
        line /= reach[..., None]
        full = thigh + shank
        bent = np.minimum(reach, full * 0.99995)
        along = (thigh**2 - shank**2 + bent**2) / (2 * bent)
        radius2 = np.maximum(thigh**2 - along**2, 1e-8)
        # Across the machine, made orthogonal to the line, and what is orthogonal to both, by their components.
        y, z = line[..., 1], line[..., 2]
        level = np.sqrt(y**2 + z**2)
        most = 0.9 * np.sqrt(radius2)
        offset = np.minimum(np.maximum(medial_m, -most), most)
        rise = np.copysign(np.sqrt(radius2 - offset**2) / level, z * self._upwards[1] - y * self._upwards[2])
        sideways = -SIGN * offset / level
        knee = line * (along - sideways * line[..., 0])[..., None]
        knee[..., 0] += sideways
        knee[..., 1] += rise * z
        knee[..., 2] -= rise * y
        return hip + knee, np.maximum(reach - full * STRAIGHT, 0.0)


def length_m(vectors: Floats) -> Floats:
    """(...) of vectors (..., 3); several times quicker than ``np.linalg.norm`` on few of them."""
    return cast(Floats, np.sqrt(np.einsum("...i,...i->...", vectors, vectors)))


def knee_flexion_deg(joints: Joints) -> Floats:
    """(..., 2) angle between thigh and shank, 0 = straight."""
    thigh, shank = joints.knee - joints.hip, joints.ankle - joints.knee
    cosine = np.einsum("...i,...i->...", thigh, shank) / (length_m(thigh) * length_m(shank))
    return cast(Floats, np.degrees(np.arccos(np.minimum(np.maximum(cosine, -1.0), 1.0))))


def valgus_deg(joints: Joints) -> Floats:
    """(..., 2) asin(medial offset of the knee from the hip-ankle line / thigh length), + = inwards."""
    line = joints.ankle - joints.hip
    line = line / np.linalg.norm(line, axis=-1, keepdims=True)
    lateral = np.array([1.0, 0.0, 0.0]) - line * line[..., :1]
    lateral = lateral / np.linalg.norm(lateral, axis=-1, keepdims=True)
    thigh = joints.knee - joints.hip
    medial = np.sum(thigh * lateral, axis=-1) * -SIGN
    return cast(Floats, np.degrees(np.arcsin(np.clip(medial / np.linalg.norm(thigh, axis=-1), -1.0, 1.0))))
