"""How straight the knees are at the top, from how far the plate rises above where the lifter rests.

Near straight a leg's length hardly changes with flexion: 8 degrees are 2 mm, less than a hip is seen to. The plate is
followed to half a millimetre, and hips that lean on the pad stay where they are from rep to rep. So who stands clearly
above their own resting top has straightened the knees, and who stands at it has not.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

STILL_M_S: Final = 0.03
SAME_MOMENT_S: Final = 0.02
"""Two cameras' frames that are nearer in time show no movement (ours)."""
NEVER_S: Final = -1e9
"""Before every frame, and finite: an endless wait would make any step a slow one."""
NEAR_TOP_M: Final = 0.03
RISEN_ERROR_DEG: Final = 2.5
"""Of the flexion of who has risen (ours): the hips may have moved by a millimetre."""
RESTED_FRAMES: Final = 25
"""Standstills that make the resting top. Only the first: who locks the knees later stands higher."""
SURE_FRAMES: Final = 5
RISE_M: Final = (0.0038, 0.020)
"""Tops of one set lie within 3 mm of each other, seldom 4.6; legs that rest bent by 11 degrees have 4 mm left, by 15
degrees 7, by 20 degrees 13, and up to twice that of a plate whose place is a guess (rendered lifters). A rise beyond is
a plate that was lost."""
AT_TOP_M: Final = 0.003
STRAIGHT_DEG: Final = 1.5
"""Of who has risen (ours)."""
RESTING_LEAST_DEG: Final = 9.0
"""Of who stands at the resting top (ours; rendered lifters: 11 to 20)."""
PAUSE_S: Final = 4.0
"""After a standstill of so long the lifter may sit otherwise: the resting top is learned anew (ours)."""


class Extension:
    """Feed every frame in order; positions along the rail, + = lowered. Begin another where their zero has moved:
    millimetres tell here, and what was followed at a wrong place is not to scale.

    Its resting top is of this sitting. ``vision.fit.ShapeFit`` keeps one of its own while the person stays: bone
    lengths outlive a change of seat (one for both made knees seen from the front worse by 0.4 degrees).
    """

    def __init__(self) -> None:
        self._rested = 0
        self._top_m: float | None = None
        self._straight_m: float | None = None
        self._recent_m: deque[float] = deque(maxlen=3)
        self._still_since_s: float | None = None
        self._highest_m, self._still = math.inf, False
        self._last_m, self._last_s = math.inf, NEVER_S  # nothing is near it: the first frame shows no standstill

    @property
    def knows_top(self) -> bool:
        return self._top_m is not None and self._rested >= SURE_FRAMES

    def follow(self, t_s: float, carriage_m: float, can_rest: bool) -> bool:
        """Whether the lifter rests at the top: still, near the highest place. ``can_rest``: no knee looks bent."""
        self._recent_m.append(carriage_m)
        rests = self._stands(t_s, carriage_m) and can_rest
        if not rests:
            self._still_since_s = None
        elif self._still_since_s is None:
            self._still_since_s = t_s
        elif t_s - self._still_since_s > PAUSE_S:
            self._rested, self._top_m, self._straight_m = 0, None, None
            self._still_since_s = t_s
        top_m = self._top_m if self.knows_top else None
        risen = top_m is not None and top_m - carriage_m > AT_TOP_M
        if rests and not risen and self._rested < RESTED_FRAMES:
            self._rested += 1
            before_m = carriage_m if self._top_m is None else self._top_m
            self._top_m = before_m + (carriage_m - before_m) / self._rested
        if self._top_m is not None and self._rested >= SURE_FRAMES and len(self._recent_m) == 3:
            middle_m = sorted(self._recent_m)[1]
            least_m, most_m = RISE_M
            if least_m < self._top_m - middle_m < most_m and (self._straight_m is None or middle_m < self._straight_m):
                self._straight_m = middle_m
        return rests

    def _stands(self, t_s: float, carriage_m: float) -> bool:
        self._highest_m = min(self._highest_m, carriage_m)
        if t_s - self._last_s >= SAME_MOMENT_S:
            self._still = abs(carriage_m - self._last_m) <= STILL_M_S * (t_s - self._last_s)
            self._last_m, self._last_s = carriage_m, t_s
        return self._still and carriage_m - self._highest_m < NEAR_TOP_M

    def bounds_deg(self, carriage_m: float, leg_m: float) -> tuple[float, float] | None:
        """Least and most flexion of the knees with the plate there; ``leg_m``: length of thigh and shank.

        None where no leg could push the plate: it was lost, or the lifter sits otherwise, and nothing is known.
        """
        if self._top_m is None or self._rested < SURE_FRAMES:
            return 0.0, 180.0
        if self._top_m - carriage_m > RISE_M[1]:
            return None
        if self._straight_m is not None and carriage_m < self._top_m - RISE_M[0]:
            slack = max(0.0, carriage_m - self._straight_m) / leg_m
            return 0.0, math.hypot(STRAIGHT_DEG, 2 * math.degrees(math.acos(1.0 - min(slack, 0.1))))
        if abs(carriage_m - self._top_m) < AT_TOP_M:
            return RESTING_LEAST_DEG, 180.0
        return 0.0, 180.0
