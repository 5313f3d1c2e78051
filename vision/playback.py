"""Recorded clips through the very pipeline that runs live: frame by frame, nothing known of later ones."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.messages import PoseSample
from vision.clip import ClipReader
from vision.frames import Frame
from vision.landmarks import Crop, Landmarks, PoseModel
from vision.posture import PostureEstimator

_QUEUE_FRAMES = 8
"""Decoded frames waiting between a camera's thread and the fit: enough to keep both busy."""
_SAME_MOMENT_S = 1e-4


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame of one camera and what the model found in it."""

    camera: int
    frame: Frame
    landmarks: Landmarks | None


@dataclass(frozen=True, slots=True)
class Moment:
    """All frames of one instant, one to each camera that has one, and the samples they gave, in order."""

    t_s: float
    seen: tuple[Seen, ...]
    samples: tuple[PoseSample, ...]


class _Camera:
    """Reads one clip and finds landmarks on a thread of its own, so that two cameras use two cores."""

    def __init__(self, camera: int, path: Path, model: PoseModel, crop: Crop | None, max_fps: float | None) -> None:
        self._camera, self._model, self._crop = camera, model, crop
        self._reader = ClipReader(path)
        self.frame_count = self._reader.frame_count
        self._min_step_s = 1.0 / max_fps if max_fps else 0.0
        self._queue: queue.Queue[Seen | Exception | None] = queue.Queue(_QUEUE_FRAMES)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"playback-{camera}", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            with self._model as model:
                self._detect_all(model)
        except Exception as error:  # noqa: BLE001  # whatever it is: handed to the caller, who raises it
            self._queue.put(error)
            return
        self._queue.put(None)

    def _detect_all(self, model: PoseModel) -> None:
        next_s = 0.0
        while not self._stop.is_set() and (frame := self._reader.next()) is not None:
            if frame.t_s + _SAME_MOMENT_S < next_s:
                continue
            next_s = max(next_s + self._min_step_s, frame.t_s) if self._min_step_s else 0.0
            landmarks = model.detect(frame.image_bgr, round(frame.t_s * 1000), self._crop)
            self._queue.put(Seen(self._camera, frame, landmarks))

    def next(self) -> Seen | None:
        item = self._queue.get()
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self._stop.set()
        while self._thread.is_alive():  # a full queue would keep the thread waiting
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue
        self._reader.close()


class Playback:
    """One or two clips of the same set, played together by their own times.

    Iterate for ``Moment``s. `offset_s` is added to every time, so that enrolment clips can lie before
    the set that follows.

    Raises:
        SourceError: a clip that cannot be read, before anything is played.
    """

    def __init__(
        self,
        clips: Sequence[Path],
        model_paths: Sequence[Path],
        estimator: PostureEstimator,
        max_fps: float | None = None,
        offset_s: float = 0.0,
    ) -> None:
        self._estimator, self._offset_s = estimator, offset_s
        self._cameras: list[_Camera] = []
        try:
            for index, (path, model_path) in enumerate(zip(clips, model_paths, strict=True)):
                model = PoseModel(model_path, masks=estimator.uses_mask(index))
                self._cameras.append(_Camera(index, path, model, estimator.region_px(index), max_fps))
        except BaseException:
            self.close()
            raise

    @property
    def frame_count(self) -> int:
        """Frames of the longest clip as its file states it; 0 when unknown."""
        return max(camera.frame_count for camera in self._cameras)

    def __iter__(self) -> Iterator[Moment]:
        try:
            heads = [camera.next() for camera in self._cameras]
            while any(head is not None for head in heads):
                t_s = min(head.frame.t_s for head in heads if head is not None)
                now = [head for head in heads if head is not None and head.frame.t_s <= t_s + _SAME_MOMENT_S]
                samples = tuple(
                    self._estimator.update(
                        head.camera, head.frame.t_s + self._offset_s, head.frame.image_bgr, head.landmarks
                    )
                    for head in now
                )
                yield Moment(t_s + self._offset_s, tuple(now), samples)
                for head in now:
                    heads[head.camera] = self._cameras[head.camera].next()
        finally:
            self.close()

    def close(self) -> None:
        for camera in self._cameras:
            camera.close()


def duration_s(path: Path) -> float:
    """Length of a clip from its header, rounded up to a whole second where the header does not tell."""
    reader = ClipReader(path)
    try:
        return max(1.0, reader.frame_count / reader.frames_per_s)
    finally:
        reader.close()


def frames_per_s(path: Path) -> float:
    """The clip's frame rate by its header."""
    reader = ClipReader(path)
    try:
        return reader.frames_per_s
    finally:
        reader.close()
