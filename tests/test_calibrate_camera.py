"""A camera calibrated from stickers or named points: right within 2 cm and 1 degree, or refused with the reason."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.bus import BusError
from device.calibration_guide import Refused
from device.command import calibrate_camera, main
from device.command.calibrate_camera import CameraGuide, Wishes
from device.command.calibrate_steps import Dialogue, look
from device.config import Camera, Config, Paths
from vision import calibration_keeping
from vision.calibration import Calibration, CalibrationError
from vision.calibration_desk import LOOKS, CalibrationDesk, LookError, NoPicture, answered
from vision.calibration_file import calibration_text, load_calibration
from vision.camera_calibration import from_points, from_stickers
from vision.camera_fit import Lens
from vision.clip import ClipReader
from vision.frames import Frame, Image
from vision.machine_profile import MachineProfile, load_profile, profile_of, shipped
from vision.plate_sticker import PlateSticker
from vision.sticker_sheet import PT_PER_MM, sheet_pdf
from vision.sticker_view import paint_stickers
from vision.stickers import find_stickers, settled_corners

SCENARIOS = Path(__file__).parent.parent / "device" / "simulation" / "scenarios"
VIEWS = ["mixed/side", "mixed/front", "rounding/side", "valgus/front"]
SLED = load_profile("sled45")


def seen_by(view: str, moved_m: float = 0.0, family: str = "aruco") -> tuple[Image, Calibration]:
    """A rendered scene with the sled's stickers painted in as its camera sees them, and that camera."""
    calibration = load_calibration(SCENARIOS / f"{view}.calibration.toml")
    reader = ClipReader(SCENARIOS / f"{view}.mp4")
    frame = reader.next()
    reader.close()
    assert frame is not None
    return paint_stickers(frame.image_bgr, calibration, SLED.stickers, moved_m, family), calibration


