"""Learn the window's readings (``window_weights.npz``) from rendered clips with known truth.

    python -m vision.training.window_readings FOLDER [FOLDER ...] --out window_weights.npz [--folds 5]

A FOLDER holds NAME.mp4, NAME.neutral.mp4, NAME.calibration.toml, NAME.truth.json and NAME.neutral.truth.json.
What a window looks like differs from lifter to lifter by far more than a fault changes it, so only
differences within one lifter are learned from, of two kinds, each mapped to the difference of truth:

- a frame against the lifter's clean frames with knees bent alike: what an enrolled member is judged by;
- a frame against the same clip's frames with shallow knees: what a guest is judged by. A clean rep's own
  movement is among these with a difference of zero, so that readings are learned which it does not change.

Ridge, in two parts, one constant and one in proportion to how far the knees are bent. With ``--folds`` it
first prints what readings learned on the other lifters make of each; a lifter's two cameras share a fold.
Done once, on a computer; nothing of it runs on the machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.calibration_file import load_calibration
from vision.window import FEATURES, Window, features, mirrored

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

RIDGE: Final = 10.0
"""By folds of lifters: 1 to 30 do about as well, more shrinks the faults."""
SHALLOW: Final = (-1.0, -0.25)
"""As ``device.core.guest_reference.SHALLOW``, in ``Clip.bent``."""
CONTRASTS: Final = 80
"""Differences of the first kind taken of every clip, besides all that show a fault: of clips of 150 to 250 frames, so
that no long one outweighs the others (ours)."""
WITHIN: Final = 60
"""Of the second kind, of every clip; two clips of a lifter together weigh about as much as the first kind (ours)."""
FAULT_DEG: Final = 3.0
PARTNERS: Final = 4
"""Clean frames whose mean a frame is set against."""
TOGETHER: Final = 4000
"""Differences multiplied at once."""
LEAST_SHALLOW: Final = 5
"""Frames with shallow knees without which a clip gives no differences of the second kind."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What one camera saw of one side of a lifter in one clip."""

    seen: Singles
    """(n, FEATURES)"""
    truth_deg: Floats
    knee_deg: Floats

    @property
    def bent(self) -> Floats:
        """(n,) as ``device.core.posture.bend``: 0 at 60 degrees, +-1 for 40 more or less."""
        return np.clip((self.knee_deg - 60.0) / 40.0, -1.2, 1.2)

    @property
    def shallow(self) -> NDArray[np.bool_]:
        return (self.bent >= SHALLOW[0]) & (self.bent <= SHALLOW[1])


@dataclass(frozen=True, slots=True)
class Lifter:
    name: str
    seed: int
    neutral: Clip
    lifted: Clip


@dataclass(frozen=True, slots=True)
class Differences:
    apart: Singles
    """(n, FEATURES)"""
    shift: Singles
    """(n, FEATURES) the same in proportion to how far the knees are bent."""
    truth_deg: Floats

    def read(self, weights: Singles) -> Floats:
        return np.asarray(self.apart @ weights[0] + self.shift @ weights[1], dtype=np.float64)


def contrasts(lifter: Lifter) -> Differences:
    """Every frame against clean ones with knees bent alike."""
    lifted, clean = lifter.lifted, lifter.neutral
    partners = np.argsort(np.abs(lifted.knee_deg[:, None] - clean.knee_deg), axis=1)[:, :PARTNERS]
    apart = lifted.seen - clean.seen[partners].mean(axis=1)
    shift = apart * lifted.bent[:, None].astype(np.float32)
    return Differences(apart, shift, lifted.truth_deg - clean.truth_deg[partners].mean(axis=1))


def within(clip: Clip) -> Differences | None:
    """Every frame against the mean of those with shallow knees; None where there are too few."""
    shallow = clip.shallow
    if np.count_nonzero(shallow) < LEAST_SHALLOW:
        return None
    bent = clip.bent[:, None].astype(np.float32)
    apart, shift = clip.seen - clip.seen[shallow].mean(axis=0), clip.seen * bent
    return Differences(apart, shift - shift[shallow].mean(axis=0), clip.truth_deg - clip.truth_deg[shallow].mean())


def rows(lifter: Lifter, chance: np.random.Generator) -> tuple[Singles, Floats]:
    """(n, 2 * FEATURES) differences that one lifter is learned from, constant part first, and (n,) their truth."""
    both = contrasts(lifter)
    faulty = np.abs(both.truth_deg) > FAULT_DEG
    clean = np.flatnonzero(~faulty)
    some = chance.choice(clean, min(len(clean), CONTRASTS), replace=False)
    chosen = [(both, np.concatenate([np.flatnonzero(faulty), some]))]
    for clip in (lifter.neutral, lifter.lifted):
        own = within(clip)
        if own is not None:
            count = len(own.truth_deg)
            chosen.append((own, chance.choice(count, min(count, WITHIN), replace=False)))
    parts = [np.concatenate([of.apart[at], of.shift[at]], axis=1) for of, at in chosen]
    return np.concatenate(parts), np.concatenate([of.truth_deg[at] for of, at in chosen])


