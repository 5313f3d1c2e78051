"""The live state: conflated, never stale, and the same for every page."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from kiosk_scenes import IDLE, LIFTING, ROUNDING, warned
from store_samples import ALERT, REP, SET
from web_machine import Clock, Device, WebMachine, make_machine

from web_ui.kiosk import event_stream
from web_ui.live import QUEUE_LENGTH, LiveHub, StreamLimitError


@pytest.fixture(name="machine")
def running(tmp_path: Path) -> WebMachine:
    return make_machine(tmp_path)


@pytest.fixture(name="clock")
def still_clock() -> Clock:
    return Clock()


@pytest.fixture(name="hub")
def fed_by_hand(clock: Clock) -> LiveHub:
    return LiveHub(Device().send, 3, clock)


def events(text: bytes | None) -> list[tuple[str, object]]:
    """(name, data) of each event in Server-Sent Events text."""
    assert text is not None
    found = []
    for block in text.decode().split("\n\n"):
        if block.startswith("event: "):
            name, data = block.split("\n")
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_the_state_is_the_devices_own_record(machine: WebMachine) -> None:
    machine.publish(warned(ROUNDING), seq=7)
    answer = machine.kiosk().get("/api/v1/state")
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["seq"] == 7
    assert answer.json["phase"] == "lifting"
    assert answer.json["warning"] == {
        "kind": "back_rounding",
        "side": None,
        "priority": "medium",
        "sentence": "Lower back is rounding - less depth, hips back",
        "since_s": 120.0,
    }
    assert answer.json["figure"]["hip_left"] == [0.105, 0.0, 0.452]


def test_before_the_first_state_there_is_none(machine: WebMachine) -> None:
    answer = machine.kiosk().get("/api/v1/state")
    assert answer.status_code == 503
    assert answer.json == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "the device process has not reported yet",
    }


def test_a_state_older_than_two_seconds_is_no_state(machine: WebMachine) -> None:
    machine.publish()
    machine.clock.now_s += 2.0
    assert machine.kiosk().get("/api/v1/state").status_code == 200
    machine.clock.now_s += 1.0
    answer = machine.kiosk().get("/api/v1/state")
    assert answer.status_code == 503
    assert answer.json["detail"] == "the device process has not reported for 3 s; its last state is too old to show"
    assert machine.kiosk().get("/healthz").json["status"] == "failed"


def test_a_new_stream_begins_with_the_present_state(hub: LiveHub) -> None:
    hub.publish(replace(LIFTING, seq=5))
    with hub.subscribe() as stream:
        [(name, state)] = events(stream.take(0.0))
    assert name == "state"
    assert isinstance(state, dict)
    assert state["seq"] == 5


def test_a_new_stream_is_not_told_a_stale_state(hub: LiveHub, clock: Clock) -> None:
    hub.publish(LIFTING)
    clock.now_s += 2.5
    with hub.subscribe() as stream:
        assert stream.take(0.0) == b""


def test_a_slow_page_skips_states_but_no_rep_or_alert(hub: LiveHub) -> None:
    with hub.subscribe() as stream:
        for seq in range(1, 6):
            hub.publish(replace(LIFTING, seq=seq))
        hub.publish(REP)
        hub.publish(ALERT)
        hub.publish(SET)
        hub.publish(replace(LIFTING, seq=6))
        told = events(stream.take(0.0))
    assert [name for name, _ in told] == ["rep", "alert", "set", "state"]
    assert told[0][1] == json.loads(json.dumps(asdict(REP)))
    assert isinstance(told[3][1], dict)
    assert told[3][1]["seq"] == 6


def test_states_of_one_stream_keep_a_small_distance(hub: LiveHub, clock: Clock) -> None:
    with hub.subscribe() as stream:
        hub.publish(replace(LIFTING, seq=1))
        assert len(events(stream.take(0.0))) == 1
        hub.publish(replace(LIFTING, seq=2))
        assert stream.take(0.0) == b""
        clock.now_s += 0.05
        [(_, state)] = events(stream.take(0.0))
    assert isinstance(state, dict)
    assert state["seq"] == 2


def test_an_event_is_never_held_back_by_that_distance(hub: LiveHub) -> None:
    with hub.subscribe() as stream:
        hub.publish(replace(LIFTING, seq=1))
        stream.take(0.0)
        hub.publish(ALERT)
        hub.publish(replace(warned(ROUNDING), seq=2))
        assert [name for name, _ in events(stream.take(0.0))] == ["alert", "state"]


def test_what_a_page_far_too_slow_has_missed_is_counted(hub: LiveHub) -> None:
    with hub.subscribe() as stream:
        for number in range(QUEUE_LENGTH + 3):
            hub.publish(replace(REP, number=number))
        told = events(stream.take(0.0))
        assert stream.lost == 3
    assert len(told) == QUEUE_LENGTH
    assert isinstance(told[0][1], dict)
    assert told[0][1]["number"] == 3


def test_streams_beyond_the_cap_are_refused_and_freed_ones_may_be_taken(hub: LiveHub) -> None:
    streams = [hub.subscribe() for _ in range(3)]
    with pytest.raises(StreamLimitError, match="all 3 event streams are in use; close another page"):
        hub.subscribe()
    streams[0].close()
    streams[0].close()
    hub.subscribe()
    assert hub.streams() == 3


def test_a_waiting_stream_wakes_at_once_for_a_state(hub: LiveHub) -> None:
    told: list[bytes | None] = []
    with hub.subscribe() as stream:
        waiting = threading.Thread(target=lambda: told.append(stream.take(30.0)))
        waiting.start()
        hub.publish(IDLE)
        waiting.join(10.0)
    assert [name for name, _ in events(told[0])] == ["state"]


def test_closing_the_hub_ends_every_stream(hub: LiveHub) -> None:
    told: list[bytes | None] = []
    stream = hub.subscribe()
    waiting = threading.Thread(target=lambda: told.append(stream.take(30.0)))
    waiting.start()
    hub.close()
    waiting.join(10.0)
    assert told == [None]


def test_a_silent_stream_beats_and_frees_its_place_when_the_page_leaves(hub: LiveHub, clock: Clock) -> None:
    stream = event_stream(hub.subscribe())
    assert next(stream) == b"retry: 500\n\n"
    hub.publish(LIFTING)
    assert next(stream).startswith(b"event: state\n")
    # the next take would wait a second of real time: move the clock past it from its own reading
    readings = iter([clock.now_s, clock.now_s, clock.now_s + 1.5])
    hub.clock = lambda: next(readings, clock.now_s + 1.5)
    assert next(stream) == b"event: heartbeat\ndata: {}\n\n"
    assert hub.streams() == 1
    stream.close()  # type: ignore[attr-defined] # a generator
    assert hub.streams() == 0


def test_the_stream_beyond_the_cap_is_answered_with_503(machine: WebMachine) -> None:
    held = [machine.hub.subscribe() for _ in range(3)]
    answer = machine.kiosk().get("/api/v1/live")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json["detail"] == "all 3 event streams are in use; close another page"
    assert len(held) == 3


def test_a_refused_command_says_why(machine: WebMachine) -> None:
    machine.device.refuse("Finish this set first, then change the member")
    answer = machine.kiosk().post("/api/v1/tag", json={"tag": "4711"})
    assert answer.status_code == 409
    assert answer.json["detail"] == "Finish this set first, then change the member"


def test_a_silent_device_is_named(machine: WebMachine) -> None:
    machine.device.fall_silent()
    answer = machine.kiosk().post("/api/v1/help", json={})
    assert answer.status_code == 503
    assert answer.json["detail"].startswith("the device process did not answer within 1.5 s")


@pytest.mark.parametrize(
    ("path", "body", "command"),
    [
        ("goal", {"goal": "warm_up"}, ("goal", "warm_up")),
        ("acknowledge", {}, ("acknowledge", None)),
        ("acknowledge", None, ("acknowledge", None)),
        ("tag", {"tag": "04:A2:1F"}, ("tag", "04:A2:1F")),
        ("tag", {"tag": None}, ("tag", None)),
        ("help", {}, ("help", "call")),
        ("help", {"call": False}, ("help", "cancel")),
    ],
)
def test_what_a_member_touches_reaches_the_device(
    machine: WebMachine, path: str, body: dict[str, object] | None, command: tuple[str, str | None]
) -> None:
    sent = {} if body is None else {"json": body}
    answer = machine.kiosk().post(f"/api/v1/{path}", **sent)
    assert (answer.status_code, answer.json) == (200, {"ok": True})
    assert [(each.name, each.value) for each in machine.device.commands] == [command]


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("goal", {}, "goal is None; allowed: glutes, quads, balanced, warm_up"),
        ("goal", {"goal": "arms"}, "goal is 'arms'; allowed: glutes, quads, balanced, warm_up"),
        ("goal", {"goal": ["glutes"]}, "goal is ['glutes']; allowed: glutes, quads, balanced, warm_up"),
        ("goal", {"gaol": "glutes"}, "unknown key 'gaol'; allowed: goal"),
        ("acknowledge", {"all": 1}, "unknown key 'all'; allowed: none"),
        ("tag", {"tag": ""}, "tag: 1 to 64 letters, digits or _ . : - are allowed, or null for a guest"),
        ("tag", {"tag": "a b"}, "tag: 1 to 64 letters, digits or _ . : - are allowed, or null for a guest"),
        ("tag", {"tag": "x" * 65}, "tag: 1 to 64 letters, digits or _ . : - are allowed, or null for a guest"),
        ("help", {"call": "yes"}, "call: true calls staff, false takes the call back"),
        ("help", ["call"], "the body is no JSON object"),
    ],
)
def test_a_wrong_body_is_refused_with_the_reason_and_does_nothing(
    machine: WebMachine, path: str, body: object, reason: str
) -> None:
    answer = machine.kiosk().post(f"/api/v1/{path}", json=body)
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert answer.json["detail"] == reason
    assert machine.device.commands == []


def test_a_body_that_is_no_json_or_too_large_is_refused(machine: WebMachine) -> None:
    client = machine.kiosk()
    assert client.post("/api/v1/goal", data=b"goal=glutes", content_type="text/plain").status_code == 415
    assert client.post("/api/v1/goal", data=b"{", content_type="application/json").status_code == 400
    large = client.post("/api/v1/goal", data=b"x" * 20_000, content_type="application/json")
    assert (large.status_code, large.json["detail"]) == (413, "at most 16384 bytes are allowed")
    assert machine.device.commands == []


def test_unknown_addresses_and_methods_are_problems_too(machine: WebMachine) -> None:
    missing = machine.kiosk().get("/api/v1/nothing")
    assert (missing.status_code, missing.content_type) == (404, "application/problem+json")
    wrong = machine.kiosk().get("/api/v1/goal")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "OPTIONS, POST")
