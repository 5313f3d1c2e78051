"""Sets: from the moment a lifter takes the load (or begins a rep) to the rest after the last rep."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from device.core.actions import Publish, StoreSet
from device.core.faults import end_fault, find, raise_fault
from device.core.goals import next_set_advice
from device.core.records import announce, set_record, utc_at
from device.core.rep_faults import judge_lowering, seat_advice
from device.core.rep_records import close_rep, count_rep
from device.core.rep_signals import RepBegan, RepBottom, RepShape, RepSignal
from device.core.reps import LOST_S, MIN_ROM_M
from device.core.sensors import seat_notch_now
from device.core.state import LastSet, LiftingSet, LoadSum, RepTally
from device.core.turn import Turn

TAKEN_S = 0.3
"""The load must be held this long: taking it off its stops for a moment is not a set (ours)."""
PERSON_S = 2.0
"""Somebody seen this recently is still on the machine (ours: the model loses people for a second)."""
RACKED_S: Final = 2.0
"""A load put down for this long ends the set without more waiting (ours)."""
HELD_FACTOR: Final = 4.0
"""A lifter who holds the load at the top may pause this many times ``set_ends_after_s`` (rest-pause sets)."""
REP_CLOSES_S = 0.7
"""A counted rep stays open for what happens at its top: knees that lock do so within half a second (ours)."""
SEAT_TOLD_S = 6.0
ROM_GUESS_M: Final = 0.25
"""Depth is taken against this until a first rep gives the lifter's own (ours)."""


def person_here(turn: Turn) -> bool:
    return turn.now_s - turn.view.person_s <= PERSON_S


def pose_is_fresh(turn: Turn) -> bool:
    sample = turn.view.sample
    return sample is not None and turn.now_s - sample.t_s <= turn.config.faults.pose_stale_s


def depth_now(turn: Turn) -> float | None:
    """0 at the top, 1 at the depth of the set's deepest rep (at first of a usual one); None while nothing is known."""
    if turn.reps.t_s is None or turn.now_s - turn.reps.t_s > turn.config.faults.pose_stale_s:
        return None
    deepest_m = None if turn.set is None else turn.set.deepest_rom_m
    rom_m = max(deepest_m or ROM_GUESS_M, MIN_ROM_M)
    return min(1.2, max(0.0, (turn.reps.position_m - turn.reps.top_m) / rom_m))


def begin_by_load(turn: Turn) -> None:
    """Begin a set when a seated lifter has taken the load. Without a camera the load alone is believed."""
    taken_s = turn.sensors.taken_since_s
    if turn.set is not None or taken_s is None or turn.now_s - taken_s < TAKEN_S:
        return
    if turn.last_set is not None and taken_s <= turn.last_set.ended_s:
        return  # still the load of the set before, held until the pause grew too long
    if person_here(turn) or not pose_is_fresh(turn):
        _begin(turn, taken_s)


def on_rep_signal(turn: Turn, signal: RepSignal) -> None:
    """A rep began, turned, ended or was given up."""
    if isinstance(signal, RepBegan):
        if turn.set is None and (person_here(turn) or turn.sensors.taken_since_s is not None):
            _begin(turn, signal.t_start_s)
        close_rep(turn)
        if turn.set is not None:
            turn.set = replace(turn.set, lifting=True, last_effort_s=turn.now_s)
            turn.cues = replace(turn.cues, coached=0, rep_began=True)
    elif turn.set is None:
        return
    elif isinstance(signal, RepBottom):
        judge_lowering(turn, signal)
    elif isinstance(signal, RepShape):
        count_rep(turn, signal)
    else:
        turn.set = replace(turn.set, last_effort_s=turn.now_s)
        turn.tally = RepTally()


def tend_set(turn: Turn) -> None:
    """Close the rep at the top when its time has come; end the set after its rest."""
    lifting = turn.set
    if lifting is None:
        return
    finished = lifting.finished
    if finished is not None and turn.now_s - finished.counted_s >= REP_CLOSES_S:
        close_rep(turn)
        lifting = turn.set
    seen_s = turn.reps.t_s
    put_down = turn.sensors.released_s is not None
    if turn.reps.moving and not put_down and seen_s is not None and turn.now_s - seen_s <= LOST_S:
        return
    if lifting is not None and turn.now_s >= _ends_s(turn, lifting):
        end_set(turn)


def _ends_s(turn: Turn, lifting: LiftingSet) -> float:
    """When the set ends if nothing more happens."""
    pause_s = turn.config.cueing.set_ends_after_s
    sensors = turn.sensors
    if sensors.taken_since_s is not None:
        return lifting.last_effort_s + HELD_FACTOR * pause_s
    if sensors.released_s is not None:
        return min(lifting.last_effort_s + pause_s, max(lifting.last_effort_s, sensors.released_s) + RACKED_S)
    return lifting.last_effort_s + pause_s


def _begin(turn: Turn, t_s: float) -> None:
    turn.sets += 1
    turn.tally, turn.set_load = RepTally(), LoadSum()
    turn.set = LiftingSet(
        set_id=f"{turn.session}-s{turn.sets}",
        number=turn.lifter.sets + 1,
        started_s=t_s,
        started_utc=utc_at(turn.clock, t_s),
        enrolment=turn.enrolment is not None,
        enrolled=turn.lifter.neutral is not None,
        last_effort_s=max(t_s, turn.now_s),
    )
    turn.cues = replace(turn.cues, coached=0, awaiting=())


def end_set(turn: Turn) -> None:
    """Close the set: its last rep, its faults, its record; advice for the next. Nothing is kept of an empty one."""
    close_rep(turn)
    lifting = turn.set
    if lifting is None:
        return
    for rule in turn.rules:
        fault = find(turn, rule.kind, rule.side)
        if fault is not None:
            end_fault(turn, fault, was_corrected=False)
    misfit = seat_advice(turn, lifting)
    if misfit is not None and find(turn, "seat_misfit") is None:
        turn.cues = replace(turn.cues, coached=0)
        notch = seat_notch_now(turn)
        raise_fault(turn, "seat_misfit", "low", misfit, float(notch or 0), lasts_s=SEAT_TOLD_S)
    lifting = turn.set
    assert lifting is not None
    if lifting.marks:
        announce(turn)
        assert turn.set is not None
        lifting = turn.set
        advice = misfit or (None if lifting.enrolment else next_set_advice(lifting.marks))
        shown = () if advice is None else (advice,)
        turn.last_set = LastSet(lifting.number, lifting.marks, turn.now_s, lifting.last_effort_s, shown)
        warm = turn.lifter.warmed_up or turn.lifter.goal == "warm_up" or lifting.enrolment
        turn.lifter = replace(turn.lifter, sets=turn.lifter.sets + (not lifting.enrolment), warmed_up=warm)
    else:
        before = turn.last_set
        before = LastSet(0, (), turn.now_s, turn.now_s) if before is None else before
        turn.last_set = replace(before, ended_s=turn.now_s)
    if lifting.announced:
        record = set_record(turn, lifting, utc_at(turn.clock, turn.now_s))
        turn.actions.append(Publish(record))
        turn.actions.append(StoreSet(record))
    turn.set = None
    turn.cues = replace(turn.cues, coached=0, awaiting=())
