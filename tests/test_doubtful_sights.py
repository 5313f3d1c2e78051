"""What does not fit is noticed and not told: exchanged legs, a covered knee, somebody's else limbs, a wrong start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from seen_machine import landmarks_of, make_machine, seen_from
from test_plate import TRAVEL_M, drawn

from device.core.posture import PostureState, judge, learn_neutral, reading_errors
from device.messages import CARRIAGE_CORRECTED, PoseSample, Sided
from vision.calibration import Calibration
from vision.fit import LegFit, PoseFit
from vision.landmarks import LEFT_KNEE, Landmarks
from vision.lifter import POSE_MEAN, SHAPE_MEAN, SHAPE_SD, LegModel, knee_flexion_deg
from vision.plate import PlatePosition
from vision.posture import PostureEstimator
from vision.sights import LEG_LANDMARKS, landmark_bias_m

OBLIQUE = seen_from(make_machine(), np.array([1.6, -1.9, 1.5]), "oblique")
SIDE = seen_from(make_machine(), np.array([2.7, -0.1, 0.9]), "side")
FRONT = seen_from(make_machine(), np.array([0.1, -1.6, 2.9]), "front")
MODEL = LegModel(OBLIQUE)


def seen_at(carriage_m: float) -> Landmarks:
    joints = MODEL.joints(SHAPE_MEAN, POSE_MEAN, np.array(carriage_m))
    return landmarks_of(OBLIQUE, joints, landmark_bias_m(OBLIQUE)[0])


def with_px(landmarks: Landmarks, px: NDArray[np.float64]) -> Landmarks:
    return Landmarks(px, landmarks.visibility, landmarks.world_m)


def exchanged(landmarks: Landmarks) -> Landmarks:
    px = landmarks.px.copy()
    px[LEG_LANDMARKS] = px[LEG_LANDMARKS[::-1]]
    return with_px(landmarks, px)


def watched(odd: dict[int, Landmarks], frames: int = 80) -> list[PoseSample]:
    """A rep and more before an oblique camera; ``odd`` landmarks take the place of the right ones in some frames."""
    estimator = PostureEstimator([OBLIQUE])
    out = []
    for i in range(frames):
        carriage_m = float(TRAVEL_M[i % len(TRAVEL_M)])
        out.append(estimator.update(0, i / 15, drawn(OBLIQUE, carriage_m), odd.get(i, seen_at(carriage_m))))
    return out


def travel_at(frame: int) -> float:
    return float(TRAVEL_M[frame % len(TRAVEL_M)])


def test_exchanged_legs_are_put_right_and_told() -> None:
    odd = {i: exchanged(seen_at(travel_at(i))) for i in range(60, 64)}
    plain, swapped = watched({}, 64), watched(odd, 64)
    assert [i for i, sample in enumerate(swapped) if "swapped" in sample.cues] == [60, 61, 62, 63]
    for one, other in zip(plain[60:], swapped[60:], strict=True):
        assert other.knee_flexion_deg.left == pytest.approx(one.knee_flexion_deg.left, abs=1e-6)


def test_a_knee_that_is_not_where_it_can_be_is_unknown_on_its_own_side() -> None:
    right = seen_at(travel_at(60))
    px = right.px.copy()
    px[LEFT_KNEE] += (0.0, -220.0)
    sample = watched({60: with_px(right, px)}, 61)[-1]
    assert sample.person
    assert sample.knee_flexion_deg.left is None
    assert sample.hip_flexion_deg.left is None


def test_a_lifter_who_fits_is_told_in_every_frame() -> None:
    assert all(sample.knee_flexion_deg.left is not None for sample in watched({}))


def test_what_was_learned_at_a_wrong_start_of_the_carriage_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = PostureEstimator([OBLIQUE])
    learned = []
    for i in range(20):
        carriage_m = travel_at(i)
        tracker = estimator._cameras[0].plate
        position = tracker.update
        with monkeypatch.context() as patch:
            if i == 12:
                patch.setattr(tracker, "update", lambda *seen, p=position: replace(p(*seen), corrected_m=-0.2))
            estimator.update(0, i / 15, drawn(OBLIQUE, carriage_m), seen_at(carriage_m))
        learned.append(estimator._shape.frames)
    assert learned == [*range(1, 13), *range(1, 9)]


def test_reps_before_a_correction_of_the_carriage_are_moved_to_where_they_were() -> None:
    def sample(i: int, off_m: float, corrected_m: float) -> PoseSample:
        true_m = 0.1 + 0.1 * float(np.sin(i / 8))
        cues = {"lumbar_seen": 100 * true_m, "lumbar_seen_bent": 0.0}
        cues |= {CARRIAGE_CORRECTED: corrected_m} if corrected_m else {}
        return PoseSample(i, i / 15, True, (), (), carriage_m=true_m + off_m, cues=cues)

    wrong = [sample(i, 0.2, 0.0) for i in range(40)]
    better = [sample(40 + i, 0.05, -0.15 if i == 0 else 0.0) for i in range(20)]
    right = [sample(60 + i, 0.0, -0.05 if i == 0 else 0.0) for i in range(40)]
    neutral = learn_neutral([*wrong, *better, *right])
    assert neutral.curves["lumbar_seen"].at(0.15) == pytest.approx(15.0, abs=0.3)
    assert neutral.curves["lumbar_seen"].spread < 0.2
    assert (neutral.top_m, neutral.bottom_m) == (pytest.approx(0.0, abs=0.01), pytest.approx(0.2, abs=0.01))


@settings(max_examples=20, deadline=None)
@given(spread=st.floats(0.0, 5.0), bent=st.floats(-1.2, 1.2))
def test_a_neutral_that_scatters_makes_the_measure_less_sure(spread: float, bent: float) -> None:
    def sample(i: int) -> PoseSample:
        noise = spread * (1 if i % 2 else -1)
        cues = {"lumbar_seen": noise, "lumbar_seen_bent": 0.0}
        return PoseSample(i, i / 15, True, (), (), carriage_m=0.1 + 0.1 * float(np.sin(i / 8)), cues=cues)

    calm = reading_errors(None, bent)["lumbar_flexion_deg"]
    restless = reading_errors(learn_neutral([sample(i) for i in range(100)]), bent)["lumbar_flexion_deg"]
    assert restless == pytest.approx(np.hypot(calm, 1.25 * spread), rel=0.1)


def test_the_knee_is_less_sure_near_straight_and_before_the_legs_were_seen_bent() -> None:
    samples = watched({})
    early, late = samples[3].standard_error, samples[43].standard_error  # at the same place
    assert early["knee_flexion_left_deg"] > late["knee_flexion_left_deg"]
    straight = min(samples[41:], key=lambda s: s.knee_flexion_deg.left or 0.0)
    bent = max(samples[41:], key=lambda s: s.knee_flexion_deg.left or 0.0)
    assert straight.standard_error["knee_flexion_left_deg"] > bent.standard_error["knee_flexion_left_deg"]
    true = float(knee_flexion_deg(MODEL.joints(SHAPE_MEAN, POSE_MEAN, np.array(bent.carriage_m)))[0])
    assert abs((bent.knee_flexion_deg.left or 0.0) - true) < 3 * bent.standard_error["knee_flexion_left_deg"]


def heel_of(
    lift_m: float, slide_m: float, bent_deg: float = 90.0, step_m: float | None = 0.01, deeper_m: float = 0.0
) -> float | None:
    def sample(i: int, lift: float, slide: float, deeper_m: float = 0.0) -> PoseSample:
        cues = {"near_ankle_lift": lift, "near_hip_forward": slide}
        cues |= {} if step_m is None else {"near_ankle_step": step_m}
        return PoseSample(
            i, i / 15, True, (), ("heel_lift",), carriage_m=0.1 + 0.1 * float(np.sin(i / 8)) + deeper_m, cues=cues,
            knee_flexion_deg=Sided(bent_deg, bent_deg),
        )  # fmt: skip

    neutral = learn_neutral([sample(i, 0.08, 0.02) for i in range(100)])
    _, posture = judge(PostureState(), sample(201, 0.08 + lift_m, 0.02 + slide_m, deeper_m), neutral)
    return posture.heel_lift_deg.left


def test_a_heel_is_told_unless_the_hips_slid_or_the_ankle_went_astray() -> None:
    assert heel_of(0.03, 0.0) == pytest.approx(13.3, abs=0.5)
    assert heel_of(0.03, 0.05) is None
    assert heel_of(0.12, 0.0) is None


def test_no_heel_is_told_near_straight_or_while_the_landmarks_lag_behind_the_plate() -> None:
    assert heel_of(0.03, 0.0, bent_deg=40.0) is None
    assert heel_of(0.03, 0.0, step_m=0.04) is None
    assert heel_of(0.03, 0.0, step_m=None) is None


def test_no_heel_is_told_deeper_than_the_neutral_went() -> None:
    assert heel_of(0.03, 0.0, deeper_m=0.09) == pytest.approx(13.3, abs=0.5)
    assert heel_of(0.03, 0.0, deeper_m=0.12) is None


def test_what_a_camera_saw_before_the_plate_moved_on_is_taken_where_the_plate_was() -> None:
    """Two cameras that look in turns, half a period apart."""
    estimator = PostureEstimator([SIDE, FRONT])
    model = LegModel(SIDE)
    lifts, lags_m, errors_deg = [], [], []
    for i in range(200):
        calibration = (SIDE, FRONT)[i % 2]
        t_s = i / 30
        carriage_m = 0.15 - 0.15 * float(np.cos(2 * np.pi * t_s / 2.5))
        joints = model.joints(SHAPE_MEAN, POSE_MEAN, np.array(carriage_m))
        seen = landmarks_of(calibration, joints, landmark_bias_m(calibration)[0])
        sample = estimator.update(i % 2, t_s, drawn(calibration, carriage_m), seen)
        if i < 100:
            continue
        lifts.append(sample.cues["near_ankle_lift"])
        before_m = 0.15 - 0.15 * float(np.cos(2 * np.pi * (t_s - 1 / 30) / 2.5))
        name = ("valgus_left_seen", "lumbar_seen")[i % 2]  # of the camera that does not look now
        lags_m.append(abs(sample.cues_behind_m.get(name, 0.0) - (carriage_m - before_m)))
        errors_deg.append(abs((sample.knee_flexion_deg.left or 0.0) - float(knee_flexion_deg(joints)[0])))
    assert max(lags_m) < 0.006
    assert np.ptp(lifts) < 0.01  # the feet stay on the plate; it goes 12 mm from look to look
    assert np.mean(errors_deg) < 2.0


def standing(calibration: Calibration, carriage_m: float, ankle_off_px: float = 0.0) -> PoseSample:
    """After a second's standstill there; ``ankle_off_px``: the plate hides the ankles, and they are guessed lower."""
    joints = MODEL.joints(SHAPE_MEAN, POSE_MEAN, np.array(carriage_m))
    seen = landmarks_of(calibration, joints, landmark_bias_m(calibration)[0])
    px = seen.px.copy()
    px[LEG_LANDMARKS[:, 2], 1] += ankle_off_px
    estimator = PostureEstimator([calibration])
    image = drawn(calibration, carriage_m)
    return [estimator.update(0, i / 15, image, with_px(seen, px)) for i in range(15)][-1]


