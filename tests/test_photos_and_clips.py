"""Real photographs and clips that are not part of the project, where the environment names their folders."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.command.bench_accuracy import Conditions, score_unit, units_in
from device.config_file import load
from vision.landmarks import PoseModel
from vision.model import model_path

pytestmark = pytest.mark.model

PHOTOS = os.environ.get("LEGPRESS_PHOTOS")
CLIPS = os.environ.get("LEGPRESS_CLIPS")
RIGHT_HIP, RIGHT_KNEE, RIGHT_ANKLE = 24, 26, 28


def knee_flexion_deg(photo: str) -> float:
    """Of the leg nearer to the camera, by the model's own three-dimensional landmarks."""
    assert PHOTOS is not None
    image = cv2.imread(str(Path(PHOTOS) / photo))
    with PoseModel(model_path(load().paths.model_dir, "full"), masks=False) as model:
        found = [model.detect(np.asarray(image, dtype=np.uint8), 50 * count) for count in range(3)][-1]
    assert found is not None, f"nobody found in {photo}"
    thigh = found.world_m[RIGHT_KNEE] - found.world_m[RIGHT_HIP]
    shank = found.world_m[RIGHT_ANKLE] - found.world_m[RIGHT_KNEE]
    return float(np.degrees(np.arccos(thigh @ shank / np.linalg.norm(thigh) / np.linalg.norm(shank))))


@pytest.mark.skipif(PHOTOS is None, reason="LEGPRESS_PHOTOS names no folder")
def test_a_man_in_a_photograph_is_seen_with_his_legs_nearly_straight_and_then_bent() -> None:
    straight, bent = knee_flexion_deg("leg_press_0.jpg"), knee_flexion_deg("leg_press_1.jpg")
    assert straight < 35.0
    assert bent == pytest.approx(100.0, abs=10.0)


@pytest.mark.skipif(CLIPS is None, reason="LEGPRESS_CLIPS names no folder")
@pytest.mark.parametrize(
    "name", ["01_clean_side_mid", "14_rounding_side_12", "13_valgus_both_horizontal", "08_pair_lockout"]
)
def test_on_a_clip_every_fault_is_caught_every_rep_counted_and_nothing_alleged(name: str) -> None:
    assert CLIPS is not None
    (unit,) = units_in(Path(CLIPS), name)
    _, score = score_unit(unit, load(), Conditions())
    assert score.notes == []
    assert score.sets_exact == 1
