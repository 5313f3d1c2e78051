"""Sound patterns as plain data: priority and fault are told apart by rhythm alone, for most buzzers have one pitch.

A tonal buzzer adds a pitch to each pulse: higher with priority, rising for a correction, falling for a call.

Within the limits of IEC 60601-1-8 as EVIDENCE gives them: high priority a burst of 10 pulses of 75-200 ms,
medium 3 pulses of 125-250 ms; low is ours within its habit of one or two pulses. The rhythms themselves are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from device.errors import UserError
from device.messages import FaultKind, Priority


@dataclass(frozen=True, slots=True)
class Pattern:
    """Pulses (s high) and the pauses (s low) between them: one pause fewer than pulses. Plays once, or again and again
    with ``repeat_pause_s`` between the end of a burst and the next."""

    pulses_s: tuple[float, ...]
    pauses_s: tuple[float, ...]
    repeat_pause_s: float | None = None
    pitches: tuple[float, ...] = ()
    """Of each pulse, times the tonal buzzer's base tone; empty = all 1."""

    def __post_init__(self) -> None:
        if len(self.pauses_s) != len(self.pulses_s) - 1:
            raise ValueError(
                f"{len(self.pulses_s)} pulses need {len(self.pulses_s) - 1} pauses, not {len(self.pauses_s)}"
            )
        if self.pitches and len(self.pitches) != len(self.pulses_s):
            raise ValueError(f"{len(self.pulses_s)} pulses need {len(self.pulses_s)} pitches, not {len(self.pitches)}")

    @property
    def burst_s(self) -> float:
        return sum(self.pulses_s) + sum(self.pauses_s)


HIGH_PITCHES: Final = (1.0, 1.25, 1.5, 1.25, 1.5) * 2
"""A major triad over the standard's three and two pulses (ours)."""


def _even(count: int, pulse_s: float, pause_s: float) -> Pattern:
    return Pattern((pulse_s,) * count, (pause_s,) * (count - 1))


def _high(pulse_s: float, short_s: float, long_s: float) -> Pattern:
    """The standard's ten: three and two pulses, and the same again after a longer breath; repeated while it lasts."""
    group = (short_s, short_s, long_s, short_s)
    return Pattern((pulse_s,) * 10, (*group, 0.4, *group), repeat_pause_s=2.5, pitches=HIGH_PITCHES)


HIGH_GENERIC: Final = _high(0.15, 0.08, 0.25)
MEDIUM_GENERIC: Final = _even(3, 0.2, 0.2)
LOW_GENERIC: Final = Pattern((0.15,), ())

HIGH: Final[dict[FaultKind, Pattern]] = {
    "back_rounding": _high(0.15, 0.08, 0.25),
    "knee_valgus": _high(0.08, 0.05, 0.20),
    "seat_unlocked": _high(0.20, 0.12, 0.35),
    "overload": _high(0.20, 0.05, 0.15),
}
MEDIUM: Final[dict[FaultKind, Pattern]] = {
    "back_rounding": _even(3, 0.22, 0.15),
    "back_arching": _even(3, 0.22, 0.25),
    "knee_valgus": _even(3, 0.13, 0.13),
    "knee_lockout": Pattern((0.25, 0.13, 0.13), (0.13, 0.13)),
    "hips_forward": Pattern((0.13, 0.13, 0.25), (0.13, 0.13)),
    "load_dropped": Pattern((0.13, 0.25, 0.13), (0.13, 0.13)),
    "overload": Pattern((0.25, 0.13, 0.25), (0.13, 0.13)),
    "seat_unlocked": Pattern((0.13, 0.13, 0.13), (0.25, 0.13)),
}
LOW: Final[dict[FaultKind, Pattern]] = {
    "heel_lift": _even(2, 0.13, 0.13),
    "fast_drop": _even(2, 0.20, 0.13),
    "partial_depth": Pattern((0.13, 0.25), (0.13,)),
    "feet_mismatch": Pattern((0.25, 0.13), (0.13,)),
    "seat_misfit": Pattern((0.25,), ()),
}
CONFIRM: Final = Pattern((0.05, 0.09, 0.16), (0.05, 0.05), pitches=(1.0, 1.25, 1.5))
"""Corrected: rises, with one pitch by growing longer; over in 0.4 s and unlike any burst."""
HELP: Final = Pattern((0.5, 0.5), (0.25,), repeat_pause_s=8.0, pitches=(1.25, 1.0))
"""Staff called: slow and long, until answered."""

_BY_PRIORITY: Final[dict[Priority, tuple[dict[FaultKind, Pattern], Pattern]]] = {
    "high": (HIGH, HIGH_GENERIC),
    "medium": (MEDIUM, MEDIUM_GENERIC),
    "low": (LOW, LOW_GENERIC),
}


def pattern(name: str) -> Pattern:
    """The pattern called ``PRIORITY:FAULT_KIND``, ``confirm`` or ``help``. A fault without a rhythm of its own has its
    priority's. Raises UserError for any other name."""
    if name == "confirm":
        return CONFIRM
    if name == "help":
        return HELP
    for priority, (own, generic) in _BY_PRIORITY.items():
        if name.startswith(f"{priority}:"):
            return next((found for kind, found in own.items() if name == f"{priority}:{kind}"), generic)
    raise UserError(
        f"unknown sound {name!r}: allowed are confirm, help, and high:, medium: or low: with a fault's name"
    )
