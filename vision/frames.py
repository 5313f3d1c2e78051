"""Frames and where they come from: what every camera source looks like to the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from device.errors import UserError

Image = NDArray[np.uint8]
"""Height x width x 3, blue-green-red, 8 bit: OpenCV's order."""

FROZEN_AFTER_S: Final = 0.6
"""A live picture that is the same, bit for bit, for so long stands still: a sensor's noise never repeats (ours)."""
_SAMPLED_EVERY_PX: Final = 8


@dataclass(frozen=True, slots=True)
class Frame:
    image_bgr: Image
    t_s: float
    """time.monotonic() of the exposure; in an analysed file the clip's own time."""
    index: int
    """Counts the frames that the camera made; a gap is a frame that nobody saw."""


class SourceError(UserError):
    """A camera or clip that cannot be read; one sentence: which one, what is wrong, what to do."""


class SourceStuck(SourceError):
    """A camera's driver does not return: only a new process can help."""

    exit_code = 1


class SourceFrozen(SourceError):
    """A live camera that goes on delivering one and the same picture."""


class SourceEnded(Exception):
    """The clip is over. A live camera never ends."""


class FrameSource(Protocol):
    """A camera. Used by one thread at a time."""

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame; None when none came within `timeout_s`.

        Raises:
            SourceEnded: there will be no more.
            SourceError: it cannot be read; opening a new source may help.
        """

    def close(self) -> None: ...


class FreezeWatch:
    """Notices a live camera that goes on delivering one and the same picture."""

    def __init__(self) -> None:
        self._sample: Image | None = None
        self._since_s = 0.0

    def check(self, name: str, image_bgr: Image, t_s: float) -> None:
        """Raises SourceFrozen once the pictures have been the same for ``FROZEN_AFTER_S``.

        A picture of one colour throughout (a capped lens) may repeat, and is no sign of anything.
        """
        if self.moves(image_bgr):
            self._since_s = t_s
        elif t_s - self._since_s >= FROZEN_AFTER_S:
            raise SourceFrozen(f"camera {name}: its picture stands still; it is started anew")

    def moves(self, image_bgr: Image) -> bool:
        """False for the same picture as the last one."""
        sample = image_bgr[::_SAMPLED_EVERY_PX, ::_SAMPLED_EVERY_PX]
        if self._sample is not None and np.array_equal(sample, self._sample) and int(np.ptp(sample)) > 2:
            return False
        self._sample = sample.copy()
        return True
