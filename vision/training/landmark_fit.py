"""Learn where the pose model's leg landmarks lie against the joints, and how they scatter (``landmark_model.json``).

    python -m vision.training.landmark_fit CLIPS... --model pose_full.task --cache DIR [--out landmark_model.json]

A folder of CLIPS holds NAME.mp4, NAME.calibration.toml and NAME.truth.json with the joints' places (``joints3d``).
Looking at a clip takes seconds and is done once (``--cache`` keeps the landmarks, no image). For each view, leg (nearer
to the camera or farther) and joint: a straight line over knee flexion through the offsets of all frames, each clip
counting alike, and the standard deviation about it. Offsets are in the machine's axes: outwards from the middle, up the
pad, off the pad; of these a view shows two.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from device.messages import View
from vision.calibration import Calibration
from vision.calibration_file import load_calibration
from vision.fit import BIAS_AT_DEG, BIAS_STEP_DEG
from vision.person import sits_on_machine
from vision.sights import JOINTS, LEARNED_FILE, leg_px
from vision.training.clips import look_at

Floats = NDArray[np.float64]

SHOWN: Final[dict[View, tuple[int, int]]] = {"side": (1, 2), "oblique": (1, 2), "front": (0, 1)}
"""Which of the axes (outwards, up the pad, off the pad) a view tells apart; the third offset is taken as none."""
FARTHEST_M: Final = 0.5
"""An offset beyond is a landmark of somebody else."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One camera's set: ``offset_m`` (frames, 2 legs left right, 3 joints, 3 axes), ``flexion_deg`` (frames, 2)."""

    name: str
    view: View
    near: int
    """0 = the left leg is nearer to the camera, 1 = the right one."""
    offset_m: Floats
    flexion_deg: Floats


def seen_px(clip: Path, calibration: Calibration, model_path: Path) -> Floats:
    """(frames, 2, 3, 2) hips, knees and ankles, NaN where nobody was found on the machine."""
    nobody = np.full((2, 3, 2), np.nan)
    return np.array(
        [
            leg_px(found) if found is not None and sits_on_machine(found, calibration) else nobody
            for _, found in look_at(clip, calibration, model_path)
        ]
    )


def offsets_m(calibration: Calibration, px: Floats, joints_m: Floats) -> Floats:
    """(frames, 2, 3, 3) what moves the true joints (frames, 2, 3, 3) onto the landmarks (frames, 2, 3, 2), by axis."""
    machine, step_m = calibration.machine, 1e-3
    across = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])[:, None, :]
    axes = [across, machine.pad_up, machine.pad_normal]
    miss = px - calibration.project(joints_m)
    shown = SHOWN[calibration.view]
    moved = [(calibration.project(joints_m + step_m * axes[i]) - calibration.project(joints_m)) / step_m for i in shown]
    solved = np.linalg.solve(np.stack(moved, axis=-1), miss[..., None])[..., 0]
    out = np.zeros((*miss.shape[:-1], 3))
    out[..., list(shown)] = solved
    return out


def read_clips(folders: Sequence[Path], model_path: Path, cache: Path) -> Iterator[Clip]:
    cache.mkdir(parents=True, exist_ok=True)
    for truth_path in sorted(path for folder in folders for path in folder.glob("*.truth.json")):
        stem = str(truth_path).removesuffix(".truth.json")
        calibration = load_calibration(Path(f"{stem}.calibration.toml"))
        stored = cache / f"{truth_path.parent.name}_{Path(stem).name}.legs.npy"
        if not stored.exists():
            np.save(stored, seen_px(Path(f"{stem}.mp4"), calibration, model_path))
        frames = json.loads(truth_path.read_text("utf-8"))["frames"]
        joints = np.array([[frames["joints3d"][f"{joint}_{side}"] for joint in JOINTS] for side in ("L", "R")])
        joints = np.moveaxis(joints, 2, 0).astype(np.float64)
        px = np.load(stored)
        count = min(len(px), len(joints))
        offset = offsets_m(calibration, px[:count], joints[:count])
        offset[np.linalg.norm(offset, axis=-1) > FARTHEST_M] = np.nan
        flexion = np.stack([frames["knee_flexion_deg"][side] for side in ("L", "R")], axis=-1)[:count]
        near = 0 if calibration.eye[0] > 0 else 1
        yield Clip(Path(stem).name, calibration.view, near, offset, flexion)


def line_through(clips: Sequence[Clip], far: bool, joint: int) -> tuple[Floats, Floats, float]:
    """(3,) offset at 50 degrees of flexion, (3,) its change over 40 more, and the standard deviation about them (m).

    The deviation is of what a view shows, per axis: the spread between lifters included.
    """
    design, wanted, weight = [], [], []
    for clip in clips:
        # From the front both legs are alike: one line serves.
        legs = (0, 1) if clip.view == "front" else (1 - clip.near if far else clip.near,)
        for leg in legs:
            offset = clip.offset_m[:, leg, joint]
            known = np.isfinite(offset).all(axis=-1)
            if known.any():
                design.append((clip.flexion_deg[known, leg] - BIAS_AT_DEG) / BIAS_STEP_DEG)
                wanted.append(offset[known])
                weight.append(np.full(int(known.sum()), 1.0 / known.sum()))
    u, offsets, share = np.concatenate(design), np.concatenate(wanted), np.concatenate(weight)
    columns = np.column_stack([np.ones_like(u), u])
    root = np.sqrt(share)[:, None]
    line = np.linalg.lstsq(root * columns, root * offsets, rcond=None)[0]
    apart = offsets - columns @ line
    shown = SHOWN[clips[0].view]
    variance = float(np.average((apart[:, list(shown)] ** 2).mean(axis=1), weights=share))
    return line[0], line[1], float(np.sqrt(variance))


def learned(clips: Sequence[Clip]) -> dict[str, Any]:
    """What ``landmark_model.json`` holds. Every view must be among the clips."""
    out: dict[str, Any] = {}
    for view in SHOWN:
        of_view = [clip for clip in clips if clip.view == view]
        out[view] = {"near": {}, "far": {}}
        for leg in out[view]:
            for i, name in enumerate(JOINTS):
                bias, slope, sd = line_through(of_view, leg == "far", i)
                out[view][leg][name] = {"bias": _short(bias), "slope": _short(slope), "sd": round(sd, 4)}
    return out


def _short(values: Floats) -> list[float]:
    return cast(list[float], np.round(values, 4).tolist())


def as_text(model: dict[str, Any]) -> str:
    """One line a leg, so that a change can be read."""
    views = []
    for view, legs in model.items():
        rows = ",\n".join(f'    "{leg}": {json.dumps(joints)}' for leg, joints in legs.items())
        views.append(f'  "{view}": {{\n{rows}\n  }}')
    return "{\n" + ",\n".join(views) + "\n}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Learn the landmarks' offsets on clips with known joints.")
    parser.add_argument("folders", type=Path, nargs="+", metavar="CLIPS")
    parser.add_argument("--model", type=Path, required=True, help="the pose model (.task)")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the landmarks of each clip")
    parser.add_argument("--out", type=Path, default=LEARNED_FILE)
    args = parser.parse_args()
    clips = list(read_clips(args.folders, args.model, args.cache))
    args.out.write_text(as_text(learned(clips)), "utf-8")
    counts = ", ".join(f"{view} {sum(clip.view == view for clip in clips)}" for view in SHOWN)
    print(f"{args.out}: offsets from {len(clips)} clips ({counts})")


if __name__ == "__main__":
    main()
