"""Where the lifter must be: the part of the image that the machine takes, and whether somebody sits in it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.calibration import PLATE_CORNERS, Calibration
from vision.landmarks import (
    LEFT_HIP,
    LEFT_SHOULDER,
    RIGHT_HIP,
    RIGHT_SHOULDER,
    Crop,
    Landmarks,
)

Floats = NDArray[np.float64]

HIP_ALONG_PAD_M: Final = 0.05
"""The hip joints of a seated lifter: this far up the pad from its lower end (ours) ..."""
HIP_OFF_PAD_M: Final = 0.067
"""... and this far in front of it (mean of the rendered lifters, sd 6 mm)."""
MARGIN_PX: Final = 20
FARTHEST_PX: Final = 1e5
"""Landmarks beyond are of nobody: no image is so large, and squares of much more are no longer numbers."""
SEAT_RADIUS_M: Final = 0.30
"""How far from the calibrated seat the seen hips may be (ours: half a body's width and 10 cm of slide)."""


class Reach(NamedTuple):
    """How much of the space about the machine counts as the lifter's (m)."""

    up_m: float
    """Up the pad from the seat ..."""
    off_m: float
    """... and trunk and head off it."""
    half_trunk_m: float
    half_legs_m: float


REACHES: Final = (Reach(0.98, 0.30, 0.28, 0.22), Reach(0.90, 0.22, 0.20, 0.18))
"""All that a lifter can cover; and so little that who stands right behind the head is cut to pieces (ours)."""


@lru_cache(maxsize=8)
def seat_m(calibration: Calibration) -> Floats:
    """(3,) middle between the hip joints of a lifter who sits as the pads ask (m, machine frame); not to be written."""
    machine = calibration.machine
    seat = calibration.point("back_pad_bottom") + HIP_ALONG_PAD_M * machine.pad_up + HIP_OFF_PAD_M * machine.pad_normal
    seat.flags.writeable = False
    return seat


def lifter_region_px(calibration: Calibration) -> Crop:
    """The part of the image that a lifter on this machine can take, with a margin."""
    machine, seat = calibration.machine, seat_m(calibration)
    across = np.array([1.0, 0.0, 0.0])
    middle = [
        seat - 0.15 * machine.pad_normal,
        seat + 0.90 * machine.pad_up,
        seat + 0.90 * machine.pad_up + 0.2 * machine.pad_normal,
        seat + 0.45 * machine.pad_normal + 0.2 * machine.rail,
        seat - 0.12 * machine.pad_up,
    ]
    places = [place + side * across for place in middle for side in (-0.32, 0.32)]
    places += [calibration.point(name) + 0.04 * machine.rail for name in PLATE_CORNERS]
    px = calibration.project(np.array(places))
    width, height = calibration.image_size_px
    low = np.clip(np.floor(px.min(axis=0)) - MARGIN_PX, 0, (width - 32, height - 32))
    high = np.clip(np.ceil(px.max(axis=0)) + MARGIN_PX, low + 32, (width, height))
    (x0, y0), (x1, y1) = low.astype(int), high.astype(int)
    return Crop(
        int(x0),
        int(y0),
        int(x1 - x0),
        int(y1 - y0),
        tuple(_outline_px(calibration, reach) for reach in REACHES),
        lambda seen: sits_on_machine(seen, calibration),
    )


def _outline_px(calibration: Calibration, reach: Reach) -> Floats:
    """(n, 2) outline of what a lifter covers: trunk and head near the pad, legs between seat and plate."""
    machine, seat = calibration.machine, seat_m(calibration)
    up, off, rail = machine.pad_up, machine.pad_normal, machine.rail
    trunk = [
        seat - 0.10 * off - 0.08 * up,
        seat - 0.10 * off + reach.up_m * up,
        seat + reach.off_m * off + reach.up_m * up,
        seat + reach.off_m * off,
    ]
    legs = [
        seat - 0.10 * off - 0.08 * up,
        seat + 0.15 * up,
        seat + 0.52 * off + 0.20 * up,
        seat + 0.50 * off + 0.25 * rail,
    ]
    feet = [calibration.point(name) for name in PLATE_CORNERS]
    size = calibration.image_size_px[::-1]
    mask = np.zeros(size, np.uint8)
    for part, half_width_m in ((trunk, reach.half_trunk_m), (legs, reach.half_legs_m)):
        places = [place + side * np.array([half_width_m, 0.0, 0.0]) for place in part for side in (-1.0, 1.0)]
        if part is legs:
            places += feet
        hull = cv2.convexHull(np.round(calibration.project(np.array(places))).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 255)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return max(outlines, key=cv2.contourArea)[:, 0].astype(np.float64)


def sits_on_machine(landmarks: Landmarks, calibration: Calibration) -> bool:
    """Whether these landmarks are of a person whose hips are at the calibrated seat, head end up the pad.

    Judged in the image, by the machine's own scale there: a bystander behind or beside the machine fails.
    """
    seat_px, away_px, px_per_m = _pad_px(calibration)
    px = landmarks.px
    if not (np.abs(px) <= FARTHEST_PX).all():  # nor is anything that is no number
        return False
    hips = (px[LEFT_HIP] + px[RIGHT_HIP]) / 2
    shoulders = (px[LEFT_SHOULDER] + px[RIGHT_SHOULDER]) / 2
    near = np.linalg.norm(hips - seat_px) <= SEAT_RADIUS_M * px_per_m
    leaning = np.linalg.norm(shoulders - away_px) <= 1.2 * SEAT_RADIUS_M * px_per_m
    return bool(near and leaning)


@lru_cache(maxsize=8)
def _pad_px(calibration: Calibration) -> tuple[Floats, Floats, float]:
    """Where the seat and the shoulders of who leans on the pad are seen, and the scale there (pixels to the metre)."""
    seat = seat_m(calibration)
    seat_px, away_px = calibration.project(np.array([seat, seat + calibration.machine.pad_up * 0.45]))
    return seat_px, away_px, calibration.focal_length_px / float((calibration.R @ seat + calibration.t)[2])
