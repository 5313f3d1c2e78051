"""The member's neutral, and what a frame shows against it.

What limits a camera's verdict is not noise but an offset that differs from person to person and drifts
along the movement. A clean rep of the same member shows that offset at every carriage position, so the
measures judged here are contrasts: this frame minus the member's own clean rep at the same carriage
position, through weights learned on rendered lifters (``device.core.posture_weights``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from device.core.neutral_curve import Curve, CurveError, fit_curve
from device.core.posture_weights import (
    LUMBAR_WEIGHTS,
    NEUTRAL_LUMBAR_DEG,
    NEUTRAL_VALGUS_DEG,
    STANDARD_ERRORS,
    VALGUS_WEIGHTS,
)
from device.messages import Measure, PoseSample, Sided

PROFILE_VERSION = 1
SMOOTHING = 0.6
"""Share of the newest frame in the running average of a measure: lags by less than one frame."""
MIN_FRAMES = 20
MIN_TRAVEL_M = 0.12
QUIET_FRAMES = 12


class NeutralError(ValueError):
    """The enrolment reps cannot serve as a neutral; the text is a sentence for the member or staff."""


@dataclass(frozen=True, slots=True)
class NeutralProfile:
    """A member's clean reps: for every cue and measure its course along the carriage's travel."""

    curves: Mapping[str, Curve]
    top_m: float
    """Carriage at the top of the clean reps (machine frame, + = lowered)."""
    bottom_m: float

    def to_dict(self) -> dict[str, Any]:
        return {"version": PROFILE_VERSION, "top_m": self.top_m, "bottom_m": self.bottom_m,
                "curves": {name: curve.to_list() for name, curve in self.curves.items()}}  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NeutralProfile:
        """Raises NeutralError if the data are not a profile of this version."""
        try:
            if data["version"] != PROFILE_VERSION:
                raise NeutralError(f"the stored neutral has version {data['version']!r}, wanted {PROFILE_VERSION}: enrol again")
            curves = {str(name): Curve.from_list(values) for name, values in data["curves"].items()}
            return cls(curves, float(data["top_m"]), float(data["bottom_m"]))
        except (KeyError, TypeError, AttributeError, CurveError) as problem:
            raise NeutralError(f"the stored neutral cannot be read ({problem!r}): enrol again") from problem


@dataclass(frozen=True, slots=True)
class Posture:
    """What is judged: contrasted, gain-corrected measures of one frame. None = unknown."""

    carriage_m: float | None = None
    knee_flexion_deg: Sided = Sided()
    hip_flexion_deg: Sided = Sided()
    valgus_deg: Sided = Sided()
    lumbar_flexion_deg: float | None = None
    hip_slide_m: float | None = None
    heel_lift_deg: Sided = Sided()
    foot_placement: Sided = Sided()
    standard_error: dict[str, float] = field(default_factory=dict)
    checks: tuple[Measure, ...] = ()


@dataclass(frozen=True, slots=True)
class PostureState:
    """Running averages, by measure, and the frame times they belong to."""

    smooth: Mapping[str, float] = field(default_factory=dict)
    t_s: float = float("-inf")


def contrast(sample: PoseSample, neutral: NeutralProfile) -> dict[str, float]:
    """Every cue minus the member's neutral at this carriage position."""
    if sample.carriage_m is None:
        return {}
    curves, at_m = neutral.curves, sample.carriage_m
    return {name: value - curves[name].at(at_m) for name, value in sample.cues.items() if name in curves}


def _weighted(differences: Mapping[str, float], weights: Mapping[str, float]) -> float | None:
    total = 0.0
    for name, weight in weights.items():
        difference = differences.get(name)
        if difference is None:
            return None
        total += weight * difference
    return total


def _valgus(sample: PoseSample, differences: Mapping[str, float], neutral: NeutralProfile | None) -> Sided:
    if "valgus" not in sample.checks:
        return Sided()
    if neutral is None or sample.carriage_m is None:
        return sample.valgus_deg
    out: list[float | None] = []
    for side in ("left", "right"):
        change = _weighted(differences, VALGUS_WEIGHTS[side])
        out.append(None if change is None else NEUTRAL_VALGUS_DEG + change)
    return Sided(out[0], out[1])


