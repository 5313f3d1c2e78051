"""The Raspberry Pi's own cameras. The only file that imports picamera2, and only when it is asked for."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from vision.frames import Frame, SourceError

FRAME_SIZE_PX = (640, 480)
FRAME_DURATION_US = 33_333
"""30 frames/s; what the model cannot follow is dropped, so that the newest frame is always fresh."""


def find_camera(index: int) -> Any:
    """The library's camera class, once it is sure that it knows a camera of this number.

    Raises:
        SourceError: picamera2 is not installed, or there is no such camera.
    """
    try:
        from picamera2 import Picamera2  # type: ignore[import-not-found,unused-ignore]  # only on the Pi
    except ImportError as error:
        raise SourceError(
            f"camera {index}: picamera2 cannot be imported ({error}); "
            "on the Pi: sudo apt install python3-picamera2, and a venv made with --system-site-packages"
        ) from error
    found = Picamera2.global_camera_info()
    if index >= len(found):
        raise SourceError(
            f"camera {index}: {len(found)} camera(s) found; check the ribbon cable with the power off, "
            "then 'rpicam-hello --list-cameras'"
        )
    return Picamera2


class PicameraSource:
    """Camera `index` of the sorted list that picamera2 gives.

    Frames carry the sensor's own exposure time, so that their age is known and not guessed.

    Raises:
        SourceError: picamera2 is not installed, or there is no such camera.
    """

    def __init__(self, index: int) -> None:
        library = find_camera(index)
        self._index = index
        self._count = 0
        self._camera: Any = None
        try:
            self._camera = library(index)
            self._camera.configure(
                self._camera.create_video_configuration(
                    # picamera2 names formats by their bytes in memory, last first: RGB888 gives blue-green-red
                    main={"size": FRAME_SIZE_PX, "format": "RGB888"},
                    buffer_count=4,
                    queue=False,
                    controls={"FrameDurationLimits": (FRAME_DURATION_US, FRAME_DURATION_US)},
                )
            )
            self._camera.start()
        except RuntimeError as error:
            self.close()
            raise SourceError(f"camera {index}: {error}; is another program using it?") from error

    def read(self, timeout_s: float) -> Frame | None:
        try:
            # never wait=None: that blocks for ever on an unplugged camera
            request = self._camera.capture_request(wait=timeout_s)
        except TimeoutError:
            self._camera.cancel_all_and_flush()
            return None
        except RuntimeError as error:
            raise SourceError(f"camera {self._index}: {error}") from error
        try:
            image = np.asarray(request.make_array("main"), dtype=np.uint8)
            exposed_ns = request.get_metadata().get("SensorTimestamp")
        finally:
            request.release()
        t_s = exposed_ns * 1e-9 if exposed_ns is not None else time.monotonic()
        self._count += 1
        return Frame(image, t_s, self._count - 1)

    def close(self) -> None:
        if self._camera is not None:
            self._camera.close()
            self._camera = None
