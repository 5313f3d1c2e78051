"""Whether a camera's window shows the member as their neutral did, or something else: a towel, other clothes.

A reading that was learned on lifters says nothing of a towel, but does not know that. The window's looks
(``vision.window``: a few sums over all that is in it, without a unit) tell it: with shallow knees, where no fault
shows yet, they are the same in every set of the member, and not where the knees are covered. In other clothes than
at the enrolment the contrast with it is off by degrees, so that it is not told either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

READ_BY: Final = {"side": ("lumbar", "slide", "heel"), "front": ("valgus_left", "valgus_right")}
"""What each view's window must show: the landmarks of a covered hip go astray, too."""
COVERED_FROM: Final = {"side": 2.2, "front": 3.0}
"""Root mean square difference of the looks from the neutral's: rendered lifters 0.7 to 2.0, with a towel over a knee
that the neutral had not 3.1 to 6, in clothes of another colour 1.6 to 3.5, by which the back is misread, not the knees
(docs/accuracy.md)."""
SHARE: Final = 0.1
"""Of the newest frame in the running average."""
ABOVE_TOP_M: Final = 0.003
"""Farther above its top the neutral showed nothing."""
SLID_M: Final = 0.04
SUNK_M: Final = 0.01
"""Hips so far forward that took the shoulders so far down the pad explain looks that are unlike the neutral's. A towel
moves the hip's landmark as far, but not the shoulder's."""
NAMED: Final = "_look_"
"""In the name of every cue that is one, after its view."""
_SUFFIX: Final = "_unlike"


def unlike(differences: Mapping[str, float]) -> dict[str, float | None]:
    """By view (``side_unlike``, ``front_unlike``) how far the looks are from the neutral's; None for no such view."""
    out: dict[str, float | None] = {}
    sunk_m = -differences.get("near_shoulder_up", 0.0)
    slid = differences.get("near_hip_forward", 0.0) > SLID_M and sunk_m > SUNK_M
    for view in READ_BY:
        squares = [value * value for name, value in differences.items() if name.startswith(view + NAMED)]
        out[view + _SUFFIX] = None if not squares else 0.0 if slid else math.sqrt(sum(squares) / len(squares))
    return out


def kept(smooth: Mapping[str, float]) -> dict[str, float | None]:
    """The last ones, for frames that tell nothing of it."""
    return {view + _SUFFIX: smooth.get(view + _SUFFIX) for view in READ_BY}


def share_of(name: str, usual: float) -> float:
    """Of the newest frame in a running average."""
    return SHARE if name.endswith(_SUFFIX) else usual


def uncovered(smooth: Mapping[str, float | None]) -> dict[str, float | None]:
    """Running averages without the readings whose window is covered."""
    covered = [
        name
        for view, names in READ_BY.items()
        if (smooth.get(view + _SUFFIX) or 0.0) > COVERED_FROM[view]
        for name in names
    ]
    return {name: None if name in covered else value for name, value in smooth.items()}
