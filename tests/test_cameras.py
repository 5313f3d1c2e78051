"""The Pi's cameras and USB cameras: found by their place, fresh pictures, no flicker, no fault unnoticed."""

from __future__ import annotations

import inspect
import json
import logging
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import fake_cameras
import numpy as np
import pytest
from fake_cameras import CAM0, CAM1, USB, CompletedRequest, Picamera2, VideoCapture

from device.config import Camera, Config
from device.messages import PoseSample
from vision.capture import CameraThreads, Detection, LatestSlots
from vision.frames import Frame, FrameSource, Image, SourceError, SourceStuck
from vision.landmarks import Crop, Landmarks
from vision.picamera import PicameraSource
from vision.service import CameraStuck, Vision
from vision.usb_camera import UsbSource, find_device, set_mains_frequency

RECORDED = json.loads((Path(__file__).parent / "picamera2_signatures.json").read_text("utf-8"))["signatures"]
SIDE = Camera(name="side")


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Picamera2]]:
    module = types.ModuleType("picamera2")
    monkeypatch.setattr(module, "Picamera2", Picamera2, raising=False)
    monkeypatch.setitem(sys.modules, "picamera2", module)
    Picamera2.reset()
    yield Picamera2
    Picamera2.reset()


# --- the stand-ins are like the real ones --------------------------------------------------------


@pytest.mark.parametrize("name", RECORDED)
def test_the_stand_in_for_picamera2_has_the_librarys_signatures(name: str) -> None:
    owner, method = name.split(".")
    recorded = RECORDED[name]
    found = inspect.getattr_static(getattr(fake_cameras, owner), method)
    if recorded["kind"] == "property":
        assert isinstance(found, property)
        return
    assert isinstance(found, staticmethod) == (recorded["kind"] == "staticmethod")
    parameters = inspect.signature(getattr(found, "__func__", found)).parameters
    told = {key: None if value.default is value.empty else repr(value.default) for key, value in parameters.items()}
    wanted = dict(recorded["parameters"])
    if owner == "CompletedRequest" or method == "__init__":
        wanted.pop("request", None)
    wanted = {key: "None" if default == "libcamera.Transform()" else default for key, default in wanted.items()}
    assert told == wanted


def test_the_installed_picamera2_has_the_recorded_signatures() -> None:
    real = pytest.importorskip("picamera2", reason="only on a Raspberry Pi", exc_type=ImportError)
    for name, recorded in RECORDED.items():
        owner, method = name.split(".")
        found = inspect.getattr_static(getattr(real, owner, None) or getattr(real.request, owner), method)
        if recorded["kind"] != "property":
            told = list(inspect.signature(getattr(found, "__func__", found)).parameters)
            assert told == [key for key, _ in recorded["parameters"]]


@pytest.mark.parametrize("method", ["isOpened", "set", "get", "read", "release"])
def test_the_stand_in_for_opencvs_capture_has_its_methods_and_arguments(method: str) -> None:
    first_line = str(getattr(cv2.VideoCapture, method).__doc__).splitlines()[0]
    real = [word.strip(" []") for word in first_line[first_line.index("(") + 1 : first_line.index(")")].split(",")]
    told = [name for name in inspect.signature(getattr(VideoCapture, method)).parameters if name != "self"]
    assert told == [name for name in real if name]


# --- the Pi's cameras ----------------------------------------------------------------------------


def test_the_pi_camera_is_asked_for_small_fresh_pictures_in_our_colour_order(picamera2: type[Picamera2]) -> None:
    source = PicameraSource(SIDE)
    frame = source.read(0.5)
    (camera,) = picamera2.made
    assert frame is not None
    assert camera.config["main"] == {"size": (640, 480), "format": "RGB888"}
    assert (camera.config["buffer_count"], camera.config["queue"], camera.started) == (4, False, True)
    assert (frame.t_s, frame.index, camera.requests[0].released) == (pytest.approx(5.04), 0, True)
    source.close()
    assert camera.closed


