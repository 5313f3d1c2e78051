"""Repetitions from the carriage's track, whatever the camera, the start and the frame rate."""

from __future__ import annotations

import bisect
import json
import math
import os
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.core.rep_signals import RepBegan, RepBottom, RepGivenUp, RepShape, RepSignal
from device.core.reps import RepTracker, finish, follow

BUNDLED = sorted((Path(__file__).parent.parent / "device/simulation/scenarios").glob("*/*.truth.json"))
MORE = sorted(Path(os.environ["LEGPRESS_CLIPS"]).glob("*.truth.json")) if "LEGPRESS_CLIPS" in os.environ else []
TRUTHS = [path for path in (*BUNDLED, *MORE) if ".neutral." not in path.name]

Track = list[tuple[float, float | None]]


def signals(track: Track, knees: list[float | None] | None = None) -> list[RepSignal]:
    tracker, out = RepTracker(), []
    for i, (t_s, carriage_m) in enumerate(track):
        tracker, signal = follow(tracker, t_s, carriage_m, None if knees is None else knees[i])
        if signal is not None:
            out.append(signal)
    _, last = finish(tracker)
    return out if last is None else [*out, last]


def shapes(track: Track, knees: list[float | None] | None = None) -> list[RepShape]:
    return [signal for signal in signals(track, knees) if isinstance(signal, RepShape)]


def eased(u: float) -> float:
    return 0.5 - 0.5 * math.cos(math.pi * min(max(u, 0.0), 1.0))


def rep_track(
    fps: float, strokes: list[tuple[float, float, float]], offset_m: float = 0.0, offset_s: float = 0.0
) -> Track:
    """Reps of (depth m, lowering s, pressing s), 0.2 s at the bottom, 0.5 s at the top."""
    moments = [(0.0, 0.0), (1.0, 0.0)]
    for depth, down, up in strokes:
        t = moments[-1][0]
        moments += [(t + down, depth), (t + down + 0.2, depth), (t + down + 0.2 + up, 0.0), (t + down + 0.7 + up, 0.0)]
    track: Track = []
    for (t0, x0), (t1, x1) in pairwise(moments):
        first = math.ceil(t0 * fps - 1e-9)
        while first / fps < t1 - 1e-9:
            track.append((offset_s + first / fps, offset_m + x0 + (x1 - x0) * eased((first / fps - t0) / (t1 - t0))))
            first += 1
    return track


def counted_exactly(truth: dict[str, Any], found: list[RepShape]) -> bool:
    true = [rep["t_bottom"] for rep in truth["reps"]]
    return len(true) == len(found) and all(abs(a - b.t_bottom_s) <= 0.5 for a, b in zip(true, found, strict=True))


def truth_track(path: Path) -> tuple[dict[str, Any], list[float], list[float]]:
    truth = json.loads(path.read_text())
    return truth, truth["frames"]["t"], truth["frames"]["carriage_m"]


@pytest.mark.parametrize("path", TRUTHS, ids=lambda path: path.stem)
def test_every_known_set_is_counted_exactly_with_noise_gaps_outliers_and_drift(path: Path) -> None:
    truth, times, carriage = truth_track(path)
    chance = random.Random(path.name)
    variants: dict[str, Track] = {
        "as it is": list(zip(times, carriage, strict=True)),
        "5 mm of noise": [(t, x + chance.gauss(0, 0.005)) for t, x in zip(times, carriage, strict=True)],
        "a third of the frames missing": [
            (t, x + chance.gauss(0, 0.005)) for t, x in zip(times, carriage, strict=True) if chance.random() > 0.33
        ],
        "jumps of the tracking": [
            (t, x + chance.gauss(0, 0.003) + (0.15 if chance.random() < 0.03 else 0.0))
            for t, x in zip(times, carriage, strict=True)
        ],
        "a creeping top": [(t, x + 0.004 * t) for t, x in zip(times, carriage, strict=True)],
        "8 frames/s": _resampled(times, carriage, 8.0),
        "30 frames/s": _resampled(times, carriage, 30.0),
    }
    wrong = [name for name, track in variants.items() if not counted_exactly(truth, shapes(track))]
    assert wrong == []


