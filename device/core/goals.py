"""What the member wants of a set, and what that asks of the feet and of the cues."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from device.config import Band, Config
from device.core.turn import Turn
from device.messages import FaultKind, Goal, RepMark

NEXT_SET: Final[dict[FaultKind, str]] = {
    "back_rounding": "Next set: stop before your back rounds",
    "back_arching": "Next set: keep your back on the pad",
    "knee_valgus": "Next set: push your knees out over your toes",
    "knee_lockout": "Next set: stop just short of straight legs",
    "hips_forward": "Next set: sit right back before you push",
    "load_dropped": "Next set: a lighter weight, under control",
    "fast_drop": "Next set: two seconds on the way down",
    "heel_lift": "Next set: press through your heels",
    "partial_depth": "Next set: a little deeper, back flat",
}
"""What to change, the gravest first; feet and seat have their own words."""
GOALS: Final[tuple[Goal, ...]] = ("glutes", "quads", "balanced", "warm_up")
BRACE_CUE = "Back flat, core braced, knees over toes"
WARM_UP_REMINDER = "Heavy start - warm up with a light set first"


def band_of(config: Config, goal: Goal) -> tuple[float, float]:
    """Foot placement wanted by a goal: fractions of the plate from its top edge down."""
    band: Band = getattr(config.goals, goal)
    return band.low, band.high


def feet_sentence(goal: Goal, too_low: bool) -> str:
    """``too_low``: the feet stand too far down the plate."""
    way = "Feet higher" if too_low else "Feet lower"
    return f"{way} for {goal}" if goal in ("glutes", "quads") else f"{way} on the plate"


def next_goal(goal: Goal) -> Goal:
    return GOALS[(GOALS.index(goal) + 1) % len(GOALS)]


def choose(turn: Turn, goal: Goal) -> None:
    turn.lifter = replace(turn.lifter, goal=goal)
    turn.published = turn.published._replace(stale=True)


def remind_of_warm_up(turn: Turn) -> None:
    """Once a visit: a set known to be heavy without a warm-up before it. The reminder stays up for that set."""
    lifter = turn.lifter
    load_kg = turn.working_load_kg
    if turn.set is None or turn.set.marks or turn.set.warm_up_reminder or lifter.warm_up_reminded:
        return
    if lifter.warmed_up or lifter.goal == "warm_up" or load_kg is None or lifter.usual_load_kg is None:
        return
    if load_kg > turn.config.faults.heavy_fraction * lifter.usual_load_kg:
        turn.set = replace(turn.set, warm_up_reminder=True)
        turn.lifter = replace(lifter, warm_up_reminded=True)


def next_set_advice(marks: tuple[RepMark, ...]) -> str | None:
    """One suggestion: for the fault of the most reps, the graver of equals; None after a clean set."""
    counts = {kind: sum(kind in mark.faults for mark in marks) for kind in NEXT_SET}
    worst = max(counts, key=lambda kind: counts[kind])
    return NEXT_SET[worst] if counts[worst] else None