@pytest.mark.parametrize(
    ("camera", "controls"),
    [
        (SIDE, {"FrameDurationLimits": (40_000, 40_000), "AeFlickerMode": 1, "AeFlickerPeriod": 10_000}),
        (
            Camera(mains_hz=60),
            {"FrameDurationLimits": (33_333, 33_333), "AeFlickerMode": 1, "AeFlickerPeriod": 8_333},
        ),
        (
            Camera(exposure_us=10_000, gain=4.0),
            {
                "FrameDurationLimits": (40_000, 40_000),
                "AeEnable": False,
                "ExposureTime": 10_000,
                "AnalogueGain": 4.0,
            },
        ),
    ],
)
def test_frame_time_and_exposure_keep_to_the_lamps(
    picamera2: type[Picamera2], camera: Camera, controls: dict[str, Any]
) -> None:
    PicameraSource(camera).close()
    assert picamera2.made[0].config["controls"] == controls


def test_a_control_that_the_library_does_not_offer_is_left_out(picamera2: type[Picamera2]) -> None:
    picamera2.offered = ("FrameDurationLimits",)
    PicameraSource(SIDE).close()
    assert picamera2.made[0].config["controls"] == {"FrameDurationLimits": (40_000, 40_000)}


@pytest.mark.parametrize("plugged", [[CAM0, CAM1], [CAM1, CAM0], [CAM1, USB, CAM0]])
@pytest.mark.parametrize(("location", "identity"), [("cam0", CAM0), ("cam1", CAM1), (CAM1, CAM1)])
def test_a_camera_is_known_by_its_connector_whatever_its_number(
    picamera2: type[Picamera2], plugged: list[str], location: str, identity: str
) -> None:
    picamera2.plugged = plugged
    PicameraSource(Camera(name="side", location=location)).close()
    assert picamera2.made[0].number == plugged.index(identity)


@pytest.mark.parametrize(
    ("plugged", "location", "told"),
    [
        ([], None, "camera side: no camera on the Pi's connectors; check the ribbon cable with the power off"),
        ([USB], None, "camera side: no camera on the Pi's connectors"),
        ([CAM0, CAM1], None, "camera side: 2 cameras found; set its location to one of cam0, cam1"),
        ([CAM1], "cam0", "camera side: none at cam0 (found: cam1); check its ribbon cable with the power off"),
    ],
)
def test_a_camera_that_is_not_there_is_told_with_what_is(
    picamera2: type[Picamera2], plugged: list[str], location: str | None, told: str
) -> None:
    picamera2.plugged = plugged
    with pytest.raises(SourceError) as refusal:
        PicameraSource(Camera(name="side", location=location))
    assert str(refusal.value).startswith(told)
    assert "\n" not in str(refusal.value)


def test_without_picamera2_the_way_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match="sudo apt install python3-picamera2"):
        PicameraSource(SIDE)


def test_a_camera_that_another_program_uses_is_told(picamera2: type[Picamera2]) -> None:
    picamera2.fault = "busy"
    with pytest.raises(SourceError, match="camera side: Camera __init__ .*is another program using it"):
        PicameraSource(SIDE)


def test_an_unplugged_pi_camera_gives_nothing_instead_of_hanging(picamera2: type[Picamera2]) -> None:
    source = PicameraSource(SIDE)
    picamera2.fault = "unplugged"
    assert source.read(0.5) is None
    assert picamera2.made[0].flushed


def test_one_exposure_over_and_over_is_no_picture(picamera2: type[Picamera2]) -> None:
    source = PicameraSource(SIDE)
    assert source.read(0.5) is not None
    picamera2.fault = "repeated"
    assert source.read(0.5) is not None
    assert [source.read(0.5) for _ in range(3)] == [None, None, None]


def read_until_refused(source: FrameSource) -> tuple[float, str]:
    """How long (s, by the frames' own time) the pictures went on, and what was said."""
    first = source.read(0.5)
    assert first is not None
    last = first
    for _ in range(200):
        try:
            frame = source.read(0.5)
        except SourceError as error:
            return last.t_s - first.t_s, str(error)
        last = frame or last
    pytest.fail("never refused")


def test_a_frozen_pi_camera_is_refused_within_a_second(picamera2: type[Picamera2]) -> None:
    source = PicameraSource(SIDE)
    picamera2.fault = "frozen"
    lasted_s, said = read_until_refused(source)
    assert lasted_s < 1.0
    assert said == "camera side: its picture stands still; it is started anew"


