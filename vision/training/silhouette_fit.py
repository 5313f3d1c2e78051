"""Fit the weights of ``vision.silhouette`` on side clips with known truth, and say how good they are.

    python -m vision.training.silhouette_fit CLIPS... --model pose_full.task --cache DIR [--out silhouette_model.json]

A folder of CLIPS holds NAME.mp4, NAME.neutral.mp4, NAME.calibration.toml and NAME.truth.json. Looking at a
clip takes seconds and is done once (``--cache`` keeps cells and carriage positions, no image). The figures
are cross-validated: every clip, and so every lifter, is judged by weights that were fitted without it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from vision.calibration import Calibration
from vision.calibration_file import load_calibration
from vision.plate import PlateTracker
from vision.silhouette import CELLS, MODEL_FILE, PAD_MIDDLE_DEG, PAD_SPAN_DEG, silhouette_cells
from vision.training.clips import look_at

Floats = NDArray[np.float64]

DEGREE: Final = 5
RIDGE: Final = 1e-3
"""Of the neutral's polynomial in carriage position: as ``device.core.posture`` contrasts this cue."""
SHRINK: Final = 1.0
SMOOTH: Final = 2.0
BY_PAD: Final = 4.0
"""Penalties: on every weight, on steps between neighbouring cells, and how much dearer the pad-angle part is."""
FAULTY_DEG: Final = 6.0
FAULTY_WEIGHT: Final = 5.0
"""Faulty frames are few: each counts for so many."""
RELATED_FRAMES: Final = 10.0
"""Neighbouring frames err alike; so many count as one."""
FOLDS: Final = 8
SLID_M: Final = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One set: contrasted cells (n, 576) and the truth (n,)."""

    name: str
    pad: float
    contrast: Floats
    lumbar_deg: Floats


def look(clip: Path, calibration: Calibration, model_path: Path, tracker: PlateTracker) -> tuple[Floats, Floats]:
    """Cells (n, 576), NaN where nobody was found, and carriage positions (n,) of a clip."""
    cells, carriage = [], []
    for frame, found in look_at(clip, calibration, model_path):
        mask = None if found is None else found.mask
        cells.append(np.full(CELLS**2, np.nan) if mask is None else silhouette_cells(calibration, mask).ravel())
        carriage.append(tracker.update(frame.t_s, frame.image_bgr).carriage_m)
    return np.array(cells), np.array(carriage)


def contrast(neutral: Floats, neutral_m: Floats, cells: Floats, carriage_m: Floats) -> Floats:
    """Cells minus the neutral's at the same carriage position; beyond the neutral's travel along its tangent."""
    known = np.isfinite(neutral[:, 0])
    places = np.sort(neutral_m[known])
    low, high = places[len(places) // 50], places[-1 - len(places) // 50]
    powers = np.arange(DEGREE + 1)
    inside = np.clip((2 * neutral_m[known] - low - high) / (high - low), -1.0, 1.0)[:, None] ** powers
    matrix = inside.T @ inside + np.diag(np.where(powers >= 2, RIDGE * len(inside), 0.0))
    coefficients = np.linalg.solve(matrix, inside.T @ neutral[known])
    u = np.clip((2 * carriage_m - low - high) / (high - low), -2.0, 2.0)
    edge = np.clip(u, -1.0, 1.0)
    slope = powers * edge[:, None] ** np.maximum(powers - 1, 0)
    return cast(Floats, cells - (edge[:, None] ** powers + slope * (u - edge)[:, None]) @ coefficients)


def read_clips(folders: Sequence[Path], model_path: Path, cache: Path) -> Iterator[Clip]:
    """All side clips of the folders.

    Lifters who slid forward are left out: that shifts the outline without the back bending.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for truth_path in sorted(path for folder in folders for path in folder.glob("*.truth.json")):
        stem = str(truth_path).removesuffix(".truth.json")
        calibration = load_calibration(Path(f"{stem}.calibration.toml"))
        frames = json.loads(truth_path.read_text("utf-8"))["frames"]
        if calibration.view != "side" or max(map(abs, frames.get("hip_slide_m", [0.0]))) > SLID_M:
            continue
        name = f"{truth_path.parent.name}_{Path(stem).name}"
        stored = cache / f"{name}.npz"
        if not stored.exists():
            tracker = PlateTracker(calibration)
            neutral, neutral_m = look(Path(f"{stem}.neutral.mp4"), calibration, model_path, tracker)
            cells, carriage_m = look(Path(f"{stem}.mp4"), calibration, model_path, tracker)
            np.savez_compressed(
                stored,
                neutral_cells=neutral.astype(np.float32),
                neutral_carriage_m=neutral_m,
                set_cells=cells.astype(np.float32),
                set_carriage_m=carriage_m,
            )
        with np.load(stored) as data:
            seen = contrast(
                data["neutral_cells"].astype(np.float64),
                data["neutral_carriage_m"],
                data["set_cells"].astype(np.float64),
                data["set_carriage_m"],
            )
        truth = np.array(frames["lumbar_flexion_deg"])
        count = min(len(truth), len(seen))
        known = np.isfinite(seen[:count, 0])
        pad = (calibration.machine.back_pad_deg - PAD_MIDDLE_DEG) / PAD_SPAN_DEG
        yield Clip(name, pad, seen[:count][known], truth[:count][known])


