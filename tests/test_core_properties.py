"""What holds for any course of events, however late, doubled, incomplete or contradictory."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest
from core_story import ALL_CHECKS, CALIBRATED, NEUTRAL, START_UTC, Story, as_measured
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device.bus import decode, encode
from device.core.actions import Action, PlaySound, Publish, Show, StoreAlert, StoreRep, StoreSet
from device.core.events import Event, MemberRecalled, Stop, StoreStatus, Tick
from device.core.live import live_state
from device.core.state import CoreState
from device.core.step import step
from device.messages import (
    AlertRecord,
    ButtonPressed,
    CameraStatus,
    CarriageSample,
    Command,
    LiveState,
    LoadSample,
    PadSample,
    PoseSample,
    RepRecord,
    SeatSample,
    SetRecord,
    Sided,
)

degrees = st.none() | st.floats(-60, 160)
sides = st.builds(Sided, degrees, degrees)
calm = st.none() | st.floats(-3.5, 3.5)


def poses(posture: st.SearchStrategy[float | None], knees: st.SearchStrategy[Sided]) -> st.SearchStrategy[Event]:
    return st.builds(
        PoseSample,
        seq=st.just(1),
        t_s=st.just(0.0),
        person=st.booleans(),
        cameras=st.just((CameraStatus("a", "side", "ok", 15.0, 0, 0.1),)),
        checks=st.sampled_from([(), ("knee_flexion", "carriage"), ALL_CHECKS]),
        knee_flexion_deg=knees,
        valgus_deg=st.builds(Sided, posture, posture),
        lumbar_flexion_deg=posture,
        hip_slide_m=st.sampled_from([None, -0.02, 0.02]),
        foot_placement=st.builds(Sided, st.sampled_from([None, 0.3, 0.65])),
        carriage_m=st.none() | st.floats(-0.1, 0.5),
    )


NAMES = ["goal", "acknowledge", "tag", "help", "enrol", "tare", "shutdown_demo"]
VALUES = [None, "quads", "warm_up", "m-1", "cancel", "out_of_order", "x y"]
KG = st.sampled_from([None, -50.0, 0.0, 3.0, 60.0, 60.0, 90.0, 900.0])
NOTCHES = st.sampled_from([None, 1, 3, 7])
OTHERS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Tick, st.just(0.0), st.sampled_from([START_UTC, START_UTC, "", "not a time"])),
    st.builds(LoadSample, st.just(0.0), st.none(), KG, st.sampled_from(["ok", "ok", "rejected", "stale", "failed"])),
    st.builds(SeatSample, st.just(0.0), st.just(0.1), NOTCHES, st.sampled_from(["ok", "between", "open", "stale"])),
    st.builds(ButtonPressed, st.just(0.0), st.booleans()),
    st.builds(Command, st.sampled_from(NAMES), st.sampled_from(VALUES), st.just("1")),
    st.builds(MemberRecalled, st.sampled_from([None, "m-1"]), st.sampled_from([None, NEUTRAL]), st.just(80.0)),
    st.builds(StoreStatus, st.booleans(), st.just("")),
)
SHARES = st.sampled_from([None, 0.0, 0.1, 0.5, float("nan")])
MACHINE_OWN: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        CarriageSample,
        st.just(0.0),
        st.none() | st.floats(-0.1, 0.5) | st.just(float("nan")),
        st.sampled_from(["ok", "ok", "ok", "stale", "failed"]),
    ),
    st.builds(PadSample, st.just(0.0), SHARES, SHARES, st.sampled_from(["ok", "ok", "ok", "open", "failed"])),
)
"""The sled's own sensor, and the back pad's."""
STEPS_S = st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.1, 0.2, 1.5, -0.3])


def placed(course: list[tuple[float, Event]]) -> list[Event]:
    """The events with their times: steps added up."""
    t_s, events = 50.0, []
    for step_s, event in course:
        t_s += step_s
        events.append(replace(event, t_s=t_s) if hasattr(event, "t_s") else event)
    return events


def courses(
    posture: st.SearchStrategy[float | None] = degrees,
    knees: st.SearchStrategy[Sided] = sides,
    others: st.SearchStrategy[Event] = OTHERS,
) -> st.SearchStrategy[list[Event]]:
    pose = poses(posture, knees)
    return st.lists(st.tuples(STEPS_S, st.one_of(pose, pose, others)), min_size=1, max_size=50).map(placed)


ANY = courses(others=st.one_of(OTHERS, MACHINE_OWN, MACHINE_OWN))
CALM = courses(calm, st.builds(Sided, st.none() | st.floats(10, 100), st.none() | st.floats(10, 100)))


def run(events: list[Event], enrolled: bool = True) -> tuple[CoreState, list[Action]]:
    state = CoreState.initial(CALIBRATED, "p")
    if enrolled:
        state = state._replace(lifter=replace(state.lifter, neutral=NEUTRAL))
    done: list[Action] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("device.core.step.judge", as_measured)
        for event in events:
            state, actions = step(state, event)
            done += actions
    return state, done


def alerts(done: list[Action]) -> list[AlertRecord]:
    return [a.record for a in done if isinstance(a, Publish) and isinstance(a.record, AlertRecord)]


@settings(deadline=None, max_examples=200)
@given(ANY)
@example([StoreStatus(False, "no disk"), Tick(50.0, START_UTC)])
@example([Command("acknowledge", "out_of_order", "1"), MemberRecalled("m-1", None, 80.0), Tick(50.0, START_UTC)])
def test_whatever_comes_and_in_whatever_order_what_is_shown_can_be_read(events: list[Event]) -> None:
    state, shown = CoreState.initial(CALIBRATED, "p"), 0
    for event in events:
        state, actions = step(state, event)
        for action in actions:
            record = live_state(state) if isinstance(action, Show) else getattr(action, "record", None)
            if isinstance(record, LiveState | AlertRecord | RepRecord | SetRecord):
                assert decode(encode(record)) == record
                shown += isinstance(action, Show)
    assert shown or not any(hasattr(event, "t_s") for event in events)


@settings(deadline=None, max_examples=300)
@given(ANY)
def test_no_course_of_events_breaks_the_core_and_every_warning_ends(events: list[Event]) -> None:
    state, done = run(events)
    last_s = max(state.clock.now_s, 50.0)
    quiet: list[Event] = [Tick(last_s + 0.1 * i, START_UTC) for i in range(120)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("device.core.step.judge", as_measured)
        for event in quiet:
            state, actions = step(state, event)
            done += actions
    assert state.faults == ()
    assert state.cues.sound in (None, "help")
    assert state.set is None
    state, actions = step(state, Stop(last_s + 20.0))
    done += actions
    ended = {alert.alert_id for alert in alerts(done) if alert.t_end_s is not None}
    assert ended == {alert.alert_id for alert in alerts(done)}
    assert all(alert.t_end_s is None or alert.t_end_s >= alert.t_start_s for alert in alerts(done))


@settings(deadline=None, max_examples=150)
@given(CALM)
def test_without_a_cause_there_is_no_posture_alarm(events: list[Event]) -> None:
    _, done = run(events)
    posture = {"back_rounding", "back_arching", "knee_valgus", "knee_lockout", "hips_forward", "heel_lift"}
    assert posture.isdisjoint(alert.kind for alert in alerts(done))


@settings(deadline=None, max_examples=150)
@given(ANY)
def test_a_load_is_only_shown_when_it_was_just_measured(events: list[Event]) -> None:
    state = CoreState.initial(CALIBRATED, "p")
    good_s = float("-inf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("device.core.step.judge", as_measured)
        for event in events:
            state, _ = step(state, event)
            if isinstance(event, LoadSample) and event.quality == "ok" and event.kg is not None:
                good_s = max(good_s, event.t_s)
            shown = live_state(state)
            assert shown.load_kg is None or shown.t_s - good_s <= 0.1 + 1e-9


@settings(deadline=None, max_examples=150)
@given(ANY)
def test_sounds_and_records_are_consistent(events: list[Event]) -> None:
    _, done = run(events)
    known: set[str] = set()
    for action in done:
        if isinstance(action, StoreSet):
            known.add(action.set.set_id)
        elif isinstance(action, StoreRep):
            assert action.rep.set_id in known
        elif isinstance(action, StoreAlert) and action.alert.set_id is not None:
            assert action.alert.set_id in known
    sounds = [action.pattern for action in done if isinstance(action, PlaySound)]
    assert not any(a is None and b is None for a, b in zip([None, *sounds], sounds, strict=False))


@settings(deadline=None, max_examples=150)
@given(ANY)
def test_what_is_shown_is_numbered_and_advises_little(events: list[Event]) -> None:
    state = CoreState.initial(CALIBRATED, "p")
    shown = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("device.core.step.judge", as_measured)
        for event in events:
            state, actions = step(state, event)
            live = live_state(state)
            shown += sum(isinstance(action, Show) for action in actions)
            assert live.seq == shown
            assert len(live.advice) <= 2


@settings(deadline=None, max_examples=60)
@given(ANY, st.integers(0, 49))
def test_the_same_state_and_event_give_the_same_answer(events: list[Event], cut: int) -> None:
    state, _ = run(events[:cut])
    frozen = pickle.dumps((state.faults, state.cues, state.set, state.reps))
    rest = events[cut:]
    first, second = _continue(state, rest), _continue(state, rest)
    assert first == second
    assert pickle.dumps((state.faults, state.cues, state.set, state.reps)) == frozen


def _continue(state: CoreState, events: list[Event]) -> tuple[Any, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("device.core.step.judge", as_measured)
        out: list[Action] = []
        for event in events:
            state, actions = step(state, event)
            out += actions
    return state.faults, state.cues, state.set, state.reps, out


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 130), OTHERS), max_size=12), st.sets(st.integers(0, 130), max_size=30))
def test_a_set_is_counted_whatever_happens_around_it(around: list[tuple[int, Event]], lost: set[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("device.core.step.judge", as_measured)
        told = Story(measures={"lumbar": lambda depth: 15.0 * depth})
        pose, frame = told.frame, 0

        def disturbed(*a: Any, **k: Any) -> None:
            nonlocal frame
            for at, event in around:
                if at == frame:
                    told.tell(replace(event, t_s=told.t_s) if hasattr(event, "t_s") else event)
            pose(*a, **k | {"pose": frame not in lost})
            frame += 1

        told.frame = disturbed
        told.wait(1).reps(2).wait(1).stop()
    assert [rep.number for rep in told.rep_records] == [1, 2]
    assert all(alert.t_end_s is not None for alert in told.alerts)


def test_a_sample_from_the_future_is_not_believed() -> None:
    state, _ = run([Tick(100.0, START_UTC)])
    state, _ = step(state, LoadSample(5000.0, 1, 80.0, "ok"))
    assert state.clock.now_s == 100.0
    assert state.sensors.load_kg is None


def test_two_cameras_may_report_the_same_moment() -> None:
    camera = (CameraStatus("a", "side", "ok", 15.0, 0, 0.1),)
    state, _ = run([PoseSample(1, 10.0, True, camera), PoseSample(2, 10.0, True, camera, lumbar_flexion_deg=3.0)])
    assert state.view.sample is not None
    assert state.view.sample.seq == 2
    state, _ = step(state, PoseSample(3, 9.9, True, camera))
    assert state.view.sample is not None
    assert state.view.sample.seq == 2
