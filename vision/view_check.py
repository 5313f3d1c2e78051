"""Whether a camera still sees what it was calibrated on: covered, fogged or moved, judged once a second."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from vision.calibration import Calibration
from vision.frames import Image
from vision.scene import SceneReference, contrast_of, displaced_px, match_scene, reference_of, sharpness_of

ViewCondition = Literal["ok", "dark", "blurred", "moved"]

DARK_BELOW: Final = 12.0
"""Mean grey level (0-255) of a capped lens or an unlit room: nothing can be seen. Ours."""
FLAT_BELOW: Final = 5.0
"""Contrast (grey levels) of a lens under a hand or a cloth; rendered and photographed gyms have 25 to 60. Ours."""
LOOK_EVERY_S: Final = 1.0
LEARN_AFTER_S: Final = 2.0
"""A calibration without a scene is given one of what stands still for so long."""
MOVED_PX: Final = 8.0
"""The known points of the machine miss by so much (RMS): 0.8 degrees in the middle of the picture, 2 cm on the plate.
Above a click's 1-2 px, below the 12 px at which a calibration is refused. Ours."""
FEWEST_FOLLOWED: Final = 12
"""Corners that must agree on the movement; chance matches agree by 4 to 7."""
IN_PLACE: Final = 0.2
"""Share of the corners at their place that speaks for a camera at its place: bystanders leave 0.4 and more."""
LOST_SIGHT: Final = 0.05
BLURRED_BELOW: Final = 0.6
"""Sharpness against the calibration's: 0.9-1.15 over whole sets, 0.35-0.5 behind a fogged lens (blur of 2 px)."""
CONFIRMED_BY: Final = 2
"""Looks in a row: a trolley that is wheeled past is gone by then."""
GONE_CONFIRMED_BY: Final = 4
"""Looks in a row before a view that shows nothing known is taken for a camera turned away, not for a crowd."""


def is_dark(image_bgr: Image) -> bool:
    """True when the picture is too dark, or too even, to see anything; looks at every 16th pixel each way."""
    return float(image_bgr[::16, ::16].mean()) < DARK_BELOW or contrast_of(image_bgr) < FLAT_BELOW


class ViewCheck:
    """One camera's view against its calibration. Show it every frame; it looks at one a second."""

    def __init__(self, calibration: Calibration | None, reference: SceneReference | None = None) -> None:
        self._known_px = np.array([p.image_px for p in calibration.points]) if calibration is not None else None
        self.reference = reference
        self.displaced_px: float | None = None
        """By how much the machine's known points miss now; None where that is not known."""
        self.sharpness: float | None = None
        """Against the calibration's, 1 = as sharp."""
        self.condition: ViewCondition = "ok"
        self._first: tuple[float, Image] | None = None
        self._next_s = -1e9
        self._votes: dict[ViewCondition, int] = {}

    def saw(self, image_bgr: Image, t_s: float) -> None:
        """Take in one frame; sets ``condition``."""
        if is_dark(image_bgr):
            self.condition, self._first = "dark", None
            return
        if self.condition == "dark":
            self.condition = "ok"
        if t_s < self._next_s:
            return
        self._next_s = t_s + LOOK_EVERY_S
        if self.reference is None:
            self._learn(image_bgr, t_s)
            return
        self._vote(self._look(image_bgr, self.reference))

    def _learn(self, image_bgr: Image, t_s: float) -> None:
        if self._first is None:
            self._first = (t_s, image_bgr)
        elif t_s - self._first[0] >= LEARN_AFTER_S:
            self.reference = reference_of(self._first[1], image_bgr)
            self._first = None

    def _look(self, image_bgr: Image, reference: SceneReference) -> tuple[ViewCondition, int]:
        """What this picture says, and how many looks in a row must say so."""
        match = match_scene(reference, image_bgr)
        self.sharpness = sharpness_of(image_bgr) / reference.sharpness if reference.sharpness > 0 else None
        self.displaced_px = None
        if match.shift is not None and match.followed >= FEWEST_FOLLOWED:
            known_px = self._known_px if self._known_px is not None else reference.px
            self.displaced_px = displaced_px(match.shift, known_px)
            if self.displaced_px > MOVED_PX and match.in_place < IN_PLACE:
                return "moved", CONFIRMED_BY
        elif match.in_place >= IN_PLACE:
            self.displaced_px = 0.0
        if self.sharpness is not None and self.sharpness < BLURRED_BELOW:
            return "blurred", CONFIRMED_BY
        as_bright = contrast_of(image_bgr) > 0.5 * reference.contrast
        if match.in_place < LOST_SIGHT and match.followed < FEWEST_FOLLOWED and as_bright:
            return "moved", GONE_CONFIRMED_BY
        return "ok", CONFIRMED_BY

    def _vote(self, seen: tuple[ViewCondition, int]) -> None:
        said, needed = seen
        self._votes = {said: self._votes.get(said, 0) + 1}
        if self._votes[said] >= needed:
            self.condition = said
