"""The carriage's place, speed and acceleration through a clip."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Track:
    """The carriage through one clip, one entry a frame: + = lowered; m, m/s, m/s2."""

    frames_per_s: float
    place_m: tuple[float, ...]
    speed_m_s: tuple[float, ...]
    acceleration_m_s2: tuple[float, ...]

    @classmethod
    def through(cls, frames_per_s: float, place_m: tuple[float, ...]) -> Track:
        """Speed and acceleration by the parabola through five neighbours (Savitzky and Golay 1964)."""
        padded = (place_m[0],) * 2 + place_m + (place_m[-1],) * 2
        windows = [padded[i : i + 5] for i in range(len(place_m))]
        return cls(
            frames_per_s,
            place_m,
            tuple((-2 * a - b + d + 2 * e) / 10 * frames_per_s for a, b, _, d, e in windows),
            tuple((2 * a - b - 2 * c - d + 2 * e) / 7 * frames_per_s**2 for a, b, c, d, e in windows),
        )

    @property
    def length_s(self) -> float:
        return len(self.place_m) / self.frames_per_s

    def at(self, t_s: float) -> tuple[float, float, float]:
        """Place, speed and acceleration at ``t_s``, linear between frames, held outside."""
        x = min(max(t_s * self.frames_per_s, 0.0), len(self.place_m) - 1.0)
        i = min(int(x), len(self.place_m) - 2)
        part = x - i

        def between(values: tuple[float, ...]) -> float:
            return values[i] + part * (values[i + 1] - values[i])

        return between(self.place_m), between(self.speed_m_s), between(self.acceleration_m_s2)