def noisy(image: Image) -> Image:
    """As a cheap sensor and a JPEG leave it: a little blur, noise of 4 grey levels, quality 85."""
    random = np.random.default_rng(5)
    soft = cv2.GaussianBlur(image, (0, 0), 0.6)
    grainy = np.clip(soft + random.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    ok, data = cv2.imencode(".jpg", grainy, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert ok
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)


def difference(made: Calibration, true: Calibration) -> tuple[float, float]:
    """(m, degrees) between two cameras."""
    turn = np.degrees(np.linalg.norm(cv2.Rodrigues(made.R @ true.R.T)[0]))
    return float(np.linalg.norm(made.eye - true.eye)), float(turn)


@pytest.mark.parametrize("family", ["aruco", "apriltag"])
@pytest.mark.parametrize("view", VIEWS)
def test_stickers_give_the_camera_within_two_centimetres_and_one_degree(view: str, family: str) -> None:
    image, true = seen_by(view, family=family)
    seen = find_stickers(noisy(image), family)
    made, pose = from_stickers(SLED, seen, true.image_size_px, true.focal_length_px, family)
    off_m, off_deg = difference(made, true)
    assert off_m < 0.02 and off_deg < 1.0
    assert pose.error_px < 1.5
    assert made.view == true.view
    assert made.carriage_sticker is not None and made.carriage_sticker.id in (16, 17, 18, 19, 20)


def test_the_command_makes_a_calibration_from_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, true = seen_by("mixed/front")
    cv2.imwrite(str(tmp_path / "seen.png"), image)
    (tmp_path / "c.toml").write_text('[paths]\nstate_dir = "state"\nruntime_dir = "run"\n')
    words = ["calibrate", "camera", "--config", str(tmp_path / "c.toml"), "--picture", str(tmp_path / "seen.png")]
    words += ["--focal", f"{true.focal_length_px}", "--out", str(tmp_path / "front.toml"), "--yes"]
    code = main.main(words)
    told = capsys.readouterr()
    assert (code, told.err) == (0, "")
    made = load_calibration(tmp_path / "front.toml")
    assert difference(made, true)[0] < 0.02 and made.view == "front"
    assert made.scene is not None and len(made.scene.px) > 24
    assert "Fit: the points miss by 0." in told.out and "Before: not calibrated" in told.out


def test_a_calibration_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    image, true = seen_by("rounding/side")
    from vision.scene import reference_of

    made, _ = from_stickers(SLED, find_stickers(image), true.image_size_px, true.focal_length_px, "aruco")
    made = replace(made, scene=reference_of(image), made_utc="2026-01-02T03:04:05+00:00")
    (tmp_path / "side.toml").write_text(calibration_text(made), "utf-8")
    back = load_calibration(tmp_path / "side.toml")
    assert difference(back, made)[0] < 0.002
    assert (back.made_utc, back.view) == (made.made_utc, made.view)
    assert back.reprojection_error_px == pytest.approx(made.reprojection_error_px, abs=0.001)
    assert back.carriage_sticker is not None and made.carriage_sticker is not None
    assert back.carriage_sticker.id == made.carriage_sticker.id
    for read, written in zip(back.carriage_sticker.corners_m, made.carriage_sticker.corners_m, strict=True):
        assert read == pytest.approx(written, abs=1e-4)
    assert back.scene is not None and made.scene is not None
    assert np.array_equal(back.scene.descriptors, made.scene.descriptors)
    assert calibration_text(back).splitlines()[:8] == calibration_text(made).splitlines()[:8]


def test_a_sticker_that_sits_elsewhere_than_the_profile_says_is_named() -> None:
    image, true = seen_by("mixed/side")
    seen = find_stickers(image)
    wrong = list(SLED.stickers)
    wrong[2] = replace(wrong[2], corners_m=tuple((x, y + 0.15, z) for x, y, z in wrong[2].corners_m))
    with pytest.raises(CalibrationError, match=r"sticker 2 \(left side, front upright, upper end\)"):
        from_stickers(replace(SLED, stickers=tuple(wrong)), seen, true.image_size_px, true.focal_length_px, "aruco")


def test_too_few_stickers_are_told_with_those_that_were_seen() -> None:
    image, true = seen_by("mixed/side")
    few = {index: quad for index, quad in find_stickers(image).items() if index < 3} | {44: np.zeros((4, 2))}
    with pytest.raises(CalibrationError) as error:
        from_stickers(SLED, few, true.image_size_px, true.focal_length_px, "aruco")
    assert str(error.value).startswith("3 stickers of the profile seen (0, 1, 2; 44 not in the profile); needed: 4.")


def test_another_machines_profile_is_refused() -> None:
    image, true = seen_by("mixed/side")
    with pytest.raises(CalibrationError, match="miss by|is not where the profile says|that cannot be"):
        from_stickers(
            load_profile("seated_horizontal"), find_stickers(image), true.image_size_px, true.focal_length_px, "aruco"
        )


def clicked(view: str) -> tuple[MachineProfile, dict[str, tuple[float, float]], Calibration]:
    true = load_calibration(SCENARIOS / f"{view}.calibration.toml")
    return profile_of(true, ()), {point.name: point.image_px for point in true.points}, true


@pytest.mark.parametrize("view", VIEWS)
def test_named_points_give_the_same_camera_as_the_file_they_come_from(view: str) -> None:
    profile, points, true = clicked(view)
    made, _ = from_points(profile, points, true.image_size_px, true.focal_length_px)
    assert difference(made, true)[0] < 0.1
    assert made.view == true.view


def test_points_that_were_mixed_up_unknown_or_missing_are_refused() -> None:
    profile, points, true = clicked("mixed/side")
    size, focal = true.image_size_px, true.focal_length_px
    mixed = points | {"plate_top_left": points["back_pad_top"], "back_pad_top": points["plate_top_left"]}
    with pytest.raises(CalibrationError, match="miss by|cannot be|no camera pose"):
        from_points(profile, mixed, size, focal)
    with pytest.raises(CalibrationError, match="unknown point 'nose': allowed are plate_top_left"):
        from_points(profile, points | {"nose": (1.0, 2.0)}, size, focal)
    with pytest.raises(CalibrationError, match="points missing: back_pad_top; needed: plate_top_left"):
        from_points(profile, {name: px for name, px in points.items() if name != "back_pad_top"}, size, focal)
    with pytest.raises(CalibrationError, match="far outside the picture of 640 x 480"):
        from_points(profile, points | {"back_pad_top": (4000.0, 10.0)}, size, focal)


@given(
    st.dictionaries(
        st.sampled_from(["plate_top_left", "back_pad_top", "seat_left", "x"]),
        st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
    )
)
def test_whatever_points_are_given_the_refusal_is_one_line(points: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(CalibrationError) as error:
        from_points(SLED, points, (640, 480), 550.0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("carriage_m", [0.0, 0.1, 0.25, 0.4])
@pytest.mark.parametrize("view", VIEWS)
def test_the_sticker_on_the_carriage_gives_its_travel_within_three_millimetres(view: str, carriage_m: float) -> None:
    image, true = seen_by(view)
    profile = profile_of(true, SLED.stickers)  # measured on this machine: the angle of its rails enters
    made, _ = from_stickers(profile, find_stickers(image), true.image_size_px, true.focal_length_px, "aruco")
    lowered, _ = seen_by(view, moved_m=carriage_m)
    position = PlateSticker(made).position(noisy(lowered))
    assert position is not None
    assert position.carriage_m == pytest.approx(carriage_m, abs=0.003)


def test_a_picture_without_the_sticker_gives_no_travel() -> None:
    image, true = seen_by("mixed/side")
    made, _ = from_stickers(SLED, find_stickers(image), true.image_size_px, true.focal_length_px, "aruco")
    assert PlateSticker(made).position(np.full((480, 640, 3), 90, np.uint8)) is None


# --- profiles and sheets -------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_profile_is_right_and_its_plate_has_the_stated_size(name: str) -> None:
    profile = load_profile(name)
    points = {key: np.array(place) for key, place in profile.points_m.items()}
    height = np.linalg.norm(points["plate_top_left"] - points["plate_bottom_left"])
    width = np.linalg.norm(points["plate_top_left"] - points["plate_top_right"])
    assert height == pytest.approx(profile.machine.plate_height_m, abs=0.002)
    assert width == pytest.approx(profile.machine.plate_width_m, abs=0.002)
    assert len(profile.stickers) == len({sticker.id for sticker in profile.stickers}) == 21


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("id = 1\n", "id = 0\n", "stickers[1].id = 0: must be a whole number from 0 to 49, each once"),
        ('faces = "up"', 'faces = "down"', "faces = 'down': must be one of left, right, up, away"),
        ("size_m = 0.120", "size_m = 12", "stickers[0].size_m = 12: must be a number from 0.03 to 0.5"),
        ("[points]\n", "[points]\nnose = [0, 0, 0]\n", "points.nose: unknown key; allowed: plate_top_left"),
        ("plate_top_left = ", "seat_x = ", "points.seat_x: unknown key"),
    ],
)
def test_a_bad_profile_is_told_in_one_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    from vision.machine_profile import profile_path

    path = tmp_path / "mine.toml"
    path.write_text(profile_path("sled45").read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(CalibrationError) as error:
        load_profile(str(path))
    assert str(error.value).startswith(str(path)) and told in str(error.value)
    with pytest.raises(CalibrationError, match="no machine profile 'sled46': allowed are seated_horizontal, sled45"):
        load_profile("sled46")


def drawn(pdf: bytes, page: int, px_per_mm: float = 4.0) -> Image:
    """One page of the sheet, drawn from its own rectangles."""
    content = re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)[page].decode("cp1252")
    image = np.full((round(297 * px_per_mm), round(210 * px_per_mm), 3), 255, np.uint8)
    for line in content.splitlines():
        match = re.fullmatch(r"([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re f", line)
        if match:
            x, y, width, height = (float(value) / PT_PER_MM * px_per_mm for value in match.groups())
            top, left = image.shape[0] - (y + height), x
            image[round(top) : round(top + height), round(left) : round(left + width)] = 0
    return image


@pytest.mark.parametrize("family", ["aruco", "apriltag"])
def test_the_printed_sheet_shows_every_sticker_at_its_true_size(family: str) -> None:
    pdf = sheet_pdf("Sled (45)", SLED.stickers, family)
    found: dict[int, float] = {}
    for page in range(21):
        for index, quad in find_stickers(drawn(pdf, page), family).items():
            assert quad[0][1] < quad[3][1] and quad[0][0] < quad[1][0]  # upright, not mirrored
            found[index] = float(np.mean(np.linalg.norm(quad - np.roll(quad, 1, axis=0), axis=1))) / 4.0
    assert sorted(found) == [sticker.id for sticker in SLED.stickers]
    assert all(size_mm == pytest.approx(120.0, abs=0.6) for size_mm in found.values())


def test_the_sheet_is_a_sound_pdf_with_a_scale_bar_and_the_places_to_stick() -> None:
    pdf = sheet_pdf("Sled (45)", SLED.stickers)
    assert pdf.startswith(b"%PDF-1.4\n") and pdf.endswith(b"%%EOF\n")
    (start,) = (int(offset) for offset in re.findall(rb"startxref\n(\d+)\n", pdf))
    assert pdf[start:].startswith(b"xref\n")
    for number, entry in enumerate(re.findall(rb"(\d{10}) 00000 n ", pdf[start:]), 1):
        assert pdf[int(entry) :].startswith(b"%d 0 obj" % number)
    for length, content in re.findall(rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", pdf, re.DOTALL):
        assert int(length) == len(content)
    assert pdf.count(b"100 mm: measure it") == 21
    assert rb"Sled \(45\)" in pdf and b"carriage, left side - moves" in pdf


def test_the_sheet_command_writes_the_pdf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "stickers.pdf"
    assert main.main(["calibrate", "sheet", str(out), "--machine", "seated_horizontal"]) == 0
    assert out.read_bytes().startswith(b"%PDF")
    assert "21 stickers. Print at 100 %" in capsys.readouterr().out


# --- the vision process's desk -------------------------------------------------------------------


def config_in(folder: Path) -> Config:
    return Config(paths=Paths(state_dir=folder, runtime_dir=folder / "run"), cameras=(Camera(name="side"),))


def desk_showing(
    image: Image | None, reloaded: list[bool] | None = None, folder: Path = Path("/nowhere")
) -> CalibrationDesk:
    frame = None if image is None else Frame(image, 100.0, 7)
    return CalibrationDesk(
        config_in(folder), lambda camera: frame, lambda: (reloaded if reloaded is not None else []).append(True)
    )


def test_a_preview_is_announced_before_the_first_picture_and_expires() -> None:
    image, _ = seen_by("mixed/side")
    desk = desk_showing(image)
    assert not desk.previewing("side", 99.5)
    with pytest.raises(NoPicture, match="nobody looks through camera side now: ask for the picture again"):
        desk.answer("picture side", 99.5)
    assert desk.answer("preview side", 99.5) == {"left_s": 300.0}
    assert (desk.answer("picture side", 99.6)["jpeg"], desk.previewing("side", 99.6)) == (None, True)
    shown = desk.answer("picture side", 100.6)
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(shown["jpeg"]), np.uint8), cv2.IMREAD_COLOR)
    assert np.asarray(picture).shape == (480, 640, 3)
    assert shown["left_s"] == pytest.approx(298.9)
    assert desk.answer("preview side", 101.0)["left_s"] == pytest.approx(298.5)  # not prolonged
    assert not desk.previewing("side", 99.5 + 300.1)
    with pytest.raises(NoPicture, match="nobody looks"):
        desk.answer("picture side", 99.5 + 300.1)


