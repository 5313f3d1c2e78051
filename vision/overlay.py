"""A copy of a clip with the skeleton, the measures and the alerts drawn on it: ``analyze --overlay``.

For files that the person who asks already has; the live process draws and keeps no picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from device.errors import UserError
from device.messages import AlertRecord, PoseSample, Sided
from vision.calibration import Calibration
from vision.frames import Image
from vision.landmarks import Landmarks
from vision.playback import Moment, Seen

Colour = tuple[int, int, int]
_GREEN, _AMBER, _RED, _WHITE, _GREY = (90, 200, 80), (0, 180, 255), (60, 60, 235), (245, 245, 245), (150, 150, 150)
_LIMB_OF_FAULT = {
    "knee_valgus": ("hip", "knee", "ankle"),
    "knee_lockout": ("hip", "knee", "ankle"),
    "heel_lift": ("ankle", "heel", "toe"),
    "back_rounding": ("shoulder", "hip"),
    "back_arching": ("shoulder", "hip"),
    "hips_forward": ("shoulder", "hip"),
}
_BONES = (("shoulder", "hip"), ("hip", "knee"), ("knee", "ankle"), ("ankle", "heel"), ("heel", "toe"))
_MIN_VISIBILITY = 0.3
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class PostureText:
    """The measures of one moment as lines of text; an unknown one is shown as a dash."""

    def __init__(self, knee: Sided, valgus: Sided, lumbar_deg: float | None) -> None:
        self._rows = [
            f"knee {_number(knee.left)} / {_number(knee.right)} deg",
            f"valgus {_number(valgus.left)} / {_number(valgus.right)} deg",
            f"lumbar {_number(lumbar_deg)} deg",
        ]

    def draw(self, image: Image) -> None:
        for row, text in enumerate(self._rows):
            _text(image, text, (12, 24 + 22 * row), _WHITE, 0.55)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _text(image: Image, text: str, place: tuple[int, int], colour: Colour, size: float) -> None:
    # The outline is the text itself, moved: a heavier one runs wider.
    x, y = place
    for right, down in ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1)):
        cv2.putText(image, text, (x + right, y + down), _FONT, size, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(image, text, place, _FONT, size, colour, 1, cv2.LINE_AA)


def draw_landmarks(image: Image, landmarks: Landmarks) -> None:
    """What the model alone saw: small grey dots."""
    for (x, y), visibility in zip(landmarks.px, landmarks.visibility, strict=True):
        if visibility >= _MIN_VISIBILITY and np.isfinite((x, y)).all():
            cv2.circle(image, (round(x), round(y)), 2, _GREY, -1, cv2.LINE_AA)


def draw_figure(image: Image, sample: PoseSample, calibration: Calibration, alerts: Sequence[AlertRecord]) -> None:
    """The fitted lifter in the camera's view, a faulty limb in the alert's colour."""
    figure = sample.figure
    if not figure:
        return
    places = calibration.project(np.array(list(figure.values())))
    joints = {name: (round(float(x)), round(float(y))) for name, (x, y) in zip(figure, places, strict=True)}
    for side in ("left", "right"):
        for start, end in _BONES:
            _bone(image, joints, f"{start}_{side}", f"{end}_{side}", _bone_colour(side, (start, end), alerts))
    for start, end in (("plate_top", "plate_bottom"), ("pad_bottom", "pad_top")):
        _bone(image, joints, start, end, _WHITE)


def _bone(image: Image, joints: Mapping[str, tuple[int, int]], start: str, end: str, colour: Colour) -> None:
    if start in joints and end in joints:
        cv2.line(image, joints[start], joints[end], colour, 2, cv2.LINE_AA)


def _bone_colour(side: str, bone: tuple[str, str], alerts: Sequence[AlertRecord]) -> Colour:
    for alert in alerts:
        limb = _LIMB_OF_FAULT.get(alert.kind, ())
        if alert.side in (None, side) and bone[0] in limb and bone[1] in limb:
            return _RED if alert.priority == "high" else _AMBER
    return _GREEN


class OverlayWriter:
    """Writes the drawn video; two cameras side by side, the first one's height.

    Raises:
        UserError: the file cannot be written.
    """

    def __init__(self, path: Path, calibrations: Sequence[Calibration], frames_per_s: float) -> None:
        self._path, self._calibrations = path, calibrations
        self._images: list[Image] = [
            np.zeros((c.image_size_px[1], c.image_size_px[0], 3), dtype=np.uint8) for c in calibrations
        ]
        self._height = calibrations[0].image_size_px[1]
        width = sum(round(c.image_size_px[0] * self._height / c.image_size_px[1]) for c in calibrations)
        self._size = (width, self._height)
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), frames_per_s, self._size)
        if not self._writer.isOpened():
            raise UserError(
                f"{path}: cannot be written as a video; give a name ending in .mp4 in a folder you may write to"
            )

    def write(self, moment: Moment, sample: PoseSample, text: PostureText, alerts: Sequence[AlertRecord]) -> None:
        for seen in moment.seen:
            self._images[seen.camera] = self._drawn(seen, sample, alerts)
        picture = np.hstack([self._fitted(image) for image in self._images])
        text.draw(picture)
        for row, alert in enumerate(alerts):
            colour = _RED if alert.priority == "high" else _AMBER
            _text(picture, alert.sentence, (12, self._height - 20 - 30 * row), colour, 0.8)
        self._writer.write(picture)

    def _drawn(self, seen: Seen, sample: PoseSample, alerts: Sequence[AlertRecord]) -> Image:
        image = seen.frame.image_bgr.copy()
        if seen.landmarks is not None:
            draw_landmarks(image, seen.landmarks)
        draw_figure(image, sample, self._calibrations[seen.camera], alerts)
        return image

    def _fitted(self, image: Image) -> Image:
        if image.shape[0] == self._height:
            return image
        width = round(image.shape[1] * self._height / image.shape[0])
        return np.asarray(cv2.resize(image, (width, self._height)), dtype=np.uint8)

    def close(self) -> None:
        self._writer.release()