def test_a_camera_that_does_not_let_go_asks_for_a_new_process(
    picamera2: type[Picamera2], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vision.picamera.CLOSES_WITHIN_S", 0.01)
    source = PicameraSource(SIDE)
    picamera2.fault = "hangs"
    with pytest.raises(SourceStuck, match="does not let go"):
        source.close()


# --- USB cameras ---------------------------------------------------------------------------------


def usb(fault: str | None = None, camera: Camera = SIDE) -> tuple[UsbSource, VideoCapture]:
    capture = VideoCapture(fault)
    return UsbSource(camera, Path("/dev/video9"), lambda device: capture, clock=lambda: capture.now_s), capture


def test_a_usb_camera_gives_the_newest_picture_with_the_drivers_time() -> None:
    source, capture = usb()
    frame = source.read(5.0)
    source.close()
    assert frame is not None and frame.image_bgr.shape == (480, 640, 3)
    assert 0.0 < frame.t_s < capture.now_s
    assert capture.released


def test_a_usb_camera_is_asked_for_small_fresh_pictures_without_flicker() -> None:
    source, capture = usb(camera=Camera(name="side", source="usb", exposure_us=10_000, gain=20.0))
    source.close()
    assert capture.settings == {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),
        cv2.CAP_PROP_FRAME_WIDTH: 640,
        cv2.CAP_PROP_FRAME_HEIGHT: 480,
        cv2.CAP_PROP_FPS: 25,
        cv2.CAP_PROP_BUFFERSIZE: 1,
        cv2.CAP_PROP_AUTO_EXPOSURE: 1,
        cv2.CAP_PROP_EXPOSURE: 100,
        cv2.CAP_PROP_GAIN: 20.0,
    }


def test_a_usb_camera_that_cannot_be_opened_or_has_no_such_size_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="/dev/video9 cannot be opened; .* in the group video"):
        usb("closed")
    small = VideoCapture()
    monkeypatch.setattr(small, "set", lambda propId, value: True)  # a camera that ignores what it is asked
    with pytest.raises(SourceError, match="gives 0 x 0 pixels, not 640 x 480"):
        UsbSource(SIDE, Path("/dev/video9"), lambda device: small)


def test_an_unplugged_usb_camera_is_told_at_once() -> None:
    source, _ = usb("unplugged")
    with pytest.raises(SourceError, match="camera side: gives no picture any more; check its plug"):
        source.read(5.0)
    source.close()


def test_a_usb_camera_whose_driver_is_silent_gives_nothing_and_then_asks_for_a_new_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vision.usb_camera.CLOSES_WITHIN_S", 0.01)
    source, capture = usb("silent")
    assert source.read(0.01) is None
    with pytest.raises(SourceStuck, match="does not let go"):
        source.close()
    capture.let_go.set()


def test_a_frozen_usb_camera_is_refused_within_a_second() -> None:
    source, _ = usb("frozen")
    lasted_s, said = read_until_refused(source)
    source.close()
    assert lasted_s < 1.0
    assert said == "camera side: its picture stands still; it is started anew"


def test_usb_cameras_are_known_by_their_socket(tmp_path: Path) -> None:
    names = ["platform-xhci-usb-0:1:1.0-video-index0", "platform-xhci-usb-0:2:1.0-video-index0"]
    for name in [*names, "platform-xhci-usb-0:1:1.0-video-index1"]:
        (tmp_path / name).touch()
    assert find_device(Camera(source="usb", location=names[1]), tmp_path) == tmp_path / names[1]
    with pytest.raises(SourceError, match="2 USB cameras found; set its location to one of platform"):
        find_device(Camera(source="usb"), tmp_path)
    with pytest.raises(SourceError, match="no USB camera at elsewhere"):
        find_device(Camera(source="usb", location="elsewhere"), tmp_path)
    (tmp_path / names[0]).unlink()
    assert find_device(Camera(source="usb"), tmp_path) == tmp_path / names[1]
    with pytest.raises(SourceError, match="0 USB cameras found; plug it in"):
        find_device(Camera(source="usb"), tmp_path / "nowhere")


def test_a_device_without_a_mains_frequency_control_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "video").touch()
    assert not set_mains_frequency(tmp_path / "video", 50)
    assert not set_mains_frequency(tmp_path / "none", 60)


