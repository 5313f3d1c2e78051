"""Who is the lifter: the one on the calibrated seat, whoever else is near."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from seen_machine import landmarks_of, make_machine, seen_from

from vision.landmarks import PAINTED_FRAMES, Crop, Landmarks, PoseModel, PoseModelError, check_processor
from vision.lifter import POSE_MEAN, SHAPE_MEAN, LegModel
from vision.person import lifter_region_px, sits_on_machine
from vision.posture import PostureEstimator

SIDE = seen_from(make_machine(), np.array([2.7, -0.1, 0.9]), "side")
GRAY = np.full((480, 640, 3), 120, np.uint8)


def lifter(carriage_m: float = 0.2) -> Landmarks:
    return landmarks_of(SIDE, LegModel(SIDE).joints(SHAPE_MEAN, POSE_MEAN, np.array(carriage_m)))


def moved(landmarks: Landmarks, by_px: tuple[float, float]) -> Landmarks:
    return Landmarks(landmarks.px + by_px, landmarks.visibility, landmarks.world_m)


def test_a_lifter_on_the_seat_is_accepted_and_a_bystander_is_not() -> None:
    assert sits_on_machine(lifter(), SIDE)
    assert not sits_on_machine(moved(lifter(), (120.0, -90.0)), SIDE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e300])
def test_landmarks_that_are_no_numbers_are_nobody(value: float) -> None:
    broken = lifter()
    px = broken.px.copy()
    px[24, 0] = value
    assert not sits_on_machine(Landmarks(px, broken.visibility, broken.world_m), SIDE)
    sample = PostureEstimator([SIDE]).update(0, 1.0, GRAY, Landmarks(px, broken.visibility, broken.world_m))
    assert not sample.person
    assert sample.knee_flexion_deg.left is None


def test_the_region_holds_the_lifter_and_lies_in_the_image() -> None:
    crop = lifter_region_px(SIDE)
    assert crop.x >= 0 and crop.x + crop.width <= 640
    assert crop.y >= 0 and crop.y + crop.height <= 480
    legs = lifter().px[[11, 12, 23, 24, 25, 26, 27, 28]]
    assert (legs >= (crop.x, crop.y)).all() and (legs <= (crop.x + crop.width, crop.y + crop.height)).all()
    assert crop.accepts is not None and crop.accepts(lifter())


def test_samples_count_up_and_say_what_the_view_can_check() -> None:
    estimator = PostureEstimator([SIDE])
    first = estimator.update(0, 1.0, GRAY, lifter())
    second = estimator.update(0, 1.05, GRAY, lifter())
    assert (first.seq, second.seq) == (1, 2)
    assert second.person
    assert "lumbar_flexion" in second.checks and "valgus" not in second.checks
    assert second.valgus_deg.left is None
    assert {"hip_left", "knee_right", "plate_top", "pad_bottom"} <= set(second.figure)


def test_a_dark_picture_gives_no_measure_and_is_told() -> None:
    sample = PostureEstimator([SIDE]).update(0, 1.0, np.zeros_like(GRAY), lifter())
    assert not sample.person
    assert sample.cameras[0].condition == "dark"


def test_one_camera_of_two_may_fail_and_its_checks_go_with_it() -> None:
    front = seen_from(make_machine(), np.array([0.1, -1.2, 2.6]), "front")
    joints = LegModel(SIDE).joints(SHAPE_MEAN, POSE_MEAN, np.array(0.2))
    estimator = PostureEstimator([SIDE, front])
    estimator.update(0, 1.0, GRAY, lifter())
    both = estimator.update(1, 1.0, GRAY, landmarks_of(front, joints))
    alone = estimator.update(1, 2.5, GRAY, landmarks_of(front, joints))
    assert "lumbar_flexion" in both.checks and "valgus" in both.checks
    assert "lumbar_flexion" not in alone.checks and "valgus" in alone.checks
    assert [camera.condition for camera in alone.cameras] == ["lost", "ok"]


def test_a_processor_without_atomics_is_told_before_it_would_crash(tmp_path: object) -> None:
    from pathlib import Path

    cpuinfo = Path(str(tmp_path)) / "cpuinfo"
    cpuinfo.write_text("Features : fp asimd evtstrm crc32 cpuid\n")
    with pytest.raises(PoseModelError, match="Raspberry Pi 5"):
        check_processor(cpuinfo, "aarch64")
    cpuinfo.write_text("Features : fp asimd atomics\n")
    check_processor(cpuinfo, "aarch64")
    check_processor(cpuinfo, "x86_64")


class EasilyDistracted(PoseModel):
    """In place of MediaPipe: finds the stranger wherever a patch of the picture shows, else the lifter."""

    def __init__(self, stranger_at: tuple[int, int]) -> None:
        super().__init__(Path("no model"), masks=False)
        self._landmarker, self._stranger_at = object(), stranger_at
        self.searches = 0

    def _run(self, part_rgb: NDArray[np.uint8], t_ms: int, crop: Crop, shape: tuple[int, ...]) -> Landmarks | None:
        self.searches += 1
        column, row = self._stranger_at
        shows = int(part_rgb[row - crop.y, column - crop.x].min()) > 200
        return moved(lifter(), (120.0, -90.0)) if shows else lifter()


def inside_by_px(outline_px: NDArray[np.float64], point: tuple[int, int]) -> float:
    """How far the point is inside the outline; negative outside."""
    return float(cv2.pointPolygonTest(outline_px.astype(np.float32), (float(point[0]), float(point[1])), True))


def stranger_within(outlines: int) -> tuple[int, int]:
    """A place that the first so many outlines of the region hold."""
    crop = lifter_region_px(SIDE)
    for row in range(crop.y + 2, crop.y + crop.height - 2, 3):
        for column in range(crop.x + 2, crop.x + crop.width - 2, 3):
            held = [inside_by_px(outline, (column, row)) > 8 for outline in crop.outlines_px]
            far = [inside_by_px(outline, (column, row)) < -8 for outline in crop.outlines_px]
            if all(held[:outlines]) and all(far[outlines:]):
                return column, row
    raise AssertionError("no such place")


@pytest.mark.parametrize("outlines", [0, 1])
def test_who_draws_the_model_away_from_the_lifter_is_painted_over(outlines: int) -> None:
    column, row = stranger_within(outlines)
    picture = GRAY.copy()
    picture[row - 1 : row + 2, column - 1 : column + 2] = 255
    model, crop = EasilyDistracted((column, row)), lifter_region_px(SIDE)
    found = [model.detect(picture, 66 * i, crop) is not None for i in range(12)]
    assert found[-1] and found.index(True) <= 2 * (outlines + 1)
    assert found == sorted(found)


def test_the_plain_picture_is_looked_at_again_after_a_while() -> None:
    column, row = stranger_within(0)
    picture = GRAY.copy()
    picture[row - 1 : row + 2, column - 1 : column + 2] = 255
    model, crop = EasilyDistracted((column, row)), lifter_region_px(SIDE)
    found = [model.detect(picture, 66 * i, crop) is not None for i in range(PAINTED_FRAMES + 10)]
    assert not all(found[PAINTED_FRAMES:])  # painted no more, the stranger is found once or twice
    assert found[-1]
