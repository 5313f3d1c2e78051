"""Where on its rail the footplate is, from edges seen in many frames.

A frame shows edges at many places, most of them not the plate's; what follows the plate tells only how it
moves in the image. So each frame's edges are kept for every place of the rail, and one shift in the image is
sought that lays the followed path over the plate's edges in all of them. In the image, for who follows the
plate at a wrong place sees it move too far or too little, most so from an oblique camera.
"""

from __future__ import annotations

from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from vision.plate_sight import HIGHEST_M, LOWEST_M, RAIL_M

Floats = NDArray[np.float64]

PLACE_STEP_M: Final = 0.004
PLACES_M: Final = np.arange(HIGHEST_M, LOWEST_M, PLACE_STEP_M)
"""Where edges are looked for."""
SHIFTS: Final = np.arange(-100, 101)
NEAR: Final = 20
"""Corrections by so many steps are believed at once; farther ones must win clearly, over a while."""
LEAST_STEPS: Final = 2
"""A smaller correction is within the error, and costs the pictures learned so far."""
NEAR_GAIN: Final = 1.04
FAR_GAIN: Final = 1.12
"""So many times the evidence moves the plate: the sums of a few frames differ by chance (ours)."""
FAR_AFTER: Final = 12
"""Frames before a farther place may win."""
SETTLED_AFTER: Final = 8
"""After so many frames the summed evidence may correct the absolute position."""
FROZEN_AFTER: Final = 45
"""Frames after which the absolute position is kept: a neutral must stay comparable with what follows."""
AMBIGUOUS: Final = 0.92
APART: Final = 5
"""Where another place, so many steps or more away, has this share of the edges' evidence here, the absolute position is
a guess. On rendered clips 1.1 where it was wrong by 2 cm, 0.54 to 0.91 where it was right; one of 39 that was wrong by
3 cm goes unnoticed at 0.85."""
FEET_SD_M: Final = 0.08
"""Of where the feet place the plate in one frame from an oblique camera; 0.02 from the side (rendered clips)."""
START_FLOOR: Final = 0.4
START_SD_M: Final = 0.05
"""A carriage that nobody moves stands at its calibrated rest, and lifters begin within a few centimetres of it (ours).
What begins elsewhere keeps this share of its evidence."""
_HERE: Final = len(SHIFTS) // 2


class PlaceEvidence:
    """Of one camera; positions in metres from the calibrated rest, + = lowered."""

    def __init__(self, along_px: Floats) -> None:
        """``along_px`` (steps of the rail,) see ``PlateSight.along_px``."""
        self._along_px = along_px
        self._path: Floats = np.zeros(0)
        """(frames,) where the plate was followed."""
        self._shifts: Floats | None = None
        """(shifts, frames) the path moved in the image; None until it is needed of this path."""
        self._edges: Floats = np.zeros((0, len(PLACES_M) + 1))
        """(frames, places and one for all others)."""
        self._feet: Floats = np.zeros((0, len(PLACES_M) + 1))
        """Share of the edges' evidence that the feet leave."""

    @property
    def full(self) -> bool:
        return len(self._path) > FROZEN_AFTER

    def add(self, followed_m: float, energy: Floats, feet_m: float | None) -> None:
        """``energy`` of one frame at ``PLACES_M``; ``feet_m``: where the lifter's feet place the plate, if seen."""
        feet = np.ones(len(PLACES_M))
        if feet_m is not None:
            feet = 0.4 + 0.6 * np.exp(-0.5 * ((PLACES_M - feet_m) / (2 * FEET_SD_M)) ** 2)
        self._path, self._shifts = np.append(self._path, followed_m), None
        self._edges = np.vstack([self._edges, np.append(energy, 0.0)])
        self._feet = np.vstack([self._feet, np.append(feet, 0.0)])

    def correct(self, followed_m: float) -> float:
        """Where the plate is that was followed to ``followed_m``; the path so far is moved along."""
        if len(self._path) < SETTLED_AFTER or self.full:
            return followed_m
        shifted = self._path_shifted()
        evidence = self._placed(self._edges * self._feet, shifted) * start_likely(shifted.min(axis=1))
        near = evidence[_HERE - NEAR : _HERE + NEAR + 1]
        best = _HERE - NEAR + int(np.argmax(near))
        farthest = int(np.argmax(evidence))
        if len(self._path) >= FAR_AFTER and evidence[farthest] > FAR_GAIN * near.max():
            best = farthest
        if abs(best - _HERE) < LEAST_STEPS or evidence[best] < NEAR_GAIN * evidence[_HERE]:
            return followed_m
        moved = self._shifted(np.append(self._path, followed_m))[best]
        self._path, self._shifts = moved[:-1], None
        return float(moved[-1])

    def ambiguous(self) -> bool:
        """Whether two places explain the edges seen so far about equally well."""
        if len(self._path) < SETTLED_AFTER:
            return False
        # The feet are no witness here: hidden ones are guessed.
        alone = self._placed(self._edges, self._path_shifted())
        far = np.abs(SHIFTS) > APART
        return bool(alone[far].max() > AMBIGUOUS * alone[~far].max())

    def _placed(self, evidence: Floats, shifted: Floats) -> Floats:
        """(shifts,) sum over all frames with the path so shifted."""
        at = np.rint((shifted - HIGHEST_M) / PLACE_STEP_M).astype(np.intp)
        at[(at < 0) | (at >= len(PLACES_M))] = len(PLACES_M)
        return cast(Floats, evidence[np.arange(len(self._path)), at].sum(axis=1))

    def _path_shifted(self) -> Floats:
        if self._shifts is None:
            self._shifts = self._shifted(self._path)
        return self._shifts

    def _shifted(self, path: Floats) -> Floats:
        """(shifts, n) positions that lie as far apart in the image as these, moved by ``SHIFTS`` in the mean."""
        places = np.append(self._path.mean() + SHIFTS * PLACE_STEP_M, path)
        px = np.interp(places, RAIL_M, self._along_px)
        moved_px = px[: len(SHIFTS)] - px[_HERE]
        return cast(Floats, np.interp(px[len(SHIFTS) :] + moved_px[:, None], self._along_px, RAIL_M))


def start_likely(top_m: Floats) -> Floats:
    """How likely the carriage's highest place is, as a factor of the edges' evidence."""
    return START_FLOOR + (1.0 - START_FLOOR) * np.exp(-0.5 * (top_m / START_SD_M) ** 2)
