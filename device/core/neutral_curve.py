"""One measure's course along the carriage's travel: a cubic through a clean rep, straight beyond its ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


class CurveError(ValueError):
    """Numbers that are no curve."""


@dataclass(frozen=True, slots=True)
class Curve:
    """value(u) = c0 + c1 u + c2 u^2 + c3 u^3, u = -1 at ``low_m``, +1 at ``high_m``."""

    low_m: float
    high_m: float
    coefficients: tuple[float, float, float, float]
    spread: float
    """Standard deviation of the clean rep about the curve."""

    def at(self, carriage_m: float) -> float:
        """The value at a carriage position; beyond the clean rep along the tangent, at most half a range on."""
        u = (2.0 * carriage_m - self.low_m - self.high_m) / (self.high_m - self.low_m)
        a, b, c, d = self.coefficients
        if u > 1.0:
            return a + b + c + d + (min(u, 2.0) - 1.0) * (b + 2.0 * c + 3.0 * d)
        if u < -1.0:
            return a - b + c - d + (max(u, -2.0) + 1.0) * (b - 2.0 * c + 3.0 * d)
        return a + u * (b + u * (c + u * d))

    def to_list(self) -> list[float]:
        return [self.low_m, self.high_m, *self.coefficients, self.spread]

    @classmethod
    def from_list(cls, values: Sequence[float]) -> Curve:
        """Raises CurveError unless these are seven finite numbers with low < high."""
        numbers = [float(v) for v in values]
        if len(numbers) != 7 or not all(math.isfinite(v) for v in numbers) or numbers[0] >= numbers[1]:
            raise CurveError(f"{len(numbers)} numbers are no curve")
        return cls(numbers[0], numbers[1], (numbers[2], numbers[3], numbers[4], numbers[5]), numbers[6])


def fit_curve(points: Sequence[tuple[float, float]], low_m: float, high_m: float) -> Curve:
    """Least squares over (carriage, value) points, lightly regularised so that gaps in the travel do no harm."""
    sums = [0.0] * 7
    right = [0.0] * 4
    for carriage_m, value in points:
        u = max(-1.0, min(1.0, (2.0 * carriage_m - low_m - high_m) / (high_m - low_m)))
        power = 1.0
        for i in range(7):
            sums[i] += power
            if i < 4:
                right[i] += power * value
            power *= u
    matrix = [[sums[i + j] for j in range(4)] for i in range(4)]
    for i in range(2, 4):
        matrix[i][i] += 1e-2 * len(points)
    coefficients = _solve(matrix, right)
    curve = Curve(low_m, high_m, (coefficients[0], coefficients[1], coefficients[2], coefficients[3]), 0.0)
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
