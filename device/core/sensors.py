"""The load and the seat: what is known of them now, and the faults that they alone can show.

These rules need no camera. A reading is good for ``load_fresh_s``; after that the load is unknown,
never zero.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from device.config import Config
from device.core.faults import end_fault, find, raise_fault
from device.core.state import LoadSum, Sensors
from device.core.turn import SETTLED_READINGS, Turn
from device.messages import FaultKind, LoadSample, SeatSample

SEAT_FRESH_S = 1.0
AVERAGED_S = 0.5
"""Time constant of the load without the swing of the sled (a rep takes 2-4 s)."""
OVERLOAD_RELEASE: Final = 0.97
TURNED: Final = 1.5
"""Times its weight that a sled presses at most when it is turned at the bottom (ours, as ``SLAM``): more than this
times the limit is too much, however the sled moves."""
BEYOND_S: Final = 0.1
"""For so long, which no sled that hits its stops takes to rebound (ours)."""
RANGE_S: Final = 0.5
"""A cell beyond its range says so every 0.1 s; five times missed, it is silent."""
LIGHT: Final = 0.25
"""Share of the set's load below which the sled falls freely: controlled lowering keeps over half."""
SLAM: Final = 2.0
"""Share of the set's load that only an impact reaches: controlled turns at the bottom stay under 1.5."""
SLAM_WITHIN_S = 1.0
FREE_FALL_M_S = 0.5
DROP_SHOWN_S = 3.0


def load_fresh_s(config: Config) -> float:
    """How long a reading is good: two missed data-ready periods, but a valid value at least every 100 ms.

    A sum of two cells is as old as the older of its two, each of which may be so old when the other comes.
    """
    return config.load.cells * max(0.1, 2.5 / config.load.samples_per_s)


def load_now_kg(turn: Turn) -> float | None:
    """The mass on the sled now; None when unknown."""
    sensors = turn.sensors
    return sensors.load_kg if turn.now_s - sensors.load_good_s <= load_fresh_s(turn.config) else None


def seat_notch_now(turn: Turn) -> int | None:
    return turn.sensors.last_notch if turn.now_s - turn.sensors.seat_ok_s <= SEAT_FRESH_S else None


def take_load(turn: Turn, sample: LoadSample) -> None:
    sensors = turn.sensors
    if sensors.load is not None and sample.t_s < sensors.load.t_s:
        return
    if sample.quality != "ok" or sample.kg is None or not math.isfinite(sample.kg):
        turn.sensors = sensors._replace(load=sample)
        _judge_beyond_range(turn)
        forget_stale_load(turn)
        return
    kg = sample.kg
    dt = sample.t_s - sensors.load_good_s
    if sensors.smooth_kg is None or dt > 1.0:
        smooth = kg
    else:
        smooth = sensors.smooth_kg + (1.0 - math.exp(-dt / AVERAGED_S)) * (kg - sensors.smooth_kg)
    after = sensors._replace(load=sample, load_kg=kg, load_good_s=sample.t_s, smooth_kg=smooth)
    turn.sensors = sensors = _held(turn, after, kg)
    held = sensors.taken_since_s is not None
    static_kg = None if not held else sensors.static_kg if sample.moving else smooth
    turn.sensors = sensors._replace(static_kg=static_kg)
    _tally(turn, kg)
    _judge_overload(turn, kg, smooth, static_kg if sample.moving else None)
    _judge_drop(turn, kg, sample.t_s)


def _held(turn: Turn, sensors: Sensors, kg: float) -> Sensors:
    """Whether the lifter holds the load: with hysteresis, for cells creep."""
    taken_kg = turn.config.cueing.load_taken_kg
    if sensors.taken_since_s is None:
        return sensors._replace(taken_since_s=sensors.load_good_s, released_s=None) if kg >= taken_kg else sensors
    if kg < 0.5 * taken_kg:
        return sensors._replace(taken_since_s=None, released_s=sensors.load_good_s)
    return sensors


def forget_stale_load(turn: Turn) -> None:
    """An old load is no load: called at every tick. An overload that left the cell's range lasts until it is back."""
    sensors = turn.sensors
    if turn.now_s - sensors.load_good_s <= load_fresh_s(turn.config):
        return
    if sensors.smooth_kg is not None:
        turn.sensors = sensors._replace(
            smooth_kg=None, taken_since_s=None, light_since_s=None, static_kg=None, beyond_since_s=None
        )
    kinds: tuple[FaultKind, ...] = ("load_dropped",) if _is_beyond_range(turn) else ("overload", "load_dropped")
    for kind in kinds:
        fault = find(turn, kind)
        if fault is not None:
            end_fault(turn, fault, was_corrected=False)


def _is_beyond_range(turn: Turn) -> bool:
    load = turn.sensors.load
    return load is not None and load.quality == "saturated" and turn.now_s - load.t_s <= RANGE_S


def _judge_beyond_range(turn: Turn) -> None:
    """overload: a load that was far beyond the limit and has now left the cell's range is not less for that.

    A broken wire leaves it at once, with no reading on the way.
    """
    sensors = turn.sensors
    if _is_beyond_range(turn) and sensors.beyond_since_s is not None and find(turn, "overload") is None:
        _raise_overload(turn, sensors.load_kg or 0.0)


