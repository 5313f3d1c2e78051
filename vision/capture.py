"""Two threads a camera: one takes frames as they come, one finds the landmarks in the newest.

Nothing queues. Between the threads lies a slot for one item; what was not fetched in time is
replaced by the newer one and counted as dropped. A slow model costs frame rate, never freshness.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from vision.frames import Frame, FrameSource, FreezeWatch, Image, SourceEnded, SourceError, SourceFrozen, SourceStuck
from vision.landmarks import Crop, Landmarks

log = logging.getLogger(__name__)

Item = TypeVar("Item")
_READ_TIMEOUT_S = 0.3
_MISSED_READS = 2
"""So many in a row without a picture, 0.6 s, and the camera has failed: with the telling, within a second."""
_REOPEN_AFTER_MISSED = 7
"""After two seconds without a picture the camera is opened anew: a cable that was plugged in again needs that."""
_REOPEN_AFTER_S = 0.5
_TAKE_TIMEOUT_S = 0.5
CAPTURE_HANGS_AFTER_S = 15.0
"""A camera thread that neither took a picture nor failed to for this long is stuck in its driver: opening a camera
takes some seconds at most, a picture half a second."""
DETECTION_HANGS_AFTER_S = 5.0
"""The pose model answers within a tenth of a second."""


class Detector(Protocol):
    """What finds the landmarks; ``vision.landmarks.PoseModel`` is one."""

    def detect(self, image_bgr: Image, t_ms: int, crop: Crop | None = None) -> Landmarks | None: ...


@dataclass(frozen=True, slots=True)
class Detection:
    """The landmarks in one frame of one camera; None when the model saw nobody."""

    camera: int
    frame: Frame
    landmarks: Landmarks | None


class LatestSlots(Generic[Item]):
    """One place per camera for its newest item; a reader waits for any of them."""

    def __init__(self, cameras: int) -> None:
        self._items: list[Item | None] = [None] * cameras
        self._changed = threading.Condition()
        self._closed = False
        self.dropped = [0] * cameras

    def put(self, camera: int, item: Item, wait: bool = False) -> None:
        """Leave `item`; with `wait` only once the one before was fetched (for files, where none may be lost)."""
        with self._changed:
            while wait and self._items[camera] is not None and not self._closed:
                self._changed.wait()
            if self._items[camera] is not None:
                self.dropped[camera] += 1
            self._items[camera] = item
            self._changed.notify_all()

    def take(self, timeout_s: float, camera: int | None = None) -> Item | None:
        """The newest item of `camera`, or of the first camera that has one.

        None after `timeout_s`, or when closed.
        """
        deadline_s = time.monotonic() + timeout_s
        wanted = range(len(self._items)) if camera is None else (camera,)
        with self._changed:
            while True:
                for slot in wanted:
                    item = self._items[slot]
                    if item is not None:
                        self._items[slot] = None
                        self._changed.notify_all()
                        return item
                remaining_s = deadline_s - time.monotonic()
                if remaining_s <= 0 or self._closed:
                    return None
                self._changed.wait(remaining_s)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class CameraThreads:
    """Captures and detects for one camera until closed; opens a failed source again every second.

    `crop` is the part of the picture where the machine is. `lossless` is for measuring on a file: each
    frame is waited for, none is dropped. `watch` is shown every picture with its time, in the first thread.
    """

    def __init__(
        self,
        camera: int,
        name: str,
        open_source: Callable[[], FrameSource],
        detector: Detector,
        out: LatestSlots[Detection],
        crop: Crop | None = None,
        lossless: bool = False,
        watch: Callable[[Image, float], None] | None = None,
    ) -> None:
        self.name = name
        self.ended = threading.Event()
        self.captured = 0
        self.error: str | None = None
        """Why the camera gives nothing now, None while it works."""
        self._tried_s = self._detected_s = time.monotonic()
        self._picture, self._frozen = FreezeWatch(), False
        """The last picture, and whether it stood still when the camera was started anew: none is believed then before
        one that differs."""
        self.stuck: SourceStuck | None = None
        """The camera's driver does not return; this process must end."""
        self._camera, self._open, self._detector, self._out = camera, open_source, detector, out
        self._crop, self._lossless, self._watch = crop, lossless, watch
        self._slot: LatestSlots[Frame] = LatestSlots(1)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=f"{name}-{task}", daemon=True)
            for task, work in (("capture", self._capture), ("detect", self._detect))
        ]

    @property
    def dropped(self) -> int:
        """Frames that were taken but overtaken by a newer one before the model or the fit had time."""
        return self._slot.dropped[0] + self._out.dropped[self._camera]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def hangs(self, now_s: float) -> bool:
        """True when a thread is stuck or dead, so that only a new process helps; a camera known to be broken is not."""
        if self.ended.is_set():
            return False
        waiting = self.captured > 0 and self.error is None
        return now_s - self._tried_s > CAPTURE_HANGS_AFTER_S or (
            waiting and now_s - self._detected_s > DETECTION_HANGS_AFTER_S
        )

    def close(self, timeout_s: float = 2.0) -> None:
        self._stop.set()
        self._slot.close()
        self._out.close()
        for thread in self._threads:
            thread.join(timeout_s)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Whatever a thread of this camera dies of, the process has to end: nothing limps on half alive."""
        try:
            work()
        except Exception as error:
            log.exception("camera %s: a thread has died", self.name)
            self.stuck = SourceStuck(f"camera {self.name}: a thread has died: {error}")

    def _capture(self) -> None:
        try:
            while not self._stop.is_set():
                self._capture_once()
        except SourceEnded:
            self.ended.set()
        except SourceStuck as error:
            self._failed(str(error))
            self.stuck = error

    def _capture_once(self) -> None:
        """Open the camera and read it until it fails; then wait a little."""
        self._tried_s = time.monotonic()
        try:
            source = self._open()
            try:
                self._read_until_failure(source)
            finally:
                source.close()
        except SourceStuck:
            raise
        except SourceError as error:
            self._frozen = self._frozen or isinstance(error, SourceFrozen)
            self._failed(str(error))
            self._stop.wait(_REOPEN_AFTER_S)

    def _read_until_failure(self, source: FrameSource) -> None:
        missed = 0
        while not self._stop.is_set():
            frame = source.read(_READ_TIMEOUT_S)
            self._tried_s = time.monotonic()
            if frame is None:
                missed += 1
                if missed >= _REOPEN_AFTER_MISSED:
                    raise SourceError(f"camera {self.name}: no picture for {missed * _READ_TIMEOUT_S:.1f} s")
                if missed == _MISSED_READS:
                    silent_s = missed * _READ_TIMEOUT_S
                    self._failed(f"camera {self.name}: no picture for {silent_s:g} s; check its cable")
                continue
            missed = 0
            if not self._picture.moves(frame.image_bgr) and self._frozen:
                continue
            self._frozen = False
            if self.error is not None:
                log.warning("camera %s works again", self.name)
                self._detected_s = self._tried_s
                self.error = None
            self.captured += 1
            self._slot.put(0, frame, wait=self._lossless)
            if self._watch is not None:
                self._watch(frame.image_bgr, frame.t_s)

    def _failed(self, reason: str) -> None:
        if self.error is None:  # one line an outage, not one a second
            log.error("%s", reason)
        self.error = reason

    def _detect(self) -> None:
        while not self._stop.is_set():
            frame = self._slot.take(_TAKE_TIMEOUT_S)
            if frame is None:
                continue
            landmarks = self._detector.detect(frame.image_bgr, round(frame.t_s * 1000), self._crop)
            self._detected_s = time.monotonic()
            self._out.put(self._camera, Detection(self._camera, frame, landmarks), wait=self._lossless)


def close_all(cameras: Sequence[CameraThreads]) -> None:
    for camera in cameras:
        camera.close()
