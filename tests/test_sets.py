"""Sets, reps and records: when a set begins and ends, what is stored of it, and when a rep is uncertain."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from core_story import CALIBRATED, Story, as_measured

from device.config import Load
from device.core.actions import Show, StoreAlert, StoreRep, StoreSet
from device.core.records import replay_data
from device.messages import Command, LoadSample, PoseSample, SeatSample


@pytest.fixture(autouse=True)
def measures_count_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.core.step.judge", as_measured)


def test_a_set_begins_when_a_seated_lifter_takes_the_load() -> None:
    told = Story(load_kg=0.0).wait(2)
    assert told.live.phase == "seated"
    told.load_kg = 60.0
    told.wait(0.6)
    assert told.live.phase == "ready"
    assert told.live.advice == ("Back flat, core braced, knees over toes",)
    told.rep()
    assert told.live.phase == "lifting"


def test_hands_on_an_empty_machine_do_not_begin_a_set() -> None:
    told = Story(load_kg=60.0).wait(3, person=False)
    assert told.live.phase == "idle"
    assert told.state.set is None


def test_without_a_load_cell_a_set_begins_with_its_first_rep_and_ends_after_the_rest() -> None:
    told = Story().wait(1).reps(3)
    assert told.live.phase == "lifting"
    told.wait(4)
    assert told.live.phase == "lifting"
    told.wait(1)
    assert told.live.phase == "rest"
    assert told.live.rest_elapsed_s == pytest.approx(5.4, abs=0.5)
    first, last = told.set_records[0], told.set_records[-1]
    assert first.set_id == last.set_id == "test-s1"
    assert (first.ended_utc, last.reps) == (None, 3)
    assert last.ended_utc is not None


def test_a_pause_with_the_load_held_does_not_end_the_set_and_letting_go_does() -> None:
    told = Story(load_kg=60.0).wait(1).reps(2).wait(12)
    assert told.live.phase == "lifting"
    told.rep()
    assert len(told.rep_records) >= 2
    told.load_kg = 0.0
    told.wait(5.6)
    assert told.live.phase == "rest"
    assert told.set_records[-1].reps == 3


def test_a_weight_put_down_ends_the_set_after_two_seconds() -> None:
    told = Story(load_kg=60.0).wait(1).reps(2)
    told.load_kg = 0.0
    told.wait(1.8)
    assert told.live.phase == "lifting"
    told.wait(0.5)
    assert told.live.phase == "rest"


def test_a_sled_put_down_at_the_bottom_ends_the_set_without_counting_a_rep() -> None:
    told = Story(load_kg=60.0).wait(1).rep()
    for i in range(30):
        told.frame(0.25 * i / 30, i / 30)
    told.load_kg = 0.0
    told.wait(5.5, carriage_m=0.25)
    assert told.live.phase == "rest"
    assert [rep.number for rep in told.rep_records] == [1]


def test_the_shown_load_does_not_swing_with_the_sled() -> None:
    told = Story(load_kg=100.0).wait(1)
    frame = told.frame

    def swinging(carriage_m: float | None = 0.0, depth: float = 0.0, **options: Any) -> None:
        told.load_kg = 100.0 + 40.0 * (2.0 * depth - 1.0)
        frame(carriage_m, depth, **options)

    told.frame = swinging
    told.rep().forget()
    told.rep()
    shown = [live.load_kg for live in told.lives if live.load_kg is not None]
    assert max(shown) - min(shown) < 12.0
    assert told.lives[-1].phase == "lifting"


def test_a_load_that_is_never_let_go_does_not_keep_a_set_open_for_ever() -> None:
    told = Story(load_kg=60.0).wait(1).reps(2).wait(21)
    assert told.live.phase == "rest"
    told.wait(5)
    assert told.live.phase == "rest"
    told.rep()
    assert told.live.phase == "lifting"
    assert told.live.set is not None
    assert told.live.set.number == 2


def test_taking_the_load_and_putting_it_back_leaves_no_record() -> None:
    told = Story(load_kg=60.0).wait(2)
    told.load_kg = 0.0
    told.wait(7).stop()
    assert told.set_records == []
    assert [a for _, a in told.done if isinstance(a, StoreSet | StoreRep)] == []


def test_sets_are_numbered_within_a_visit_and_named_uniquely() -> None:
    told = Story().wait(1).reps(1).wait(6).reps(1).wait(6)
    assert [(record.set_id, record.reps) for record in told.set_records if record.ended_utc] == [
        ("test-s1", 1), ("test-s2", 1),
    ]  # fmt: skip
    assert told.live.set is not None
    assert told.live.set.number == 2


def test_a_rep_is_shown_at_once_and_recorded_with_its_set_when_its_top_is_over() -> None:
    told = Story().wait(1).rep(rest_s=0.3)
    assert told.live.set is not None
    assert [mark.number for mark in told.live.set.reps] == [1]
    assert told.rep_records == []
    told.wait(0.8)
    stored = [action for _, action in told.done if isinstance(action, StoreRep)]
    assert [(action.rep.number, action.set.reps, action.set.set_id) for action in stored] == [(1, 1, "test-s1")]


def test_the_set_is_stored_before_any_rep_or_alert_that_refers_to_it() -> None:
    told = Story(measures={"valgus_left": lambda depth: 12.0 * depth}).wait(1).reps(2).wait(6)
    kinds = [type(action) for _, action in told.done if isinstance(action, StoreSet | StoreRep | StoreAlert)]
    assert kinds[0] is StoreSet
    assert {action.alert.set_id for _, action in told.done if isinstance(action, StoreAlert)} == {"test-s1"}


def test_the_end_of_a_recording_closes_rep_set_faults_and_replays() -> None:
    told = Story(measures={"lumbar": 12.0}).wait(1).rep(rest_s=0.2).stop()
    assert [rep.number for rep in told.rep_records] == [1]
    assert told.set_records[-1].ended_utc is not None
    assert all(alert.t_end_s is not None for alert in told.alerts)
    assert len(told.replays) == 1
    assert told.state.faults == ()
    assert told.state.set is None


def test_stopping_in_mid_lowering_counts_nothing() -> None:
    told = Story().wait(1)
    for i in range(20):
        told.frame(0.012 * i, i / 20)
    told.stop()
    assert told.rep_records == []


def test_speed_and_power_of_a_rep_follow_from_load_and_carriage() -> None:
    on_stack = CALIBRATED.model_copy(update={"load": Load(location="stack", counts_per_kg=1000.0)})
    told = Story(config=on_stack, load_kg=80.0, fps=30.0).wait(1).rep(down_s=1.5, up_s=1.0).stop()
    (rep,) = told.rep_records
    assert rep.mean_speed_m_s == pytest.approx(0.25, abs=0.03)
    assert rep.mean_power_w == pytest.approx(80 * 9.81 * 0.25, rel=0.15)
    assert rep.peak_load_kg == 80.0
    assert told.set_records[-1].load_kg == pytest.approx(80.0)


def test_an_unknown_load_stays_unknown_in_every_record() -> None:
    told = Story().wait(1)
    for quality in ("uncalibrated", "saturated", "failed", "rejected", "stale"):
        told.tell(LoadSample(told.t_s, None, None, quality))
        told.wait(0.3)
        assert told.live.load_kg is None
    told.reps(1).stop()
    (rep,) = told.rep_records
    assert (rep.peak_load_kg, rep.mean_power_w, told.set_records[-1].load_kg) == (None, None, None)


@pytest.mark.parametrize(
    "measures",
    [
        {"lumbar": None},
        {"valgus_left": None},
        {"lumbar": lambda depth: None if depth > 0.2 else 0.0},
    ],
)
def test_a_rep_whose_back_or_knees_were_mostly_unseen_is_uncertain(measures: dict[str, Any]) -> None:
    told = Story(measures=measures).wait(1).rep().stop()
    assert [rep.verdict for rep in told.rep_records] == ["uncertain"]


def test_a_rep_measured_with_large_errors_is_uncertain() -> None:
    told = Story().wait(1)
    sure = told.sample
    told.sample = lambda *a, **k: replace(sure(*a, **k), standard_error={"valgus_left_deg": 9.0})
    assert [rep.verdict for rep in told.rep().stop().rep_records] == ["uncertain"]


def test_a_camera_that_sees_neither_back_nor_knees_calls_no_rep_good() -> None:
    told = Story().wait(1)
    seen = told.sample

    def oblique(*a: Any, **k: Any) -> PoseSample:
        return replace(seen(*a, **k), checks=("knee_flexion", "foot_placement", "carriage"))

    told.sample = oblique
    assert [rep.verdict for rep in told.rep().stop().rep_records] == ["uncertain"]


def test_worst_values_and_knee_range_of_a_rep_are_recorded() -> None:
    told = Story(measures={"valgus_left": lambda depth: 3.0 * depth, "lumbar": lambda depth: 4.0 * depth - 1.0})
    (rep,) = told.wait(1).rep().stop().rep_records
    assert rep.worst_valgus_left_deg == pytest.approx(3.0, abs=0.05)
    assert rep.worst_valgus_right_deg == 0.0
    assert rep.worst_rounding_deg == pytest.approx(3.0, abs=0.05)
    assert rep.worst_arching_deg == pytest.approx(0.9, abs=0.15)
    assert rep.max_knee_flexion_deg == pytest.approx(95.0, abs=0.5)


def test_a_replay_holds_five_seconds_before_and_after_the_onset_without_pictures() -> None:
    told = Story(measures={"lumbar": lambda depth: 15.0 * depth}).wait(8).rep().wait(6)
    (stored,) = told.replays
    data = replay_data(stored)
    assert data["t_s"][0] == pytest.approx(-5.0, abs=0.2)
    assert data["t_s"][-1] == pytest.approx(5.0, abs=0.2)
    assert set(data) == {"t_s", "figure", "curves"}
    assert {len(curve) for curve in data["curves"].values()} == {len(data["t_s"])}
    assert max(data["curves"]["lumbar_flexion_deg"]) == pytest.approx(15.0, abs=0.2)
    assert data["figure"][0] == {"hip_left": [0.1, 0.0, 0.5]}


def test_the_live_state_follows_the_visit_from_idle_to_rest() -> None:
    told = Story(load_kg=0.0)
    told.seat = SeatSample(0.0, 0.10, 3, "ok")
    told.wait(1, person=False).wait(1)
    told.load_kg = 60.0
    told.wait(1).reps(2)
    told.load_kg = 0.0
    told.wait(7)
    phases = [live.phase for live in told.lives]
    order = [phase for i, phase in enumerate(phases) if i == 0 or phase != phases[i - 1]]
    assert order == ["idle", "seated", "ready", "lifting", "rest"]
    assert told.live.seat_notch == 3
    assert told.live.set is not None
    assert [mark.verdict for mark in told.live.set.reps] == ["good", "good"]


def test_depth_and_phase_of_the_rep_are_shown_as_it_goes() -> None:
    told = Story().wait(1).rep().rep()
    depths = [live.set.depth for live in told.lives if live.set is not None and live.set.depth is not None]
    assert max(depths) == pytest.approx(1.0, abs=0.1)
    seen = {live.set.rep_phase for live in told.lives if live.set is not None}
    assert seen == {"top", "eccentric", "bottom", "concentric"}


def test_the_state_is_published_at_least_twice_a_second_and_numbered() -> None:
    told = Story().wait(3).wait(3, pose=False)
    times = [t for t, a in told.done if isinstance(a, Show)]
    assert max(b - a for a, b in pairwise(times)) <= 0.51
    assert [live.seq for live in told.lives] == list(range(1, len(told.lives) + 1))


def test_a_member_who_has_left_is_forgotten_after_half_a_minute() -> None:
    told = Story().wait(1)
    told.tell(Command("tag", "m-17"))
    told.wait(2).wait(28, person=False)
    assert told.live.member == "m-17"
    told.wait(4, person=False)
    assert told.live.member is None
    assert not told.live.enrolled


@pytest.mark.parametrize("clock_utc", ["2026-11-20T09:00:00+00:00", "2026-11-20T23:00:00+00:00"])
def test_a_clock_that_is_set_during_a_set_moves_none_of_its_times_and_counts_from_the_next_on(clock_utc: str) -> None:
    told = Story(load_kg=60.0).wait(1).reps(2)
    told.wall_utc = clock_utc
    told.reps(2)
    told.load_kg = 0.0
    told.wait(8)
    ended_utc = told.set_records[-1].ended_utc
    assert ended_utc is not None
    starts = [datetime.fromisoformat(rep.started_utc) for rep in told.rep_records]
    assert [2.0 < (b - a).total_seconds() < 4.0 for a, b in pairwise(starts)] == [True] * 3
    assert 0.0 < (datetime.fromisoformat(ended_utc) - starts[-1]).total_seconds() < 10.0
    told.forget()
    told.load_kg = 60.0
    told.wait(1).reps(2)
    begun = datetime.fromisoformat(told.set_records[-1].started_utc)
    assert abs((begun - datetime.fromisoformat(clock_utc)).total_seconds()) < 60.0
