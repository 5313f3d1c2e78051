"""What the core asks of the shell that runs it. Every action is plain data; the shell only translates."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from device.core.posture import NeutralProfile
from device.messages import AlertRecord, Colour, Command, Goal, Point, RepRecord, SetRecord, Sided

Flash = Literal["steady", "slow", "fast"]
"""Slow and fast are the flash rates of medium and high priority (IEC 60601-1-8: 0.4-0.8 and 1.4-2.8 Hz)."""


@dataclass(frozen=True, slots=True)
class PlaySound:
    """Start a sound pattern from its beginning, in place of the one playing; None = silence.

    Names: ``PRIORITY:FAULT_KIND`` (``high:back_rounding``), ``confirm``, ``help``. A pattern may play
    once or repeat: the core sends None when it must end.
    """

    pattern: str | None


@dataclass(frozen=True, slots=True)
class SetLight:
    colour: Colour
    flash: Flash


@dataclass(frozen=True, slots=True)
class Show:
    """Publish the live state (``device.core.live.live_state`` of the state after this step): it changed or is due."""


@dataclass(frozen=True, slots=True)
class Publish:
    record: RepRecord | AlertRecord | SetRecord


@dataclass(frozen=True, slots=True)
class StoreSet:
    """Insert the set, or bring it up to date (same ``set_id``): at its start and at its end."""

    set: SetRecord


@dataclass(frozen=True, slots=True)
class ReplayFrame:
    """One moment of an alert's replay: landmarks and measures only, never an image."""

    t_s: float
    joints: tuple[str, ...]
    """Of the stick figure; one tuple for all frames that have the same."""
    places: bytes
    """x, y, z of each joint (m) as doubles: a sixth of what ``figure`` takes, and two hundred frames are kept."""
    knee_flexion_deg: Sided
    valgus_deg: Sided
    lumbar_flexion_deg: float | None
    carriage_m: float | None
    load_kg: float | None

    @property
    def figure(self) -> dict[str, Point]:
        return dict(zip(self.joints, struct.iter_unpack("3d", self.places), strict=True))


@dataclass(frozen=True, slots=True)
class StoreRep:
    """One transaction: the rep, its set inserted or brought up to date, and how the rep moved.

    ``motion`` holds the frames from the rep's start to its end; ``with_figure`` asks to keep the stick figures too.
    """

    rep: RepRecord
    set: SetRecord
    motion: tuple[ReplayFrame, ...] = ()
    with_figure: bool = False


@dataclass(frozen=True, slots=True)
class StoreAlert:
    """Insert the alert at its onset, or bring it up to date (same ``alert_id``): at its release, and with its replay.

    ``replay`` is empty but once, five seconds after the onset: then it holds the five seconds before and after.
    """

    alert: AlertRecord
    replay: tuple[ReplayFrame, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreNeutral:
    """A member has shown their neutral."""

    tag: str
    neutral: NeutralProfile
    goal: Goal
    seat_notch: int | None
    created_utc: str


@dataclass(frozen=True, slots=True)
class RecallMember:
    """Ask the store what it knows of this tag; the answer is ``MemberRecalled``."""

    tag: str


@dataclass(frozen=True, slots=True)
class StoreChange:
    """A wish that only the store can carry out (review, deletion, audit entry); the answer is ``StoreAnswer``."""

    command: Command
    at_utc: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a command that carried an id."""

    command_id: str
    ok: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Tare:
    """Take the load path's present reading as zero."""


@dataclass(frozen=True, slots=True)
class EndDemo:
    """The process was asked to end: the demonstration for good, a machine's to be started again by its supervisor."""


@dataclass(frozen=True, slots=True)
class Calibrate:
    """Measure, keep or undo a calibration of the load or the seat (``device.calibration_desk``), and answer."""

    command_id: str
    request: str | None
    only_show: bool = False
    """Somebody may be lifting: nothing but what is in force may be asked."""


@dataclass(frozen=True, slots=True)
class KeepBackup:
    """Back the database up, restore one, or tell how that goes (``device.backup_desk``), and answer."""

    command: Command


Action = (
    PlaySound
    | SetLight
    | Show
    | Publish
    | StoreSet
    | StoreRep
    | StoreAlert
    | StoreNeutral
    | RecallMember
    | StoreChange
    | Reply
    | Tare
    | Calibrate
    | KeepBackup
    | EndDemo
)
