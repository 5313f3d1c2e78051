"""The virtual camera shows what the virtual machine does, in step with the one clock."""

from __future__ import annotations

import numpy as np
import pytest

from device.scenario import Scenario, load_scenario
from device.scenario_clock import ScenarioClock
from vision.clip import ClipReader
from vision.frames import SourceError
from vision.scenario import ScenarioSource


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s


@pytest.fixture
def scenario() -> Scenario:
    return load_scenario("rounding")


def started(tmp_path, time: Time) -> ScenarioClock:
    clock = ScenarioClock(tmp_path)
    clock.start(time.now_s)
    return clock


def source(scenario: Scenario, clock: ScenarioClock, time: Time, once: bool = True) -> ScenarioSource:
    return ScenarioSource(scenario, scenario.cameras[0].name, clock, once, clock=time, sleep=time.sleep)


def test_the_camera_keeps_the_clips_beat(tmp_path, scenario: Scenario) -> None:
    time = Time()
    camera = source(scenario, started(tmp_path, time), time)
    times = [frame.t_s for frame in (camera.read(1.0) for _ in range(40)) if frame is not None]
    camera.close()
    assert np.diff(times) == pytest.approx(np.full(39, 1 / scenario.set.frames_per_s), abs=1e-6)


def test_in_the_set_each_frame_is_the_one_of_that_moment(tmp_path, scenario: Scenario) -> None:
    time = Time()
    clock = started(tmp_path, time)
    camera = source(scenario, clock, time)
    time.now_s += scenario.set_start_s + 1.0
    frame = camera.read(1.0)
    shown = scenario.shown(scenario.cameras[0].name, clock.elapsed(time.now_s), True)
    camera.close()
    reader = ClipReader(shown.clip)
    while reader.next_index < shown.frame:
        assert reader.skip()
    expected = reader.next()
    reader.close()
    assert frame is not None and expected is not None and shown.frame > 0
    assert np.array_equal(frame.image_bgr, expected.image_bgr)


def test_before_the_start_the_first_picture_stands_still(tmp_path, scenario: Scenario) -> None:
    time = Time()
    camera = source(scenario, ScenarioClock(tmp_path), time)
    first, second = camera.read(1.0), camera.read(1.0)
    camera.close()
    assert first is not None and second is not None
    assert np.array_equal(first.image_bgr, second.image_bgr) and second.t_s > first.t_s


def test_the_next_pass_starts_the_clip_again(tmp_path, scenario: Scenario) -> None:
    time = Time()
    clock = started(tmp_path, time)
    camera = source(scenario, clock, time, once=False)
    time.now_s += scenario.set_start_s + 2.0
    first = camera.read(1.0)
    time.now_s += scenario.pass_s - scenario.set_start_s - (time.now_s - (50.0 + scenario.set_start_s + 2.0))
    again = camera.read(1.0)
    camera.close()
    assert first is not None and again is not None
    assert np.array_equal(first.image_bgr, again.image_bgr)


def test_a_camera_that_the_scenario_has_not_is_refused(tmp_path, scenario: Scenario) -> None:
    with pytest.raises(SourceError, match="camera roof: the scenario rounding has no such camera; it has side"):
        ScenarioSource(scenario, "roof", ScenarioClock(tmp_path))
