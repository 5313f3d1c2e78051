"""Coaching in words, for the moment."""

from __future__ import annotations

from device.core.enrolment import INVITATION
from device.core.goals import BRACE_CUE, WARM_UP_REMINDER
from device.core.sensors import seat_notch_now
from device.core.turn import Turn

BRACE_S = 4.0
"""How long into a set the brace cue stays (ours)."""
AT_MOST = 2


def advice_now(turn: Turn, phase: str) -> tuple[str, ...]:
    """What helps in this phase, the most useful first, at most two sentences."""
    advice: list[str] = []
    if phase == "enrolment" and turn.enrolment is not None:
        if turn.enrolment.failure is not None:
            advice.append(turn.enrolment.failure)
        advice.append(INVITATION)
    elif phase == "rest" and turn.last_set is not None:
        advice.extend(turn.last_set.advice)
    elif phase == "seated":
        notch, usual = seat_notch_now(turn), turn.lifter.last_seat_notch
        if notch is not None and usual is not None and notch != usual:
            advice.append(f"Last time: seat {usual}")
    elif turn.set is not None:
        if turn.set.warm_up_reminder:
            advice.append(WARM_UP_REMINDER)
        if phase == "ready" or turn.now_s - turn.set.started_s < BRACE_S:
            advice.append(BRACE_CUE)
    return tuple(advice[:AT_MOST])
