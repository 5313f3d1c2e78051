"""What the window's training learns, on features of which it is known what in them tells the truth."""

from __future__ import annotations

import numpy as np
import pytest

from device.core import guest_reference
from device.core.posture import bend
from device.messages import PoseSample, Sided
from vision.training import window_readings
from vision.training.window_readings import Clip, Lifter, contrasts, judge, learn, within

FEATURES = 12
FRAMES = 144
LEVEL, MOVEMENT, FAULT, BENT_FAULT = np.eye(4, FEATURES) * 3.0
"""What of the features differs from lifter to lifter, goes with the movement, and shows the fault: as such, and the
more so the more the knees are bent."""


@pytest.fixture(autouse=True)
def small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_readings, "FEATURES", FEATURES)


def clip(chance: np.random.Generator, level: float, movement: float, fault_deg: float) -> Clip:
    """Two reps with the fault in the second; ``movement`` is how much the lifter's own movement is seen."""
    depth = 0.5 - 0.5 * np.cos(np.linspace(0, 4 * np.pi, FRAMES))
    truth_deg = fault_deg * depth * (np.arange(FRAMES) >= FRAMES // 2)
    knee_deg = 15.0 + 85.0 * depth
    bent = (knee_deg - 60.0) / 40.0
    seen = level * LEVEL + np.outer(movement * depth, MOVEMENT) + np.outer(truth_deg, FAULT / 20)
    seen = seen + np.outer(truth_deg * bent, BENT_FAULT / 20) + chance.normal(0, 0.02, (FRAMES, FEATURES))
    return Clip(seen.astype(np.float32), truth_deg, knee_deg)


def lifters(count: int) -> list[Lifter]:
    chance = np.random.default_rng(3)
    out = []
    for seed in range(count):
        level, movement = chance.normal(0, 5), chance.normal(3, 2)
        fault_deg = (0.0, 20.0, -12.0)[seed % 3]
        parts = [clip(chance, level, movement, deg) for deg in (0.0, fault_deg)]
        out.append(Lifter(f"lifter {seed}", seed, *parts))
    return out


def test_faults_of_other_lifters_are_read_and_their_movement_is_not() -> None:
    _, judged = learn(lifters(24), folds=4)
    assert judged is not None
    assert judged.gain == pytest.approx(1.0, abs=0.1)
    assert judged.fault_mae_deg < 1.0
    assert judged.clean_peak_deg < 1.0
    assert judged.guest_sd_deg < 1.0


def test_readings_that_follow_the_movement_are_found_out() -> None:
    wrong = np.stack([FAULT + MOVEMENT, np.zeros(FEATURES)]).astype(np.float32)
    assert judge([(lifter, wrong) for lifter in lifters(12)]).guest_sd_deg > 5.0


def test_what_lifters_differ_by_cancels_in_both_kinds_of_differences() -> None:
    for lifter in lifters(6):
        ends = [contrasts(lifter), within(lifter.lifted)]
        for these in ends:
            assert these is not None
            assert np.abs(these.apart[:, 0]).max() < 0.2  # where the level shows


def test_a_clip_without_shallow_knees_gives_no_differences_within_it() -> None:
    deep = Clip(np.zeros((20, FEATURES), np.float32), np.zeros(20), np.full(20, 95.0))
    assert within(deep) is None


def test_a_lifters_two_cameras_are_held_out_together() -> None:
    """Else what is learned of a lifter by one camera would judge the other: here each shows faults in a way of their
    own, which no other lifter teaches."""
    own = []
    for number, lifter in enumerate(lifters(6)):
        both = (lifter.neutral, lifter.lifted)
        shown = [Clip(np.roll(one.seen, 2 * number, axis=1), one.truth_deg, one.knee_deg) for one in both]
        own += [Lifter(f"{lifter.name} {camera}", lifter.seed, *shown) for camera in ("side", "front")]
    judged = learn(own, folds=6)[1]
    assert judged is not None
    assert judged.gain < 0.5


@pytest.mark.parametrize("knee_deg", [5.0, 20.0, 60.0, 95.0, 130.0])
def test_knees_are_bent_and_shallow_in_the_training_as_on_the_machine(knee_deg: float) -> None:
    sample = PoseSample(1, 0.0, True, (), (), knee_flexion_deg=Sided(knee_deg, knee_deg))
    one = Clip(np.zeros((1, FEATURES), np.float32), np.zeros(1), np.array([knee_deg]))
    assert one.bent[0] == pytest.approx(bend(sample))
    assert window_readings.SHALLOW == guest_reference.SHALLOW
