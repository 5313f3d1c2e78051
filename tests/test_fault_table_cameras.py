"""The fault table, third part: every way in which a camera can lie, as the vision process tells it, and how soon.

The real source, capture, view check and publisher run, on a camera of picamera2's shape and in the camera's own time:
a clip of a lifter, through which each fault is injected.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from fake_cameras import CAM0, Picamera2
from kiosk_scenes import IDLE

from device import machine_health
from device.bus import decode, encode
from device.config import Camera, Config
from device.messages import CameraStatus, PoseSample
from vision.calibration import Calibration
from vision.calibration_file import load_calibration
from vision.camera_health import STARTS_WITHIN_S
from vision.capture import Detection
from vision.clip import ClipReader
from vision.frames import Frame, FrameSource, Image, SourceEnded
from vision.picamera import PicameraSource
from vision.service import SILENT_STATUS_S, Vision

CLIP = Path(__file__).parent.parent / "device" / "simulation" / "scenarios" / "mixed" / "side.mp4"
PERIOD_S = 0.1
"""Ten pictures a second: enough for what is judged here, and half the work."""
HEALTHY_S = 4.0
SIDE = Camera(name="side")
Spoil = Callable[[Image], Image]


@cache
def pictures() -> tuple[Image, ...]:
    """The clip at ten frames a second."""
    reader = ClipReader(CLIP)
    found = []
    while (frame := reader.next()) is not None and frame.t_s < 9.0:
        if frame.t_s >= len(found) * PERIOD_S - 1e-6:
            found.append(frame.image_bgr)
    reader.close()
    return tuple(found)


@cache
def calibration() -> Calibration:
    return load_calibration(CLIP.with_suffix(".calibration.toml"))


class Hardware(Picamera2):
    """The stand-in of picamera2, showing the clip, with the camera's faults and time."""

    spoil: ClassVar[Spoil | None] = None
    period_s: ClassVar[float] = PERIOD_S
    passes: ClassVar[Callable[[], None]] = staticmethod(lambda: None)
    """Called as time passes, as the process's main loop turns."""
    shown: ClassVar[int] = 0

    @classmethod
    def wait(cls, duration_s: float) -> None:
        until_s = Picamera2.now_s + duration_s
        while Picamera2.now_s < until_s - 1e-9:
            Picamera2.now_s = min(Picamera2.now_s + SILENT_STATUS_S / 2, until_s)
            cls.passes()

    def capture_request(self, wait: Any = None, signal_function: Any = None, flush: Any = None) -> Any:
        if self.fault == "unplugged":
            self.wait(wait)
            raise TimeoutError
        if self.fault == "driver":
            raise RuntimeError("Camera frontend has timed out!")
        self.wait(self.period_s if self.fault != "repeated" else 0.04)
        started_s = Picamera2.now_s
        request = super().capture_request(wait)
        Picamera2.now_s = started_s
        cls = type(self)
        if self.fault != "frozen":
            cls.shown += 1
        image = pictures()[cls.shown % len(pictures())]
        noise = np.random.default_rng(cls.shown).integers(0, 3, image.shape, dtype=np.uint8)
        image = np.minimum(image, 252) + noise  # a sensor's noise never repeats
        request.image = image if cls.spoil is None else cls.spoil(image)
        request.exposed_ns = round(1e9 * (5.0 if self.fault == "repeated" else started_s - 0.02))
        return request


@pytest.fixture(name="hardware")
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hardware]]:
    module = types.ModuleType("picamera2")
    module.Picamera2 = Hardware  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.setattr("vision.capture._REOPEN_AFTER_S", 0.0)
    Picamera2.reset()
    Hardware.plugged, Hardware.fault, Hardware.spoil, Hardware.shown = [CAM0], None, None, 0
    Hardware.period_s = PERIOD_S
    yield Hardware
    Picamera2.reset()
    Hardware.plugged, Hardware.fault, Hardware.spoil = [CAM0], None, None


class NoModel:
    def detect(self, image_bgr: Image, t_ms: int, crop: Any = None) -> None:
        return None


class Bench:
    """The vision process's parts around one camera, its threads turned by the camera's own time."""

    def __init__(self) -> None:
        self.told: list[tuple[float, CameraStatus]] = []
        self.ends_s = float("inf")
        self.then: Callable[[], None] = lambda: None
        self.vision = Vision(
            Config(cameras=(SIDE,)), [calibration()],
            [NoModel()],  # type: ignore[list-item]  # stands for one
            self._publish, clock=lambda: Picamera2.now_s, opener=self._open,
        )  # fmt: skip
        self.threads = self.vision.cameras[0]
        self.threads._slot = self  # type: ignore[assignment]  # a picture is looked at as soon as it is taken
        Hardware.passes = staticmethod(self._turn)

    def put(self, camera: int, frame: Frame, wait: bool = False) -> None:
        self.vision._saw(Detection(camera, frame, None))

    @property
    def dropped(self) -> list[int]:
        return [0]

    def _turn(self) -> None:
        if Picamera2.now_s >= self.ends_s:
            self.ends_s = float("inf")
            self.then()
        if self.vision._status_due():
            self.vision._say_how_cameras_are()

    def _open(self, camera: Camera, config: Config) -> FrameSource:
        Hardware.wait(0.5)  # what a start takes
        return PicameraSource(camera)

    def _publish(self, sample: PoseSample) -> None:
        sent = decode(encode(sample))
        assert isinstance(sent, PoseSample)
        self.told.append((Picamera2.now_s, sent.cameras[0]))

    def run(self, acts: list[tuple[float, Callable[[], None]]]) -> None:
        """Each act after its time; the last one ends the camera."""
        left = list(acts)

        def next_act() -> None:
            _, act = left.pop(0)
            self.ends_s = Picamera2.now_s + left[0][0] if left else float("inf")
            act()

        self.then, self.ends_s = next_act, Picamera2.now_s + acts[0][0]
        self.threads._capture()


