"""Frames come as they are taken, the newest wins, and a broken camera is said once and tried again."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from vision.capture import CameraThreads, Detection, LatestSlots
from vision.clip import ClipReader, ClipSource
from vision.frames import Frame, Image, SourceEnded, SourceError
from vision.landmarks import Crop, Landmarks

WAIT_S = 10.0
"""Longest any test waits for a thread; reached only when the test fails."""


def picture(level: int) -> Image:
    return np.full((48, 64, 3), level, dtype=np.uint8)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ten frames at 10 frames/s, each a little brighter than the one before."""
    path = tmp_path / "ten.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (64, 48))
    for index in range(10):
        writer.write(picture(20 * index))
    writer.release()
    return path


class Detector:
    """Sees nobody, and remembers what it was shown."""

    def __init__(self) -> None:
        self.times_ms: list[int] = []

    def detect(self, image_bgr: Image, t_ms: int, crop: Crop | None = None) -> Landmarks | None:
        self.times_ms.append(t_ms)
        return None


def test_a_clip_gives_its_frames_in_order_with_its_own_time(clip: Path) -> None:
    reader = ClipReader(clip)
    frames = []
    while (frame := reader.next()) is not None:
        frames.append((frame.index, round(frame.t_s, 3)))
    reader.close()
    assert frames == [(i, round(i / 10, 3)) for i in range(10)]


def test_a_skipped_frame_still_counts(clip: Path) -> None:
    reader = ClipReader(clip)
    assert reader.skip() and reader.skip()
    frame = reader.next()
    assert frame is not None and (frame.index, frame.t_s) == (2, 0.2)
    while reader.skip():
        pass
    assert reader.next_index == 10
    reader.close()


def test_a_live_clip_is_paced_by_its_own_time_and_starts_again(clip: Path) -> None:
    now_s = [100.0]

    def sleep(duration_s: float) -> None:
        now_s[0] += duration_s

    source = ClipSource(clip, clock=lambda: now_s[0], sleep=sleep)
    times = [frame.t_s for frame in (source.read(1.0) for _ in range(12)) if frame is not None]
    source.close()
    assert times == pytest.approx([100.0 + i / 10 for i in range(12)])


def test_a_clip_played_once_ends(clip: Path) -> None:
    source = ClipSource(clip, paced=False, loop=False)
    for _ in range(10):
        assert source.read(1.0) is not None
    with pytest.raises(SourceEnded):
        source.read(1.0)
    source.close()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.mp4", None, "missing.mp4: no such file"),
        ("text.mp4", b"this is not a video", "text.mp4: not a video that can be read"),
        ("empty.mp4", b"", "empty.mp4: not a video that can be read"),
    ],
)
def test_what_is_no_video_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError) as refusal:
        ClipReader(path)
    assert said in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_newer_item_replaces_the_older_and_the_loss_is_counted() -> None:
    slots: LatestSlots[int] = LatestSlots(2)
    slots.put(0, 1)
    slots.put(0, 2)
    slots.put(1, 7)
    assert (slots.take(0.0), slots.take(0.0), slots.take(0.0)) == (2, 7, None)
    assert slots.dropped == [1, 0]


def test_every_frame_of_a_file_is_detected_when_none_may_be_lost(clip: Path) -> None:
    out: LatestSlots[Detection] = LatestSlots(1)
    detector = Detector()
    threads = CameraThreads(0, "side", lambda: ClipSource(clip, paced=False, loop=False), detector, out, lossless=True)
    threads.start()
    seen = []
    while len(seen) < 10 and (detection := out.take(WAIT_S)) is not None:
        seen.append(detection.frame.index)
    threads.close()
    assert seen == list(range(10))
    assert (threads.dropped, threads.captured) == (0, 10)


class FlakySource:
    """Fails on its first opening, then gives pictures."""

    openings = 0

    def __init__(self) -> None:
        type(self).openings += 1
        if type(self).openings == 1:
            raise SourceError("camera 0: the cable is loose")

    def read(self, timeout_s: float) -> Frame | None:
        return Frame(picture(90), 1.0, 0)

    def close(self) -> None:
        pass


def test_a_camera_that_cannot_be_opened_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vision.capture._REOPEN_AFTER_S", 0.0)
    FlakySource.openings = 0
    out: LatestSlots[Detection] = LatestSlots(1)
    threads = CameraThreads(0, "side", FlakySource, Detector(), out)
    with caplog.at_level(logging.WARNING):
        threads.start()
        detection = out.take(WAIT_S)
        threads.close()
    assert detection is not None and threads.error is None
    assert [record.getMessage() for record in caplog.records] == [
        "camera 0: the cable is loose",
        "camera side works again",
    ]
