"""The carriage from the sticker that rides on it: an absolute place in every frame that shows it, with no search."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from vision.calibration import Calibration
from vision.frames import Image
from vision.plate import PlatePosition
from vision.plate_sight import HIGHEST_M, LOWEST_M
from vision.stickers import find_stickers

Floats = NDArray[np.float64]

MARGIN_PX: Final = 24
CORNER_SD_PX: Final = 0.3
"""Of a marker's refined corner, four of which are averaged (ours)."""
LARGEST_MISS_PX: Final = 4.0
"""A marker that does not lie on the carriage's way is another sheet of paper, or the camera has moved."""


class PlateSticker:
    """Made from a calibration that has seen a sticker on the carriage."""

    def __init__(self, calibration: Calibration) -> None:
        assert calibration.carriage_sticker is not None
        self._sticker = calibration.carriage_sticker
        self._calibration = calibration
        self._corners = np.array(self._sticker.corners_m)
        self._rail = calibration.machine.rail
        ends = [self._at(carriage_m) for carriage_m in (HIGHEST_M - 0.1, LOWEST_M + 0.1)]
        low = np.floor(np.min(ends, axis=(0, 1))).astype(int) - MARGIN_PX
        high = np.ceil(np.max(ends, axis=(0, 1))).astype(int) + MARGIN_PX
        size = np.array(calibration.image_size_px)
        self._low, self._high = np.clip(low, 0, size - 1), np.clip(high, 1, size)

    def _at(self, carriage_m: float) -> Floats:
        return self._calibration.project(self._corners - carriage_m * self._rail)

    def position(self, image_bgr: Image) -> PlatePosition | None:
        """The carriage in this frame; None where the sticker is hidden or not where it can be."""
        part = image_bgr[self._low[1] : self._high[1], self._low[0] : self._high[0]]
        if min(part.shape[:2]) < MARGIN_PX:
            return None
        found = find_stickers(np.ascontiguousarray(part), self._sticker.family).get(self._sticker.id)
        if found is None:
            return None
        seen = found + self._low
        carriage_m = 0.0
        for _ in range(4):  # Gauss-Newton in one unknown; exact after two steps
            slope = (self._at(carriage_m + 1e-4) - self._at(carriage_m)) / 1e-4
            carriage_m += float(np.sum(slope * (seen - self._at(carriage_m))) / np.sum(slope**2))
        miss_px = float(np.sqrt(np.mean(np.sum((seen - self._at(carriage_m)) ** 2, axis=1))))
        if miss_px > LARGEST_MISS_PX or not HIGHEST_M - 0.1 <= carriage_m <= LOWEST_M + 0.1:
            return None
        error_m = CORNER_SD_PX / float(np.sqrt(np.sum(slope**2)))
        return PlatePosition(carriage_m, max(error_m, 0.001), 1.0)
