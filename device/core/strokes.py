"""When a stroke of the carriage began and ended, from the trace of its position.

A stroke that speeds up and slows down like half a cosine passes 10 % and 90 % of its way at 0.205 and 0.795
of its time. These crossings are steep and so robust against noise; the flat ends are extrapolated (ours).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

Trace = tuple[tuple[float, float], ...]
"""(time in s, position in m, + = lowered), in order of time."""

_CROSSING: Final = math.acos(0.8) / math.pi
_OUTSIDE: Final = _CROSSING / (1.0 - 2.0 * _CROSSING)
"""What lies before (or after) the crossings, as a share of the time between them."""


def _crossing(trace: Trace, level: float) -> float:
    """When the trace last passed ``level``, interpolated; the nearer end where it never did."""
    for (t1, x1), (t0, x0) in pairwise(reversed(trace)):
        if (x0 < level) != (x1 < level):
            return t0 + (t1 - t0) * (level - x0) / (x1 - x0)
    return trace[0][0]


def _deepest_index(trace: Trace) -> int:
    return max(range(len(trace)), key=lambda i: trace[i][1])


def lowering_times(trace: Trace, top: float, deepest: float) -> tuple[float, float, float]:
    """(start, arrival at the bottom, middle of the bottom) of the lowering in ``trace``."""
    turn = _deepest_index(trace)
    travel = deepest - top
    down = trace[: turn + 1]
    t10, t90 = _crossing(down, top + 0.1 * travel), _crossing(down, top + 0.9 * travel)
    outside = (t90 - t10) * _OUTSIDE
    t94 = _crossing(down, top + 0.94 * travel)
    up = trace[turn:]
    back94 = _crossing_forward(up, top + 0.94 * travel)
    bottom = trace[turn][0] if back94 is None else (t94 + back94) / 2.0
    start = max(t10 - outside, trace[0][0])
    return start, min(max(t90 + outside, start), bottom), max(bottom, start)


def _crossing_forward(trace: Trace, level: float) -> float | None:
    for (t0, x0), (t1, x1) in pairwise(trace):
        if x1 < level <= x0:
            return t0 + (t1 - t0) * (level - x0) / (x1 - x0)
    return None


def pressing_times(trace: Trace, highest: float, deepest: float) -> tuple[float, float]:
    """(leaving the bottom, arrival at the top) of the pressing in ``trace``."""
    up = trace[_deepest_index(trace) :]
    travel = deepest - highest
    leaves = _crossing_forward(up, deepest - 0.1 * travel)
    arrives = _crossing_forward(up, deepest - 0.9 * travel)
    t10 = up[0][0] if leaves is None else leaves
    t90 = up[-1][0] if arrives is None else arrives
    outside = (t90 - t10) * _OUTSIDE
    return max(t10 - outside, up[0][0]), t90 + outside
