"""``legpress bench speed|accuracy``: what this machine reaches, and how well the product sees."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from device import config_file
from device.command import bench_accuracy
from device.command.bench_core import core_step
from device.command.bench_live import latency_to_pin, processes, stream_delivery
from device.command.bench_pages import staff_pages
from device.command.bench_sensors import sensor_hour
from device.command.bench_vision import vision_against_bare
from device.command.native_log import native_messages_diverted
from device.config import Config
from device.errors import UserError

_WIDTH_NAME, _WIDTH_VALUE = 46, 10


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. `wanted` is the limit of the design, None where there is none."""

    name: str
    value: float
    unit: str
    wanted: str | None = None

    @property
    def met(self) -> bool | None:
        if self.wanted is None:
            return None
        sign, limit = self.wanted.split()
        return self.value <= float(limit) if sign == "<=" else self.value >= float(limit)


Part = Callable[[Config, bool], Sequence[tuple[str, float, str, str | None]]]
PARTS: dict[str, Part] = {
    "vision": vision_against_bare,
    "latency": latency_to_pin,
    "core": core_step,
    "processes": processes,
    "stream": stream_delivery,
    "sensors": sensor_hour,
    "pages": staff_pages,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    what = "frame rate, latency, cost of a step, memory, event streams, an hour at the load cell"
    speed = actions.add_parser("speed", help=what)
    speed.add_argument("--only", action="append", choices=tuple(PARTS), help="only this part; may be repeated")
    speed.add_argument("--quick", action="store_true", help="fewer rounds: to see that it runs, not to quote")
    speed.add_argument("--json", type=Path, metavar="OUT", help="write the figures as JSON")
    speed.add_argument("--config", type=Path, metavar="FILE", help="names the folder of the pose model")
    bench_accuracy.add_arguments(actions.add_parser("accuracy", help="clips with truth, analysed and compared"))


def run(args: argparse.Namespace) -> int:
    if args.json and not args.json.parent.is_dir():
        raise UserError(f"{args.json}: the folder {args.json.parent} does not exist")
    config = config_file.load(args.config)
    if args.action == "accuracy":
        return bench_accuracy.run(args, config)
    return run_speed(args, config)


def run_speed(args: argparse.Namespace, config: Config) -> int:
    print(f"{platform.machine()}, Python {platform.python_version()}, {_processor()}", flush=True)
    figures: list[Figure] = []
    for name in args.only or PARTS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        with native_messages_diverted():
            part = [Figure(*row) for row in PARTS[name](config, args.quick)]
        figures += part
        for figure in part:
            print(line(figure), flush=True)
    if args.json:
        args.json.write_text(json.dumps([asdict(figure) | {"met": figure.met} for figure in figures], indent=1) + "\n")
    missed = [figure.name for figure in figures if figure.met is False]
    if missed:
        print(f"not met: {', '.join(missed)}")
    return 0


def line(figure: Figure) -> str:
    verdict = {None: "", True: f"  ({figure.wanted}: met)", False: f"  ({figure.wanted}: NOT met)"}[figure.met]
    return f"{figure.name:<{_WIDTH_NAME}}{figure.value:>{_WIDTH_VALUE}.3g} {figure.unit}{verdict}"


def _processor() -> str:
    try:
        for row in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if row.startswith(("model name", "Model")):
                return row.split(":", 1)[1].strip()
    except OSError:
        pass
    return "unknown processor"
