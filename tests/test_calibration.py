"""Calibration files: what they give, and what is said about bad ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seen_machine import make_machine, seen_from

from vision.calibration import Calibration, CalibrationError
from vision.calibration_file import load_calibration

SCENARIO = Path(__file__).parent.parent / "device" / "simulation" / "scenarios" / "rounding"
GOOD = (SCENARIO / "side.calibration.toml").read_text("utf-8")


def test_the_bundled_calibration_reprojects_its_points_within_the_noise_of_clicking() -> None:
    calibration = load_calibration(SCENARIO / "side.calibration.toml")
    assert calibration.view == "side"
    assert calibration.reprojection_error_px < 2.0
    assert np.linalg.det(calibration.R) == pytest.approx(1.0)


def test_the_camera_pose_is_recovered_exactly_from_exact_points() -> None:
    eye = np.array([2.6, 0.4, 0.9])
    calibration = seen_from(make_machine(), eye, "side")
    assert calibration.eye == pytest.approx(eye, abs=1e-3)
    assert calibration.reprojection_error_px < 1e-3


@given(x=st.floats(-0.3, 0.3), y=st.floats(-0.6, 0.6), z=st.floats(0.2, 1.2))
def test_projecting_and_meeting_the_sagittal_plane_again_gives_the_same_place(x: float, y: float, z: float) -> None:
    calibration = seen_from(make_machine(), np.array([2.6, 0.4, 0.9]), "side")
    place = np.array([x, y, z])
    assert calibration.on_plane_x(calibration.project(place), x) == pytest.approx(place, abs=1e-6)


def test_the_machine_axes_are_orthogonal_unit_vectors_in_the_sagittal_plane() -> None:
    machine = make_machine()
    assert machine.pad_up @ machine.pad_normal == pytest.approx(0.0, abs=1e-12)
    assert machine.plate_up @ machine.plate_normal == pytest.approx(0.0, abs=1e-12)
    assert machine.rail[0] == machine.pad_up[0] == machine.seat_forward[0] == 0.0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('view = "side"', 'view = "top"', "view = 'top': must be one of side, front, oblique"),
        ("rail_deg = ", "rail_deg = 4", "machine.rail_deg"),
        ("[machine]", "[machine]\ncolour = 1", "machine.colour: unknown key"),
        ("plate_top_left", "plate_top_lft", "points[0].name = 'plate_top_lft': must be one of"),
        ("focal_length_px = ", "focal_length_px = -", "focal_length_px = -"),
        ("image_size_px = [640, 480]", "image_size_px = [640]", "image_size_px = [640]: must be a list of 2 numbers"),
    ],
)
def test_a_bad_value_is_told_in_one_line_with_file_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    path = tmp_path / "camera.toml"
    path.write_text(GOOD.replace(old, new, 1), "utf-8")
    with pytest.raises(CalibrationError) as error:
        load_calibration(path)
    assert str(error.value).startswith(f"{path}: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_file_that_is_no_toml_are_told(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="cannot be read"):
        load_calibration(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("view = ", "utf-8")
    with pytest.raises(CalibrationError, match="not valid TOML"):
        load_calibration(tmp_path / "bad.toml")


def test_points_under_the_wrong_names_are_refused(tmp_path: Path) -> None:
    swapped = (
        GOOD.replace("plate_top_left", "x").replace("back_pad_top", "plate_top_left").replace('"x"', '"back_pad_top"')
    )
    path = tmp_path / "camera.toml"
    path.write_text(swapped, "utf-8")
    try:
        calibration: Calibration | None = load_calibration(path)
    except CalibrationError as error:
        assert "points" in str(error)
        calibration = None
    # Names and places were exchanged together with their pixels, so the pose may fit; it must then be the same camera.
    if calibration is not None:
        assert calibration.eye == pytest.approx(load_calibration(SCENARIO / "side.calibration.toml").eye, abs=0.05)
