"""The virtual leg press's timeline: what every camera shows and every sensor feels, as a function of time alone.

One pass: settle (the seat is set) - enrolment (two neutral reps) - rest - set - rest; further passes repeat the set
and its rest. All processes read one clock: a start moment in a file of the runtime folder.
"""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from device.carriage_track import Track
from device.config import Camera, Config, Load, Simulation
from device.errors import RunError, UserError
from device.messages import Command, Goal, View
from device.scenario_clock import ScenarioClock

__all__ = ["Moment", "Scenario", "ScenarioCamera", "ScenarioClock", "Scripted", "Shown", "load_scenario"]

FOLDER = Path(__file__).parent / "simulation" / "scenarios"
NAMES = ("clean", "rounding", "valgus", "mixed")
"""What ``--scenario`` offers."""

SETTLE_S = 3.0
REST_S = 7.0
"""Longer than ``cueing.set_ends_after_s``, so that a set ends in it."""
UNRACK_S, RERACK_S, TAKE_S = 0.8, 0.2, 0.4
"""The lifter takes the load this long before a clip, racks it this long after; either takes ``TAKE_S``."""
SEAT_MOVES_S = (0.8, 2.0)
GRAVITY_M_S2 = 9.80665

CELL_COUNTS_PER_KG = 8000.0
"""The virtual cell: 500 kg, 2 mV/V, channel A at gain 128, to about 0.1 %."""
CELL_TARE_COUNTS = 84_213

Segment = Literal["settle", "enrolment", "rest", "set", "end"]
ClipKind = Literal["enrolment", "set"]


class _CameraEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    view: View


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str
    member: str
    goal: Goal
    rail_deg: float
    enrolment_kg: float
    set_kg: float
    seat_from_notch: int
    seat_notch: int
    cameras: tuple[_CameraEntry, ...] = Field(min_length=1, max_length=2)


class _CarriageFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    frames_per_s: float = Field(gt=0)
    set_m: tuple[float, ...] = Field(min_length=5)
    enrolment_m: tuple[float, ...] = Field(min_length=5)


@dataclass(frozen=True, slots=True)
class ScenarioCamera:
    name: str
    view: View
    clip: Path
    neutral: Path
    calibration: Path
    truth: Path


@dataclass(frozen=True, slots=True)
class Shown:
    """What one camera sees: this frame of this file."""

    clip: Path
    frame: int
    clip_t_s: float


@dataclass(frozen=True, slots=True)
class Moment:
    """The machine at one moment. ``clip`` is shown at ``clip_t_s``, and stands still outside enrolment and set."""

    segment: Segment
    clip: ClipKind
    clip_t_s: float
    carriage_m: float
    speed_m_s: float
    acceleration_m_s2: float
    sled_kg: float
    """Mass that the lifter carries; 0 while the sled is racked."""
    cell_kgf: float
    """Force on a cell under the plate, inertia included."""
    stack_kgf: float
    """Force on a cell at the stack, inertia included."""
    seat_place: float
    """In notches: 4.0 = in notch 4, 3.5 = half-way from notch 3."""


@dataclass(frozen=True, slots=True)
class Scripted:
    """Something that the member does on the kiosk, ``t_s`` after the start."""

    t_s: float
    command: Command


