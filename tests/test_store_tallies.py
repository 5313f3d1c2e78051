"""The tallies equal what their rows add up to, whatever was written, changed, deleted or kept long enough."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_samples import ALERT, REP, SET, later

from device.config import Retention
from device.messages import AlertRecord, Command, RepRecord, SetRecord
from device.store import migrate
from device.store.prepare import database_path, prepare_database
from device.store.retention import next_due
from device.store.tallies import LOAD_BAND_KG, UNKNOWN
from device.store.writer import StoreWriter

Change = Callable[[StoreWriter], None]
AT = "2026-11-24T09:00:00.000Z"
WEEK_S = 7 * 86400
# of which some share a week, a seat and a band of load
MOMENTS = st.sampled_from([later(SET.started_utc, days * 86400 + 1) for days in (-30, -1, 0, 1, 6, 40)])
SET_IDS = st.sampled_from(["a", "b", "c"])
SETS = st.builds(
    replace,
    st.just(SET),
    set_id=SET_IDS,
    member=st.sampled_from([None, "4711", "4712"]),
    goal=st.sampled_from(["glutes", "quads"]),
    started_utc=MOMENTS,
    load_kg=st.sampled_from([None, -3.0, 0.0, 19.9, 20.0, 131.5]),
    seat_notch=st.sampled_from([None, 1, 5]),
    enrolment=st.booleans(),
)
ALERTS = st.builds(
    replace,
    st.just(ALERT),
    alert_id=st.sampled_from(["1", "2", "3", "4"]),
    set_id=st.none() | SET_IDS,
    kind=st.sampled_from(["knee_valgus", "overload"]),
    started_utc=MOMENTS,
)
VERDICTS = st.sampled_from(["good", "fault", "uncertain"])


def save_set(record: SetRecord) -> Change:
    return lambda store: store.save_set(record)


def save_rep(record: SetRecord, number: int, verdict: str) -> Change:
    rep: RepRecord = replace(REP, set_id=record.set_id, number=number, started_utc=record.started_utc, verdict=verdict)
    return lambda store: store.save_rep(record, rep)


def save_alert(record: AlertRecord) -> Change:
    return lambda store: store.save_alert(record)


def review(alert_id: str, verdict: str) -> Change:
    """As staff do; refused where there is no such alert."""
    command = Command("review", verdict, target=alert_id, who="staff")
    return lambda store: store.change(command, SET.started_utc, lambda _error: None)


def delete_member(tag: str) -> Change:
    return lambda store: store.change(Command("delete_member", tag), SET.started_utc, lambda _error: None)


def retain(days: int) -> Change:
    """The daily deletion, announced and then done, with what is kept until `days` after the first set."""
    kept = Retention(sets_days=30, reps_days=30, alerts_days=30)
    now = datetime.fromisoformat(SET.started_utc) + timedelta(days=days)

    def change(store: StoreWriter) -> None:
        store.retain(kept, now)
        store.retain(kept, next_due(now, kept.at_hour) + timedelta(minutes=1))

    return change


CHANGES = st.one_of(
    st.builds(save_set, SETS),
    st.builds(save_rep, SETS, st.integers(1, 3), VERDICTS),
    st.builds(save_alert, ALERTS),
    st.builds(review, st.sampled_from(["1", "2", "3", "4"]), st.sampled_from(["right", "wrong", "unsure"])),
    st.builds(delete_member, st.sampled_from(["4711", "4712"])),
    st.builds(retain, st.sampled_from([20, 31, 50])),
)


@pytest.fixture(name="empty", scope="module")
def with_an_empty_database() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield prepare_database(Path(folder))


def monday(moment: str) -> str:
    day = datetime.fromisoformat(moment)
    return (day - timedelta(days=day.weekday())).date().isoformat()


def counted(path: Path) -> dict[str, dict[tuple[object, ...], list[int]]]:
    """The tallies as they ought to be, from the rows alone."""
    with closing(sqlite3.connect(path)) as connection:
        sets = connection.execute(
            "SELECT id, started_utc, goal, seat_notch, load_kg, enrolment, good, faulty, uncertain FROM sets"
        ).fetchall()
        alerts = connection.execute("SELECT set_id, kind, started_utc FROM alerts").fetchall()
        judged = connection.execute(
            "SELECT started_utc, kind, verdict FROM reviews JOIN alerts ON alerts.id = alert_id"
        ).fetchall()
    found: dict[str, dict[tuple[object, ...], list[int]]] = {
        name: {} for name in ("set_faults", "weekly_sets", "weekly_set_faults", "weekly_alerts", "weekly_reviews")
    }

    def add(name: str, key: tuple[object, ...], *counts: int) -> None:
        old = found[name].get(key, [0] * len(counts))
        found[name][key] = [a + b for a, b in zip(old, counts, strict=True)]

    for set_id, started_utc, goal, notch, load_kg, enrolment, *verdicts in sets:
        seat = UNKNOWN if notch is None else notch
        load = UNKNOWN if load_kg is None else int(load_kg / LOAD_BAND_KG) * LOAD_BAND_KG
        keys = [(split, monday(started_utc), goal, key) for split, key in (("seat", seat), ("load", load))]
        kinds = [kind for of_set, kind, _ in alerts if of_set == set_id]
        for kind in kinds:
            add("set_faults", (set_id, kind, started_utc, goal, notch, load_kg, enrolment), 1)
        for key in keys if not enrolment else []:
            add("weekly_sets", key, 1, *verdicts)
            for kind in kinds:
                add("weekly_set_faults", (*key, kind), 1)
    for _, kind, started_utc in alerts:
        add("weekly_alerts", (monday(started_utc), kind), 1)
    for started_utc, kind, verdict in judged:
        add("weekly_reviews", (monday(started_utc), kind, verdict), 1)
    return found


def kept(path: Path) -> dict[str, dict[tuple[object, ...], list[int]]]:
    """The tallies as they are."""
    queries = {
        "set_faults": (7, "set_id, kind, started_utc, goal, seat_notch, load_kg, enrolment, alerts"),
        "weekly_sets": (4, "split, monday, goal, key, sets, good, faulty, uncertain"),
        "weekly_set_faults": (5, "split, monday, goal, key, kind, alerts"),
        "weekly_reviews": (3, "monday, kind, verdict, alerts"),
        "weekly_alerts": (2, "monday, kind, alerts"),
    }
    with closing(sqlite3.connect(path)) as connection:
        return {
            name: {tuple(row[:keys]): row[keys:] for row in map(list, connection.execute(f"SELECT {all_} FROM {name}"))}
            for name, (keys, all_) in queries.items()
        }


@given(changes=st.lists(CHANGES, max_size=25))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tally_is_what_its_rows_add_up_to_after_any_changes(empty: Path, changes: list[Change]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(empty, folder))
        store = StoreWriter(path, lambda ok, detail: pytest.fail(detail))
        for change in changes:
            change(store)
            while store.pending():
                assert store.work_once() is None
        assert kept(path) == counted(path)


def test_an_upgrade_counts_what_was_stored_before(tmp_path: Path) -> None:
    path = database_path(tmp_path)
    migrate.upgrade(f"sqlite:///{path}", "0002")
    sets = (
        ("a", None, "glutes", later(SET.started_utc, 0), None, 131.5, 5, 2, 1, 0, 1, 1, 0),
        ("b", None, "glutes", later(SET.started_utc, -WEEK_S), None, None, None, 1, 1, 0, 0, 0, 1),
        ("c", None, "glutes", later(SET.started_utc, 60), None, 131.5, 5, 2, 1, 1, 2, 0, 0),
    )
    alerts = [
        (f"{set_id}-{number}", set_id, 1, kind, None, "medium", later(SET.started_utc, number), 0.8, 9.5, "Out")
        for set_id in ("a", "b", "c", None)
        for number, kind in enumerate(("knee_valgus", "knee_valgus", "overload"))
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(f"INSERT INTO sets VALUES ({', '.join('?' * 13)})", sets)
        reviews = [("a-0", "right", AT, "staff"), ("a-1", "wrong", AT, "staff"), ("None-2", "right", AT, "staff")]
        connection.executemany(f"INSERT INTO alerts VALUES ({', '.join('?' * 10)})", alerts)
        connection.executemany("INSERT INTO reviews VALUES (?, ?, ?, ?)", reviews)
    assert prepare_database(tmp_path) == path
    assert kept(path) == counted(path)
    assert kept(path)["weekly_alerts"] == {("2026-11-23", "knee_valgus"): [8], ("2026-11-23", "overload"): [4]}
