"""What changed over weeks, seats, goals and loads, from the weekly tallies; and how right the alerts were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, Table, and_, cast, func, literal_column, select

from device.store.schema import ALERTS, REPLAYS, REVIEWS, SETS, utc_text
from device.store.tallies import (
    LOAD_BAND_KG,
    SET_FAULTS,
    UNKNOWN,
    WEEKLY_ALERTS,
    WEEKLY_REVIEWS,
    WEEKLY_SET_FAULTS,
    WEEKLY_SETS,
)
from web_ui.history import History

BY = ("week", "seat", "goal", "load")
USUAL_WEEKS = 12
LONGEST_WEEKS = 104
VERDICTS = ("right", "wrong", "unsure")
_BY = "trend_by"
"""What a query calls what it groups by: no column's name, or the column would be meant."""


@dataclass(frozen=True, slots=True)
class TrendFilter:
    """Which sets: of the last ``weeks``, of one member or goal where given."""

    by: str = "week"
    weeks: int = USUAL_WEEKS
    member: str | None = None
    goal: str | None = None


def since_of(now: datetime, weeks: int) -> str:
    """Monday, 0:00 UTC, so many weeks back: whole weeks are compared, the present one so far."""
    monday = (now - timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    return utc_text(monday - timedelta(weeks=weeks - 1))


def monday_of(now: datetime, weeks: int) -> str:
    """The same as a date, as the weekly tallies bear it."""
    return since_of(now, weeks)[:10]


def reps_by(history: History, wanted: TrendFilter, now: datetime) -> list[dict[str, Any]]:
    """Sets and reps by verdict for each key (week: its Monday; load: lower end of 20 kg), in order; null = unknown."""
    if wanted.member is None:
        table, key = WEEKLY_SETS, _tallied_key(WEEKLY_SETS, wanted.by)
        columns: tuple[ColumnElement[int], ...] = (table.c.sets, table.c.good, table.c.faulty, table.c.uncertain)
        conditions = _tallied(table, wanted, now)
    else:
        table, key = SETS, _key(wanted.by)
        columns = (literal_column("1"), table.c.good, table.c.faulty, table.c.uncertain)
        conditions = _of_member(wanted, now)
    query = select(key.label(_BY), *(func.sum(each) for each in columns)).select_from(table)
    with history.reading() as connection:
        found = connection.execute(query.where(*conditions).group_by(_BY).order_by(_BY)).all()
    return [
        {
            "key": row[0],
            "sets": row[1],
            "reps": row[2] + row[3] + row[4],
            "good": row[2],
            "fault": row[3],
            "uncertain": row[4],
        }
        for row in found
    ]


def faults_by(history: History, wanted: TrendFilter, now: datetime) -> list[dict[str, Any]]:
    """Alerts by kind for each key, in order: ``key``, ``kind``, ``alerts``."""
    if wanted.by == "week" and wanted.member is None and wanted.goal is None:
        table, key = WEEKLY_ALERTS, _tallied_key(WEEKLY_ALERTS, "week")
        query = select(key.label(_BY), table.c.kind, func.sum(table.c.alerts))
        query = query.where(table.c.monday >= monday_of(now, wanted.weeks))
    elif wanted.member is None:
        table, key = WEEKLY_SET_FAULTS, _tallied_key(WEEKLY_SET_FAULTS, wanted.by)
        query = select(key.label(_BY), table.c.kind, func.sum(table.c.alerts)).where(*_tallied(table, wanted, now))
    else:
        table = SET_FAULTS
        query = select(_key(wanted.by).label(_BY), table.c.kind, func.sum(table.c.alerts)).select_from(SETS)
        query = query.join(table, table.c.set_id == SETS.c.id).where(*_of_member(wanted, now))
    with history.reading() as connection:
        found = connection.execute(query.group_by(_BY, table.c.kind).order_by(_BY, table.c.kind)).all()
    return [{"key": row[0], "kind": row[1], "alerts": row[2]} for row in found]


def _tallied_key(table: Table, by: str) -> ColumnElement[Any]:
    columns = {"week": "monday", "goal": "goal", "seat": "key", "load": "key"}
    return func.nullif(table.c[columns[by]], UNKNOWN)


def _tallied(table: Table, wanted: TrendFilter, now: datetime) -> list[ColumnElement[bool]]:
    """Every set is counted under its seat and under its load: one of the two is summed."""
    split = "load" if wanted.by == "load" else "seat"
    conditions = [table.c.split == split, table.c.monday >= monday_of(now, wanted.weeks)]
    return conditions if wanted.goal is None else [*conditions, table.c.goal == wanted.goal]


def _of_member(wanted: TrendFilter, now: datetime) -> list[ColumnElement[bool]]:
    """A member's sets are few: they are read themselves."""
    conditions = [SETS.c.member == wanted.member, SETS.c.started_utc >= since_of(now, wanted.weeks)]
    conditions.append(SETS.c.enrolment.is_(False))
    return conditions if wanted.goal is None else [*conditions, SETS.c.goal == wanted.goal]


def _key(by: str) -> ColumnElement[Any]:
    if by == "week":
        return _monday(SETS.c.started_utc)
    if by == "load":
        return cast(SETS.c.load_kg / LOAD_BAND_KG, Integer) * LOAD_BAND_KG
    return {"seat": SETS.c.seat_notch, "goal": SETS.c.goal}[by]


def _monday(column: Any) -> ColumnElement[str]:
    return func.date(func.substr(column, 1, 10), "weekday 0", "-6 days")


def precision(history: History, now: datetime, weeks: int = USUAL_WEEKS) -> dict[str, list[dict[str, Any]]]:
    """How many reviewed alerts were right, by ``kind`` and by the ``week`` of the alert, each in order.

    ``precision`` is right / (right + wrong); null without either.
    """
    table = WEEKLY_REVIEWS
    query = select(table.c.monday, table.c.kind, table.c.verdict, table.c.alerts)
    query = query.where(table.c.monday >= monday_of(now, weeks))
    found: dict[str, dict[str, dict[str, Any]]] = {"kind": {}, "week": {}}
    with history.reading() as connection:
        for monday, kind, verdict, count in connection.execute(query):
            for by, key in (("week", monday), ("kind", kind)):
                found[by].setdefault(key, {"key": key, **dict.fromkeys(VERDICTS, 0)})[verdict] += count
    for row in (*found["kind"].values(), *found["week"].values()):
        judged = row["right"] + row["wrong"]
        row["precision"] = row["right"] / judged if judged else None
    return {by: [rows[key] for key in sorted(rows)] for by, rows in found.items()}


def to_review(history: History, limit: int) -> list[dict[str, Any]]:
    """The newest alerts that nobody has judged and whose replay is kept."""
    with history.reading() as connection:
        query = (
            select(ALERTS)
            .outerjoin(REVIEWS, REVIEWS.c.alert_id == ALERTS.c.id)
            .where(and_(REVIEWS.c.alert_id.is_(None), ALERTS.c.id.in_(_replayed(limit * 20))))
        )
        query = query.order_by(ALERTS.c.started_utc.desc(), ALERTS.c.id.desc()).limit(limit)
        return [{**row, "has_replay": True, "review": None} for row in connection.execute(query).mappings()]


def _replayed(limit: int) -> Any:
    return select(REPLAYS.c.alert_id).order_by(REPLAYS.c.created_utc.desc()).limit(limit)
