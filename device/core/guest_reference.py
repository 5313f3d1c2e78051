"""What a guest is compared with: how they themselves looked when they first passed each carriage position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STATION_M = 0.02
LEARNT_FRAMES = 12
"""Frames at one place that make its reference: the first one or two passes."""


@dataclass(frozen=True, slots=True)
class GuestReference:
    """By carriage station: number of frames and mean reading by name."""

    stations: Mapping[int, tuple[int, Mapping[str, float]]] = field(default_factory=dict)

    def compare(self, carriage_m: float, values: Mapping[str, float]) -> tuple[GuestReference, dict[str, float]]:
        """The reference with this frame learnt, and the values against it."""
        at = round(carriage_m / STATION_M)
        count, means = self.stations.get(at, (0, {}))
        after = self
        if count < LEARNT_FRAMES:
            share = 1.0 / (count + 1)
            means = {
                name: means.get(name, value) + share * (value - means.get(name, value))
                for name, value in values.items()
            }
            after = GuestReference({**self.stations, at: (count + 1, means)})
        return after, {name: value - means[name] for name, value in values.items() if name in means}
