"""What ``tests/fuzz.py`` tries of the vision process: clip files, and landmarks with numbers that are none."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
from fuzz_damage import Target, all_finite, scratch_folder
from fuzz_targets import SCENARIOS

ODD_NUMBERS = (np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0, 1e-320, 5000.0, -3.0)
WHOLE_FITS = 0.001
"""Share of the landmarks that go through the whole fit, which takes a hundred times as long as reading them."""


def clips() -> Target:
    from vision.clip import ClipReader
    from vision.frames import SourceError

    valid = (SCENARIOS / "clean" / "side.neutral.mp4").read_bytes()
    path = scratch_folder() / "clip.mp4"

    def attempt(chance: random.Random) -> bool:
        data = bytearray(valid)
        if chance.random() < 0.5:  # the tables at the end or the beginning, which a reader trusts
            box = data.find(b"moov")
            for _ in range(chance.randint(1, 8)):
                data[min(box + chance.randrange(4000), len(data) - 1)] = chance.randrange(256)
        else:
            for _ in range(chance.randint(1, 50)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            reader = ClipReader(path)
        except SourceError:
            return False
        assert 1.0 <= reader.frames_per_s <= 240.0
        for _ in range(3):
            frame = reader.next()
            if frame is None:
                break
            assert frame.image_bgr.dtype == np.uint8 and math.isfinite(frame.t_s)
        reader.close()
        return True

    return attempt


def _seen(view: str) -> tuple[Any, list[tuple[Any, Any]]]:
    """The calibration of a bundled clip, and (image, landmarks) of its first frames by the real model."""
    from device.config import Paths
    from vision.calibration_file import load_calibration
    from vision.clip import ClipReader
    from vision.landmarks import PoseModel
    from vision.model import model_path
    from vision.person import lifter_region_px

    folder, _, name = view.partition("/")
    known = load_calibration(SCENARIOS / folder / f"{name}.calibration.toml")
    reader, frames = ClipReader(SCENARIOS / folder / f"{name}.neutral.mp4"), []
    with PoseModel(model_path(Paths().model_dir.expanduser(), "full")) as model:
        for number in range(15):
            frame = reader.next()
            assert frame is not None
            found = model.detect(frame.image_bgr, 50 * number, lifter_region_px(known))
            assert found is not None
            frames.append((frame.image_bgr, found))
    reader.close()
    return known, frames


def landmarks() -> Target:
    """As ``PostureEstimator`` takes them: is it the lifter, where are the feet, what do they say of the back."""
    from vision.cues import camera_cues
    from vision.landmarks import Landmarks
    from vision.lifter import POSE_MEAN, SHAPE_MEAN, LegModel
    from vision.person import sits_on_machine
    from vision.posture import PostureEstimator
    from vision.sights import FeetOnPlate

    views = []
    for view in ("clean/side", "clean_front/front"):
        known, frames = _seen(view)
        model = LegModel(known)
        joints = model.joints(SHAPE_MEAN, POSE_MEAN, np.array(0.0))
        views.append((known, frames, joints, model.plate_centre, FeetOnPlate(model, known), PostureEstimator([known])))
    t_s = [0.0]

    def spoilt(chance: random.Random, found: Landmarks) -> Landmarks:
        arrays = [np.array(each) for each in (found.px, found.visibility, found.world_m, found.mask)]
        for array in arrays:
            if chance.random() < 0.4:
                flat = array.reshape(-1)
                for _ in range(chance.choice((1, 1, 2, 5, 40))):
                    number = chance.random() * 640.0 if chance.random() < 0.5 else chance.choice(ODD_NUMBERS)
                    with np.errstate(over="ignore"):  # the mask's numbers are short
                        flat[chance.randrange(flat.size)] = number
        return Landmarks(*arrays)

    def attempt(chance: random.Random) -> bool:
        known, frames, joints, plate, feet, estimator = chance.choice(views)
        image, found = chance.choice(frames)
        given = spoilt(chance, found)
        if chance.random() < WHOLE_FITS:
            t_s[0] += chance.choice((0.05, 0.05, 0.05, 0.05, 5.0))
            if chance.random() < 0.05:
                image = np.full_like(image, chance.choice((0, 255)))
            sample = estimator.update(0, t_s[0], image, given)
            assert all_finite(sample), sample
            return bool(sample.person)
        if not sits_on_machine(given, known):
            return False
        carriage_m = feet.carriage_m(given)
        assert carriage_m is None or math.isfinite(carriage_m)
        cues = camera_cues(known, given, joints, plate)
        assert all_finite(cues), cues
        return True

    return attempt
