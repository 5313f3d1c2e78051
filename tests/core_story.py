"""A lifter's visit told to the core: frames, load, seat and ticks on one time line, and what the core made of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from device.config import Camera, Config, Load
from device.core.actions import Action, PlaySound, Publish, Reply, SetLight, Show, StoreAlert
from device.core.events import Event, Stop, Tick
from device.core.live import live_state
from device.core.posture import NeutralProfile, Posture, PostureState
from device.core.state import CoreState
from device.core.step import step
from device.messages import (
    AlertRecord,
    CameraStatus,
    LiveState,
    LoadSample,
    PoseSample,
    RepRecord,
    SeatSample,
    SetRecord,
    Sided,
)

CALIBRATED = Config(load=Load(counts_per_kg=1000.0), cameras=(Camera(calibration=Path("side.toml")),))
ALL_CHECKS = ("knee_flexion", "valgus", "lumbar_flexion", "hip_slide", "foot_placement", "heel_lift", "carriage")
NEUTRAL = NeutralProfile({}, 0.0, 0.25)
START_UTC = "2026-11-23T12:00:00+00:00"

Wanted = TypeVar("Wanted")
Value = float | None | Callable[[float], float | None]
"""A constant, or a function of the depth of the rep (0 top, 1 bottom)."""


def as_measured(
    state: PostureState, sample: PoseSample, neutral: NeutralProfile | None
) -> tuple[PostureState, Posture]:
    """In place of ``judge``: the measures as they stand in the sample, for tests of what follows from them."""
    return state, Posture(
        sample.carriage_m, sample.knee_flexion_deg, sample.hip_flexion_deg, sample.valgus_deg,
        sample.lumbar_flexion_deg, sample.hip_slide_m, sample.heel_lift_deg, sample.foot_placement,
        sample.standard_error, sample.checks if sample.person else (),
    )  # fmt: skip


def at_depth(value: Value, depth: float) -> float | None:
    return value(depth) if callable(value) else value


@dataclass
class Story:
    """Starts at 100 s with an enrolled guest in view, unless told otherwise."""

    config: Config = CALIBRATED
    fps: float = 20.0
    t_s: float = 100.0
    enrolled: bool = True
    load_kg: float | None = None
    """None: the cell says nothing."""
    seat: SeatSample | None = None
    measures: dict[str, Value] = field(default_factory=dict)
    done: list[tuple[float, Action]] = field(default_factory=list)
    lives: list[LiveState] = field(default_factory=list)
    """What the screens were shown."""
    state: CoreState = field(init=False)
    last_tick_s: float = -math.inf
    wall_utc: str = START_UTC
    """What each tick says."""
    seq: int = 0

    def __post_init__(self) -> None:
        self.state = CoreState.initial(self.config, "test")
        if self.enrolled:
            self.state = self.state._replace(lifter=replace(self.state.lifter, neutral=NEUTRAL))

    def of(self, kind: type[Wanted]) -> list[Wanted]:
        """The actions of this kind so far."""
        return [action for _, action in self.done if isinstance(action, kind)]

    def tell(self, event: Event) -> tuple[Action, ...]:
        self.state, actions = step(self.state, event)
        self.done += [(self.t_s, action) for action in actions]
        self.lives += [live_state(self.state) for action in actions if isinstance(action, Show)]
        return actions

    def forget(self) -> None:
        """Only what comes from now on is of interest."""
        self.done.clear()
        self.lives.clear()

    def sample(self, carriage_m: float | None = 0.0, depth: float = 0.0, *, person: bool = True) -> PoseSample:
        def get(name: str, otherwise: Value) -> float | None:
            return at_depth(self.measures.get(name, otherwise), depth)

        knee = get("knee", 15.0 + 80.0 * depth)
        foot, heel = get("foot", 0.475), get("heel", 0.0)
        self.seq += 1
        return PoseSample(
            seq=self.seq,
            t_s=self.t_s,
            person=person,
            cameras=(CameraStatus("side", "side", "ok", self.fps, 0, 0.03),),
            checks=ALL_CHECKS,
            knee_flexion_deg=Sided(knee, knee),
            valgus_deg=Sided(get("valgus_left", 0.0), get("valgus_right", 0.0)),
            lumbar_flexion_deg=get("lumbar", 0.0),
            hip_slide_m=get("slide", 0.0),
            foot_placement=Sided(foot, foot),
            heel_lift_deg=Sided(heel, heel),
            carriage_m=carriage_m,
            figure={"hip_left": (0.1, 0.0, 0.5)},
        )

    def frame(
        self, carriage_m: float | None = 0.0, depth: float = 0.0, *, person: bool = True, pose: bool = True
    ) -> None:
        """One frame's time: the tick where due, load, seat, then the pose."""
        if self.t_s - self.last_tick_s >= 0.0999:
            self.last_tick_s = self.t_s
            self.tell(Tick(self.t_s, self.wall_utc))
        if self.load_kg is not None:
            self.tell(LoadSample(self.t_s, 1, self.load_kg, "ok"))
        if self.seat is not None:
            self.tell(replace(self.seat, t_s=self.t_s))
        if pose:
            self.tell(self.sample(carriage_m, depth, person=person))
        self.t_s += 1.0 / self.fps

    def wait(self, seconds: float, *, person: bool = True, pose: bool = True, carriage_m: float = 0.0) -> Story:
        for _ in range(round(seconds * self.fps)):
            self.frame(carriage_m, person=person, pose=pose)
        return self

    def rep(
        self, rom_m: float = 0.25, down_s: float = 1.2, up_s: float = 1.0, rest_s: float = 0.5, *, depth: float = 1.0
    ) -> Story:
        """One rep of ``depth`` (share of the full depth), then the pause at the top."""
        start_s = self.t_s
        while self.t_s - start_s < down_s + 0.15 + up_s:
            t = self.t_s - start_s
            u = t / down_s if t < down_s else 1.0 if t < down_s + 0.15 else 1.0 - (t - down_s - 0.15) / up_s
            at = depth * (0.5 - 0.5 * math.cos(math.pi * min(max(u, 0.0), 1.0)))
            self.frame(rom_m * at, at)
        return self.wait(rest_s)

    def reps(self, count: int) -> Story:
        for _ in range(count):
            self.rep()
        return self

    def stop(self) -> Story:
        self.tell(Stop(self.t_s))
        return self

    @property
    def live(self) -> LiveState:
        return self.lives[-1]

    @property
    def rep_records(self) -> list[RepRecord]:
        return [a.record for _, a in self.done if isinstance(a, Publish) and isinstance(a.record, RepRecord)]

    @property
    def set_records(self) -> list[SetRecord]:
        return [a.record for _, a in self.done if isinstance(a, Publish) and isinstance(a.record, SetRecord)]

    @property
    def alerts(self) -> list[AlertRecord]:
        """Every alert as it last stood, in the order of their onsets."""
        last: dict[str, AlertRecord] = {}
        for _, action in self.done:
            if isinstance(action, Publish) and isinstance(action.record, AlertRecord):
                last[action.record.alert_id] = action.record
        return list(last.values())

    @property
    def alert_kinds(self) -> list[str]:
        return [alert.kind for alert in self.alerts]

    @property
    def sounds(self) -> list[str | None]:
        return [action.pattern for _, action in self.done if isinstance(action, PlaySound)]

    @property
    def heard(self) -> list[str]:
        return [sound for sound in self.sounds if sound is not None]

    @property
    def lights(self) -> list[tuple[str, str]]:
        return [(action.colour, action.flash) for _, action in self.done if isinstance(action, SetLight)]

    @property
    def replies(self) -> list[Reply]:
        return [action for _, action in self.done if isinstance(action, Reply)]

    @property
    def replays(self) -> list[StoreAlert]:
        return [action for _, action in self.done if isinstance(action, StoreAlert) and action.replay]