def test_a_preview_can_be_ended_at_once() -> None:
    desk = desk_showing(seen_by("mixed/side")[0])
    desk.answer("preview side", 90.0)
    assert desk.answer("hide side", 92.0) == {}
    assert not desk.previewing("side", 92.0)


def test_looks_at_nothing_at_darkness_and_at_strangers_are_refused() -> None:
    with pytest.raises(NoPicture, match="camera side gives no picture: check its cable"):
        desk_showing(None).answer("stickers side", 100.0)
    with pytest.raises(NoPicture, match="gives no picture"):
        desk_showing(np.zeros((480, 640, 3), np.uint8)).answer("stickers side", 106.0)
    with pytest.raises(NoPicture, match="sees too little: uncover its lens"):
        desk_showing(np.zeros((480, 640, 3), np.uint8)).answer("stickers side", 100.0)
    with pytest.raises(LookError, match="there is no camera 'top': it has side"):
        desk_showing(None).answer("preview top", 100.0)
    with pytest.raises(LookError, match="unknown look 'photo': allowed are about, preview, hide, picture, stickers"):
        desk_showing(None).answer("photo side", 100.0)
    with pytest.raises(LookError, match="unknown family 'qr': allowed are aruco, apriltag"):
        desk_showing(seen_by("mixed/side")[0]).answer("stickers side qr", 100.0)


