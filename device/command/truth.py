"""How far an analysis is from the truth of a rendered clip: faults caught and invented, reps, angles.

The rules of judging: an alert belongs to a true fault that it overlaps from 0.3 s before it to 0.6 s after it;
an alert is false where the truth stays below the level at which anybody would speak of that fault.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

TrueKind = Literal["valgus", "rounding", "arching", "lockout"]


class Demand(NamedTuple):
    """What is asked of one kind of fault."""

    alert: str
    peak_deg: float
    """A fault of this magnitude or more must be caught."""
    floor_deg: float
    """An alert where the truth stays below this is false."""


DEMANDS: Final[dict[TrueKind, Demand]] = {
    "valgus": Demand("knee_valgus", 8.0, 4.0),
    "rounding": Demand("back_rounding", 12.0, 5.0),
    "arching": Demand("back_arching", 8.0, 4.0),
    "lockout": Demand("knee_lockout", 0.0, -9.0),
}
"""Lockout is measured as minus the knee's flexion: false where the knee never came below 9 deg."""

EARLY_S, LATE_S = 0.3, 0.6
REP_TOLERANCE_S = 0.5
EXCESS_STEP_S = 0.05
EXCESS_BEFORE_S, EXCESS_AFTER_S = 0.5, 0.3
FAULT_FRAME_DEG: Final = {"valgus_deg": 6.0, "lumbar_flexion_deg": 8.0}
"""A measure's error is also taken over the frames beyond this alone: elsewhere always answering 0 looks good."""
SIDES: Final = {"left": "L", "right": "R"}
SIDED_MEASURES: Final = ("knee_flexion_deg", "valgus_deg", "foot_placement")


@dataclass
class Score:
    """One set's score, or the sum of many."""

    required: Counter[TrueKind] = field(default_factory=Counter)
    caught: Counter[TrueKind] = field(default_factory=Counter)
    false: Counter[TrueKind] = field(default_factory=Counter)
    delays_s: list[float] = field(default_factory=list)
    excess_s: float = 0.0
    """Seconds of alert where nothing is wrong."""
    reps_true: int = 0
    reps_seen: int = 0
    reps_hit: int = 0
    sets: int = 0
    sets_exact: int = 0
    errors: dict[str, list[float]] = field(default_factory=dict)
    pairs: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """By measure, what was true and what was seen in each frame that was answered."""
    unknown: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Score) -> None:
        for mine, theirs in (
            (self.required, other.required),
            (self.caught, other.caught),
            (self.false, other.false),
        ):
            mine.update(theirs)
        self.unknown.update(other.unknown)
        self.answers.update(other.answers)
        self.delays_s += other.delays_s
        self.excess_s += other.excess_s
        self.reps_true += other.reps_true
        self.reps_seen += other.reps_seen
        self.reps_hit += other.reps_hit
        self.sets += other.sets
        self.sets_exact += other.sets_exact
        for name, values in other.errors.items():
            self.errors.setdefault(name, []).extend(values)
        for name, pairs in other.pairs.items():
            self.pairs.setdefault(name, []).extend(pairs)
        self.notes += other.notes


