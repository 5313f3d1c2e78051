"""The fitted lifter and the machine as named places in the machine frame, for drawing."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.messages import Point
from vision.lifter import SPREAD, Joints, LegModel

Floats = NDArray[np.float64]

TRUNK_M: Final = 0.465
SHOULDER_HALF_WIDTH_M: Final = 0.173
NECK_AND_HEAD_M: Final = 0.22
HEEL: Final = (-0.065, -0.058)
TOE: Final = (0.195, -0.063)
"""From the ankle, up the plate and away from it (m): means of the rendered lifters."""


FIGURE: Final = (
    *(f"{part}_{side}" for part in ("hip", "knee", "ankle", "heel", "toe", "shoulder") for side in ("left", "right")),
    *("head", "plate_top", "plate_bottom", "pad_bottom", "pad_top"),
)


def figure_places(model: LegModel, joints: Joints, trunk: Floats, carriage_m: float) -> dict[str, Point]:
    """Hips, knees, ankles, heels, toes, shoulders, head, and the edges of plate and pad."""
    machine = model.machine
    shoulders = joints.hip.mean(axis=0) + TRUNK_M * trunk
    plate = model.plate_centre - carriage_m * machine.rail
    half = machine.plate_height_m / 2 * machine.plate_up
    pad = model.seat - 0.067 * machine.pad_normal - 0.05 * machine.pad_up
    heel, toe = (up * machine.plate_up - off * machine.plate_normal for up, off in (HEEL, TOE))
    places = np.concatenate(
        [
            *(joints.hip, joints.knee, joints.ankle, joints.ankle + heel, joints.ankle + toe + 0.046 * SPREAD),
            shoulders + SHOULDER_HALF_WIDTH_M * SPREAD,
            [shoulders + NECK_AND_HEAD_M * (0.9 * trunk + 0.3 * machine.pad_normal)],
            [plate + half, plate - half, pad, pad + 0.8 * machine.pad_up],
        ]
    )
    return {name: (x, y, z) for name, (x, y, z) in zip(FIGURE, np.round(places, 4).tolist(), strict=True)}