LOOK_WORDS = ("about", "preview", "hide", "picture", "stickers", "fit", "text", "keep", "undo", "x")
ODD_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["machine", "points", "lens", "focal_px", "stickers", "profile", "a"]), inner),
    max_leaves=6,
)


@given(
    st.text(max_size=40)
    | st.none()
    | st.builds(lambda look, rest: f"{look} side {rest}", st.sampled_from(LOOK_WORDS), ODD_JSON.map(json.dumps))
)
def test_whatever_look_is_asked_for_the_answer_is_a_sentence_or_data(value: str | None) -> None:
    error, data = answered(desk_showing(None), value, 100.0)
    assert (error is None) != (data is None)


def test_corners_are_the_median_of_several_looks_and_passing_markers_are_left_out() -> None:
    quad = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
    looks: list[Any] = [{1: quad + shift} for shift in (0.0, 0.2, 0.1, 30.0)] + [{2: quad}]
    settled = settled_corners(looks)
    assert list(settled) == [1]
    assert settled[1] == pytest.approx(quad + 0.15)


def sled_points(true: Calibration) -> dict[str, tuple[float, float]]:
    """Where this camera sees the named points of the sled45 profile."""
    seen = {name: true.project(np.array(place)) for name, place in SLED.points_m.items()}
    return {name: (float(px[0]), float(px[1])) for name, px in seen.items()}


