"""The footplate's place on the rail, from made-up edges and paths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vision.plate_evidence import FROZEN_AFTER, PLACES_M, PlaceEvidence
from vision.plate_sight import RAIL_M

Floats = NDArray[np.float64]

LEVEL_PX = 400.0 * RAIL_M
DOWN_M = 0.13 - 0.13 * np.cos(np.linspace(0.0, np.pi, 16))


def nearing_px(perspective: float) -> Floats:
    """The rail's image where the plate comes nearer the camera as it is lowered, or goes away from it."""
    return np.asarray(400.0 * RAIL_M * (1.0 + perspective * RAIL_M))


def edges_at(*places_m: float) -> Floats:
    return np.sum([np.exp(-0.5 * ((PLACES_M - place) / 0.006) ** 2) for place in places_m], axis=0)


def followed_at(true_m: Floats, off_px: float, along_px: Floats) -> Floats:
    """What a follower says who took the plate for so many pixels from where it is."""
    return np.asarray(np.interp(np.interp(true_m, RAIL_M, along_px) + off_px, along_px, RAIL_M))


@given(st.floats(-30.0, 30.0), st.floats(-0.4, 0.8))
def test_a_path_followed_at_a_wrong_place_is_laid_over_the_edges(off_px: float, perspective: float) -> None:
    along_px = nearing_px(perspective)
    evidence = PlaceEvidence(along_px)
    said_m = followed_at(DOWN_M, off_px, along_px)
    for true_m, followed_m in zip(DOWN_M, said_m, strict=True):
        evidence.add(float(followed_m), edges_at(float(true_m)), None)
    bottom_m = evidence.correct(float(said_m[-1]))
    assert bottom_m == pytest.approx(float(DOWN_M[-1]), abs=0.0085)
    assert evidence.correct(bottom_m) == bottom_m  # the path was moved along


def test_of_two_places_the_one_that_begins_at_the_rest_is_taken_and_told_as_unsure() -> None:
    for rest_m, other_m in ((0.0, 0.12), (0.02, 0.16), (0.0, -0.16)):
        evidence = PlaceEvidence(LEVEL_PX)
        for down_m in DOWN_M:
            evidence.add(float(other_m + down_m), edges_at(rest_m + down_m, other_m + down_m), None)
        assert evidence.ambiguous()
        assert evidence.correct(other_m) == pytest.approx(rest_m, abs=0.0085)


def test_what_clearly_begins_elsewhere_stays_there() -> None:
    evidence = PlaceEvidence(LEVEL_PX)
    for down_m in DOWN_M:
        evidence.add(float(0.15 + down_m), edges_at(float(0.15 + down_m)), None)
    assert evidence.correct(0.15) == 0.15
    assert not evidence.ambiguous()


def test_few_frames_correct_nothing_and_many_do_not_any_more() -> None:
    evidence = PlaceEvidence(LEVEL_PX)
    for _ in range(5):
        evidence.add(0.10, edges_at(0.0), None)
    assert evidence.correct(0.10) == 0.10
    for _ in range(FROZEN_AFTER):
        evidence.add(0.10, edges_at(0.0), None)
    assert evidence.full
    assert evidence.correct(0.10) == 0.10


def test_the_feet_decide_between_two_places() -> None:
    evidence = PlaceEvidence(LEVEL_PX)
    for down_m in DOWN_M:
        evidence.add(float(0.15 + down_m), edges_at(0.15 + down_m, 0.23 + down_m), float(0.23 + down_m))
    assert evidence.correct(0.15) == pytest.approx(0.23, abs=0.0085)