def _resampled(times: list[float], carriage: list[float], fps: float) -> Track:
    track: Track = []
    for i in range(1, int(times[-1] * fps)):
        t = i / fps
        j = min(max(bisect.bisect(times, t) - 1, 0), len(times) - 2)
        u = (t - times[j]) / (times[j + 1] - times[j])
        track.append((t, carriage[j] + u * (carriage[j + 1] - carriage[j])))
    return track


@pytest.mark.parametrize("path", TRUTHS[:4], ids=lambda path: path.stem)
def test_the_knee_counts_where_the_plate_is_never_seen(path: Path) -> None:
    truth, times, _ = truth_track(path)
    sides = truth["frames"]["knee_flexion_deg"]
    knees: list[float | None] = [(a + b) / 2 for a, b in zip(sides["L"], sides["R"], strict=True)]
    found = shapes([(t, None) for t in times], knees)
    assert counted_exactly(truth, found)
    assert [(rep.rom_m, rep.mean_speed_m_s, rep.peak_speed_m_s) for rep in found] == [(None, None, None)] * len(found)


def test_the_knee_bridges_a_plate_hidden_in_mid_rep() -> None:
    track = rep_track(20, [(0.25, 1.2, 1.0)] * 3)
    knees = [15.0 + 300.0 * (x or 0.0) for _, x in track]
    hidden: Track = [(t, None if 3.0 < t < 6.5 else x) for t, x in track]
    assert len(shapes(hidden, list(knees))) == 3


def test_times_range_and_tempo_of_a_rep_are_measured() -> None:
    (rep,) = shapes(rep_track(30, [(0.25, 1.2, 0.9)]))
    assert rep.t_start_s == pytest.approx(1.0, abs=0.08)
    assert rep.t_bottom_s == pytest.approx(2.3, abs=0.08)
    assert rep.t_end_s == pytest.approx(3.3, abs=0.1)
    assert rep.eccentric_s == pytest.approx(1.2, abs=0.1)
    assert rep.concentric_s == pytest.approx(0.9, abs=0.1)
    assert rep.rom_m == pytest.approx(0.25, abs=0.01)
    assert rep.mean_speed_m_s == pytest.approx(0.25 / 0.9, abs=0.04)
    assert rep.peak_speed_m_s == pytest.approx(math.pi / 2 * 0.25 / 0.9, rel=0.12)


def test_a_plate_first_taken_for_far_down_and_put_right_is_no_rep() -> None:
    """As two cameras do that place it apart at the start: nobody lowers a sled in no time."""
    start: Track = [(0.0, 0.006), (0.001, 0.182), *((0.05 * i, 0.181) for i in range(1, 8))]
    start += [(0.05 * i, 0.01 - 0.0005 * min(i, 20)) for i in range(8, 30)]
    found = shapes([*start, *rep_track(20, [(0.25, 1.2, 1.0)] * 2, offset_s=1.5)])
    assert [rep.t_start_s for rep in found] == pytest.approx([2.5, 5.4], abs=0.1)


def test_a_rep_is_told_as_it_begins_turns_and_ends() -> None:
    kinds = [type(signal) for signal in signals(rep_track(20, [(0.25, 1.2, 1.0)] * 2))]
    assert kinds == [RepBegan, RepBottom, RepShape] * 2


def test_a_rep_is_counted_before_the_next_tenth_of_a_second_at_the_top_is_over() -> None:
    tracker, counted_s = RepTracker(), None
    for t_s, x in rep_track(20, [(0.25, 1.2, 1.0)]):
        tracker, signal = follow(tracker, t_s, x, None)
        if isinstance(signal, RepShape):
            counted_s = t_s
    assert counted_s is not None
    assert counted_s < 3.4 + 0.1


