"""What the course of the load tells besides its value: whether the sled is accelerated, and whether zero still is zero.

Pure: fed with times and kilograms, no clock of its own.
"""

from __future__ import annotations

import math
from collections import deque

from device.config import Load

GRAVITY_M_S2 = 9.80665
WINDOW_S = 0.25
"""A quarter of the quickest rep's lowering: shorter and noise counts as movement, longer and it is told too late
(ours)."""
ACCELERATION_M_S2 = 0.3
"""Of the sled, above which its force is no longer its weight (ours: a calm 0.25 m rep of 3 s peaks at 0.6)."""
NOISE_KG = 0.5
"""Spread of a quiet cell's readings that is no movement (ours)."""
EMPTY_KG = 5.0
"""Less than this on the sled and quiet: nobody is on it (ours; ``cueing.load_taken_kg`` has the same default)."""
EMPTY_S = 10.0
"""Averaged for the zero of the empty machine."""
LEFT_ALONE_S = 600.0
"""Nobody holds a sled quite still for so long: what is read then is the machine's own, whatever its size (ours)."""
CREEP_KG_MIN = 0.2
"""A sound cell's creep after unloading dies away within minutes (OIML R60 C3: 0.05 % of full scale in 30 min)."""


class MotionWatch:
    """Tells static load from moving force, by how much the reading spreads within ``WINDOW_S``.

    An accelerated sled presses with m (g sin(rail) - a): a change of a by ``ACCELERATION_M_S2`` shows as the share
    a / (g sin(rail)) of the reading, so the flatter the rails, the more. At the stack the rails do not enter.
    """

    def __init__(self, config: Load) -> None:
        steepness = math.sin(math.radians(config.rail_deg)) if config.location == "plate" else 1.0
        self.share = ACCELERATION_M_S2 / (GRAVITY_M_S2 * steepness) if steepness > 0 else math.inf
        self._recent: deque[tuple[float, float]] = deque()

    def take(self, t_s: float, kg: float) -> bool:
        """True while the load is not static."""
        recent = self._recent
        recent.append((t_s, kg))
        while recent[0][0] < t_s - WINDOW_S:
            recent.popleft()
        low = min(value for _, value in recent)
        high = max(value for _, value in recent)
        return high - low > max(NOISE_KG, self.share * abs(high + low) / 2)


class ZeroWatch:
    """What the empty machine reads, and how fast that still changes."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as after a tare: zero is zero."""
        self.off_kg: float | None = None
        """Mean of the last ``EMPTY_S`` in which nobody was on the sled; None before the first."""
        self.creep_kg_min: float | None = None
        self._block_s: float | None = None
        self._sum_kg, self._readings = 0.0, 0
        self._quiet_since_s: float | None = None
        self._last: tuple[float, float] | None = None

    def take(self, t_s: float, kg: float, moving: bool) -> None:
        """One static or moving reading."""
        if moving:
            self._quiet_since_s = None
        elif self._quiet_since_s is None:
            self._quiet_since_s = t_s
        left_alone = self._quiet_since_s is not None and t_s - self._quiet_since_s >= LEFT_ALONE_S
        if moving or (kg >= EMPTY_KG and not left_alone):
            # a lifter came: what is read before and after is not one course
            self._block_s, self._last = None, None
            return
        if self._block_s is None:
            self._block_s, self._sum_kg, self._readings = t_s, 0.0, 0
        self._sum_kg += kg
        self._readings += 1
        if t_s - self._block_s >= EMPTY_S:
            mean_kg = self._sum_kg / self._readings
            if self._last is not None and t_s > self._last[0]:
                self.creep_kg_min = (mean_kg - self._last[1]) / (t_s - self._last[0]) * 60.0
            self.off_kg, self._last = mean_kg, (t_s, mean_kg)
            self._block_s = None
