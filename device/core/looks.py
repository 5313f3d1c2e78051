"""Whether a camera's window shows the member as their neutral did, or something else: a towel, other clothes.

A reading that was learned on lifters says nothing of a towel, but does not know that. The window's looks
(``vision.window``: a few sums over all that is in it, without a unit) tell it: with shallow knees, where no fault
shows yet, they are the same in every set of the member, and not where the knees are covered. In other clothes than
at the enrolment the contrast with it is off by degrees, from the side by more than a fault: there the back is judged
like a guest's, against how it looked in this set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal

from device.messages import Measure, View

Unlike = Literal["changed", "covered"]
"""What a window shows that is not as the neutral's: other clothes, or something before the lifter."""
READ_BY: Final[Mapping[View, tuple[str, ...]]] = {
    "side": ("lumbar", "slide", "heel"),
    "front": ("valgus_left", "valgus_right"),
}
"""What each view's window must show: the landmarks of a covered hip go astray, too."""
MEASURES: Final[Mapping[View, tuple[Measure, ...]]] = {
    "side": ("lumbar_flexion", "hip_slide", "heel_lift"),
    "front": ("valgus",),
}
"""The same, as it is told."""
CHANGED_FROM: Final[Mapping[View, float]] = {"side": 2.2}
COVERED_FROM: Final[Mapping[View, float]] = {"side": 4.0, "front": 3.0}
"""Root mean square difference of the looks from the neutral's: rendered lifters 0.7 to 2.0, with a towel over a knee
that the neutral had not 3.1 to 6, in clothes of other colours 1.6 to 3.7 from the side, where the contrast misreads
the back, and 2.4 to 3.7 from the front, where knees are read as before (docs/accuracy.md)."""
LOCKED_BELOW_DEG: Final = 25.0
"""Knees this straight are known by the plate's rise (``vision.extension``); the flexion of others, behind a cover, by
landmarks that are off by 5 degrees and more."""
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
RUNNING: Final[Mapping[View, str]] = {"side": "side_unlike", "front": "front_unlike"}
"""Name of each view's running average among the posture's."""


def apart(differences: Mapping[str, float]) -> dict[str, float | None]:
    """By name (``RUNNING``) how far each view's looks are from the neutral's; None for no such view."""
    out: dict[str, float | None] = {}
    sunk_m = -differences.get("near_shoulder_up", 0.0)
    slid = differences.get("near_hip_forward", 0.0) > SLID_M and sunk_m > SUNK_M
    for view, running in RUNNING.items():
        squares = [value * value for name, value in differences.items() if name.startswith(view + NAMED)]
        out[running] = None if not squares else 0.0 if slid else math.sqrt(sum(squares) / len(squares))
    return out


def kept(smooth: Mapping[str, float]) -> dict[str, float | None]:
    """The last ones, for frames that tell nothing of it."""
    return {running: smooth.get(running) for running in RUNNING.values()}


def share_of(name: str, usual: float) -> float:
    """Of the newest frame in a running average."""
    return SHARE if name in RUNNING.values() else usual


def verdicts(smooth: Mapping[str, float | None]) -> dict[View, Unlike]:
    """By view what its window shows that is not as the neutral's; views that show the same are not among them."""
    out: dict[View, Unlike] = {}
    for view, covered_from in COVERED_FROM.items():
        value = smooth.get(RUNNING[view]) or 0.0
        if value > covered_from:
            out[view] = "covered"
        elif value > CHANGED_FROM.get(view, math.inf):
            out[view] = "changed"
    return out


def uncovered(smooth: Mapping[str, float | None], unlike: Mapping[View, Unlike]) -> dict[str, float | None]:
    """Running averages without the readings whose window is covered."""
    hidden = [name for view, names in READ_BY.items() if unlike.get(view) == "covered" for name in names]
    return {name: None if name in hidden else value for name, value in smooth.items()}


def hidden_measures(unlike: Mapping[View, Unlike]) -> tuple[Measure, ...]:
    """Measures that cannot be told for what covers their window."""
    return tuple(measure for view, what in unlike.items() if what == "covered" for measure in MEASURES[view])


def measures_as_guest(unlike: Mapping[View, Unlike]) -> tuple[Measure, ...]:
    """Measures told against this set, not against the neutral, for the member looks other than in it."""
    return tuple(measure for view, what in unlike.items() if what == "changed" for measure in MEASURES[view])
