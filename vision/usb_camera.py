"""A USB camera (UVC) through Video4Linux and OpenCV, with the behaviour of the Pi's own cameras."""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from device.config import Camera
from vision.frames import Frame, FreezeWatch, SourceError, SourceStuck

log = logging.getLogger(__name__)

FRAME_SIZE_PX: Final = (640, 480)
FRAMES_PER_S: Final = {50: 25, 60: 30}
BY_PATH: Final = Path("/dev/v4l/by-path")
"""One name for each USB socket; /dev/videoN is numbered as the cameras happen to be found."""
CLOSES_WITHIN_S: Final = 2.0
OLDEST_S: Final = 1.0
"""A driver's time stamp further back than this is not monotonic time, and not used (ours)."""
OPEN_TIMEOUT_VARIABLE: Final = "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"

# linux/videodev2.h: _IOWR('V', 28, struct v4l2_control), V4L2_CID_POWER_LINE_FREQUENCY and its values
_VIDIOC_S_CTRL: Final = 0xC008561C
_POWER_LINE_FREQUENCY: Final = 0x00980918
_POWER_LINE: Final = {50: 1, 60: 2}

# OpenCV's own limit for one frame is ten seconds: too long to end a thread by (read when a device is opened)
os.environ.setdefault(OPEN_TIMEOUT_VARIABLE, "1")


def find_device(camera: Camera, by_path: Path = BY_PATH) -> Path:
    """The device file of ``camera.location``; without one, of the only camera there is.

    Raises:
        SourceError: it is not there, or there are several to choose from.
    """
    # a camera has several device files: index0 gives pictures, the others metadata
    found = sorted(by_path.glob("*-video-index0")) if by_path.is_dir() else []
    there = ", ".join(path.name for path in found) or "none"
    if camera.location is None:
        if len(found) == 1:
            return found[0]
        advice = "plug it in" if not found else f"set its location to one of {there}"
        raise SourceError(f"camera {camera.name}: {len(found)} USB cameras found; {advice}")
    place = Path(camera.location)
    device = place if place.is_absolute() else by_path / place
    if not device.exists():
        raise SourceError(
            f"camera {camera.name}: no USB camera at {camera.location} (found: {there}); check its plug, or correct "
            "its location"
        )
    return device


def open_v4l(device: Path) -> Any:
    """OpenCV's capture of a Video4Linux device; check ``isOpened``."""
    return cv2.VideoCapture(str(device), cv2.CAP_V4L2)


def set_mains_frequency(device: Path, mains_hz: int) -> bool:
    """Tell the camera what the lamps flicker with. False where it has no such control."""
    request = struct.pack("Ii", _POWER_LINE_FREQUENCY, _POWER_LINE[mains_hz])
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.ioctl(descriptor, _VIDIOC_S_CTRL, request)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


class UsbSource:
    """One USB camera. OpenCV's ``read`` has no time-out of its own, so a thread of this source waits for it.

    Raises:
        SourceError: there is no such camera, or it cannot be opened.
    """

    def __init__(
        self,
        camera: Camera,
        device: Path | None = None,
        opener: Callable[[Path], Any] = open_v4l,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._clock = camera.name, clock
        self._device = device or find_device(camera)
        self._freeze = FreezeWatch()
        self._capture = opener(self._device)
        if not self._capture.isOpened():
            raise SourceError(
                f"camera {camera.name}: {self._device} cannot be opened; is another program using it, and is the user "
                "in the group video?"
            )
        self._configure(camera)
        self._arrived = threading.Condition()
        self._newest: Frame | None = None
        self._failure: SourceError | None = None
        self._stopping = False
        self._count = 0
        self._thread = threading.Thread(target=self._grab, name=f"{camera.name}-usb", daemon=True)
        self._thread.start()

    def _configure(self, camera: Camera) -> None:
        capture = self._capture
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, FRAME_SIZE_PX[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, FRAME_SIZE_PX[1])
        capture.set(cv2.CAP_PROP_FPS, FRAMES_PER_S[camera.mains_hz])
        # the driver's queue: with one buffer a frame is never older than the next
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if camera.exposure_us is not None:
            # Video4Linux: 1 = manual; exposure in units of 100 us
            capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, 1)
            capture.set(cv2.CAP_PROP_EXPOSURE, max(1, round(camera.exposure_us / 100)))
            if camera.gain is not None:
                capture.set(cv2.CAP_PROP_GAIN, camera.gain)
        if not set_mains_frequency(self._device, camera.mains_hz):
            log.info("camera %s has no mains frequency control", camera.name)
        size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if size != FRAME_SIZE_PX:
            capture.release()
            raise SourceError(
                f"camera {camera.name}: gives {size[0]} x {size[1]} pixels, not {FRAME_SIZE_PX[0]} x "
                f"{FRAME_SIZE_PX[1]}; use another camera"
            )

    def _grab(self) -> None:
        while not self._stopping:
            ok, image = self._capture.read()
            now_s = self._clock()
            with self._arrived:
                if not ok:
                    self._failure = SourceError(f"camera {self._name}: gives no picture any more; check its plug")
                else:
                    frame = Frame(np.asarray(image, dtype=np.uint8), self._exposed_s(now_s), self._count)
                    self._newest = frame
                    self._count += 1
                self._arrived.notify_all()
            if not ok:
                return

    def _exposed_s(self, now_s: float) -> float:
        """The driver's stamp of the newest frame where it counts monotonic time, else the moment it came."""
        stamp_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000.0
        return stamp_s if 0.0 <= now_s - stamp_s <= OLDEST_S else now_s

    def read(self, timeout_s: float) -> Frame | None:
        with self._arrived:
            self._arrived.wait_for(lambda: self._newest is not None or self._failure is not None, timeout_s)
            frame, self._newest = self._newest, None
            if frame is None and self._failure is not None:
                raise self._failure
        if frame is not None:
            self._freeze.check(self._name, frame.image_bgr, frame.t_s)
        return frame

    def close(self) -> None:
        self._stopping = True
        self._thread.join(CLOSES_WITHIN_S)
        if self._thread.is_alive():
            raise SourceStuck(f"camera {self._name}: it does not let go; the vision process has to be started anew")
        self._capture.release()
