"""The geometry: exact where the landmarks are, whoever sits there, wherever the camera stands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from seen_machine import landmarks_of, make_machine, seen_from

from vision.calibration import Calibration
from vision.fit import LegFit, ShapeFit, Sights
from vision.lifter import POSE_MEAN, SHAPE_MEAN, Joints, LegModel, knee_flexion_deg, valgus_deg
from vision.sights import leg_px

Floats = NDArray[np.float64]
SIDE_EYE = np.array([2.7, -0.1, 0.9])
FRONT_EYE = np.array([0.1, -1.2, 2.6])
NO_BIAS = np.zeros((1, 2, 3, 3))
TRAVEL_M = np.linspace(0.06, 0.36, 9)


def model_of(calibration: Calibration) -> LegModel:
    return LegModel(calibration)


def exact_sights(calibration: Calibration, joints: Joints) -> Sights:
    px = leg_px(landmarks_of(calibration, joints))[None]
    return Sights(px, np.full((1, 2, 3), 20.0), NO_BIAS, NO_BIAS)


def fitted(calibration: Calibration, shape: Floats, pose: Floats) -> tuple[list[Joints], list[Joints]]:
    """True and fitted joints along the travel, after the shape has been learned from exact projections."""
    model = model_of(calibration)
    fit = LegFit(model, calibration.projection[None])
    learned = ShapeFit(fit, 1)
    true = [model.joints(shape, pose, np.array(c)) for c in TRAVEL_M]
    for carriage_m, joints in zip(TRAVEL_M, true, strict=True):
        learned.add(float(carriage_m), exact_sights(calibration, joints))
    for _ in range(60):
        learned.refine(NO_BIAS, NO_BIAS)
    seen = [
        fit.fit_pose(learned.shape, POSE_MEAN, float(c), exact_sights(calibration, joints), rounds=12).joints
        for c, joints in zip(TRAVEL_M, true, strict=True)
    ]
    return true, seen


def knee_error_deg(true: list[Joints], seen: list[Joints]) -> float:
    return float(np.mean([np.abs(knee_flexion_deg(a) - knee_flexion_deg(b)) for a, b in zip(true, seen, strict=True)]))


sizes = st.tuples(st.floats(0.38, 0.47), st.floats(0.38, 0.47), st.floats(0.14, 0.22), st.floats(-0.16, 0.02))


@settings(max_examples=8)
@given(size=sizes)
def test_knee_flexion_is_within_half_a_degree_for_every_body_and_foot_placement(
    size: tuple[float, float, float, float],
) -> None:
    shape = SHAPE_MEAN.copy()
    shape[0], shape[1], shape[5], shape[6] = size
    true, seen = fitted(seen_from(make_machine(), SIDE_EYE, "side"), shape, POSE_MEAN.copy())
    bent = [i for i, joints in enumerate(true) if knee_flexion_deg(joints).min() > 8.0]
    assert knee_error_deg([true[i] for i in bent], [seen[i] for i in bent]) <= 0.5


@settings(max_examples=8)
@given(x=st.sampled_from([-1.0, 1.0]), distance=st.floats(2.2, 3.5), back=st.floats(-0.5, 0.4), up=st.floats(0.5, 1.4))
def test_the_place_of_the_camera_does_not_matter(x: float, distance: float, back: float, up: float) -> None:
    eye = np.array([x * distance, back, up])
    true, seen = fitted(seen_from(make_machine(), eye, "side"), SHAPE_MEAN.copy(), POSE_MEAN.copy())
    assert knee_error_deg(true[1:], seen[1:]) <= 0.5


@settings(max_examples=8)
@given(left=st.floats(-0.03, 0.09), right=st.floats(-0.03, 0.09))
def test_valgus_of_either_knee_is_found_from_the_front(left: float, right: float) -> None:
    pose = np.array([0.0, 0.0, left, right])
    true, seen = fitted(seen_from(make_machine(), FRONT_EYE, "front"), SHAPE_MEAN.copy(), pose)
    errors = [np.abs(valgus_deg(a) - valgus_deg(b)) for a, b in zip(true[3:], seen[3:], strict=True)]
    assert float(np.mean(errors)) <= 0.5


def test_the_mirrored_lifter_gives_the_mirrored_answer() -> None:
    model = model_of(seen_from(make_machine(), SIDE_EYE, "side"))
    pose = np.array([0.0, 0.0, 0.07, -0.01])
    one = model.joints(SHAPE_MEAN, pose, np.array(0.25))
    other = model.joints(SHAPE_MEAN, pose[[0, 1, 3, 2]], np.array(0.25))
    assert valgus_deg(one) == pytest.approx(valgus_deg(other)[::-1])
    assert one.knee[0] * np.array([-1.0, 1.0, 1.0]) == pytest.approx(other.knee[1])


@given(carriage=st.floats(0.0, 0.4), left=st.floats(-0.05, 0.1))
def test_bones_keep_their_length(carriage: float, left: float) -> None:
    model = model_of(seen_from(make_machine(), SIDE_EYE, "side"))
    joints = model.joints(SHAPE_MEAN, np.array([0.0, 0.0, left, 0.0]), np.array(carriage))
    if joints.overreach_m.max() > 0:
        return
    assert np.linalg.norm(joints.knee - joints.hip, axis=-1) == pytest.approx([SHAPE_MEAN[0]] * 2, abs=1e-4)
    assert np.linalg.norm(joints.ankle - joints.knee, axis=-1) == pytest.approx([SHAPE_MEAN[1]] * 2, abs=1e-4)


def test_a_plate_beyond_reach_is_told_and_gives_a_straight_leg() -> None:
    model = model_of(seen_from(make_machine(), SIDE_EYE, "side"))
    joints = model.joints(SHAPE_MEAN, POSE_MEAN, np.array(-0.15))
    assert joints.overreach_m.min() > 0.02
    assert knee_flexion_deg(joints).max() < 3.0


@settings(max_examples=30)
@given(
    size=sizes,
    carriage_m=st.floats(-0.05, 0.36),
    shift=st.tuples(st.floats(-0.04, 0.04), st.floats(-0.04, 0.04)),
)
def test_a_legs_slack_changes_with_the_shape_as_it_says(
    size: tuple[float, float, float, float], carriage_m: float, shift: tuple[float, float]
) -> None:
    model = model_of(seen_from(make_machine(), SIDE_EYE, "side"))
    shape = SHAPE_MEAN.copy()
    shape[0], shape[1], shape[5], shape[6] = size
    pose = POSE_MEAN + np.array([*shift, 0.0, 0.0])

    def slack(of: Floats) -> Floats:
        return model.slack_m(of, model.joints(of, pose, np.array(carriage_m)))[0]

    told = model.slack_m(shape, model.joints(shape, pose, np.array(carriage_m)))[1]
    for i, step in enumerate(1e-6 * np.eye(8)):
        assert told[i] == pytest.approx((slack(shape + step) - slack(shape - step)) / 2e-6, abs=1e-5)


def test_a_pose_far_from_the_last_frames_is_found_as_well() -> None:
    """The legs are told where the last step ends, also where it was a large one."""
    calibration = seen_from(make_machine(), FRONT_EYE, "front")
    model, fit = model_of(calibration), LegFit(model_of(calibration), calibration.projection[None])
    pose = POSE_MEAN + np.array([0.0, 0.0, 0.05, -0.03])
    sights = exact_sights(calibration, model.joints(SHAPE_MEAN, pose, np.array(0.25)))
    told = fit.fit_pose(SHAPE_MEAN, POSE_MEAN, 0.25, sights, rounds=1)
    at = fit.seen(SHAPE_MEAN, told.pose, np.array(0.25), sights)
    assert np.abs(told.seen_px - at.px).max() < 0.01
    settled = fit.fit_pose(SHAPE_MEAN, POSE_MEAN, 0.25, sights)
    at = fit.seen(SHAPE_MEAN, settled.pose, np.array(0.25), sights)
    assert np.abs(settled.seen_px - at.px).max() < 0.2


def test_who_never_straightens_the_knees_is_believed() -> None:
    """The usual resting top, knees bent by 15 degrees, bends nobody's legs who rests far from it."""
    calibration = seen_from(make_machine(), SIDE_EYE, "side")
    model, fit = model_of(calibration), LegFit(model_of(calibration), calibration.projection[None])
    learned = ShapeFit(fit, 1)
    true = [model.joints(SHAPE_MEAN, POSE_MEAN, np.array(c)) for c in TRAVEL_M]
    for carriage_m, joints in zip(TRAVEL_M, true, strict=True):
        learned.add(float(carriage_m), exact_sights(calibration, joints))
        learned.rest_at(float(TRAVEL_M[0]))
    for _ in range(60):
        learned.refine(NO_BIAS, NO_BIAS)
    at_top = fit.fit_pose(learned.shape, POSE_MEAN, float(TRAVEL_M[0]), exact_sights(calibration, true[0])).joints
    assert knee_flexion_deg(true[0]).min() > 30.0
    assert knee_flexion_deg(at_top) == pytest.approx(knee_flexion_deg(true[0]), abs=1.0)
