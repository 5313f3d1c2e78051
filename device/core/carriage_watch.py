"""The sled's own sensor in the rules: while it works it leads for reps, range, speed and power; else the cameras do.

Either way the positions go to the one rep tracker (``device.core.reps``). Camera and sensor count from different
places; what lies between them is learned while both are known, so that one can take over from the other in mid-rep.
They also watch each other: an encoder that slips or has lost its wires stands still while the plate is seen to move.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from device.messages import CarriageSample

if TYPE_CHECKING:
    from device.core.turn import Turn

CARRIAGE_FRESH_S: Final = 0.3
"""A carriage sample older than this is none (ours: three of a ranger's)."""
COMPARED_M: Final = 0.10
"""Travel over which camera and sensor are compared (ours: less than half a rep)."""
DIFFERS_M: Final = 0.08
"""More than a camera's delay of 0.1 s at 0.5 m/s, and its own error (ours)."""
DIFFERS_S: Final = 0.5


class CarriageWatch(NamedTuple):
    """The newest sample of the carriage's sensor, and how it compares with the cameras."""

    sample: CarriageSample | None = None
    good_s: float = -math.inf
    position_m: float | None = None
    seen_ref_m: float | None = None
    """Where the camera saw the plate when the comparison began, and where the sensor was then."""
    felt_ref_m: float | None = None
    differs_since_s: float | None = None
    distrusted: bool = False


def carriage_leads(turn: Turn) -> bool:
    """The sensor's positions count, not the cameras'."""
    watch = turn.sensors.carriage
    return not watch.distrusted and turn.now_s - watch.good_s <= CARRIAGE_FRESH_S


def note_carriage(turn: Turn, sample: CarriageSample) -> float | None:
    """Keep the sample; gives its position (m) where it may lead, None otherwise."""
    watch = turn.sensors.carriage
    if watch.sample is not None and sample.t_s < watch.sample.t_s:
        return None
    position_m = sample.position_m
    if sample.quality != "ok" or position_m is None or not math.isfinite(position_m):
        turn.sensors = turn.sensors._replace(carriage=watch._replace(sample=sample))
        return None
    watch = watch._replace(sample=sample, good_s=sample.t_s, position_m=position_m)
    turn.sensors = turn.sensors._replace(carriage=watch)
    return None if watch.distrusted else position_m


def seen_carriage(turn: Turn, seen_m: float | None, t_s: float) -> float | None:
    """The camera's position as the rep tracker counts: on from where the sensor left off."""
    watch = turn.sensors.carriage
    if seen_m is None:
        return None
    if turn.now_s - watch.good_s <= CARRIAGE_FRESH_S and watch.position_m is not None:
        watch = _compared(watch, seen_m, watch.position_m, t_s)
        turn.sensors = turn.sensors._replace(carriage=watch)
    if watch.seen_ref_m is None or watch.felt_ref_m is None:
        return seen_m
    return seen_m + watch.felt_ref_m - watch.seen_ref_m


def _compared(watch: CarriageWatch, seen_m: float, felt_m: float, t_s: float) -> CarriageWatch:
    if watch.seen_ref_m is None or watch.felt_ref_m is None:
        return watch._replace(seen_ref_m=seen_m, felt_ref_m=felt_m)
    seen_way_m, felt_way_m = seen_m - watch.seen_ref_m, felt_m - watch.felt_ref_m
    if abs(seen_way_m - felt_way_m) > DIFFERS_M:
        if watch.differs_since_s is None:
            return watch._replace(differs_since_s=t_s)
        if t_s - watch.differs_since_s < DIFFERS_S:
            return watch
        # from here on again: a sensor that moves with the plate once more is believed once more
        return watch._replace(distrusted=True, seen_ref_m=seen_m, felt_ref_m=felt_m, differs_since_s=None)
    if abs(seen_way_m) >= COMPARED_M:
        return watch._replace(distrusted=False, seen_ref_m=seen_m, felt_ref_m=felt_m, differs_since_s=None)
    return watch._replace(differs_since_s=None)