def fitted(desk: CalibrationDesk, now_s: float = 100.0, **wish: Any) -> dict[str, Any]:
    return desk.answer(f"fit side {json.dumps(wish)}", now_s)


@given(
    st.lists(st.tuples(st.floats(-320, 960), st.floats(-240, 720)), min_size=8, max_size=8)
    | st.lists(st.tuples(st.integers(300, 303), st.integers(200, 202)), min_size=8, max_size=8)
)
def test_wherever_the_points_are_clicked_the_answer_is_a_fit_or_a_sentence(places: list[tuple[float, float]]) -> None:
    points = dict(zip(SLED.points_m, places, strict=True))
    try:
        made, _ = from_points(SLED, points, (640, 480), 550.0)
    except CalibrationError as error:
        assert "\n" not in str(error)
    else:
        assert made.reprojection_error_px <= 6.0


def test_points_are_fitted_told_kept_exactly_as_shown_and_undone(tmp_path: Path) -> None:
    image, true = seen_by("mixed/side")
    reloaded: list[bool] = []
    desk = desk_showing(image, reloaded, tmp_path)
    about = desk.answer("about side", 100.0)
    assert (about["now"], about["before"], about["size_px"]) == (None, False, [640, 480])
    assert about["machines"] == ["seated_horizontal", "sled45"]
    fit = fitted(desk, points=sled_points(true), focal_px=true.focal_length_px)
    assert fit["refused"] is None and fit["view"] == "side" and fit["error_px"] < 0.1
    assert fit["told"][0].startswith("Fit: the points miss by 0.0") and fit["told"][-1] == "Before: not calibrated"
    assert [miss["name"] for miss in fit["misses"]] == [f"point {name}" for name in SLED.points_m]
    assert fit["points"]["seat_left"] == pytest.approx(true.project(np.array(SLED.points_m["seat_left"])), abs=0.5)
    text = desk.answer(f"text side {fit['fit']}", 100.0)["text"]
    path = Path(desk.answer(f"keep side {fit['fit']}", 100.0)["path"])
    assert path == tmp_path / "calibration" / "side.toml" and path.read_text("utf-8") == text
    assert difference(load_calibration(path), true)[0] < 0.01
    assert load_calibration(path).scene is not None

    again = fitted(desk, machine="current", points=sled_points(true), focal_px=1.05 * true.focal_length_px)
    assert again["moved_m"] > 0.02 and "the camera has moved" in again["told"][-1]
    with pytest.raises(LookError, match="that fit is not the newest any more; fit again"):
        desk.answer(f"keep side {fit['fit']}", 100.0)
    desk.answer(f"keep side {again['fit']}", 100.0)
    assert desk.answer("about side", 100.0)["before"] is True
    desk.answer("undo side", 100.0)
    assert path.read_text("utf-8") == text
    assert len(reloaded) == 3


