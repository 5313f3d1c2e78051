"""How the footplate looks at every place of the carriage: what a camera sees on it and along its edges.

The plate moves along one line, so where its points are seen is worked out once, for every millimetre of the
rail; a frame is then only looked up.
"""

from __future__ import annotations

from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.calibration import Calibration

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Steps = NDArray[np.intp]

LOWEST_M: Final = 0.50
"""Longest travel searched, from the calibrated rest towards the lifter: knees at about 130 degrees."""
HIGHEST_M: Final = -0.05
"""How far above the calibrated rest the search begins; following goes farther."""
FOLLOWED_M: Final = (HIGHEST_M - 0.12, LOWEST_M + 0.05)
"""The carriage is followed within these."""
STEP_M: Final = 0.001
_FIRST_STEP: Final = -200
_STEPS: Final = 800
THICKNESS_M: Final = 0.024
"""Of the plate with its frame (ours): front and back outline are this far apart, and both show."""
HALF_GAP_M: Final = 0.005
"""Brightness is compared this far inside and outside an edge."""
HALF_CONTRAST: Final = 15.0
"""Grey levels at which a step counts half."""
STRETCH: Final = 6
"""Neighbouring points on an edge (of 36) whose contrast is averaged with its sign."""
GRID: Final = (14, 18)
"""Rows and columns of the picture pinned to the plate, border included."""
_PICTURE: Final = slice(0, GRID[0] * GRID[1])
_EDGES: Final = slice(GRID[0] * GRID[1], None)
FAR_PX: Final = 9999.0
"""Farther from the image nothing is told apart."""
_BLUR_PX: Final = 3
_BORDER_PX: Final = 5
"""What blur and interpolation take from beside a point."""


def steps_at(carriage_m: Floats) -> Steps:
    """The steps of the rail nearest to carriage positions (m from the calibrated rest, + = lowered)."""
    nearest = np.rint(np.asarray(carriage_m) / STEP_M).astype(np.intp) - _FIRST_STEP
    return np.minimum(np.maximum(nearest, 0), _STEPS - 1)


def places_m(steps: Steps) -> Floats:
    """The carriage positions of steps."""
    return cast(Floats, (steps + _FIRST_STEP) * STEP_M)


RAIL_M: Final = places_m(np.arange(_STEPS, dtype=np.intp))
"""Of every step."""


class PlateSight:
    """Where one camera sees the plate."""

    def __init__(self, calibration: Calibration) -> None:
        machine = calibration.machine
        self._calibration = calibration
        self._centre = calibration.plate_centre
        self._half_w, self._half_h = machine.plate_width_m / 2, machine.plate_height_m / 2
        self._across = np.array([1.0, 0.0, 0.0])
        edges, outwards = self._edges()
        places = np.concatenate([self._grid(), edges - HALF_GAP_M * outwards, edges + HALF_GAP_M * outwards])
        matrix = calibration.projection
        rest = matrix[:, :3] @ places.T + matrix[:, 3:]
        # Moving along the rail adds one constant to a point's homogeneous pixel.
        moved = rest[:, None, :] - RAIL_M[None, :, None] * (matrix[:, :3] @ machine.rail)[:, None, None]
        x, y = (np.clip(moved[i] / moved[2], -FAR_PX, FAR_PX).astype(np.float32) for i in (0, 1))
        self._whole, self._part = cv2.convertMaps(x, y, cv2.CV_16SC2)
        """(steps, points, 2) whole pixels and (steps, points) the rest of them: grid, inside, outside of the edges."""
        middle = self._whole[:, _PICTURE].mean(axis=1)
        self.along_px: Floats = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(middle, axis=0), axis=1)))
        """(steps,) how far down the rail's image the plate is seen."""
        self._low = np.floor([y.min(axis=1), x.min(axis=1)]).astype(np.intp)
        self._high = np.ceil([y.max(axis=1), x.max(axis=1)]).astype(np.intp)
        """(2, steps) the rows and columns between which the plate is seen."""

    def smoothed(self, grey: Bytes, steps: Steps) -> Bytes:
        """The image (rows, columns), smoothed where the plate may be at these steps; elsewhere nothing is told."""
        low, high = self._low[:, steps].min(axis=1).tolist(), self._high[:, steps].max(axis=1).tolist()
        part = tuple(
            slice(min(max(first - _BORDER_PX, 0), size - 1), min(max(last + _BORDER_PX, 1), size))
            for first, last, size in zip(low, high, grey.shape, strict=True)
        )
        smooth = np.empty_like(grey)
        smooth[part] = cv2.blur(grey[part], (_BLUR_PX, _BLUR_PX))
        return smooth

    def seen_and_energy(self, smooth: Bytes, steps: Steps) -> tuple[Singles, Floats]:
        """(trials, n) brightness on the grid that is pinned to the plate, and (trials,) ``energy``."""
        seen = self._seen_at(smooth, steps, slice(None))
        return seen[:, _PICTURE], _edge_energy(seen[:, _EDGES])

    def energy(self, smooth: Bytes, steps: Steps) -> Floats:
        """(trials,) how well steps in brightness run along the plate's edges, 0..1."""
        return _edge_energy(self._seen_at(smooth, steps, _EDGES))

    def _seen_at(self, smooth: Bytes, steps: Steps, points: slice) -> Singles:
        """(trials, points) brightness at the plate's points."""
        part = np.ascontiguousarray(self._part[steps, points])
        whole = self._whole[steps, points]
        return cv2.remap(smooth, whole, part, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)

    def _grid(self) -> Floats:
        """(n, 3) machine points of the picture, the carriage at rest."""
        across, up = np.linspace(-1.08, 1.08, GRID[1]), np.linspace(-1.08, 1.08, GRID[0])
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


def normalised(picture: Singles) -> Singles:
    """(n,) a picture without its mean, of length 1."""
    centred = picture - picture.mean()
    return cast(Singles, centred / (np.linalg.norm(centred) + 1e-3))


def _edge_energy(seen: Singles) -> Floats:
    """(trials,) from the brightness (trials, points) inside and then outside of the edges.

    The signed contrast is averaged over short stretches, so that texture cancels and an edge adds up;
    strong contrast saturates, so that a lamp does not outvote a dark plate on a dark floor.
    """
    half = seen.shape[1] // 2
    contrast = seen[:, :half] - seen[:, half:]
    contrast /= np.abs(contrast) + HALF_CONTRAST
    stretches = np.abs(contrast.reshape(len(seen), -1, STRETCH).sum(axis=2))
    return cast(Floats, stretches.sum(axis=1, dtype=np.float64) / half)