class Equations:
    """Normal matrix and right-hand side of the readings."""

    def __init__(self) -> None:
        self.matrix, self.side = np.zeros((2 * FEATURES, 2 * FEATURES)), np.zeros(2 * FEATURES)
        self._waiting: list[tuple[Singles, Floats]] = []

    def add(self, differences: Singles, truth_deg: Floats) -> None:
        self._waiting.append((differences, truth_deg))
        if sum(len(truth) for _, truth in self._waiting) > TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Take in what was added."""
        if self._waiting:
            differences = np.concatenate([one for one, _ in self._waiting])
            self.matrix += differences.T @ differences
            self.side += differences.T @ np.concatenate([truth for _, truth in self._waiting])
            self._waiting.clear()


def solve(matrix: Floats, side: Floats) -> Singles:
    """(2, FEATURES) readings."""
    weights = np.linalg.solve(matrix + RIDGE * np.eye(len(matrix)), side)
    return np.asarray(weights.reshape(2, FEATURES), dtype=np.float32)


def pictures(video: Path, window: Window) -> list[NDArray[np.uint8]]:
    """Every frame's window."""
    capture, out = cv2.VideoCapture(str(video)), []
    while capture.grab():
        grey = cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2GRAY)
        out.append(window.picture(np.asarray(grey, dtype=np.uint8)))
    capture.release()
    return out


def lifters(folder: Path, view: str) -> Iterator[Lifter]:
    """Before a front camera each of the two knees; the right one is seen in a mirror."""
    for path in sorted(folder.glob("*.neutral.truth.json")):
        stem = str(path).removesuffix(".neutral.truth.json")
        calibration = load_calibration(f"{stem}.calibration.toml")
        if calibration.view != view:
            continue
        window = Window(calibration)
        parts: list[tuple[list[Singles], dict[str, Any]]] = []
        seed = 0
        for part in (".neutral", ""):
            truth = json.loads(Path(f"{stem}{part}.truth.json").read_text("utf-8"))
            seed = int(truth["meta"]["seed"])
            parts.append(([features(p) for p in pictures(Path(f"{stem}{part}.mp4"), window)], truth["frames"]))
        for side in ("L",) if view == "side" else ("L", "R"):
            clips = []
            for seen, frames in parts:
                shown = np.array(seen if side == "L" else [mirrored(one) for one in seen])
                truth_deg = np.array(frames["lumbar_flexion_deg"] if view == "side" else frames["valgus_deg"][side])
                knee_deg = np.array(frames["knee_flexion_deg"][side])
                count = min(len(shown), len(knee_deg))
                clips.append(Clip(shown[:count], truth_deg[:count], knee_deg[:count]))
            yield Lifter(f"{Path(stem).name} {side}", seed, *clips)


@dataclass(frozen=True, slots=True)
class Judged:
    """How readings did on lifters that they were not learned on (deg)."""

    gain: float
    """Of the contrasts: what is read for each degree of a fault."""
    fault_mae_deg: float
    """Of the contrasts beyond 6 degrees, the gain undone."""
    clean_peak_deg: float
    """The largest error of the contrasts of a lifter where there is no fault, ninetieth percentile, the gain undone."""
    guest_sd_deg: float
    """Of clean lifters with bent knees against their own shallow ones."""

    def __str__(self) -> str:
        return (
            f"gain {self.gain:.2f}; off by {self.fault_mae_deg:.2f} deg at faults, elsewhere by up to "
            f"{self.clean_peak_deg:.2f} deg; a guest's clean depth within {self.guest_sd_deg:.2f} deg (sd)"
        )


def judge(held_out: Sequence[tuple[Lifter, Singles]]) -> Judged:
    shown: list[Floats] = []
    truth: list[Floats] = []
    clean: list[NDArray[np.bool_]] = []
    guests: list[float] = []
    for lifter, weights in held_out:
        both = contrasts(lifter)
        shown.append(np.convolve(both.read(weights), np.ones(3) / 3, "same"))
        truth.append(both.truth_deg)
        clean.append(np.abs(lifter.lifted.truth_deg) < FAULT_DEG)
        for clip in (lifter.neutral, lifter.lifted):
            own, deep = within(clip), (clip.bent > 0.4) & (np.abs(clip.truth_deg) < FAULT_DEG)
            if own is not None and deep.any():
                guests.append(float((own.read(weights) - own.truth_deg)[deep].mean()))
    read, true = np.concatenate(shown), np.concatenate(truth)
    fault = np.abs(true) > 2 * FAULT_DEG
    gain = float(true[fault] @ read[fault] / (true[fault] @ true[fault]))
    off_deg = float(np.abs(read[fault] / gain - true[fault]).mean())
    peaks = [float(np.abs(one[at] / gain - deg[at]).max()) for one, deg, at in zip(shown, truth, clean, strict=True)]
    return Judged(gain, off_deg, float(np.percentile(peaks, 90)), float(np.std(guests)) / gain)


def learn(items: Sequence[Lifter], folds: int = 0) -> tuple[Singles, Judged | None]:
    """The readings of all lifters and, with ``folds``, how those of other lifters did on each."""
    chance = np.random.default_rng(0)
    seeds = sorted({item.seed for item in items})
    fold = {seed: i % max(1, folds) for i, seed in enumerate(chance.permutation(seeds).tolist())}
    parts = [Equations() for _ in range(max(1, folds))]
    for item in items:
        parts[fold[item.seed]].add(*rows(item, chance))
    for part in parts:
        part.settle()
    matrix, side = sum(part.matrix for part in parts), sum(part.side for part in parts)
    judged = None
    if folds:
        learned = [solve(matrix - part.matrix, side - part.side) for part in parts]
        judged = judge([(item, learned[fold[item.seed]]) for item in items])
    return solve(np.asarray(matrix), np.asarray(side)), judged


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=0)
    arguments = parser.parse_args()
    learned: dict[str, Any] = {}
    for view in ("side", "front"):
        items = [item for folder in arguments.folders for item in lifters(folder, view)]
        weights, judged = learn(items, arguments.folds)
        learned[view] = weights.astype(np.float16)
        count = len({item.seed for item in items})
        print(f"{view}: {len(items)} sets of {count} lifters", *([judged] if judged else []))
    np.savez_compressed(arguments.out, **learned)


if __name__ == "__main__":
    main()
