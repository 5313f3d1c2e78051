"""What a calibrated camera sees of its surroundings, and whether it still sees that: moved, covered or fogged.

A reference of a scene is up to 120 corners with ORB descriptors (32 bytes each: brightness comparisons around the
corner, no picture) and one figure for sharpness. It is made when the camera is calibrated and kept in its calibration
file; a calibration without one is given a reference from the first seconds of the running camera, which then
shows only movement after that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames import Image

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

MOST_CORNERS: Final = 120
DETECTED: Final = 1500
"""Corners looked for in a picture; half of them lie on whoever is in view."""
FEWEST_CORNERS: Final = 24
"""A scene with fewer cannot be told from another (ours)."""
CELLS: Final = (8, 6)
"""Corners are taken from all over the picture: so many columns and rows share them."""
SAME_PLACE_PX: Final = 3.0
ALIKE_BITS: Final = 64
"""Of a descriptor's 256 bits, at most so many may differ between two looks at one corner (ORB's usual limit)."""


@dataclass(frozen=True, eq=False)
class SceneReference:
    """Corners of a still scene: ``px`` (n, 2) pixels, ``descriptors`` (n, 32); its picture's sharpness and contrast."""

    px: Floats
    descriptors: Bytes
    sharpness: float
    contrast: float


@dataclass(frozen=True, slots=True)
class SceneMatch:
    """A look at the scene against its reference."""

    in_place: float
    """Share of the reference's corners that are found where they were, 0..1."""
    shift: Floats | None
    """(3, 3) homography that takes the reference's pixels to this picture's; None where none is to be found."""
    followed: int
    """Corners that the homography accounts for."""


def _gray(image_bgr: Image) -> Bytes:
    return cast(Bytes, cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY))


def contrast_of(image_bgr: Image) -> float:
    """Standard deviation of the grey levels, 0..128: next to none with a covered lens."""
    return float(image_bgr[::8, ::8].std())


def sharpness_of(image_bgr: Image) -> float:
    """How steep the steepest brightness changes are (97th percentile of the Laplacian), against the contrast.

    Without unit; independent of exposure, so that dim light is not taken for a dirty lens.
    """
    gray = cv2.GaussianBlur(_gray(image_bgr), (0, 0), 1.0)
    steep = np.abs(cv2.Laplacian(gray, cv2.CV_32F))[::2, ::2]
    return float(np.percentile(steep, 97.0)) / (float(gray.std()) + 1.0)


def _corners(image_bgr: Image, most: int) -> tuple[Floats, Bytes]:
    orb = cv2.ORB.create(nfeatures=most, fastThreshold=10)
    points, descriptors = orb.detectAndCompute(_gray(image_bgr), None)
    if not points:
        return np.empty((0, 2)), np.empty((0, 32), dtype=np.uint8)
    return np.array([point.pt for point in points], dtype=np.float64), np.asarray(descriptors, dtype=np.uint8)


def reference_of(image_bgr: Image, later_bgr: Image | None = None) -> SceneReference | None:
    """The reference of a scene; with a second look only what stands still in both. None: too little to hold on to."""
    px, descriptors = _corners(image_bgr, DETECTED)
    if later_bgr is not None and len(px):
        still = _still(px, descriptors, *_corners(later_bgr, DETECTED))
        px, descriptors = px[still], descriptors[still]
    height, width = image_bgr.shape[:2]
    columns, rows = CELLS
    cell = (px[:, 0] * columns // width + columns * (px[:, 1] * rows // height)).astype(int)
    share = -(-MOST_CORNERS // (columns * rows))
    # ORB gives the strongest first within each scale: the first of every cell are its best
    chosen = [index for c in range(columns * rows) for index in np.flatnonzero(cell == c)[:share]]
    if len(chosen) < FEWEST_CORNERS:
        return None
    kept = np.array(chosen[:MOST_CORNERS])
    return SceneReference(px[kept], descriptors[kept], sharpness_of(image_bgr), contrast_of(image_bgr))


def _still(px: Floats, descriptors: Bytes, later_px: Floats, later: Bytes) -> NDArray[np.bool_]:
    """(n,) which corners are found again at their place."""
    if len(later_px) == 0 or len(px) == 0:
        return np.zeros(len(px), dtype=bool)
    one, other = np.nonzero(np.abs(px[:, None, :] - later_px[None, :, :]).max(axis=2) <= SAME_PLACE_PX)
    differing = np.unpackbits(descriptors[one] ^ later[other], axis=1).sum(axis=1)
    out = np.zeros(len(px), dtype=bool)
    out[one[differing <= ALIKE_BITS]] = True
    return out


def match_scene(reference: SceneReference, image_bgr: Image) -> SceneMatch:
    """Where the reference's corners are now. About 25 ms for 640 x 480: look once a second, not at every frame."""
    px, descriptors = _corners(image_bgr, DETECTED)
    in_place = float(_still(reference.px, reference.descriptors, px, descriptors).mean())
    if len(px) < FEWEST_CORNERS:
        return SceneMatch(in_place, None, 0)
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(reference.descriptors, descriptors)
    good = [pair for pair in pairs if pair.distance <= ALIKE_BITS]
    if len(good) < 8:
        return SceneMatch(in_place, None, 0)
    before = reference.px[[pair.queryIdx for pair in good]]
    after = px[[pair.trainIdx for pair in good]]
    shift, inliers = cv2.findHomography(before, after, cv2.RANSAC, SAME_PLACE_PX)
    if np.size(shift) != 9:  # none where the matches contradict each other
        return SceneMatch(in_place, None, 0)
    return SceneMatch(in_place, np.asarray(shift, dtype=np.float64), int(inliers.sum()))


def displaced_px(shift: Floats, px: Floats) -> float:
    """RMS distance by which ``shift`` moves the pixels ``px`` (n, 2)."""
    seen = np.column_stack([px, np.ones(len(px))]) @ shift.T
    moved = seen[:, :2] / np.where(np.abs(seen[:, 2:]) < 1e-9, 1e-9, seen[:, 2:])
    return float(np.sqrt(np.mean(np.sum((moved - px) ** 2, axis=1))))
