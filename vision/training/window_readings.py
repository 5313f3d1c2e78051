"""Learn the window's readings (``window_weights.npz``) from rendered clips with known truth.

    python -m vision.training.window_readings FOLDER [FOLDER ...] --out window_weights.npz

A FOLDER holds NAME.mp4, NAME.neutral.mp4, NAME.calibration.toml, NAME.truth.json and NAME.neutral.truth.json.
Every frame is set against the same lifter's clean frame at the nearest carriage position, and the
difference of features is mapped to the difference of truth: ridge, in two parts, one constant and one in
proportion to how far the knees are bent. Done once, on a computer; nothing of it runs on the machine.

The weights that are shipped came from a forerunner of this script, which paired frames by the tracked
carriage and used stills of some 340 lifters besides; this one has not yet been run to replace them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.calibration_file import load_calibration
from vision.window import Window, features, mirrored

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

RIDGE: Final = 60.0
LARGEST: Final = 7000
"""Differences used at most: the solution takes their number cubed."""
FRAMES: Final = 80
"""Taken of every clip at most, so that a long one does not outvote the others."""


def bend(knee_deg: Floats) -> Floats:
    """As ``device.core.posture.bend``: 0 at 60 degrees, +-1 for 40 more or less."""
    return np.clip((knee_deg - 60.0) / 40.0, -1.2, 1.2)


def pictures(video: Path, window: Window, every: int) -> list[NDArray[np.uint8]]:
    """Every n-th frame's window."""
    capture, out = cv2.VideoCapture(str(video)), []
    index = 0
    while capture.grab():
        if index % every == 0:
            out.append(window.picture(np.asarray(capture.retrieve()[1], dtype=np.uint8)))
        index += 1
    return out


def column(frames: dict[str, Any], key: str, side: str | None, every: int) -> Floats:
    values = frames[key] if side is None else frames[key][side]
    return np.asarray(values, dtype=np.float64)[::every]


def differences(folder: Path, view: str, every: int = 2) -> Iterator[tuple[Singles, Floats, Floats]]:
    """(n, FEATURES) differences, (n,) truth of them in degrees, (n,) bend; one item a clip and side."""
    chosen = np.random.default_rng(0)
    for path in sorted(folder.glob("*.neutral.truth.json")):
        stem = str(path).removesuffix(".neutral.truth.json")
        calibration = load_calibration(f"{stem}.calibration.toml")
        if calibration.view != view:
            continue
        window = Window(calibration)
        clean, shown = (pictures(Path(f"{stem}{part}.mp4"), window, every) for part in (".neutral", ""))
        truth = [json.loads(Path(f"{stem}{part}.truth.json").read_text("utf-8"))["frames"] for part in (".neutral", "")]
        key = "lumbar_flexion_deg" if view == "side" else "valgus_deg"
        for side in (None,) if view == "side" else ("L", "R"):
            turned = mirrored if side == "R" else np.asarray
            seen = [np.array([turned(features(p)) for p in part]) for part in (clean, shown)]
            wanted = [column(part, key, side, every) for part in truth]
            # Carriages of both clips are told from the knee, which the same legs bend alike at the same place.
            knee = [column(part, "knee_flexion_deg", side or "L", every) for part in truth]
            partner = np.abs(knee[1][:, None] - knee[0][None]).argmin(axis=1)
            take = chosen.choice(len(seen[1]), min(FRAMES, len(seen[1])), replace=False)
            yield (seen[1] - seen[0][partner])[take], (wanted[1] - wanted[0][partner])[take], bend(knee[1])[take]


def learn(items: list[tuple[Singles, Floats, Floats]]) -> Singles:
    """(2, FEATURES) readings; kernel ridge, for there are more features than differences."""
    apart, truth, bent = (np.concatenate([item[i] for item in items]) for i in range(3))
    order = np.random.default_rng(1).permutation(len(apart))[:LARGEST]
    apart, truth, bent = apart[order].astype(np.float64), truth[order], bent[order]
    kernel = (apart @ apart.T) * (1.0 + np.outer(bent, bent))
    dual = np.linalg.solve(kernel + RIDGE * np.eye(len(kernel)), truth)
    return np.stack([apart.T @ dual, apart.T @ (dual * bent)]).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    learned: dict[str, Any] = {}
    for view in ("side", "front"):
        items = [item for folder in arguments.folders for item in differences(folder, view)]
        learned[view] = learn(items).astype(np.float16)
        print(f"{view}: {sum(len(item[1]) for item in items)} differences of {len(items)} clips")
    np.savez_compressed(arguments.out, **learned)


if __name__ == "__main__":
    main()