@pytest.mark.parametrize("calibration", [OBLIQUE, SIDE, FRONT], ids=lambda c: c.view)
def test_who_stands_at_the_bottom_first_does_not_rest_there(calibration: Calibration) -> None:
    top, bottom = standing(calibration, 0.0), standing(calibration, 0.26)
    assert top.standard_error["carriage_m"] < 0.01
    assert bottom.standard_error["carriage_m"] >= 0.02


def test_an_ankle_that_the_plate_hides_does_not_keep_the_resting_top_from_being_known() -> None:
    assert standing(OBLIQUE, 0.0, ankle_off_px=60.0).standard_error["carriage_m"] < 0.01


def test_a_leg_that_seems_too_short_for_its_place_is_not_surely_straight() -> None:
    """Where the plate is taken for too far away every leg is straight, and the angle itself hardly moves."""
    calibration = SIDE
    fit = LegFit(LegModel(calibration), calibration.projection[None])
    joints = MODEL.joints(SHAPE_MEAN, POSE_MEAN, np.array(-0.12))
    reached = PoseFit(POSE_MEAN.copy(), np.diag([1e-6] * 4), joints, np.zeros(2), np.zeros((1, 2, 3, 2)))
    assert knee_flexion_deg(joints).max() < 2.0
    assert fit.knee_errors_deg(SHAPE_MEAN, np.diag(SHAPE_SD**2), reached).min() > 8.0


