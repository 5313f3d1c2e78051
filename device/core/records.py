"""Records for the store and the staff: times for people, alerts from onset to release, replays."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from device.core.actions import Publish, ReplayFrame, StoreAlert, StoreRep, StoreSet
from device.core.state import ActiveFault, Clock, History, LiftingSet
from device.core.turn import Turn
from device.messages import AlertRecord, SetRecord

REPLAY_S = 5.0
"""Before and after the onset."""
REPLAY_STEP_S = 0.06
"""At most about 16 figures a second: smooth to look at, small to keep."""


def utc_at(clock: Clock, t_s: float) -> str:
    """The wall-clock time of the monotonic ``t_s``, ISO 8601; empty before the first tick."""
    read = None if clock.read_s is None else _parsed(clock.read_utc)
    if read is None or clock.read_s is None:
        return ""
    return (read + timedelta(seconds=t_s - clock.read_s)).isoformat(timespec="milliseconds")


@lru_cache(maxsize=4)
def _parsed(utc: str) -> datetime | None:
    """None for what is no time. Every frame between two ticks asks for the same one."""
    try:
        return datetime.fromisoformat(utc) if utc else None
    except ValueError:
        return None


def set_record(turn: Turn, lifting: LiftingSet, ended_utc: str | None = None) -> SetRecord:
    return SetRecord(
        lifting.set_id, turn.lifter.tag, turn.lifter.goal, lifting.started_utc, ended_utc, turn.set_load.mean_kg,
        turn.sensors.last_notch, len(lifting.marks), lifting.enrolled, lifting.enrolment,
    )  # fmt: skip


def announce(turn: Turn) -> None:
    """Publish and store the set that is under way, once: before the first rep or alert that refers to it."""
    lifting = turn.set
    if lifting is None or lifting.announced:
        return
    turn.set = replace(lifting, announced=True)
    record = set_record(turn, lifting)
    turn.actions.append(Publish(record))
    turn.actions.append(StoreSet(record))


def alert_of(fault: ActiveFault, t_end_s: float | None) -> AlertRecord:
    return AlertRecord(
        fault.alert_id, fault.set_id, fault.rep_number, fault.kind, fault.side, fault.priority, fault.since_s, t_end_s,
        fault.started_utc, fault.peak, fault.sentence,
    )  # fmt: skip


def report(turn: Turn, fault: ActiveFault, t_end_s: float | None) -> None:
    """Publish and store the alert as it stands; at its onset also begin to wait for its replay."""
    alert = alert_of(fault, t_end_s)
    turn.actions.append(Publish(alert))
    turn.actions.append(StoreAlert(alert))
    waiting = turn.history.waiting
    if any(other.alert_id == alert.alert_id for other in waiting):
        waiting = tuple(alert if other.alert_id == alert.alert_id else other for other in waiting)
    elif t_end_s is None:
        waiting = (*waiting, alert)
    if waiting is not turn.history.waiting:
        turn.history = replace(turn.history, waiting=waiting)


def remember(turn: Turn, t_s: float) -> None:
    """Keep this moment for the replays, and forget what no replay can need any more."""
    sample, posture = turn.view.sample, turn.view.posture
    frames = turn.history.frames
    if sample is None or (frames and t_s - frames[-1].t_s < REPLAY_STEP_S):
        return
    joints = tuple(sample.figure)
    frame = ReplayFrame(
        t_s,
        frames[-1].joints if frames and frames[-1].joints == joints else joints,
        b"".join(struct.pack("3d", *place) for place in sample.figure.values()),
        sample.knee_flexion_deg if posture is None else posture.knee_flexion_deg,
        sample.valgus_deg if posture is None else posture.valgus_deg,
        sample.lumbar_flexion_deg if posture is None else posture.lumbar_flexion_deg,
        sample.carriage_m, turn.sensors.smooth_kg,
    )  # fmt: skip
    oldest = t_s - 2 * REPLAY_S - 0.5
    start = 0
    while start < len(frames) and frames[start].t_s < oldest:
        start += 1
    turn.history = History((*frames[start:], frame), turn.history.waiting)


def store_replays(turn: Turn, at_once: bool = False) -> None:
    """Hand over the replays whose five seconds after have passed; all of them with ``at_once``."""
    history = turn.history
    due = tuple(alert for alert in history.waiting if at_once or turn.now_s >= alert.t_start_s + REPLAY_S)
    if not due:
        return
    for alert in due:
        start_s, end_s = alert.t_start_s - REPLAY_S, alert.t_start_s + REPLAY_S
        frames = tuple(frame for frame in history.frames if start_s <= frame.t_s <= end_s)
        if frames:
            turn.actions.append(StoreAlert(alert, frames))
    turn.history = replace(history, waiting=tuple(alert for alert in history.waiting if alert not in due))


def replay_data(action: StoreAlert) -> dict[str, Any]:
    """The replay as plain JSON data, times relative to the onset (s).

    ``{"t_s": [...], "figure": [{joint: [x, y, z]}, ...], "curves": {name: [value or null, ...]}}``, metres and degrees.
    """
    return _frames_data(action.replay, action.alert.t_start_s, with_figure=True)


def motion_data(action: StoreRep) -> dict[str, Any]:
    """How the rep moved, in the form of ``replay_data``, times from its start (s).

    ``figure`` is empty where the stick figures are not kept.
    """
    return _frames_data(action.motion, action.rep.t_start_s, action.with_figure)


def _frames_data(frames: tuple[ReplayFrame, ...], from_s: float, with_figure: bool) -> dict[str, Any]:
    return {
        "t_s": [round(frame.t_s - from_s, 3) for frame in frames],
        "figure": [
            {name: [round(value, 3) for value in point] for name, point in frame.figure.items()} for frame in frames
        ]
        if with_figure
        else [],
        "curves": {
            "knee_flexion_left_deg": [_short(frame.knee_flexion_deg.left, 1) for frame in frames],
            "knee_flexion_right_deg": [_short(frame.knee_flexion_deg.right, 1) for frame in frames],
            "valgus_left_deg": [_short(frame.valgus_deg.left, 1) for frame in frames],
            "valgus_right_deg": [_short(frame.valgus_deg.right, 1) for frame in frames],
            "lumbar_flexion_deg": [_short(frame.lumbar_flexion_deg, 1) for frame in frames],
            "carriage_m": [_short(frame.carriage_m, 3) for frame in frames],
            "load_kg": [_short(frame.load_kg, 1) for frame in frames],
        },
    }


def _short(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
