"""The sled's own sensor and the back pad's in the rules: alone, with a camera, against it, and out of order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from core_story import ALL_CHECKS, CALIBRATED, Story, as_measured
from hypothesis import given
from hypothesis import strategies as st

from device.config import Carriage, Config, Load, Pads, Seat
from device.core import step as step_module
from device.core.events import Tick
from device.core.pad_watch import evidence_of, touches
from device.messages import CarriageSample, LoadSample, PadSample, SeatQuality, SeatSample

WITH_SLED = CALIBRATED.model_copy(update={"carriage": Carriage(sensor="encoder")})
WITH_PADS = CALIBRATED.model_copy(update={"pads": Pads(enabled=True)})
NO_CAMERA = Config(load=Load(counts_per_kg=1000.0), cameras=(), pads=Pads(enabled=True),
                   carriage=Carriage(sensor="encoder"))  # fmt: skip
ON, OFF = 0.5, 0.03
ZERO_M = 3.21
"""Where the encoder happened to begin."""


@pytest.fixture(autouse=True)
def measures_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_module, "judge", as_measured)


@dataclass
class Machine(Story):
    """A story in which sled and pads have sensors: 50 samples a second each, between the frames."""

    sled: bool = True
    sled_stands: bool = False
    camera: bool = True
    sees_plate: bool = True
    lumbar: float = ON
    sacrum: float = ON
    round_from: float = 2.0
    """Depth from which the sacrum leaves its pad."""
    arch_from: float = 2.0

    def frame(self, carriage_m=0.0, depth=0.0, *, person=True, pose=True):
        if self.sled:
            felt_m = 0.0 if self.sled_stands else carriage_m or 0.0
            self.tell(CarriageSample(self.t_s, ZERO_M + felt_m, "ok"))
        if self.config.pads.enabled:
            lumbar = OFF if depth >= self.arch_from else self.lumbar
            sacrum = OFF if depth >= self.round_from else self.sacrum
            self.tell(PadSample(self.t_s, lumbar, sacrum, "ok"))
        seen_m = carriage_m if self.sees_plate else None
        super().frame(seen_m, depth, person=person, pose=pose and self.camera)


def told(config: Config = WITH_SLED, **keys) -> Machine:
    return Machine(config=config, fps=50.0, load_kg=80.0, **keys).wait(1)


# --- carriage -------------------------------------------------------------------------------------


def test_with_a_sensor_reps_are_counted_without_any_camera() -> None:
    story = told(NO_CAMERA, camera=False).reps(3).wait(1)
    assert [rep.number for rep in story.rep_records] == [1, 2, 3]
    assert [rep.rom_m for rep in story.rep_records] == [pytest.approx(0.25, abs=0.01)] * 3
    assert all(rep.mean_power_w and rep.peak_speed_m_s for rep in story.rep_records)


def test_the_sensor_leads_where_the_camera_loses_the_plate() -> None:
    story = told(sees_plate=False).reps(2).wait(1)
    assert [rep.rom_m for rep in story.rep_records] == [pytest.approx(0.25, abs=0.01)] * 2
    assert all(rep.mean_speed_m_s is not None for rep in story.rep_records)


def test_camera_and_sensor_together_count_each_rep_once() -> None:
    story = told().reps(4).wait(1)
    assert [rep.number for rep in story.rep_records] == [1, 2, 3, 4]


def test_a_sensor_that_dies_in_mid_rep_hands_over_to_the_camera() -> None:
    story = told().reps(1)
    start_s, dying = story.t_s, story
    while dying.t_s - start_s < 2.35:
        t = dying.t_s - start_s
        depth = 0.5 - 0.5 * math.cos(math.pi * min(t / 1.2, 1.0)) if t < 1.35 else 1.0 - min((t - 1.35) / 1.0, 1.0)
        dying.sled = t < 0.8
        dying.frame(0.25 * depth, depth)
    dying.wait(1.5)
    assert [rep.number for rep in story.rep_records] == [1, 2]
    assert story.rep_records[1].rom_m == pytest.approx(0.25, abs=0.03)
    assert "carriage_failed" in [condition.kind for condition in story.live.conditions]


def test_a_sensor_that_stands_still_while_the_plate_moves_is_found_out_and_the_camera_counts() -> None:
    story = told(sled_stands=True).reps(4).wait(1)
    assert len(story.rep_records) >= 2
    (condition,) = [c for c in story.live.conditions if c.kind == "carriage_failed"]
    assert condition.detail.startswith("The sled's sensor stands still while the plate moves")


def test_a_sensor_that_moves_with_the_plate_again_is_believed_again() -> None:
    story = told(sled_stands=True).reps(2)
    story.sled_stands = False
    story.reps(3).wait(1)
    assert "carriage_failed" not in [condition.kind for condition in story.live.conditions]


def test_a_sled_that_nobody_sits_at_does_no_reps() -> None:
    story = Machine(config=WITH_SLED, fps=50.0).wait(3, person=False)
    for i in range(100):
        depth = math.sin(math.pi * i / 100)
        story.frame(0.25 * depth, depth, person=False)
    assert story.rep_records == []


def test_a_sensor_silent_from_the_start_is_told() -> None:
    story = told(sled=False).wait(2)
    (condition,) = [c for c in story.live.conditions if c.kind == "carriage_failed"]
    assert condition.detail.startswith("The sled's sensor is silent")


# --- back pad -------------------------------------------------------------------------------------


def test_without_a_camera_a_sacrum_that_leaves_its_pad_at_depth_is_rounding() -> None:
    story = told(NO_CAMERA, camera=False, round_from=0.7).reps(2).wait(1)
    assert story.alert_kinds == ["back_rounding"] * 2
    assert "lumbar_flexion" in story.live.checks
    assert story.live.form_check
    assert {alert.sentence for alert in story.alerts} == {"Lower back is rounding - less depth, hips back"}


def test_without_a_camera_a_lumbar_curve_that_leaves_its_pad_is_arching() -> None:
    story = told(NO_CAMERA, camera=False, arch_from=0.3).reps(1).wait(1)
    assert story.alert_kinds == ["back_arching"]
    assert story.alerts[0].t_end_s is not None


def test_a_back_that_stays_on_its_pad_is_never_warned_of() -> None:
    assert told(NO_CAMERA, camera=False).reps(3).wait(1).alerts == []


def test_a_sacrum_that_leaves_its_pad_at_the_top_is_no_rounding() -> None:
    story = told(NO_CAMERA, camera=False).reps(1)
    story.sacrum = OFF
    story.wait(1)
    assert story.alerts == []


def test_arching_that_the_camera_hardly_sees_is_told_by_the_pad() -> None:
    story = told(WITH_PADS, sled=False, arch_from=0.3, measures={"lumbar": -1.0}).reps(1).wait(1)
    assert story.alert_kinds == ["back_arching"]


def test_a_camera_that_sees_a_flat_back_outweighs_a_sacrum_off_its_pad() -> None:
    story = told(WITH_PADS, sled=False, round_from=0.5, measures={"lumbar": 0.5}).reps(2).wait(1)
    assert story.alerts == []


def test_a_camera_that_half_sees_rounding_is_confirmed_by_the_pad() -> None:
    seen = {"lumbar": lambda depth: 5.0 * depth}
    alone = told(CALIBRATED, sled=False, measures=dict(seen)).reps(2).wait(1)
    assert alone.alerts == []
    both = told(WITH_PADS, sled=False, round_from=0.75, measures=dict(seen)).reps(2).wait(1)
    assert both.alert_kinds == ["back_rounding"] * 2


def test_what_camera_and_pad_both_see_is_one_fault() -> None:
    seen = {"lumbar": lambda depth: 14.0 * depth}
    story = told(WITH_PADS, sled=False, round_from=0.6, measures=seen).reps(1).wait(1)
    assert story.alert_kinds == ["back_rounding"]
    assert story.alerts[0].peak == pytest.approx(14.0, abs=0.1)


def test_a_pad_that_never_felt_a_back_is_no_evidence() -> None:
    story = told(NO_CAMERA, camera=False, lumbar=OFF).reps(2).wait(1)
    assert story.alerts == []


def test_pads_out_of_order_are_told_and_end_their_check() -> None:
    story = told(NO_CAMERA, camera=False)
    for _ in range(100):
        story.tell(PadSample(story.t_s, None, 0.5, "open"))
        Story.frame(story, pose=False)
    assert "pads_failed" in [condition.kind for condition in story.live.conditions]
    assert "lumbar_flexion" not in story.live.checks


@given(st.booleans(), st.booleans(), st.none() | st.floats(0, 1.2))
def test_evidence_is_never_of_both_kinds_and_needs_a_pad_without_contact(lumbar, sacrum, depth) -> None:
    evidence = evidence_of(lumbar, sacrum, depth)
    assert evidence in {None, "rounding", "arching"}
    if lumbar and sacrum:
        assert evidence is None
    if evidence == "rounding":
        assert not sacrum
    if evidence == "arching":
        assert sacrum and not lumbar


@given(st.lists(st.floats(0, 1), max_size=30))
def test_contact_does_not_flicker_between_its_two_limits(shares) -> None:
    pads, on = Pads(enabled=True), False
    for share in shares:
        after = touches(on, share, pads)
        if pads.lost <= share < pads.contact:
            assert after == on
        on = after


# --- load and seat: what is new in their rules ------------------------------------------------------


def test_a_sled_turned_hard_at_the_bottom_is_no_overload() -> None:
    heavy = CALIBRATED.model_copy(update={"machine": CALIBRATED.machine.model_copy(update={"load_limit_kg": 100.0})})
    story = Story(config=heavy)
    for _ in range(160):
        story.tell(LoadSample(story.t_s, 1, 90.0, "ok"))
        story.t_s += 1 / 80
    for _ in range(80):
        story.tell(LoadSample(story.t_s, 1, 130.0, "ok", moving=True))
        story.t_s += 1 / 80
    assert "overload" not in story.alert_kinds
    for _ in range(80):
        story.tell(LoadSample(story.t_s, 1, 130.0, "ok"))
        story.t_s += 1 / 80
    assert "overload" in story.alert_kinds


def weighed(story: Story, kg: float, seconds: float, moving: bool = False) -> Story:
    """80 readings a second of the load alone."""
    for _ in range(round(80 * seconds)):
        story.tell(LoadSample(story.t_s, 1, kg, "ok", moving=moving))
        story.t_s += 1 / 80
    return story


def test_a_load_that_no_turn_explains_is_told_within_a_tenth_of_a_second_though_the_sled_moves() -> None:
    story = weighed(weighed(Story(), 90.0, 2.0), 700.0, 0.09, moving=True)
    assert story.alert_kinds == []
    weighed(story, 700.0, 0.05, moving=True)
    assert story.alert_kinds == ["overload"]
    weighed(story, 700.0, 1.0)
    assert [fault.kind for fault in story.state.faults] == ["overload"]


def test_what_is_far_beyond_the_limit_for_a_moment_only_is_an_impact_and_no_overload() -> None:
    story = weighed(Story(), 90.0, 2.0)
    for _ in range(10):
        weighed(weighed(story, 700.0, 0.075, moving=True), 90.0, 0.5, moving=True)
    assert story.alert_kinds == []


def test_an_overload_ends_once_neither_reading_nor_average_is_near_the_limit() -> None:
    story = weighed(weighed(Story(), 90.0, 2.0), 700.0, 0.15, moving=True)
    weighed(story, 450.0, 0.5, moving=True)  # what it weighed standing still is 90 kg
    assert [fault.kind for fault in story.state.faults] == ["overload"]
    weighed(story, 90.0, 1.0, moving=True)
    assert story.state.faults == ()


def out_of_range(story: Story, seconds: float, quality: str = "saturated") -> Story:
    """What a cell says without a reading: every tenth of a second, as the ticks."""
    for _ in range(round(10 * seconds)):
        story.tell(LoadSample(story.t_s, 1, None, quality))
        story.tell(Tick(story.t_s, story.wall_utc))
        story.t_s += 0.1
    return story


def test_a_load_far_beyond_the_limit_that_leaves_the_cells_range_is_an_overload_until_the_cell_is_back() -> None:
    story = out_of_range(weighed(weighed(Story(), 90.0, 2.0), 700.0, 0.05, moving=True), 1.0)
    assert story.alert_kinds == ["overload"]
    assert [fault.kind for fault in story.state.faults] == ["overload"]
    weighed(story, 90.0, 1.0)
    assert (story.alert_kinds, story.state.faults) == (["overload"], ())


def test_an_overload_that_left_the_range_ends_when_the_cell_falls_silent() -> None:
    story = out_of_range(weighed(weighed(Story(), 90.0, 2.0), 700.0, 0.05), 1.0)
    out_of_range(story, 0.1, "failed")
    assert story.state.faults == ()


def test_a_cell_that_leaves_its_range_at_once_is_broken_and_no_overload() -> None:
    assert out_of_range(weighed(Story(), 90.0, 2.0), 2.0).alert_kinds == []


def test_a_zero_that_has_moved_is_a_condition_for_staff() -> None:
    story = Story()
    story.tell(LoadSample(story.t_s, 1, 3.4, "ok", zero_off_kg=3.4))
    story.wait(1, pose=False)
    story.tell(LoadSample(story.t_s, 1, 3.4, "ok", zero_off_kg=3.4))
    story.frame()
    assert "load_drifted" in [condition.kind for condition in story.live.conditions]


@pytest.mark.parametrize(
    ("quality", "detail"),
    [("two_switches", "Two seat switches are closed"), ("disagree", "The two seat sensors differ")],
)
def test_a_seat_that_contradicts_itself_is_told(quality: SeatQuality, detail: str) -> None:
    story = Story(seat=SeatSample(0.0, None, None, quality)).wait(1)
    assert [c.detail[: len(detail)] for c in story.live.conditions if c.kind == "seat_failed"] == [detail]


def test_no_switch_closed_under_load_is_a_seat_that_is_not_locked() -> None:
    story = Story(load_kg=60.0, seat=SeatSample(0.0, None, None, "no_switch")).wait(1)
    assert story.alert_kinds == ["seat_unlocked"]


def test_no_switch_closed_for_long_is_a_fault_of_the_seat() -> None:
    story = Story(seat=SeatSample(0.0, None, None, "no_switch")).wait(4)
    assert [c.kind for c in story.live.conditions if c.kind.startswith("seat")] == []
    story.wait(2)
    assert [c.kind for c in story.live.conditions if c.kind.startswith("seat")] == ["seat_failed"]


def test_what_a_machine_does_not_have_is_no_condition() -> None:
    bare = Config(load=Load(converter="none"), seat=Seat(sensors=()), cameras=CALIBRATED.cameras)
    story = Story(config=bare, seat=SeatSample(0.0, None, None, "disabled")).wait(2)
    story.tell(LoadSample(story.t_s, None, None, "disabled"))
    story.frame()
    assert [c.kind for c in story.live.conditions] == []
    assert (story.live.load_quality, story.live.seat_quality) == ("disabled", "disabled")
    assert set(ALL_CHECKS) >= set(story.live.checks)