@dataclass(frozen=True, slots=True)
class Scenario:
    """One bundled set with everything a virtual machine needs. Make it with ``load_scenario``."""

    name: str
    title: str
    member: str
    goal: Goal
    rail_deg: float
    enrolment_kg: float
    set_kg: float
    seat_from_notch: int
    seat_notch: int
    cameras: tuple[ScenarioCamera, ...]
    enrolment: Track
    set: Track

    @property
    def enrolment_start_s(self) -> float:
        return SETTLE_S

    @property
    def set_start_s(self) -> float:
        return SETTLE_S + self.enrolment.length_s + REST_S

    @property
    def pass_s(self) -> float:
        """Length of one pass, its last rest included."""
        return self.set_start_s + self.set.length_s + REST_S

    @property
    def script(self) -> tuple[Scripted, ...]:
        return (
            Scripted(0.6, Command("tag", self.member)),
            Scripted(0.9, Command("goal", self.goal)),
            Scripted(2.2, Command("enrol")),
        )

    def finished(self, elapsed_s: float, once: bool) -> bool:
        return once and elapsed_s >= self.pass_s

    def moment(self, elapsed_s: float, once: bool = False) -> Moment:
        """The machine ``elapsed_s`` after the start; before it as at it. ``once``: the end stands still for ever."""
        t_s = self._within_pass(max(0.0, elapsed_s), once)
        segment, clip, clip_t_s = self._playing(t_s)
        track = self.enrolment if clip == "enrolment" else self.set
        place_m, speed_m_s, acceleration_m_s2 = track.at(clip_t_s)
        if segment not in ("enrolment", "set"):
            speed_m_s = acceleration_m_s2 = 0.0
        sled_kg = self._carried_kg(t_s, repeated=elapsed_s >= self.pass_s, once=once)
        # lowering faster and faster, the lifter carries less than the weight along the rails
        inertia = acceleration_m_s2 / GRAVITY_M_S2
        return Moment(
            "end" if self.finished(elapsed_s, once) else segment,
            clip,
            clip_t_s,
            place_m,
            speed_m_s,
            acceleration_m_s2,
            sled_kg,
            sled_kg * (math.sin(math.radians(self.rail_deg)) - inertia),
            sled_kg * (1.0 - inertia),
            self._seat_place(max(0.0, elapsed_s)),
        )

    def shown(self, camera: str, elapsed_s: float, once: bool = False) -> Shown:
        """The frame that ``camera`` sees. Raises KeyError for a camera that the scenario has not."""
        chosen = {entry.name: entry for entry in self.cameras}[camera]
        _, clip, clip_t_s = self._playing(self._within_pass(max(0.0, elapsed_s), once))
        track = self.enrolment if clip == "enrolment" else self.set
        frame = min(int(clip_t_s * track.frames_per_s + 1e-6), len(track.place_m) - 1)
        return Shown(chosen.neutral if clip == "enrolment" else chosen.clip, frame, clip_t_s)

    def configure(self, config: Config) -> Config:
        """``config`` with what belongs to this virtual machine: pin factory, load calibration, cameras, simulation."""
        load = Load(
            location="plate", counts_per_kg=CELL_COUNTS_PER_KG, tare_counts=CELL_TARE_COUNTS, rail_deg=self.rail_deg
        )
        cameras = tuple(
            Camera(name=camera.name, source="scenario", calibration=camera.calibration) for camera in self.cameras
        )
        named = Simulation.model_validate(
            {**config.simulation.model_dump(), "scenario": self.name if self.name in NAMES else None}
        )
        pins = config.pins.model_copy(update={"factory": "mock"})
        return config.model_copy(update={"pins": pins, "load": load, "cameras": cameras, "simulation": named})

    def _within_pass(self, elapsed_s: float, once: bool) -> float:
        if elapsed_s < self.pass_s:
            return elapsed_s
        if once:
            return self.pass_s
        return self.set_start_s + (elapsed_s - self.set_start_s) % (self.pass_s - self.set_start_s)

    def _playing(self, t_s: float) -> tuple[Segment, ClipKind, float]:
        last_enrolment_s = self.enrolment.length_s - 1 / self.enrolment.frames_per_s
        enrolment_t_s = t_s - self.enrolment_start_s
        set_t_s = t_s - self.set_start_s
        if enrolment_t_s < 0:
            return "settle", "enrolment", 0.0
        if enrolment_t_s < self.enrolment.length_s:
            return "enrolment", "enrolment", min(enrolment_t_s, last_enrolment_s)
        if set_t_s < 0:
            # the lifter of the set sits ready for the second half of the rest
            return ("rest", "enrolment", last_enrolment_s) if set_t_s < -REST_S / 2 else ("rest", "set", 0.0)
        last_s = self.set.length_s - 1 / self.set.frames_per_s
        return ("set" if set_t_s < self.set.length_s else "rest"), "set", min(set_t_s, last_s)

    def _carried_kg(self, t_s: float, repeated: bool, once: bool) -> float:
        set_end_s = self.set_start_s + self.set.length_s
        share = _taken(t_s, self.set_start_s, begun=repeated and not once) - _racked(t_s, set_end_s)
        if not once:
            share += _taken(t_s, self.pass_s)
        if repeated:
            return self.set_kg * share
        enrolment_end_s = self.enrolment_start_s + self.enrolment.length_s
        enrolment_share = _taken(t_s, self.enrolment_start_s) - _racked(t_s, enrolment_end_s)
        return self.set_kg * share + self.enrolment_kg * enrolment_share

    def _seat_place(self, t_s: float) -> float:
        part = _smooth((t_s - SEAT_MOVES_S[0]) / (SEAT_MOVES_S[1] - SEAT_MOVES_S[0]))
        return self.seat_from_notch + part * (self.seat_notch - self.seat_from_notch)


def _smooth(x: float) -> float:
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)


def _taken(t_s: float, start_s: float, begun: bool = False) -> float:
    """0 to 1 while the lifter takes the load before a clip that starts at ``start_s``."""
    return 1.0 if begun else _smooth((t_s - (start_s - UNRACK_S)) / TAKE_S)


def _racked(t_s: float, end_s: float) -> float:
    """0 to 1 while the lifter racks the load after a clip that ends at ``end_s``."""
    return _smooth((t_s - (end_s + RERACK_S)) / TAKE_S)


def load_scenario(name: str, folder: Path = FOLDER) -> Scenario:
    """Read the scenario called ``name``. Raises UserError for an unknown name, RunError for a damaged installation."""
    place = folder / name
    if not name.isidentifier() or not (place / "scenario.toml").is_file():
        raise UserError(f"unknown scenario {name!r}: allowed are {', '.join(NAMES)}")
    try:
        manifest = _Manifest.model_validate(tomllib.loads((place / "scenario.toml").read_text("utf-8")))
        carriage = _CarriageFile.model_validate(json.loads((place / "carriage.json").read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError, json.JSONDecodeError, ValidationError) as error:
        reason = str(error).replace("\n", " ")
        raise RunError(f"scenario {name!r} in {place} cannot be read, reinstall legpress: {reason}") from error
    return Scenario(
        name=name,
        cameras=tuple(_camera(place, entry) for entry in manifest.cameras),
        enrolment=Track.through(carriage.frames_per_s, carriage.enrolment_m),
        set=Track.through(carriage.frames_per_s, carriage.set_m),
        **manifest.model_dump(exclude={"cameras"}),
    )


def _camera(place: Path, entry: _CameraEntry) -> ScenarioCamera:
    stem = place / entry.name
    return ScenarioCamera(
        entry.name,
        entry.view,
        stem.with_suffix(".mp4"),
        stem.with_suffix(".neutral.mp4"),
        stem.with_suffix(".calibration.toml"),
        stem.with_suffix(".truth.json"),
    )
