"""Printed markers (ArUco, AprilTag) on the machine's frame: found in a picture, and where each is on the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.calibration import Machine
from vision.frames import Image

Floats = NDArray[np.float64]

DICTIONARIES: Final = {"aruco": cv2.aruco.DICT_4X4_50, "apriltag": cv2.aruco.DICT_APRILTAG_36H11}
"""4x4 is readable from the largest distance for its size; 36h11 is never mistaken, and needs twice the pixels."""
MODULES: Final = {"aruco": 6, "apriltag": 8}
"""Black and white squares along a side, the black border included."""
IDS: Final = 50
"""Ids 0..49 are used of either family."""
REFINE_HALF_PX: Final = 3


@dataclass(frozen=True)
class Sticker:
    """One marker of a machine profile. ``corners_m`` (4, 3) as printed: top left first, clockwise."""

    id: int
    place: str
    """For the installer: where to stick it."""
    size_m: float
    corners_m: tuple[tuple[float, float, float], ...]
    moves: bool
    """True on the carriage; ``corners_m`` with the carriage at rest."""


FACES: Final = ("left", "right", "up", "away", "lifter", "pad", "plate", "plate_back")
"""What a sticker's printed side looks at: the lifter's left or right, the ceiling, away from the lifter, the lifter;
``pad`` lies on the back pad; ``plate`` the side of the footplate with the feet on it, ``plate_back`` its other side."""


def sticker_corners(centre_m: Floats, size_m: float, faces: str, turn_deg: float, machine: Machine) -> Floats:
    """(4, 3) corners on the machine of a sticker with its middle at ``centre_m``.

    Unturned its upper edge is up (on a face that looks up: away from the lifter's head). ``turn_deg`` turns it
    clockwise as seen by whoever looks at it.
    """
    z = np.array([0.0, 0.0, 1.0])
    normal, up = {
        "left": (np.array([1.0, 0.0, 0.0]), z),
        "right": (np.array([-1.0, 0.0, 0.0]), z),
        "up": (z, np.array([0.0, -1.0, 0.0])),
        "away": (np.array([0.0, -1.0, 0.0]), z),
        "lifter": (np.array([0.0, 1.0, 0.0]), z),
        "pad": (machine.pad_normal, machine.pad_up),
        "plate": (-machine.plate_normal, machine.plate_up),
        "plate_back": (machine.plate_normal, machine.plate_up),
    }[faces]
    right = np.cross(up, normal)
    angle = np.radians(turn_deg)
    right, up = np.cos(angle) * right - np.sin(angle) * up, np.sin(angle) * right + np.cos(angle) * up
    half = size_m / 2
    return np.stack([centre_m + half * (u * right + v * up) for u, v in ((-1, 1), (1, 1), (1, -1), (-1, -1))])


@cache
def _detector(family: str) -> cv2.aruco.ArucoDetector:
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    parameters.cornerRefinementWinSize = REFINE_HALF_PX
    parameters.minMarkerPerimeterRate = 0.05  # 8 px a side in 640
    parameters.adaptiveThreshWinSizeMin, parameters.adaptiveThreshWinSizeMax = 5, 29
    parameters.adaptiveThreshWinSizeStep = 8
    return cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(DICTIONARIES[family]), parameters)


def find_stickers(image_bgr: Image, family: str = "aruco") -> dict[int, Floats]:
    """(4, 2) pixels of each marker's corners, by id, as printed: top left first, clockwise.

    A marker that shows twice is left out: one of the two is a mirror image or a second print.
    """
    corners, ids, _ = _detector(family).detectMarkers(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY))
    out: dict[int, Floats] = {}
    twice = set()
    for index, quad in zip(np.ravel(ids) if len(corners) else (), corners, strict=True):
        if int(index) in out:
            twice.add(int(index))
        out[int(index)] = np.asarray(quad, dtype=np.float64).reshape(4, 2)
    return {index: quad for index, quad in out.items() if index not in twice and index < IDS}


def settled_corners(looks: list[Mapping[int, Floats]]) -> dict[int, Floats]:
    """Median over several looks, of the markers that at least half of them show."""
    ids = {index for look in looks for index in look}
    seen = {index: [look[index] for look in looks if index in look] for index in ids}
    return {
        index: cast(Floats, np.median(np.stack(quads), axis=0))
        for index, quads in sorted(seen.items())
        if 2 * len(quads) >= len(looks)
    }


def marker_squares(family: str, index: int) -> NDArray[np.bool_]:
    """(n, n) the marker's squares, True = black, its border included; for printing."""
    side = MODULES[family]
    dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARIES[family])
    return np.asarray(cv2.aruco.generateImageMarker(dictionary, index, side)) < 128
