"""What the picture itself shows where MediaPipe's landmarks hardly move.

A degree of rounding shifts the hip by half a pixel, and MediaPipe follows about half of that; arching it
hardly follows at all, and caving knees from the front by a fifth. The picture does show it: where thigh,
shorts and shirt lie. The machine is known, so a window that is fixed to the machine, not to the person,
is cut from the image and resampled to the same points for every camera; how edges run in it is gathered
in cells (histograms of oriented gradients, Dalal & Triggs 2005), and a linear reading of those cells,
learned on rendered lifters (``vision/training``), is the cue.

The reading is linear, so that whatever stands still in the picture cancels exactly when
``device.core.posture`` subtracts the member's clean rep at the same carriage position.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.calibration import Calibration
from vision.person import seat_m

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

SIZE: Final = 96
"""Points along each side of the window, 8 mm apart."""
SIDE_UP_M: Final = (0.58, -0.22)
SIDE_OFF_M: Final = (0.66, -0.14)
"""Side view: from the seat up the pad (rows, top to bottom) and off the pad (columns, towards the pad)."""
SIDE_PLANE_M: Final = 0.15
"""The window's sagittal plane: this far from the middle, on the camera's side (the nearer thigh)."""
FRONT_CENTRE_M: Final = (0.28, 0.08)
"""Front view: the window's plane faces the camera through this place off and up the pad, where the knees are."""
FRONT_ACROSS_M: Final = (-0.40, 0.40)
FRONT_UP_M: Final = (0.36, -0.44)
DIRECTIONS: Final = 8
CELLS: Final = 16
"""Cells along each side in which edge directions are gathered."""
SHADES: Final = 24
"""Cells along each side in which brightness is gathered."""
SHADE_SHARE: Final = 0.3
FEATURES: Final = DIRECTIONS * CELLS**2 + SHADES**2
LOOKS: Final = 16
"""Numbers that tell roughly how the whole window looks: sums of all features with signs drawn once."""
_CONTRAST_FLOOR: Final = 8.0
_SMOOTH: Final = cv2.getGaussianKernel(7, 1.0, cv2.CV_32F)


def window_places_m(calibration: Calibration) -> Floats:
    """(96, 96, 3) the window's points, machine frame. From the front the lifter's right is on the left."""
    machine, seat, eye = calibration.machine, seat_m(calibration), calibration.eye
    across = np.array([1.0, 0.0, 0.0])
    if calibration.view == "side":
        up, off = np.linspace(*SIDE_UP_M, SIZE), np.linspace(*SIDE_OFF_M, SIZE)
        plane = (SIDE_PLANE_M if eye[0] > 0 else -SIDE_PLANE_M) * across
        return seat + plane + up[:, None, None] * machine.pad_up + off[None, :, None] * machine.pad_normal
    centre = seat + FRONT_CENTRE_M[0] * machine.pad_normal + FRONT_CENTRE_M[1] * machine.pad_up
    sight = centre - eye
    upwards = np.cross(sight / np.linalg.norm(sight), across)
    upwards = upwards / np.linalg.norm(upwards)
    if upwards @ machine.pad_up < 0:
        upwards = -upwards
    x, up = np.linspace(*FRONT_ACROSS_M, SIZE), np.linspace(*FRONT_UP_M, SIZE)
    return cast(Floats, centre + up[:, None, None] * upwards + x[None, :, None] * across)


def features(picture: NDArray[np.uint8]) -> Singles:
    """(FEATURES,) edge directions and shades of a (96, 96) window, free of overall brightness and contrast."""
    grey = cv2.sepFilter2D(picture, cv2.CV_32F, _SMOOTH, _SMOOTH)
    mean, spread = cv2.meanStdDev(grey)
    scale = 1.0 / (spread.item() + _CONTRAST_FLOOR)
    strength, direction = cv2.cartToPolar(
        cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=3), cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3)
    )
    strength = np.minimum(strength.ravel() * np.float32(scale), np.float32(1.0))
    direction = direction.ravel() * np.float32(DIRECTIONS / np.pi)
    # Each edge counts for the two directions that it lies between.
    lower = direction.astype(np.intp)
    upper_share = strength * (direction - lower.astype(np.float32))
    # The direction's remainder by bits (it is a power of two): dividing costs as much as all the rest.
    place = (lower & (DIRECTIONS - 1)) * CELLS**2 + _cell_numbers()
    bins = DIRECTIONS * CELLS**2
    cells = np.bincount(place, strength - upper_share, bins)
    cells += np.roll(np.bincount(place, upper_share, bins), CELLS**2)
    shades = (cv2.resize(grey, (SHADES, SHADES), interpolation=cv2.INTER_AREA) - mean.item()) * (SHADE_SHARE * scale)
    return np.concatenate([cells / (SIZE // CELLS) ** 2, shades.ravel()]).astype(np.float32)


@cache
def _cell_numbers() -> NDArray[np.intp]:
    """(96 * 96,) the cell of each point of the window, row by row."""
    along = np.arange(SIZE) // (SIZE // CELLS)
    return np.asarray(along[:, None] * CELLS + along, dtype=np.intp).ravel()


class Window:
    """One camera's window. Views without one (oblique) give no cues."""

    def __init__(self, calibration: Calibration) -> None:
        self._view = calibration.view
        if self._view != "oblique":
            px = calibration.project(window_places_m(calibration)).astype(np.float32)
            self._map = cv2.convertMaps(px[..., 0], px[..., 1], cv2.CV_16SC2)

    def picture(self, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(96, 96) the window cut from an image (rows, columns)."""
        cut = cv2.remap(grey, *self._map, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cut, dtype=np.uint8)

    def read(self, grey: NDArray[np.uint8]) -> dict[str, float]:
        """Cues in degrees, up to an additive constant: for each measure one reading, and one (``_bent``) that
        counts in proportion to how far the knees are bent. And ``LOOKS`` without a unit (``_look_``), by which the
        window can be told from the member's own."""
        if self._view == "oblique":
            return {}
        seen = features(self.picture(grey))
        out = {f"{self._view}_look_{i}": float(look) for i, look in enumerate(_signs() @ seen)}
        if self._view == "side":
            straight, bent = _weights("side") @ seen
            return {**out, "lumbar_seen": float(straight), "lumbar_seen_bent": float(bent)}
        # The left knee's reader sees the right one in the mirrored window.
        for side, own in (("left", seen), ("right", mirrored(seen))):
            straight, bent = _weights("front") @ own
            out[f"valgus_{side}_seen"], out[f"valgus_{side}_seen_bent"] = float(straight), float(bent)
        return out


def mirrored(seen: Singles) -> Singles:
    """(FEATURES,) of the window seen in a mirror, left and right exchanged."""
    cells = seen[: DIRECTIONS * CELLS**2].reshape(DIRECTIONS, CELLS, CELLS)[-np.arange(DIRECTIONS), :, ::-1]
    shades = seen[DIRECTIONS * CELLS**2 :].reshape(SHADES, SHADES)[:, ::-1]
    return np.concatenate([cells.ravel(), shades.ravel()])


@cache
def _signs() -> Singles:
    """(LOOKS, FEATURES) of 1 and -1, the same for ever, for neutrals keep what was summed with them."""
    mixed = np.arange(1, LOOKS * FEATURES + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.where(mixed >> np.uint64(63), 1.0, -1.0).astype(np.float32).reshape(LOOKS, FEATURES)


@cache
def _weights(view: str) -> Singles:
    """(2, FEATURES) learned readings of one view."""
    with np.load(Path(__file__).parent / "window_weights.npz") as stored:
        return np.asarray(stored[view], dtype=np.float32)