def test_a_fit_that_is_refused_shows_where_it_misses_and_cannot_be_kept(tmp_path: Path) -> None:
    image, true = seen_by("mixed/side")
    desk = desk_showing(image, folder=tmp_path)
    good = fitted(desk, points=sled_points(true), focal_px=true.focal_length_px)
    off = sled_points(true)
    off["plate_top_left"] = (off["plate_top_left"][0] + 60.0, off["plate_top_left"][1])
    bad = fitted(desk, points=off, focal_px=true.focal_length_px)
    assert "miss" in bad["refused"] and "plate_top_left" in bad["refused"]
    worst = max(bad["misses"], key=lambda miss: miss["miss_px"])
    assert worst["name"] == "point plate_top_left"
    assert worst["seen"] == pytest.approx(off["plate_top_left"], abs=0.01)
    for stale in (good["fit"], "", "0000"):
        with pytest.raises(LookError, match="fit again"):
            desk.answer(f"keep side {stale}", 100.0)
    assert not (tmp_path / "calibration").exists()


def test_stickers_are_fitted_from_the_looks_of_the_last_seconds(tmp_path: Path) -> None:
    image, true = seen_by("mixed/side")
    desk = desk_showing(image, folder=tmp_path)
    with pytest.raises(LookError, match="0 looks at stickers within 15 s, needed 4: look for the stickers first"):
        fitted(desk, stickers="aruco")
    for i in range(LOOKS):
        assert len(desk.answer("stickers side aruco", 100.0 + 0.3 * i)["stickers"]) >= 4
    fit = fitted(desk, 103.0, stickers="aruco", focal_px=true.focal_length_px)
    assert fit["refused"] is None and fit["carriage_sticker"] in (16, 17, 18, 19, 20)
    desk.answer(f"keep side {fit['fit']}", 103.0)
    assert difference(load_calibration(tmp_path / "calibration" / "side.toml"), true)[0] < 0.02
    with pytest.raises(NoPicture):  # the picture has grown old
        fitted(desk, 125.0, stickers="aruco")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({}, "a fit is by points or by stickers: give one of them"),
        ({"points": {"a": [1, 2]}, "stickers": "aruco"}, "a fit is by points or by stickers: give one of them"),
        ({"stickers": "qr"}, "unknown family 'qr': allowed are aruco, apriltag"),
        ({"colour": 1}, "unknown key 'colour': allowed are machine, profile, lens, hfov_deg"),
        ({"points": {"a": [1, "x"]}}, "point a: allowed is [x, y], in pixels"),
        ({"points": [1]}, 'points: allowed is {"plate_top_left": [388, 166], ...}, in pixels'),
        ({"points": {"a": [1, 2]}, "hfov_deg": 400}, "hfov 400: allowed 20 to 140 (degrees)"),
        ({"points": {"a": [1, 2]}, "focal_px": "wide"}, "focal_px is 'wide': allowed is a number"),
        ({"points": {"a": [1, 2]}, "focal_px": 500, "lens": "module3"}, "lens, hfov_deg and focal_px: give one of"),
        ({"points": {"a": [1, 2]}, "lens": "toy"}, "unknown lens 'toy': allowed are module2"),
        ({"points": {"a": [1, 2]}, "machine": "/etc/passwd"}, "no machine profile '/etc/passwd': allowed are"),
        ({"points": {"a": [1, 2]}, "machine": "mine", "profile": "x ="}, "mine: not valid TOML"),
        ({"points": {"a": [1, 2]}, "machine": "current"}, "cannot be read"),
        ({"points": {"nose": [1, 2]}}, "unknown point 'nose'"),
        ("[", "a fit is asked for with a JSON object"),
    ],
)
def test_a_fit_that_is_asked_for_wrongly_is_refused_in_one_line(tmp_path: Path, wish: Any, said: str) -> None:
    desk = desk_showing(seen_by("mixed/side")[0], folder=tmp_path)
    text = wish if isinstance(wish, str) else json.dumps(wish)
    refused = desk.answer(f"fit side {text}", 100.0)["refused"]
    assert said in refused and "\n" not in refused


