"""How far the heels are off the plate, from how far the nearer ankle is off it against the member's clean rep."""

from __future__ import annotations

import math
from typing import Final

from device.messages import PoseSample

ANKLE_TO_BALL_M: Final = 0.13
"""Assumed."""
MOST_DEG: Final = 35.0
"""More is a landmark that went astray, and not told (ours)."""
FROM_DEG: Final = 60.0
"""Heels rise where the ankles can bend no more, with bent knees; near straight a landmark's ankle wanders by as much
(ours; 8 of 14 false ones in 616 clean reps)."""
STEP_M: Final = 0.025
"""Of a plate that went farther than this between two frames, the landmarks lag behind (ours)."""
SLIDE_M: Final = 0.03
"""Hips farther forward than this carry the leg, so that its ankle cannot be compared with the neutral's (ours)."""
BEYOND_M: Final = 0.005
"""Farther down than the neutral went, its ankle is a guess (13 of 15 false ones on 174 rendered sets were there)."""


def heel_deg(sample: PoseSample, lift_m: float | None, slide_m: float | None, beyond_m: float) -> float | None:
    """Angle of the sole off the plate; None where it cannot be told.

    ``lift_m``, ``slide_m``: ankle off the plate and hips forward, against the neutral. ``beyond_m``: how much farther
    down than in it the carriage is.
    """
    if lift_m is None or slide_m is None or abs(slide_m) > SLIDE_M or beyond_m > BEYOND_M:
        return None
    bent_deg, step_m = sample.knee_flexion_deg.mean, sample.cues.get("near_ankle_step", STEP_M)
    if bent_deg is None or bent_deg < FROM_DEG or step_m >= STEP_M:
        return None
    # The foot turns about its ball.
    lift_deg = math.degrees(math.asin(max(-0.9, min(0.9, lift_m / ANKLE_TO_BALL_M))))
    return lift_deg if abs(lift_deg) <= MOST_DEG else None
