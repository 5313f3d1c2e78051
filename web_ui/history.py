"""What happened: short read-only queries over the device's database."""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, func, select, tuple_
from sqlalchemy.exc import DBAPIError

from device.errors import RunError, UserError
from device.store.engine import reader_engine
from device.store.rows import unpack_replay
from device.store.schema import Alert, Rep, Replay, TrainingSet

LARGEST_PAGE = 200


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
            reason = str(error.orig).splitlines()[0]
            raise HistoryError(f"the database cannot be read now ({reason}); is the device process running?") from error

    def sets(self, wanted: Filter, limit: int, cursor: str | None = None) -> Page:
        """Newest first, each with its verdict counts and faults."""
        query = select(TrainingSet.__table__)
        if wanted.member is not None:
            query = query.where(TrainingSet.member == wanted.member)
        if wanted.goal is not None:
            query = query.where(TrainingSet.goal == wanted.goal)
        if wanted.fault is not None:
            faulty = select(Alert.set_id).where(Alert.kind == wanted.fault, Alert.set_id == TrainingSet.id)
            query = query.where(faulty.exists())
        with self.reading() as connection:
            page = _page(connection, query, TrainingSet, wanted, limit, cursor)
            _add_counts(connection, page.items)
        return page

    def one_set(self, set_id: str) -> dict[str, Any] | None:
        """The set with its reps and alerts; None for an unknown one."""
        with self.reading() as connection:
            row = connection.execute(select(TrainingSet.__table__).where(TrainingSet.id == set_id)).mappings().first()
            if row is None:
                return None
            found = dict(row)
            _add_counts(connection, [found])
            reps = connection.execute(select(Rep.__table__).where(Rep.set_id == set_id).order_by(Rep.number))
            found["rep_list"] = [dict(each) for each in reps.mappings()]
            alerts = connection.execute(_alerts().where(Alert.set_id == set_id).order_by(Alert.started_utc, Alert.id))
            found["alerts"] = [dict(each) for each in alerts.mappings()]
        return found

    def alerts(self, wanted: Filter, limit: int, cursor: str | None = None) -> Page:
        query = _alerts()
        if wanted.fault is not None:
            query = query.where(Alert.kind == wanted.fault)
        if wanted.member is not None or wanted.goal is not None:
            query = query.join(TrainingSet, TrainingSet.id == Alert.set_id)
        if wanted.member is not None:
            query = query.where(TrainingSet.member == wanted.member)
        if wanted.goal is not None:
            query = query.where(TrainingSet.goal == wanted.goal)
        with self.reading() as connection:
            return _page(connection, query, Alert, wanted, limit, cursor)

    def one_alert(self, alert_id: str) -> dict[str, Any] | None:
        with self.reading() as connection:
            row = connection.execute(_alerts().where(Alert.id == alert_id)).mappings().first()
        return None if row is None else dict(row)

    def replay(self, alert_id: str) -> dict[str, Any] | None:
        """Stick figure and curves around the alert; None where none is kept."""
        with self.reading() as connection:
            packed = connection.execute(select(Replay.frames_zlib).where(Replay.alert_id == alert_id)).scalar()
        return None if packed is None else unpack_replay(packed)

    def summary(self, since: str, until: str) -> dict[str, Any]:
        """Counts over a time span: sets, reps by verdict, alerts by kind."""
        with self.reading() as connection:
            sets = connection.execute(
                select(func.count()).where(
                    TrainingSet.started_utc >= since, TrainingSet.started_utc < until, TrainingSet.enrolment.is_(False)
                )
            ).scalar_one()
            verdicts = connection.execute(
                select(Rep.verdict, func.count())
                .where(Rep.started_utc >= since, Rep.started_utc < until)
                .group_by(Rep.verdict)
            ).all()
            kinds = connection.execute(
                select(Alert.kind, func.count())
                .where(Alert.started_utc >= since, Alert.started_utc < until)
                .group_by(Alert.kind)
                .order_by(func.count().desc(), Alert.kind)
            ).all()
        by_verdict = {str(verdict): int(count) for verdict, count in verdicts}
        return {
            "sets": sets,
            "reps": sum(by_verdict.values()),
            "verdicts": by_verdict,
            "alerts": {str(kind): int(count) for kind, count in kinds},
        }


def _alerts() -> Select[Any]:
    has_replay = select(Replay.alert_id).where(Replay.alert_id == Alert.id).exists().label("has_replay")
    return select(Alert.__table__, has_replay)


def _page(
    connection: Connection,
    query: Select[Any],
    table: type[TrainingSet] | type[Alert],
    wanted: Filter,
    limit: int,
    cursor: str | None,
) -> Page:
    if wanted.since is not None:
        query = query.where(table.started_utc >= wanted.since)
    if wanted.until is not None:
        query = query.where(table.started_utc < wanted.until)
    if cursor is not None:
        query = query.where(tuple_(table.started_utc, table.id) < tuple_(*_position(cursor)))
    query = query.order_by(table.started_utc.desc(), table.id.desc()).limit(limit + 1)
    items = [dict(row) for row in connection.execute(query).mappings()]
    more = len(items) > limit
    items = items[:limit]
    return Page(items, _cursor(items[-1]) if more else None)


def _add_counts(connection: Connection, sets: list[dict[str, Any]]) -> None:
    """To each set: ``verdicts`` (reps by verdict) and ``faults`` (alerts by kind)."""
    ids = [each["id"] for each in sets]
    verdicts: dict[str, dict[str, int]] = defaultdict(dict)
    for set_id, verdict, count in connection.execute(
        select(Rep.set_id, Rep.verdict, func.count()).where(Rep.set_id.in_(ids)).group_by(Rep.set_id, Rep.verdict)
    ):
        verdicts[set_id][verdict] = count
    faults: dict[str, dict[str, int]] = defaultdict(dict)
    for alerted, kind, count in connection.execute(
        select(Alert.set_id, Alert.kind, func.count()).where(Alert.set_id.in_(ids)).group_by(Alert.set_id, Alert.kind)
    ):
        faults[str(alerted)][kind] = count
    for each in sets:
        each["verdicts"] = verdicts[each["id"]]
        each["faults"] = faults[each["id"]]
