"""What limits the form check: cameras, load cell, seat, database. Each with its edge, its age and what to do.

An old value is no value: everything here is judged by the age of the newest sample, at every tick.
"""

from __future__ import annotations

import math
from typing import Final

from device.core import looks
from device.core.carriage_watch import CARRIAGE_FRESH_S
from device.core.pad_watch import pads_fresh
from device.core.sensors import SEAT_FRESH_S, load_fresh_s
from device.core.turn import Turn
from device.messages import Condition, ConditionKind, Measure

POSTURE_MEASURES: Final[frozenset[Measure]] = frozenset(
    ("lumbar_flexion", "valgus", "knee_flexion", "hip_slide", "heel_lift")
)
KNOWN_FOR_S = 3.0
"""A measure not known for this long, with somebody in view, is not being checked (a towel over the knee)."""
NOBODY_S = 1.0
NO_SWITCH_S = 5.0
"""A seat on its way closes no switch either; longer, and somebody has to look (ours)."""
SETTLES_S = 0.3
"""The load's value is gone at once when stale; only the message waits, so that it does not flicker."""

_CAMERA: Final[dict[str, tuple[ConditionKind, str]]] = {
    "lost": ("camera_lost", "Camera {0} gives no picture - check its cable"),
    "dark": ("camera_dark", "Camera {0} sees too little light - switch the light on, uncover the lens"),
    "blurred": ("camera_blurred", "Camera {0} sees a blurred picture - clean its lens"),
    "moved": ("camera_moved", "Camera {0} has moved - recalibrate: legpress calibrate camera"),
}


def form_check_runs(turn: Turn) -> bool:
    """At least one posture check runs on fresh data."""
    return not POSTURE_MEASURES.isdisjoint(checks_now(turn))


def checks_now(turn: Turn) -> tuple[Measure, ...]:
    """What is being checked right now: what the cameras can check, less what they have lost from sight."""
    seen = _seen(turn)
    # the pads feel the back whether or not a camera sees it
    return ("lumbar_flexion", *seen) if pads_fresh(turn) and "lumbar_flexion" not in seen else seen


def _seen(turn: Turn) -> tuple[Measure, ...]:
    """What the cameras check."""
    view, now_s = turn.view, turn.now_s
    sample = view.sample
    if sample is None or now_s - sample.t_s > turn.config.faults.pose_stale_s:
        return ()
    if view.posture is None or not sample.person:
        return sample.checks
    checks = view.posture.checks
    lost: list[Measure] = list(looks.hidden_measures(view.posture.unlike))
    if not turn.under_watch:
        return tuple(measure for measure in checks if measure not in lost) if lost else checks
    if now_s - max(view.lumbar_known_s, view.watched_since_s) > KNOWN_FOR_S:
        lost.append("lumbar_flexion")
    if now_s - max(view.valgus_known_s, view.watched_since_s) > KNOWN_FOR_S:
        lost.append("valgus")
    if now_s - max(view.knee_known_s, view.watched_since_s) > KNOWN_FOR_S:
        lost.append("knee_flexion")
    return tuple(measure for measure in checks if measure not in lost) if lost else checks


def update_conditions(turn: Turn) -> None:
    """Bring the list up to date; a condition keeps the time at which it began, and none begins before time is known."""
    if not math.isfinite(turn.now_s):
        return
    found: list[tuple[ConditionKind, str]] = []
    if turn.cues.out_of_order:
        found.append(("out_of_order", "This machine is out of order - staff have been called"))
    _cameras(turn, found)
    _looks(turn, found)
    _load(turn, found)
    _seat(turn, found)
    _carriage(turn, found)
    _pads(turn, found)
    if turn.store_trouble is not None:
        found.append(("store_failed", turn.store_trouble))
    before = {condition.kind: condition for condition in turn.conditions}
    after = []
    for kind, detail in found:
        last = before.get(kind)
        if last is None:
            last = Condition(kind, detail, turn.now_s)
        elif last.detail != detail:
            last = Condition(kind, detail, last.since_s)
        after.append(last)
    conditions = tuple(after)
    if conditions != turn.conditions:
        turn.conditions = conditions


def _cameras(turn: Turn, found: list[tuple[ConditionKind, str]]) -> None:
    sample = turn.view.sample
    if sample is None:
        uncalibrated = [c.name for c in turn.config.cameras if c.calibration is None and c.source != "scenario"]
    else:
        uncalibrated = [camera.name for camera in sample.cameras if camera.condition == "uncalibrated"]
    if uncalibrated:
        detail = f"Camera {uncalibrated[0]} is not calibrated - staff: legpress calibrate camera"
        found.append(("camera_uncalibrated", detail))
    newest_s = turn.clock.first_tick_s if sample is None else sample.t_s
    if newest_s is None:
        return
    if turn.now_s - newest_s > turn.config.faults.pose_stale_s:
        found.append(("vision_lost", "No news from the cameras - the seat and load warnings go on"))
        return
    if sample is None:
        return
    for condition, (kind, detail) in _CAMERA.items():
        names = [camera.name for camera in sample.cameras if camera.condition == condition]
        if names:
            found.append((kind, detail.format(" and ".join(names))))
    looking = [camera.name for camera in sample.cameras if camera.preview]
    if looking:
        found.append(("camera_preview", f"Staff are looking through camera {' and '.join(looking)} to calibrate it"))
    empty_s = turn.view.empty_since_s
    busy = turn.set is not None or turn.sensors.taken_since_s is not None
    if busy and empty_s is not None and turn.now_s - empty_s > NOBODY_S:
        found.append(("nobody_in_view", "The camera does not see you - clear its view"))


