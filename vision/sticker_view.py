"""What a camera sees of stickers on a machine: painted into pictures of the simulated machine and of tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.calibration import Calibration
from vision.frames import Image
from vision.stickers import MODULES, Sticker, marker_squares

Floats = NDArray[np.float64]

QUIET_MODULES: Final = 1
"""White margin around a marker, in modules: without it the black border has no edge."""
PRINT_PX: Final = 24
"""Pixels for one module of the print, before it is seen in perspective."""
FINER: Final = 4
"""Painted this many times finer and averaged, as a sensor's pixels do."""


def printed(family: str, index: int) -> Image:
    """The marker with its white margin, as it comes from the printer."""
    squares = np.pad(~marker_squares(family, index), QUIET_MODULES, constant_values=True)
    large = np.kron(squares, np.ones((PRINT_PX, PRINT_PX), dtype=bool))
    gray = np.where(large, 235, 25).astype(np.uint8)
    return np.repeat(gray[:, :, None], 3, axis=2)


def paint_stickers(
    image_bgr: Image, calibration: Calibration, stickers: Iterable[Sticker], carriage_m: float, family: str = "aruco"
) -> Image:
    """A copy of the picture with those stickers on the machine that face the camera; nothing hides them."""
    return StickerPainter(calibration, stickers, family).paint(image_bgr, carriage_m)


class StickerPainter:
    """Paints picture after picture of one camera; what does not move is worked out once."""

    def __init__(self, calibration: Calibration, stickers: Iterable[Sticker], family: str = "aruco") -> None:
        self._calibration, self._stickers, self._family = calibration, tuple(stickers), family
        self._seen: dict[int, tuple[float, Overlay | None]] = {}

    def paint(self, image_bgr: Image, carriage_m: float) -> Image:
        """A copy of the picture with the stickers; the carriage is lowered by ``carriage_m``."""
        out = image_bgr.copy()
        for sticker in self._stickers:
            overlay = self._overlay(sticker, carriage_m if sticker.moves else 0.0, out.shape[:2])
            if overlay is not None:
                overlay.lay_on(out)
        return out

    def _overlay(self, sticker: Sticker, moved_m: float, size: tuple[int, int]) -> Overlay | None:
        known = self._seen.get(sticker.id)
        if known is not None and known[0] == moved_m:
            return known[1]
        corners = np.array(sticker.corners_m) - moved_m * self._calibration.machine.rail
        overlay = None
        if _faces(self._calibration, corners):
            overlay = _seen_print(self._calibration, corners, printed(self._family, sticker.id), self._family, size)
        self._seen[sticker.id] = (moved_m, overlay)
        return overlay


@dataclass(frozen=True, eq=False)
class Overlay:
    """One print as the camera sees it: its part of the picture, what share of each pixel it covers, its colour."""

    part: tuple[slice, slice]
    share: Floats
    colour: Floats

    def lay_on(self, out: Image) -> None:
        # the averaged colour is dark where the print covers a part of the pixel only: it stands for that part
        out[self.part] = np.clip(out[self.part] * (1.0 - self.share) + self.colour, 0, 255).astype(np.uint8)


def _faces(calibration: Calibration, corners: Floats) -> bool:
    """Whether the printed side looks at the camera, and lies before it."""
    middle = corners.mean(axis=0)
    normal = np.cross(corners[3] - corners[0], corners[1] - corners[0])
    ahead = float((calibration.R @ middle + calibration.t)[2])
    return ahead > 0.1 and float(normal @ (calibration.eye - middle)) > 0


def _seen_print(
    calibration: Calibration, corners: Floats, print_bgr: Image, family: str, image_size: tuple[int, int]
) -> Overlay | None:
    side = print_bgr.shape[0]
    margin = side * QUIET_MODULES / (MODULES[family] + 2 * QUIET_MODULES)
    far = side - margin
    flat = np.array([[margin, margin], [far, margin], [far, far], [margin, far]])
    seen = calibration.project(corners)
    low = np.floor(seen.min(axis=0) - 12).astype(int)
    high = np.ceil(seen.max(axis=0) + 12).astype(int)
    height, width = image_size
    low, high = np.maximum(low, 0), np.minimum(high, (width, height))
    if np.any(high - low < 4):
        return None
    size = (int(high[0] - low[0]) * FINER, int(high[1] - low[1]) * FINER)
    # OpenCV's pixels are centred on whole numbers, the print's on halves
    target = (seen - low + 0.5) * FINER - 0.5
    matrix = cv2.getPerspectiveTransform(flat.astype(np.float32) - 0.5, target.astype(np.float32))
    fine = cv2.warpPerspective(print_bgr, matrix, size, flags=cv2.INTER_AREA)
    cover = cv2.warpPerspective(np.full(print_bgr.shape[:2], 255, np.uint8), matrix, size)
    part = (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])))
    shape = (int(high[0] - low[0]), int(high[1] - low[1]))
    share = cv2.resize(cover, shape, interpolation=cv2.INTER_AREA)[:, :, None] / 255.0
    colour = cv2.resize(fine, shape, interpolation=cv2.INTER_AREA)
    return Overlay(part, np.asarray(share), np.asarray(colour, dtype=np.float64))
