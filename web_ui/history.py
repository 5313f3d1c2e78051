"""What happened: short read-only queries over the device's database."""

from __future__ import annotations

import base64
import binascii
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, tuple_
from sqlalchemy.exc import DBAPIError

from device.errors import RunError, UserError
from device.store.engine import reader_engine
from device.store.export import csv_text, json_text, rows
from device.store.rows import unpack_replay
from device.store.schema import ALERTS, MOTIONS, REPLAYS, REPS, REVIEWS, SETS
from device.store.tallies import SET_FAULTS

LARGEST_PAGE = 200
SETS_SEARCHED = 30
"""A member's newest sets among which a good rep is looked for."""


class HistoryError(RunError):
    """The database cannot be read now."""


class CursorError(UserError):
    """A cursor that this program did not hand out."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows: all None = every one. Times are database text (device.store.schema.utc_text), since <= t < until."""

    since: str | None = None
    until: str | None = None
    member: str | None = None
    goal: str | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    items: list[dict[str, Any]]
    next_cursor: str | None


def _unreadable(error: DBAPIError) -> HistoryError:
    reason = str(error.orig).splitlines()[0]
    return HistoryError(f"the database cannot be read now ({reason}); is the device process running?")


def _cursor(row: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(f"{row['started_utc']} {row['id']}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[str, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise CursorError("cursor: use next_cursor of the page before, unchanged") from error
    started, space, row_id = text.partition(" ")
    if not space:
        raise CursorError("cursor: use next_cursor of the page before, unchanged")
    return started, row_id


class History:
    """Reads the database; each call is one short read. Raises HistoryError when there is none yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = reader_engine(path)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise _unreadable(error) from error

    def sets(self, wanted: Filter, limit: int, cursor: str | None = None) -> Page:
        """Newest first, each with its verdict counts and faults."""
        query = select(SETS)
        place: tuple[ColumnElement[str], ColumnElement[str]] = (SETS.c.started_utc, SETS.c.id)
        if wanted.member is not None:
            query = query.where(SETS.c.member == wanted.member)
        if wanted.fault is None:
            goal: ColumnElement[str] = SETS.c.goal
        else:
            query = query.join(SET_FAULTS, SET_FAULTS.c.set_id == SETS.c.id).where(SET_FAULTS.c.kind == wanted.fault)
            goal = SET_FAULTS.c.goal
            if wanted.member is None:  # then along the sets with this fault, however rare it is
                place = (SET_FAULTS.c.started_utc, SET_FAULTS.c.set_id)
        if wanted.goal is not None:
            query = query.where(goal == wanted.goal)
        with self.reading() as connection:
            page = _page(connection, query, place, wanted, limit, cursor)
            _add_counts(connection, page.items)
        return page

    def one_set(self, set_id: str) -> dict[str, Any] | None:
        """The set with its reps and alerts; None for an unknown one."""
        with self.reading() as connection:
            row = connection.execute(select(SETS).where(SETS.c.id == set_id)).mappings().first()
            if row is None:
                return None
            found = dict(row)
            _add_counts(connection, [found])
            reps = connection.execute(select(REPS).where(REPS.c.set_id == set_id).order_by(REPS.c.number))
            found["rep_list"] = [dict(each) for each in reps.mappings()]
            of_set = _alerts().where(ALERTS.c.set_id == set_id).order_by(ALERTS.c.started_utc, ALERTS.c.id)
            alerts = connection.execute(of_set)
            found["alerts"] = [dict(each) for each in alerts.mappings()]
        return found

    def alerts(self, wanted: Filter, limit: int, cursor: str | None = None) -> Page:
        query = _alerts()
        if wanted.fault is not None:
            query = query.where(ALERTS.c.kind == wanted.fault)
        if wanted.member is not None or wanted.goal is not None:
            query = query.join(SETS, SETS.c.id == ALERTS.c.set_id)
        if wanted.member is not None:
            query = query.where(SETS.c.member == wanted.member)
        if wanted.goal is not None:
            query = query.where(SETS.c.goal == wanted.goal)
        with self.reading() as connection:
            return _page(connection, query, (ALERTS.c.started_utc, ALERTS.c.id), wanted, limit, cursor)

    def one_alert(self, alert_id: str) -> dict[str, Any] | None:
        with self.reading() as connection:
            row = connection.execute(_alerts().where(ALERTS.c.id == alert_id)).mappings().first()
        return None if row is None else dict(row)

    def replay(self, alert_id: str) -> dict[str, Any] | None:
        """Stick figure and curves around the alert; None where none is kept."""
        with self.reading() as connection:
            packed = connection.execute(select(REPLAYS.c.frames_zlib).where(REPLAYS.c.alert_id == alert_id)).scalar()
        return None if packed is None else unpack_replay(packed)

    def motions(self, set_id: str) -> list[dict[str, Any]]:
        """How the reps of a set moved, as far as it is kept: ``number``, ``t_s``, ``curves``."""
        query = select(MOTIONS.c.number, MOTIONS.c.frames_zlib).where(MOTIONS.c.set_id == set_id)
        query = query.order_by(MOTIONS.c.number)
        with self.reading() as connection:
            kept = connection.execute(query).all()
        return [{"number": number, **_curves_only(unpack_replay(packed))} for number, packed in kept]

    def good_rep(self, alert: Mapping[str, Any]) -> dict[str, Any] | None:
        """A good rep to hold against the alert's: of the same set, else the member's newest. None where none is kept.

        ``set_id``, ``number``, ``motion``, ``duration_s``; and of the alert's own rep ``alert_after_s`` and
        ``alert_duration_s``, null when it is not stored: what is needed to show both in step.
        """
        if alert["set_id"] is None:
            return None
        with self.reading() as connection:
            member = connection.execute(select(SETS.c.member).where(SETS.c.id == alert["set_id"])).scalar()
            tries = (connection.execute(query).mappings().first() for query in _good_motions(alert, member))
            found = next((each for each in tries if each is not None), None)
            if found is None:
                return None
            own = connection.execute(
                select(REPS.c.started_utc, REPS.c.duration_s).where(
                    REPS.c.set_id == alert["set_id"], REPS.c.number == alert["rep_number"]
                )
            ).first()
        after_s = None if own is None else _seconds_between(own.started_utc, alert["started_utc"])
        return {
            "set_id": found["set_id"],
            "number": found["number"],
            "duration_s": found["duration_s"],
            "alert_after_s": after_s,
            "alert_duration_s": None if own is None else own.duration_s,
            "motion": unpack_replay(found["frames_zlib"]),
        }

    def export(self, kind: str, form: str, since: str | None, until: str | None) -> Iterator[str]:
        """Rows as ``csv`` or ``json`` text, piece by piece; the first is read before this returns."""
        exported = rows(self._path, kind, since, until)
        text = csv_text(exported, kind) if form == "csv" else json_text(exported)
        try:
            first = next(text)
        except DBAPIError as error:
            raise _unreadable(error) from error
        return itertools.chain([first], text)

    def summary(self, since: str, until: str) -> dict[str, Any]:
        """Counts over a time span, enrolments left out: sets, their reps by verdict, alerts by kind."""
        counted = (func.count(), func.sum(SETS.c.good), func.sum(SETS.c.faulty), func.sum(SETS.c.uncertain))
        with self.reading() as connection:
            sets, *reps = connection.execute(
                select(*counted).where(
                    SETS.c.started_utc >= since, SETS.c.started_utc < until, SETS.c.enrolment.is_(False)
                )
            ).one()
            kinds = connection.execute(
                select(ALERTS.c.kind, func.count())
                .outerjoin(SETS, SETS.c.id == ALERTS.c.set_id)
                .where(ALERTS.c.started_utc >= since, ALERTS.c.started_utc < until, SETS.c.enrolment.is_not(True))
                .group_by(ALERTS.c.kind)
                .order_by(func.count().desc(), ALERTS.c.kind)
            ).all()
        by_verdict = {
            verdict: count for verdict, count in zip(("good", "fault", "uncertain"), reps, strict=True) if count
        }
        return {
            "sets": sets,
            "reps": sum(by_verdict.values()),
            "verdicts": by_verdict,
            "alerts": {str(kind): int(count) for kind, count in kinds},
        }


def _alerts() -> Select[Any]:
    has_replay = select(REPLAYS.c.alert_id).where(REPLAYS.c.alert_id == ALERTS.c.id).exists().label("has_replay")
    return select(ALERTS, has_replay, REVIEWS.c.verdict.label("review")).outerjoin(
        REVIEWS, REVIEWS.c.alert_id == ALERTS.c.id
    )


def _curves_only(motion: dict[str, Any]) -> dict[str, Any]:
    return {"t_s": motion["t_s"], "curves": motion["curves"]}


def _good_motions(alert: Mapping[str, Any], member: str | None) -> Iterator[Select[Any]]:
    """Of the alert's own set first, then the newest of the same member; a guest's only of the same set."""
    columns: tuple[Any, ...] = (MOTIONS.c.set_id, MOTIONS.c.number, MOTIONS.c.frames_zlib, REPS.c.duration_s)
    of_rep = (REPS.c.set_id == MOTIONS.c.set_id) & (REPS.c.number == MOTIONS.c.number)
    query = select(*columns).join(REPS, of_rep).where(MOTIONS.c.has_figure.is_(True)).limit(1)
    yield query.where(MOTIONS.c.set_id == alert["set_id"])
    if member is not None:
        newest = select(SETS.c.id).where(SETS.c.member == member).order_by(SETS.c.started_utc.desc())
        yield query.where(MOTIONS.c.set_id.in_(newest.limit(SETS_SEARCHED))).order_by(REPS.c.started_utc.desc())


def _seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def _page(
    connection: Connection,
    query: Select[Any],
    place: tuple[ColumnElement[str], ColumnElement[str]],
    wanted: Filter,
    limit: int,
    cursor: str | None,
) -> Page:
    """Newest first by ``place``, the columns that hold a row's start and id: those of an index."""
    started_utc, row_id = place
    if wanted.since is not None:
        query = query.where(started_utc >= wanted.since)
    if wanted.until is not None:
        query = query.where(started_utc < wanted.until)
    if cursor is not None:
        query = query.where(tuple_(started_utc, row_id) < tuple_(*_position(cursor)))
    query = query.order_by(started_utc.desc(), row_id.desc()).limit(limit + 1)
    items = [dict(row) for row in connection.execute(query).mappings()]
    more = len(items) > limit
    items = items[:limit]
    return Page(items, _cursor(items[-1]) if more else None)


def _add_counts(connection: Connection, sets: list[dict[str, Any]]) -> None:
    """To each set: ``verdicts`` (reps by verdict) and ``faults`` (alerts by kind)."""
    ids = [each["id"] for each in sets]
    faults: dict[str, dict[str, int]] = defaultdict(dict)
    counted = select(SET_FAULTS.c.set_id, SET_FAULTS.c.kind, SET_FAULTS.c.alerts)
    for set_id, kind, count in connection.execute(counted.where(SET_FAULTS.c.set_id.in_(ids))):
        faults[set_id][kind] = count
    for each in sets:
        counts = {"good": each.pop("good"), "fault": each.pop("faulty"), "uncertain": each.pop("uncertain")}
        each["verdicts"] = {verdict: count for verdict, count in counts.items() if count}
        each["faults"] = faults[each["id"]]
