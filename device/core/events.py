"""What the core is told: samples and commands (``device.messages``), and the five records below."""

from __future__ import annotations

from dataclasses import dataclass

from device.core.posture import NeutralProfile
from device.messages import ButtonPressed, CarriageSample, Command, LoadSample, PadSample, PoseSample, SeatSample


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes: about every 100 ms. Only ticks notice what has fallen silent."""

    t_s: float
    """Monotonic."""
    time_utc: str
    """The wall clock at ``t_s``, ISO 8601 with offset, for what people read."""


@dataclass(frozen=True, slots=True)
class MemberRecalled:
    """The store's answer to ``RecallMember``. ``tag`` None sets a guest's neutral (``legpress analyze``)."""

    tag: str | None
    neutral: NeutralProfile | None = None
    usual_load_kg: float | None = None
    """Usual working load, mass on the sled."""
    last_seat_notch: int | None = None


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """The database took a write (``ok``), or could not; ``detail`` is a sentence for a person."""

    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """The store carried out the ``StoreChange`` of this command, or says in one sentence why not."""

    command_id: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """The end of the recording or of the process: open faults, reps, sets and replays are closed."""

    t_s: float


Event = (
    PoseSample
    | LoadSample
    | SeatSample
    | CarriageSample
    | PadSample
    | ButtonPressed
    | Command
    | Tick
    | MemberRecalled
    | StoreStatus
    | StoreAnswer
    | Stop
)
