"""The virtual machine's timeline: complete, continuous, true to the clips, and one for all processes."""

import itertools
import json
import math

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config import Config, Pins
from device.errors import RunError, UserError
from device.scenario import (
    FOLDER,
    GRAVITY_M_S2,
    NAMES,
    REST_S,
    SETTLE_S,
    ScenarioClock,
    load_scenario,
)

BUNDLED = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
SCENARIOS = {name: load_scenario(name) for name in BUNDLED}
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
any_moment = given(st.sampled_from(BUNDLED), st.floats(-5, 500), st.booleans())


def steps(scenario, step_s=0.01, passes=3):
    return [scenario.moment(i * step_s) for i in range(int(passes * scenario.pass_s / step_s))]


def test_the_demonstrations_scenarios_are_bundled_in_five_megabytes():
    assert set(NAMES) <= set(BUNDLED)
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 5_000_000


@each_scenario
def test_one_pass_goes_from_settling_through_enrolment_to_the_set_and_the_set_repeats(scenario):
    segments = [segment for segment, _ in itertools.groupby(moment.segment for moment in steps(scenario))]
    assert segments[:5] == ["settle", "enrolment", "rest", "set", "rest"]
    assert segments[5:9] == ["set", "rest", "set", "rest"]


@each_scenario
def test_once_ends_after_one_pass_and_then_nothing_moves(scenario):
    assert not scenario.finished(scenario.pass_s - 0.01, once=True)
    assert not scenario.finished(1e6, once=False)
    assert scenario.finished(scenario.pass_s, once=True)
    end, later = scenario.moment(scenario.pass_s, once=True), scenario.moment(scenario.pass_s + 77.7, once=True)
    assert end == later
    assert (end.segment, end.sled_kg, end.speed_m_s) == ("end", 0.0, 0.0)


@each_scenario
def test_the_carriage_is_the_truths(scenario):
    for camera in scenario.cameras:
        for track, path in [
            (scenario.set, camera.truth),
            (scenario.enrolment, camera.truth.with_name(f"{camera.name}.neutral.truth.json")),
        ]:
            frames = json.loads(path.read_text())["frames"]
            assert len(frames["t"]) == len(track.place_m)
            assert max(map(lambda a, b: abs(a - b), frames["carriage_m"], track.place_m)) <= 0.0006
            assert max(map(lambda t, i: abs(t - i / track.frames_per_s), frames["t"], itertools.count())) <= 0.0006


@each_scenario
def test_every_clip_has_a_frame_for_every_entry_of_the_carriage(scenario):
    for camera in scenario.cameras:
        for track, path in [(scenario.set, camera.clip), (scenario.enrolment, camera.neutral)]:
            clip = cv2.VideoCapture(str(path))
            assert int(clip.get(cv2.CAP_PROP_FRAME_COUNT)) == len(track.place_m)
            assert clip.get(cv2.CAP_PROP_FPS) == pytest.approx(track.frames_per_s)
            clip.release()
        assert camera.calibration.is_file()


@each_scenario
def test_the_speed_is_the_slope_of_the_place(scenario):
    t_s = [i * 0.005 for i in range(int(scenario.set.length_s / 0.005))]
    places = [scenario.set.at(t)[0] for t in t_s]
    integral = places[0]
    for t in t_s[:-1]:
        integral += 0.005 * scenario.set.at(t + 0.0025)[1]
    assert integral == pytest.approx(places[-1], abs=0.004)
    slopes = [(b - a) / 0.005 for a, b in itertools.pairwise(places)]
    errors = [abs(slope - scenario.set.at(t + 0.0025)[1]) for slope, t in zip(slopes, t_s[:-1], strict=True)]
    assert sum(errors) / len(errors) < 0.02  # the parabola through five frames rounds the corners


