"""What the rep tracker tells: a rep began, turned, ended, or was given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RepPhase = Literal["top", "eccentric", "bottom", "concentric"]


@dataclass(frozen=True, slots=True)
class RepShape:
    """One finished rep: times (s, monotonic), range of motion (m), speeds (m/s); None where only the knee was seen."""

    t_start_s: float
    t_bottom_s: float
    t_end_s: float
    eccentric_s: float
    concentric_s: float
    rom_m: float | None
    travel_m: float
    """As ``rom_m``, but also when estimated from the knee: for comparing reps with each other."""
    mean_speed_m_s: float | None
    """Of the concentric."""
    peak_speed_m_s: float | None
    eccentric_peak_m_s: float | None
    largest_gap_s: float


@dataclass(frozen=True, slots=True)
class RepBegan:
    t_start_s: float


@dataclass(frozen=True, slots=True)
class RepBottom:
    """The carriage has turned: what is known of the lowering."""

    t_bottom_s: float
    eccentric_s: float
    travel_m: float
    peak_m_s: float | None


@dataclass(frozen=True, slots=True)
class RepGivenUp:
    """A lowering that was never pressed back, or was lost from sight."""


RepSignal = RepBegan | RepBottom | RepShape | RepGivenUp
