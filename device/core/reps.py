"""Repetitions from the carriage's position, as they happen.

A rep is a lowering and a pressing of the carriage, from the top to the top. The position is smoothed
(median of three, then a time constant), so frames may be missing, noisy or come at any rate; the top is
wherever the carriage last turned, and creeps after a slow drift. Knee flexion stands in while the plate
is not seen. Positions are metres along the rail, + = lowered; all limits here are ours.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from device.core.rep_signals import RepBegan, RepBottom, RepGivenUp, RepPhase, RepShape, RepSignal
from device.core.strokes import Trace, lowering_times, pressing_times

SMOOTHING_S = 0.06
"""Time constant behind the median of three: halves 5 mm of noise at 30 frames/s, costs less than two frames."""
DRIFT_M_S = 0.005
"""A top that creeps slower than this is followed instead of being taken for a lowering."""
LEAVES_TOP_M = 0.025
BACK_AT_TOP_M = 0.012
MIN_ROM_M = 0.06
"""Less is fidgeting: a partial rep moves the plate 0.10 m, taking the sled off its stops 0.02-0.04 m."""
JUMP_M = 0.04
JUMP_M_S = 1.2
"""A position further from the last than this distance, and this speed for the time between, is a jump of the
tracking and is passed over; one that stays comes within reach as time goes on. A dropped sled does 1 m/s."""
MIN_REP_S = 0.5
"""A faster down and up is a jump of the tracking ..."""
MIN_LOWERING_S = 0.1
"""... and so is a faster down: a sled that is dropped takes a quarter of a second for a rep's range."""
STILL_M_S = 0.02
PRESS_STALLS_S = 0.5
"""A press that got most of the way back and has gained no twentieth of the range since: that was its top."""
NEARLY_BACK = 0.6
GIVEN_UP_S = 15.0
"""Still this long below the top: the carriage rests on its stops, there is no rep to finish."""
SAME_MOMENT_S = 1e-4
"""No camera gives frames closer than this; two cameras' frames of one moment may be."""
LOST_S = 4.0
"""No position for this long: whatever was going on is unknown."""
KNEE_M_PER_DEG = 0.0033
"""0.25 m of carriage for 75 deg of knee flexion, a typical rep: only the order of magnitude matters."""
KNEE_STEPS_IN_S = 0.3
TRACE_FRAMES = 900


class Source(NamedTuple):
    """Where the position comes from: the carriage, or the knees in its place."""

    position_m: float | None = None
    carriage_t_s: float | None = None
    """When the carriage was last seen."""
    knee_offset_m: float | None = None
    is_knee: bool = False


NOWHERE: Final = Source()


class RepTracker(NamedTuple):
    """Where the carriage is in its cycle. Start with ``RepTracker()``."""

    t_s: float | None = None
    recent: tuple[float, ...] = ()
    """The last two raw positions, for the median."""
    source: Source = NOWHERE
    position_m: float = 0.0
    speed_m_s: float = 0.0
    """+ = lowering."""
    phase: RepPhase = "top"
    began: bool = False
    top_m: float = 0.0
    deepest_m: float = 0.0
    highest_m: float = 0.0
    """Highest point since the bottom."""
    down_peak_m_s: float = 0.0
    up_peak_m_s: float = 0.0
    still_since_s: float | None = None
    phase_since_s: float = 0.0
    gained_m: float = 0.0
    gained_s: float = 0.0
    """The last progress of the press worth the name: where and when."""
    gap_s: float = 0.0
    knee_used: bool = False
    """The knee stood in for the carriage at some time in this rep."""
    trace: Trace = ()
    dt_s: float = 0.0
    """Of the last frame."""

    @property
    def moving(self) -> bool:
        """The carriage has left the top."""
        return self.phase != "top"


def follow(
    tracker: RepTracker, t_s: float, carriage_m: float | None, knee_deg: float | None
) -> tuple[RepTracker, RepSignal | None]:
    """Take one frame's carriage position and mean knee flexion; tell what it ended or began, at most one thing.

    Frames older than the last, or of the same moment, are ignored; frames without either leave the tracker waiting.
    """
    if tracker.t_s is not None and t_s < tracker.t_s + SAME_MOMENT_S:
        return tracker, None
    source = _position(tracker.source, t_s, carriage_m, knee_deg)
    last_s = tracker.t_s
    signal: RepSignal | None = None
    if last_s is not None and t_s - last_s > LOST_S:
        tracker, signal = _forget(tracker)
    if source.position_m is None:
        return tracker, signal
    if tracker.t_s is None or len(tracker.recent) < 2:
        return _settle(tracker, t_s, source, source.position_m), signal
    if abs(source.position_m - tracker.recent[-1]) > JUMP_M + JUMP_M_S * (t_s - tracker.t_s):
        return tracker, signal
    moved = _smooth(tracker, t_s, source, source.position_m)
    if moved.phase == "top":
        return _at_top(moved)
    if moved.phase == "concentric":
        return _pressing(moved)
    return _lowering(moved)


