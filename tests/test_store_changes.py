"""What staff ask the store to change, and what it deletes by itself once a day."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from store_samples import ALERT, REP, REPLAY, SET, later

from device.config import Retention
from device.messages import Command
from device.store.engine import reader_engine
from device.store.prepare import prepare_database
from device.store.retention import ROWS_AT_ONCE, due_at, expired, next_due
from device.store.writer import StoreWriter

AT = "2026-11-24T09:00:00+00:00"
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MOTION = {**REPLAY, "t_s": [0.0, 0.1]}


class Answers:
    """A store and what it answered."""

    def __init__(self, folder: Path) -> None:
        self.path = prepare_database(folder)
        self.writer = StoreWriter(self.path, lambda ok, detail: None)
        self.given: list[str | None] = []

    def work(self) -> None:
        while self.writer.pending():
            assert self.writer.work_once() is None

    def ask(self, command: Command) -> str | None:
        self.writer.change(command, AT, self.given.append)
        self.work()
        return self.given[-1]

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(name="store")
def with_one_set(tmp_path: Path) -> Answers:
    """One member's set of one rep with its motion, an alert and its replay."""
    store = Answers(tmp_path)
    store.writer.save_rep(SET, REP, MOTION)
    store.writer.save_alert(ALERT, REPLAY)
    store.writer.save_neutral("4711", {"made": "up"}, SET.started_utc, "glutes", 3)
    store.work()
    return store


def test_a_set_counts_its_reps_by_verdict_each_once(store: Answers) -> None:
    store.writer.save_rep(replace(SET, reps=2), replace(REP, number=2, verdict="good", faults=()))
    store.writer.save_rep(replace(SET, reps=2), REP)
    store.work()
    assert store.rows("SELECT reps, good, faulty, uncertain FROM sets") == [(2, 1, 1, 0)]


def test_a_review_is_kept_and_the_newest_counts(store: Answers) -> None:
    assert store.ask(Command("review", "right", target="alert-1", who="staff")) is None
    assert store.ask(Command("review", "wrong", target="alert-1", who="admin")) is None
    assert store.rows("SELECT * FROM reviews") == [("alert-1", "wrong", "2026-11-24T09:00:00.000Z", "admin")]
    assert store.rows("SELECT who, what, detail FROM audit") == [
        ("staff", "reviewed an alert", "alert-1: right"),
        ("admin", "reviewed an alert", "alert-1: wrong"),
    ]


def test_a_review_of_an_alert_that_is_gone_is_refused(store: Answers) -> None:
    assert store.ask(Command("review", "right", target="alert-9")) == "there is no alert 'alert-9' any more"
    assert store.rows("SELECT * FROM audit") == []


def test_deleting_a_member_leaves_nothing_of_them_and_everything_of_the_others(store: Answers) -> None:
    store.writer.save_rep(replace(SET, set_id="other", member="4712"), replace(REP, set_id="other"), MOTION)
    store.writer.save_alert(replace(ALERT, alert_id="theirs", set_id="other"), REPLAY)
    store.work()
    store.ask(Command("review", "right", target="alert-1", who="staff"))
    assert store.ask(Command("delete_member", "4711", who="staff")) is None
    for table in ("members", "sets", "reps", "motions", "alerts", "replays"):
        assert len(store.rows(f"SELECT * FROM {table}")) == 1, table
    for table in ("neutrals", "reviews"):
        assert store.rows(f"SELECT * FROM {table}") == [], table
    kept = store.rows("SELECT detail FROM audit WHERE what = 'deleted a member'")
    assert kept == [("one member with 1 sets",)]
    assert store.ask(Command("delete_member", "4711", who="staff")) == "there is no member '4711'"


def test_nothing_is_deleted_before_it_was_announced(store: Answers) -> None:
    old = NOON + timedelta(days=4000)
    store.writer.retain(Retention(at_hour=3), old)
    store.work()
    assert len(store.rows("SELECT * FROM reps")) == 1
    with reader_engine(store.path).connect() as connection:
        due = due_at(connection)
        assert due is not None
        assert datetime.fromisoformat(due) == next_due(old, 3)
        assert expired(connection, Retention(), datetime.fromisoformat(due)) == {
            "sets": 1, "reps": 1, "alerts": 1, "replays": 1, "motions": 1, "audit": 0,
        }  # fmt: skip


def test_at_its_hour_what_is_old_enough_goes_and_the_rest_stays(store: Answers) -> None:
    retention = Retention(replays_days=30, alerts_days=100, sets_days=100, reps_days=100)
    for days, left in ((29.0, (1, 1, 1, 1)), (40.0, (1, 1, 0, 0)), (120.0, (0, 0, 0, 0))):
        now = datetime.fromisoformat(SET.started_utc) + timedelta(days=days)
        for moment in (now, next_due(now, 3) + timedelta(minutes=1)):
            store.writer.retain(retention, moment)
            store.work()
        counts = tuple(len(store.rows(f"SELECT * FROM {name}")) for name in ("sets", "alerts", "replays", "motions"))
        assert counts == left, days


def test_many_rows_go_in_small_steps_between_which_reps_are_stored(tmp_path: Path) -> None:
    store = Answers(tmp_path)
    for number in range(ROWS_AT_ONCE + 5):
        moment = later(SET.started_utc, number)
        store.writer.save_alert(replace(ALERT, alert_id=f"a{number}", started_utc=moment))
    store.work()
    now = NOON + timedelta(days=800)
    store.writer.retain(Retention(), now)
    store.work()
    store.writer.retain(Retention(), next_due(now, 3) + timedelta(hours=1))
    assert store.writer.work_once() is None
    assert len(store.rows("SELECT * FROM alerts")) == 5
    assert store.writer.pending() == 1
    store.work()
    assert store.rows("SELECT * FROM alerts") == []
    assert [row[0] for row in store.rows("SELECT detail FROM audit")] == [f"{ROWS_AT_ONCE} alerts", "5 alerts"]
    due = store.rows("SELECT value FROM meta WHERE key = 'retention_due_utc'")[0][0]
    assert datetime.fromisoformat(str(due)) > now + timedelta(days=1)
