"""Frames a second of the whole vision pipeline against a loop that does nothing but find landmarks."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from device.config import Camera, Config
from device.messages import PoseSample
from device.scenario import Scenario, load_scenario
from vision.clip import ClipReader, ClipSource
from vision.frames import Frame, FrameSource
from vision.landmarks import Landmarks, PoseModel
from vision.model import model_path, verify
from vision.posture import PostureEstimator
from vision.service import Vision, calibrations

ROUNDS = 5


def vision_against_bare(config: Config, quick: bool) -> Sequence[tuple[str, float, str, str | None]]:
    """Both on the same clip, in turn, several times; the ratio is taken round by round."""
    scenario = load_scenario("rounding")
    path = model_path(config.paths.model_dir, "full")
    verify(path, "full")
    config = scenario.configure(config)
    bare, whole, busy_ms = [], [], []
    for _ in range(1 if quick else ROUNDS):
        with PoseModel(path, masks=False) as model:
            bare.append(_bare_loop(model, scenario))
        with PoseModel(path) as model:
            rate, cost = _pipeline(config, model, scenario)
            whole.append(rate)
            busy_ms.append(cost)
    alone_ms = _fit_alone(config, path, scenario, 1 if quick else ROUNDS)
    ratio = statistics.median(w / b for w, b in zip(whole, bare, strict=True))
    return [
        ("bare landmark loop", statistics.median(bare), "frames/s", None),
        ("vision pipeline", statistics.median(whole), "frames/s", None),
        ("vision pipeline / bare loop", ratio, "", ">= 0.85"),
        ("fit on top of the landmarks, per frame", statistics.median(alone_ms), "ms", "<= 5"),
        ("the same while the model finds landmarks", statistics.median(busy_ms), "ms", None),
    ]


def _bare_loop(model: PoseModel, scenario: Scenario) -> float:
    reader = ClipReader(scenario.cameras[0].clip)
    frames, started_s = 0, time.perf_counter()
    while (frame := reader.next()) is not None:
        model.detect(frame.image_bgr, round(frame.t_s * 1000))
        frames += 1
    elapsed_s = time.perf_counter() - started_s
    reader.close()
    return frames / elapsed_s


def _fit_alone(config: Config, path: Path, scenario: Scenario, rounds: int) -> list[float]:
    """Of each round the processor time of the fit per frame (ms); the landmarks are found before."""
    (calibration,) = (c for c in calibrations(config) if c is not None)
    crop = PostureEstimator([calibration]).region_px(0)
    seen: list[tuple[Frame, Landmarks | None]] = []
    reader = ClipReader(scenario.cameras[0].clip)
    with PoseModel(path) as model:
        while (frame := reader.next()) is not None:
            seen.append((frame, model.detect(frame.image_bgr, round(frame.t_s * 1000), crop)))
    reader.close()
    out = []
    for _ in range(rounds):
        estimator = PostureEstimator([calibration])
        cpu_s = time.process_time()
        for frame, landmarks in seen:
            estimator.update(0, frame.t_s, frame.image_bgr, landmarks)
        out.append(1000 * (time.process_time() - cpu_s) / len(seen))
    return out


def _pipeline(config: Config, model: PoseModel, scenario: Scenario) -> tuple[float, float]:
    """Frames/s from the first sample to the last, and the processor time of the fit per frame (ms)."""

    def once(camera: Camera, config: Config) -> FrameSource:
        return ClipSource(scenario.cameras[0].clip, paced=False, loop=False)

    times_s: list[float] = []

    def publish(sample: PoseSample) -> None:
        times_s.append(time.perf_counter())

    started_s = time.perf_counter()
    vision = Vision(config, calibrations(config), [model], publish, opener=once, lossless=True)
    cpu_s = time.thread_time()
    vision.run(threading.Event())
    cpu_s = time.thread_time() - cpu_s
    return len(times_s) / (times_s[-1] - started_s), 1000 * cpu_s / len(times_s)
