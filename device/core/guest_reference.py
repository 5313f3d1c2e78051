"""What a guest is compared with: how they themselves looked when they first passed each carriage position.

A fault in those first passes would hide itself there. How a clean lifter's readings change with knee
flexion is known, roughly, from others; a first pass that leaves that course by more than lifters differ
is taken for a fault, and only the likely part of it into the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

STATION_M = 0.02
LEARNT_FRAMES = 8
"""Frames at one place that make its reference: about the first pass down and up."""
SHALLOW: Final = (-1.0, -0.25)
"""Knees bent like this (20 to 50 deg, as ``posture.bend`` counts) show no fault of back or knees yet (ours)."""
ANCHOR_FRAMES = 40


class Course(NamedTuple):
    """How a clean lifter's reading usually changes with ``bend``, and how far from that one is still believed (deg)."""

    square: float
    slope: float
    room: float
    more_room: float
    """For each unit of ``bend``: the deeper, the more lifters differ."""

    def change_deg(self, bent: float) -> float:
        return (self.square * bent + self.slope) * bent

    def room_deg(self, bent: float) -> float:
        return max(1.5, self.room + self.more_room * bent)


_VALGUS: Final = Course(1.1, 2.9, 1.8, 1.4)
COURSES: Final[Mapping[str, Course]] = {
    "lumbar": Course(-2.9, 6.2, 6.8, 6.3),
    "valgus_left": _VALGUS,
    "valgus_right": _VALGUS,
}
"""Of 58 rendered lifters with a side camera and 40 with a front one (docs/accuracy.md, the second test). The room is
one standard deviation for valgus; for the lumbar reading, in which lifters differ much more, one and a half."""


_NOWHERE: Final[Mapping[str, float]] = {}
"""No value by name."""


@dataclass(frozen=True, slots=True)
class GuestReference:
    """By carriage station: number of frames and mean reading by name; and each reading's own level."""

    stations: Mapping[int, tuple[int, Mapping[str, float]]] = field(default_factory=dict)
    anchors: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    """By name: frames with shallow knees, and the mean there of what the usual course leaves."""

    def compare(
        self, carriage_m: float, values: Mapping[str, float], bent: float, behind_m: Mapping[str, float] = _NOWHERE
    ) -> tuple[GuestReference, dict[str, float]]:
        """The reference with this frame learnt, and the values against it.

        ``behind_m``: by name, how far the carriage went since that value was seen; where it did, it has been learnt.
        """
        moved = {name: carriage_m - by_m for name, by_m in behind_m.items() if by_m and name in values}
        after, out = self._learn({name: v for name, v in values.items() if name not in moved}, carriage_m, bent)
        for name, at_m in moved.items():
            means = self.stations.get(round(at_m / STATION_M), (0, _NOWHERE))[1]
            if name in means:
                out[name] = values[name] - means[name]
        return after, out

    def _learn(
        self, values: Mapping[str, float], carriage_m: float, bent: float
    ) -> tuple[GuestReference, dict[str, float]]:
        at = round(carriage_m / STATION_M)
        count, means = self.stations.get(at, (0, {}))
        after = self
        if values and count < LEARNT_FRAMES:
            anchors = self._anchored(values, bent)
            share = 1.0 / (count + 1)
            learnt = {name: _likely(name, value, anchors.get(name), bent) for name, value in values.items()}
            means = dict(means) | {
                name: means.get(name, value) + share * (value - means.get(name, value))
                for name, value in learnt.items()
            }
            after = GuestReference({**self.stations, at: (count + 1, means)}, anchors)
        return after, {name: value - means[name] for name, value in values.items() if name in means}

    def _anchored(self, values: Mapping[str, float], bent: float) -> Mapping[str, tuple[int, float]]:
        if not SHALLOW[0] <= bent <= SHALLOW[1]:
            return self.anchors
        anchors = dict(self.anchors)
        for name, value in values.items():
            frames, level = anchors.get(name, (0, 0.0))
            if frames < ANCHOR_FRAMES:
                left = value - COURSES[name].change_deg(bent)
                anchors[name] = frames + 1, level + (left - level) / (frames + 1)
        return anchors


def _likely(name: str, value: float, anchor: tuple[int, float] | None, bent: float) -> float:
    """The part of a first pass that a clean lifter may show; all of it before there is a level to compare it with."""
    if anchor is None:
        return value
    course = COURSES[name]
    usual, room = anchor[1] + course.change_deg(bent), course.room_deg(bent)
    return min(max(value, usual - room), usual + room)
