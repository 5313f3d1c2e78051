"""The writer thread: durable, in order, never in the way, loud when it fails."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from store_samples import ALERT, REP, REPLAY, SET, later

from device.messages import RepRecord, SetRecord
from device.store import rows, writer
from device.store.engine import connect_writer
from device.store.prepare import prepare_database
from device.store.rows import MemberHistory
from device.store.schema import utc_text
from device.store.writer import StoreWriter


class Status:
    """What the writer reported."""

    def __init__(self) -> None:
        self.heard: list[tuple[bool, str]] = []

    def __call__(self, ok: bool, detail: str) -> None:
        self.heard.append((ok, detail))


@pytest.fixture(name="empty", scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_database(tmp_path_factory.mktemp("empty"))


@pytest.fixture(name="path")
def database(empty: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty, tmp_path))


@pytest.fixture(name="status")
def reported() -> Status:
    return Status()


@pytest.fixture(name="store")
def unstarted(path: Path, status: Status) -> StoreWriter:
    """A writer whose thread does not run: the test does its work step by step."""
    return StoreWriter(path, status)


def select(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_a_rep_is_stored_with_its_set_in_one_transaction(store: StoreWriter, path: Path) -> None:
    store.save_rep(SET, REP)
    assert store.work_once() is None
    assert select(path, "SELECT id, member, goal, started_utc, load_kg, seat_notch, reps FROM sets") == [
        ("set-1", "4711", "glutes", "2026-11-23T10:00:00.000Z", 120.0, 3, 1)
    ]
    assert select(path, "SELECT number, duration_s, rom_m, worst_arching_deg, verdict, faults FROM reps") == [
        (1, 3.5, 0.41, None, "fault", '["knee_valgus"]')
    ]


def test_a_rep_that_the_database_refuses_leaves_no_set_behind(store: StoreWriter, path: Path, status: Status) -> None:
    store.save_rep(SET, replace(REP, set_id="another set"))
    store.work_once()
    assert select(path, "SELECT * FROM sets") == []
    assert status.heard == [
        (False, "rep 1 was refused by the database and left out (FOREIGN KEY constraint failed)"),
    ]
    assert store.dropped == 1


def test_saving_again_changes_the_row_and_makes_no_second(store: StoreWriter, path: Path) -> None:
    for reps in (1, 2):
        store.save_rep(replace(SET, reps=reps), REP)
    store.save_set(replace(SET, reps=2, ended_utc="2026-11-23T10:01:00+00:00"))
    for _ in range(3):
        store.work_once()
    assert select(path, "SELECT reps, ended_utc FROM sets") == [(2, "2026-11-23T10:01:00.000Z")]
    assert select(path, "SELECT COUNT(*) FROM reps") == [(1,)]


def test_an_alert_is_completed_at_its_release_and_keeps_its_replay(store: StoreWriter, path: Path) -> None:
    store.save_alert(ALERT)
    store.save_alert(ALERT, REPLAY)
    store.save_alert(replace(ALERT, t_end_s=101.8, peak=9.1))
    for _ in range(4):
        store.work_once()
    [(duration_s, peak)] = select(path, "SELECT duration_s, peak FROM alerts")
    assert duration_s == pytest.approx(0.8)
    assert peak == 9.1
    [(packed,)] = select(path, "SELECT frames_zlib FROM replays")
    assert isinstance(packed, bytes)
    assert rows.unpack_replay(packed) == REPLAY


def test_an_alert_may_come_before_its_set(store: StoreWriter, path: Path, status: Status) -> None:
    store.save_alert(ALERT)
    store.work_once()
    assert select(path, "SELECT set_id FROM alerts") == [("set-1",)]
    assert status.heard == []


def test_replays_and_motions_are_worked_out_one_at_a_time_when_their_turn_has_come(
    store: StoreWriter, path: Path
) -> None:
    asked: list[str] = []
    store.save_alert(ALERT, lambda: asked.append("replay") or REPLAY)
    store.save_rep(SET, REP, lambda: asked.append("motion") or REPLAY)
    assert (store.pending(), asked) == (4, [])
    done = []
    for _ in range(4):
        store.work_once()
        done.append(list(asked))
    assert done == [[], ["replay"], ["replay"], ["replay", "motion"]]
    [(packed,)] = select(path, "SELECT frames_zlib FROM replays")
    assert rows.unpack_replay(packed) == REPLAY
    [(packed,)] = select(path, "SELECT frames_zlib FROM motions")
    assert rows.unpack_replay(packed) == REPLAY


def test_a_replay_with_a_number_that_is_none_is_refused(store: StoreWriter, status: Status) -> None:
    store.save_alert(ALERT, {"t_s": [float("nan")]})
    store.work_once()
    store.work_once()
    assert [ok for ok, _ in status.heard] == [False]
    assert "a replay was refused" in status.heard[0][1]


def test_a_member_is_recalled_with_neutral_seat_and_usual_load(store: StoreWriter) -> None:
    answers: list[MemberHistory] = []
    for i, load_kg in enumerate((100.0, 110.0, 140.0)):
        begun = later(SET.started_utc, i * 60)
        store.save_set(replace(SET, set_id=f"s{i}", load_kg=load_kg, started_utc=begun, seat_notch=i + 1))
    store.save_set(replace(SET, set_id="warm", load_kg=20.0, goal="warm_up", started_utc=later(SET.started_utc, 300)))
    store.save_set(replace(SET, set_id="neutral", load_kg=15.0, enrolment=True))
    store.save_neutral("4711", {"version": 1}, "2026-11-22T09:00:00+00:00")
    store.save_neutral("4711", {"version": 2}, "2026-11-23T09:00:00+00:00", goal="warm_up", seat_notch=3)
    store.recall_member("4711", answers.append)
    while store.pending():
        store.work_once()
    assert answers == [MemberHistory("4711", {"version": 2}, 110.0, 3)]


def test_a_tag_never_seen_recalls_nothing_and_stores_nothing(store: StoreWriter, path: Path) -> None:
    answers: list[MemberHistory] = []
    store.recall_member("0815", answers.append)
    store.work_once()
    assert answers == [MemberHistory("0815")]
    assert select(path, "SELECT * FROM members") == []


def test_a_locked_database_is_reported_once_and_the_rep_is_stored_afterwards(
    store: StoreWriter, path: Path, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.store.engine.LOCK_WAIT_S", 0.0)
    store.save_rep(SET, REP)
    with closing(sqlite3.connect(path, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        assert store.work_once() == pytest.approx(0.1)
        assert store.work_once() == pytest.approx(0.2)
        rival.execute("ROLLBACK")
    assert store.work_once() is None
    assert status.heard == [(False, "rep 1 could not be stored (database is locked); trying again"), (True, "")]
    assert select(path, "SELECT COUNT(*) FROM reps") == [(1,)]


def test_the_waits_between_tries_grow_to_two_seconds(
    store: StoreWriter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.rename(path.with_suffix(".away"))
    store.save_rep(SET, REP)
    waits = [store.work_once() for _ in range(7)]
    assert waits == [pytest.approx(each) for each in (0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0)]


def test_a_lost_database_is_not_replaced_by_an_empty_one(store: StoreWriter, path: Path, status: Status) -> None:
    path.rename(path.with_suffix(".away"))
    store.save_rep(SET, REP)
    store.work_once()
    assert not path.exists()
    assert status.heard == [(False, "rep 1 could not be stored (unable to open database file); trying again")]
    path.with_suffix(".away").rename(path)
    store.work_once()
    assert select(path, "SELECT COUNT(*) FROM reps") == [(1,)]


def test_on_a_full_disk_waiting_replays_give_way_and_reps_are_kept(
    store: StoreWriter, path: Path, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect_full(at: Path) -> sqlite3.Connection:
        connection = connect_writer(at)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    with monkeypatch.context() as patched:
        patched.setattr("device.store.engine.connect_writer", connect_full)
        for number in range(1, 81):
            store.save_rep(SET, replace(REP, number=number))
        store.save_alert(ALERT, REPLAY)
        while (delay_s := store.work_once()) is None:
            assert store.pending(), "the disk never filled"
        assert delay_s > 0
        assert "database or disk is full" in status.heard[-1][1]
        waiting = store.pending()
    while store.pending():
        store.work_once()
    assert waiting > 0
    assert status.heard[-1] == (True, "")
    assert select(path, "SELECT COUNT(*) FROM reps") == [(80,)]
    assert select(path, "SELECT COUNT(*) FROM alerts") == [(1,)]
    assert select(path, "SELECT COUNT(*) FROM replays") == [(0,)]


def test_of_many_waiting_replays_the_oldest_give_way(store: StoreWriter, path: Path) -> None:
    for i in range(25):
        store.save_alert(replace(ALERT, alert_id=f"a{i:02}"), REPLAY)
    while store.pending():
        store.work_once()
    assert store.dropped == 5
    assert select(path, "SELECT MIN(alert_id), COUNT(*) FROM replays") == [("a05", 20)]
    assert select(path, "SELECT COUNT(*) FROM alerts") == [(25,)]


def test_a_full_queue_drops_replays_before_anything_else(
    store: StoreWriter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "CAPACITY", 4)
    store.save_alert(ALERT, REPLAY)
    for number in (1, 2, 3):
        store.save_rep(SET, replace(REP, number=number))
    while store.pending():
        store.work_once()
    assert select(path, "SELECT COUNT(*) FROM reps") == [(3,)]
    assert select(path, "SELECT COUNT(*) FROM replays") == [(0,)]
    assert store.dropped == 1


def test_the_database_syncs_every_commit_and_enforces_its_keys(path: Path) -> None:
    with closing(connect_writer(path)) as connection:
        names = ("journal_mode", "synchronous", "foreign_keys")
        pragmas = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    assert pragmas == ["wal", 2, 1]


def test_the_thread_writes_in_order_and_closing_drains_it(path: Path, status: Status) -> None:
    store = StoreWriter(path, status)
    store.start()
    for number in range(1, 21):
        store.save_rep(replace(SET, reps=number), replace(REP, number=number))
    recalled = threading.Event()
    store.recall_member("4711", lambda _history: recalled.set())
    store.close(timeout_s=30.0)
    assert recalled.is_set()
    assert select(path, "SELECT COUNT(*) FROM reps") == [(20,)]
    assert select(path, "SELECT reps FROM sets") == [(20,)]
    assert store.pending() == 0


def test_closing_does_not_wait_for_a_lost_database(path: Path, status: Status) -> None:
    path.rename(path.with_suffix(".away"))
    store = StoreWriter(path, status)
    store.start()
    store.save_rep(SET, REP)
    store.close(timeout_s=0.3)
    assert store.pending() == 1
    assert [ok for ok, _ in status.heard] == [False]


@given(
    reps=st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 5), st.sampled_from(["good", "fault", "uncertain"])), max_size=30
    )
)
@settings(max_examples=15, deadline=None)
def test_any_order_and_repetition_of_writes_leaves_each_rep_once_as_last_told(
    empty: Path, tmp_path_factory: pytest.TempPathFactory, reps: list[tuple[int, int, str]]
) -> None:
    path = Path(shutil.copy(empty, tmp_path_factory.mktemp("store")))
    store = StoreWriter(path, Status())
    expected: dict[tuple[str, int], str] = {}
    for which, number, verdict in reps:
        record: SetRecord = replace(SET, set_id=f"s{which}")
        rep: RepRecord = replace(REP, set_id=record.set_id, number=number, verdict=verdict)  # type: ignore[arg-type] # sampled from the verdicts
        store.save_rep(record, rep)
        expected[record.set_id, number] = verdict
    while store.pending():
        assert store.work_once() is None
    stored = {(row[0], row[1]): row[2] for row in select(path, "SELECT set_id, number, verdict FROM reps")}
    assert stored == expected


@given(moment=st.datetimes(timezones=st.timezones()))
def test_times_of_every_zone_become_text_of_one_width(moment: datetime) -> None:
    assume(moment.year not in (1, 9999))
    text = utc_text(moment)
    assert len(text) == 24
    assert text.endswith("Z")
    assert utc_text(text) == text


@given(first=st.datetimes(), second=st.datetimes())
def test_the_order_of_the_texts_is_the_order_of_the_times(first: datetime, second: datetime) -> None:
    coarse = timedelta(milliseconds=1)
    assume(abs(first - second) >= coarse)
    assert (utc_text(first) < utc_text(second)) == (first < second)


def test_a_time_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the years 1 to 9999"):
        utc_text("0001-01-01T00:00:00+05:00")