def _tally(turn: Turn, kg: float) -> None:
    if turn.set is None or turn.sensors.taken_since_s is None:
        return
    tally = turn.tally
    if turn.reps.moving or not _pose_is_fresh(turn):  # over whole reps the swing of the sled cancels
        turn.set_load = LoadSum(turn.set_load.sum_kg + kg, turn.set_load.n + 1)
    if turn.reps.moving:
        peak = kg if tally.peak_load_kg is None else max(tally.peak_load_kg, kg)
        turn.tally = tally._replace(load_sum_kg=tally.load_sum_kg + kg, load_n=tally.load_n + 1, peak_load_kg=peak)


def _judge_overload(turn: Turn, kg: float, smooth_kg: float, static_kg: float | None) -> None:
    """overload: the averaged load is above the machine's limit, or the load far beyond what a sled within it presses.

    A sled that is turned at the bottom presses harder than it weighs, which is no overload: while it moves it is
    judged by ``static_kg``, what it weighed when it last stood still.
    """
    limit_kg = turn.config.machine.load_limit_kg
    weighs_kg = smooth_kg if static_kg is None else static_kg
    sensors, fault = turn.sensors, find(turn, "overload")
    since_s = None
    if kg > TURNED * limit_kg:
        since_s = sensors.load_good_s if sensors.beyond_since_s is None else sensors.beyond_since_s
    turn.sensors = sensors = sensors._replace(beyond_since_s=since_s)
    beyond = since_s is not None and sensors.load_good_s - since_s >= BEYOND_S
    if fault is None:
        if beyond or weighs_kg > limit_kg:
            found_kg = kg if beyond else weighs_kg
            _raise_overload(turn, found_kg)
    elif max(kg, smooth_kg, weighs_kg) < OVERLOAD_RELEASE * limit_kg:
        end_fault(turn, fault, was_corrected=True)
    elif weighs_kg > fault.peak:
        worse = replace(fault, peak=weighs_kg)
        turn.faults = tuple(worse if other is fault else other for other in turn.faults)


def _raise_overload(turn: Turn, kg: float) -> None:
    raise_fault(turn, "overload", "high", "Too heavy", kg, corrected="Good - within the limit")


def _judge_drop(turn: Turn, kg: float, t_s: float) -> None:
    """load_dropped: the load falls free while the carriage comes down, or slams right after being nearly nothing.

    Putting the sled back on its stops also unloads the cell, but without either.
    """
    sensors = turn.sensors
    usual_kg = turn.set_load.mean_kg
    if turn.set is None or usual_kg is None or turn.set_load.n < SETTLED_READINGS:
        return
    if kg < LIGHT * usual_kg:
        since_s = t_s if sensors.light_since_s is None else sensors.light_since_s
        if sensors.light_since_s is None:
            turn.sensors = sensors._replace(light_since_s=t_s)
        falling = turn.reps.moving and turn.reps.speed_m_s > FREE_FALL_M_S and _pose_is_fresh(turn)
        if falling and t_s - since_s >= 0.05:
            _raise_drop(turn, usual_kg)
        return
    if sensors.light_since_s is not None:
        if kg > SLAM * usual_kg and t_s - sensors.light_since_s <= SLAM_WITHIN_S:
            _raise_drop(turn, kg)
        if kg > usual_kg or t_s - sensors.light_since_s > SLAM_WITHIN_S:
            turn.sensors = sensors._replace(light_since_s=None)


def _raise_drop(turn: Turn, kg: float) -> None:
    if find(turn, "load_dropped") is None:
        raise_fault(turn, "load_dropped", "medium", "Control the weight", kg, lasts_s=DROP_SHOWN_S)


def _pose_is_fresh(turn: Turn) -> bool:
    return turn.reps.t_s is not None and turn.now_s - turn.reps.t_s <= turn.config.faults.pose_stale_s


def take_seat(turn: Turn, sample: SeatSample) -> None:
    sensors = turn.sensors
    if sensors.seat is not None and sample.t_s < sensors.seat.t_s:
        return
    if sample.quality == "ok" and sample.notch is not None:
        turn.sensors = sensors._replace(
            seat=sample, seat_ok_s=sample.t_s, last_notch=sample.notch, between_since_s=None
        )
    elif sample.quality in ("between", "no_switch"):
        since_s = sample.t_s if sensors.between_since_s is None else sensors.between_since_s
        turn.sensors = sensors._replace(seat=sample, between_since_s=since_s)
    else:
        turn.sensors = sensors._replace(seat=sample, between_since_s=None)
    judge_seat(turn)


def judge_seat(turn: Turn) -> None:
    """seat_unlocked: between notches under load, for the dwell time. Also asked at every tick, for stale readings."""
    sensors = turn.sensors
    fault = find(turn, "seat_unlocked")
    fresh = sensors.seat is not None and turn.now_s - sensors.seat.t_s <= SEAT_FRESH_S
    between_s = sensors.between_since_s if fresh else None
    loaded = sensors.taken_since_s is not None or (sensors.smooth_kg is None and turn.under_watch)
    if fault is not None:
        if between_s is None or not loaded:
            locked = fresh and sensors.seat is not None and sensors.seat.quality == "ok"
            end_fault(turn, fault, was_corrected=locked)
    elif loaded and sensors.seat is not None and between_s is not None:
        if sensors.seat.t_s - between_s < turn.config.faults.seat_unlocked_dwell_s:
            return
        position_m = sensors.seat.position_m
        raise_fault(
            turn, "seat_unlocked", "high", "Seat not locked", 0.0 if position_m is None else position_m,
            corrected="Good - seat is locked",
        )  # fmt: skip