def unlike_now(turn: Turn) -> frozenset[looks.Unlike]:
    """How what the cameras show differs from the member's enrolment."""
    sample, posture = turn.view.sample, turn.view.posture
    if sample is None or posture is None or turn.now_s - sample.t_s > turn.config.faults.pose_stale_s:
        return frozenset()
    return frozenset(posture.unlike.values())


def _looks(turn: Turn, found: list[tuple[ConditionKind, str]]) -> None:
    what = unlike_now(turn)
    if "covered" in what:
        found.append(("view_covered", "Something covers your hips or knees - take it off, they cannot be checked"))
    if "changed" in what:
        found.append(("looks_changed", "You look other than at your enrolment - choose warm-up to enrol again"))


def _load(turn: Turn, found: list[tuple[ConditionKind, str]]) -> None:
    sensors = turn.sensors
    sample = sensors.load
    if turn.clock.first_tick_s is None or turn.config.load.converter == "none":
        return
    silent_s = turn.now_s - (turn.clock.first_tick_s if sample is None else sample.t_s)
    if silent_s > load_fresh_s(turn.config) + SETTLES_S or (sample is not None and sample.quality == "stale"):
        found.append(("load_stale", "The load cell is silent - check its cable; load warnings are off"))
    elif sample is not None and sample.quality == "failed":
        found.append(("load_failed", "The load cell has failed - check its wiring; load warnings are off"))
    elif sample is not None and sample.quality == "saturated":
        found.append(("load_failed", "The load cell is beyond its range - check its wiring and its limit"))
    elif not turn.config.load.calibrated or (sample is not None and sample.quality == "uncalibrated"):
        found.append(("load_uncalibrated", "Load unknown, treated as heavy - staff: legpress calibrate load"))
    elif turn.now_s - max(sensors.load_good_s, turn.clock.first_tick_s) > SEAT_FRESH_S:
        found.append(("load_failed", "The load cell gives no valid reading - check its wiring"))
    off_kg = None if sample is None else sample.zero_off_kg
    if off_kg is not None and abs(off_kg) > turn.config.load.zero_limit_kg:
        found.append(("load_drifted", f"The empty machine weighs {off_kg:+.1f} kg - staff: set the load to zero"))


def _seat(turn: Turn, found: list[tuple[ConditionKind, str]]) -> None:
    sensors = turn.sensors
    sample = sensors.seat
    if turn.clock.first_tick_s is None or not turn.config.seat.sensors:
        return
    silent_s = turn.now_s - (turn.clock.first_tick_s if sample is None else sample.t_s)
    if silent_s > SEAT_FRESH_S or (sample is not None and sample.quality == "stale"):
        found.append(("seat_stale", "The seat sensor is silent - check its cable; the seat is not watched"))
        return
    if sample is None:
        return
    if sample.quality in ("open", "short", "failed"):
        what = {"open": "is unplugged", "short": "has a short circuit", "failed": "has failed"}[sample.quality]
        found.append(("seat_failed", f"The seat sensor {what} - check its wiring; the seat is not watched"))
    elif sample.quality == "uncalibrated":
        found.append(("seat_failed", "The seat sensor is not calibrated - staff: legpress calibrate seat"))
    elif sample.quality == "two_switches":
        found.append(("seat_failed", "Two seat switches are closed at once - check them; the seat is not watched"))
    elif sample.quality == "disagree":
        found.append(("seat_failed", "The two seat sensors differ - check them; the seat is not watched"))
    elif sample.quality == "no_switch" and turn.now_s - (sensors.between_since_s or turn.now_s) > NO_SWITCH_S:
        found.append(("seat_failed", "No seat switch is closed - lock the seat, or check the switches"))
    elif sample.quality == "jump" and turn.now_s - sensors.seat_ok_s > SEAT_FRESH_S:
        found.append(("seat_failed", "The seat sensor jumps about - check its wiring; the seat is not watched"))


def _carriage(turn: Turn, found: list[tuple[ConditionKind, str]]) -> None:
    if turn.config.carriage.sensor == "none" or turn.clock.first_tick_s is None:
        return
    watch = turn.sensors.carriage
    if watch.distrusted:
        detail = "The sled's sensor stands still while the plate moves - check its coupling; the cameras count instead"
        found.append(("carriage_failed", detail))
    elif turn.now_s - max(watch.good_s, turn.clock.first_tick_s) > CARRIAGE_FRESH_S + SETTLES_S:
        found.append(("carriage_failed", "The sled's sensor is silent - check its wiring; the cameras count instead"))


def _pads(turn: Turn, found: list[tuple[ConditionKind, str]]) -> None:
    if not turn.config.pads.enabled or turn.clock.first_tick_s is None:
        return
    if turn.now_s - max(turn.sensors.pads.good_s, turn.clock.first_tick_s) > SEAT_FRESH_S:
        found.append(("pads_failed", "The back pad's sensors have failed - check their wiring"))
