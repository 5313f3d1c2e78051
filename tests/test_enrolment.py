"""Enrolment: two slow reps become the member's neutral, or the lifter reads why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_story import NEUTRAL, Story, as_measured

from device.core.actions import RecallMember, StoreNeutral
from device.core.events import MemberRecalled
from device.core.posture import NeutralError, NeutralProfile
from device.messages import Command, PoseSample, SeatSample


@pytest.fixture(autouse=True)
def measures_count_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.core.step.judge", as_measured)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[list[PoseSample]]:
    """What was given to learn from."""
    given: list[list[PoseSample]] = []

    def learn(samples: tuple[PoseSample, ...]) -> NeutralProfile:
        given.append(list(samples))
        return NEUTRAL

    monkeypatch.setattr("device.core.enrolment.learn_neutral", learn)
    return given


def member() -> Story:
    told = Story(enrolled=False)
    told.seat = SeatSample(0.0, 0.10, 3, "ok")
    told.wait(1)
    told.tell(Command("tag", "m-17"))
    told.tell(MemberRecalled("m-17"))
    return told


def test_two_slow_reps_become_the_members_neutral(shown: list[list[PoseSample]]) -> None:
    told = member()
    told.tell(Command("enrol", id="c1"))
    assert told.replies[-1].ok
    assert told.live.phase == "enrolment"
    assert told.live.advice == ("Show me your neutral: two slow reps, light load",)
    told.wait(1).rep(down_s=2, up_s=2, rest_s=1)
    assert told.live.enrolment_reps_left == 1
    told.rep(down_s=2, up_s=2, rest_s=1)
    assert told.live.enrolled
    assert told.live.confirmation == "Good - your neutral is saved"
    stored = [action for _, action in told.done if isinstance(action, StoreNeutral)]
    assert [(action.tag, action.neutral, action.goal, action.seat_notch) for action in stored] == [
        ("m-17", NEUTRAL, "balanced", 3)
    ]
    assert [(record.enrolment, record.reps) for record in told.set_records if record.ended_utc] == [(True, 2)]
    (samples,) = shown
    duration_s = samples[-1].t_s - samples[0].t_s
    assert 9.0 < duration_s < 12.5
    assert [a.t_s for a in samples] == sorted(a.t_s for a in samples)


def test_a_neutral_that_cannot_be_learnt_says_why_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(samples: tuple[PoseSample, ...]) -> NeutralProfile:
        raise NeutralError("the carriage moved 9 cm: repeat the two reps, a little deeper")

    monkeypatch.setattr("device.core.enrolment.learn_neutral", refuse)
    told = member()
    told.tell(Command("enrol"))
    told.rep(rest_s=1).rep(rest_s=1)
    assert told.live.phase == "enrolment"
    assert not told.live.enrolled
    assert told.live.advice[0] == "the carriage moved 9 cm: repeat the two reps, a little deeper"
    assert told.live.enrolment_reps_left == 2


def test_fast_reps_are_asked_for_again(shown: list[list[PoseSample]]) -> None:
    told = member()
    told.tell(Command("enrol"))
    told.rep(down_s=0.5, rest_s=1)
    assert told.live.enrolment_reps_left == 2
    assert told.live.advice[0].startswith("Slower:")
    told.rep(rest_s=1).rep(rest_s=1)
    assert told.live.enrolled
    assert len(shown) == 1
    assert shown[0][-1].t_s - shown[0][0].t_s < 8.0


def test_the_warm_up_of_a_member_without_neutral_begins_with_enrolment() -> None:
    told = member()
    told.tell(Command("goal", "warm_up"))
    assert told.live.phase == "enrolment"
    told.tell(Command("goal", "quads"))
    assert told.live.phase == "seated"


def test_the_warm_up_of_who_looks_other_than_at_the_enrolment_begins_with_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = member()
    told.tell(MemberRecalled("m-17", neutral=NEUTRAL))
    told.wait(1)
    told.tell(Command("goal", "warm_up"))
    assert told.live.phase != "enrolment"  # as at the enrolment: nothing to be shown again

    def judged(*seen: Any) -> Any:
        state, posture = as_measured(*seen)
        return state, replace(posture, unlike={"side": "changed"})

    monkeypatch.setattr("device.core.step.judge", judged)
    told.wait(0.5)
    assert told.live.phase != "enrolment"  # nobody is surprised by it in the middle
    told.tell(Command("goal", "warm_up"))
    assert told.live.phase == "enrolment"


def test_the_warm_up_waits_for_the_store_before_it_asks_for_a_neutral() -> None:
    told = Story(enrolled=False).wait(1)
    told.tell(Command("goal", "warm_up"))
    told.tell(Command("tag", "m-18"))
    assert told.live.phase == "seated"
    assert [action.tag for _, action in told.done if isinstance(action, RecallMember)] == ["m-18"]
    told.tell(MemberRecalled("m-18", NEUTRAL, 90.0, 4))
    assert told.live.phase == "seated"
    assert told.live.enrolled


def test_an_answer_for_somebody_else_is_dropped() -> None:
    told = member()
    told.tell(MemberRecalled("m-99", NEUTRAL, 90.0, 4))
    assert not told.live.enrolled


def test_a_guest_may_enrol_for_the_visit_without_being_stored(shown: list[list[PoseSample]]) -> None:
    told = Story(enrolled=False).wait(1)
    told.tell(Command("enrol"))
    told.rep(rest_s=1).rep(rest_s=1)
    assert told.live.enrolled
    assert len(shown) == 1
    assert [action for _, action in told.done if isinstance(action, StoreNeutral)] == []


def test_without_a_camera_enrolment_is_refused_with_the_reason() -> None:
    told = Story().wait(3, pose=False)
    told.tell(Command("enrol", id="c1"))
    assert [(reply.command_id, reply.ok) for reply in told.replies] == [("c1", False)]
    assert told.replies[0].error is not None
    assert "form check is off" in told.replies[0].error


def test_the_reps_after_enrolment_are_a_set_of_their_own(shown: list[list[PoseSample]]) -> None:
    told = member()
    told.tell(Command("enrol"))
    told.rep(rest_s=1).rep(rest_s=1).reps(3).wait(6)
    ended = [record for record in told.set_records if record.ended_utc]
    assert [(a.enrolment, a.enrolled, a.reps) for a in ended] == [(True, False, 2), (False, True, 3)]
    assert len(shown) == 1


def test_enrolment_may_be_cancelled() -> None:
    told = member()
    told.tell(Command("enrol"))
    told.tell(Command("enrol", "cancel"))
    assert told.live.phase == "seated"
    assert told.live.enrolment_reps_left == 0