@settings(deadline=None)
@given(st.floats(0.0, 0.12), st.floats(0.0, 0.12))
def test_valgus_is_the_less_sure_the_deeper_a_rep_goes_beyond_the_enrolment(one_m: float, other_m: float) -> None:
    cues = {"valgus_left_seen": 0.0, "valgus_left_seen_bent": 0.0}
    reps = [
        PoseSample(i, i / 15, True, (), (), carriage_m=0.1 - 0.1 * float(np.cos(i / 8)), cues=cues) for i in range(100)
    ]
    neutral = learn_neutral(reps)
    near_m, far_m = sorted((one_m, other_m))
    near, far = (reading_errors(neutral, 0.0, neutral.bottom_m + by_m) for by_m in (near_m, far_m))
    assert near["valgus_left_deg"] <= far["valgus_left_deg"]
    assert near["lumbar_flexion_deg"] == far["lumbar_flexion_deg"]
    within = reading_errors(neutral, 0.0, neutral.bottom_m - near_m)["valgus_left_deg"]
    assert within == reading_errors(neutral, 0.0)["valgus_left_deg"]
    assert reading_errors(neutral, 0.0, neutral.bottom_m + 0.08)["valgus_left_deg"] == pytest.approx(4.1, abs=0.1)


def test_a_camera_that_looks_alone_for_a_moment_does_not_move_the_plate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cameras place it 8 mm apart; one drops frames: the carriage stays where both had it."""
    estimator = PostureEstimator([OBLIQUE, SIDE])
    for camera, at_m in zip(estimator._cameras, (0.100, 0.108), strict=True):
        position = PlatePosition(at_m, 0.003, 1.0)
        monkeypatch.setattr(camera.plate, "update", lambda *seen, position=position: position)
    image = drawn(OBLIQUE, 0.1)
    alone = estimator.update(0, 0.0, image, None)
    assert alone.carriage_m == pytest.approx(0.100)
    for i in range(1, 30):
        estimator.update(0, i / 8, image, None)
        both = estimator.update(1, i / 8 + 0.03, image, None)
    assert both.carriage_m == pytest.approx(0.104)
    assert estimator.update(0, 5.0, image, None).carriage_m == pytest.approx(0.104, abs=0.0002)
    assert estimator.update(1, 6.0, image, None).carriage_m == pytest.approx(0.104, abs=0.0002)
