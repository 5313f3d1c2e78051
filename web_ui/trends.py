"""What changed over weeks, seats, goals and loads; and how right the alerts were. Sums over sets and alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, case, cast, func, select

from device.store.schema import ALERTS, REPLAYS, REVIEWS, SETS, utc_text
from web_ui.history import History

BY = ("week", "seat", "goal", "load")
USUAL_WEEKS = 12
LONGEST_WEEKS = 104
LOAD_BAND_KG = 20
VERDICTS = ("right", "wrong", "unsure")


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


def _monday(column: Any) -> ColumnElement[str]:
    return func.date(func.substr(column, 1, 10), "weekday 0", "-6 days")


def _key(by: str) -> ColumnElement[Any]:
    if by == "week":
        return _monday(SETS.c.started_utc)
    if by == "load":
        return cast(SETS.c.load_kg / LOAD_BAND_KG, Integer) * LOAD_BAND_KG
    return {"seat": SETS.c.seat_notch, "goal": SETS.c.goal}[by]


def reps_by(history: History, wanted: TrendFilter, now: datetime) -> list[dict[str, Any]]:
    """Sets and reps by verdict for each key (week: its Monday; load: lower end of 20 kg), in order; null = unknown."""
    key = _key(wanted.by).label("key")
    good, faulty, uncertain = (func.sum(each) for each in _COUNTS)
    query = select(key, func.count().label("sets"), good, faulty, uncertain)
    query = query.where(*_conditions(wanted, now)).group_by("key").order_by("key")
    with history.reading() as connection:
        found = connection.execute(query).all()
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


_COUNTS = (SETS.c.good, SETS.c.faulty, SETS.c.uncertain)


def _conditions(wanted: TrendFilter, now: datetime) -> list[ColumnElement[bool]]:
    conditions = [SETS.c.started_utc >= since_of(now, wanted.weeks), SETS.c.enrolment.is_(False)]
    if wanted.member is not None:
        conditions.append(SETS.c.member == wanted.member)
    if wanted.goal is not None:
        conditions.append(SETS.c.goal == wanted.goal)
    return conditions


def faults_by(history: History, wanted: TrendFilter, now: datetime) -> list[dict[str, Any]]:
    """Alerts by kind for each key, in order: ``key``, ``kind``, ``alerts``."""
    alone = wanted.by == "week" and wanted.member is None and wanted.goal is None
    if alone:
        query = select(_monday(ALERTS.c.started_utc).label("key"), ALERTS.c.kind, func.count())
        query = query.where(ALERTS.c.started_utc >= since_of(now, wanted.weeks))
    else:
        query = select(_key(wanted.by).label("key"), ALERTS.c.kind, func.count()).select_from(SETS)
        query = query.join(ALERTS, ALERTS.c.set_id == SETS.c.id).where(*_conditions(wanted, now))
    with history.reading() as connection:
        found = connection.execute(query.group_by("key", ALERTS.c.kind).order_by("key", ALERTS.c.kind)).all()
    return [{"key": row[0], "kind": row[1], "alerts": row[2]} for row in found]


def precision(history: History, by: str, now: datetime, weeks: int = USUAL_WEEKS) -> list[dict[str, Any]]:
    """How many reviewed alerts were right, by ``kind`` or by the ``week`` of the alert.

    ``precision`` is right / (right + wrong); null without either.
    """
    key = ALERTS.c.kind if by == "kind" else _monday(ALERTS.c.started_utc)
    counts = [func.sum(case((REVIEWS.c.verdict == verdict, 1), else_=0)).label(verdict) for verdict in VERDICTS]
    query = select(key.label("key"), *counts).select_from(REVIEWS).join(ALERTS, ALERTS.c.id == REVIEWS.c.alert_id)
    query = query.where(ALERTS.c.started_utc >= since_of(now, weeks)).group_by("key").order_by("key")
    with history.reading() as connection:
        found = [dict(row) for row in connection.execute(query).mappings()]
    for row in found:
        judged = row["right"] + row["wrong"]
        row["precision"] = row["right"] / judged if judged else None
    return found


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
