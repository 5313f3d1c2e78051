"""The posture faults as data: what is measured, from where it is a fault, what the member reads.

Thresholds come from the configuration (``device.config.Faults``); all are ours where docs/accuracy.md
names no source. Values are turned so that more is always worse: knee lockout is judged on minus the
knee's flexion.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from device.config import Faults, Hysteresis, Severe
from device.core import looks
from device.core.posture import Posture
from device.messages import FaultKind, Measure, Priority, Side, Sided


@dataclass(frozen=True, slots=True)
class Limits:
    onset: float
    release: float
    high: float
    high_heavy: float


@dataclass(frozen=True, slots=True)
class Rule:
    """One posture fault, on one side where it has sides."""

    kind: FaultKind
    side: Side | None
    priority: Priority
    """Before severity: ``high`` and ``high_heavy`` in the limits may raise it."""
    sentence: str
    corrected: str
    """What confirms the correction."""
    measure: Measure
    read: Callable[[Posture], float | None]
    """More is worse; unit of the limits."""
    error_keys: tuple[str, ...]
    """Names of the measure in ``Posture.standard_error``."""
    sign: float
    """-1 where small is bad: the peak in the threshold's unit is ``sign`` times the value read."""
    dwell_s: float
    enrolled: Limits
    guest: Limits

    def limits(self, enrolled: bool, posture: Posture) -> Limits:
        """A member's, or a guest's for who has no neutral or looks so unlike theirs that it serves no more."""
        own = enrolled and self.measure not in looks.measures_as_guest(posture.unlike)
        return self.enrolled if own else self.guest


_NEVER = float("inf")


def _limits(section: Hysteresis, sign: float, margin: float) -> Limits:
    severe = section if isinstance(section, Severe) else None
    return Limits(
        onset=sign * section.onset * margin,
        release=sign * section.release * margin,
        high=severe.high * margin if severe else _NEVER,
        high_heavy=severe.high_heavy * margin if severe else _NEVER,
    )


def _greater(pair: Sided) -> float | None:
    if pair.left is None:
        return pair.right
    return pair.left if pair.right is None else max(pair.left, pair.right)


def _rounding(posture: Posture) -> float | None:
    return posture.lumbar_flexion_deg


def _arching(posture: Posture) -> float | None:
    return None if posture.lumbar_flexion_deg is None else -posture.lumbar_flexion_deg


def _valgus_left(posture: Posture) -> float | None:
    return posture.valgus_deg.left


def _valgus_right(posture: Posture) -> float | None:
    return posture.valgus_deg.right


CARRIAGE_ERROR_MOST_M = 0.01
"""A plate that may be a centimetre elsewhere says nothing of locked knees: near straight that is 15 degrees."""


KNEE_ERROR_LEAST_DEG = 3.0
"""Knees known better than this near straight are known by the plate's rise alone, wherever it is (ours)."""


def _straightest(posture: Posture) -> float | None:
    errors = posture.standard_error
    risen = errors.get("knee_flexion_left_deg", math.inf) < KNEE_ERROR_LEAST_DEG
    if errors.get("carriage_m", 0.0) > CARRIAGE_ERROR_MOST_M and not risen:
        return None
    left, right = posture.knee_flexion_deg.left, posture.knee_flexion_deg.right
    if left is None:
        return None if right is None else -right
    return -left if right is None else -min(left, right)


def _slide(posture: Posture) -> float | None:
    return posture.hip_slide_m


def _heels(posture: Posture) -> float | None:
    return _greater(posture.heel_lift_deg)


def rules_of(faults: Faults) -> tuple[Rule, ...]:
    """The enabled posture rules. A guest's limits are ``guest_margin`` wider, but for the absolute knee lockout."""
    rules: list[Rule] = []

    def add(
        section: Hysteresis, kind: FaultKind, side: Side | None, priority: Priority, told: tuple[str, str],
        measure: Measure, read: Callable[[Posture], float | None], error_keys: tuple[str, ...],
    ) -> None:  # fmt: skip
        if not section.enabled:
            return
        absolute = kind == "knee_lockout"
        sign = -1.0 if absolute else 1.0
        guest = _limits(section, sign, 1.0 if absolute else faults.guest_margin)
        rules.append(
            Rule(kind, side, priority, told[0], told[1], measure, read, error_keys, sign, section.dwell_s,
                 _limits(section, sign, 1.0), guest)
        )  # fmt: skip

    add(faults.back_rounding_deg, "back_rounding", None, "medium",
        ("Lower back is rounding - less depth, hips back", "Good - back is flat"),
        "lumbar_flexion", _rounding, ("lumbar_flexion_deg",))  # fmt: skip
    add(faults.back_arching_deg, "back_arching", None, "medium",
        ("Back flat on the pad - brace", "Good - back is flat"),
        "lumbar_flexion", _arching, ("lumbar_flexion_deg",))  # fmt: skip
    add(faults.knee_valgus_deg, "knee_valgus", "left", "medium",
        ("Left knee out", "Good - knees in line"), "valgus", _valgus_left, ("valgus_left_deg",))  # fmt: skip
    add(faults.knee_valgus_deg, "knee_valgus", "right", "medium",
        ("Right knee out", "Good - knees in line"), "valgus", _valgus_right, ("valgus_right_deg",))  # fmt: skip
    add(faults.knee_lockout_deg, "knee_lockout", None, "medium",
        ("Don't lock your knees", "Good - knees soft"),
        # Near straight an angle's error is one-sided and its standard error misleads: taken at its word.
        "knee_flexion", _straightest, ())  # fmt: skip
    add(faults.hips_forward_m, "hips_forward", None, "medium",
        ("Sit back against the pad", "Good - hips are back"), "hip_slide", _slide, ("hip_slide_m",))  # fmt: skip
    add(faults.heel_lift_deg, "heel_lift", None, "low",
        ("Heels down", "Good - heels are down"),
        "heel_lift", _heels, ("heel_lift_left_deg", "heel_lift_right_deg"))  # fmt: skip
    return tuple(rules)
