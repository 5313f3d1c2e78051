"""One measure's course along the carriage's travel: a polynomial through a clean rep, straight beyond its ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


class CurveError(ValueError):
    """Numbers that are no curve."""


DEGREE: Final = 3
DEGREES: Final = (3, 7)
"""Of the polynomials that a stored profile may hold."""


@dataclass(frozen=True, slots=True)
class Curve:
    """value(u) = c0 + c1 u + c2 u^2 + ..., u = -1 at ``low_m``, +1 at ``high_m``."""

    low_m: float
    high_m: float
    coefficients: tuple[float, ...]
    spread: float
    """Standard deviation of the clean rep about the curve."""

    def at(self, carriage_m: float) -> float:
        """The value at a carriage position; beyond the clean rep along the tangent, at most half a range on."""
        u = (2.0 * carriage_m - self.low_m - self.high_m) / (self.high_m - self.low_m)
        edge = max(-1.0, min(1.0, u))
        value = slope = 0.0
        for coefficient in reversed(self.coefficients):
            slope = slope * edge + value
            value = value * edge + coefficient
        return value + slope * (max(-2.0, min(2.0, u)) - edge)

    def to_list(self) -> list[float]:
        return [self.low_m, self.high_m, *self.coefficients, self.spread]

    @classmethod
    def from_list(cls, values: Sequence[float]) -> Curve:
        """Raises CurveError unless these are finite numbers, seven to eleven of them, with low < high."""
        numbers = [float(v) for v in values]
        known = DEGREES[0] + 4 <= len(numbers) <= DEGREES[1] + 4 and all(math.isfinite(v) for v in numbers)
        if not known or numbers[0] >= numbers[1]:
            raise CurveError(f"{len(numbers)} numbers are no curve")
        return cls(numbers[0], numbers[1], tuple(numbers[2:-1]), numbers[-1])


def fit_curve(points: Sequence[tuple[float, float]], low_m: float, high_m: float, degree: int = DEGREE) -> Curve:
    """Least squares over (carriage, value) points, lightly regularised so that gaps in the travel do no harm.

    ``degree`` is 3 to 7. Higher ones are for cues whose course bends more than their noise.
    """
    size = degree + 1
    sums = [0.0] * (2 * degree + 1)
    right = [0.0] * size
    for carriage_m, value in points:
        u = max(-1.0, min(1.0, (2.0 * carriage_m - low_m - high_m) / (high_m - low_m)))
        power = 1.0
        for i in range(len(sums)):
            sums[i] += power
            if i < size:
                right[i] += power * value
            power *= u
    matrix = [[sums[i + j] for j in range(size)] for i in range(size)]
    ridge = 1e-2 if degree <= DEGREE else 1e-3
    for i in range(2, size):
        matrix[i][i] += ridge * len(points)
    curve = Curve(low_m, high_m, tuple(_solve(matrix, right)), 0.0)
    square = sum((value - curve.at(carriage_m)) ** 2 for carriage_m, value in points)
    return Curve(low_m, high_m, curve.coefficients, math.sqrt(square / len(points)))


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gaussian elimination with pivoting; the matrix is symmetric and regularised."""
    size = len(right)
    rows = [[*matrix[i], right[i]] for i in range(size)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        if abs(rows[i][i]) < 1e-12:
            raise CurveError("the points do not determine a curve")
        for r in range(size):
            if r != i:
                factor = rows[r][i] / rows[i][i]
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[i], strict=True)]
    return [rows[i][size] / rows[i][i] for i in range(size)]
