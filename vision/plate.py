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

from dataclasses import dataclass
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.calibration import Calibration

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

LOWEST_M: Final = 0.50
"""Longest travel searched, from the calibrated rest towards the lifter: knees at about 130 degrees."""
HIGHEST_M: Final = -0.05
"""How far above the calibrated rest the search begins; following goes farther."""
THICKNESS_M: Final = 0.024
"""Of the plate with its frame (ours): front and back outline are this far apart, and both show."""
EDGE_STEP_M: Final = 0.004
HALF_GAP_M: Final = 0.005
"""Brightness is compared this far inside and outside an edge."""
HALF_CONTRAST: Final = 15.0
"""Grey levels at which a step counts half."""
STRETCH: Final = 6
"""Neighbouring points on an edge (of 36) whose contrast is averaged with its sign."""
OFFSETS_M: Final = np.arange(-100, 101) * EDGE_STEP_M
"""Trial corrections of the absolute position."""
NEAR: Final = 20
"""Corrections by so many steps are believed at once; farther ones must win clearly, over a while."""
LEAST_STEPS: Final = 2
"""A smaller correction is within the error, and costs the pictures learned so far."""
FEET_SD_M: Final = 0.08
EDGE_SHARE: Final = 0.6
"""Weight of the edges beside the picture in following from frame to frame: keeps it from drifting."""
NEAR_GAIN: Final = 1.04
FAR_GAIN: Final = 1.12
STATION_M: Final = 0.03
"""A picture is kept for each such stretch of the rail: the legs before the plate change by a shoe's width in it."""
LAST_SHARE: Final = 0.3
"""Of the last frame's picture in comparing, where one is kept: it alone would drift."""
GOOD_MATCH: Final = 0.8
NEW_SHARE: Final = 0.05
"""Of a picture that matches well, in the one kept for its stretch: follows the light."""
WEIGHINGS: Final = 8
"""At each stretch of the rail: standing still would only weigh the same background again."""
FROZEN_AFTER: Final = 45
"""Weighings after which the absolute position is kept: a neutral must stay comparable with what follows."""
FAR_AFTER: Final = 12
AMBIGUOUS: Final = 0.92
APART: Final = 5
"""Where another place, so many steps or more away, has this share of the edges' evidence here, the absolute position is
a guess. On rendered clips 1.1 where it was wrong by 2 cm, 0.54 to 0.91 where it was right; one of 39 that was wrong by
3 cm goes unnoticed at 0.85."""
CERTAIN_MATCH: Final = 0.6
SURE_M: Final = 0.003
UNSURE_M: Final = 0.02
"""Standard errors of the position (same clips: 2.5 to 3 mm)."""
SETTLED_AFTER: Final = 8
"""After so many weighings the summed edge evidence may correct the absolute position."""
GRID: Final = (14, 18)
"""Rows and columns of the picture pinned to the plate, border included."""
REACH_M: Final = 0.10
"""Farthest that the carriage moves between two frames: 1.2 m/s at 12 frames/s."""


@dataclass(frozen=True, slots=True)
class PlatePosition:
    carriage_m: float
    """From the calibrated rest, + = lowered."""
    standard_error_m: float
    match: float
    """Correlation of the plate's picture with what was learned, -1..1; low when it is hidden or the camera moved."""
    corrected_m: float = 0.0
    """How far this frame moved the absolute position: what was said before was off by so much."""


