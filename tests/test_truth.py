"""Judging an analysis: the truth itself scores full marks, and each kind of mistake is counted as what it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.command.truth import DEMANDS, score_set, wilson
from device.scenario import load_scenario

SIDES = {"left": "L", "right": "R"}


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    camera = load_scenario("mixed").cameras[0]
    data: dict[str, Any] = json.loads(camera.truth.read_text())
    return data


def perfect(truth: dict[str, Any]) -> dict[str, Any]:
    """What an analysis that sees everything would write."""
    frames = truth["frames"]
    sided = ("knee_flexion_deg", "valgus_deg", "foot_placement")
    rows = [
        {"t": t_s, "person": True, "lumbar_flexion_deg": frames["lumbar_flexion_deg"][i]}
        | {name: {side: frames[name][key][i] for side, key in SIDES.items()} for name in sided}
        for i, t_s in enumerate(frames["t"])
    ]
    alerts = [
        {
            "kind": DEMANDS[fault["kind"]].alert,
            "side": {"L": "left", "R": "right"}.get(fault["side"]),
            "t_start": fault["t_start"],
            "t_end": fault["t_end"],
            "peak": fault["peak"],
        }
        for fault in truth["faults"]
        if fault["kind"] in DEMANDS
    ]
    return {"frames": rows, "reps": [{"t_bottom": rep["t_bottom"]} for rep in truth["reps"]], "alerts": alerts}


def test_the_truth_itself_scores_full_marks(truth: dict[str, Any]) -> None:
    score = score_set(truth, perfect(truth))
    assert score.caught == score.required and sum(score.required.values()) > 0
    assert (sum(score.false.values()), score.excess_s, score.sets_exact, score.notes) == (0, 0.0, 1, [])
    assert all(error == 0 for errors in score.errors.values() for error in errors)
    assert sum(score.unknown.values()) == 0


def test_a_silent_analysis_misses_every_fault_and_says_which(truth: dict[str, Any]) -> None:
    result = perfect(truth) | {"alerts": []}
    score = score_set(truth, result)
    assert sum(score.caught.values()) == 0
    assert len(score.notes) == sum(score.required.values())
    assert any(note.startswith("missed rounding") for note in score.notes)


def test_an_alert_where_nothing_is_wrong_is_false_and_counts_its_seconds(truth: dict[str, Any]) -> None:
    result = perfect(truth)
    result["alerts"].append({"kind": "back_rounding", "side": None, "t_start": 0.5, "t_end": 1.5, "peak": 12})
    score = score_set(truth, result)
    assert score.false == {"rounding": 1}
    assert score.excess_s == pytest.approx(1.0, abs=0.06)


def test_an_alert_on_the_wrong_knee_catches_nothing(truth: dict[str, Any]) -> None:
    result = perfect(truth)
    for alert in result["alerts"]:
        if alert["kind"] == "knee_valgus":
            alert["side"] = "left"
    score = score_set(truth, result)
    assert 0 < score.caught["valgus"] < score.required["valgus"]


def test_a_rep_too_many_and_a_rep_too_late_are_not_exact(truth: dict[str, Any]) -> None:
    extra = perfect(truth)
    extra["reps"].append({"t_bottom": 0.1})
    late = perfect(truth)
    late["reps"][0]["t_bottom"] += 0.6
    assert (score_set(truth, extra).sets_exact, score_set(truth, extra).reps_hit) == (0, len(truth["reps"]))
    assert (score_set(truth, late).sets_exact, score_set(truth, late).reps_hit) == (0, len(truth["reps"]) - 1)


def test_an_unknown_measure_is_counted_as_unknown_not_as_an_error(truth: dict[str, Any]) -> None:
    result = perfect(truth)
    for frame in result["frames"]:
        frame["lumbar_flexion_deg"] = None
    score = score_set(truth, result)
    assert score.unknown["lumbar_flexion_deg"] == score.answers["lumbar_flexion_deg"] == len(result["frames"])
    assert "lumbar_flexion_deg" not in score.errors


@given(st.integers(0, 500), st.integers(0, 500))
def test_wilsons_interval_holds_the_share_and_narrows_with_more_counts(hits: int, misses: int) -> None:
    total = hits + misses
    low, high = wilson(hits, total)
    assert 0.0 <= low <= high <= 1.0
    if total:
        assert low - 1e-9 <= hits / total <= high + 1e-9
        more_low, more_high = wilson(10 * hits, 10 * total)
        assert more_high - more_low < high - low


def test_wilsons_interval_is_the_textbooks() -> None:
    assert wilson(9, 10) == pytest.approx((0.596, 0.982), abs=1e-3)
