"""A camera that was moved, covered or fogged is noticed within five seconds; a lifter is none of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from vision.calibration import Calibration
from vision.calibration_file import load_calibration
from vision.clip import ClipReader
from vision.frames import Frame, Image
from vision.scene import reference_of
from vision.view_check import ViewCheck, ViewCondition

SCENARIOS = Path(__file__).parent.parent / "device" / "simulation" / "scenarios"
CLIPS = {"side": SCENARIOS / "mixed" / "side.mp4", "front": SCENARIOS / "mixed" / "front.mp4"}
FAULT_S, ENDS_S = 4.0, 9.0
PASSED_OVER = 3
"""Frames between two that are shown: the check looks at one a second anyway."""


def frames(path: Path, until_s: float = 1e9) -> Iterator[Frame]:
    reader = ClipReader(path)
    while (frame := reader.next()) is not None and frame.t_s < until_s:
        yield frame
        for _ in range(PASSED_OVER):
            reader.skip()
    reader.close()


def watch(view: str, change: object = None, stored: bool = False) -> list[tuple[float, ViewCondition]]:
    """Conditions second by second; from ``FAULT_S`` on each picture goes through ``change``."""
    calibration = load_calibration(CLIPS[view].with_suffix(".calibration.toml"))
    first = next(frames(CLIPS[view]))
    check = ViewCheck(calibration, reference_of(first.image_bgr) if stored else None)
    out = []
    for frame in frames(CLIPS[view], ENDS_S):
        changed = change is not None and frame.t_s >= FAULT_S
        check.saw(change(frame.image_bgr) if changed else frame.image_bgr, frame.t_s)  # type: ignore[operator]
        out.append((frame.t_s, check.condition))
    return out


def noticed_after_s(seen: list[tuple[float, ViewCondition]], condition: ViewCondition) -> float:
    assert {said for t_s, said in seen if t_s < FAULT_S} == {"ok"}
    assert {said for t_s, said in seen if t_s >= FAULT_S} <= {"ok", condition}
    return next(t_s for t_s, said in seen if said == condition) - FAULT_S


def turned(calibration: Calibration, axis: int, deg: float) -> np.ndarray:
    rotation = cv2.Rodrigues(np.eye(3)[axis] * np.radians(deg))[0]
    return calibration.K @ rotation @ np.linalg.inv(calibration.K)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("view", CLIPS)
def test_a_camera_turned_by_five_degrees_is_noticed_within_five_seconds(view: str, axis: int, stored: bool) -> None:
    matrix = turned(load_calibration(CLIPS[view].with_suffix(".calibration.toml")), axis, 5.0)
    seen = watch(view, lambda image: cv2.warpPerspective(image, matrix, (640, 480)), stored)
    assert noticed_after_s(seen, "moved") < 5.0


def test_a_camera_that_looks_elsewhere_is_noticed_within_five_seconds() -> None:
    elsewhere = next(frames(SCENARIOS / "valgus" / "front.mp4"))
    seen = watch("side", lambda image: elsewhere.image_bgr)
    assert noticed_after_s(seen, "moved") < 5.0


@pytest.mark.parametrize("view", CLIPS)
def test_a_fogged_lens_is_noticed(view: str) -> None:
    def fog(image: Image) -> Image:
        return np.asarray(0.5 * cv2.GaussianBlur(image, (0, 0), 3.0) + 90, dtype=np.uint8)

    assert noticed_after_s(watch(view, fog), "blurred") < 5.0


@pytest.mark.parametrize("level", [0, 3, 130], ids=["capped", "unlit", "under a hand"])
def test_a_covered_lens_is_noticed_at_the_next_frame(level: int) -> None:
    seen = watch("side", lambda image: np.clip(image // 40 + level, 0, 255).astype(np.uint8))
    assert noticed_after_s(seen, "dark") < 0.1


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*/*.mp4")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_whole_set_before_a_still_camera_is_no_movement_and_no_blur(path: Path) -> None:
    check = ViewCheck(None)
    said = set()
    for frame in frames(path):
        check.saw(frame.image_bgr, frame.t_s)
        said.add(check.condition)
    assert said == {"ok"}
    assert check.reference is not None
    assert check.displaced_px is not None and check.displaced_px < 3.0


def test_dim_light_is_neither_fog_nor_movement() -> None:
    noise = np.random.default_rng(1)

    def dim(image: Image) -> Image:
        return np.clip(image * 0.3 + noise.normal(0, 3, image.shape), 0, 255).astype(np.uint8)

    assert {said for _, said in watch("side", dim)} == {"ok"}
    assert {said for _, said in watch("front", dim)} == {"ok"}


def test_a_camera_that_is_put_back_is_believed_again() -> None:
    calibration = load_calibration(CLIPS["side"].with_suffix(".calibration.toml"))
    matrix = turned(calibration, 1, 5.0)
    check = ViewCheck(calibration)
    said = []
    for frame in frames(CLIPS["side"], 12.0):
        moved = 4.0 <= frame.t_s < 8.0
        check.saw(cv2.warpPerspective(frame.image_bgr, matrix, (640, 480)) if moved else frame.image_bgr, frame.t_s)
        said.append(check.condition)
    assert [a for a, b in zip(said, [None, *said], strict=False) if a != b] == ["ok", "moved", "ok"]
