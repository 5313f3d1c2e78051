"""A window that does not look like the member's own: its readings are not told, and nothing else changes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from device.config import Faults
from device.core import looks
from device.core.looks import LOCKED_BELOW_DEG
from device.core.posture import NEUTRAL_DEG, NeutralProfile, Posture, PostureState, judge, learn_neutral
from device.core.rulebook import rules_of
from device.messages import Measure, PoseSample, Sided
from vision.window import FEATURES, LOOKS, _signs

CHECKS: tuple[Measure, ...] = ("knee_flexion", "valgus", "lumbar_flexion", "hip_slide", "heel_lift", "carriage")
REP_FRAMES = 60


def sample(
    frame: int, side_off: float = 0.0, front_off: float = 0.0, slide_m: float = 0.0, sunk_m: float = 0.0,
    reading_off_deg: float = 0.0, rounding_deg: float = 0.0,
) -> PoseSample:  # fmt: skip
    """Of slow reps, with looks and the back's reading off by so much, rounded from the second rep's depth on."""
    depth = 0.5 - 0.5 * math.cos(2 * math.pi * frame / REP_FRAMES)
    rounded_deg = rounding_deg * max(0.0, 2.0 * depth - 1.0) if frame > REP_FRAMES else 0.0
    back_deg = depth + reading_off_deg + rounded_deg
    cues = {"lumbar_seen": back_deg, "lumbar_seen_bent": 0.0, "near_hip_forward": slide_m, "near_shoulder_up": -sunk_m}
    for side in ("left", "right"):
        cues |= {f"valgus_{side}_seen": depth, f"valgus_{side}_seen_bent": 0.0}
    for view, off in (("side", side_off), ("front", front_off)):
        cues |= {f"{view}_look_{i}": 3.0 * i * depth + (off if i % 2 else -off) for i in range(LOOKS)}
    knee_deg = 15.0 + 75.0 * depth
    return PoseSample(
        frame, frame / 15, True, (), CHECKS, knee_flexion_deg=Sided(knee_deg, knee_deg),
        carriage_m=0.3 * depth, hip_slide_m=slide_m, cues=cues,
    )  # fmt: skip


def neutral() -> NeutralProfile:
    return learn_neutral([sample(frame) for frame in range(2 * REP_FRAMES + 1)])


def judged(off_frames: range, frames: int = REP_FRAMES, **off: float) -> list[Posture]:
    profile, state, out = neutral(), PostureState(), []
    for frame in range(frames):
        state, posture = judge(state, sample(frame, **(off if frame in off_frames else {})), profile)
        out.append(posture)
    return out


def test_what_looks_like_the_neutral_is_told_all_the_way() -> None:
    seen = judged(range(0), side_off=0.0)
    assert all(one.lumbar_flexion_deg is not None and one.valgus_deg.left is not None for one in seen)


@pytest.mark.parametrize(("view", "off"), [("side", "side_off"), ("front", "front_off")])
def test_a_covered_window_tells_nothing_at_any_depth_and_the_other_view_goes_on(view: str, off: str) -> None:
    for one in judged(range(REP_FRAMES), **{off: 6.0}):
        assert one.unlike == {view: "covered"}
        assert (one.lumbar_flexion_deg is None) == (view == "side")
        assert (one.valgus_deg.left is None and one.valgus_deg.right is None) == (view == "front")
        assert one.knee_flexion_deg.left is not None or view == "side"


def test_knees_behind_a_cover_are_told_only_where_the_plate_tells_them() -> None:
    told = [one.knee_flexion_deg.left for one in judged(range(REP_FRAMES), side_off=6.0)]
    assert told[0] == pytest.approx(15.0)
    assert [value for value in told if value is not None and value > LOCKED_BELOW_DEG] == []
    assert told[REP_FRAMES // 2] is None


def test_in_other_clothes_the_back_is_told_against_this_set() -> None:
    """By the neutral's contrast it would be rounded by 9 degrees more all the time."""
    seen = judged(range(3 * REP_FRAMES), frames=3 * REP_FRAMES, side_off=3.0, reading_off_deg=9.0)
    assert all(one.unlike == {"side": "changed"} for one in seen[2:])
    for one in seen[5:]:
        assert one.lumbar_flexion_deg == pytest.approx(NEUTRAL_DEG["lumbar"], abs=2.5)
        assert one.heel_lift_deg == Sided()
        assert one.valgus_deg.left is not None


