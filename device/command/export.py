"""``legpress export``: sets, reps or alerts of a time span, as CSV or JSON, in constant memory."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Table, select
from sqlalchemy.exc import DBAPIError

from device import config_file
from device.errors import RunError, UserError
from device.store.engine import reader_engine
from device.store.prepare import database_path
from device.store.schema import Base, utc_text

KINDS = ("sets", "reps", "alerts")
ROWS_AT_ONCE = 1000


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
        table = Base.metadata.tables[args.kind]
        try:
            write = write_json if args.json else write_csv
            write(rows(path, table, args.since, args.until), table, target)
        except DBAPIError as error:
            raise RunError(f"{path} cannot be read: {error.orig}") from error
    return 0


def rows(path: Path, table: Table, since: str | None, until: str | None) -> Iterator[dict[str, Any]]:
    """The rows of the span, oldest first, read a thousand at a time."""
    query = select(table).order_by(table.c.started_utc, *table.primary_key.columns)
    if since is not None:
        query = query.where(table.c.started_utc >= since)
    if until is not None:
        query = query.where(table.c.started_utc < until)
    with reader_engine(path).connect() as connection:
        for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query).mappings():
            yield dict(row)


def write_csv(exported: Iterator[dict[str, Any]], table: Table, target: TextIO) -> None:
    """Unknown is an empty field; several faults of a rep are separated by spaces."""
    writer = csv.DictWriter(target, [column.name for column in table.columns], lineterminator="\n")
    writer.writeheader()
    for row in exported:
        writer.writerow({name: " ".join(value) if isinstance(value, list) else value for name, value in row.items()})


def write_json(exported: Iterator[dict[str, Any]], _table: Table, target: TextIO) -> None:
    separator = "[\n"
    for row in exported:
        target.write(separator + json.dumps(row))
        separator = ",\n"
    target.write("[]\n" if separator == "[\n" else "\n]\n")