@each_scenario
def test_the_lifter_takes_the_load_before_a_clip_and_racks_it_after(scenario):
    racked_rests = 0
    for moment in steps(scenario, passes=3):
        if moment.segment == "enrolment":
            assert moment.sled_kg == scenario.enrolment_kg
        elif moment.segment == "set":
            assert moment.sled_kg == pytest.approx(scenario.set_kg)
        else:
            racked_rests += moment.sled_kg == 0.0
            assert 0.0 <= moment.sled_kg <= scenario.set_kg + 1e-9
    assert scenario.moment(0.0).sled_kg == 0.0
    assert racked_rests > 100


@each_scenario
def test_the_load_changes_without_a_jump(scenario):
    kgs = [moment.sled_kg for moment in steps(scenario, 0.01)]
    assert max(abs(b - a) for a, b in itertools.pairwise(kgs)) <= scenario.set_kg * 1.5 * 0.01 / 0.4 + 1e-6


@each_scenario
def test_a_rest_leaves_the_sled_racked_longer_than_a_set_needs_to_end(scenario):
    longest_s = Config().cueing.set_ends_after_s
    for start_s in (scenario.set_start_s - REST_S, scenario.pass_s - REST_S):
        racked = [scenario.moment(start_s + i * 0.01).sled_kg == 0.0 for i in range(int(REST_S * 100))]
        assert sum(racked) * 0.01 > longest_s


@each_scenario
def test_the_force_is_the_weight_along_the_rails_plus_inertia(scenario):
    sine = math.sin(math.radians(scenario.rail_deg))
    for moment in steps(scenario, 0.05):
        expected_kgf = moment.sled_kg * (sine - moment.acceleration_m_s2 / GRAVITY_M_S2)
        assert moment.cell_kgf == pytest.approx(expected_kgf, abs=1e-9)
        assert moment.stack_kgf == pytest.approx(moment.sled_kg * (1 - moment.acceleration_m_s2 / GRAVITY_M_S2))
    lowest = max(steps(scenario, 0.01, passes=1), key=lambda moment: moment.carriage_m)
    assert lowest.cell_kgf > lowest.sled_kg * sine  # the sled is braked at the bottom


@each_scenario
def test_the_seat_goes_from_the_last_users_notch_to_the_members_outside_a_set(scenario):
    places = [moment.seat_place for moment in steps(scenario, passes=2)]
    assert places[0] == scenario.seat_from_notch
    moving = [i * 0.01 for i, place in enumerate(places) if place not in (places[0], scenario.seat_notch)]
    assert max(moving) < SETTLE_S - 0.8
    assert set(places[int(SETTLE_S * 100) :]) == {float(scenario.seat_notch)}


@any_moment
def test_every_moment_shows_a_frame_that_exists_and_fits_the_carriage(name, elapsed_s, once):
    scenario = SCENARIOS[name]
    moment = scenario.moment(elapsed_s, once)
    for camera in scenario.cameras:
        shown = scenario.shown(camera.name, elapsed_s, once)
        track = scenario.enrolment if moment.clip == "enrolment" else scenario.set
        assert shown.clip == (camera.neutral if moment.clip == "enrolment" else camera.clip)
        assert 0 <= shown.frame < len(track.place_m)
        assert abs(track.place_m[shown.frame] - moment.carriage_m) <= 0.5 / track.frames_per_s + 1e-6
        assert shown.clip_t_s == moment.clip_t_s


@any_moment
def test_the_same_moment_is_the_same_for_every_process(name, elapsed_s, once):
    assert load_scenario(name).moment(elapsed_s, once) == SCENARIOS[name].moment(elapsed_s, once)


def test_a_clip_runs_at_its_own_pace():
    scenario = SCENARIOS["mixed"]
    start_s = scenario.set_start_s
    frames = [scenario.shown("front", start_s + (i + 0.5) / 20).frame for i in range(len(scenario.set.place_m))]
    assert frames == list(range(len(scenario.set.place_m)))


def test_a_camera_that_the_scenario_lacks_is_an_error():
    with pytest.raises(KeyError):
        SCENARIOS["clean"].shown("front", 1.0)


