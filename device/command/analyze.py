"""``legpress analyze``: one set on file, judged by the same fit and the same rules as live, frame by frame."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from device import config_file
from device.command.analysis import Analysis, Judge, print_summary, write_csv
from device.command.native_log import native_messages_diverted
from device.command.progress import Progress
from device.config import Config
from device.core.posture import NeutralError, NeutralProfile, learn_neutral
from device.errors import UserError
from device.messages import PoseSample
from vision.calibration import Calibration
from vision.calibration_file import load_calibration
from vision.model import model_path, verify
from vision.overlay import OverlayWriter
from vision.playback import Playback, duration_s, frames_per_s
from vision.posture import PostureEstimator

ENROLMENT_GAP_S = 10.0
"""Pause between the enrolment reps and the set, as on the machine: long enough to end the first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "clips", nargs="+", type=Path, metavar="CLIP", help="one video, or two cameras' videos of the same set"
    )
    parser.add_argument(
        "--calibration",
        action="append",
        type=Path,
        required=True,
        metavar="FILE",
        help="where the camera sees the machine; one per clip, in the clips' order",
    )
    parser.add_argument(
        "--neutral",
        action="append",
        type=Path,
        default=[],
        metavar="CLIP",
        help="the same lifter's enrolment reps; one per clip, in the clips' order",
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write frames, reps and alerts as JSON")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write the measures of every frame as CSV")
    parser.add_argument(
        "--overlay", type=Path, metavar="OUT.mp4", help="write the video with skeleton, measures and alerts drawn on it"
    )
    parser.add_argument(
        "--model",
        action="append",
        choices=("lite", "full", "heavy"),
        help="pose model; one for all clips or one per clip (default: full)",
    )
    parser.add_argument("--max-fps", type=float, metavar="N", help="drop frames beyond this rate, as a busy Pi would")
    parser.add_argument("--config", type=Path, metavar="FILE", help="thresholds and goals from this configuration")


@dataclass(frozen=True)
class Inputs:
    """A set's files, checked against each other."""

    clips: Sequence[Path]
    calibrations: Sequence[Calibration]
    neutrals: Sequence[Path]
    models: Sequence[Path]
    max_fps: float | None = None


def run(args: argparse.Namespace) -> int:
    config = config_file.load(args.config)
    for path in (args.json, args.csv, args.overlay):
        if path is not None and not path.parent.is_dir():
            raise UserError(f"{path}: the folder {path.parent} does not exist")
    with native_messages_diverted():
        analysis = analyze(check_inputs(args, config), config, overlay=args.overlay, progress=Progress)
    if args.json:
        args.json.write_text(json.dumps(analysis.as_dict(), allow_nan=False) + "\n", encoding="utf-8")
    if args.csv:
        write_csv(args.csv, analysis)
    print_summary(analysis)
    return 0


def check_inputs(args: argparse.Namespace, config: Config) -> Inputs:
    """The files of the command line, each readable and as many as belong together.

    Raises:
        UserError: which argument is wrong, and what is expected.
    """
    clips: list[Path] = args.clips
    if len(clips) > 2:
        raise UserError(f"{len(clips)} clips given; a set is seen by one camera or two")
    if len(args.calibration) != len(clips):
        raise UserError(
            f"{len(clips)} clip(s) but {len(args.calibration)} --calibration; give one per clip, in the same order"
        )
    if args.neutral and len(args.neutral) != len(clips):
        raise UserError(f"{len(clips)} clip(s) but {len(args.neutral)} --neutral; give one per clip, in the same order")
    if args.max_fps is not None and not 1.0 <= args.max_fps <= 240.0:
        raise UserError(f"--max-fps {args.max_fps:g}: give a rate from 1 to 240 frames/s")
    variants = args.model or ["full"]
    if len(variants) == 1:
        variants = variants * len(clips)
    if len(variants) != len(clips):
        raise UserError(f"{len(clips)} clip(s) but {len(variants)} --model; give one, or one per clip")
    calibrations = [load_calibration(path) for path in args.calibration]
    if len(calibrations) == 2 and calibrations[0].view == calibrations[1].view:
        raise UserError(
            f"both calibrations say view = {calibrations[0].view!r}; two cameras are told apart by their view"
        )
    for path in (*clips, *args.neutral):
        duration_s(path)  # a file that is no video is named before any work is done
    models = [model_path(config.paths.model_dir, variant) for variant in variants]
    for path, variant in zip(models, variants, strict=True):
        verify(path, variant)
    return Inputs(clips, calibrations, args.neutral, models, args.max_fps)


def analyze(
    inputs: Inputs,
    config: Config,
    overlay: Path | None = None,
    progress: Callable[[str, int], Progress] | None = None,
) -> Analysis:
    """Judge a set, causally.

    Raises:
        UserError: a clip cannot be read, or the enrolment reps cannot be used.
    """
    estimator = PostureEstimator(inputs.calibrations, [c.view for c in inputs.calibrations])
    neutral = enrol(inputs, estimator, progress) if inputs.neutrals else None
    judge = Judge(config, neutral)
    playback = Playback(inputs.clips, inputs.models, estimator, inputs.max_fps)
    bar = progress("analyzing", playback.frame_count) if progress else None
    writer = (
        OverlayWriter(overlay, inputs.calibrations, inputs.max_fps or frames_per_s(inputs.clips[0]))
        if overlay
        else None
    )
    with contextlib.ExitStack() as stack:
        stack.callback(playback.close)
        if bar:
            stack.callback(bar.close)
        if writer:
            stack.callback(writer.close)
        for moment in playback:
            sample = judge.see(moment)
            if writer:
                writer.write(moment, sample, judge.text(), tuple(judge.open_alerts.values()))
            if bar:
                bar.step()
    judge.end()
    return judge.analysis


def enrol(
    inputs: Inputs, estimator: PostureEstimator, progress: Callable[[str, int], Progress] | None
) -> NeutralProfile:
    """The member's neutral from the enrolment clips, which lie before the set in time.

    Raises:
        UserError: the reps cannot be used; says why.
    """
    offset_s = -(max(duration_s(path) for path in inputs.neutrals) + ENROLMENT_GAP_S)
    playback = Playback(inputs.neutrals, inputs.models, estimator, inputs.max_fps, offset_s)
    bar = progress("enrolment", playback.frame_count) if progress else None
    samples: list[PoseSample] = []
    try:
        for moment in playback:
            samples.extend(moment.samples)
            if bar:
                bar.step()
    finally:
        playback.close()
        if bar:
            bar.close()
    try:
        return learn_neutral(samples)
    except NeutralError as error:
        names = ", ".join(str(path) for path in inputs.neutrals)
        raise UserError(f"--neutral {names}: {error}") from error
