"""The vision process's end of a camera calibration: looks, the staff's preview, the fit, and keeping it.

Asked with a ``look`` command on the channel ``camera``; its value is one of

    about NAME                  what it can be calibrated with, and what is in force
    preview NAME, hide NAME     begin or end a preview; it is announced (``CameraStatus.preview``, shown on the kiosk)
    picture NAME                the newest picture, while a preview lasts and was announced
    stickers NAME [FAMILY]      which stickers are seen now; remembered for the fit
    fit NAME JSON               a calibration from points, or from the stickers seen lately; nothing changes
    text NAME FIT               that calibration as a file's text
    keep NAME FIT               put exactly that calibration in force; the one before stays for
    undo NAME                   which brings it back

Only ``picture`` gives a picture away. None is stored. The staff's page lets only those ask who are logged in.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.config import Camera, Config
from device.errors import LegpressError, RunError, UserError
from vision.calibration import POINT_NAMES, REQUIRED_POINTS, CalibrationError
from vision.calibration_file import FAMILIES, calibration_text
from vision.calibration_keeping import before_path, keep, undo
from vision.camera_calibration import MisfitError
from vision.camera_fit import (
    DEFAULT_LENS,
    SIMULATED,
    Fit,
    calibration_in,
    fit_points,
    fit_stickers,
    misses_told,
    profile_named,
)
from vision.camera_pose import LENS_HFOV_DEG
from vision.fit_wish import FitWish, parse_wish
from vision.frames import Frame, Image
from vision.machine_profile import shipped
from vision.preview import Previews
from vision.scene import reference_of
from vision.stickers import find_stickers, settled_corners
from vision.view_check import is_dark

JPEG_QUALITY: Final = 70
FRESH_S: Final = 5.0
"""A picture older than this is none; a busy computer is some seconds late."""
LOOKS: Final = 8
"""Of the stickers that are remembered; their median is fitted."""
FEWEST_LOOKS: Final = 4
LOOKED_WITHIN_S: Final = 15.0
"""Looks at stickers longer ago than this are not fitted: somebody may have moved something (ours)."""


class LookError(UserError):
    """A look that was asked for wrongly."""


class NoPicture(RunError):
    """The camera shows nothing now."""


class CalibrationDesk:
    """Answers looks. ``newest`` gives a camera's newest frame by its number; ``reload`` asks for a new start."""

    def __init__(self, config: Config, newest: Callable[[int], Frame | None], reload: Callable[[], None]) -> None:
        self._config, self._newest, self._reload = config, newest, reload
        self._names = [camera.name for camera in config.cameras]
        self._previews = Previews()
        self._seen: dict[tuple[str, str], deque[tuple[float, dict[int, NDArray[np.float64]]]]] = {}
        self._fits: dict[str, tuple[str, Fit]] = {}
        """Each camera's newest fit and its id."""
        self._looks: dict[str, Callable[[Camera, str, float], dict[str, Any]]] = {
            "about": self._about,
            "preview": self._preview,
            "hide": self._hide,
            "picture": self._picture,
            "stickers": self._stickers,
            "fit": self._fit,
            "text": self._text,
            "keep": self._keep,
            "undo": self._undo,
        }

    def previewing(self, name: str, now_s: float) -> bool:
        """Whether somebody looks through this camera, or is about to: to be announced."""
        return self._previews.on(name, now_s)

    def answer(self, value: str | None, now_s: float) -> dict[str, Any]:
        """What is to be seen. Raises LookError, NoPicture or CalibrationError."""
        wish, _, rest = (value or "").partition(" ")
        if wish not in self._looks:
            raise LookError(f"unknown look {wish[:40]!r}: allowed are {', '.join(self._looks)}")
        name, _, more = rest.partition(" ")
        if name not in self._names:
            raise LookError(f"there is no camera {name[:40]!r}: it has {', '.join(self._names)}")
        return self._looks[wish](self._config.cameras[self._names.index(name)], more, now_s)

    def _frame(self, camera: Camera, now_s: float) -> Frame:
        frame = self._newest(self._names.index(camera.name))
        if frame is None or now_s - frame.t_s > FRESH_S:
            raise NoPicture(f"camera {camera.name} gives no picture: check its cable, then 'legpress doctor'")
        return frame

    def _lit(self, camera: Camera, now_s: float) -> Frame:
        frame = self._frame(camera, now_s)
        if is_dark(frame.image_bgr):
            raise NoPicture(f"camera {camera.name} sees too little: uncover its lens, switch the light on")
        return frame

    def _about(self, camera: Camera, _more: str, now_s: float) -> dict[str, Any]:
        path = self._config.calibration_file(camera)
        now = calibration_in(path)
        frame = self._newest(self._names.index(camera.name))
        simulated = [SIMULATED] if self._config.simulation.scenario is not None else []
        return {
            "machines": [*shipped(), *simulated],
            "lenses": LENS_HFOV_DEG,
            "lens": DEFAULT_LENS,
            "families": FAMILIES,
            "points": POINT_NAMES,
            "required": REQUIRED_POINTS,
            "size_px": None if frame is None else _size(frame.image_bgr),
            "left_s": round(self._previews.left_s(camera.name, now_s), 1),
            "before": before_path(path).exists(),
            "now": None
            if now is None
            else {
                "view": now.view,
                "error_px": round(now.reprojection_error_px, 2),
                "focal_length_px": round(now.focal_length_px, 1),
                "machine": now.machine.kind,
                "made_utc": now.made_utc,
            },
        }

    def _preview(self, camera: Camera, _more: str, now_s: float) -> dict[str, Any]:
        self._previews.begin(camera.name, now_s)
        return {"left_s": round(self._previews.left_s(camera.name, now_s), 1)}

    def _hide(self, camera: Camera, _more: str, _now_s: float) -> dict[str, Any]:
        self._previews.end(camera.name)
        return {}

    def _picture(self, camera: Camera, _more: str, now_s: float) -> dict[str, Any]:
        left_s = self._previews.left_s(camera.name, now_s)
        if left_s == 0.0:
            raise NoPicture(f"nobody looks through camera {camera.name} now: ask for the picture again")
        if not self._previews.may_show(camera.name, now_s):
            return {"jpeg": None, "left_s": round(left_s, 1)}
        image = self._frame(camera, now_s).image_bgr
        ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not ok:
            raise NoPicture(f"camera {camera.name}: its picture cannot be shown")
        return {"jpeg": base64.b64encode(data.tobytes()).decode("ascii"), "left_s": round(left_s, 1)}

    def _stickers(self, camera: Camera, more: str, now_s: float) -> dict[str, Any]:
        family = more or FAMILIES[0]
        if family not in FAMILIES:
            raise LookError(f"unknown family {family[:40]!r}: allowed are {', '.join(FAMILIES)}")
        frame = self._lit(camera, now_s)
        found = find_stickers(frame.image_bgr, family)
        self._seen.setdefault((camera.name, family), deque(maxlen=LOOKS)).append((now_s, found))
        stickers = {str(index): np.round(quad, 3).tolist() for index, quad in found.items()}
        return {"size_px": _size(frame.image_bgr), "stickers": stickers}

    def _settled(self, camera: Camera, family: str, now_s: float) -> dict[int, NDArray[np.float64]]:
        """Corners in the median of the last looks. Raises LookError before there are enough of them."""
        looks = [found for at_s, found in self._seen.get((camera.name, family), ()) if now_s - at_s <= LOOKED_WITHIN_S]
        if len(looks) < FEWEST_LOOKS:
            raise LookError(
                f"{len(looks)} looks at stickers within {LOOKED_WITHIN_S:g} s, needed {FEWEST_LOOKS}: look for the "
                "stickers first"
            )
        return settled_corners(list(looks))

    def _fit(self, camera: Camera, more: str, now_s: float) -> dict[str, Any]:
        """The fit's figures and its id; or ``refused``, with what misses where a camera fits at all."""
        try:
            fit = self._fitted(camera, parse_wish(more), now_s)
        except CalibrationError as error:
            self._fits.pop(camera.name, None)
            misses = misses_told(error.misses) if isinstance(error, MisfitError) else []
            return {"refused": str(error), "misses": misses, "told": []}
        self._fits[camera.name] = (secrets.token_hex(4), fit)
        return {"refused": None, "fit": self._fits[camera.name][0], **fit.figures()}

    def _fitted(self, camera: Camera, wish: FitWish, now_s: float) -> Fit:
        """Raises CalibrationError, LookError or NoPicture."""
        image = self._lit(camera, now_s).image_bgr
        scene = reference_of(image)
        if scene is None:
            raise NoPicture(f"camera {camera.name} sees too little to hold on to: is its lens dirty, or the room dark?")
        height, width = image.shape[:2]
        profile = wish.profile or profile_named(wish.machine, self._config, camera)
        before = calibration_in(self._config.calibration_file(camera))
        if wish.family is None:
            return fit_points(profile, wish.points, (width, height), wish.lens, scene, before)
        seen = self._settled(camera, wish.family, now_s)
        return fit_stickers(profile, seen, wish.family, (width, height), wish.lens, scene, before)

    def _kept(self, camera: Camera, wanted: str) -> Fit:
        found, fit = self._fits.get(camera.name, ("", None))
        if fit is None or found != wanted:
            raise LookError(f"camera {camera.name}: that fit is not the newest any more; fit again")
        return fit

    def _text(self, camera: Camera, more: str, _now_s: float) -> dict[str, Any]:
        return {"text": calibration_text(self._kept(camera, more).made)}

    def _keep(self, camera: Camera, more: str, _now_s: float) -> dict[str, Any]:
        path = self._config.calibration_file(camera)
        keep(path, calibration_text(self._kept(camera, more).made))
        self._reload()
        return {"path": str(path)}

    def _undo(self, camera: Camera, _more: str, _now_s: float) -> dict[str, Any]:
        path = self._config.calibration_file(camera)
        undo(path)
        self._reload()
        return {"path": str(path)}


def _size(image: Image) -> list[int]:
    height, width = image.shape[:2]
    return [width, height]


def answered(desk: CalibrationDesk, value: str | None, now_s: float) -> tuple[str | None, str | None]:
    """(error, data): one of them. ``data`` is JSON."""
    try:
        return None, json.dumps(desk.answer(value, now_s))
    except LegpressError as error:
        return str(error), None
