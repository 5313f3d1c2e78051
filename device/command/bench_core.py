"""Cost of one step of the core."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence

from device.config import Config
from device.core.actions import Show
from device.core.events import Event, Tick
from device.core.live import live_state
from device.core.state import CoreState
from device.core.step import step
from device.messages import CameraStatus, LoadSample, PoseSample, Sided

REP_S = 3.0
FRAMES_PER_S = 20.0


def pose_at(seq: int, t_s: float, lumbar_deg: float = 1.0) -> PoseSample:
    """A lifter doing even reps before one side camera, as vision would publish it."""
    depth = 0.5 - 0.5 * math.cos(2 * math.pi * t_s / REP_S)
    knee = 15 + 75 * depth
    figure = dict.fromkeys(_JOINTS, (0.1, -0.5, 0.5 + 0.1 * depth))
    return PoseSample(
        seq=seq,
        t_s=t_s,
        person=True,
        cameras=(CameraStatus("side", "side", "ok", FRAMES_PER_S, 0, 0.03),),
        checks=("knee_flexion", "lumbar_flexion", "foot_placement", "carriage"),
        knee_flexion_deg=Sided(knee, knee + 1),
        hip_flexion_deg=Sided(70.0, 71.0),
        lumbar_flexion_deg=lumbar_deg * depth,
        pelvis_lift_m=0.0,
        pelvis_offpad_m=0.0,
        hip_slide_m=0.0,
        foot_placement=Sided(0.5, 0.5),
        stance_m=0.4,
        heel_lift_deg=Sided(0.0, 0.0),
        carriage_m=0.4 * depth,
        standard_error={"knee_flexion_left_deg": 1.0, "knee_flexion_right_deg": 1.0, "lumbar_flexion_deg": 1.5},
        figure=figure,
    )


_JOINTS = [
    f"{joint}_{side}" for joint in ("hip", "knee", "ankle", "heel", "toe", "shoulder") for side in ("left", "right")
]


def core_step(config: Config, quick: bool) -> Sequence[tuple[str, float, str, str | None]]:
    """Poses, loads and ticks in the proportion of a live machine; the processor time of each step taken alone."""
    state = CoreState.initial(config)
    costs_us: dict[str, list[float]] = {"pose": [], "load": [], "tick": []}
    shown_us: list[float] = []
    for seq in range(200 if quick else 4000):
        t_s = 100.0 + seq / FRAMES_PER_S
        pose = pose_at(seq, t_s)
        loads = [LoadSample(t_s + i / 80, 900_000, 80.0, "ok") for i in range(4)]
        events: list[tuple[str, Event]] = [("pose", pose), *(("load", load) for load in loads)]
        events.append(("tick", Tick(t_s, "2026-01-01T00:00:00+00:00")))
        for kind, event in events:
            started_ns = time.thread_time_ns()
            state, actions = step(state, event)
            costs_us[kind].append((time.thread_time_ns() - started_ns) / 1000)
            if any(isinstance(action, Show) for action in actions):
                started_ns = time.thread_time_ns()
                live_state(state)
                shown_us.append((time.thread_time_ns() - started_ns) / 1000)
    everything = [cost for costs in costs_us.values() for cost in costs]
    return [
        ("core step, mean over all events", statistics.fmean(everything), "us", "<= 100"),
        ("core step for a pose, median", statistics.median(costs_us["pose"]), "us", "<= 100"),
        ("core step for a pose, p99", percentile(costs_us["pose"], 0.99), "us", None),
        ("core step for a load, median", statistics.median(costs_us["load"]), "us", None),
        ("the live state composed, median", statistics.median(shown_us), "us", None),
    ]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