def penalty() -> Floats:
    """(1153, 1153) for intercept, plain and pad-angle weights."""
    index = np.arange(CELLS**2).reshape(CELLS, CELLS)
    single = SHRINK * np.eye(CELLS**2)
    for one, other in ((index[1:], index[:-1]), (index[:, 1:], index[:, :-1])):
        step = np.zeros((one.size, CELLS**2))
        step[np.arange(one.size), one.ravel()], step[np.arange(one.size), other.ravel()] = 1.0, -1.0
        single += SMOOTH * step.T @ step
    out = np.zeros((2 * CELLS**2 + 1, 2 * CELLS**2 + 1))
    out[1 : CELLS**2 + 1, 1 : CELLS**2 + 1], out[CELLS**2 + 1 :, CELLS**2 + 1 :] = single, BY_PAD * single
    return out


def design(clip: Clip) -> Floats:
    """(n, 1153) intercept, cells, cells times pad angle."""
    return np.hstack([np.ones((len(clip.contrast), 1)), clip.contrast, clip.pad * clip.contrast])


def normal_equations(clip: Clip) -> tuple[Floats, Floats]:
    columns = design(clip)
    weight = np.where(np.abs(clip.lumbar_deg) > FAULTY_DEG, FAULTY_WEIGHT, 1.0) / RELATED_FRAMES
    weighted = columns.T * weight
    return weighted @ columns, weighted @ clip.lumbar_deg


def cross_validated(clips: Sequence[Clip]) -> tuple[Floats, list[Floats]]:
    """Weights from all clips (1153,), and each clip's readings by weights that do not know it."""
    equations = [normal_equations(clip) for clip in clips]
    matrix = sum((m for m, _ in equations), penalty())
    right = sum((r for _, r in equations), np.zeros(2 * CELLS**2 + 1))
    order = np.random.default_rng(0).permutation(len(clips))
    readings: list[Floats] = [np.empty(0)] * len(clips)
    for fold in range(FOLDS):
        left_out = order[fold::FOLDS]
        part = matrix - sum((equations[i][0] for i in left_out), np.zeros_like(matrix))
        weights = np.linalg.solve(part, right - sum((equations[i][1] for i in left_out), np.zeros_like(right)))
        for i in left_out:
            readings[i] = design(clips[i]) @ weights
    return cast(Floats, np.linalg.solve(matrix, right)), readings


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit the silhouette's weights on clips with known truth.")
    parser.add_argument("folders", type=Path, nargs="+", metavar="CLIPS")
    parser.add_argument("--model", type=Path, required=True, help="the pose model (.task)")
    parser.add_argument("--cache", type=Path, required=True, help="folder for what was seen in each clip")
    parser.add_argument("--out", type=Path, default=MODEL_FILE)
    args = parser.parse_args()
    clips = list(read_clips(args.folders, args.model, args.cache))
    weights, readings = cross_validated(clips)
    truth, seen = np.concatenate([clip.lumbar_deg for clip in clips]), np.concatenate(readings)
    for low, high in ((-30.0, -8.0), (-8.0, -4.0), (-1.0, 1.0), (4.0, 8.0), (8.0, 15.0), (15.0, 40.0)):
        here = (truth >= low) & (truth < high)
        if here.any():
            error = seen[here] - truth[here]
            print(
                f"true {low:5.0f} to {high:3.0f} deg: {here.sum():6d} frames,"
                f" mean error {error.mean():5.2f}, MAE {np.abs(error).mean():.2f}"
            )
    parts = np.round(weights[1:], 3).reshape(2, CELLS, CELLS).tolist()
    text = json.dumps({"clips": len(clips), "upright": parts[0], "by_pad": parts[1]}, separators=(",", ":"))
    args.out.write_text(text.replace("],[", "],\n[").replace('],"', '],\n"') + "\n", "utf-8")
    print(f"{args.out}: weights of {len(clips)} clips; posture_weights.NEUTRAL_LUMBAR_DEG is {weights[0]:.2f}")


if __name__ == "__main__":
    main()
