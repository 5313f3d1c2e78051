"""The member's neutral, and what a frame shows against it.

What limits a camera's verdict is not noise but an offset that differs from person to person and drifts
along the movement. A clean rep of the same member shows that offset at every carriage position, so the
measures judged here are contrasts: this frame minus the member's own clean rep at the same carriage
position, through readings learned on rendered lifters (``vision.window``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from device.core import looks
from device.core.guest_reference import SHALLOW, GuestReference
from device.core.heels import heel_deg
from device.core.looks import Unlike
from device.core.neutral_curve import DEGREE, Curve, CurveError, fit_curve
from device.messages import CARRIAGE_CORRECTED, Measure, PoseSample, Sided, View

PROFILE_VERSION = 1
SMOOTHING = 0.6
"""Share of the newest frame in the running average of a measure: lags by less than one frame."""
MIN_FRAMES = 20
MIN_TRAVEL_M = 0.12
READINGS = ("lumbar", "valgus_left", "valgus_right")
NEUTRAL_DEG = {"lumbar": 0.5, "valgus_left": -1.2, "valgus_right": -1.2}
"""About the middle of what the renderer gives clean reps; assumed, not measured."""
GAINS = {"lumbar": 1.2, "valgus_left": 1.05, "valgus_right": 1.05}
"""What the readings show of the truth, undone; chosen on rendered clips (docs/accuracy.md)."""
OUTLINE_SHARE = 0.3
"""Of the lifter's outline (``vision.silhouette``) in the lumbar reading: it errs elsewhere than the window does."""
CURVE_DEGREES = {"lumbar_outline": 5}
"""Of the neutral's curves where a cubic will not do; the outline bends sharply where thigh meets belly."""
STANDARD_ERRORS = {"valgus_left": 1.5, "valgus_right": 1.5, "lumbar": 2.5}
"""Of the readings (deg; of other lifters than they were learned on, lumbar 1.5 without a fault and 4 in one, valgus 1.5
and 2); a neutral that scatters about its curve adds to them."""
BEYOND_DEG_M = {"valgus_left": 48.0, "valgus_right": 48.0}
"""How the readings' errors grow with the way that a rep goes deeper than the neutral's: of 65 rendered lifters before a
front camera the valgus was off by 1.5 deg (rms) at its end, 2.8 five and 3.9 seven centimetres farther down."""
FLOOR_DEG = -4.0
"""The least reading that is told of a guest, and of a member deeper than their neutral: no arching."""
DEEPER = 0.05
"""Share of the neutral's travel; farther down its curve is a guess, and its tangent rises more than backs do."""
FRONT_LEAST_FLEXION_DEG = 9.0


class NeutralError(ValueError):
    """The enrolment reps cannot serve as a neutral; the text is a sentence for the member or staff."""


@dataclass(frozen=True, slots=True)
class NeutralProfile:
    """A member's clean reps: for every cue and measure its course along the carriage's travel."""

    curves: Mapping[str, Curve]
    top_m: float
    """Carriage at the top of the clean reps (machine frame, + = lowered)."""
    bottom_m: float

    def spread(self, name: str) -> float:
        """Scatter of the clean reps about this measure's curve, in its own unit; 0 where there is no such curve."""
        curve = self.curves.get(name)
        return 0.0 if curve is None else curve.spread

    def to_dict(self) -> dict[str, Any]:
        return {"version": PROFILE_VERSION, "top_m": self.top_m, "bottom_m": self.bottom_m,
                "curves": {name: curve.to_list() for name, curve in self.curves.items()}}  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NeutralProfile:
        """Raises NeutralError if the data are not a profile of this version."""
        try:
            if data["version"] != PROFILE_VERSION:
                raise NeutralError(
                    f"the stored neutral has version {data['version']!r}, wanted {PROFILE_VERSION}: enrol again"
                )
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
    unlike: Mapping[View, Unlike] = field(default_factory=dict)
    """Views whose window does not show the member as their neutral did."""


@dataclass(frozen=True, slots=True)
class PostureState:
    """Running averages by measure, and what a guest's first passes looked like."""

    smooth: Mapping[str, float] = field(default_factory=dict)
    t_s: float = float("-inf")
    guest: GuestReference = field(default_factory=GuestReference)


def contrast(sample: PoseSample, neutral: NeutralProfile, with_looks: bool = True) -> dict[str, float]:
    """Every cue minus the member's neutral where the carriage was when it was seen; the looks only where asked."""
    if sample.carriage_m is None:
        return {}
    curves, at_m, behind_m = neutral.curves, sample.carriage_m, sample.cues_behind_m
    return {
        name: value - curves[name].at(at_m - behind_m.get(name, 0.0))
        for name, value in sample.cues.items()
        if name in curves and (with_looks or looks.NAMED not in name)
    }


