"""The Raspberry Pi's own cameras. The only file that imports picamera2, and only when it is asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from device.config import Camera
from vision.frames import Frame, FreezeWatch, SourceError, SourceStuck

FRAME_SIZE_PX: Final = (640, 480)
FRAME_DURATION_US: Final = {50: 40_000, 60: 33_333}
"""By the mains' frequency: 25 or 30 frames/s, whole periods of the light. What the model cannot follow is dropped."""
FLICKER_PERIOD_US: Final = {50: 10_000, 60: 8_333}
"""Lamps on the mains flicker at twice its frequency; exposures of whole periods do not show it."""
FLICKER_MANUAL: Final = 1
"""libcamera's AeFlickerModeEnum.Manual: keep to AeFlickerPeriod."""
SOCKETS: Final = {"cam0": "i2c@88000", "cam1": "i2c@80000"}
"""The Pi 5's connectors CAM/DISP 0 and 1, by the I2C bus in a camera's Id (device tree: i2c_csi_dsi0, i2c_csi_dsi1)."""
CLOSES_WITHIN_S: Final = 3.0
"""The library may wait without bound on a camera that was pulled out while it worked."""


def locate(found: Sequence[dict[str, Any]], camera: Camera) -> int:
    """Number, in picamera2's list ``found``, of the camera that is plugged in where ``camera.location`` says.

    Without a location it is the only camera there is; the numbers alone say nothing, for they change when another
    camera is added or breaks.

    Raises:
        SourceError: it is not there, or there are several to choose from.
    """
    own = [info for info in found if "/usb" not in str(info["Id"])]
    if not own:
        raise SourceError(
            f"camera {camera.name}: no camera on the Pi's connectors; check the ribbon cable with the power off, "
            "then 'rpicam-hello --list-cameras'"
        )
    there = ", ".join(_place(str(info["Id"])) for info in own)
    if camera.location is None:
        if len(own) > 1:
            raise SourceError(f"camera {camera.name}: {len(own)} cameras found; set its location to one of {there}")
        return int(own[0]["Num"])
    wanted = SOCKETS.get(camera.location, camera.location)
    for info in own:
        if camera.location == info["Id"] or (camera.location in SOCKETS and f"/{wanted}/" in str(info["Id"])):
            return int(info["Num"])
    raise SourceError(
        f"camera {camera.name}: none at {camera.location} (found: {there}); check its ribbon cable with the power off, "
        "or correct its location"
    )


def _place(identity: str) -> str:
    return next((socket for socket, bus in SOCKETS.items() if f"/{bus}/" in identity), identity)


def find_camera(camera: Camera) -> tuple[Any, int]:
    """The library's camera class, and the number by which it knows this camera.

    Raises:
        SourceError: picamera2 is not installed, or there is no such camera.
    """
    try:
        from picamera2 import Picamera2  # type: ignore[import-not-found,unused-ignore]  # only on the Pi
    except ImportError as error:
        raise SourceError(
            f"camera {camera.name}: picamera2 cannot be imported ({error}); "
            "on the Pi: sudo apt install python3-picamera2, and a venv made with --system-site-packages"
        ) from error
    return Picamera2, locate(Picamera2.global_camera_info(), camera)


def wanted_controls(camera: Camera, offered: Sequence[str]) -> dict[str, Any]:
    """Frame duration, flicker and exposure controls; left out is what this camera or library does not offer."""
    duration_us = FRAME_DURATION_US[camera.mains_hz]
    controls: dict[str, Any] = {"FrameDurationLimits": (duration_us, duration_us)}
    if camera.exposure_us is None:
        controls |= {"AeFlickerMode": FLICKER_MANUAL, "AeFlickerPeriod": FLICKER_PERIOD_US[camera.mains_hz]}
    else:
        controls |= {"AeEnable": False, "ExposureTime": camera.exposure_us}
        controls |= {} if camera.gain is None else {"AnalogueGain": camera.gain}
    return {name: value for name, value in controls.items() if name in offered}


class PicameraSource:
    """One of the Pi's cameras. Frames carry the sensor's own exposure time, so that their age is known, not guessed.

    Raises:
        SourceError: picamera2 is not installed, there is no such camera, or it does not start.
    """

    def __init__(self, camera: Camera) -> None:
        library, number = find_camera(camera)
        self._name = camera.name
        self._count = 0
        self._exposed_ns = 0
        self._freeze = FreezeWatch()
        self._camera: Any = None
        try:
            self._camera = library(number)
            self._camera.configure(
                self._camera.create_video_configuration(
                    # picamera2 names formats by their bytes in memory, last first: BGR888 is red-green-blue in numpy,
                    # and RGB888 blue-green-red, which is what a Frame holds
                    main={"size": FRAME_SIZE_PX, "format": "RGB888"},
                    buffer_count=4,
                    queue=False,
                    controls=wanted_controls(camera, tuple(self._camera.camera_controls)),
                )
            )
            self._camera.start()
        except (RuntimeError, IndexError) as error:
            self.close()
            raise SourceError(f"camera {camera.name}: {error}; is another program using it?") from error

    def read(self, timeout_s: float) -> Frame | None:
        try:
            # never wait=None: that blocks for ever on an unplugged camera
            request = self._camera.capture_request(wait=timeout_s)
            try:
                image = np.asarray(request.make_array("main"), dtype=np.uint8)
                exposed_ns = request.get_metadata().get("SensorTimestamp")
            finally:
                request.release()
        except TimeoutError:
            self._camera.cancel_all_and_flush()
            return None
        except RuntimeError as error:
            raise SourceError(f"camera {self._name}: {error}") from error
        if exposed_ns is not None and exposed_ns == self._exposed_ns:
            return None  # the same exposure once more is no new picture
        self._exposed_ns = exposed_ns or 0
        t_s = exposed_ns * 1e-9 if exposed_ns is not None else time.monotonic()
        self._freeze.check(self._name, image, t_s)
        self._count += 1
        return Frame(image, t_s, self._count - 1)

    def close(self) -> None:
        if self._camera is None:
            return
        camera, self._camera = self._camera, None
        closing = threading.Thread(target=camera.close, name=f"{self._name}-close", daemon=True)
        closing.start()
        closing.join(CLOSES_WITHIN_S)
        if closing.is_alive():
            raise SourceStuck(f"camera {self._name}: it does not let go; the vision process has to be started anew")
