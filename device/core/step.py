"""The core's one door: ``step(state, event) -> (state, actions)``.

Pure: no clock, no input or output; times come with the events. Events may come late, twice or not at
all; a pose older than the last is ignored, as is one from the future. The same step runs live, in
``legpress analyze``, in the simulation and in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from device.core import enrolment
from device.core.actions import Action
from device.core.carriage_watch import carriage_leads, note_carriage, seen_carriage
from device.core.commands import obey, press, take_answer, take_member
from device.core.conditions import update_conditions
from device.core.cues import sound_form_check_edge, update_cues
from device.core.enrolment import collect, on_rep_closed
from device.core.events import Event, MemberRecalled, Stop, StoreAnswer, StoreStatus, Tick
from device.core.faults import end_all, end_unseen, watch_posture
from device.core.goals import remind_of_warm_up
from device.core.live import show
from device.core.pad_watch import felt_posture, fused, note_pads
from device.core.posture import Posture, PostureState, judge
from device.core.records import remember, store_replays
from device.core.rep_faults import judge_feet
from device.core.rep_records import gather
from device.core.reps import finish, follow
from device.core.sensors import forget_stale_load, judge_seat, take_load, take_seat
from device.core.sets import (
    PERSON_S,
    begin_by_load,
    depth_now,
    end_set,
    on_rep_signal,
    person_here,
    pose_is_fresh,
    tend_set,
)
from device.core.state import Clock, CoreState, Lifter, View
from device.core.turn import Turn
from device.messages import (
    ButtonPressed,
    CarriageSample,
    Command,
    LoadSample,
    PadSample,
    PoseSample,
    SeatSample,
)

FUTURE_S = 2.0
"""A sample this far ahead of the last tick has a wrong clock; believing it would make all later ones old."""
NO_RECORDS = "The database takes no records - staff: check the disk"
SEES_BACK_S = 0.5
"""The back was measured this recently: the cameras see it (ours: four frames at 8/s)."""
LEFT_S = 30.0
"""Nobody on the machine for this long: the next one is somebody else (ours)."""


def step(state: CoreState, event: Event) -> tuple[CoreState, tuple[Action, ...]]:
    """Take one event; give the state after it and what is to be done, in order."""
    turn = Turn(state)
    _HANDLERS[type(event)](turn, event)
    if turn.closed_rep is not None:
        on_rep_closed(turn, turn.closed_rep)
    update_cues(turn)
    if _is_visible(turn, state):
        turn.published = turn.published._replace(stale=True)
    show(turn, isinstance(event, PoseSample))
    return turn.freeze(), tuple(turn.actions)


def _take_pose(turn: Turn, sample: PoseSample) -> None:
    if _in_time(turn, sample.t_s):
        _see(turn, sample)


def _take_load(turn: Turn, sample: LoadSample) -> None:
    if _in_time(turn, sample.t_s):
        take_load(turn, sample)


def _take_seat(turn: Turn, sample: SeatSample) -> None:
    if _in_time(turn, sample.t_s):
        take_seat(turn, sample)


def _take_carriage(turn: Turn, sample: CarriageSample) -> None:
    """The sled's own sensor leads for the reps; a sled that nobody sits at does not do any."""
    if not _in_time(turn, sample.t_s):
        return
    position_m = note_carriage(turn, sample)
    if position_m is None or (pose_is_fresh(turn) and not person_here(turn)):
        return
    turn.reps, signal = follow(turn.reps, sample.t_s, position_m, None)
    if signal is not None:
        on_rep_signal(turn, signal)
    tend_set(turn)


def _take_pads(turn: Turn, sample: PadSample) -> None:
    """Where no camera sees the back, the pads alone are judged; else they wait for the next frame."""
    if not _in_time(turn, sample.t_s):
        return
    note_pads(turn, sample, depth_now(turn))
    if sample.quality == "ok" and turn.now_s - turn.view.lumbar_known_s > SEES_BACK_S:
        watch_posture(turn, felt_posture(turn), sample.t_s)


def _take_press(turn: Turn, button: ButtonPressed) -> None:
    if _in_time(turn, button.t_s):
        press(turn, button)


def _take_store(turn: Turn, status: StoreStatus) -> None:
    turn.store_trouble = None if status.ok else status.detail or NO_RECORDS
    update_conditions(turn)


def _in_time(turn: Turn, t_s: float) -> bool:
    """Move the clock on; False for a time that cannot be."""
    clock = turn.clock
    if not math.isfinite(t_s) or (clock.tick_s is not None and t_s > clock.tick_s + FUTURE_S):
        return False
    if t_s > clock.now_s:
        turn.clock = clock._replace(now_s=t_s)
    return True