def finish(tracker: RepTracker) -> tuple[RepTracker, RepSignal | None]:
    """The recording ends here: a press that is nearly back counts, anything less does not."""
    if tracker.phase == "concentric":
        travel = tracker.deepest_m - tracker.top_m
        if tracker.deepest_m - tracker.highest_m >= NEARLY_BACK * travel:
            return _finish(tracker)
    return _forget(tracker)


def _position(source: Source, t_s: float, carriage_m: float | None, knee_deg: float | None) -> Source:
    """The carriage where it is seen; else, after a while, where the knees say that it is."""
    if carriage_m is not None:
        offset = source.knee_offset_m
        if knee_deg is not None:
            seen = carriage_m - KNEE_M_PER_DEG * knee_deg
            offset = seen if offset is None else offset + 0.2 * (seen - offset)
        return Source(carriage_m, t_s, offset, False)
    if knee_deg is None or (source.carriage_t_s is not None and t_s - source.carriage_t_s < KNEE_STEPS_IN_S):
        return Source(None, source.carriage_t_s, source.knee_offset_m, source.is_knee)
    position = KNEE_M_PER_DEG * knee_deg + (source.knee_offset_m or 0.0)
    return Source(position, source.carriage_t_s, source.knee_offset_m, True)


def _forget(tracker: RepTracker) -> tuple[RepTracker, RepSignal | None]:
    return RepTracker(source=tracker.source), RepGivenUp() if tracker.began else None


def _settle(tracker: RepTracker, t_s: float, source: Source, raw: float) -> RepTracker:
    """The very first frames: nothing to compare an outlier with yet."""
    seen = (*tracker.recent, raw)
    return RepTracker(t_s, seen, source, raw, top_m=sum(seen) / len(seen), phase_since_s=t_s)


def _smooth(tracker: RepTracker, t_s: float, source: Source, raw: float) -> RepTracker:
    """The tracker moved on to ``raw``."""
    assert tracker.t_s is not None
    dt = t_s - tracker.t_s
    before, last = tracker.recent
    middle = max(min(before, last), min(max(before, last), raw))
    gain = 1.0 - math.exp(-dt / SMOOTHING_S)
    position = tracker.position_m + gain * (middle - tracker.position_m)
    speed = tracker.speed_m_s + gain * ((position - tracker.position_m) / dt - tracker.speed_m_s)
    still = tracker.still_since_s
    still = (t_s if still is None else still) if -STILL_M_S < speed < STILL_M_S else None
    lag_s = dt / gain  # one frame by the median, dt (1 - gain) / gain by the time constant
    trace = tracker.trace
    if tracker.phase == "top":  # two seconds before the start are enough to see the lowering begin
        start = 0
        while start < len(trace) and trace[start][0] < t_s - 2.0:
            start += 1
        trace = trace[start:]
    elif len(trace) > TRACE_FRAMES:
        trace = trace[1:]
    return RepTracker(
        t_s, (last, raw), source, position, speed, tracker.phase, tracker.began, tracker.top_m, tracker.deepest_m,
        tracker.highest_m, max(tracker.down_peak_m_s, speed), max(tracker.up_peak_m_s, -speed), still,
        tracker.phase_since_s, tracker.gained_m, tracker.gained_s, max(tracker.gap_s, dt),
        tracker.knee_used or source.is_knee, (*trace, (t_s - lag_s, position)), dt,
    )  # fmt: skip


def _at_top(tracker: RepTracker) -> tuple[RepTracker, RepSignal | None]:
    assert tracker.t_s is not None
    top = min(tracker.position_m, tracker.top_m + DRIFT_M_S * tracker.dt_s)
    if tracker.position_m - top < LEAVES_TOP_M:
        return tracker._replace(top_m=top, down_peak_m_s=0.0, gap_s=0.0, knee_used=tracker.source.is_knee), None
    return tracker._replace(
        phase="eccentric", began=False, top_m=top, deepest_m=tracker.position_m, phase_since_s=tracker.t_s
    ), None


