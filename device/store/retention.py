"""How long rows are kept: what is due, and its deletion in small steps that hold nobody up."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from device.config import Retention
from device.store.changes import log
from device.store.schema import ALERTS, AUDIT, META, MOTIONS, REPLAYS, REPS, SETS, utc_text

DUE_KEY = "retention_due_utc"
ROWS_AT_ONCE = 300
"""Deleted in one transaction: a tenth of a second on an SD card, between which reps are stored (ours)."""

_COLUMNS = {
    "sets": (SETS, "started_utc", "sets_days"),
    "reps": (REPS, "started_utc", "reps_days"),
    "alerts": (ALERTS, "started_utc", "alerts_days"),
    "replays": (REPLAYS, "created_utc", "replays_days"),
    "motions": (MOTIONS, "created_utc", "replays_days"),
    "audit": (AUDIT, "at_utc", "audit_days"),
}
KINDS = tuple(_COLUMNS)


def next_due(now: datetime, at_hour: int) -> datetime:
    """The next time of day for deleting after ``now`` (aware, any zone), in the machine's own zone."""
    due = now.astimezone().replace(hour=at_hour, minute=0, second=0, microsecond=0)
    return due if due > now else due + timedelta(days=1)


def due_at(connection: Connection) -> str | None:
    """When the next deletion is due (database time); None before the device has said so."""
    return connection.execute(select(META.c.value).where(META.c.key == DUE_KEY)).scalar()


def expired(connection: Connection, retention: Retention, at: datetime) -> dict[str, int]:
    """How many rows of each kind a deletion at ``at`` takes on its own account; a set's reps go with it besides."""
    counts = {}
    for kind, (table, column, _) in _COLUMNS.items():
        before = table.c[column] < cutoff(retention, kind, at)
        counts[kind] = int(connection.execute(select(func.count()).select_from(table).where(before)).scalar_one())
    return counts


def cutoff(retention: Retention, kind: str, at: datetime) -> str:
    days: int = getattr(retention, _COLUMNS[kind][2])
    return utc_text(at - timedelta(days=days))


def delete_expired(connection: Connection, retention: Retention, now: datetime) -> bool:
    """Deletes up to ``ROWS_AT_ONCE`` rows when they are due; True when there may be more.

    The first call of a new database only sets the time, so that nothing goes before it was announced.
    """
    due = due_at(connection)
    if due is None:
        _set_due(connection, retention, now)
        return False
    if utc_text(now) < due:
        return False
    # what was announced for this time and no more, even where the machine was off until now
    announced = datetime.fromisoformat(due)
    for kind, (table, column, _) in _COLUMNS.items():
        key = list(table.primary_key.columns)
        oldest = select(*key).where(table.c[column] < cutoff(retention, kind, announced)).limit(ROWS_AT_ONCE)
        rows = connection.execute(oldest).all()
        if rows:
            for row in rows:
                connection.execute(delete(table).where(*(a == b for a, b in zip(key, row, strict=True))))
            log(connection, utc_text(now), "machine", "deleted what was kept long enough", f"{len(rows)} {kind}")
            return True
    _set_due(connection, retention, now)
    return False


def _set_due(connection: Connection, retention: Retention, now: datetime) -> None:
    due = utc_text(next_due(now, retention.at_hour))
    statement = insert(META).values(key=DUE_KEY, value=due)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": due}))
