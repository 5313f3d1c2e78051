"""What is stored as CSV or JSON text, piece by piece: a span of any length in constant memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select

from device.store.engine import reader_engine
from device.store.schema import ALERTS, METADATA, REVIEWS

KINDS = ("sets", "reps", "alerts", "reviews")
"""``reviews`` are the alerts that a trainer has judged, with the judgement: for tuning thresholds."""
ROWS_AT_ONCE = 1000


def query_of(kind: str, since: str | None = None, until: str | None = None) -> Select[Any]:
    """The rows of the span (database times, since <= t < until), oldest first."""
    if kind == "reviews":
        table = METADATA.tables["alerts"]
        judged = (REVIEWS.c.verdict.label("review"), REVIEWS.c.reviewed_utc, REVIEWS.c.reviewer)
        query = select(table, *judged).join(REVIEWS, REVIEWS.c.alert_id == ALERTS.c.id)
    else:
        table = METADATA.tables[kind]
        query = select(table)
    if since is not None:
        query = query.where(table.c.started_utc >= since)
    if until is not None:
        query = query.where(table.c.started_utc < until)
    return query.order_by(table.c.started_utc, *table.primary_key.columns)


def rows(path: Path, kind: str, since: str | None = None, until: str | None = None) -> Iterator[dict[str, Any]]:
    """Rows as dictionaries, read a thousand at a time."""
    query = query_of(kind, since, until)
    with reader_engine(path).connect() as connection:
        for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query).mappings():
            yield dict(row)


def csv_text(exported: Iterator[dict[str, Any]], kind: str) -> Iterator[str]:
    """One header line, then a line a row. Unknown is an empty field; several faults are separated by spaces."""
    target = io.StringIO()
    writer = csv.DictWriter(target, list(query_of(kind).selected_columns.keys()), lineterminator="\n")
    writer.writeheader()
    for row in exported:
        writer.writerow({name: " ".join(value) if isinstance(value, list) else value for name, value in row.items()})
        if target.tell() > 1 << 15:
            yield target.getvalue()
            target.seek(0)
            target.truncate()
    yield target.getvalue()


def json_text(exported: Iterator[dict[str, Any]]) -> Iterator[str]:
    """A JSON array of objects, one a line."""
    separator = "[\n"
    for row in exported:
        yield separator + json.dumps(row)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"
