"""The fitted lifter and the machine as named places in the machine frame, for drawing."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.messages import Point
from vision.lifter import Joints, LegModel

Floats = NDArray[np.float64]

TRUNK_M: Final = 0.465
SHOULDER_HALF_WIDTH_M: Final = 0.173
NECK_AND_HEAD_M: Final = 0.22
HEEL: Final = (-0.065, -0.058)
TOE: Final = (0.195, -0.063)
"""From the ankle, up the plate and away from it (m): means of the rendered lifters."""


def _point(place: Floats) -> Point:
    return round(float(place[0]), 4), round(float(place[1]), 4), round(float(place[2]), 4)


def figure_places(model: LegModel, joints: Joints, trunk: Floats, carriage_m: float) -> dict[str, Point]:
    """Hips, knees, ankles, heels, toes, shoulders, head, and the edges of plate and pad."""
    machine = model.machine
    across = np.array([1.0, 0.0, 0.0])
    hip_mid = joints.hip.mean(axis=0)
    shoulders = hip_mid + TRUNK_M * trunk
    out: dict[str, Point] = {"head": _point(shoulders + NECK_AND_HEAD_M * (0.9 * trunk + 0.3 * machine.pad_normal))}
    for i, side in enumerate(("left", "right")):
        sign = 1.0 if side == "left" else -1.0
        ankle = joints.ankle[i]
        out[f"hip_{side}"], out[f"knee_{side}"], out[f"ankle_{side}"] = (
            _point(joints.hip[i]),
            _point(joints.knee[i]),
            _point(ankle),
        )
        out[f"heel_{side}"] = _point(ankle + HEEL[0] * machine.plate_up - HEEL[1] * machine.plate_normal)
        out[f"toe_{side}"] = _point(
            ankle + TOE[0] * machine.plate_up - TOE[1] * machine.plate_normal + 0.046 * sign * across
        )
        out[f"shoulder_{side}"] = _point(shoulders + sign * SHOULDER_HALF_WIDTH_M * across)
    plate = model.plate_centre - carriage_m * machine.rail
    out["plate_top"] = _point(plate + machine.plate_height_m / 2 * machine.plate_up)
    out["plate_bottom"] = _point(plate - machine.plate_height_m / 2 * machine.plate_up)
    pad = model.seat - 0.067 * machine.pad_normal - 0.05 * machine.pad_up
    out["pad_bottom"], out["pad_top"] = _point(pad), _point(pad + 0.8 * machine.pad_up)
    return out
