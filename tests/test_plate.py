"""The footplate, followed through pictures drawn to the calibration."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from seen_machine import SIZE, machine_places, make_machine, seen_from

from vision.calibration import Calibration
from vision.plate import PlateTracker

TRAVEL_M = 0.15 - 0.15 * np.cos(np.linspace(0.0, 2.0 * np.pi, 40))


def drawn(calibration: Calibration, carriage_m: float) -> NDArray[np.uint8]:
    """A cluttered room with the plate as a lit board, pattern and all, where the carriage is."""
    clutter = np.random.default_rng(3).integers(60, 110, (12, 16, 3)).astype(np.uint8)
    image = cv2.resize(clutter, SIZE, interpolation=cv2.INTER_NEAREST)
    places = machine_places(calibration.machine)
    corners = [places[f"plate_{n}"] for n in ("top_left", "top_right", "bottom_right", "bottom_left")]
    seen_from_beyond = (calibration.eye - corners[0]) @ calibration.machine.plate_normal > 0
    faces = ((0.0, 150), (0.024, 205)) if seen_from_beyond else ((0.024, 150), (0.0, 205))
    for depth_m, shade in faces:
        shift = depth_m * calibration.machine.plate_normal - carriage_m * calibration.machine.rail
        quad = calibration.project(np.array(corners) + shift)
        cv2.fillConvexPoly(image, np.round(quad * 16).astype(np.int32), (shade, shade, shade), cv2.LINE_AA, 4)
    middle = calibration.project(np.mean(corners, axis=0) - carriage_m * calibration.machine.rail)
    cv2.circle(image, (round(float(middle[0])), round(float(middle[1]))), 9, (40, 40, 160), -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.7), dtype=np.uint8)


def grey(image_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def followed(calibration: Calibration, travel_m: NDArray[np.float64]) -> NDArray[np.float64]:
    tracker = PlateTracker(calibration)
    return np.array(
        [tracker.update(i / 20, grey(drawn(calibration, float(c)))).carriage_m for i, c in enumerate(travel_m)]
    )


@pytest.mark.parametrize("eye", [(1.6, -1.9, 1.5), (-1.5, 1.2, 1.8), (0.2, -1.4, 2.7)])
def test_the_carriage_is_followed_to_a_centimetre_from_any_side(eye: tuple[float, float, float]) -> None:
    calibration = seen_from(make_machine(), np.array(eye), "oblique")
    seen = followed(calibration, TRAVEL_M)
    assert np.abs(seen - TRAVEL_M).mean() < 0.010
    assert np.polyfit(TRAVEL_M, seen, 1)[0] == pytest.approx(1.0, abs=0.06)


def with_legs(calibration: Calibration, carriage_m: float) -> NDArray[np.uint8]:
    """The plate behind legs that bend as it comes down: most of what is seen at it changes on the way."""
    image = drawn(calibration, carriage_m)
    machine = calibration.machine
    middle = np.mean([calibration.point(f"plate_{n}") for n in ("top_left", "bottom_right")], axis=0)
    foot = middle - carriage_m * machine.rail
    knee = foot - (0.42 - 0.5 * carriage_m) * machine.plate_normal + 1.3 * carriage_m * machine.plate_up
    for thick, shade in ((70, 35), (30, 90)):
        ends = [(round(float(x)), round(float(y))) for x, y in (calibration.project(foot), calibration.project(knee))]
        cv2.line(image, ends[0], ends[1], (shade, shade, shade), thick, cv2.LINE_AA)
    return image


def test_legs_that_bend_before_the_plate_do_not_carry_it_away() -> None:
    """A plate seen almost edge-on: a single picture of it drifts by a centimetre and more with the legs."""
    calibration = seen_from(make_machine(4.0, 64.0), np.array([2.6, -0.9, 1.0]), "side")
    reps_m = np.tile(0.15 - 0.15 * np.cos(np.linspace(0.0, 2.0 * np.pi, 30)), 4)
    tracker = PlateTracker(calibration)
    seen = np.array(
        [tracker.update(i / 20, grey(with_legs(calibration, float(c)))).carriage_m for i, c in enumerate(reps_m)]
    )
    assert np.abs(seen - reps_m)[30:].max() < 0.008


@pytest.mark.parametrize("frames_s", [5.0, 8.0, 20.0, 60.0])
def test_a_quick_carriage_is_followed_at_every_frame_rate(frames_s: float) -> None:
    """Down and up within 0.8 s: 1.2 m/s in the middle, 15 cm between two frames where they are few."""
    calibration = seen_from(make_machine(), np.array([1.6, -1.9, 1.5]), "oblique")
    times_s = np.arange(0.0, 1.3, 1.0 / frames_s)
    travel_m = 0.15 - 0.15 * np.cos(2.0 * np.pi * np.clip(times_s - 0.3, 0.0, 0.8) / 0.8)
    tracker = PlateTracker(calibration)
    seen = [
        tracker.update(t, grey(drawn(calibration, m))).carriage_m
        for t, m in zip(times_s.tolist(), travel_m.tolist(), strict=True)
    ]
    assert np.abs(np.array(seen) - travel_m).max() < 0.015


def test_a_set_may_begin_with_the_carriage_lowered() -> None:
    calibration = seen_from(make_machine(), np.array([1.6, -1.9, 1.5]), "oblique")
    travel = TRAVEL_M[10:]
    assert np.abs(followed(calibration, travel) - travel)[10:].mean() < 0.012


def test_a_picture_without_the_plate_is_not_a_good_match() -> None:
    calibration = seen_from(make_machine(), np.array([1.6, -1.9, 1.5]), "oblique")
    tracker = PlateTracker(calibration)
    for i, carriage_m in enumerate(TRAVEL_M[:10]):
        good = tracker.update(i / 20, grey(drawn(calibration, float(carriage_m))))
    other = np.random.default_rng(5).integers(0, 255, (SIZE[1], SIZE[0])).astype(np.uint8)
    bad = tracker.update(0.5, other)
    assert good.match > 0.9
    assert bad.match < 0.6
    assert bad.standard_error_m > good.standard_error_m


def test_a_second_plate_in_the_picture_makes_the_position_unsure() -> None:
    calibration = seen_from(make_machine(), np.array([1.6, -1.9, 1.5]), "oblique")
    alone, twice = PlateTracker(calibration), PlateTracker(calibration)
    for i in range(20):
        image = grey(drawn(calibration, 0.0))
        one = alone.update(i / 20, image)
        # the same board again, 12 cm further down the rail, as a mirror or another machine would show it
        other = grey(drawn(calibration, 0.12))
        two = twice.update(i / 20, np.asarray(cv2.addWeighted(image, 0.5, other, 0.5, 0.0), dtype=np.uint8))
    assert one.standard_error_m == pytest.approx(0.003)
    assert two.standard_error_m == pytest.approx(0.02)
