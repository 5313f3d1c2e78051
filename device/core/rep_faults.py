"""Faults of a whole rep or set rather than of one frame: tempo, depth, feet, seat.

They are events: raised when the rep (or set) shows them, and over by themselves shortly after. All
limits are ours; those a person may want to change are in ``device.config.Faults``.
"""

from __future__ import annotations

from dataclasses import replace

from device.core.faults import find, raise_fault
from device.core.goals import band_of, feet_sentence
from device.core.rep_signals import RepBottom
from device.core.state import FinishedRep, LiftingSet, RepTally
from device.core.turn import Turn
from device.messages import FaultKind

SHOWN_S = 3.0
"""How long an event stays on the screen."""
FAST_NEEDS_M = 0.12
"""A shorter lowering says nothing about tempo: little way takes little time."""
STRAIGHT_ENOUGH_DEG = 35.0
"""Legs that never come straighter than this at the top have no room to extend."""
ROUNDED_REPS = 2
"""Reps that round too early before the seat is blamed and not the lifter."""


def judge_lowering(turn: Turn, bottom: RepBottom) -> None:
    """fast_drop: lowered in too short a time, or too fast at its fastest."""
    faults = turn.config.faults
    short = bottom.travel_m >= FAST_NEEDS_M and bottom.eccentric_s < faults.fast_drop_s
    fast = bottom.peak_m_s is not None and bottom.peak_m_s > faults.fast_drop_m_s
    if short or fast:
        if find(turn, "fast_drop") is None:
            raise_fault(
                turn, "fast_drop", "low", "Slower on the way down", bottom.eccentric_s,
                corrected="Good - well controlled", lasts_s=SHOWN_S,
            )  # fmt: skip
        _await(turn, "fast_drop", True)
    elif "fast_drop" in turn.cues.awaiting:
        _confirm(turn, "fast_drop", "Good - well controlled")


def judge_depth(turn: Turn, lifting: LiftingSet, rep: FinishedRep) -> LiftingSet:
    """partial_depth: every second shallow rep of a set. Not asked of a warm-up."""
    deepest = rep.tally.max_knee_deg
    if deepest is None or turn.lifter.goal == "warm_up" or lifting.enrolment:
        return lifting
    if deepest >= turn.config.faults.partial_depth_deg:
        if "partial_depth" in turn.cues.awaiting:
            _confirm(turn, "partial_depth", "Good - full depth")
        return lifting
    shallow = lifting.shallow_reps + 1
    if shallow < 2:
        return replace(lifting, shallow_reps=shallow)
    turn.set = lifting
    if find(turn, "partial_depth") is None:
        raise_fault(
            turn, "partial_depth", "low", "A little deeper, back flat", deepest,
            corrected="Good - full depth", lasts_s=SHOWN_S,
        )  # fmt: skip
    _await(turn, "partial_depth", True)
    assert turn.set is not None
    return replace(turn.set, shallow_reps=0)


def judge_feet(turn: Turn, placement: float | None, error: float, t_s: float) -> None:
    """feet_mismatch: outside the goal's band by the margin and the placement's standard error, for the dwell time; told
    once a set."""
    lifting = turn.set
    if lifting is None or lifting.feet_told or lifting.enrolment:
        return
    faults = turn.config.faults
    low, high = band_of(turn.config, turn.lifter.goal)
    outside = 0.0 if placement is None else max(low - placement, placement - high)
    if placement is None or outside <= faults.feet_mismatch + error:
        if lifting.feet_off_since_s is not None:
            turn.set = replace(lifting, feet_off_since_s=None)
        return
    if lifting.feet_off_since_s is None:
        turn.set = replace(lifting, feet_off_since_s=t_s)
    elif t_s - lifting.feet_off_since_s >= faults.feet_mismatch_dwell_s:
        turn.set = replace(lifting, feet_told=True)
        sentence = feet_sentence(turn.lifter.goal, placement > high)
        raise_fault(turn, "feet_mismatch", "low", sentence, placement, lasts_s=SHOWN_S)


def seat_advice(turn: Turn, lifting: LiftingSet) -> str | None:
    """What to change at the seat before the next set; None where it fits, or where too little was seen.

    Rounding before ``seat_misfit_deg`` of knee flexion, and legs without room to extend, both mean that
    the lifter sits too near the plate: one notch back, away from it (notches count backwards).
    """
    if lifting.enrolment or len(lifting.marks) < ROUNDED_REPS:
        return None
    cramped = lifting.least_knee_deg is not None and lifting.least_knee_deg > STRAIGHT_ENOUGH_DEG
    if lifting.rounded_early_reps < ROUNDED_REPS and not cramped:
        return None
    notch = turn.sensors.last_notch
    if notch is None:
        return "Next set: seat one notch back"
    if notch < len(turn.config.machine.seat_notches_m):
        return f"Next set: try seat {notch + 1}"
    return "Next set: stop a little higher"


def rounded_early(turn: Turn, tally: RepTally) -> bool:
    onset = tally.rounding_from_deg
    return onset is not None and onset < turn.config.faults.seat_misfit_deg


def _await(turn: Turn, kind: FaultKind, waiting: bool) -> None:
    kinds = tuple(other for other in turn.cues.awaiting if other != kind)
    turn.cues = replace(turn.cues, awaiting=(*kinds, kind) if waiting else kinds)


def _confirm(turn: Turn, kind: FaultKind, sentence: str) -> None:
    _await(turn, kind, False)
    turn.cues = replace(turn.cues, to_confirm=sentence)
