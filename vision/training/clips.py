"""How the training scripts look at a clip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vision.calibration import Calibration
from vision.clip import ClipReader
from vision.frames import Frame
from vision.landmarks import Landmarks, PoseModel
from vision.person import lifter_region_px


def look_at(clip: Path, calibration: Calibration, model_path: Path) -> Iterator[tuple[Frame, Landmarks | None]]:
    """Every frame with what the pose model finds where the lifter can be; None where it finds nobody."""
    reader = ClipReader(clip)
    try:
        with PoseModel(model_path) as model:
            while (frame := reader.next()) is not None:
                yield frame, model.detect(frame.image_bgr, round(1000 * frame.t_s), lifter_region_px(calibration))
    finally:
        reader.close()