def test_partial_reps_count_and_fidgeting_does_not() -> None:
    assert len(shapes(rep_track(20, [(0.22, 1.2, 1.0), (0.09, 1.0, 0.9), (0.09, 1.0, 0.9)]))) == 3
    assert signals(rep_track(20, [(0.03, 0.6, 0.6), (0.04, 0.6, 0.6)])) == []


def test_a_sled_let_down_onto_its_stops_is_no_rep() -> None:
    track = rep_track(20, [(0.25, 1.2, 1.0)])
    end_s = track[-1][0]
    track += [(end_s + i / 20, 0.2 * eased(i / 40)) for i in range(1, 500)]
    found = signals(track)
    assert sum(isinstance(signal, RepShape) for signal in found) == 1
    assert isinstance(found[-1], RepGivenUp)


def test_a_press_that_stops_short_of_the_top_still_ends_the_rep() -> None:
    track = [(i / 20, 0.25 * eased((i / 20 - 1) / 1.2)) for i in range(50)]
    track += [(2.5 + i / 20, 0.25 - 0.19 * eased(i / 20)) for i in range(60)]
    assert len(shapes(list(track))) == 1


def test_two_dips_without_returning_halfway_are_one_rep() -> None:
    down = [(i / 20, 0.25 * eased((i / 20 - 1) / 1.2)) for i in range(50)]
    dip = [(2.5 + i / 20, 0.25 - 0.08 * math.sin(math.pi * i / 20)) for i in range(20)]
    up = [(3.5 + i / 20, 0.25 * (1 - eased(i / 20))) for i in range(40)]
    assert len(shapes([*down, *dip, *up])) == 1


def test_a_track_lost_in_mid_rep_gives_the_rep_up() -> None:
    track = [(i / 20, 0.25 * eased((i / 20 - 1) / 1.2)) for i in range(50)]
    track += [(12.0 + i / 20, 0.0) for i in range(40)]
    found = signals(list(track))
    assert [type(signal) for signal in found] == [RepBegan, RepGivenUp]


def test_frames_out_of_order_change_nothing() -> None:
    track = rep_track(20, [(0.25, 1.2, 1.0)])
    disturbed = [point for i, point in enumerate(track) for point in ([point, track[i - 5]] if i > 5 else [point])]
    assert shapes(disturbed) == shapes(track)


STROKES = st.lists(
    st.tuples(st.floats(0.09, 0.45), st.floats(0.5, 4.0), st.floats(0.5, 3.0)), min_size=1, max_size=4
)
FRAME = st.tuples(st.floats(-1, 6), st.none() | st.floats(-3, 3), st.none() | st.floats(-20, 160))


@settings(deadline=None, max_examples=60)
@given(STROKES, st.floats(8, 40), st.floats(-0.5, 0.5), st.floats(0, 1e6))
def test_the_count_does_not_depend_on_rate_rest_position_or_clock(
    strokes: list[tuple[float, float, float]], fps: float, offset_m: float, offset_s: float
) -> None:
    found = shapes(rep_track(fps, strokes, offset_m, offset_s))
    assert len(found) == len(strokes)
    for rep, (depth, _, _) in zip(found, strokes, strict=True):
        assert rep.travel_m == pytest.approx(depth, abs=0.03)
        assert rep.t_start_s <= rep.t_bottom_s <= rep.t_end_s


@settings(deadline=None, max_examples=100)
@given(st.lists(FRAME, max_size=80))
def test_no_track_breaks_the_tracker(moves: list[tuple[float, float | None, float | None]]) -> None:
    tracker, t_s, open_reps = RepTracker(), 0.0, 0
    for dt, carriage_m, knee_deg in moves:
        t_s += dt
        tracker, signal = follow(tracker, t_s, carriage_m, knee_deg)
        open_reps += isinstance(signal, RepBegan)
        open_reps -= isinstance(signal, RepShape | RepGivenUp)
        assert open_reps in (0, 1)
        if isinstance(signal, RepShape):
            assert signal.t_start_s <= signal.t_bottom_s <= signal.t_end_s
            assert signal.eccentric_s > 0
            assert signal.concentric_s > 0