def bend(sample: PoseSample) -> float:
    """How far the knees are bent, as the ``_bent`` readings count it: 0 at 60 degrees, +-1 for 40 more or less."""
    mean_deg = sample.knee_flexion_deg.mean
    return 0.0 if mean_deg is None else max(-1.2, min(1.2, (mean_deg - 60.0) / 40.0))


def readings(cues: Mapping[str, float], bent: float, outline_share: float = OUTLINE_SHARE) -> dict[str, float]:
    """The window's and the outline's readings in degrees (up to a constant) from cues or from their contrasts."""
    out: dict[str, float] = {}
    for name in READINGS:
        straight, more = cues.get(f"{name}_seen"), cues.get(f"{name}_seen_bent")
        if straight is not None and more is not None:
            out[name] = straight + more * bent
    outline = cues.get("lumbar_outline")
    if outline is not None and "lumbar" in out:
        out["lumbar"] += outline_share * (outline - out["lumbar"])
    return out


def _judged(
    state: PostureState, sample: PoseSample, neutral: NeutralProfile | None, bent: float
) -> tuple[GuestReference, dict[str, float | None]]:
    """Contrasted measures by name; a guest's against their own first passes."""
    if sample.carriage_m is None:
        return state.guest, {}
    out: dict[str, float | None] = {}
    guest, own = _against_own(state.guest, sample, bent)
    if neutral is None:
        out |= own
        out["slide"] = sample.hip_slide_m
    else:
        # With bent knees a fault changes the looks, too: they would only delay a warning.
        tells = bent <= SHALLOW[1] and sample.carriage_m > neutral.top_m - looks.ABOVE_TOP_M
        differences = contrast(sample, neutral, with_looks=tells)
        out |= readings(differences, bent)
        beyond_m = sample.carriage_m - neutral.bottom_m
        if "lumbar" in out and beyond_m > DEEPER * (neutral.bottom_m - neutral.top_m):
            out["lumbar"] = max(out["lumbar"] or 0.0, FLOOR_DEG)
        out |= looks.apart(differences) if tells else looks.kept(state.smooth)
        out["slide"] = differences.get("near_hip_forward")
        out["heel"] = heel_deg(sample, differences.get("near_ankle_lift"), out["slide"], beyond_m)
        if looks.verdicts(state.smooth).get("side") == "changed":
            out |= {"lumbar": own.get("lumbar"), "slide": sample.hip_slide_m, "heel": None}
    for name in READINGS:
        value = out.get(name)
        if value is not None:
            out[name] = NEUTRAL_DEG[name] + GAINS[name] * value
    return guest, out


def _against_own(guest: GuestReference, sample: PoseSample, bent: float) -> tuple[GuestReference, dict[str, float]]:
    """The window's readings against the lifter's own first passes, learnt of members, too: clothes change."""
    if sample.carriage_m is None:
        return guest, {}
    behind_m = {name: sample.cues_behind_m.get(f"{name}_seen", 0.0) for name in READINGS}
    # A clean rep moves the outline far more than a fault does: it serves as a contrast only.
    seen = readings(sample.cues, bent, outline_share=0.0)
    guest, passed = guest.compare(sample.carriage_m, seen, bent, behind_m)
    # A guest whose first rep was the worse one looks arched afterwards: not told.
    return guest, {name: max(value, FLOOR_DEG) for name, value in passed.items()}


def reading_errors(neutral: NeutralProfile | None, bent: float, carriage_m: float | None = None) -> dict[str, float]:
    """Standard errors of the contrasted readings (deg): their own, the neutral's scatter, and what it is guessed by."""
    beyond_m = 0.0 if neutral is None or carriage_m is None else max(0.0, carriage_m - neutral.bottom_m)
    out: dict[str, float] = {}
    for name, own in STANDARD_ERRORS.items():
        scatter = 0.0
        if neutral is not None:
            straight, more = neutral.spread(f"{name}_seen"), neutral.spread(f"{name}_seen_bent")
            scatter = GAINS[name] * math.hypot(straight, more * bent)
        guessed = BEYOND_DEG_M.get(name, 0.0) * beyond_m
        out[f"{name}_flexion_deg" if name == "lumbar" else f"{name}_deg"] = math.hypot(own, scatter, guessed)
    return out


