"""What the member hears and sees: one warning, one sound, one light; coaching with restraint."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from core_story import CALIBRATED, Story, as_measured
from hypothesis import given, settings
from hypothesis import strategies as st

from device.core.actions import PlaySound
from device.messages import ButtonPressed, Command, SeatSample


@pytest.fixture(autouse=True)
def measures_count_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.core.step.judge", as_measured)


def lifting(**measures: Any) -> Story:
    """A lifter under a load that is light for them, at the top."""
    told = Story(measures=measures, load_kg=50.0)
    told.state = told.state._replace(lifter=replace(told.state.lifter, usual_load_kg=100.0))
    told.seat = SeatSample(0.0, 0.15, 4, "ok")
    return told


def test_a_safety_fault_sounds_in_the_step_that_raises_it() -> None:
    told = lifting().wait(1)
    told.measures = {"lumbar": 12.0}
    for _ in range(10):
        told.frame()
    raised = [t for t, action in told.done if isinstance(action, PlaySound)]
    assert raised == [told.alerts[0].t_start_s]
    assert told.heard == ["medium:back_rounding"]


def test_high_sounds_until_it_ends_and_medium_plays_once() -> None:
    told = lifting().wait(1)
    told.measures = {"lumbar": 20.0}
    told.wait(5)
    assert told.sounds == ["high:back_rounding"]
    assert told.live.sound == "high:back_rounding"
    told.measures = {}
    told.wait(1)
    assert told.sounds == ["high:back_rounding", "confirm", None]
    mild = lifting().wait(1)
    mild.measures = {"valgus_left": 9.0}
    mild.wait(5)
    assert mild.sounds == ["medium:knee_valgus", None]
    assert mild.live.warning is not None


def test_a_lasting_fault_sounds_again_with_each_rep_and_not_between() -> None:
    told = lifting(slide=0.06).wait(6)
    assert told.heard == ["medium:hips_forward"]
    told.reps(2)
    assert told.heard == ["medium:hips_forward"] * 3


def test_a_wavering_fault_does_not_stutter() -> None:
    told = lifting().wait(1)
    for i in range(40):
        told.measures = {"valgus_left": 9.0 if i % 8 < 4 else 0.0}
        told.frame()
    assert told.heard.count("medium:knee_valgus") == 1
    assert len(told.alerts) > 2


def test_the_most_urgent_fault_is_the_warning_and_the_others_are_listed() -> None:
    told = lifting(valgus_left=9.0).wait(2)
    assert told.live.warning is not None
    assert told.live.warning.kind == "knee_valgus"
    told.measures["lumbar"] = 20.0
    told.wait(1)
    assert told.live.warning.kind == "back_rounding"
    assert [fault.kind for fault in told.live.active_faults] == ["knee_valgus", "back_rounding"]
    assert told.live.light == "red"
    assert told.state.cues.flash == "fast"


def test_coaching_is_given_once_a_rep() -> None:
    told = lifting(heel=lambda depth: 12.0 if depth > 0.3 else 0.0, foot=0.9).wait(0.4)
    told.rep()
    assert set(told.alert_kinds) == {"heel_lift", "feet_mismatch"}
    assert [sound for sound in told.heard if sound.startswith("low:")] == ["low:heel_lift"]


def test_a_safety_fault_is_not_drowned_by_coaching() -> None:
    told = lifting(foot=0.9, lumbar=12.0).wait(3)
    assert told.live.warning is not None
    assert told.live.warning.kind == "back_rounding"
    assert "low:feet_mismatch" not in told.heard


def test_a_correction_is_confirmed_for_two_seconds_with_a_rising_tone() -> None:
    told = lifting(valgus_right=9.0).wait(2)
    told.measures = {}
    told.wait(0.3)
    assert told.live.confirmation == "Good - knees in line"
    assert told.sounds[-1] == "confirm"
    assert told.live.light == told.lights[-1][0]
    told.wait(2.2)
    assert told.live.confirmation is None


def test_nothing_is_confirmed_while_something_else_is_wrong() -> None:
    told = lifting(valgus_right=9.0, lumbar=12.0).wait(2)
    told.measures = {"lumbar": 12.0}
    told.wait(1)
    assert told.live.confirmation is None
    assert "confirm" not in told.heard


def test_acknowledging_silences_medium_and_lets_high_break_through() -> None:
    told = lifting(valgus_left=9.0).wait(2)
    told.tell(ButtonPressed(told.t_s))
    told.measures = {}
    told.wait(3)
    told.forget()
    told.measures = {"valgus_left": 9.0}
    told.wait(3)
    assert [sound for sound in told.heard if sound.startswith("medium")] == []
    assert told.live.warning is not None
    assert told.live.light == "amber"
    told.measures = {"lumbar": 20.0}
    told.wait(1)
    assert "high:back_rounding" in told.heard


def test_acknowledging_coaching_lets_medium_break_through() -> None:
    told = lifting(foot=0.9).wait(3)
    assert told.heard == ["low:feet_mismatch"]
    told.tell(Command("acknowledge"))
    told.measures["lumbar"] = 12.0
    told.wait(1)
    assert told.heard == ["low:feet_mismatch", "medium:back_rounding"]


def test_high_cannot_be_silenced() -> None:
    told = lifting(lumbar=20.0).wait(2)
    told.tell(ButtonPressed(told.t_s))
    told.wait(2)
    assert told.live.sound == "high:back_rounding"


def test_the_silence_ends_after_its_time() -> None:
    short = CALIBRATED.model_copy(update={"cueing": CALIBRATED.cueing.model_copy(update={"acknowledge_s": 6.0})})
    told = lifting(valgus_left=9.0)
    told.state = told.state._replace(config=short)
    told.wait(2)
    told.tell(ButtonPressed(told.t_s))
    told.measures = {}
    told.wait(4)
    told.forget()
    told.measures = {"valgus_left": 9.0}
    told.wait(1.5)
    assert told.heard == []
    told.measures = {}
    told.wait(1)
    told.measures = {"valgus_left": 9.0}
    told.wait(1)
    assert told.heard == ["medium:knee_valgus"]


def test_the_button_chooses_the_next_goal_when_there_is_nothing_to_acknowledge() -> None:
    told = Story().wait(1)
    told.tell(ButtonPressed(told.t_s))
    assert told.live.goal == "warm_up"
    told.tell(ButtonPressed(told.t_s))
    assert told.live.goal == "glutes"
    busy = lifting().wait(2)
    busy.tell(ButtonPressed(busy.t_s))
    assert busy.live.goal == "balanced"


def test_a_long_press_calls_staff_and_a_short_one_answers_the_call() -> None:
    told = Story().wait(1)
    told.tell(ButtonPressed(told.t_s, held=True))
    assert told.live.help_called
    assert told.heard == ["help"]
    told.tell(ButtonPressed(told.t_s))
    assert not told.live.help_called
    assert told.sounds == ["help", None]
    assert told.live.goal == "balanced"


def test_the_light_tells_rest_work_enrolment_and_trouble_apart() -> None:
    told = lifting()
    told.load_kg = 0.0
    told.wait(1, person=False)
    assert told.lights == []
    told.wait(1)
    assert told.lights == [("green", "steady")]
    told.tell(Command("enrol"))
    assert told.lights[-1] == ("blue", "steady")
    told.tell(Command("enrol", "cancel"))
    told.wait(2, pose=False)
    assert told.lights[-1] == ("amber", "steady")


def test_the_form_check_going_off_under_a_lifter_is_heard_once() -> None:
    told = lifting().wait(2)
    told.wait(4, pose=False)
    assert told.heard == ["low:form_check_off"]
    idle = Story().wait(2).wait(4, pose=False)
    assert idle.heard == []


def test_outputs_are_only_set_when_they_change() -> None:
    told = lifting(lumbar=12.0).wait(5)
    lights = told.lights
    assert len(lights) > 1
    assert all(a != b for a, b in pairwise(lights))


PRIORITY = {"low": 1, "medium": 2, "high": 3}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["press", "valgus", "round", "heel", "clean"]), st.booleans()), max_size=12))
def test_acknowledged_sounds_stay_silent_for_at_most_the_limit(moves: list[tuple[str, bool]]) -> None:
    courses: dict[str, dict[str, Any]] = {
        "valgus": {"valgus_left": 9.0}, "round": {"lumbar": 20.0}, "heel": {"heel": 12.0}, "clean": {},
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("device.core.step.judge", as_measured)
        told = lifting().wait(1)
        for move, with_rep in moves:
            if move == "press":
                told.tell(ButtonPressed(told.t_s))
                assert told.state.cues.silenced_until_s <= told.t_s + 60.0
            else:
                told.measures = courses[move]
                before = len(told.done)
                silenced = told.state.cues.silenced_rank
                told.rep() if with_rep else told.wait(0.7)
                for t_s, action in told.done[before:]:
                    if isinstance(action, PlaySound) and action.pattern is not None and ":" in action.pattern:
                        rank = PRIORITY[action.pattern.split(":")[0]]
                        assert rank > silenced or t_s >= told.state.cues.silenced_until_s
            if any(fault.priority == "high" and fault.cued for fault in told.state.faults):
                assert told.state.cues.sound is not None
                assert told.state.cues.sound.startswith("high:")
        told.measures = {}
        told.wait(3)
        assert told.live.warning is None
        assert told.live.sound is None
