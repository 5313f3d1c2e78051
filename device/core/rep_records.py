"""From frames to a rep's record: what is gathered on the way, the count, the verdict."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, Literal

from device.core.actions import Publish, StoreRep
from device.core.posture import Posture
from device.core.records import announce, set_record, utc_at
from device.core.rep_faults import judge_depth, rounded_early
from device.core.rep_signals import RepShape
from device.core.state import FinishedRep, LiftingSet, RepTally
from device.core.turn import Turn
from device.messages import FaultKind, RepMark, RepRecord

KNOWN_SHARE = 0.6
"""A rep is uncertain when less of it was seen well (ours)."""
GAP_S = 1.0
"""Or when the carriage was out of sight this long (ours)."""
KNOWN_WITHIN: Final = 2.0
"""A measure counts as known up to this many times its rule's gap between onset and release of standard error (ours)."""
SETTINGS: Final[tuple[FaultKind, ...]] = ("feet_mismatch", "seat_misfit")
"""Faults of where feet and seat are: they do not spoil a rep."""
GRAVITY_M_S2 = 9.81

Verdict = Literal["good", "fault", "uncertain"]


def gather(turn: Turn, posture: Posture) -> None:
    """Add one frame to the rep under way; forget the frames of a lowering that came to nothing."""
    if turn.set is None:
        return
    before = turn.tally
    if not turn.reps.moving:
        if before.frames:
            turn.tally = RepTally()
        return
    knee, valgus = posture.knee_flexion_deg.mean, posture.valgus_deg
    lumbar = posture.lumbar_flexion_deg
    kinds = before.faults
    early = before.rounding_from_deg
    for fault in turn.faults:
        # Knees that are still locked when the next lowering begins were locked at the end of the last.
        if fault.kind not in kinds and fault.until_s is None and fault.kind != "knee_lockout":
            kinds = (*kinds, fault.kind)
        if fault.kind == "back_rounding" and early is None:
            early = knee
    rounding = None if lumbar is None else max(lumbar, 0.0)
    arching = None if lumbar is None else max(-lumbar, 0.0)
    turn.tally = RepTally(
        before.frames + 1, before.posture_frames + _is_known(turn, posture),
        _least(before.min_knee_deg, knee), _most(before.max_knee_deg, knee),
        _most(before.valgus_left_deg, valgus.left), _most(before.valgus_right_deg, valgus.right),
        _most(before.rounding_deg, rounding), _most(before.arching_deg, arching),
        before.load_sum_kg, before.load_n, before.peak_load_kg, kinds, early,
    )  # fmt: skip


def count_rep(turn: Turn, shape: RepShape) -> None:
    """A rep is done: count it at once; its record follows when the top is over."""
    lifting = turn.set
    if lifting is None:
        return
    rep = FinishedRep(len(lifting.marks) + 1, shape, turn.tally, turn.now_s)
    rom = shape.rom_m
    deepest = lifting.deepest_rom_m
    least = _least(lifting.least_knee_deg, rep.tally.min_knee_deg)
    lifting = replace(
        lifting,
        marks=(*lifting.marks, RepMark(rep.number, _verdict(rep), rom, rep.tally.faults)),
        deepest_rom_m=shape.travel_m if deepest is None else max(deepest, shape.travel_m),
        rounded_early_reps=lifting.rounded_early_reps + rounded_early(turn, rep.tally),
        least_knee_deg=least,
        last_effort_s=turn.now_s,
        finished=rep,
    )
    turn.tally = RepTally()
    turn.set = lifting
    turn.set = judge_depth(turn, lifting, rep)


def close_rep(turn: Turn) -> None:
    """Record the counted rep, with what happened at its top."""
    lifting = turn.set
    if lifting is None or lifting.finished is None:
        return
    rep = lifting.finished
    mark = RepMark(rep.number, _verdict(rep), rep.shape.rom_m, rep.tally.faults)
    marks = tuple(mark if other.number == mark.number else other for other in lifting.marks)
    turn.set = replace(lifting, marks=marks, finished=None)
    announce(turn)
    lifting = turn.set
    record = _record(turn, lifting, rep, mark.verdict)
    turn.actions.append(Publish(record))
    first_good = mark.verdict == "good" and sum(other.verdict == "good" for other in marks) == 1
    moved = tuple(f for f in turn.history.frames if record.t_start_s <= f.t_s <= record.t_end_s)
    turn.actions.append(StoreRep(record, set_record(turn, lifting), moved, with_figure=first_good))
    turn.closed_rep = record


def _record(turn: Turn, lifting: LiftingSet, rep: FinishedRep, verdict: Verdict) -> RepRecord:
    shape, tally = rep.shape, rep.tally
    return RepRecord(
        set_id=lifting.set_id,
        number=rep.number,
        t_start_s=shape.t_start_s,
        t_bottom_s=shape.t_bottom_s,
        t_end_s=shape.t_end_s,
        started_utc=utc_at(turn.clock, shape.t_start_s),
        rom_m=shape.rom_m,
        min_knee_flexion_deg=tally.min_knee_deg,
        max_knee_flexion_deg=tally.max_knee_deg,
        eccentric_s=shape.eccentric_s,
        concentric_s=shape.concentric_s,
        peak_load_kg=tally.peak_load_kg,
        mean_speed_m_s=shape.mean_speed_m_s,
        peak_speed_m_s=shape.peak_speed_m_s,
        mean_power_w=_power_w(turn, rep),
        worst_valgus_left_deg=tally.valgus_left_deg,
        worst_valgus_right_deg=tally.valgus_right_deg,
        worst_rounding_deg=tally.rounding_deg,
        worst_arching_deg=tally.arching_deg,
        verdict=verdict,
        faults=tally.faults,
    )


def _verdict(rep: FinishedRep) -> Verdict:
    """Good only where the back or the knees were seen well for most of it: never a guess."""
    if any(kind not in SETTINGS for kind in rep.tally.faults):
        return "fault"
    frames = rep.tally.frames
    if not frames or rep.tally.posture_frames < KNOWN_SHARE * frames or rep.shape.largest_gap_s > GAP_S:
        return "uncertain"
    return "good"


def _power_w(turn: Turn, rep: FinishedRep) -> float | None:
    """Mean power of the concentric, estimated as the load's weight along the rail times the mean speed (ours)."""
    speed = rep.shape.mean_speed_m_s
    if speed is None or not rep.tally.load_n:
        return None
    mass_kg = rep.tally.load_sum_kg / rep.tally.load_n
    load = turn.config.load
    share = math.sin(math.radians(load.rail_deg)) if load.location == "plate" else 1.0
    return mass_kg * GRAVITY_M_S2 * share * speed


def _is_known(turn: Turn, posture: Posture) -> bool:
    """Everything of back and knees that these cameras can check was measured, well enough, in this frame."""
    checks = posture.checks
    errors = posture.standard_error
    faults = turn.config.faults
    known = False
    if "lumbar_flexion" in checks:
        if posture.lumbar_flexion_deg is None:
            return False
        section = faults.back_rounding_deg
        if errors.get("lumbar_flexion_deg", 0.0) > KNOWN_WITHIN * (section.onset - section.release):
            return False
        known = True
    if "valgus" in checks:
        if posture.valgus_deg.left is None or posture.valgus_deg.right is None:
            return False
        section = faults.knee_valgus_deg
        worst = max(errors.get("valgus_left_deg", 0.0), errors.get("valgus_right_deg", 0.0))
        if worst > KNOWN_WITHIN * (section.onset - section.release):
            return False
        known = True
    return known


def _least(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else min(a, b)


def _most(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else max(a, b)