def test_a_calibration_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "side.toml"
    calibration_keeping.keep(path, "first")
    calibration_keeping.keep(path, "second")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        for act in (lambda: calibration_keeping.keep(path, "third"), lambda: calibration_keeping.undo(path)):
            with pytest.raises(CalibrationError, match="cannot be written: No space left on device; let the user of"):
                act()
    assert (path.read_text(), path.with_suffix(".before").read_text()) == ("second", "first")
    calibration_keeping.undo(path)
    calibration_keeping.undo(path)
    assert path.read_text() == "second"


def test_undoing_a_cameras_only_calibration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="there is no calibration before this one"):
        desk_showing(None, folder=tmp_path).answer("undo side", 1.0)


# --- the guide -----------------------------------------------------------------------------------


def wishes(**given_wishes: Any) -> Wishes:
    plain: dict[str, Any] = dict.fromkeys(("name", "picture", "out"))
    return Wishes(**(plain | {"machine": "sled45", "family": "aruco", "points": {}, "lens": Lens()} | given_wishes))


def guide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, desk: CalibrationDesk, *typed: str, device: Any = None
) -> tuple[CameraGuide, Any]:
    def ask(config: Config, value: str) -> dict[str, Any]:
        error, data = answered(desk, value, 100.0)
        if error is not None:
            raise Refused(error)
        return dict(json.loads(data or ""))

    monkeypatch.setattr(calibrate_camera, "look", ask)
    monkeypatch.setattr(calibrate_camera, "ask_device", device or (lambda config, wish: {}))
    left, out = list(typed), io.StringIO()
    return CameraGuide(config_in(tmp_path), Dialogue(lambda: left.pop(0), out, sleep=lambda s: None)), out


