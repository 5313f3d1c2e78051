"""``legpress doctor``: every part ok, degraded or failed, and what to do about it; exit code 1 if one failed."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from device import calibration_store, config_file
from device.calibration_store import CalibrationStoreError
from device.command.examination import BEFORE_CONFIGURATION, BY_CONFIGURATION
from device.machine_health import Finding, overall, summary

_PART_COLUMN, _DETAIL_COLUMN, _WIDTH = 10, 27, 118


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of the usual search for one")
    parser.add_argument("--json", action="store_true", help="findings as JSON")


def run(args: argparse.Namespace) -> int:
    findings = list(examine(args.config))
    health = overall(findings)
    if args.json:
        print(json.dumps({"health": health, "findings": [dataclasses.asdict(item) for item in findings]}, indent=2))
    else:
        print(report(findings))
    return 1 if health == "failed" else 0


def examine(config_path: Path | None) -> Iterator[Finding]:
    """All findings. With a faulty configuration its faults are findings, and what depends on it is left out.

    Raises ConfigError only when the file that was named does not exist.
    """
    for first in BEFORE_CONFIGURATION:
        yield from first()
    found = config_file.find(config_path)
    try:
        config = config_file.load(config_path)
    except config_file.ConfigError as error:
        for line in error.lines:
            yield Finding("configuration", "failed", line, "correct it; the parts that depend on it were not examined")
        return
    yield Finding("configuration", "ok", str(found) if found else "no file: the defaults")
    with contextlib.suppress(CalibrationStoreError):  # a damaged file has a row of its own
        config = calibration_store.in_force(config)
    for check in BY_CONFIGURATION:
        yield from check(config)


def report(findings: Sequence[Finding]) -> str:
    """One line a finding, its advice below it; the summary last."""
    indent = " " * _DETAIL_COLUMN
    lines = []
    for item in findings:
        head = f"{item.health:<{_PART_COLUMN}}{item.part:<{_DETAIL_COLUMN - _PART_COLUMN - 1}} "
        lines.append(_wrapped(item.detail, head, indent))
        if item.advice:
            lines.append(_wrapped(f"-> {item.advice}", indent, indent))
    counts = [f"{sum(item.health == health for item in findings)} {health}" for health in ("ok", "degraded", "failed")]
    return "\n".join([*lines, "", f"{summary(findings)}: {', '.join(counts)}"])


def _wrapped(text: str, head: str, indent: str) -> str:
    # Paths and commands stay in one piece, to be copied.
    return textwrap.fill(
        text, _WIDTH, initial_indent=head, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
