"""Stand-ins for picamera2 and for OpenCV's video capture, as far as the sources use them.

That they look like the real ones is checked in ``test_cameras``: picamera2's against the signatures of version 0.3.38
(``picamera2_signatures.json``) and, where it is installed, against itself; OpenCV's against the class itself.
"""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import cv2
import numpy as np

from vision.frames import Image

CAM0 = "/base/axi/pcie@1000120000/rp1/i2c@88000/imx708@1a"
CAM1 = "/base/axi/pcie@1000120000/rp1/i2c@80000/imx219@10"
USB = "/base/axi/pcie@1000120000/rp1/usb@300000-1:1.0-046d:0825"
OFFERED = ("AeEnable", "AeFlickerMode", "AeFlickerPeriod", "AnalogueGain", "ExposureTime", "FrameDurationLimits")


def picture(count: int) -> Image:
    """A picture that differs from that of any other count, as a sensor's do."""
    return np.random.default_rng(count).integers(40, 200, (480, 640, 3), dtype=np.uint8)


class CompletedRequest:
    def __init__(self, image: Image, exposed_ns: int) -> None:
        self.image, self.exposed_ns, self.released = image, exposed_ns, False

    def make_array(self, name: str) -> Image:
        return self.image

    def get_metadata(self) -> dict[str, Any]:
        return {"SensorTimestamp": self.exposed_ns}

    def release(self) -> None:
        self.released = True


class Picamera2:
    """Class attributes are the hardware: what is plugged in, and how it misbehaves."""

    plugged: ClassVar[list[str]] = [CAM0]
    offered: ClassVar[tuple[str, ...]] = OFFERED
    fault: ClassVar[str | None] = None
    """unplugged | frozen (one picture for ever) | repeated (one exposure for ever) | busy | hangs (on close)"""
    made: ClassVar[list[Picamera2]] = []
    now_s: ClassVar[float] = 5.0

    def __init__(
        self, camera_num: int = 0, verbose_console: Any = None, tuning: Any = None, allocator: Any = None
    ) -> None:
        if self.fault == "busy":
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self.number, self.flushed, self.closed, self.started, self.count = camera_num, False, False, False, 0
        self.config: dict[str, Any] = {}
        self.requests: list[CompletedRequest] = []
        type(self).made.append(self)

    @classmethod
    def reset(cls) -> None:
        cls.plugged, cls.offered, cls.fault, cls.made, cls.now_s = [CAM0], OFFERED, None, [], 5.0

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        # as the library sorts them: by Id, backwards, USB last; Num is libcamera's own order
        found = [{"Id": identity, "Num": number, "Model": "imx"} for number, identity in enumerate(Picamera2.plugged)]
        return sorted(found, key=lambda cam: ("/usb" not in str(cam["Id"]), cam["Id"]), reverse=True)

    @property
    def camera_controls(self) -> dict[str, Any]:
        return dict.fromkeys(self.offered, (0, 1, 0))

    def create_video_configuration(
        self,
        main: dict[str, Any] = {},  # noqa: B006  # the real signature
        lores: Any = None,
        raw: Any = {},  # noqa: B006  # the real signature
        transform: Any = None,
        colour_space: Any = None,
        buffer_count: int = 6,
        controls: dict[str, Any] = {},  # noqa: B006  # the real signature
        display: str = "main",
        encode: str = "main",
        queue: bool = True,
        sensor: Any = {},  # noqa: B006  # the real signature
        use_case: str = "video",
    ) -> dict[str, Any]:
        unknown = [name for name in controls if name not in self.offered]
        if unknown:
            raise RuntimeError(f"Control {unknown[0]} is not advertised by libcamera")
        return {"main": main, "buffer_count": buffer_count, "controls": controls, "queue": queue}

    def configure(self, camera_config: Any = None) -> None:
        self.config = camera_config

    def start(self, config: Any = None, show_preview: bool = False) -> None:
        self.started = True

    def capture_request(self, wait: Any = None, signal_function: Any = None, flush: Any = None) -> CompletedRequest:
        assert isinstance(wait, float), "wait=None blocks for ever on an unplugged camera"
        if self.fault == "unplugged" or self.closed:
            type(self).now_s += wait
            raise TimeoutError
        type(self).now_s += 0.04
        if self.fault != "frozen":
            self.count += 1
        exposed_s = 5.0 if self.fault == "repeated" else self.now_s
        self.requests.append(CompletedRequest(picture(self.count), round(exposed_s * 1e9)))
        return self.requests[-1]

    def cancel_all_and_flush(self) -> None:
        self.flushed = True

    def close(self) -> None:
        if self.fault == "hangs":
            threading.Event().wait(60.0)
        self.closed = True


class VideoCapture:
    """OpenCV's capture of a device. ``fault``: closed | unplugged | frozen | silent (``read`` waits until released)."""

    def __init__(self, fault: str | None = None, now_s: float = 0.0) -> None:
        self.fault, self.settings, self.count, self.released = fault, {}, 0, False
        self.now_s, self.let_go = now_s, threading.Event()

    def isOpened(self) -> bool:
        return self.fault != "closed"

    def set(self, propId: int, value: float) -> bool:
        self.settings[propId] = value
        return True

    def get(self, propId: int) -> float:
        if propId == cv2.CAP_PROP_POS_MSEC:
            return 1000.0 * (self.now_s - 0.02)
        return float(self.settings.get(propId, 0.0))

    def read(self, image: Any = None) -> tuple[bool, Image | None]:
        if self.fault == "silent":
            self.let_go.wait(10.0)
        if self.fault in ("unplugged", "silent"):
            return False, None
        self.now_s += 0.04
        if self.fault != "frozen":
            self.count += 1
        return True, picture(self.count)

    def release(self) -> None:
        self.released = True
