"""``legpress analyze``: one set on file, judged by the same fit and the same rules as live, frame by frame."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device import config_file
from device.command.native_log import divert_native_messages
from device.command.progress import Progress
from device.config import Config
from device.core.actions import Action, Publish
from device.core.events import Event, MemberRecalled, Stop, Tick
from device.core.posture import NeutralError, NeutralProfile, Posture, learn_neutral
from device.core.state import CoreState
from device.core.step import step
from device.errors import UserError
from device.messages import AlertRecord, PoseSample, RepRecord, Sided
from vision.calibration import Calibration, load_calibration
from vision.model import model_path, verify
from vision.overlay import OverlayWriter, PostureText
from vision.playback import Moment, Playback, duration_s, frames_per_s
from vision.posture import PostureEstimator

ENROLMENT_GAP_S = 10.0
"""Pause between the enrolment reps and the set, as on the machine: long enough to end the first."""
_EPOCH_UTC = "1970-01-01T00:00:00.000+00:00"
"""A file has no wall clock; the records' times are the clip's own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="one video, or two cameras' videos of the same set")
    parser.add_argument(
        "--calibration", action="append", type=Path, required=True, metavar="FILE", help="where the camera sees the machine; one per clip, in the clips' order"
    )
    parser.add_argument(
        "--neutral", action="append", type=Path, default=[], metavar="CLIP", help="the same lifter's enrolment reps; one per clip, in the clips' order"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write frames, reps and alerts as JSON")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write the measures of every frame as CSV")
    parser.add_argument("--overlay", type=Path, metavar="OUT.mp4", help="write the video with skeleton, measures and alerts drawn on it")
    parser.add_argument("--model", action="append", choices=("lite", "full", "heavy"), help="pose model; one for all clips or one per clip (default: full)")
    parser.add_argument("--max-fps", type=float, metavar="N", help="drop frames beyond this rate, as a busy Pi would")
    parser.add_argument("--config", type=Path, metavar="FILE", help="thresholds and goals from this configuration")


