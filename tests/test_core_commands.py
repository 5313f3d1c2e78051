"""Commands of the kiosk and the staff: done, or refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from core_story import CALIBRATED, Story
from hypothesis import given
from hypothesis import strategies as st

from device.config import Pins, Simulation
from device.core.actions import Calibrate, EndDemo, RecallMember, Reply, StoreChange, Tare
from device.core.commands import TAG
from device.core.events import StoreAnswer
from device.messages import Command

DEMO = CALIBRATED.model_copy(
    update={"simulation": Simulation(scenario="clean"), "pins": Pins(factory="mock")}
)  # fmt: skip


def answer(told: Story, name: str, value: str | None = None) -> Reply:
    told.tell(Command(name, value, "c1"))
    return told.replies[-1]


def test_an_unknown_goal_is_refused_with_what_is_allowed() -> None:
    told = Story().wait(0.5)
    assert answer(told, "goal", "cardio") == Reply(
        "c1", False, "Unknown goal 'cardio': choose glutes, quads, balanced or warm_up"
    )
    assert told.live.goal == "balanced"


def test_a_goal_brings_its_band() -> None:
    told = Story().wait(0.5)
    assert answer(told, "goal", "glutes") == Reply("c1", True)
    assert (told.live.goal, told.live.goal_band) == ("glutes", (0.10, 0.40))


def test_a_tag_recalls_the_member_and_an_empty_one_is_a_guest() -> None:
    told = Story().wait(0.5)
    assert answer(told, "tag", "m-17").ok
    assert RecallMember("m-17") in [action for _, action in told.done]
    assert told.live.member == "m-17"
    assert not told.live.enrolled
    assert answer(told, "tag", "").ok
    assert told.live.member is None


def test_the_member_cannot_change_in_mid_set() -> None:
    told = Story().wait(1).reps(2)
    assert answer(told, "tag", "m-17") == Reply("c1", False, "Finish this set first, then change the member")


@given(st.text(max_size=80))
def test_only_plain_tags_are_taken(text: str) -> None:
    told = Story()
    reply = answer(told, "tag", text)
    assert reply.ok == (text == "" or TAG.fullmatch(text) is not None)
    assert told.state.lifter.tag == (text if reply.ok and text else None)


def test_in_mid_set_a_calibration_is_shown_and_none_is_made() -> None:
    told = Story().wait(1).reps(2)
    assert answer(told, "calibrate", '{"part": "load", "do": "store"}') == Reply(
        "c1", False, "Finish the set first: calibrating needs the machine for itself"
    )
    told.tell(Command("calibrate", '{"part": "load", "do": "show"}', "c2", target="show"))
    asked = [action for _, action in told.done if isinstance(action, Calibrate)]
    assert asked == [Calibrate("c2", '{"part": "load", "do": "show"}', only_show=True)]


def test_the_scale_is_only_set_to_zero_when_the_plate_is_free() -> None:
    told = Story(load_kg=60.0).wait(1)
    assert answer(told, "tare") == Reply("c1", False, "Take your feet off the plate first: zero is the empty machine")
    told.load_kg = 0.0
    told.wait(7)
    assert answer(told, "tare").ok
    assert [action for _, action in told.done if isinstance(action, Tare)] == [Tare()]


def test_help_is_called_and_answered_and_the_machine_taken_out_of_order() -> None:
    told = Story().wait(0.5)
    assert answer(told, "help").ok
    assert told.live.help_called
    assert answer(told, "help", "cancel").ok
    assert not told.live.help_called
    assert answer(told, "help", "out_of_order").ok
    assert told.live.phase == "out_of_order"
    told.wait(0.5)
    assert "out_of_order" in [condition.kind for condition in told.live.conditions]
    assert answer(told, "help", "in_order").ok
    told.wait(0.5)
    assert told.live.phase == "seated"
    assert not answer(told, "help", "pizza").ok


def test_only_a_demonstration_ends_on_request() -> None:
    assert answer(Story(), "shutdown_demo") == Reply("c1", False, "Only a demonstration can be ended from outside")
    told = Story(config=DEMO)
    assert answer(told, "shutdown_demo").ok
    assert EndDemo() in [action for _, action in told.done]


def test_a_command_without_an_id_gets_no_reply() -> None:
    told = Story().wait(0.1)
    told.tell(Command("goal", "quads"))
    assert told.replies == []
    assert told.live.goal == "quads"


@pytest.mark.parametrize("value", ["call", "", None])
def test_a_call_for_help_needs_no_words(value: str | None) -> None:
    told = Story().wait(0.1)
    assert answer(told, "help", value).ok
    assert told.live.help_called


def test_the_core_reads_no_clock_and_touches_nothing() -> None:
    forbidden = ("import time", "import os", "open(", "import numpy", "import gpiozero", "import zmq", "random")
    core = Path(__file__).parent.parent / "device/core"
    found = [
        (path.name, word) for path in core.glob("*.py") for word in forbidden if word in path.read_text()
    ]  # fmt: skip
    assert found == []


# --- what the store must do ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (Command("review", "good", "c1", target="a1"), "Unknown review 'good': choose right, wrong, unsure"),
        (Command("review", "right", "c1"), "A review names its alert"),
        (
            Command("delete_member", "a b", "c1"),
            "A member's tag has 1 to 64 letters, digits or . _ : - and no spaces",
        ),
        (
            Command("audit", "x" * 401, "c1", target="w"),
            "An audit entry has a word of 1 to 40 letters and at most 400 more",
        ),
    ],
)  # fmt: skip
def test_a_change_that_makes_no_sense_never_reaches_the_store(command: Command, reason: str) -> None:
    told = Story()
    told.tell(command)
    assert [(each.command_id, each.ok, each.error) for each in told.of(Reply)] == [("c1", False, reason)]
    assert told.of(StoreChange) == []


def test_a_change_is_answered_once_the_store_has_made_it() -> None:
    told = Story()
    told.tell(Command("review", "right", "c1", target="a1", who="staff"))
    assert told.of(Reply) == []
    assert [each.command.target for each in told.of(StoreChange)] == ["a1"]
    told.tell(StoreAnswer("c1"))
    told.tell(StoreAnswer("c2", "there is no alert 'a2' any more"))
    assert [(each.command_id, each.ok, each.error) for each in told.of(Reply)] == [
        ("c1", True, None), ("c2", False, "there is no alert 'a2' any more"),
    ]  # fmt: skip


def test_a_member_who_is_deleted_while_on_the_machine_becomes_a_guest() -> None:
    told = Story()
    told.tell(Command("tag", "m-17", "c1"))
    told.tell(Command("delete_member", "m-17", "c2", who="staff"))
    assert told.state.lifter.tag is None
    assert [each.command.value for each in told.of(StoreChange)] == ["m-17"]
