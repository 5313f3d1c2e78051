"""A video file as a camera: paced by its own time, or as fast as it is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from vision.frames import Frame, Image, SourceEnded, SourceError

_DEFAULT_FPS = 20.0
"""For files that do not tell; the bundled clips do."""


def read_picture(path: Path) -> Image:
    """A picture file, blue-green-red. Raises SourceError, one line."""
    if not path.is_file():
        raise SourceError(f"{path}: no such file" if not path.exists() else f"{path}: not a file")
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if not isinstance(image, np.ndarray):
        raise SourceError(f"{path}: not a picture that can be read (PNG and JPEG are)")
    return np.asarray(image, dtype=np.uint8)


class ClipReader:
    """Frames of a video file in order, with the clip's own time from 0 s.

    Raises:
        SourceError: no such file, not a video, or a video without a single frame.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SourceError(f"{path}: no such file" if not path.exists() else f"{path}: not a file")
        self.path = path
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise SourceError(f"{path}: not a video that can be read (MP4 with H.264 is)")
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.frames_per_s = fps if 1.0 <= fps <= 240.0 else _DEFAULT_FPS
        self.frame_count = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        """As the file states it; 0 when it does not."""
        self._pending = self._decode()
        if self._pending is None:
            self.close()
            raise SourceError(f"{path}: a video without a single frame")
        self._index = -1

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))

    def _decode(self) -> Image | None:
        ok, image = self._capture.read()
        return np.asarray(image, dtype=np.uint8) if ok else None

    def next(self) -> Frame | None:
        """The next frame, None at the end."""
        image = self._pending if self._pending is not None else self._decode()
        self._pending = None
        if image is None:
            return None
        self._index += 1
        return Frame(image, self._index / self.frames_per_s, self._index)

    def skip(self) -> bool:
        """Pass over one frame without decoding its picture; False at the end."""
        if self._pending is not None:
            self._pending = None
        elif not self._capture.grab():
            return False
        self._index += 1
        return True

    @property
    def next_index(self) -> int:
        return self._index + 1

    def rewind(self) -> None:
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
        self._pending, self._index = None, -1

    def close(self) -> None:
        self._capture.release()


class ClipSource:
    """A clip shown again and again as if it were live, or once, unpaced, for measuring."""

    def __init__(
        self,
        path: Path,
        paced: bool = True,
        loop: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._reader = ClipReader(path)
        self._paced, self._loop, self._clock, self._sleep = paced, loop, clock, sleep
        self._started_s = clock()
        self._count = 0

    def read(self, timeout_s: float) -> Frame | None:
        frame = self._reader.next()
        if frame is None:
            if not self._loop:
                raise SourceEnded
            self._reader.rewind()
            frame = self._reader.next()
            if frame is None:
                raise SourceError(f"{self._reader.path}: the clip can no longer be read")
        due_s = self._started_s + self._count / self._reader.frames_per_s
        if self._paced and (wait_s := due_s - self._clock()) > 0:
            self._sleep(wait_s)
        frame = Frame(frame.image_bgr, due_s if self._paced else self._clock(), self._count)
        self._count += 1
        return frame

    def close(self) -> None:
        self._reader.close()
