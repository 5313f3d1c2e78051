"""The named points of a machine as a person finds them: a name, where it is, and its place in the page's sketch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PointWords:
    title: str
    where: str
    sketch: tuple[int, int]
    """In the sketch's units; its picture is ``templates/staff/machine_sketch.html``."""


POINTS: Final[dict[str, PointWords]] = {
    "plate_top_left": PointWords(
        "Plate, top left", "Upper corner of the footplate on the lifter's left, where its surface ends.", (118, 25)
    ),
    "plate_top_right": PointWords(
        "Plate, top right", "Upper corner of the footplate on the lifter's right, where its surface ends.", (61, 10)
    ),
    "plate_bottom_left": PointWords(
        "Plate, bottom left", "Lower corner of the footplate on the lifter's left, where its surface ends.", (83, 81)
    ),
    "plate_bottom_right": PointWords(
        "Plate, bottom right", "Lower corner of the footplate on the lifter's right, where its surface ends.", (30, 57)
    ),
    "back_pad_bottom": PointWords(
        "Back pad, bottom", "Middle of the back pad's lower edge, where the lifter's hips rest.", (129, 105)
    ),
    "back_pad_top": PointWords(
        "Back pad, top", "Middle of the back pad's upper edge, behind the shoulders.", (174, 42)
    ),
    "seat_left": PointWords("Seat, left", "Front corner of the seat on the lifter's left (if you see it).", (124, 128)),
    "seat_right": PointWords(
        "Seat, right", "Front corner of the seat on the lifter's right (if you see it).", (94, 112)
    ),
}
