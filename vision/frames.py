"""Frames and where they come from: what every camera source looks like to the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from device.errors import UserError

Image = NDArray[np.uint8]
"""Height x width x 3, blue-green-red, 8 bit: OpenCV's order."""


@dataclass(frozen=True, slots=True)
class Frame:
    image_bgr: Image
    t_s: float
    """time.monotonic() of the exposure; in an analysed file the clip's own time."""
    index: int
    """Counts the frames that the camera made; a gap is a frame that nobody saw."""


class SourceError(UserError):
    """A camera or clip that cannot be read; one sentence: which one, what is wrong, what to do."""


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