@dataclass
class Analysis:
    """What one set gave; the form that ``--json`` writes."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    reps: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {"frames": self.frames, "reps": self.reps, "alerts": self.alerts}


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
    divert_native_messages()
    inputs = check_inputs(args, config)
    outputs = [path for path in (args.json, args.csv, args.overlay) if path is not None]
    for path in outputs:
        if not path.parent.is_dir():
            raise UserError(f"{path}: the folder {path.parent} does not exist")
    analysis = analyze(inputs, config, overlay=args.overlay, progress=Progress)
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
        raise UserError(f"{len(clips)} clip(s) but {len(args.calibration)} --calibration; give one per clip, in the same order")
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
        raise UserError(f"both calibrations say view = {calibrations[0].view!r}; two cameras are told apart by their view")
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
    writer = OverlayWriter(overlay, inputs.calibrations, inputs.max_fps or frames_per_s(inputs.clips[0])) if overlay else None
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


class Judge:
    """Feeds the core with the samples of a recording and collects what it says."""

    def __init__(self, config: Config, neutral: NeutralProfile | None) -> None:
        self.analysis = Analysis()
        self.open_alerts: dict[str, AlertRecord] = {}
        self._state = CoreState.initial(config)
        self._last_s = 0.0
        self._alert_index: dict[str, int] = {}
        self._feed(MemberRecalled(tag=None, neutral=neutral))

    @property
    def posture(self) -> Posture | None:
        return self._state.view.posture

    def text(self) -> PostureText:
        posture = self.posture or Posture()
        return PostureText(posture.knee_flexion_deg, posture.valgus_deg, posture.lumbar_flexion_deg)

    def see(self, moment: Moment) -> PoseSample:
        """One instant of the recording; returns the newest sample of it."""
        self._last_s = moment.t_s
        self._feed(Tick(moment.t_s, _EPOCH_UTC))
        for sample in moment.samples:
            self._feed(sample)
        sample = moment.samples[-1]
        self.analysis.frames.append(frame_row(moment.t_s, sample.person, self.posture))
        return sample

    def end(self) -> None:
        self._feed(Stop(self._last_s))

    def _feed(self, event: Event) -> None:
        self._state, actions = step(self._state, event)
        for action in actions:
            self._collect(action)

    def _collect(self, action: Action) -> None:
        if not isinstance(action, Publish):
            return
        record = action.record
        if isinstance(record, RepRecord):
            self.analysis.reps.append(rep_row(record))
        elif isinstance(record, AlertRecord):
            self._collect_alert(record)

    def _collect_alert(self, record: AlertRecord) -> None:
        row = alert_row(record, self._last_s)
        if record.alert_id in self._alert_index:
            self.analysis.alerts[self._alert_index[record.alert_id]] = row
        else:
            self._alert_index[record.alert_id] = len(self.analysis.alerts)
            self.analysis.alerts.append(row)
        if record.t_end_s is None:
            self.open_alerts[record.alert_id] = record
        else:
            self.open_alerts.pop(record.alert_id, None)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _sides(value: Sided, digits: int) -> dict[str, float | None]:
    return {"left": _rounded(value.left, digits), "right": _rounded(value.right, digits)}


def frame_row(t_s: float, person: bool, posture: Posture | None) -> dict[str, Any]:
    posture = posture or Posture()
    return {
        "t": round(t_s, 4),
        "person": person,
        "knee_flexion_deg": _sides(posture.knee_flexion_deg, 2),
        "valgus_deg": _sides(posture.valgus_deg, 2),
        "lumbar_flexion_deg": _rounded(posture.lumbar_flexion_deg, 2),
        "foot_placement": _sides(posture.foot_placement, 3),
        "carriage_m": _rounded(posture.carriage_m, 4),
        "hip_slide_m": _rounded(posture.hip_slide_m, 4),
        "heel_lift_deg": _sides(posture.heel_lift_deg, 2),
    }


def rep_row(rep: RepRecord) -> dict[str, Any]:
    return {
        "t_start": round(rep.t_start_s, 3),
        "t_bottom": round(rep.t_bottom_s, 3),
        "t_end": round(rep.t_end_s, 3),
        "number": rep.number,
        "verdict": rep.verdict,
        "faults": list(rep.faults),
        "rom_m": _rounded(rep.rom_m, 3),
        "eccentric_s": round(rep.eccentric_s, 2),
        "concentric_s": round(rep.concentric_s, 2),
        "max_knee_flexion_deg": _rounded(rep.max_knee_flexion_deg, 1),
    }


def alert_row(alert: AlertRecord, now_s: float) -> dict[str, Any]:
    end_s = now_s if alert.t_end_s is None else alert.t_end_s
    return {
        "kind": alert.kind,
        "side": alert.side,
        "priority": alert.priority,
        "t_start": round(alert.t_start_s, 3),
        "t_end": round(end_s, 3),
        "peak": round(alert.peak, 3),
    }


def write_csv(path: Path, analysis: Analysis) -> None:
    rows = [_flat(frame) for frame in analysis.frames]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["t", "person"])
        writer.writeheader()
        writer.writerows(rows)


def _flat(frame: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in frame.items():
        if isinstance(value, dict):
            flat |= {f"{key}_{side}": number for side, number in value.items()}
        else:
            flat[key] = value
    return flat


def print_summary(analysis: Analysis) -> None:
    print(f"{len(analysis.frames)} frames, {len(analysis.reps)} reps, {len(analysis.alerts)} alerts")
    for rep in analysis.reps:
        faults = ", ".join(kind.replace("_", " ") for kind in rep["faults"]) or "-"
        print(f"  rep {rep['number']}: bottom at {rep['t_bottom']:.2f} s, {rep['verdict']}; {faults}")
    for alert in analysis.alerts:
        side = f" {alert['side']}" if alert["side"] else ""
        print(f"  {alert['t_start']:.2f}-{alert['t_end']:.2f} s: {alert['kind'].replace('_', ' ')}{side}, {alert['priority']}, peak {alert['peak']:g}")