class Truth:
    """The exact movement of a rendered clip, as its ``truth.json`` gives it."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.frames: Mapping[str, Any] = data["frames"]
        self.times_s: Sequence[float] = self.frames["t"]
        self.faults: Sequence[Mapping[str, Any]] = data["faults"]
        self.bottoms_s = [float(rep["t_bottom"]) for rep in data["reps"]]

    def level(self, kind: TrueKind, side: str | None, begin_s: float, end_s: float) -> float:
        """Largest magnitude of the fault between two moments (deg)."""
        first, last = bisect_left(self.times_s, begin_s), bisect_right(self.times_s, end_s)
        if first >= last:
            first = min(max(0, first - 1), len(self.times_s) - 1)
            last = first + 1
        span = slice(first, last)
        if kind == "valgus":
            sides = [SIDES[side]] if side in SIDES else list(SIDES.values())
            return float(max(max(self.frames["valgus_deg"][key][span]) for key in sides))
        if kind == "lockout":
            return float(max(-min(self.frames["knee_flexion_deg"][key][span]) for key in SIDES.values()))
        lumbar = self.frames["lumbar_flexion_deg"][span]
        return float(max(lumbar) if kind == "rounding" else -min(lumbar))

    def nearest(self, t_s: float) -> int:
        after = bisect_left(self.times_s, t_s)
        if after == len(self.times_s) or (after > 0 and t_s - self.times_s[after - 1] <= self.times_s[after] - t_s):
            return after - 1
        return after


def score_set(truth_data: Mapping[str, Any], result: Mapping[str, Any]) -> Score:
    """Compare one analysis (the form of ``legpress analyze --json``) with its truth."""
    truth, score = Truth(truth_data), Score(sets=1)
    _reps(truth, result, score)
    _events(truth, result, score)
    _alerts(truth, result, score)
    _angles(truth, result, score)
    return score


def _reps(truth: Truth, result: Mapping[str, Any], score: Score) -> None:
    seen_s = [rep["t_bottom"] for rep in result["reps"]]
    left_s = list(seen_s)
    for bottom_s in truth.bottoms_s:
        near_s = [seen for seen in left_s if abs(seen - bottom_s) <= REP_TOLERANCE_S]
        if near_s:
            left_s.remove(min(near_s, key=lambda seen: abs(seen - bottom_s)))
            score.reps_hit += 1
    score.reps_true, score.reps_seen = len(truth.bottoms_s), len(seen_s)
    score.sets_exact = int(score.reps_true == score.reps_seen == score.reps_hit)
    if not score.sets_exact:
        score.notes.append(f"{score.reps_seen} reps counted, {score.reps_hit} of them true, of {score.reps_true}")


def _events(truth: Truth, result: Mapping[str, Any], score: Score) -> None:
    for fault in truth.faults:
        kind: TrueKind = fault["kind"]
        demand = DEMANDS.get(kind)
        if demand is None or (kind != "lockout" and abs(fault["peak"]) < demand.peak_deg):
            continue
        side = {"L": "left", "R": "right"}.get(fault.get("side", ""))
        score.required[kind] += 1
        starts_s = [
            alert["t_start"]
            for alert in result["alerts"]
            if alert["kind"] == demand.alert
            and alert["t_start"] <= fault["t_end"] + LATE_S
            and alert["t_end"] >= fault["t_start"] - EARLY_S
            and (side is None or alert["side"] in (None, side))
        ]
        if starts_s:
            score.caught[kind] += 1
            score.delays_s.append(max(0.0, min(starts_s) - fault["t_start"]))
        else:
            score.notes.append(
                f"missed {kind} {side or ''} at {fault['t_start']:.1f} s, peak {abs(fault['peak']):.0f} deg"
            )


def _alerts(truth: Truth, result: Mapping[str, Any], score: Score) -> None:
    kinds: dict[str, TrueKind] = {demand.alert: kind for kind, demand in DEMANDS.items()}
    for alert in result["alerts"]:
        kind = kinds.get(alert["kind"])
        if kind is None:
            continue
        begin_s, end_s, side, floor = alert["t_start"], alert["t_end"], alert["side"], DEMANDS[kind].floor_deg
        level = truth.level(kind, side, begin_s - EARLY_S - LATE_S, end_s + EARLY_S)
        if level < floor:
            score.false[kind] += 1
            score.notes.append(f"false {alert['kind']} at {begin_s:.1f} s, truth {level:.1f} deg")
        if kind != "lockout":
            score.excess_s += sum(
                EXCESS_STEP_S
                for t_s in _steps(begin_s, end_s)
                if truth.level(kind, side, t_s - EXCESS_BEFORE_S, t_s + EXCESS_AFTER_S) < floor
            )


def _steps(begin_s: float, end_s: float) -> Iterator[float]:
    t_s = begin_s
    while t_s < end_s:
        yield t_s
        t_s += EXCESS_STEP_S


def _angles(truth: Truth, result: Mapping[str, Any], score: Score) -> None:
    for frame in result["frames"]:
        index = truth.nearest(frame["t"])
        for name in SIDED_MEASURES:
            for side, key in SIDES.items():
                _angle(score, name, truth.frames[name][key][index], (frame.get(name) or {}).get(side))
        _angle(score, "lumbar_flexion_deg", truth.frames["lumbar_flexion_deg"][index], frame.get("lumbar_flexion_deg"))


def _angle(score: Score, name: str, true: float, seen: float | None) -> None:
    score.answers[name] += 1
    if seen is None:
        score.unknown[name] += 1
        return
    score.pairs.setdefault(name, []).append((true, seen))
    error = abs(seen - true)
    score.errors.setdefault(name, []).append(error)
    beyond = FAULT_FRAME_DEG.get(name)
    if beyond is not None and abs(true) > beyond:
        score.errors.setdefault(f"fault_{name}", []).append(error)


def wilson(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share, by Wilson's score method (1927); (0, 1) where nothing was counted."""
    if total == 0:
        return 0.0, 1.0
    share = hits / total
    middle = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
