"""Faults from onset to release: raising, watching and ending them.

The posture rules (``device.core.rulebook``) are watched here: an onset that holds for its dwell time,
on time stamps, raises; a value past the release ends. An unknown value never raises; it ends a fault
once it has been unknown for ``pose_stale_s``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from device.core.posture import Posture
from device.core.records import announce, report, utc_at
from device.core.rulebook import Limits, Rule
from device.core.state import ActiveFault, LiftingSet, Watch
from device.core.turn import Turn
from device.messages import FaultKind, Priority, Side

RANK: Final[dict[Priority, int]] = {"low": 1, "medium": 2, "high": 3}
BRIDGED_S = 0.3
"""Unknown frames between two beyond the onset, in which the dwell time still runs (ours: two frames at 8/s)."""
_REST = Watch()


def is_heavy(turn: Turn) -> bool:
    """Over ``heavy_fraction`` of the member's usual working load; an unknown load or lifter counts as heavy."""
    load_kg = turn.working_load_kg
    usual_kg = turn.lifter.usual_load_kg
    return load_kg is None or usual_kg is None or load_kg > turn.config.faults.heavy_fraction * usual_kg


def find(turn: Turn, kind: FaultKind, side: Side | None = None) -> ActiveFault | None:
    for fault in turn.faults:
        if fault.kind == kind and fault.side == side:
            return fault
    return None


def raise_fault(
    turn: Turn, kind: FaultKind, priority: Priority, sentence: str, peak: float, *,
    side: Side | None = None, corrected: str | None = None, lasts_s: float | None = None,
) -> None:  # fmt: skip
    """Begin a fault and its alert. ``lasts_s`` is for events: it ends by itself after so long."""
    turn.alerts += 1
    announce(turn)
    lifting = turn.set
    rep_number = None
    if lifting is not None:
        rep_number = len(lifting.marks) + (1 if turn.reps.began else 0) or None
        turn.set = lifting = _charge(turn, lifting, kind)
    fault = ActiveFault(
        kind, side, priority, sentence, turn.now_s, peak, f"{turn.session}-a{turn.alerts}",
        None if lifting is None else lifting.set_id, rep_number, utc_at(turn.clock, turn.now_s),
        None if lasts_s is None else turn.now_s + lasts_s, corrected,
    )  # fmt: skip
    turn.faults = (*turn.faults, fault)
    report(turn, fault, None)


def _charge(turn: Turn, lifting: LiftingSet, kind: FaultKind) -> LiftingSet:
    """Put the fault down to the rep under way; at the top just after a rep, where knees lock, to that one."""
    rep = lifting.finished
    if rep is None or turn.reps.moving:
        turn.tally = turn.tally._replace(faults=_with(turn.tally.faults, kind))
        return lifting
    tally = rep.tally._replace(faults=_with(rep.tally.faults, kind))
    return replace(lifting, finished=replace(rep, tally=tally))


def end_fault(turn: Turn, fault: ActiveFault, *, was_corrected: bool) -> None:
    """Release a fault; ``was_corrected`` only where the measure itself has come back."""
    turn.faults = tuple(other for other in turn.faults if other.alert_id != fault.alert_id)
    report(turn, fault, turn.now_s)
    if was_corrected and fault.cued and fault.corrected is not None:
        turn.cues = replace(turn.cues, to_confirm=fault.corrected)


def watch_posture(turn: Turn, posture: Posture, t_s: float) -> None:
    """Judge one frame by every posture rule."""
    under_watch = turn.under_watch
    changed: list[Watch] | None = None
    for i, rule in enumerate(turn.rules):
        watch = turn.watches[i]
        value = rule.read(posture)
        if value is None and watch is _REST:
            continue
        after = _judge(turn, rule, watch, value, posture, t_s) if under_watch else _off_watch(turn, rule)
        if after is not watch:
            changed = list(turn.watches) if changed is None else changed
            changed[i] = after
    if changed is not None:
        turn.watches = tuple(changed)


