"""Enrolment: "Show me your neutral", two slow reps at light load, from which the member's reference is learnt."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from device.core.actions import StoreNeutral
from device.core.conditions import form_check_runs
from device.core.posture import NeutralError, PostureState, learn_neutral
from device.core.records import utc_at
from device.core.sensors import seat_notch_now
from device.core.sets import end_set
from device.core.state import Enrolment
from device.core.turn import Turn
from device.messages import PoseSample, RepRecord

REPS: Final = 2
LEAD_S = 1.0
"""Kept before the first lowering: the posture at the top."""
SAMPLES: Final = 3000
"""Two reps of 25 s each from two cameras at 30/s."""
INVITATION = "Show me your neutral: two slow reps, light load"
SAVED = "Good - your neutral is saved"
TOO_FAST = "Slower: two seconds down, two seconds up. Two more reps, please"
TOO_LONG = "That took too long to compare. Two more reps, please"


def begin(turn: Turn) -> str | None:
    """Ask for the two reps. Returns why that is impossible now, else None."""
    if turn.set is not None and turn.set.marks:
        return "Finish this set first, then enrol"
    if not form_check_runs(turn):
        return "The form check is off, so a neutral cannot be seen; see the screen for what to do"
    turn.enrolment = Enrolment(turn.now_s)
    if turn.set is not None:
        turn.set = replace(turn.set, enrolment=True)
    return None


def cancel(turn: Turn) -> None:
    turn.enrolment = None
    if turn.set is not None and turn.set.enrolment and not turn.set.announced:
        turn.set = replace(turn.set, enrolment=False)


def collect(turn: Turn, sample: PoseSample) -> None:
    """Keep the frames of the reps, and of the top before them."""
    enrolment = turn.enrolment
    if enrolment is None:
        return
    samples = enrolment.samples
    counted = turn.set is not None and turn.set.finished is not None
    if not turn.reps.moving and enrolment.reps == 0 and not counted:
        oldest, start = sample.t_s - LEAD_S, 0
        while start < len(samples) and samples[start].t_s < oldest:
            start += 1
        samples = samples[start:]
    if len(samples) >= SAMPLES:
        turn.enrolment = Enrolment(enrolment.since_s, failure=TOO_LONG)
        return
    turn.enrolment = replace(enrolment, samples=(*samples, sample))


def on_rep_closed(turn: Turn, rep: RepRecord) -> None:
    """Count a shown rep; after the second learn from both, or say why not and ask again."""
    enrolment = turn.enrolment
    if enrolment is None or turn.set is None or not turn.set.enrolment:
        return
    if "fast_drop" in rep.faults:
        turn.enrolment = Enrolment(enrolment.since_s, failure=TOO_FAST)
        return
    urgent = next((fault for fault in turn.faults if fault.priority == "high"), None)
    if urgent is not None:
        turn.enrolment = Enrolment(enrolment.since_s, failure=f"{urgent.sentence}. Two more reps, please")
        return
    if enrolment.reps + 1 < REPS:
        turn.enrolment = replace(enrolment, reps=enrolment.reps + 1, failure=None)
        return
    try:
        neutral = learn_neutral(enrolment.samples)
    except NeutralError as error:
        turn.enrolment = Enrolment(enrolment.since_s, failure=str(error))
        return
    turn.lifter = replace(turn.lifter, neutral=neutral)
    turn.view = turn.view._replace(judging=PostureState())
    turn.enrolment = None
    if turn.lifter.tag is not None:
        created_utc = utc_at(turn.clock, turn.now_s)
        turn.actions.append(StoreNeutral(turn.lifter.tag, neutral, turn.lifter.goal, seat_notch_now(turn), created_utc))
    turn.cues = replace(turn.cues, to_confirm=SAVED)
    end_set(turn)
