"""A guest's first passes as their reference, and what of them is not believed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.core.guest_reference import USUAL, GuestReference

ROM_M = 0.3
FRAMES = 40
WITHIN_STATION_DEG = 2.5
"""A reading may change by so much over the two centimetres that have one reference."""


def rep_places() -> list[tuple[float, float]]:
    """Carriage (m) and ``bend`` of one rep's frames: knees from 15 to 100 degrees."""
    depths = [0.5 - 0.5 * math.cos(2 * math.pi * i / FRAMES) for i in range(FRAMES)]
    return [(ROM_M * depth, (15.0 + 85.0 * depth - 60.0) / 40.0) for depth in depths]


def lift(reference: GuestReference, name: str, level: float, odd: float, fault: float) -> tuple[GuestReference, float]:
    """One rep: ``odd`` more at its bottom than at the top, and a fault there; the largest value told."""
    told: list[float] = []
    for carriage_m, bent in rep_places():
        depth = carriage_m / ROM_M
        value = level + (odd + fault) * max(0.0, 2.0 * depth - 1.0)
        reference, values = reference.compare(carriage_m, {name: value}, bent)
        told.append(values[name])
    return reference, max(told)


@pytest.mark.parametrize(("name", "fault"), [("valgus_left", 14.0), ("valgus_right", 14.0), ("lumbar", 26.0)])
def test_a_fault_in_the_first_rep_does_not_hide_itself(name: str, fault: float) -> None:
    reference, first = lift(GuestReference(), name, 3.0, 0.0, fault)
    _, second = lift(reference, name, 3.0, 0.0, fault)
    assert first > 0.5 * fault
    assert second > 0.5 * fault


@given(st.sampled_from(sorted(USUAL)), st.floats(-20, 20), st.floats(-0.9, 0.9), st.floats(4, 20))
def test_a_clean_first_rep_is_believed_whole(name: str, level: float, share: float, fault: float) -> None:
    odd = share * USUAL[name].room_at_deg(0.6)
    reference, first = lift(GuestReference(), name, level, odd, 0.0)
    assert first <= WITHIN_STATION_DEG
    for _ in range(2):
        reference, clean = lift(reference, name, level, odd, 0.0)
    assert clean <= WITHIN_STATION_DEG
    assert lift(reference, name, level, odd, fault)[1] == pytest.approx(fault, abs=WITHIN_STATION_DEG)


def told_of_steep(slope_deg: float, fault_deg: float) -> float:
    """The largest value told in two reps of a guest whose reading rises by so much with each unit of ``bend``, from
    shallow knees on; the fault sits at the bottom."""
    reference, told = GuestReference(), [0.0]
    for carriage_m, bent in rep_places() * 2:
        value = slope_deg * bent + fault_deg * max(0.0, 2.0 * carriage_m / ROM_M - 1.0)
        reference, values = reference.compare(carriage_m, {"lumbar": value}, bent)
        told.append(values["lumbar"])
    return max(told)


@given(st.floats(-10.0, 10.0))
def test_what_a_guests_readings_do_with_shallow_knees_is_expected_to_go_on(slope_deg: float) -> None:
    assert told_of_steep(slope_deg, 0.0) <= WITHIN_STATION_DEG


@given(st.floats(-5.0, 5.0))
def test_a_fault_at_the_bottom_is_told_whatever_the_guests_own_slope(slope_deg: float) -> None:
    assert told_of_steep(slope_deg, 25.0) > 10.0


@given(st.lists(st.tuples(st.floats(-0.1, 0.6), st.floats(-1.2, 1.2), st.floats(-60, 60)), max_size=40))
def test_whatever_comes_no_value_is_larger_than_what_was_seen(seen: list[tuple[float, float, float]]) -> None:
    reference = GuestReference()
    largest = 0.0
    for carriage_m, bent, value in seen:
        largest = max(largest, abs(value))
        reference, values = reference.compare(carriage_m, {"lumbar": value}, bent)
        assert abs(values["lumbar"]) <= 2 * largest + 30.0


def test_a_value_seen_before_the_carriage_moved_on_is_compared_where_it_was_seen() -> None:
    reference = GuestReference()
    for carriage_m, level in ((0.10, 2.0), (0.20, 8.0)):
        for _ in range(5):
            reference, _ = reference.compare(carriage_m, {"lumbar": level}, -0.5)
    after, values = reference.compare(0.20, {"lumbar": 3.0}, -0.5, {"lumbar": 0.10})
    assert values["lumbar"] == pytest.approx(reference.compare(0.10, {"lumbar": 3.0}, -0.5)[1]["lumbar"], abs=0.5)
    assert after == reference  # learned when it was new