def _lumbar(sample: PoseSample, differences: Mapping[str, float], neutral: NeutralProfile | None) -> float | None:
    if "lumbar_flexion" not in sample.checks or neutral is None:
        return None
    change = _weighted(differences, LUMBAR_WEIGHTS)
    return None if change is None else NEUTRAL_LUMBAR_DEG + change


def judge(state: PostureState, sample: PoseSample, neutral: NeutralProfile | None) -> tuple[PostureState, Posture]:
    """One frame against the neutral; ``None`` = a guest, judged against the calibrated machine."""
    if not sample.person:
        return PostureState(), Posture(carriage_m=sample.carriage_m)
    differences = contrast(sample, neutral) if neutral is not None else {}
    valgus = _valgus(sample, differences, neutral)
    lumbar = _lumbar(sample, differences, neutral)
    slide = sample.hip_slide_m
    if slide is not None and neutral is not None and "hip_slide_m" in neutral.curves and sample.carriage_m is not None:
        slide -= neutral.curves["hip_slide_m"].at(sample.carriage_m)
    state, smooth = _smoothed(state, sample.t_s, {"valgus_left": valgus.left, "valgus_right": valgus.right, "lumbar": lumbar, "slide": slide})
    return state, Posture(
        carriage_m=sample.carriage_m, knee_flexion_deg=sample.knee_flexion_deg, hip_flexion_deg=sample.hip_flexion_deg,
        valgus_deg=Sided(smooth["valgus_left"], smooth["valgus_right"]), lumbar_flexion_deg=smooth["lumbar"],
        hip_slide_m=smooth["slide"], heel_lift_deg=sample.heel_lift_deg, foot_placement=sample.foot_placement,
        standard_error=dict(STANDARD_ERRORS), checks=sample.checks,
    )  # fmt: skip


def _smoothed(state: PostureState, t_s: float, values: Mapping[str, float | None]) -> tuple[PostureState, dict[str, float | None]]:
    out: dict[str, float | None] = {}
    smooth: dict[str, float] = {}
    recent = 0 <= t_s - state.t_s < 0.3
    for name, value in values.items():
        before = state.smooth.get(name) if recent else None
        if value is not None:
            value = value if before is None else before + SMOOTHING * (value - before)
            smooth[name] = value
        out[name] = value
    return PostureState(smooth, t_s), out


def learn_neutral(samples: Sequence[PoseSample]) -> NeutralProfile:
    """The neutral from two clean, slow reps. Raises NeutralError with a sentence if they are unusable."""
    seen = [s for s in samples if s.person and s.carriage_m is not None]
    if len(seen) < MIN_FRAMES:
        raise NeutralError(f"you were seen in {len(seen)} frames only, at least {MIN_FRAMES} are needed: sit back and repeat the two reps")
    places = sorted(s.carriage_m for s in seen if s.carriage_m is not None)
    low, high = places[len(places) // 50], places[-1 - len(places) // 50]
    if high - low < MIN_TRAVEL_M:
        raise NeutralError(f"the carriage moved {100 * (high - low):.0f} cm, at least {100 * MIN_TRAVEL_M:.0f} cm are needed: repeat the two reps, a little deeper")
    columns: dict[str, list[tuple[float, float]]] = {}
    for sample in seen:
        for name, value in _learnable(sample).items():
            columns.setdefault(name, []).append((sample.carriage_m or 0.0, value))
    curves = {name: fit_curve(points, low, high) for name, points in columns.items() if len(points) >= MIN_FRAMES}
    return NeutralProfile(curves, low, high)


def _learnable(sample: PoseSample) -> dict[str, float]:
    out = dict(sample.cues)
    for name, value in (("knee_flexion_left_deg", sample.knee_flexion_deg.left), ("knee_flexion_right_deg", sample.knee_flexion_deg.right),
                        ("hip_slide_m", sample.hip_slide_m)):
        if value is not None:
            out[name] = value
    return out
