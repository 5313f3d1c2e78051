"""What the vision process's desk answers on a rendered picture, for tests of the pages that ask it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from device.config import Camera, Config, Paths
from device.messages import Command, CommandReply
from vision.calibration import Calibration
from vision.calibration_desk import CalibrationDesk, answered
from vision.calibration_file import load_calibration
from vision.clip import ClipReader
from vision.frames import Frame, Image
from vision.machine_profile import load_profile
from vision.sticker_view import paint_stickers
from web_ui.camera_looks import CameraLooks

SCENARIOS = Path(__file__).parent.parent / "device" / "simulation" / "scenarios"
SLED = load_profile("sled45")


@cache
def true_camera(view: str = "mixed/side") -> Calibration:
    return load_calibration(SCENARIOS / f"{view}.calibration.toml")


@cache
def stickered(view: str = "mixed/side") -> Image:
    """A rendered scene with the sled's stickers painted in as its camera sees them."""
    reader = ClipReader(SCENARIOS / f"{view}.mp4")
    frame = reader.next()
    reader.close()
    assert frame is not None
    return paint_stickers(frame.image_bgr, true_camera(view), SLED.stickers, 0.0)


def sled_points(true: Calibration | None = None) -> dict[str, tuple[float, float]]:
    """Where this camera sees the named points of the sled45 profile."""
    camera = true or true_camera()
    seen = {name: camera.project(np.array(place)) for name, place in SLED.points_m.items()}
    return {name: (round(float(px[0]), 1), round(float(px[1]), 1)) for name, px in seen.items()}


class Cameras:
    """The vision process of one camera, ``side``, that shows ``image`` for ever; None: it gives no picture."""

    def __init__(self, state_dir: Path, clock: Callable[[], float], image: Image | None = None) -> None:
        self.image = image
        self.clock = clock
        self.reloads = 0
        self.config = Config(paths=Paths(state_dir=state_dir), cameras=(Camera(name="side"),))
        self.desk = CalibrationDesk(self.config, self._newest, self._reload)

    def _newest(self, _camera: int) -> Frame | None:
        return None if self.image is None else Frame(self.image, self.clock(), 7)

    def _reload(self) -> None:
        self.reloads += 1

    @property
    def looks(self) -> CameraLooks:
        return CameraLooks(self.answer)

    def answer(self, command: Command) -> CommandReply:
        error, data = answered(self.desk, command.value, self.clock())
        return CommandReply(command.id, error is None, error, data)
