"""A few sets of ``make soak``: every rep that was done is stored, nothing stays open."""

from __future__ import annotations

from pathlib import Path

import pytest
from soak import REPS, Course, pass_sets


def test_every_rep_of_a_row_of_sets_is_stored_and_nothing_stays_open(tmp_path: Path) -> None:
    passed = pass_sets(3, tmp_path)
    assert passed["sets"] == 3
    assert passed["reps_stored"] == passed["reps_told"] == 3 * REPS
    first, last = passed["descriptors"]  # type: ignore[misc] # two numbers
    assert last <= first + 1


def test_growth_is_that_between_the_second_and_the_last_tenth() -> None:
    course = Course()
    for number in range(100):
        course.note(float(number), {"a": (50.0 if number < 10 else 100.0 + number / 10, 5)})
    assert course.growth("a") == pytest.approx(109.45 / 101.45 - 1)
