"""A few sets of ``make soak``: every rep that was done is stored, nothing stays open."""

from __future__ import annotations

from pathlib import Path

import pytest
from soak import REPS, Course, faults_of, pass_sets


def test_every_rep_of_a_row_of_sets_is_stored_and_nothing_stays_open(tmp_path: Path) -> None:
    passed = pass_sets(3, tmp_path)
    assert passed["sets"] == 3
    assert passed["reps_stored"] == passed["reps_told"] == 3 * REPS
    first, last = passed["descriptors"]
    assert last <= first + 1


def test_growth_is_that_between_the_second_and_the_last_tenth() -> None:
    course = Course()
    for number in range(100):
        course.note(float(number), {"a": (50.0 if number < 10 else 100.0 + number / 10, 5)})
    assert course.growth("a") == pytest.approx(109.45 / 101.45 - 1)


def test_what_goes_on_growing_is_told_an_hour_and_what_only_warmed_up_is_not() -> None:
    course = Course()
    for number in range(100):
        leaks, warms_up = 50.0 + number / 10, 50.0 + min(number, 40) / 10
        course.note(36.0 * number, {"leaks": (leaks, 5), "warms up": (warms_up, 5)})
    assert course.slope("leaks") == pytest.approx(10.0)
    assert course.slope("warms up") == pytest.approx(0.0)


def test_a_soak_with_growth_a_missing_rep_or_an_open_file_has_failed_and_says_why() -> None:
    passed = {"reps_done": 8, "reps_told": 8, "reps_stored": 8, "memory_growth": 0.01, "descriptors": [6, 6]}
    ran = {
        "memory_growth": {"device": 0.0099, "web": -0.02},
        "descriptors": {"device": [30, 32], "web": [90, 90]},
        "restarts": 0,
        "stale_called_ok": [],
    }
    assert faults_of(passed, ran) == faults_of(passed, None) == []
    assert faults_of({**passed, "reps_stored": 7}, None) == ["a rep is missing"]
    grown = {**ran, "memory_growth": {"device": 0.0101, "web": 0.0}, "restarts": 1, "stale_called_ok": ["camera"]}
    assert faults_of(passed, grown) == ["device grew by 1.0 %", "1 restarts", "something stale was called ok"]
    assert faults_of(passed, {**ran, "descriptors": {"web": [90, 93]}}) == ["web keeps files open"]
