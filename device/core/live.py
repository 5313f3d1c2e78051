"""The live state for the screens: everything a person may see, put together from the core's state."""

from __future__ import annotations

import math
from typing import Final, Literal

from device.core.actions import Show
from device.core.advice import advice_now
from device.core.conditions import POSTURE_MEASURES, checks_now
from device.core.cues import warning_fault
from device.core.enrolment import REPS
from device.core.goals import band_of
from device.core.records import utc_at
from device.core.sensors import load_now_kg, seat_notch_now
from device.core.sets import depth_now, person_here
from device.core.state import ActiveFault, CoreState, Published
from device.core.turn import Turn
from device.messages import LiveState, PoseSample, SetProgress, Sided
from device.messages import Warning as MemberWarning

EVERY_S = 0.35
"""Asked at every tick, this gives at least two states a second, as agreed with the screens."""
FRAME_S = 0.03
"""Figures are published at most this often; whatever else changes, at once."""
REST_SHOWN_S = 180.0

Phase = Literal["idle", "enrolment", "seated", "ready", "lifting", "rest", "out_of_order"]

_UNKNOWN: Final = Sided()


def show(turn: Turn, new_frame: bool) -> None:
    """Ask to publish when something changed, when a new figure is due, or when it has been silent for long enough.

    Not before the first event with a time: a state without one says nothing.
    """
    if not math.isfinite(turn.now_s):
        return
    published = turn.published
    age_s = turn.now_s - published.t_s
    if published.stale or age_s >= EVERY_S or (new_frame and age_s >= FRAME_S):
        turn.published = Published(published.seq + 1, turn.now_s, False)
        turn.actions.append(Show())


def phase_of(turn: Turn) -> Phase:
    if turn.cues.out_of_order:
        return "out_of_order"
    if turn.enrolment is not None:
        return "enrolment"
    if turn.set is not None:
        return "lifting" if turn.set.lifting else "ready"
    here = person_here(turn)
    last = turn.last_set
    # Without a camera nobody can be seen leaving: rest then simply runs out.
    if last is not None and last.marks and turn.now_s - last.ended_s < REST_SHOWN_S and (here or not checks_now(turn)):
        return "rest"
    return "seated" if here else "idle"


def live_state(state: CoreState) -> LiveState:
    """What there is to see of `state`; composed apart from the step, so that no warning waits for it."""
    turn = Turn(state)
    view, cues, lifter = turn.view, turn.cues, turn.lifter
    now_s = turn.now_s
    checks = checks_now(turn)
    sample = _fresh(turn)
    posture = view.posture if sample is not None else None
    warning = warning_fault(turn.faults)
    enrolment = turn.enrolment
    phase = phase_of(turn)
    rest = phase == "rest" and turn.last_set is not None
    load_kg, load, notch = load_now_kg(turn), turn.sensors.load, seat_notch_now(turn)
    return LiveState(
        seq=turn.published.seq,
        t_s=now_s,
        time_utc=utc_at(turn.clock, now_s),
        phase=phase,
        form_check=not POSTURE_MEASURES.isdisjoint(checks),
        checks=checks,
        conditions=turn.conditions,
        warning=None if warning is None else _warning(warning),
        active_faults=tuple([_warning(fault) for fault in turn.faults]),
        confirmation=cues.confirmation,
        advice=advice_now(turn, phase),
        goal=lifter.goal,
        goal_band=band_of(turn.config, lifter.goal),
        member=lifter.tag,
        enrolled=lifter.neutral is not None,
        enrolment_reps_left=0 if enrolment is None else REPS - enrolment.reps,
        load_kg=turn.working_load_kg if load_kg is not None else None,
        load_quality=_load_quality(turn, load_kg),
        seat_notch=notch,
        seat_quality=_seat_quality(turn, notch),
        set=_progress(turn),
        rest_elapsed_s=now_s - turn.last_set.rest_since_s if rest and turn.last_set is not None else None,
        knee_flexion_deg=_UNKNOWN if posture is None else posture.knee_flexion_deg,
        valgus_deg=_UNKNOWN if posture is None else posture.valgus_deg,
        lumbar_flexion_deg=None if posture is None else posture.lumbar_flexion_deg,
        foot_placement=_UNKNOWN if posture is None else posture.foot_placement,
        figure={} if sample is None else sample.figure,
        cameras=() if view.sample is None else view.sample.cameras,
        pose_age_s=None if view.sample is None else max(0.0, now_s - view.sample.t_s),
        light=cues.light,
        sound=cues.sound,
        help_called=cues.help_called,
        load_left_kg=None if load_kg is None or load is None else load.left_kg,
        load_right_kg=None if load_kg is None or load is None else load.right_kg,
    )


def _fresh(turn: Turn) -> PoseSample | None:
    sample = turn.view.sample
    if sample is None or turn.now_s - sample.t_s > turn.config.faults.pose_stale_s:
        return None
    return sample


def _warning(fault: ActiveFault) -> MemberWarning:
    return MemberWarning(fault.kind, fault.side, fault.priority, fault.sentence, fault.since_s)


def _load_quality(turn: Turn, load_kg: float | None) -> str:
    sample = turn.sensors.load
    if sample is None:
        return "stale"
    if sample.quality in ("ok", "rejected"):
        return "ok" if load_kg is not None else "stale"
    return sample.quality


def _seat_quality(turn: Turn, notch: int | None) -> str:
    sample = turn.sensors.seat
    if sample is None:
        return "stale"
    if sample.quality == "ok":
        return "ok" if notch is not None else "stale"
    return sample.quality


def _progress(turn: Turn) -> SetProgress | None:
    """The set under way; at rest the one before, still on the screen."""
    reps = turn.reps
    lifting = turn.set
    if lifting is None:
        last = turn.last_set
        return None if last is None or not last.marks else SetProgress(last.number, last.marks)
    return SetProgress(
        number=lifting.number,
        reps=lifting.marks,
        rep_phase=reps.phase,
        depth=depth_now(turn),
        phase_elapsed_s=max(0.0, turn.now_s - reps.phase_since_s),
    )
