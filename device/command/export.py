"""``legpress export``: sets, reps, alerts or reviews of a time span, as CSV or JSON, in constant memory."""

from __future__ import annotations

import argparse
import contextlib
import sys
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from device import config_file
from device.errors import RunError, UserError
from device.store.export import KINDS, csv_text, json_text, rows
from device.store.prepare import database_path
from device.store.schema import utc_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=KINDS, help="what to export")
    parser.add_argument("--since", type=moment, metavar="TIME", help="from this time on, e.g. 2026-11-23T09:30 (local)")
    parser.add_argument("--until", type=moment, metavar="TIME", help="before this time, in the same form")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="comma-separated values, one header line (the default)")
    form.add_argument("--json", action="store_true", help="a JSON array of objects")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write here instead of standard output")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file")


def moment(text: str) -> str:
    """Local or zoned ISO time as the database's text. Raises argparse's own error."""
    try:
        return utc_text(datetime.fromisoformat(text).astimezone())
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO time such as 2026-11-23 or 2026-11-23T09:30") from error


def run(args: argparse.Namespace) -> int:
    if args.since is not None and args.until is not None and args.since >= args.until:
        raise UserError(f"--since {args.since} is not before --until {args.until}")
    path = database_path(config_file.load(args.config).paths.state_dir)
    if not path.exists():
        raise UserError(f"there is no database {path} yet; it is made at the device's first start")
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(args.output.open("w", encoding="utf-8", newline="")) if args.output else sys.stdout
        exported = rows(path, args.kind, args.since, args.until)
        try:
            for piece in json_text(exported) if args.json else csv_text(exported, args.kind):
                target.write(piece)
        except DBAPIError as error:
            raise RunError(f"{path} cannot be read: {error.orig}") from error
    return 0
