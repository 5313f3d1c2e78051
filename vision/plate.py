"""Follows the footplate in one camera's image, and so the carriage along its rail.

The plate is rigid and moves along one line, so one number is searched for: the carriage position. Two
cues share the work. The plate's own picture, sampled on a grid that is pinned to the plate (feet and
all), is compared with the same grid at trial positions: precise, but only relative. The picture changes
as the legs before it bend, so the last frame's is compared, and with it the one that was seen at about
this place before, which keeps many small steps from adding up to a wrong place. The plate's four edges,
as predicted by the calibration, give the absolute position; their evidence is summed over time and
places, for background edges slide past while the plate's own stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from vision.calibration import Calibration
from vision.plate_evidence import FEET_SD_M, PLACES_M, PlaceEvidence, start_likely
from vision.plate_sight import FOLLOWED_M, STEP_M, Bytes, PlateSight, Steps, normalised, places_m, steps_at

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

EDGE_SHARE: Final = 0.6
"""Weight of the edges beside the picture in following from frame to frame: keeps it from drifting."""
STATION_M: Final = 0.03
"""A picture is kept for each such stretch of the rail: the legs before the plate change by a shoe's width in it."""
LAST_SHARE: Final = 0.3
"""Of the last frame's picture in comparing, where one is kept: it alone would drift."""
GOOD_MATCH: Final = 0.8
"""A picture that matches so well is learned from, and found without looking farther (ours)."""
NEW_SHARE: Final = 0.05
"""Of a picture that matches well, in the one kept for its stretch: follows the light."""
WEIGHINGS: Final = 8
"""At each stretch of the rail: standing still would only weigh the same background again."""
CERTAIN_MATCH: Final = 0.6
SURE_M: Final = 0.003
UNSURE_M: Final = 0.02
"""Standard errors of the position (same clips: 2.5 to 3 mm)."""
COARSE_M: Final = 0.01
"""Between trials: the plate's picture, of cells of 3 to 4 cm, still matches so far off."""
FINE_M: Final = 0.002
"""Between trials about the best of them; the place between two is where a parabola through the scores is highest."""
FINE: Final = np.rint(FINE_M / STEP_M * np.arange(-3, 4)).astype(np.intp)
NEARBY: Final = 2
"""So many coarse trials either way come first; farther ones where the best of these is the last, or matches badly."""
FASTEST_M_S: Final = 1.2
"""Faster than expected by no more than this (ours; lifters lower and push at 0.2 to 0.7 m/s)."""
SPEED_SHARE: Final = 0.7
"""Of the last speed, what the next is expected to be (ours)."""
EXPECTED_WITHIN_S: Final = 0.15
"""For no longer than this a speed is thought to last: rep and rest turn within a few tenths of a second (ours)."""
REACH_M: Final = (0.04, 0.50)
"""At the least and at the most so far either way is looked, however quick the frames or long the gap between two."""


@dataclass(frozen=True, slots=True)
class PlatePosition:
    carriage_m: float
    """From the calibrated rest, + = lowered."""
    standard_error_m: float
    match: float
    """Correlation of the plate's picture with what was learned, -1..1; low when it is hidden or the camera moved."""
    corrected_m: float = 0.0
    """How far this frame moved the absolute position: what was said before was off by so much."""


class _Trials(NamedTuple):
    """Of each trial place."""

    scores: Floats
    matches: Floats
    """How well the picture kept for it matches."""
    seen: Singles
    """(trials, n) the picture there."""


class _Found(NamedTuple):
    """The best of the places tried."""

    carriage_m: float
    match: float
    inside: bool
    """Not at the end of what was searched, beyond which a better one may be."""
    picture: Singles


