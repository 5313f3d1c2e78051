"""``legpress bench accuracy DIR``: every clip of a folder analysed as live and compared with its truth."""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import random
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from device.command.accuracy_plots import write_plots
from device.command.analyze import Inputs, analyze
from device.command.bench_core import percentile
from device.command.native_log import native_messages_diverted
from device.command.progress import Progress
from device.command.truth import DEMANDS, Score, score_set, wilson
from device.config import Config
from device.errors import UserError
from vision.calibration_file import load_calibration
from vision.model import model_path, verify
from vision.training import used_seeds

TRUTH = ".truth.json"
CHECKABLE: dict[str, frozenset[str]] = {
    "side": frozenset({"rounding", "arching", "lockout"}),
    "front": frozenset({"valgus"}),
    "oblique": frozenset({"lockout"}),
    "pair": frozenset(DEMANDS),
}
"""The kinds of fault that a camera set-up can tell at all (docs/accuracy.md); on the others it is silent by design."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One set of one lifter: one clip, or two cameras' clips."""

    name: str
    stems: tuple[str, ...]
    """Paths without their endings."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the clips are analysed."""

    enrolled: bool = True
    max_fps: float | None = None
    heavy_front: bool = False


def units_in(folder: Path, only: str = "") -> list[Unit]:
    """The sets in a folder; ``NAME__side`` and ``NAME__front`` are one set.

    Raises:
        UserError: there is none.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob(f"*{TRUTH}")):
        stem = str(path).removesuffix(TRUTH)
        name = Path(stem).name
        if only in name:
            found.setdefault(name.split("__")[0], []).append(stem)
    if not found:
        what = f" whose name contains {only!r}" if only else ""
        raise UserError(f"{folder}: no clip with its truth{what} (NAME.mp4, NAME.calibration.toml, NAME{TRUTH})")
    return [Unit(name, tuple(stems)) for name, stems in found.items()]


def fresh_units(units: Sequence[Unit], count: int) -> list[Unit]:
    """`count` of the sets that took no part in making the product, drawn by chance, the same ones every time.

    Raises:
        UserError: there are not so many.
    """
    fresh = [unit for unit in units if _seed(unit) not in used_seeds()]
    if count > len(fresh):
        raise UserError(
            f"--fresh {count}: only {len(fresh)} of these {len(units)} sets took no part in learning or choosing"
        )
    return sorted(random.Random(0).sample(fresh, count), key=lambda unit: unit.name)


def _seed(unit: Unit) -> int | None:
    seed = json.loads(Path(f"{unit.stems[0]}{TRUTH}").read_text(encoding="utf-8")).get("meta", {}).get("seed")
    return seed if isinstance(seed, int) else None


def score_unit(unit: Unit, config: Config, conditions: Conditions) -> tuple[str, Score]:
    """The camera set-up ("side", "front", "oblique", "pair") and the score of one set.

    A lifter whose enrolment is of no use is scored as an unknown member, as on the machine; a note says so.
    """
    calibrations = [load_calibration(Path(f"{stem}.calibration.toml")) for stem in unit.stems]
    models = [
        model_path(config.paths.model_dir, "heavy" if conditions.heavy_front and c.view == "front" else "full")
        for c in calibrations
    ]
    neutrals = [Path(f"{stem}.neutral.mp4") for stem in unit.stems] if conditions.enrolled else []
    inputs = Inputs([Path(f"{stem}.mp4") for stem in unit.stems], calibrations, neutrals, models, conditions.max_fps)
    notes = []
    with native_messages_diverted():
        try:
            result = analyze(inputs, config)
        except UserError as error:
            if not neutrals:
                raise
            notes.append(f"as an unknown member, for the enrolment is of no use: {error}")
            result = analyze(replace(inputs, neutrals=[]), config)
    truth = json.loads(Path(f"{unit.stems[0]}{TRUTH}").read_text(encoding="utf-8"))
    score = score_set(truth, result.as_dict())
    score.notes = [f"{unit.name}: {note}" for note in notes + score.notes]
    return "pair" if len(unit.stems) > 1 else calibrations[0].view, score


def score_all(
    units: Sequence[Unit], config: Config, conditions: Conditions, jobs: int
) -> Iterator[tuple[Unit, str, Score]]:
    """Scores as they come, on `jobs` processes."""
    # spawned, not forked: the pose model has threads
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, context) as pool:
        waiting = {pool.submit(score_unit, unit, config, conditions): unit for unit in units}
        for done in concurrent.futures.as_completed(waiting):
            camera, score = done.result()
            yield waiting[done], camera, score


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="clips with calibration, enrolment and truth")
    parser.add_argument("--only", default="", metavar="TEXT", help="the clips whose name contains this")
    parser.add_argument(
        "--fresh", type=_count, metavar="N", help="only N sets, drawn by chance, that took no part in making this"
    )
    parser.add_argument("--unknown-member", action="store_true", help="without the enrolment clips")
    parser.add_argument("--max-fps", type=float, metavar="N", help="drop frames beyond this rate, as a busy Pi would")
    parser.add_argument("--heavy-front", action="store_true", help="the heavy pose model on front cameras")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: all cores)"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures as JSON")
    parser.add_argument("--plots", type=Path, metavar="OUT.png", help="draw truth against estimate")
    parser.add_argument("--config", type=Path, metavar="FILE", help="thresholds from this configuration")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number of sets, 1 or more")
    return int(text)


def run(args: argparse.Namespace, config: Config) -> int:
    units = units_in(args.folder, args.only)
    if args.fresh is not None:
        units = fresh_units(units, args.fresh)
    conditions = Conditions(not args.unknown_member, args.max_fps, args.heavy_front)
    for path in (args.json, args.plots):
        if path is not None and not path.parent.is_dir():
            raise UserError(f"{path}: the folder {path.parent} does not exist")
    for variant in ("full", "heavy") if args.heavy_front else ("full",):
        verify(model_path(config.paths.model_dir, variant), variant)
    scores: dict[str, Score] = {}
    bar = Progress("analyzing", len(units))
    for _, camera, score in score_all(units, config, conditions, max(1, args.jobs)):
        scores.setdefault(camera, Score()).add(score)
        bar.step()
    bar.close()
    tables = {camera: figures(score, CHECKABLE[camera]) for camera, score in sorted(scores.items())}
    for camera, table in tables.items():
        print(f"{camera}: {scores[camera].sets} sets, {scores[camera].reps_true} reps")
        for name, value in table.items():
            print(f"  {name:<44}{_text(value)}")
        for note in sorted(scores[camera].notes):
            print(f"  - {note}")
    if args.json:
        args.json.write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")
    if args.plots:
        write_plots(args.plots, scores)
    return 0


def figures(score: Score, checkable: Collection[str] = frozenset(DEMANDS)) -> dict[str, Any]:
    """The figures of the accuracy table; shares with hits, total and Wilson's interval.

    ``checkable``: the kinds of fault that are asked of this set-up.
    """
    per_100 = 100 / max(1, score.reps_true)
    table: dict[str, Any] = {
        "reps: F1": 2 * score.reps_hit / max(1, score.reps_true + score.reps_seen),
        "reps: sets counted exactly": _share(score.sets_exact, score.sets),
    }
    for kind in DEMANDS:
        if score.required[kind] and kind in checkable:
            table[f"caught: {kind}"] = _share(score.caught[kind], score.required[kind])
    table["caught: all but arching"] = _share(
        sum(n for kind, n in score.caught.items() if kind != "arching" and kind in checkable),
        sum(n for kind, n in score.required.items() if kind != "arching" and kind in checkable),
    )
    table["false alerts per 100 reps"] = per_100 * sum(score.false.values())
    table["alert outside any fault, s per 100 reps"] = per_100 * score.excess_s
    if score.delays_s:
        table["onset to alert, median, s"] = statistics.median(score.delays_s)
        table["onset to alert, p95, s"] = percentile(score.delays_s, 0.95)
    for name, errors in sorted(score.errors.items()):
        table[f"mean error: {name}"] = statistics.fmean(errors)
    for name, answers in sorted(score.answers.items()):
        table[f"unknown: {name}"] = score.unknown[name] / max(1, answers)
    return table


def _share(hits: int, total: int) -> dict[str, float]:
    low, high = wilson(hits, total)
    return {"share": hits / total if total else 1.0, "hits": hits, "total": total, "low": low, "high": high}


def _text(value: float | Mapping[str, float]) -> str:
    if isinstance(value, Mapping):
        counts = f"{value['hits']:.0f} of {value['total']:.0f}"
        return f"{value['share']:.3f}  ({counts}; {value['low']:.2f}-{value['high']:.2f})"
    return f"{value:.3f}"