def end_unseen(turn: Turn) -> None:
    """End what can no longer be seen, and events that have had their time. Asked at every tick and frame."""
    if not turn.faults:
        return
    stale_s = turn.config.faults.pose_stale_s
    for i, rule in enumerate(turn.rules):
        watch = turn.watches[i]
        if watch is _REST:
            continue
        fault = find(turn, rule.kind, rule.side)
        if fault is not None and turn.now_s - watch.known_s > stale_s:
            end_fault(turn, fault, was_corrected=False)
            turn.watches = (*turn.watches[:i], _REST, *turn.watches[i + 1 :])
    for fault in turn.faults:
        if fault.until_s is not None and turn.now_s >= fault.until_s:
            end_fault(turn, fault, was_corrected=False)


def end_all(turn: Turn) -> None:
    for fault in turn.faults:
        end_fault(turn, fault, was_corrected=False)
    turn.watches = (_REST,) * len(turn.rules)


def _with(kinds: tuple[FaultKind, ...], kind: FaultKind) -> tuple[FaultKind, ...]:
    return kinds if kind in kinds else (*kinds, kind)


def _off_watch(turn: Turn, rule: Rule) -> Watch:
    fault = find(turn, rule.kind, rule.side)
    if fault is not None:
        end_fault(turn, fault, was_corrected=False)
    return _REST


def _judge(turn: Turn, rule: Rule, watch: Watch, value: float | None, posture: Posture, t_s: float) -> Watch:
    fault = find(turn, rule.kind, rule.side) if watch is not _REST else None
    limits = rule.limits(turn.lifter.neutral is not None, posture)
    if fault is not None:
        if value is None:
            return watch
        if value < limits.release:
            end_fault(turn, fault, was_corrected=True)
            return _REST
        _worsen(turn, rule, fault, limits, value)
        return Watch(None, t_s, t_s)
    if value is None:
        return watch if t_s - watch.beyond_s <= BRIDGED_S else _REST
    if value < limits.onset or value < limits.onset + _allowance(turn, rule, limits, posture):
        return _REST
    bridged = watch.beyond_since_s is not None and t_s - watch.beyond_s <= BRIDGED_S
    since_s = watch.beyond_since_s if bridged and watch.beyond_since_s is not None else t_s
    if t_s - since_s >= rule.dwell_s - 1e-9:
        priority = _priority(turn, rule, limits, value)
        raise_fault(
            turn, rule.kind, priority, rule.sentence, rule.sign * value, side=rule.side, corrected=rule.corrected
        )
    return Watch(since_s, t_s, t_s)


def _allowance(turn: Turn, rule: Rule, limits: Limits, posture: Posture) -> float:
    """How much more an uncertain measure must show: its standard error beyond what the hysteresis absorbs."""
    errors = posture.standard_error
    if not errors:
        return 0.0
    excess = 0.0
    for key in rule.error_keys:
        excess = max(excess, errors.get(key, 0.0) - (limits.onset - limits.release))
    return turn.config.faults.error_allowance * excess


def _priority(turn: Turn, rule: Rule, limits: Limits, value: float) -> Priority:
    if value >= limits.high or (value >= limits.high_heavy and is_heavy(turn)):
        return "high"
    return rule.priority


def _worsen(turn: Turn, rule: Rule, fault: ActiveFault, limits: Limits, value: float) -> None:
    """Keep the worst of a fault; its priority only rises, so that light and sound do not flicker."""
    priority = _priority(turn, rule, limits, value)
    worse = value > rule.sign * fault.peak
    rises = RANK[priority] > RANK[fault.priority]
    if not worse and not rises:
        return
    after = replace(
        fault, peak=rule.sign * value if worse else fault.peak, priority=priority if rises else fault.priority,
        cued=fault.cued and not rises,
    )  # fmt: skip
    turn.faults = tuple(after if other is fault else other for other in turn.faults)
    if rises:
        report(turn, after, None)