def test_a_live_calibration_is_used_at_once_kept_beside_the_old_one_and_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, true = seen_by("mixed/side")
    reloaded: list[bool] = []
    made, out = guide(tmp_path, monkeypatch, desk_showing(image, reloaded, tmp_path), "y", "y")
    assert made.run(wishes(lens=Lens(focal_px=true.focal_length_px)), back=False) == 0
    path = tmp_path / "calibration" / "side.toml"
    first = path.read_text("utf-8")
    assert difference(load_calibration(path), true)[0] < 0.02
    assert made.run(wishes(lens=Lens(focal_px=1.02 * true.focal_length_px)), back=False) == 0
    assert path.with_suffix(".before").read_text("utf-8") == first
    assert "the camera has moved" in out.getvalue()
    assert "Stickers seen: 0, 1, " in out.getvalue()
    assert made.run(wishes(), back=True) == 0
    assert path.read_text("utf-8") == first
    assert len(reloaded) == 3


def test_a_live_calibration_by_points_with_ones_own_profile_can_be_written_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vision.machine_profile import profile_path

    image, true = seen_by("mixed/side")
    own, out_file = tmp_path / "own.toml", tmp_path / "elsewhere.toml"
    own.write_text(profile_path("sled45").read_text("utf-8"), "utf-8")
    made, _ = guide(tmp_path, monkeypatch, desk_showing(image, folder=tmp_path), "y")
    asked = wishes(machine=str(own), points=sled_points(true), lens=Lens(focal_px=true.focal_length_px), out=out_file)
    assert made.run(asked, back=False) == 0
    assert difference(load_calibration(out_file), true)[0] < 0.02
    assert not (tmp_path / "calibration").exists()


def test_without_a_yes_no_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, true = seen_by("mixed/side")
    made, out = guide(tmp_path, monkeypatch, desk_showing(image, folder=tmp_path), "n")
    assert made.run(wishes(lens=Lens(focal_px=true.focal_length_px)), back=False) == 1
    assert not (tmp_path / "calibration").exists()
    assert out.getvalue().endswith("Nothing was changed.\n")


def test_nobodys_set_is_disturbed_and_a_device_that_does_not_run_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, true = seen_by("mixed/side")

    def lifting(config: Config, wish: dict[str, Any]) -> dict[str, Any]:
        raise Refused("Finish the set first: calibrating needs the machine for itself")

    def silent(config: Config, wish: dict[str, Any]) -> dict[str, Any]:
        raise BusError("the device process does not answer")

    asked = wishes(lens=Lens(focal_px=true.focal_length_px))
    made, _ = guide(tmp_path, monkeypatch, desk_showing(image, folder=tmp_path), "y", device=lifting)
    with pytest.raises(Refused, match="Finish the set first"):
        made.run(asked, back=False)
    made, _ = guide(tmp_path, monkeypatch, desk_showing(image, folder=tmp_path), "y", device=silent)
    assert made.run(asked, back=False) == 0


def test_without_the_vision_process_how_to_start_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any) -> Any:
        raise BusError("the vision process did not answer within 4 s")

    monkeypatch.setattr("device.command.calibrate_steps.send_command", silent)
    with pytest.raises(BusError, match="only it can measure: start it .*legpress run vision"):
        look(Config(paths=Paths(runtime_dir=tmp_path)), "reload")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--point", "plate"], "--point plate: allowed is NAME=X,Y"),
        (["--hfov", "400"], "--hfov 400: allowed 20 to 140 (degrees)"),
        (["--focal", "3"], "--focal 3: allowed 100 to 20000 (pixels)"),
        (["--picture", "none.png", "--lens", "toy"], "none.png: no such file"),
        (["top"], "which camera? The configuration has side"),
        (["--machine", "simulated"], "--machine simulated: only with [simulation] scenario"),
    ],
)
def test_wrong_words_are_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.toml").write_text('[paths]\nstate_dir = "state"\nruntime_dir = "run"\n')
    assert main.main(["calibrate", "camera", "--config", "c.toml", *words]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"legpress: {said}") and told.count("\n") == 1