def _see(turn: Turn, sample: PoseSample) -> None:
    """One frame: posture, reps, sets, faults."""
    before = turn.view
    if before.sample is not None and sample.t_s < before.sample.t_s:
        return
    judging, posture = judge(before.judging, sample, turn.lifter.neutral)
    # The plate is seen without the lifter too; a sled that nobody sits at does not do reps.
    seated = sample.person or sample.t_s - before.person_s <= PERSON_S
    carriage_m = seen_carriage(turn, sample.carriage_m if seated else None, sample.t_s)
    signal = None
    if not carriage_leads(turn):
        turn.reps, signal = follow(turn.reps, sample.t_s, carriage_m, posture.knee_flexion_deg.mean)
    turn.view = _look(turn, before, sample, posture, judging)
    if signal is not None:
        on_rep_signal(turn, signal)
    begin_by_load(turn)
    collect(turn, sample)
    watch_posture(turn, fused(turn, posture), sample.t_s)
    gather(turn, posture)
    judge_feet(turn, posture.foot_placement.mean, posture.standard_error.get("foot_placement", 0.0), sample.t_s)
    remember(turn, sample.t_s)
    tend_set(turn)
    end_unseen(turn)


def _look(turn: Turn, before: View, sample: PoseSample, posture: Posture, judging: PostureState) -> View:
    t_s = sample.t_s
    knee, valgus = posture.knee_flexion_deg, posture.valgus_deg
    empty_s = None if sample.person else t_s if before.empty_since_s is None else before.empty_since_s
    watched = sample.person and turn.under_watch
    return View(
        sample, posture, judging, t_s if sample.person else before.person_s, empty_s,
        before.watched_since_s if watched else t_s,
        t_s if knee.left is not None or knee.right is not None else before.knee_known_s,
        t_s if valgus.left is not None or valgus.right is not None else before.valgus_known_s,
        t_s if posture.lumbar_flexion_deg is not None else before.lumbar_known_s,
    )  # fmt: skip


def _tick(turn: Turn, tick: Tick) -> None:
    """Time alone: what has fallen silent, what is over, who has left."""
    clock = turn.clock
    if not math.isfinite(tick.t_s) or (clock.tick_s is not None and tick.t_s < clock.tick_s):
        return
    first_s = tick.t_s if clock.first_tick_s is None else clock.first_tick_s
    reads = turn.set is None or clock.read_s is None
    read_s, read_utc = (tick.t_s, tick.time_utc) if reads else (clock.read_s, clock.read_utc)
    turn.clock = Clock(max(tick.t_s, clock.now_s), tick.t_s, first_s, read_s, read_utc)
    forget_stale_load(turn)
    judge_seat(turn)
    end_unseen(turn)
    begin_by_load(turn)
    tend_set(turn)
    remind_of_warm_up(turn)
    _farewell(turn)
    store_replays(turn)
    update_conditions(turn)
    sound_form_check_edge(turn)


def _farewell(turn: Turn) -> None:
    """Forget the member who has left; the goal stays as the screen shows it."""
    empty_s = turn.view.empty_since_s
    if empty_s is None or turn.set is not None or turn.sensors.taken_since_s is not None:
        return
    if turn.now_s - max(empty_s, turn.lifter.since_s) < LEFT_S:
        return
    if turn.lifter.tag is not None or turn.lifter.neutral is not None or turn.lifter.sets or turn.enrolment is not None:
        turn.lifter = Lifter(goal=turn.lifter.goal)
        turn.last_set = None
        enrolment.cancel(turn)


def _stop(turn: Turn, stop: Stop) -> None:
    """Close everything that is open: a nearly finished rep, the set, all faults, the replays."""
    _in_time(turn, stop.t_s)
    turn.reps, signal = finish(turn.reps)
    if signal is not None:
        on_rep_signal(turn, signal)
    end_set(turn)
    end_all(turn)
    store_replays(turn, at_once=True)


def _is_visible(turn: Turn, before: CoreState) -> bool:
    """Something that a person can see, apart from the figure, has changed."""
    if (
        turn.faults is not before.faults
        or turn.cues is not before.cues
        or turn.conditions is not before.conditions
        or turn.lifter is not before.lifter
        or turn.last_set is not before.last_set
    ):
        return True
    lifting, last = turn.set, before.set
    if lifting is None or last is None:
        return lifting is not last
    return lifting.marks is not last.marks or lifting.lifting is not last.lifting


_HANDLERS: Final[dict[type[Event], Callable[[Turn, Any], None]]] = {
    PoseSample: _take_pose,
    LoadSample: _take_load,
    SeatSample: _take_seat,
    CarriageSample: _take_carriage,
    PadSample: _take_pads,
    Tick: _tick,
    ButtonPressed: _take_press,
    Command: obey,
    MemberRecalled: take_member,
    StoreStatus: _take_store,
    StoreAnswer: take_answer,
    Stop: _stop,
}