class PlateTracker:
    """One camera's estimate of the carriage; feed every frame in order."""

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        machine = calibration.machine
        corners = [
            calibration.point(n)
            for n in ("plate_top_left", "plate_top_right", "plate_bottom_left", "plate_bottom_right")
        ]
        self._centre = np.mean(corners, axis=0)
        self._half_w, self._half_h = machine.plate_width_m / 2, machine.plate_height_m / 2
        self._across = np.array([1.0, 0.0, 0.0])
        self._rail_image = (calibration.projection[:, :3] @ machine.rail).astype(np.float32)
        across, up = np.linspace(-1.08, 1.08, GRID[1]), np.linspace(-1.08, 1.08, GRID[0])
        self._grid = self._image_of(self._plate_points(across, up))
        edges, outwards = self._edges()
        self._inner = self._image_of(edges - HALF_GAP_M * outwards)
        self._outer = self._image_of(edges + HALF_GAP_M * outwards)
        self._picture: Singles | None = None
        """As last seen."""
        self._pictures: dict[int, Singles] = {}
        """By station along the rail."""
        self._evidence = np.zeros(len(OFFSETS_M))
        self._edges_alone = np.zeros(len(OFFSETS_M))
        self._last_m: float | None = None
        self._speed_m = 0.0
        self._weighed = 0
        self._weighings: dict[int, int] = {}

    def update(self, image_bgr: NDArray[np.uint8], feet_m: float | None = None) -> PlatePosition:
        """The carriage in this frame. ``feet_m``: where the lifter's feet place it, if seen; helps at the start."""
        gray = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
        smooth = cv2.GaussianBlur(gray, (0, 0), 1.0).astype(np.float32)
        if self._last_m is None:
            last_m, match = self._learn(smooth, self._find(smooth, feet_m)), 1.0
        else:
            last_m, match = self._follow(smooth, self._last_m)
        self._last_m = last_m
        self._weigh_edges(smooth, last_m, feet_m)
        corrected_m = self._anchor(smooth)
        sure = match > CERTAIN_MATCH and not self._ambiguous()
        return PlatePosition(self._last_m, SURE_M if sure else UNSURE_M, match, corrected_m)

    def _ambiguous(self) -> bool:
        """Whether two places explain the edges seen so far about equally well."""
        if self._weighed < SETTLED_AFTER:
            return False
        alone = self._edges_alone  # the feet are no witness here: hidden ones are guessed
        here = len(OFFSETS_M) // 2
        far = np.abs(np.arange(len(OFFSETS_M)) - here) > APART
        return bool(alone[far].max() > AMBIGUOUS * alone[here - APART : here + APART + 1].max())

    def _plate_points(self, across: Floats, up: Floats) -> Floats:
        """(n, 3) machine points at rest, on a grid in half widths and half heights."""
        u, v = np.meshgrid(across, up)
        return cast(
            Floats,
            self._centre
            + u.reshape(-1, 1) * self._half_w * self._across
            + v.reshape(-1, 1) * self._half_h * self._calibration.machine.plate_up,
        )

    def _edges(self) -> tuple[Floats, Floats]:
        """Points on the visible edges of the plate as a flat box (n, 3), and the outward direction at each (n, 3).

        An edge shows where at least one of its two faces is turned to the camera (the box is convex).
        """
        machine, eye = self._calibration.machine, self._calibration.eye
        along = np.linspace(-0.96, 0.96, 36)
        one = np.ones_like(along)
        up, normal = machine.plate_up, machine.plate_normal
        to_eye = eye - (self._centre - 0.15 * machine.rail)
        points, outwards = [], []
        sides = (
            (along, one, up, self._half_h),
            (along, -one, -up, self._half_h),
            (one, along, self._across, self._half_w),
            (-one, along, -self._across, self._half_w),
        )
        for u, v, outward, half in sides:
            side_shows = float(outward @ to_eye) > half
            for depth, face in ((0.0, -normal), (THICKNESS_M, normal)):
                face_shows = float(face @ (to_eye - depth * normal)) > 0
                if not (side_shows or face_shows):
                    continue
                points.append(
                    self._centre
                    + depth * normal
                    + u[:, None] * self._half_w * self._across
                    + v[:, None] * self._half_h * up
                )
                outwards.append(np.tile(outward, (len(along), 1)))
        return np.concatenate(points), np.concatenate(outwards)

    def _seen_at(self, smooth: Singles, image: Singles, carriage_m: Floats) -> Singles:
        """(trials, n) brightness at plate points (``image``, see ``_image_of``) at trial carriage positions.

        Moving along the rail adds one constant to a point's homogeneous pixel.
        """
        moved = image[:, None, :] - carriage_m.astype(np.float32)[None, :, None] * self._rail_image[:, None, None]
        x, y = moved[0] / moved[2], moved[1] / moved[2]
        return cast(Singles, cv2.remap(smooth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    def _image_of(self, places: Floats) -> Singles:
        """(3, n) homogeneous pixels of places (n, 3) with the carriage at rest."""
        matrix = self._calibration.projection
        return (matrix[:, :3] @ places.T + matrix[:, 3:]).astype(np.float32)

    def _sample(self, smooth: Singles, carriage_m: Floats) -> Singles:
        """(trials, n) normalised pictures on the grid that is pinned to the plate."""
        seen = self._seen_at(smooth, self._grid, carriage_m)
        seen = seen - seen.mean(axis=1, keepdims=True)
        return cast(Singles, seen / (np.linalg.norm(seen, axis=1, keepdims=True) + 1e-3))

    def _edge_energy(self, smooth: Singles, carriage_m: Floats) -> Floats:
        """(trials,) how well steps in brightness run along the plate's edges, 0..1.

        The signed contrast is averaged over short stretches, so that texture cancels and an edge adds up;
        strong contrast saturates, so that a lamp does not outvote a dark plate on a dark floor.
        """
        contrast = self._seen_at(smooth, self._inner, carriage_m) - self._seen_at(smooth, self._outer, carriage_m)
        contrast /= np.abs(contrast) + HALF_CONTRAST
        stretches = contrast.reshape(len(carriage_m), -1, STRETCH).mean(axis=2)
        return cast(Floats, np.abs(stretches).mean(axis=1).astype(np.float64))

    def _find(self, smooth: Singles, feet_m: float | None) -> float:
        """Where the edges show best. The carriage mostly starts near its rest, and is under the feet."""
        trials = np.arange(HIGHEST_M, LOWEST_M, EDGE_STEP_M)
        likely = 1.0 - 0.4 * np.minimum(np.abs(trials) / 0.15, 1.0)
        if feet_m is not None:
            likely = likely * (0.1 + 0.9 * np.exp(-0.5 * ((trials - feet_m) / FEET_SD_M) ** 2))
        return float(trials[int(np.argmax(self._edge_energy(smooth, trials) * likely))])

    def _follow(self, smooth: Singles, last_m: float) -> tuple[float, float]:
        trials = last_m + self._speed_m + np.arange(-REACH_M, REACH_M + 1e-9, 0.005)
        trials = np.clip(trials, HIGHEST_M - 0.12, LOWEST_M + 0.05)
        trials = np.asarray(trials, dtype=np.float64)
        fine = trials[int(np.argmax(self._compare(smooth, trials)[0]))] + np.arange(-0.006, 0.0061, 0.001)
        scores, matches, pictures = self._compare(smooth, fine)
        at = int(np.argmax(scores))
        position, match = float(fine[at]), float(matches[at])
        if 0 < at < len(fine) - 1:
            left, mid, right = scores[at - 1 : at + 2]
            bend = left - 2 * mid + right
            if bend < 0:
                position += 0.001 * float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5))
        self._picture = pictures[at]
        station = _station(position)
        known = self._pictures.get(station)
        if known is None:
            self._pictures[station] = pictures[at]
        elif match > GOOD_MATCH:
            blend = known + NEW_SHARE * (pictures[at] - known)
            self._pictures[station] = cast(Singles, blend / np.linalg.norm(blend))
        self._speed_m = 0.7 * (position - last_m)
        return position, match

    def _compare(self, smooth: Singles, trials_m: Floats) -> tuple[Floats, Singles, Singles]:
        """Of each trial place: the score, how well the picture kept for it matches, and the picture there (n)."""
        assert self._picture is not None
        pictures = self._sample(smooth, trials_m)
        last = pictures @ self._picture
        matches = last.copy()
        stations = np.array([_station(each) for each in trials_m])
        for station in np.unique(stations):
            kept = self._pictures.get(int(station))
            if kept is not None:
                here = stations == station
                matches[here] = pictures[here] @ kept
        scores = LAST_SHARE * last + (1.0 - LAST_SHARE) * matches + EDGE_SHARE * self._edge_energy(smooth, trials_m)
        return scores, matches, pictures

    def _learn(self, smooth: Singles, carriage_m: float) -> float:
        """Begin with this place; returns it."""
        self._picture = self._sample(smooth, np.array([carriage_m]))[0]
        self._pictures = {_station(carriage_m): self._picture}
        return carriage_m

    def _anchor(self, smooth: Singles) -> float:
        """Move to the absolute position that the edges ask for, and learn the picture anew there; returns how far."""
        if not SETTLED_AFTER <= self._weighed <= FROZEN_AFTER or self._last_m is None:
            return 0.0
        here = len(OFFSETS_M) // 2
        near = self._evidence[here - NEAR : here + NEAR + 1]
        best = here - NEAR + int(np.argmax(near))
        farthest = int(np.argmax(self._evidence))
        if self._weighed >= FAR_AFTER and self._evidence[farthest] > FAR_GAIN * near.max():
            best = farthest
        if abs(best - here) < LEAST_STEPS or self._evidence[best] < NEAR_GAIN * self._evidence[here]:
            return 0.0
        self._last_m = self._learn(smooth, self._last_m + float(OFFSETS_M[best]))
        self._evidence = _shifted(self._evidence, best - here)
        self._edges_alone = _shifted(self._edges_alone, best - here)
        return float(OFFSETS_M[best])

    def _weigh_edges(self, smooth: Singles, carriage_m: float, feet_m: float | None) -> None:
        station = _station(carriage_m)
        if self._weighed > FROZEN_AFTER or self._weighings.get(station, 0) >= WEIGHINGS:
            return
        self._weighings[station] = self._weighings.get(station, 0) + 1
        trials = np.asarray(carriage_m + OFFSETS_M, dtype=np.float64)
        possible = (trials >= HIGHEST_M) & (trials <= LOWEST_M)
        energy = np.zeros(len(trials))
        energy[possible] = self._edge_energy(smooth, trials[possible])
        self._edges_alone = self._edges_alone + energy
        if feet_m is not None:
            energy = energy * (0.4 + 0.6 * np.exp(-0.5 * ((trials - feet_m) / (2 * FEET_SD_M)) ** 2))
        self._evidence = self._evidence + energy
        self._weighed += 1


def _station(carriage_m: float) -> int:
    return round(carriage_m / STATION_M)


def _shifted(evidence: Floats, steps: int) -> Floats:
    """Moved down by ``steps``; the least takes the place of what was not looked at."""
    moved = np.full(len(evidence), float(evidence.min()))
    source = np.arange(len(evidence)) + steps
    inside = (source >= 0) & (source < len(evidence))
    moved[inside] = evidence[source[inside]]
    return moved