def test_the_member_does_on_the_kiosk_what_a_member_does():
    script = SCENARIOS["rounding"].script
    assert [(step.command.name, step.command.value) for step in script] == [
        ("tag", "demo-2207"),
        ("goal", "balanced"),
        ("enrol", None),
    ]
    times_s = [step.t_s for step in script]
    assert times_s == sorted(times_s)
    assert times_s[-1] < SETTLE_S


@each_scenario
def test_the_configuration_fits_the_virtual_machine_and_keeps_the_rest(scenario):
    config = scenario.configure(Config(pins=Pins(buzzer=12)))
    assert (config.pins.factory, config.pins.buzzer) == ("mock", 12)
    assert config.load.rail_deg == scenario.rail_deg
    assert [(camera.name, camera.source, camera.calibration) for camera in config.cameras] == [
        (camera.name, "scenario", camera.calibration) for camera in scenario.cameras
    ]
    assert config.simulation.scenario == (scenario.name if scenario.name in NAMES else None)
    assert Config.model_validate(config.model_dump()) == config


@pytest.mark.parametrize("name", ["", "rounded", "../clean", "clean/", "."])
def test_an_unknown_scenario_is_refused_with_those_that_there_are(name):
    with pytest.raises(UserError) as error:
        load_scenario(name)
    assert str(error.value) == f"unknown scenario {name!r}: allowed are clean, rounding, valgus, mixed"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("scenario.toml", "title = 1"),
        ("scenario.toml", "= nonsense"),
        ("carriage.json", "{"),
        ("carriage.json", '{"frames_per_s": 0, "set_m": [], "enrolment_m": []}'),
        ("carriage.json", None),
    ],
)
def test_a_damaged_scenario_is_told_in_one_line(tmp_path, file, text):
    place = tmp_path / "clean"
    place.mkdir()
    for name in ("scenario.toml", "carriage.json"):
        (place / name).write_bytes((FOLDER / "clean" / name).read_bytes())
    (place / file).unlink() if text is None else (place / file).write_text(text)
    with pytest.raises(RunError, match="^scenario 'clean' in .* cannot be read, reinstall legpress: ") as error:
        load_scenario("clean", tmp_path)
    assert "\n" not in str(error.value)


def test_before_the_start_the_clock_stands_at_zero(tmp_path):
    clock = ScenarioClock(tmp_path / "run")
    assert (clock.started(), clock.elapsed(123.0)) == (False, 0.0)


def test_every_process_reads_the_same_start(tmp_path):
    ScenarioClock(tmp_path / "run").start(1000.125)
    other = ScenarioClock(tmp_path / "run")
    assert other.started()
    assert other.elapsed(1010.375) == 10.25


def test_a_new_start_and_a_clearing_are_noticed_by_a_clock_in_use(tmp_path):
    ours, theirs = ScenarioClock(tmp_path), ScenarioClock(tmp_path)
    ours.start(1000.0)
    assert theirs.elapsed(1005.0) == 5.0
    ours.start(1004.0)
    assert theirs.elapsed(1005.0) == 1.0
    ours.clear()
    assert (theirs.elapsed(1005.0), theirs.started()) == (0.0, False)
    ours.clear()


@pytest.mark.parametrize("text", ["", "soon", "nan\n", "inf"])
def test_a_start_that_cannot_be_read_is_no_start(tmp_path, text):
    (tmp_path / "scenario-start").write_text(text)
    assert ScenarioClock(tmp_path).elapsed(50.0) == 0.0


def test_a_start_from_before_a_reboot_lies_ahead_and_counts_as_zero(tmp_path):
    clock = ScenarioClock(tmp_path)
    clock.start(90_000.0)
    assert clock.elapsed(30.0) == 0.0


def test_a_clock_that_cannot_be_written_says_where(tmp_path):
    (tmp_path / "run").write_text("a file where the folder should be")
    with pytest.raises(RunError, match=r"^the scenario's clock cannot be started: .*scenario-start: "):
        ScenarioClock(tmp_path / "run").start(1.0)
