"""``legpress model build|verify``: the pose model file, made once, then used offline."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from device import config_file
from device.command.progress import Progress
from device.errors import UserError
from vision import model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser("build", help="make the model from Google's files, unless it is there already")
    verify = actions.add_parser("verify", help="prove that the model is there and undamaged")
    for action in (build, verify):
        action.add_argument("--variant", choices=model.VARIANTS, default="full", help="default: full")
        action.add_argument("--config", type=Path, metavar="FILE", help="names the folder (paths.model_dir)")
    build.add_argument(
        "--from",
        dest="sources",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="take it from this wheel, npm .tgz, .task or .tflite file instead of downloading; may be repeated",
    )
    build.add_argument("--output", type=Path, metavar="FILE", help="write it here instead")


class _Stages:
    """One progress bar after another, as the build goes from stage to stage."""

    def __init__(self) -> None:
        self._label = ""
        self._bar: Progress | None = None

    def __call__(self, label: str, done: int, total: int | None) -> None:
        if label != self._label:
            self.close()
            self._label, self._bar = label, Progress(label, total or 0)
        if self._bar is not None:
            self._bar.reach(done)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def run(args: argparse.Namespace) -> int:
    path = model.model_path(config_file.load(args.config).paths.model_dir, args.variant)
    if args.action == "verify":
        model.verify(path, args.variant)
        print(f"{path}: verified")
        return 0
    path = args.output or path
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name the file to write, such as {path / f'pose_{args.variant}.task'}")
    built = build_with_progress(args.variant, path, args.sources)
    print(f"{path}: built and verified" if built else f"{path}: already built, verified")
    return 0


def build_with_progress(variant: model.Variant, path: Path, sources: Sequence[Path] = ()) -> bool:
    """``vision.model.build`` for a person at a terminal; False when nothing had to be done."""
    stages = _Stages()
    try:
        return model.build(variant, path, sources, stages)
    finally:
        stages.close()
