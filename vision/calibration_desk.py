"""The vision process's end of a camera calibration: what a camera sees of the stickers, and the staff's preview.

Asked with a ``look`` command on the channel ``camera``; its value is ``stickers NAME``, ``scene NAME``,
``preview NAME`` or ``reload``. Only ``preview`` gives a picture away, and only while it is announced: the first
request announces it (``CameraStatus.preview``, shown on the kiosk), pictures follow a second later, and it expires.
No picture is stored. The staff's page, which asks for previews, lets only those ask who are logged in.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import cv2
import numpy as np

from device.errors import RunError, UserError
from vision.calibration_file import FAMILIES
from vision.frames import Frame
from vision.scene import reference_of
from vision.stickers import find_stickers
from vision.view_check import is_dark

PREVIEW_S: Final = 120.0
"""A preview ends by itself (ours); asking again after that announces it again."""
ANNOUNCED_FOR_S: Final = 1.0
"""The kiosk shows the announcement before the first picture leaves."""
JPEG_QUALITY: Final = 70
FRESH_S: Final = 5.0
"""A picture older than this is none; a busy computer is some seconds late."""


class LookError(UserError):
    """A look that was asked for wrongly."""


class NoPicture(RunError):
    """The camera shows nothing now."""


class CalibrationDesk:
    """Answers looks. ``newest`` gives a camera's newest frame by its number; ``reload`` asks for a new start."""

    def __init__(
        self,
        names: Sequence[str],
        newest: Callable[[int], Frame | None],
        reload: Callable[[], None],
    ) -> None:
        self._names, self._newest, self._reload = list(names), newest, reload
        self._preview_since_s: dict[str, float] = {}

    def previewing(self, name: str, now_s: float) -> bool:
        """Whether somebody looks through this camera, or is about to: to be announced."""
        since_s = self._preview_since_s.get(name)
        return since_s is not None and now_s - since_s <= PREVIEW_S

    def answer(self, value: str | None, now_s: float) -> dict[str, Any]:
        """What is to be seen. Raises LookError or NoPicture."""
        wish, _, rest = (value or "").partition(" ")
        if wish == "reload":
            self._reload()
            return {}
        name, _, family = rest.partition(" ")
        if wish not in ("stickers", "scene", "preview"):
            raise LookError(f"unknown look {wish!r}: allowed are stickers, scene, preview and reload")
        if name not in self._names:
            raise LookError(f"there is no camera {name!r}: it has {', '.join(self._names)}")
        if wish == "preview":
            return self._preview(name, now_s)
        frame = self._frame(name, now_s)
        if is_dark(frame.image_bgr):
            raise NoPicture(f"camera {name} sees too little: uncover its lens, switch the light on")
        return self._stickers(frame, family or "aruco") if wish == "stickers" else self._scene(name, frame)

    def _frame(self, name: str, now_s: float) -> Frame:
        frame = self._newest(self._names.index(name))
        if frame is None or now_s - frame.t_s > FRESH_S:
            raise NoPicture(f"camera {name} gives no picture: check its cable, then 'legpress doctor'")
        return frame

    def _stickers(self, frame: Frame, family: str) -> dict[str, Any]:
        if family not in FAMILIES:
            raise LookError(f"unknown family {family!r}: allowed are {', '.join(FAMILIES)}")
        found = find_stickers(frame.image_bgr, family)
        height, width = frame.image_bgr.shape[:2]
        stickers = {str(index): np.round(quad, 3).tolist() for index, quad in found.items()}
        return {"size_px": [width, height], "frame": frame.index, "stickers": stickers}

    def _scene(self, name: str, frame: Frame) -> dict[str, Any]:
        scene = reference_of(frame.image_bgr)
        if scene is None:
            raise NoPicture(f"camera {name} sees too little to hold on to: is its lens dirty, or the room dark?")
        corners = [
            [round(float(px[0]), 1), round(float(px[1]), 1), descriptor.tobytes().hex()]
            for px, descriptor in zip(scene.px, scene.descriptors, strict=True)
        ]
        height, width = frame.image_bgr.shape[:2]
        return {
            "size_px": [width, height],
            "sharpness": scene.sharpness,
            "contrast": scene.contrast,
            "corners": corners,
        }

    def _preview(self, name: str, now_s: float) -> dict[str, Any]:
        if not self.previewing(name, now_s):
            self._preview_since_s[name] = now_s
        since_s = self._preview_since_s[name]
        left_s = PREVIEW_S - (now_s - since_s)
        if now_s - since_s < ANNOUNCED_FOR_S:
            return {"jpeg": None, "expires_s": round(left_s, 1)}
        frame = self._frame(name, now_s)
        ok, data = cv2.imencode(".jpg", frame.image_bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not ok:
            raise NoPicture(f"camera {name}: its picture cannot be shown")
        return {"jpeg": base64.b64encode(data.tobytes()).decode("ascii"), "expires_s": round(left_s, 1)}


def answered(desk: CalibrationDesk, value: str | None, now_s: float) -> tuple[str | None, str | None]:
    """(error, data): one of them. ``data`` is JSON."""
    try:
        return None, json.dumps(desk.answer(value, now_s))
    except (LookError, NoPicture) as error:
        return str(error), None
