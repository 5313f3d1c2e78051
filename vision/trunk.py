"""The trunk's direction from the shoulders; from a view that cannot tell, the back pad's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vision.calibration import Calibration, Machine
from vision.landmarks import Landmarks

Floats = NDArray[np.float64]

TRUNK_TO_PAD_DEG: Final = 4.0
"""The line from hips to shoulders leans off the pad by this, being thicker below (rendered lifters: 3.8, sd 1.8)."""


def pad_trunk(machine: Machine) -> Floats:
    """(3,) unit vector hips to shoulders of somebody leaning on the pad."""
    angle = math.radians(TRUNK_TO_PAD_DEG)
    return math.cos(angle) * machine.pad_up + math.sin(angle) * machine.pad_normal


def trunk_direction(seen: Sequence[tuple[Calibration, Landmarks]]) -> Floats:
    """(3,) unit vector from the middle of the hips to the middle of the shoulders. The thorax lies on the pad."""
    return pad_trunk(seen[0][0].machine)
