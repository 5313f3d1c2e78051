"""Pose landmarks of one person by MediaPipe's PoseLandmarker. The only file that imports mediapipe.

Runs in VIDEO mode in the caller's thread, on the part of the image where the machine is: a person
outside that part cannot be taken for the lifter, and the lifter fills more of what the model sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.errors import RunError

Floats = NDArray[np.float64]

LANDMARKS: Final = 33
NOSE, LEFT_EAR, RIGHT_EAR = 0, 7, 8
LEFT_SHOULDER, RIGHT_SHOULDER = 11, 12
LEFT_HIP, RIGHT_HIP, LEFT_KNEE, RIGHT_KNEE, LEFT_ANKLE, RIGHT_ANKLE = 23, 24, 25, 26, 27, 28
LEFT_HEEL, RIGHT_HEEL, LEFT_TOE, RIGHT_TOE = 29, 30, 31, 32

STRIKES: Final = 2
"""Frames in a row with nobody or somebody else found, after which the search starts anew."""
MASK_COLUMNS: Final = 160
"""Width of the person mask; a quarter of a 640-pixel image, about what the network itself resolves."""
PAINTED_FRAMES: Final = 600
"""Frames for which the surroundings then stay painted over: a bystander stays a while."""


class PoseModelError(RunError):
    """The pose model cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """MediaPipe's 33 landmarks of one person in one image."""

    px: Floats
    """(33, 2) x, y in pixels of the whole image."""
    visibility: Floats
    """(33,) 0..1, the model's own opinion."""
    world_m: Floats
    """(33, 3) metres, camera-aligned axes, origin between the hips."""
    mask: NDArray[np.float32] | None = None
    """(rows, MASK_COLUMNS) over the whole image: how far each cell shows this person, 0..1. None: not asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """The part of the image to look for the lifter in, and how to tell the lifter from somebody else."""

    x: int
    y: int
    width: int
    height: int
    outlines_px: tuple[Floats, ...] = ()
    """Closed polygons (n, 2): all that a lifter can cover, then ever less. Painted around, one after the other, where
    the plain picture shows nobody or somebody else."""
    accepts: Callable[[Landmarks], bool] | None = None
    """Whether landmarks are of the person on the machine; None: everybody is."""


def check_processor(cpuinfo: Path = Path("/proc/cpuinfo"), machine: str | None = None) -> None:
    """Raise PoseModelError where importing mediapipe would end the process.

    The aarch64 builds of mediapipe 1.x use LSE atomics and die with SIGILL on a Cortex-A72 (Pi 4),
    so the CPU flag is looked up before the import.
    """
    if machine is None:
        import platform

        machine = platform.machine()
    if machine != "aarch64" or not cpuinfo.exists():
        return
    if "atomics" not in cpuinfo.read_text(errors="replace").split():
        raise PoseModelError(
            "this processor lacks the LSE atomics that mediapipe needs (a Raspberry Pi 4 or older):"
            " use a Raspberry Pi 5, or mediapipe 0.10.18 on Python 3.11"
        )


class PoseModel:
    """PoseLandmarker as a context manager.

    Timestamps must increase; one that does not is moved to a millisecond after the last, so a clock
    that stutters cannot stop the check. ``masks`` asks for ``Landmarks.mask`` too, which costs about 2 ms a frame and
    only the side camera's measures use. Raises PoseModelError if the model file or the library is unusable.
    """

    def __init__(self, model_path: Path, masks: bool = True) -> None:
        self._path, self._masks = Path(model_path), masks
        self._landmarker: Any = None
        self._mediapipe: Any = None
        self._last_ms = -1
        self._strikes = 0
        self._painted = 0
        self._outline = 0
        """Which of the crop's outlines is painted around, from 1; 0 = none."""
        self._masks_painted: dict[int, NDArray[np.float32]] = {}

    def __enter__(self) -> PoseModel:
        if not self._path.is_file():
            raise PoseModelError(f"{self._path}: no such pose model; make it with 'legpress model build'")
        check_processor()
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except (ImportError, OSError) as problem:
            raise PoseModelError(
                f"mediapipe cannot be loaded ({problem}); on Debian install libegl1 and libgles2"
            ) from problem
        self._mediapipe = mediapipe
        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=self._path.read_bytes()),
            running_mode=vision.RunningMode.VIDEO,
            num_poses=1,
            output_segmentation_masks=self._masks,
        )
        try:
            self._landmarker = vision.PoseLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as problem:
            reason = str(problem).splitlines()[0]
            raise PoseModelError(
                f"{self._path}: not a usable pose model ({reason}); rebuild it with 'legpress model build'"
            ) from problem
        self._last_ms = -1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._landmarker is not None:
            self._landmarker.close()
            self._landmarker = None

    def detect(self, image_bgr: NDArray[np.uint8], t_ms: int, crop: Crop | None = None) -> Landmarks | None:
        """The person in the image, or None.

        ``image_bgr`` is (height, width, 3) in OpenCV's channel order. ``crop`` limits the search; the
        landmarks come back in pixels of the whole image all the same. Keep it constant over a clip: the
        tracker carries its region from frame to frame. Whom ``crop`` does not accept is not returned, and
        after some frames the tracker starts anew on an image in which only the machine is left.
        """
        if self._landmarker is None:
            raise PoseModelError("the pose model is not open: use it as 'with PoseModel(path) as model:'")
        crop = crop or Crop(0, 0, image_bgr.shape[1], image_bgr.shape[0])
        part = np.ascontiguousarray(image_bgr[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width, ::-1])
        self._painted = max(0, self._painted - 1)
        self._outline = self._outline if self._painted and self._outline <= len(crop.outlines_px) else 0
        if self._outline:
            part = self._paint_around(part, crop)
        found = self._run(part, t_ms, crop, image_bgr.shape[:2])
        if found is not None and (crop.accepts is None or crop.accepts(found)):
            self._strikes = 0
            return found
        self._strikes += 1
        if self._strikes >= STRIKES and crop.outlines_px:
            # Nobody, or somebody else: look at the next picture, plain or painted. The detector misses some
            # lifters in the one and finds them in the other.
            self._outline = (self._outline + 1) % (len(crop.outlines_px) + 1)
            self._strikes, self._painted = 0, PAINTED_FRAMES
            if found is not None:
                self._run(
                    np.zeros_like(part), t_ms, crop, image_bgr.shape[:2]
                )  # loses the track, so that the next frame is searched afresh
        return None

    def _paint_around(self, part: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
        mask = self._masks_painted.get(self._outline)
        if mask is None or mask.shape[:2] != part.shape[:2]:
            inside = np.zeros(part.shape[:2], np.uint8)
            outline_px = crop.outlines_px[self._outline - 1]
            cv2.fillPoly(inside, [np.round(outline_px - (crop.x, crop.y)).astype(np.int32)], (255.0,))
            mask = (cv2.GaussianBlur(inside, (0, 0), 3)[..., None] / 255).astype(np.float32)
            self._masks_painted[self._outline] = mask
        coarse = cv2.resize(cv2.resize(part, (8, 8), interpolation=cv2.INTER_AREA), (crop.width, crop.height))
        return (part * mask + coarse * (1 - mask)).astype(np.uint8)

    def _run(self, part_rgb: NDArray[np.uint8], t_ms: int, crop: Crop, shape: tuple[int, ...]) -> Landmarks | None:
        self._last_ms = max(int(t_ms), self._last_ms + 1)
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=part_rgb)
        found = self._landmarker.detect_for_video(image, self._last_ms)
        if not found.pose_landmarks:
            return None
        points, world = found.pose_landmarks[0], found.pose_world_landmarks[0]
        px = np.array([(crop.x + p.x * crop.width, crop.y + p.y * crop.height) for p in points], dtype=np.float64)
        visibility = np.array([p.visibility for p in points], dtype=np.float64)
        world_m = np.array([(p.x, p.y, p.z) for p in world], dtype=np.float64)
        return Landmarks(px, visibility, world_m, self._coarse_mask(found, crop, shape))

    @staticmethod
    def _coarse_mask(found: Any, crop: Crop, image_shape: tuple[int, ...]) -> NDArray[np.float32] | None:
        """The model's mask of the crop, shrunk and put in its place in the whole image."""
        if not found.segmentation_masks:
            return None
        height, width = image_shape
        whole = np.zeros((height, width), np.float32)
        whole[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width] = (
            found.segmentation_masks[0].numpy_view().reshape(crop.height, crop.width)
        )
        rows = max(1, round(height * MASK_COLUMNS / width))
        return np.asarray(cv2.resize(whole, (MASK_COLUMNS, rows), interpolation=cv2.INTER_AREA), dtype=np.float32)
