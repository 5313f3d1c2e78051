"""What the plate's rise above the resting top tells of the knees."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.extension import PAUSE_S, RESTING_LEAST_DEG, RISE_M, SURE_FRAMES, Extension

FRAME_S = 1 / 15
LEG_M = 0.85
UNKNOWN = (0.0, 180.0)


class Lifter:
    """Feeds an ``Extension`` frame by frame."""

    def __init__(self) -> None:
        self.seen, self.t_s = Extension(), 0.0

    def stands(self, carriage_m: float, duration_s: float, can_rest: bool = True) -> None:
        for _ in range(round(duration_s / FRAME_S)):
            self.t_s += FRAME_S
            self.seen.follow(self.t_s, carriage_m, can_rest)

    def does_a_rep(self, top_m: float = 0.0) -> None:
        for step in range(30):
            self.t_s += FRAME_S
            self.seen.follow(self.t_s, top_m + 0.12 * (1 - math.cos(2 * math.pi * step / 30)), True)

    def bounds(self, carriage_m: float) -> tuple[float, float] | None:
        return self.seen.bounds_deg(carriage_m, LEG_M)


def rested() -> Lifter:
    lifter = Lifter()
    lifter.stands(0.0, 0.6)
    lifter.does_a_rep()
    return lifter


def slack_m(flexion_deg: float) -> float:
    """How much shorter a leg of 0.85 m reaches with the knee bent by so much."""
    return LEG_M * (1 - math.cos(math.radians(flexion_deg) / 2))


@pytest.mark.parametrize("resting_deg", [12.0, 15.0, 18.0, 20.0])
def test_who_rises_from_a_usual_rest_to_straight_is_told_as_straight(resting_deg: float) -> None:
    lifter = rested()
    rise_m = slack_m(resting_deg) - slack_m(1.0)
    lifter.stands(-rise_m, 0.3)
    bounds = lifter.bounds(-rise_m)
    if rise_m <= RISE_M[0]:
        assert bounds == UNKNOWN  # too little to be told from one top to the next
    else:
        assert bounds is not None and bounds[1] < 3.0


def test_who_rests_where_they_rested_is_never_straight() -> None:
    lifter = rested()
    assert lifter.bounds(0.002) == (RESTING_LEAST_DEG, 180.0)
    assert lifter.bounds(-0.002) == (RESTING_LEAST_DEG, 180.0)


@given(st.lists(st.floats(-0.0025, 0.0025), min_size=3, max_size=12))
def test_tops_that_differ_as_tops_do_are_never_straight(tops_m: list[float]) -> None:
    lifter = rested()
    for top_m in tops_m:
        lifter.stands(top_m, 0.4)
        bounds = lifter.bounds(top_m)
        assert bounds is not None and bounds[1] == 180.0
        lifter.does_a_rep(top_m)


def test_below_the_straight_place_the_knees_bend_with_the_square_root() -> None:
    lifter = rested()
    lifter.stands(-0.008, 0.3)
    place_m = -0.008 + slack_m(5.0)
    bounds = lifter.bounds(place_m)
    assert bounds is not None and bounds[1] == pytest.approx(math.hypot(1.5, 5.0), abs=0.1)


def test_one_frame_that_leaps_is_no_rise() -> None:
    lifter = rested()
    lifter.stands(0.0, 0.3)
    lifter.seen.follow(lifter.t_s + FRAME_S, -0.009, True)
    assert lifter.bounds(-0.009) == UNKNOWN


def test_a_plate_farther_up_than_any_leg_reaches_tells_nothing() -> None:
    lifter = rested()
    lifter.stands(-0.03, 0.5)
    assert lifter.bounds(-0.03) is None


def test_after_a_long_standstill_the_top_is_learned_anew() -> None:
    lifter = rested()
    lifter.stands(-0.009, PAUSE_S + SURE_FRAMES * FRAME_S + 0.5)
    assert lifter.bounds(-0.009) == (RESTING_LEAST_DEG, 180.0)


def test_who_is_first_seen_on_the_way_does_not_rest_there() -> None:
    lifter = Lifter()
    assert not lifter.seen.follow(100.0, 0.07, can_rest=True)


def test_two_cameras_at_one_moment_show_no_standstill() -> None:
    lifter = rested()
    for step in range(10):
        lifter.t_s += FRAME_S
        carriage_m = 0.02 - 0.015 * step
        assert not lifter.seen.follow(lifter.t_s, carriage_m, can_rest=True)
        assert not lifter.seen.follow(lifter.t_s, carriage_m, can_rest=True)


def test_a_set_that_begins_at_the_bottom_has_no_resting_top_yet() -> None:
    lifter = Lifter()
    lifter.stands(0.25, 1.0, can_rest=False)
    assert lifter.bounds(0.25) == UNKNOWN