class PlateTracker:
    """One camera's estimate of the carriage; feed every frame in order."""

    def __init__(self, calibration: Calibration) -> None:
        self._sight = PlateSight(calibration)
        self._picture: Singles | None = None
        """As last seen."""
        self._pictures: dict[int, Singles] = {}
        """By station along the rail."""
        self._evidence = PlaceEvidence(self._sight.along_px)
        self._unsure = False
        self._last_m: float | None = None
        self._last_s = 0.0
        self._speed_m_s = 0.0
        self._weighings: dict[int, int] = {}

    def update(self, t_s: float, grey: Bytes, feet_m: float | None = None) -> PlatePosition:
        """The carriage in the frame (rows, columns) of this time.

        ``feet_m``: where the feet place it, if seen; helps at the start.
        """
        if self._last_m is None:
            last_m, match = self._find(grey, feet_m), 1.0
            self._learn(grey, last_m)
        else:
            last_m, match = self._follow(grey, self._last_m, max(t_s - self._last_s, 0.0))
        self._last_m, self._last_s = last_m, t_s
        if self._weigh_edges(grey, last_m, feet_m):
            self._last_m = self._evidence.correct(last_m)
            self._unsure = self._evidence.ambiguous()
            if self._last_m != last_m:
                self._learn(grey, self._last_m)
        sure = match > CERTAIN_MATCH and not self._unsure
        return PlatePosition(self._last_m, SURE_M if sure else UNSURE_M, match, self._last_m - last_m)

    def _find(self, grey: Bytes, feet_m: float | None) -> float:
        """Where the edges show best. The carriage mostly starts near its rest, and is under the feet."""
        steps = steps_at(PLACES_M)
        likely = start_likely(PLACES_M)
        if feet_m is not None:
            likely = likely * (0.1 + 0.9 * np.exp(-0.5 * ((PLACES_M - feet_m) / FEET_SD_M) ** 2))
        energy = self._sight.energy(self._sight.smoothed(grey, steps), steps)
        return float(PLACES_M[int(np.argmax(energy * likely))])

    def _follow(self, grey: Bytes, last_m: float, elapsed_s: float) -> tuple[float, float]:
        expected_m = last_m + SPEED_SHARE * self._speed_m_s * min(elapsed_s, EXPECTED_WITHIN_S)
        farthest = math.ceil(min(max(FASTEST_M_S * elapsed_s, REACH_M[0]), REACH_M[1]) / COARSE_M)
        found = self._search(grey, expected_m, NEARBY)
        if not found.inside or found.match < GOOD_MATCH:
            found = self._search(grey, expected_m, farthest)
        self._picture = found.picture
        station = _station(found.carriage_m)
        known = self._pictures.get(station)
        if known is None:
            self._pictures[station] = found.picture
        elif found.match > GOOD_MATCH:
            blend = known + NEW_SHARE * (found.picture - known)
            self._pictures[station] = cast(Singles, blend / np.linalg.norm(blend))
        self._speed_m_s = (found.carriage_m - last_m) / elapsed_s if elapsed_s > 0.0 else 0.0
        return found.carriage_m, found.match

    def _search(self, grey: Bytes, expected_m: float, reach: int) -> _Found:
        """The best place within so many coarse trials of the expected one."""
        low_m, high_m = FOLLOWED_M
        coarse = steps_at(np.minimum(np.maximum(expected_m + COARSE_M * np.arange(-reach, reach + 1), low_m), high_m))
        smooth = self._sight.smoothed(grey, np.concatenate([coarse + FINE[0], coarse + FINE[-1]]))
        best = int(np.argmax(self._compare(smooth, coarse).scores))
        fine = coarse[best] + FINE
        trials = self._compare(smooth, fine)
        at = int(np.argmax(trials.scores))
        position_m = float(places_m(fine[at]))
        if 0 < at < len(fine) - 1:
            left, mid, right = trials.scores[at - 1 : at + 2].tolist()
            bend = left - 2 * mid + right
            if bend < 0:
                position_m += FINE_M * min(max(0.5 * (left - right) / bend, -0.5), 0.5)
        inside = 0 < best < len(coarse) - 1
        return _Found(position_m, float(trials.matches[at]), inside, normalised(trials.seen[at]))

    def _compare(self, smooth: Bytes, steps: Steps) -> _Trials:
        assert self._picture is not None
        last = self._picture
        seen, energy = self._sight.seen_and_energy(smooth, steps)
        stations = np.rint(places_m(steps) / STATION_M).astype(int).tolist()
        kept = np.array([self._pictures.get(station, last) for station in stations])
        # The pictures kept have no mean and length 1, so those seen need not be made so to be compared.
        squares = np.einsum("tn,tn->t", seen, seen) - seen.shape[1] * seen.mean(axis=1) ** 2
        size = np.sqrt(np.maximum(squares, 0.0)) + 1e-3
        matches = np.einsum("tn,tn->t", seen, kept) / size
        scores = LAST_SHARE * (seen @ last) / size + (1.0 - LAST_SHARE) * matches + EDGE_SHARE * energy
        return _Trials(scores, matches, seen)

    def _learn(self, grey: Bytes, carriage_m: float) -> None:
        """Begin anew with the plate's picture at this place."""
        steps = steps_at(np.array([carriage_m]))
        self._picture = normalised(self._sight.seen_and_energy(self._sight.smoothed(grey, steps), steps)[0][0])
        self._pictures = {_station(carriage_m): self._picture}

    def _weigh_edges(self, grey: Bytes, carriage_m: float, feet_m: float | None) -> bool:
        """Whether this frame's edges were added to the evidence."""
        station = _station(carriage_m)
        if self._evidence.full or self._weighings.get(station, 0) >= WEIGHINGS:
            return False
        self._weighings[station] = self._weighings.get(station, 0) + 1
        steps = steps_at(PLACES_M)
        self._evidence.add(carriage_m, self._sight.energy(self._sight.smoothed(grey, steps), steps), feet_m)
        return True


def _station(carriage_m: float) -> int:
    return round(carriage_m / STATION_M)