def judge(state: PostureState, sample: PoseSample, neutral: NeutralProfile | None) -> tuple[PostureState, Posture]:
    """One frame against the neutral; ``None`` = a guest, judged against the machine and their own first passes."""
    if not sample.person:
        return PostureState(guest=state.guest), Posture(carriage_m=sample.carriage_m)
    bent = bend(sample)
    guest, judged = _judged(state, sample, neutral, bent)
    smooth = _smoothed(state, sample.t_s, judged)
    unlike = {} if neutral is None else looks.verdicts(smooth)
    told = looks.uncovered(smooth, unlike)
    front, side = "valgus" in sample.checks, "lumbar_flexion" in sample.checks
    knees = sample.knee_flexion_deg
    if "foot_placement" not in sample.checks:
        # From the front alone a straight knee and one bent by 10 degrees look the same: never told as locked.
        knees = Sided(*(None if v is None else max(v, FRONT_LEAST_FLEXION_DEG) for v in (knees.left, knees.right)))
    if unlike.get("side") == "covered":
        knees = Sided(*(None if v is None or v > looks.LOCKED_BELOW_DEG else v for v in (knees.left, knees.right)))
    after = PostureState({k: v for k, v in smooth.items() if v is not None}, sample.t_s, guest)
    checks = sample.checks
    if neutral is None or unlike.get("side") == "changed":  # heels are told against a neutral alone
        checks = tuple(measure for measure in checks if measure != "heel_lift")
    heel = told.get("heel") if "heel_lift" in checks else None
    return after, Posture(
        carriage_m=sample.carriage_m, knee_flexion_deg=knees, hip_flexion_deg=sample.hip_flexion_deg,
        valgus_deg=Sided(told.get("valgus_left"), told.get("valgus_right")) if front else Sided(),
        lumbar_flexion_deg=told.get("lumbar") if side else None,
        hip_slide_m=told.get("slide") if side else None, heel_lift_deg=Sided(heel, heel),
        foot_placement=sample.foot_placement,
        standard_error={**sample.standard_error, **reading_errors(neutral, bent, sample.carriage_m)},
        checks=checks, unlike=unlike,
    )  # fmt: skip


def _smoothed(state: PostureState, t_s: float, values: Mapping[str, float | None]) -> dict[str, float | None]:
    recent = 0 <= t_s - state.t_s < 0.3
    out: dict[str, float | None] = {}
    for name, value in values.items():
        before = state.smooth.get(name) if recent else None
        share = looks.share_of(name, SMOOTHING)
        out[name] = value if value is None or before is None else before + share * (value - before)
    return out


def learn_neutral(samples: Sequence[PoseSample]) -> NeutralProfile:
    """The neutral from two clean, slow reps. Raises NeutralError with a sentence if they are unusable."""
    seen = [s for s in _on_one_scale(samples) if s.person and s.carriage_m is not None]
    if len(seen) < MIN_FRAMES:
        raise NeutralError(
            f"you were seen in {len(seen)} frames only, at least {MIN_FRAMES} are needed:"
            " sit back and repeat the two reps"
        )
    places = sorted(s.carriage_m for s in seen if s.carriage_m is not None)
    low, high = places[len(places) // 50], places[-1 - len(places) // 50]
    if high - low < MIN_TRAVEL_M:
        raise NeutralError(
            f"the carriage moved {100 * (high - low):.0f} cm, at least {100 * MIN_TRAVEL_M:.0f} cm are needed:"
            " repeat the two reps, a little deeper"
        )
    columns: dict[str, list[tuple[float, float]]] = {}
    for sample in seen:
        for name, value in _learnable(sample).items():
            at_m = (sample.carriage_m or 0.0) - sample.cues_behind_m.get(name, 0.0)
            columns.setdefault(name, []).append((at_m, value))
    curves = {
        name: fit_curve(points, low, high, CURVE_DEGREES.get(name, DEGREE))
        for name, points in columns.items()
        if len(points) >= MIN_FRAMES
    }
    return NeutralProfile(curves, low, high)


def _on_one_scale(samples: Sequence[PoseSample]) -> list[PoseSample]:
    """With the carriage of earlier samples moved by what later ones found its absolute position to be off by."""
    out: list[PoseSample] = []
    corrected_m = 0.0
    for sample in reversed(samples):
        carriage_m = None if sample.carriage_m is None else sample.carriage_m + corrected_m
        out.append(replace(sample, carriage_m=carriage_m) if corrected_m else sample)
        corrected_m += sample.cues.get(CARRIAGE_CORRECTED, 0.0)
    return out[::-1]


def _learnable(sample: PoseSample) -> dict[str, float]:
    out = dict(sample.cues)
    for name, value in (
        ("knee_flexion_left_deg", sample.knee_flexion_deg.left),
        ("knee_flexion_right_deg", sample.knee_flexion_deg.right),
        ("hip_slide_m", sample.hip_slide_m),
    ):
        if value is not None:
            out[name] = value
    return out
