"""What one camera has seen last: the plate and how fast it goes, the lifter's landmarks, the window's readings."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.messages import CameraCondition
from vision.calibration import Calibration
from vision.landmarks import Landmarks
from vision.lifter import LegModel
from vision.person import sits_on_machine
from vision.plate import PlatePosition, PlateTracker
from vision.plate_sticker import PlateSticker
from vision.sights import FeetOnPlate, landmark_weight, leg_px
from vision.window import Window

Floats = NDArray[np.float64]

DARK_LEVEL: Final = 12.0
"""Mean grey level (0-255) below which nothing can be seen (ours)."""
LOST_MATCH: Final = 0.35
MOVED_AFTER_FRAMES: Final = 20
SPEED_WITHIN_S: Final = 0.5
"""Two frames of a camera farther apart tell no speed (ours)."""
SPEED_NOISE_M_S: Final = 0.06
"""Three times what the followed plate scatters by between two frames, as a speed (ours)."""


class CameraLook:
    """One camera, frame by frame."""

    def __init__(self, name: str, calibration: Calibration, model: LegModel) -> None:
        self.name, self.calibration = name, calibration
        self.plate, self.window = PlateTracker(calibration), Window(calibration)
        self.sticker = PlateSticker(calibration) if calibration.carriage_sticker else None
        """Where one rides on the carriage it takes the tracker's place in the frames that show it."""
        self.weight = landmark_weight(calibration)
        self.feet = FeetOnPlate(model, calibration)
        self.t_s = -1e9
        self.px: Floats | None = None
        """(2, 3, 2) hips, knees and ankles in the newest frame; None where nobody sits on the machine."""
        self.landmarks: Landmarks | None = None
        self.position: PlatePosition | None = None
        self.speed_m_s = 0.0
        """Of the carriage, between the newest two frames; 0 where it is not known."""
        self.step_m: float | None = None
        """How far the carriage went between them, either way; None where it is not known."""
        self.answers: dict[str, float] = {}
        """What the window says of the newest frame."""
        self.unmatched = 0
        self.condition: CameraCondition = "ok"

    def look(self, t_s: float, image_bgr: NDArray[np.uint8], landmarks: Landmarks | None) -> None:
        """Take in the next frame; ``landmarks`` in pixels of the whole image."""
        elapsed_s, before = t_s - self.t_s, self.position
        self.t_s, self.px, self.answers, self.landmarks = t_s, None, {}, None
        self.speed_m_s, self.step_m = 0.0, None
        grey = np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
        if float(cv2.mean(grey)[0]) < DARK_LEVEL:
            self.condition, self.position = "dark", None
            return
        seated = landmarks is not None and sits_on_machine(landmarks, self.calibration)
        feet_m = self.feet.carriage_m(landmarks) if landmarks is not None and seated else None
        self.position = self.plate.update(t_s, grey, feet_m)
        if self.sticker is not None:
            self.position = self.sticker.position(image_bgr) or self.position
        if before is not None and 0.0 < elapsed_s <= SPEED_WITHIN_S:
            moved_m = self.position.carriage_m - self.position.corrected_m - before.carriage_m
            self.speed_m_s, self.step_m = _steady(moved_m / elapsed_s), abs(moved_m)
        self.unmatched = self.unmatched + 1 if self.position.match < LOST_MATCH else 0
        if landmarks is not None and seated:
            self.px, self.landmarks, self.condition = leg_px(landmarks), landmarks, "ok"
            self.answers = self.window.read(grey)
        else:
            self.condition = "nobody"
        if self.unmatched >= MOVED_AFTER_FRAMES:
            self.condition = "moved"


def _steady(speed_m_s: float) -> float:
    """The speed with what may be noise taken out: the resting top is told by millimetres."""
    return float(speed_m_s**3 / (speed_m_s**2 + SPEED_NOISE_M_S**2))
