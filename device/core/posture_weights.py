"""Learned numbers of the neutral contrast. Made by ``vision/training``; see docs/accuracy.md."""

from __future__ import annotations

from typing import Final

NEUTRAL_VALGUS_DEG: Final = -1.2
NEUTRAL_LUMBAR_DEG: Final = 0.5
VALGUS_WEIGHTS: Final = {
    "left": {"knee_left_x": -130.0},
    "right": {"knee_right_x": 130.0},
}
LUMBAR_WEIGHTS: Final = {"near_hip_off": 300.0}
STANDARD_ERRORS: Final = {"valgus_left_deg": 2.0, "valgus_right_deg": 2.0, "lumbar_flexion_deg": 3.0}