# --- from the camera to what the machine says ----------------------------------------------------


class NoModel:
    def detect(self, image_bgr: Image, t_ms: int, crop: Crop | None = None) -> Landmarks | None:
        return None


class Script:
    """A camera that follows a list: a level of grey, ``None`` (no picture), or an error; then stays at the last."""

    def __init__(self, *acts: int | SourceError | None) -> None:
        self.acts, self.at, self.closed = acts, 0, 0

    def read(self, timeout_s: float) -> Frame | None:
        act = self.acts[min(self.at, len(self.acts) - 1)]
        self.at += 1
        if isinstance(act, SourceError):
            raise act
        return None if act is None else Frame(np.full((48, 64, 3), act, np.uint8), 1.0 + 0.04 * self.at, self.at)

    def close(self) -> None:
        self.closed += 1


def test_a_camera_is_failed_after_two_missed_reads_and_opened_anew_after_seven(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vision.capture._REOPEN_AFTER_S", 0.0)
    sources = [Script(90, None, 90, *[None] * 7), Script(SourceError("camera side: broken")), Script(90)]
    left = iter(sources)
    out: LatestSlots[Detection] = LatestSlots(1)
    threads = CameraThreads(0, "side", lambda: next(left, sources[-1]), NoModel(), out)
    with caplog.at_level(logging.WARNING):
        threads.start()
        while sources[-1].at < 2:
            assert out.take(10.0) is not None
        threads.close()
    assert [record.getMessage() for record in caplog.records] == [
        "camera side: no picture for 0.6 s; check its cable",
        "camera side works again",
    ]
    assert threads.error is None
    assert [source.closed for source in sources[:2]] == [1, 1]


def test_the_time_to_notice_a_dead_camera_is_below_a_second() -> None:
    from vision import capture, service

    noticed_s = capture._MISSED_READS * capture._READ_TIMEOUT_S + service.SILENT_STATUS_S
    assert noticed_s < 1.0


def test_a_camera_that_fails_is_published_as_lost_though_its_last_picture_is_fresh(tmp_path: Path) -> None:
    stop, published = threading.Event(), []

    def publish(sample: PoseSample) -> None:
        published.append(sample.cameras[0].condition)
        if published[-1] == "lost" or len(published) > 200:
            stop.set()

    config = Config(cameras=(SIDE,))
    script = Script(90, 120, *[None] * 60)
    vision = Vision(config, [None], [NoModel()], publish, lambda: 1.1, opener=lambda *_: script)
    vision.cameras[0].error = "camera side: no picture for 0.6 s; check its cable"
    vision._say_how_cameras_are()
    assert published == ["lost"]


def test_a_camera_whose_driver_does_not_return_ends_the_process() -> None:
    class Stuck(Script):
        def close(self) -> None:
            raise SourceStuck("camera side: it does not let go")

    vision = Vision(
        Config(cameras=(SIDE,)),
        [None],
        [NoModel()],
        lambda sample: None,
        opener=lambda *_: Stuck(SourceError("camera side: broken")),
    )
    with pytest.raises(CameraStuck, match="it does not let go"):
        vision.run(threading.Event())


def test_a_thread_that_dies_of_anything_ends_the_process() -> None:
    class Broken:
        def detect(self, image_bgr: Image, t_ms: int, crop: Crop | None = None) -> Landmarks | None:
            raise ZeroDivisionError("model")

    vision = Vision(
        Config(cameras=(SIDE,)),
        [None],
        [Broken()],
        lambda sample: None,
        opener=lambda *_: Script(90),
    )
    with pytest.raises(CameraStuck, match="camera side: a thread has died: model"):
        vision.run(threading.Event())


def test_requests_are_given_back_even_when_their_picture_is_damaged(
    picamera2: type[Picamera2], monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged() -> dict[str, Any]:
        raise RuntimeError("no metadata")

    source = PicameraSource(SIDE)
    broken = CompletedRequest(fake_cameras.picture(1), 1)
    monkeypatch.setattr(broken, "get_metadata", damaged)
    monkeypatch.setattr(picamera2.made[0], "capture_request", lambda wait=None, **_: broken)
    with pytest.raises(SourceError, match="camera side: no metadata"):
        source.read(0.5)
    assert broken.released
