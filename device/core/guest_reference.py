"""What a guest is compared with: how they themselves looked when they first passed each carriage position.

A fault in those first passes would hide itself there. The readings are learned such that a clean rep hardly
changes them (``vision.training.window_readings``), and by how much it changes a guest's shows before any fault
of back or knees: while the knees are still shallow. A first pass that leaves the course begun there by more than
clean lifters do is taken for a fault, and only the likely part of it into the reference.
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
"""That make a reading's level with shallow knees: the first two reps' (ours)."""


class Usual(NamedTuple):
    """How clean lifters go on from shallow knees."""

    share: float
    """Of the reading's slope along ``posture.bend`` with shallow knees, how much of it goes on with bent ones."""
    room_deg: float
    more_room_deg: float
    """How far from that a first pass may read, and by how much more for each unit of ``bend``."""

    def room_at_deg(self, bent: float) -> float:
        return max(1.5, self.room_deg + self.more_room_deg * bent)


_VALGUS: Final = Usual(0.0, 1.0, 0.8)
"""Knees cave in from shallow on: no slope of theirs is taken for a habit."""
USUAL: Final[Mapping[str, Usual]] = {"lumbar": Usual(0.65, 2.0, 3.2), "valgus_left": _VALGUS, "valgus_right": _VALGUS}
"""Of 90 and 78 rendered lifters before a side and a front camera, whom the readings were not learned on
(docs/accuracy.md): room is one and a half standard deviations of lumbar readings, one of valgus."""
LEAST_SPREAD: Final = 0.06
"""Of ``bend`` (standard deviation) among the shallow frames, without which they show no slope."""


class Anchor(NamedTuple):
    """A guest's readings with shallow knees: running means of ``bend``, of the reading, and of their products."""

    frames: int = 0
    bent: float = 0.0
    level_deg: float = 0.0
    squared: float = 0.0
    crossed: float = 0.0

    def with_frame(self, bent: float, value: float) -> Anchor:
        after = self.frames + 1
        seen = (bent, value, bent * bent, bent * value)
        return Anchor(after, *(mean + (now - mean) / after for mean, now in zip(self[1:], seen, strict=True)))

    def usual_deg(self, usual: Usual, bent: float) -> float:
        variance = self.squared - self.bent**2
        if variance < LEAST_SPREAD**2:
            return self.level_deg
        slope = (self.crossed - self.bent * self.level_deg) / variance
        return self.level_deg + usual.share * slope * (bent - self.bent)


_NOWHERE: Final[Mapping[str, float]] = {}
"""No value by name."""


@dataclass(frozen=True, slots=True)
class GuestReference:
    """By carriage station: number of frames and mean reading by name; and each reading's own level."""

    stations: Mapping[int, tuple[int, Mapping[str, float]]] = field(default_factory=dict)
    anchors: Mapping[str, Anchor] = field(default_factory=dict)
    """By name."""

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

    def _anchored(self, values: Mapping[str, float], bent: float) -> Mapping[str, Anchor]:
        if not SHALLOW[0] <= bent <= SHALLOW[1]:
            return self.anchors
        anchors = dict(self.anchors)
        for name, value in values.items():
            anchor = anchors.get(name, Anchor())
            if anchor.frames < ANCHOR_FRAMES:
                anchors[name] = anchor.with_frame(bent, value)
        return anchors


def _likely(name: str, value: float, anchor: Anchor | None, bent: float) -> float:
    """The part of a first pass that a clean lifter may show; all of it before there is a level to compare it with."""
    if anchor is None:
        return value
    usual = USUAL[name]
    expected, room = anchor.usual_deg(usual, bent), usual.room_at_deg(bent)
    return min(max(value, expected - room), expected + room)
