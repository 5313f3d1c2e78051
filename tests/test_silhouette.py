"""The back's flexion from the person mask of a side camera."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from device.core.posture import OUTLINE_SHARE, readings
from vision.calibration import Calibration, Machine, MachinePoint, make_calibration
from vision.person import seat_m
from vision.silhouette import CELLS, PLANE_M, read_weights, silhouette_back_deg, silhouette_cells

SLED = Machine("sled45", 45.0, 45.0, 0.5, 0.8, 38.0, 18.0)
PLACES = {
    "plate_top_left": (0.4, -0.9, 1.2), "plate_top_right": (-0.4, -0.9, 1.2),
    "plate_bottom_left": (0.4, -1.25, 0.85), "plate_bottom_right": (-0.4, -1.25, 0.85),
    "back_pad_bottom": (0.0, 0.02, 0.35), "back_pad_top": (0.0, 0.65, 0.85),
}
TRUNK = [(-0.03, -0.06), (0.62, -0.06), (0.62, 0.16), (0.12, 0.19), (-0.03, 0.10)]
"""(up, off) the pad from the seat, metres: stays where it is."""
THIGH = [(-0.10, -0.04), (0.02, 0.16), (0.30, 0.40), (0.36, 0.34), (0.10, 0.06)]
"""Goes where the pelvis goes."""


def side_camera(x_m: float = 2.75, y_m: float = -0.35, z_m: float = 0.75, focal_px: float = 560.0) -> Calibration:
    """A level camera looking across the machine, to the lifter's right for x > 0."""
    forward = np.array([-np.sign(x_m), 0.0, 0.0])
    down = np.array([0.0, 0.0, -1.0])
    axes = np.stack([np.cross(down, forward), down, forward])
    eye = np.array([x_m, y_m, z_m])
    points = []
    for name, place in PLACES.items():
        camera = axes @ (np.array(place) - eye)
        px = (focal_px * camera[0] / camera[2] + 320.0, focal_px * camera[1] / camera[2] + 240.0)
        points.append(MachinePoint(name, place, px))
    return make_calibration("side", (640, 480), focal_px, SLED, tuple(points))


def mask_of(camera: Calibration, pelvis_off_m: float = 0.0, columns: int = 160) -> NDArray[np.float32]:
    """The person mask of a trunk on the pad and a thigh whose upper end has left the pad by so much."""
    whole = np.zeros((480, 640), np.uint8)
    x = PLANE_M if camera.eye[0] > 0 else -PLANE_M
    for outline, moved in ((TRUNK, 0.0), (THIGH, pelvis_off_m)):
        places = np.array([seat_m(camera) + (up + 0.8 * moved) * SLED.pad_up + (off + moved) * SLED.pad_normal
                           for up, off in outline])
        places[:, 0] = x
        px = np.round(16 * camera.project(places)).astype(np.int32)
        cv2.fillPoly(whole, [px], (255.0,), lineType=cv2.LINE_AA, shift=4)
    size = (columns, columns * 480 // 640)
    return cv2.resize(whole, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def test_a_pelvis_off_the_pad_reads_as_rounding_and_pressed_in_as_arching() -> None:
    camera = side_camera()
    rest = silhouette_back_deg(camera, mask_of(camera))
    assert silhouette_back_deg(camera, mask_of(camera, 0.045)) - rest > 2.0
    assert silhouette_back_deg(camera, mask_of(camera, -0.030)) - rest < -1.0


def test_more_rounding_reads_as_more() -> None:
    camera = side_camera()
    off_m = (-0.03, -0.015, 0.0, 0.015, 0.03, 0.045)
    readings = [silhouette_back_deg(camera, mask_of(camera, off)) for off in off_m]
    assert readings == sorted(readings)


@pytest.mark.parametrize("other", [
    side_camera(x_m=-2.75), side_camera(x_m=2.5, y_m=-0.45),
    side_camera(x_m=3.1, z_m=0.65), side_camera(focal_px=610.0),
])
def test_where_the_camera_stands_changes_the_reading_little(other: Calibration) -> None:
    camera = side_camera()
    change = silhouette_back_deg(camera, mask_of(camera, 0.04)) - silhouette_back_deg(camera, mask_of(camera))
    seen = silhouette_back_deg(other, mask_of(other, 0.04)) - silhouette_back_deg(other, mask_of(other))
    assert seen == pytest.approx(change, abs=0.2 * change)


def test_a_finer_mask_gives_the_same_cells() -> None:
    camera = side_camera()
    coarse, fine = (silhouette_cells(camera, mask_of(camera, columns=columns)) for columns in (160, 320))
    assert coarse.shape == (CELLS, CELLS)
    assert np.abs(coarse - fine).mean() < 0.03


def test_an_empty_mask_is_nobody_everywhere() -> None:
    cells = silhouette_cells(side_camera(), np.zeros((120, 160), np.float32))
    assert cells.max() < 0.1


def test_weights_of_a_wrong_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "silhouette_model.json"
    path.write_text(json.dumps({"upright": [[0.0]], "by_pad": [[0.0]]}))
    with pytest.raises(ValueError, match="24 x 24"):
        read_weights(path)


def test_the_outline_has_its_share_in_the_lumbar_reading_and_none_where_it_is_missing() -> None:
    window = {"lumbar_seen": 10.0, "lumbar_seen_bent": 0.0}
    assert readings(window, 0.0)["lumbar"] == pytest.approx(10.0)
    with_outline = readings({**window, "lumbar_outline": 20.0}, 0.0)["lumbar"]
    assert with_outline == pytest.approx(10.0 + 10.0 * OUTLINE_SHARE)