def test_heels_are_called_checked_only_where_a_neutral_tells_them() -> None:
    assert judged(range(0))[-1].checks == CHECKS
    without = tuple(measure for measure in CHECKS if measure != "heel_lift")
    assert judged(range(REP_FRAMES), side_off=3.0)[-1].checks == without
    assert judge(PostureState(), sample(0), None)[1].checks == without


def test_who_rounds_in_other_clothes_is_still_told() -> None:
    seen = judged(range(3 * REP_FRAMES), frames=3 * REP_FRAMES, side_off=3.0, rounding_deg=15.0)
    assert max(one.lumbar_flexion_deg or 0.0 for one in seen[2 * REP_FRAMES :]) > 10.0


def test_only_the_back_is_judged_by_a_guests_limits_in_other_clothes() -> None:
    changed, same = Posture(unlike={"side": "changed"}), Posture()
    for rule in rules_of(Faults()):
        as_guest = rule.measure in ("lumbar_flexion", "hip_slide", "heel_lift")
        assert rule.limits(True, changed) is (rule.guest if as_guest else rule.enrolled)
        assert rule.limits(True, same) is rule.enrolled
        assert rule.limits(False, same) is rule.guest


def test_a_towel_taken_off_is_forgotten_within_a_second_at_the_top() -> None:
    seen = judged(range(30), frames=REP_FRAMES + 15, side_off=6.0)
    assert seen[20].lumbar_flexion_deg is None
    assert seen[-1].lumbar_flexion_deg is not None


def test_what_bent_knees_change_is_no_towel() -> None:
    """A fault changes the looks, too: only shallow knees are compared."""
    seen = judged(range(18, 43), side_off=6.0)
    assert all(one.lumbar_flexion_deg is not None for one in seen)


def test_one_odd_frame_covers_nothing() -> None:
    seen = judged(range(5, 6), side_off=6.0)
    assert all(one.lumbar_flexion_deg is not None for one in seen)


def test_hips_that_slid_forward_explain_the_looks() -> None:
    seen = judged(range(REP_FRAMES), side_off=6.0, slide_m=0.06, sunk_m=0.02)
    assert all(one.lumbar_flexion_deg is not None for one in seen)
    assert seen[-1].hip_slide_m == pytest.approx(0.06, abs=1e-3)


def test_a_hip_under_a_towel_has_not_slid() -> None:
    seen = judged(range(REP_FRAMES), side_off=6.0, slide_m=0.06)
    assert all(one.lumbar_flexion_deg is None and one.hip_slide_m is None for one in seen)


def test_a_neutral_from_before_looks_were_kept_covers_nothing() -> None:
    old = neutral()
    old = replace(old, curves={name: curve for name, curve in old.curves.items() if "_look_" not in name})
    _, posture = judge(PostureState(), sample(0, side_off=9.0), old)
    assert posture.lumbar_flexion_deg is not None


def test_every_reading_belongs_to_one_view() -> None:
    for told in (looks.READ_BY, looks.MEASURES):
        names = [name for names in told.values() for name in names]
        assert sorted(set(names)) == sorted(names)
        assert set(told) == set(looks.COVERED_FROM)


def test_the_signs_stay_the_same_for_stored_neutrals() -> None:
    signs = _signs()
    assert signs.shape == (LOOKS, FEATURES)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert [int(np.dot(row, np.arange(FEATURES) % 97)) for row in signs[:3]] == [-2760, 2272, 218]
    assert np.abs(np.corrcoef(signs) - np.eye(LOOKS)).max() < 0.1