def _lowering(tracker: RepTracker) -> tuple[RepTracker, RepSignal | None]:
    assert tracker.t_s is not None
    deepest = max(tracker.deepest_m, tracker.position_m)
    travel = deepest - tracker.top_m
    if not tracker.began:
        if tracker.position_m - tracker.top_m < BACK_AT_TOP_M:
            return tracker._replace(phase="top"), None
        if travel < MIN_ROM_M:
            return tracker._replace(deepest_m=deepest, top_m=tracker.top_m + DRIFT_M_S * tracker.dt_s), None
        start = lowering_times(tracker.trace, tracker.top_m, deepest)[0]
        return tracker._replace(deepest_m=deepest, began=True), RepBegan(start)
    if tracker.still_since_s is not None and tracker.t_s - tracker.still_since_s > GIVEN_UP_S:
        return _forget(tracker)
    if tracker.position_m > deepest - max(BACK_AT_TOP_M, 0.08 * travel):
        phase: RepPhase = "bottom" if tracker.speed_m_s < STILL_M_S else "eccentric"
        since = tracker.phase_since_s if phase == tracker.phase else tracker.t_s
        return tracker._replace(deepest_m=deepest, phase=phase, phase_since_s=since), None
    start, lowered, bottom = lowering_times(tracker.trace, tracker.top_m, deepest)
    turned = tracker._replace(
        deepest_m=deepest, phase="concentric", phase_since_s=tracker.t_s, highest_m=tracker.position_m,
        up_peak_m_s=-tracker.speed_m_s, gained_m=tracker.position_m, gained_s=tracker.t_s,
    )  # fmt: skip
    return turned, RepBottom(bottom, lowered - start, travel, None if tracker.knee_used else tracker.down_peak_m_s)


def _pressing(tracker: RepTracker) -> tuple[RepTracker, RepSignal | None]:
    t_s = tracker.t_s
    assert t_s is not None
    if tracker.position_m > tracker.deepest_m:
        return tracker._replace(phase="eccentric", deepest_m=tracker.position_m), None
    highest = min(tracker.highest_m, tracker.position_m)
    travel = tracker.deepest_m - tracker.top_m
    returned = (tracker.deepest_m - highest) / travel
    still_s = 0.0 if tracker.still_since_s is None else t_s - tracker.still_since_s
    gained = highest < tracker.gained_m - 0.05 * travel
    tracker = tracker._replace(
        highest_m=highest, gained_m=highest if gained else tracker.gained_m,
        gained_s=t_s if gained else tracker.gained_s,
    )  # fmt: skip
    arrived = highest <= tracker.top_m + max(BACK_AT_TOP_M, 0.08 * travel)
    stopped = returned >= NEARLY_BACK and t_s - tracker.gained_s >= PRESS_STALLS_S
    turned = returned >= 0.5 and tracker.position_m > highest + max(LEAVES_TOP_M, 0.12 * travel)
    if arrived or stopped or turned:
        return _finish(tracker)
    if still_s > GIVEN_UP_S:
        return _forget(tracker)
    return tracker, None


def _finish(tracker: RepTracker) -> tuple[RepTracker, RepSignal | None]:
    assert tracker.t_s is not None
    start, lowered, bottom = lowering_times(tracker.trace, tracker.top_m, tracker.deepest_m)
    press, end = pressing_times(tracker.trace, tracker.highest_m, tracker.deepest_m)
    at_top = tracker._replace(
        phase="top", began=False, top_m=tracker.highest_m, phase_since_s=tracker.t_s, still_since_s=None,
        trace=tracker.trace[-2:], gap_s=0.0,
    )  # fmt: skip
    if tracker.t_s - start < MIN_REP_S or lowered - start < MIN_LOWERING_S:
        return at_top, RepGivenUp()
    travel = tracker.deepest_m - tracker.top_m
    seen = not tracker.knee_used
    concentric_s = max(end - press, 0.05)
    pressed_m = tracker.deepest_m - tracker.highest_m
    return at_top, RepShape(
        t_start_s=start,
        t_bottom_s=bottom,
        t_end_s=max(end, bottom),
        eccentric_s=max(lowered - start, 0.05),
        concentric_s=concentric_s,
        rom_m=travel if seen else None,
        travel_m=travel,
        mean_speed_m_s=pressed_m / concentric_s if seen else None,
        peak_speed_m_s=tracker.up_peak_m_s if seen else None,
        eccentric_peak_m_s=tracker.down_peak_m_s if seen else None,
        largest_gap_s=tracker.gap_s,
    )
