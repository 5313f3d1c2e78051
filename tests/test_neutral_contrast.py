"""The neutral: learned from two clean reps, kept as plain data, and what a frame shows against it."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.core.neutral_curve import Curve, CurveError, fit_curve
from device.core.posture import NeutralError, NeutralProfile, PostureState, judge, learn_neutral
from device.messages import Measure, PoseSample, Sided

CHECKS: tuple[Measure, ...] = (
    "knee_flexion", "valgus", "lumbar_flexion", "hip_slide", "foot_placement", "heel_lift", "carriage"
)  # fmt: skip


def cues_at(depth: float, rounding: float = 0.0, caving_left: float = 0.0, offset: float = 0.0) -> dict[str, float]:
    """Cues of a lifter with a personal offset and drift, and faults in degrees."""
    return {
        "lumbar_seen": 3.0 * offset + 2.0 * depth + rounding,
        "lumbar_seen_bent": 0.5 * offset,
        "valgus_left_seen": -2.0 * depth + offset + caving_left,
        "valgus_left_seen_bent": 0.0,
        "valgus_right_seen": -2.0 * depth - offset,
        "valgus_right_seen_bent": 0.0,
        "near_hip_forward": 0.02,
        "near_ankle_lift": 0.08,
    }


def sample(t_s: float, depth: float, **faults: float) -> PoseSample:
    return PoseSample(
        seq=round(100 * t_s), t_s=t_s, person=True, cameras=(), checks=CHECKS,  # type: ignore[arg-type]
        knee_flexion_deg=Sided(15.0 + 75.0 * depth, 15.0 + 75.0 * depth), carriage_m=0.02 + 0.3 * depth,
        hip_slide_m=0.0,
        foot_placement=Sided(0.5, 0.5), valgus_deg=Sided(0.0, 0.0), cues=cues_at(depth, **faults),
    )  # fmt: skip


def enrolment(offset: float = 1.0) -> list[PoseSample]:
    """Two slow reps."""
    return [sample(i / 15, 0.5 - 0.5 * math.cos(2 * math.pi * i / 60), offset=offset) for i in range(121)]


def lumbar_of(profile: NeutralProfile, depth: float, **faults: float) -> float:
    state, posture = PostureState(), None
    for i in range(6):
        state, posture = judge(state, sample(10 + i / 15, depth, **faults), profile)
    assert posture is not None and posture.lumbar_flexion_deg is not None
    return posture.lumbar_flexion_deg


@given(depth=st.floats(0.0, 1.0), offset=st.floats(-3.0, 3.0))
def test_a_personal_offset_and_drift_cancel(depth: float, offset: float) -> None:
    profile = learn_neutral(enrolment(offset))
    assert abs(lumbar_of(profile, depth, offset=offset)) < 1.5


def test_rounding_and_arching_stand_out_with_their_signs() -> None:
    profile = learn_neutral(enrolment())
    clean = lumbar_of(profile, 0.9, offset=1.0)
    assert lumbar_of(profile, 0.9, offset=1.0, rounding=15.0) > clean + 8.0
    assert lumbar_of(profile, 0.9, offset=1.0, rounding=-10.0) < clean - 5.0


def test_deeper_than_the_neutral_no_arching_is_told_but_rounding_is() -> None:
    profile = learn_neutral(enrolment())
    assert lumbar_of(profile, 1.2, offset=1.0, rounding=-10.0) > -6.0
    assert lumbar_of(profile, 1.2, offset=1.0, rounding=15.0) > 9.0


@given(then=st.floats(0.2, 0.9), moved=st.floats(-0.15, 0.15))
def test_a_cue_that_is_older_than_the_carriage_is_compared_where_it_was_seen(then: float, moved: float) -> None:
    neutral = learn_neutral(enrolment())
    now = sample(10.0, then + moved, offset=1.0)
    late = replace(
        now, cues=cues_at(then, offset=1.0, rounding=10.0), cues_behind_m=dict.fromkeys(now.cues, 0.3 * moved)
    )
    fresh = replace(sample(10.0, then, offset=1.0), cues=late.cues, knee_flexion_deg=now.knee_flexion_deg)
    told, wanted = (judge(PostureState(), each, neutral)[1].lumbar_flexion_deg for each in (late, fresh))
    assert told == pytest.approx(wanted)


def test_valgus_is_told_on_its_own_side_only() -> None:
    profile = learn_neutral(enrolment())
    state = PostureState()
    for i in range(6):
        state, posture = judge(state, sample(10 + i / 15, 0.8, offset=1.0, caving_left=12.0), profile)
    assert posture.valgus_deg.left is not None and posture.valgus_deg.right is not None
    assert posture.valgus_deg.left > 7.0
    assert abs(posture.valgus_deg.right) < 4.0


def test_what_the_cameras_cannot_check_is_unknown() -> None:
    profile = learn_neutral(enrolment())
    seen = sample(10.0, 0.8)
    blind = PoseSample(
        **{**{f: getattr(seen, f) for f in seen.__dataclass_fields__}, "checks": ("knee_flexion", "carriage")}
    )
    _, posture = judge(PostureState(), blind, profile)
    assert posture.lumbar_flexion_deg is None
    assert posture.valgus_deg == Sided()


def test_nobody_in_view_gives_no_measure() -> None:
    _, posture = judge(PostureState(), PoseSample(seq=1, t_s=1.0, person=False, cameras=()), None)
    assert posture.knee_flexion_deg == Sided()
    assert posture.lumbar_flexion_deg is None


def test_a_profile_survives_json_unchanged() -> None:
    profile = learn_neutral(enrolment())
    again = NeutralProfile.from_dict(json.loads(json.dumps(profile.to_dict())))
    assert again.to_dict() == profile.to_dict()
    assert lumbar_of(again, 0.7) == lumbar_of(profile, 0.7)


@pytest.mark.parametrize(
    "data", [{}, {"version": 0}, {"version": 1, "curves": {"a": [1, 2]}, "top_m": 0, "bottom_m": 1}]
)
def test_a_stored_neutral_that_cannot_be_read_asks_for_a_new_one(data: dict[str, object]) -> None:
    with pytest.raises(NeutralError, match="enrol again"):
        NeutralProfile.from_dict(data)


def test_too_few_frames_or_too_little_travel_are_told_in_a_sentence() -> None:
    with pytest.raises(NeutralError, match="seen in 5 frames only"):
        learn_neutral(enrolment()[:5])
    with pytest.raises(NeutralError, match="the carriage moved 0 cm"):
        learn_neutral([sample(i / 15, 0.2) for i in range(60)])


@given(st.tuples(*[st.floats(-2, 2)] * 4), st.floats(-0.2, 0.6))
def test_a_cubic_is_found_again(coefficients: tuple[float, float, float, float], at_m: float) -> None:
    true = Curve(0.0, 0.4, coefficients, 0.0)
    places = [0.4 * i / 80 for i in range(81)]
    found = fit_curve([(x, true.at(x)) for x in places], 0.0, 0.4)
    inside = min(max(at_m, 0.0), 0.4)
    assert found.at(inside) == pytest.approx(true.at(inside), abs=0.35)


def test_numbers_that_are_no_curve_are_refused() -> None:
    with pytest.raises(CurveError):
        Curve.from_list([0.0, 1.0, 2.0])
    with pytest.raises(CurveError):
        Curve.from_list([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