def over() -> None:
    raise SourceEnded


@dataclass(frozen=True)
class Row:
    name: str
    inject: Callable[[], None]
    reaction: str
    within_s: float
    repair: Callable[[], None]
    back_within_s: float = 3.0
    also: tuple[str, ...] = ()
    """What may be told before."""


def fault(name: str | None) -> Callable[[], None]:
    return lambda: setattr(Hardware, "fault", name)


def spoil(change: Spoil | None) -> Callable[[], None]:
    return lambda: setattr(Hardware, "spoil", change)


def plug(cameras: list[str], name: str | None) -> Callable[[], None]:
    def change() -> None:
        Hardware.plugged, Hardware.fault = cameras, name

    return change


def fogged(image: Image) -> Image:
    return np.asarray(0.5 * cv2.GaussianBlur(image, (0, 0), 3.0) + 90, dtype=np.uint8)


def turned(image: Image) -> Image:
    rotation = cv2.Rodrigues(np.array([0.0, np.radians(5.0), 0.0]))[0]
    K = calibration().K
    return np.asarray(cv2.warpPerspective(image, K @ rotation @ np.linalg.inv(K), (640, 480)), dtype=np.uint8)


def garbage(image: Image) -> Image:
    return np.random.default_rng(Hardware.shown).integers(0, 256, image.shape, dtype=np.uint8)


ROWS = [
    Row("unplugged", fault("unplugged"), "lost", 1.0, fault(None)),
    Row("unplugged for good, then another plugged in", plug([], "driver"), "lost", 1.0, plug([CAM0], None)),
    Row("frozen picture", fault("frozen"), "lost", 1.0, fault(None)),
    Row("one exposure over and over", fault("repeated"), "lost", 1.0, fault(None)),
    Row("its driver reports an error", fault("driver"), "lost", 1.0, fault(None)),
    Row("capped lens", spoil(np.zeros_like), "dark", 0.25, spoil(None)),
    Row("a hand over the lens", spoil(lambda image: image // 40 + 130), "dark", 0.25, spoil(None)),
    Row("the light is switched off", spoil(lambda image: image // 30), "dark", 0.25, spoil(None)),
    Row("fogged lens", spoil(fogged), "blurred", 5.0, spoil(None)),
    Row("turned by five degrees", spoil(turned), "moved", 5.0, spoil(None)),
    Row("garbage instead of pictures", spoil(garbage), "moved", 6.0, spoil(None), also=("blurred",)),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "_"))
def test_a_cameras_fault_is_told_in_time_and_no_other_one(row: Row, hardware: type[Hardware]) -> None:
    bench = Bench()
    times: list[float] = []

    def at(act: Callable[[], None]) -> Callable[[], None]:
        def done() -> None:
            times.append(Picamera2.now_s)
            act()

        return done

    bench.run([(HEALTHY_S, at(row.inject)), (row.within_s + 1.0, at(row.repair)), (row.back_within_s, over)])
    injected_s, repaired_s = times
    before = [status.condition for t_s, status in bench.told if injected_s - 1.0 < t_s < injected_s]
    assert set(before) <= {"ok", "nobody"}
    broken = [(t_s, status) for t_s, status in bench.told if injected_s <= t_s < repaired_s]
    told = [(t_s, status) for t_s, status in broken if status.condition == row.reaction]
    assert told, f"never told; seen {sorted({status.condition for _, status in broken})}"
    assert told[0][0] - injected_s <= row.within_s
    earlier = {status.condition for t_s, status in broken if t_s < told[0][0]}
    assert earlier <= {"ok", "nobody", *row.also}
    assert {status.condition for t_s, status in broken if t_s >= told[0][0]} == {row.reaction}
    assert bench.told[-1][1].condition in ("ok", "nobody"), "never believed again"
    finding = next(machine_health.cameras(replace(IDLE, cameras=(told[0][1],))))
    assert (finding.health, bool(finding.advice)) == ("failed", True)


def test_a_slow_camera_is_told_by_its_rate_and_by_the_doctor(hardware: type[Hardware]) -> None:
    bench = Bench()
    slowed: list[float] = []

    def slow() -> None:
        slowed.append(Picamera2.now_s)
        Hardware.period_s = 0.25

    bench.run([(HEALTHY_S, slow), (8.0, over)])
    worst = [
        t_s for t_s, status in bench.told
        if next(machine_health.cameras(replace(IDLE, cameras=(status,)))).health == "failed" and t_s > slowed[0]
    ]  # fmt: skip
    assert worst[0] - slowed[0] <= 6.0
    assert bench.told[-1][1].frames_per_s < machine_health.NEEDED_HZ
    assert {status.condition for _, status in bench.told[20:]} <= {"ok", "nobody"}


def test_a_camera_that_is_not_there_at_the_start_is_soon_said_to_be_lost(hardware: type[Hardware]) -> None:
    Picamera2.plugged = []
    bench = Bench()
    bench.run([(STARTS_WITHIN_S + 4.0, lambda: setattr(Picamera2, "plugged", [CAM0])), (2.0, over)])
    told = [status.condition for _, status in bench.told]
    assert told[0] == "starting"
    assert "starting" not in told[told.index("lost") :]
    assert told[-1] in ("ok", "nobody")


def test_each_row_has_a_name_of_its_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
