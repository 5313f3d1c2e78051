"""What limits the form check is noticed, said, and forgotten when it is over; the other parts go on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_story import CALIBRATED, Story, as_measured

from device.config import Camera, Load
from device.core.events import StoreStatus
from device.messages import CameraStatus, LoadSample, PoseSample, SeatSample


@pytest.fixture(autouse=True)
def measures_count_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.core.step.judge", as_measured)


def healthy(**options: Any) -> Story:
    told = Story(load_kg=0.0, **options)
    told.seat = SeatSample(0.0, 0.10, 3, "ok")
    return told


def kinds(told: Story) -> list[str]:
    return [condition.kind for condition in told.live.conditions]


def test_a_healthy_machine_has_no_condition() -> None:
    told = healthy().wait(3)
    assert kinds(told) == []
    assert told.live.form_check
    assert "lumbar_flexion" in told.live.checks


def test_cameras_that_fall_silent_turn_the_form_check_off_and_it_comes_back() -> None:
    told = healthy().wait(2).wait(1.3, pose=False)
    assert kinds(told) == ["vision_lost"]
    assert not told.live.form_check
    assert told.live.checks == ()
    assert told.live.figure == {}
    assert told.live.lumbar_flexion_deg is None
    assert told.live.light == "amber"
    since_s = told.live.conditions[0].since_s
    told.wait(5, pose=False)
    assert told.live.conditions[0].since_s == since_s
    told.wait(0.5)
    assert kinds(told) == []
    assert told.live.form_check


def test_vision_that_never_starts_is_said() -> None:
    assert kinds(healthy().wait(1.5, pose=False)) == ["vision_lost"]


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("lost", "camera_lost"),
        ("dark", "camera_dark"),
        ("blurred", "camera_blurred"),
        ("moved", "camera_moved"),
    ],
)
def test_a_camera_in_trouble_is_named(state: Any, kind: str) -> None:
    told = healthy()
    seen = told.sample

    def troubled(*a: Any, **k: Any) -> PoseSample:
        return replace(seen(*a, **k), cameras=(CameraStatus("front", "front", state, 0.0, 0, 2.0),), checks=())

    told.sample = troubled
    told.wait(1)
    assert kinds(told) == [kind]
    assert "front" in told.live.conditions[0].detail
    assert not told.live.form_check


def test_nobody_in_view_only_matters_under_load() -> None:
    told = healthy().wait(1).wait(3, person=False)
    assert kinds(told) == []
    lifting = healthy()
    lifting.load_kg = 60.0
    lifting.wait(2).wait(2, person=False)
    assert kinds(lifting) == ["nobody_in_view"]


@pytest.mark.parametrize(
    ("quality", "kind"),
    [
        ("failed", "load_failed"),
        ("saturated", "load_failed"),
        ("stale", "load_stale"),
        ("uncalibrated", "load_uncalibrated"),
    ],
)
def test_a_load_cell_in_trouble_is_said_and_its_value_unknown(quality: Any, kind: str) -> None:
    told = healthy().wait(1)
    told.load_kg = None
    for _ in range(12):
        told.tell(LoadSample(told.t_s, None, None, quality))
        told.frame()
    assert kinds(told) == [kind]
    assert told.live.load_kg is None
    assert told.live.load_quality == quality


def test_a_silent_load_cell_is_noticed_within_half_a_second() -> None:
    told = healthy().wait(1)
    told.load_kg = None
    told.wait(0.6)
    assert told.live.load_kg is None
    assert kinds(told) == ["load_stale"]
    assert told.live.load_quality == "stale"


def test_rejected_readings_are_bridged_but_not_for_ever() -> None:
    told = healthy().wait(1)
    told.load_kg = None
    told.tell(LoadSample(told.t_s, None, None, "rejected"))
    told.frame()
    assert told.live.load_kg == 0.0
    for _ in range(40):
        told.tell(LoadSample(told.t_s, None, None, "rejected"))
        told.frame()
    assert told.live.load_kg is None
    assert kinds(told) == ["load_failed"]


def test_what_is_not_calibrated_is_said() -> None:
    told = healthy(config=CALIBRATED.model_copy(update={"load": Load(), "cameras": (Camera(),)}))
    seen = told.sample

    def uncalibrated(*a: Any, **k: Any) -> PoseSample:
        return replace(seen(*a, **k), cameras=(CameraStatus("side", "side", "uncalibrated", 20.0, 0, 0.1),), checks=())

    told.sample = uncalibrated
    told.wait(1)
    assert kinds(told) == ["camera_uncalibrated", "load_uncalibrated"]


@pytest.mark.parametrize(
    ("quality", "word"),
    [("open", "unplugged"), ("short", "short"), ("failed", "failed"), ("uncalibrated", "calibrated")],
)
def test_a_seat_sensor_in_trouble_is_said(quality: Any, word: str) -> None:
    told = healthy()
    told.seat = SeatSample(0.0, None, None, quality)
    told.wait(0.5)
    assert kinds(told) == ["seat_failed"]
    assert word in told.live.conditions[0].detail
    assert told.live.seat_notch is None


def test_a_seat_that_jumps_once_is_not_a_failure_and_a_silent_one_is() -> None:
    told = healthy().wait(1)
    told.tell(SeatSample(told.t_s, 0.3, None, "jump"))
    told.wait(0.5)
    assert kinds(told) == []
    told.seat = None
    told.wait(1.3)
    assert kinds(told) == ["seat_stale"]
    assert told.live.seat_notch is None


def test_a_full_disk_is_said_and_unsaid() -> None:
    told = healthy().wait(1)
    full = "The disk is full - staff: free some space"
    told.tell(StoreStatus(False, full))
    assert [(c.kind, c.detail) for c in told.live.conditions] == [("store_failed", full)]
    told.tell(StoreStatus(True))
    assert kinds(told) == []


def test_a_measure_hidden_for_long_is_no_longer_called_checked() -> None:
    told = healthy()
    told.load_kg = 60.0
    told.wait(2)
    told.measures = {"valgus_left": None, "valgus_right": None}
    told.wait(4)
    assert "valgus" not in told.live.checks
    assert "lumbar_flexion" in told.live.checks
    assert told.live.form_check


def test_load_and_seat_warnings_go_on_without_a_camera() -> None:
    told = healthy().wait(1).wait(2, pose=False)
    told.load_kg = 450.0
    told.wait(2, pose=False)
    assert told.alert_kinds == ["overload"]
    assert told.live.light == "red"
    told.load_kg = 100.0
    told.wait(4, pose=False)
    told.seat = SeatSample(0.0, 0.12, None, "between")
    told.wait(1, pose=False)
    assert told.alert_kinds == ["overload", "seat_unlocked"]
    assert told.live.sound == "high:seat_unlocked"
    told.seat = SeatSample(0.0, 0.10, 3, "ok")
    told.wait(0.5, pose=False)
    assert told.live.warning is None
    assert told.live.confirmation == "Good - seat is locked"


def test_a_seat_being_moved_without_load_is_no_fault() -> None:
    told = healthy().wait(1)
    told.seat = SeatSample(0.0, 0.12, None, "between")
    assert told.wait(3).alerts == []
    assert told.live.seat_quality == "between"


def test_a_warning_of_the_load_ends_when_the_load_is_unknown() -> None:
    told = healthy()
    told.load_kg = 450.0
    told.wait(2)
    assert told.live.warning is not None
    told.load_kg = None
    told.wait(0.5)
    assert told.live.warning is None
    assert told.live.confirmation is None


def test_free_fall_and_slam_are_told_and_putting_the_sled_back_is_not() -> None:
    told = healthy()
    told.load_kg = 100.0
    told.wait(1).rep()
    told.load_kg = 0.0
    told.wait(4)
    assert told.alerts == []
    falling = healthy()
    falling.load_kg = 100.0
    falling.wait(1).rep()
    falling.load_kg = 5.0
    falling.wait(0.35)
    falling.load_kg = 320.0
    falling.frame()
    assert falling.alert_kinds == ["load_dropped"]
    assert falling.live.warning is not None
    assert falling.live.warning.sentence == "Control the weight"


def test_a_heavy_set_without_a_warm_up_is_reminded_of_it_once() -> None:
    told = healthy()
    told.state = told.state._replace(lifter=replace(told.state.lifter, usual_load_kg=100.0))
    told.load_kg = 90.0
    told.wait(1)
    brace = "Back flat, core braced, knees over toes"
    assert told.live.advice == ("Heavy start - warm up with a light set first", brace)
    told.rep()
    told.load_kg = 0.0
    told.wait(7)
    told.load_kg = 90.0
    told.wait(1)
    assert told.live.advice == ("Back flat, core braced, knees over toes",)


def unlike(monkeypatch: pytest.MonkeyPatch, what: dict[str, str]) -> None:
    """From now on the cameras' windows show the member as ``what`` says."""

    def judged(*told: Any) -> Any:
        state, posture = as_measured(*told)
        return state, replace(posture, unlike=what)

    monkeypatch.setattr("device.core.step.judge", judged)


def test_what_is_covered_is_said_at_once_and_not_called_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    told = healthy().wait(1)
    unlike(monkeypatch, {"side": "covered"})
    told.wait(0.2)
    assert kinds(told) == ["view_covered"]
    assert not {"lumbar_flexion", "hip_slide", "heel_lift"} & set(told.live.checks)
    assert "valgus" in told.live.checks
    assert told.live.light == "amber"
    unlike(monkeypatch, {})
    told.wait(0.2)
    assert kinds(told) == []
    assert "lumbar_flexion" in told.live.checks


def test_other_clothes_are_said_while_everything_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    told = healthy().wait(1)
    before = told.live
    unlike(monkeypatch, {"side": "changed"})
    told.wait(0.2)
    assert kinds(told) == ["looks_changed"]
    assert (told.live.checks, told.live.light) == (before.checks, before.light)


def test_clothes_are_not_spoken_of_when_the_picture_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    unlike(monkeypatch, {"side": "changed"})
    told = healthy().wait(1)
    assert kinds(told) == ["looks_changed"]
    assert "looks_changed" not in kinds(told.wait(2, pose=False))
