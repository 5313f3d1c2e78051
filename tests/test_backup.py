"""Backups: made while the database is in use, proved before they count, restored when it is damaged or on demand."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from kiosk_scenes import LIFTING
from store_samples import ALERT, REP, REPLAY, SET, later

from device.bus import Publisher
from device.command import restore
from device.command.main import main
from device.store import engine, room
from device.store.backup import KEPT, back_up, fault_of, recover
from device.store.backup_list import backups_of
from device.store.prepare import StoreError, database_path, prepare_database, recover_and_prepare, revision_of
from device.store.schema import HEAD_REVISION
from device.store.writer import StoreWriter


@pytest.fixture(name="empty", scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_database(tmp_path_factory.mktemp("empty"))


@pytest.fixture(name="database")
def with_reps(empty: Path, tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    path = Path(shutil.copy(empty, tmp_path / "state"))
    save_reps(path, 3)
    return path


@pytest.fixture(name="config")
def named_in(tmp_path: Path) -> Path:
    path = tmp_path / "legpress.toml"
    path.write_text(f'[paths]\nstate_dir = "{tmp_path}/state"\nruntime_dir = "{tmp_path}/run"\n')
    return path


def save_reps(path: Path, count: int, first: int = 1) -> None:
    store = StoreWriter(path, lambda ok, detail: None)
    for number in range(first, first + count):
        store.save_rep(SET, replace(REP, number=number))
        store.work_once()


def reps_in(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM reps ORDER BY number")]


def damage(path: Path) -> None:
    """As a failing card does: the file's first pages are something else now."""
    with path.open("r+b") as file:
        file.write(b"\xa5" * 4 * 4096)


def test_a_backup_holds_every_commit_and_is_one_sound_file(database: Path) -> None:
    with closing(sqlite3.connect(database)) as in_use:  # keeps the log: the newest commits are only there
        in_use.execute("SELECT 1 FROM reps").fetchone()
        save_reps(database, 2, first=4)
        made = back_up(database)
    assert reps_in(made) == [1, 2, 3, 4, 5]
    assert fault_of(made) is None
    assert [path.name for path in made.parent.iterdir()] == [made.name]


def test_two_weeks_of_backups_are_kept_and_those_before_upgrades_apart(database: Path) -> None:
    folder = database.parent / "backups"
    folder.mkdir()
    for day in range(1, 21):
        (folder / f"legpress-202611{day:02}T033000Z.sqlite3").touch()
    for day in range(1, 6):
        (folder / f"legpress-202610{day:02}T033000Z-before-0002.sqlite3").touch()
    made = back_up(database)
    names = [path.name for path in backups_of(database)]
    assert names[0] == made.name
    assert len([name for name in names if "before" not in name]) == 14
    assert [name[9:17] for name in names if "before" in name] == ["20261005", "20261004", "20261003"]


def test_a_clock_that_was_set_back_makes_no_older_backup_the_newest(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = datetime(2026, 11, 27, 12, tzinfo=UTC)

    class Clock:
        @staticmethod
        def now(zone: tzinfo) -> datetime:
            return clock

    monkeypatch.setattr("device.store.backup.datetime", Clock)
    ahead = []
    for _ in range(KEPT):
        ahead.append(back_up(database))
        clock += timedelta(minutes=1)
    save_reps(database, 1, first=4)
    clock -= timedelta(hours=1)
    made = back_up(database)
    assert backups_of(database) == [made, *reversed(ahead[1:])]
    damage(database)
    assert "was restored" in str(recover_and_prepare(database.parent))
    assert reps_in(database) == [1, 2, 3, 4]


def test_no_backup_is_made_of_a_damaged_database(
    database: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(database)
    assert main(["backup", "--config", str(config)]) == 1
    assert capsys.readouterr().err.startswith("legpress: ")
    assert backups_of(database) == []
    assert list((database.parent / "backups").iterdir()) == []


def test_a_damaged_database_is_kept_aside_and_the_newest_sound_backup_restored(database: Path) -> None:
    good = back_up(database)
    newer = good.with_name("legpress-29991231T000000Z.sqlite3")
    newer.write_bytes(b"SQLite format 3\x00 and then nothing of use")
    save_reps(database, 1, first=4)
    damage(database)
    kept = database.read_bytes()
    notice = recover_and_prepare(database.parent)
    assert notice is not None and "was damaged" in notice and "was restored" in notice
    assert reps_in(database) == [1, 2, 3]
    [aside] = database.parent.glob("legpress.sqlite3.damaged-*Z")
    assert aside.read_bytes() == kept
    assert aside.name in notice
    assert recover_and_prepare(database.parent) is None


def test_without_a_backup_a_new_database_is_begun_and_that_is_said(database: Path) -> None:
    database.write_text("this is not a database")
    notice = recover_and_prepare(database.parent)
    assert notice is not None and "there is no backup" in notice
    assert reps_in(database) == []
    assert [path.read_text() for path in database.parent.glob("*.damaged-*")] == ["this is not a database"]


def test_a_locked_database_is_not_taken_for_a_damaged_one(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.store.engine.LOCK_WAIT_S", 0.0)
    with closing(sqlite3.connect(database, isolation_level=None)) as rival:
        rival.execute("PRAGMA locking_mode=EXCLUSIVE")
        rival.execute("BEGIN EXCLUSIVE")
        assert recover(database) is None
        rival.execute("ROLLBACK")
    assert reps_in(database) == [1, 2, 3]


def test_damage_under_way_is_recovered_from_and_the_waiting_reps_are_stored(database: Path) -> None:
    heard: list[tuple[bool, str]] = []
    back_up(database)
    store = StoreWriter(
        database, lambda ok, detail: heard.append((ok, detail)), lambda: recover_and_prepare(database.parent)
    )
    store.save_rep(SET, replace(REP, number=4))
    store.work_once()
    damage(database)
    store.save_rep(SET, replace(REP, number=5))
    for _ in range(5):
        store.work_once()
    assert store.pending() == 0
    assert reps_in(database) == [1, 2, 3, 5]
    assert [ok for ok, _ in heard] == [False]  # it stays said, though storing works again
    assert len(list(database.parent.glob("*.damaged-*Z"))) == 1


def test_a_migration_of_existing_data_is_preceded_by_a_backup(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(StoreError, match="cannot be migrated"):  # there is no way on from 0000; the data survive it
        prepare_database(database.parent)
    [made] = backups_of(database)
    assert "-before-" in made.name
    assert reps_in(made) == reps_in(database) == [1, 2, 3]


# --- the commands ----------------------------------------------------------------------------------


def test_backup_and_restore_bring_back_what_was_there(
    database: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usb = tmp_path / "usb.sqlite3"
    assert main(["backup", str(usb), "--config", str(config)]) == 0
    save_reps(database, 2, first=4)
    assert main(["restore", str(usb), "--config", str(config)]) == 0
    assert reps_in(database) == [1, 2, 3]
    [aside] = database.parent.glob("*.replaced-*Z")
    assert reps_in(aside) == [1, 2, 3, 4, 5]
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"the database before it is kept as {aside}")


def test_a_damaged_or_newer_backup_is_refused_and_nothing_changes(
    database: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = back_up(database, database.with_name("newer.sqlite3"))
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    torn = database.with_name("torn.sqlite3")
    torn.write_bytes(newer.read_bytes())
    damage(torn)
    before = database.read_bytes()
    for wrong in (newer, torn, database.with_name("absent")):
        assert main(["restore", str(wrong), "--config", str(config)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    known = f"its schema is 9999, this program knows up to {HEAD_REVISION}; install the version that made it"
    assert lines[0].endswith(known)
    assert database.read_bytes() == before
    assert list(database.parent.glob("*.replaced-*")) == []


def test_nothing_is_restored_while_the_device_runs(
    database: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(database)
    publisher = Publisher(tmp_path / "run", "live")

    class Heard(restore.Subscriber):
        def wait(self, timeout_s: float) -> bool:
            for seq in range(200):
                publisher.send(replace(LIFTING, seq=seq))
                if super().wait(0.05):
                    return True
            return False

    monkeypatch.setattr(restore, "Subscriber", Heard)
    assert main(["restore", "--config", str(config)]) == 2
    assert "the device service is running; stop it first" in capsys.readouterr().err
    publisher.close()


def test_an_existing_file_is_not_overwritten_by_a_backup(
    database: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "precious"
    there.write_text("mine")
    assert main(["backup", str(there), "--config", str(config)]) == 2
    assert main(["backup", str(tmp_path), "--config", str(config)]) == 2
    assert there.read_text() == "mine"
    assert len(capsys.readouterr().err.splitlines()) == 2


# --- a full disk ------------------------------------------------------------------------------------


def test_on_a_full_disk_the_oldest_stored_replays_give_way_to_new_reps(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bool] = []
    store = StoreWriter(database, lambda ok, detail: heard.append(ok))
    large = {**REPLAY, "curves": {"x": list(range(20000))}}
    for number in range(120):
        alert = replace(ALERT, alert_id=f"a{number:03}", started_utc=later(ALERT.started_utc, number))
        store.save_alert(alert, large if number < 80 else REPLAY)
        while store.pending():
            store.work_once()
    usual = engine.connect_writer

    def connect_full(at: Path) -> sqlite3.Connection:
        connection = usual(at)
        connection.execute("PRAGMA max_page_count = 1")  # no more than there is
        return connection

    monkeypatch.setattr(engine, "connect_writer", connect_full)
    for old in ("legpress-20261101T000000Z.sqlite3", "legpress-20261102T000000Z.sqlite3"):
        (database.parent / "backups").mkdir(exist_ok=True)
        (database.parent / "backups" / old).touch()
    for number in range(4, 400):
        store.save_rep(SET, replace(REP, number=number))
        while store.pending():
            store.work_once()
    with closing(sqlite3.connect(database)) as connection:
        left = [row[0] for row in connection.execute("SELECT alert_id FROM replays ORDER BY alert_id")]
        alerts = connection.execute("SELECT COUNT(*) FROM alerts").fetchone()[0]
    assert reps_in(database) == list(range(1, 400))
    assert alerts == 120
    assert 0 < len(left) < 120 and left == [f"a{number:03}" for number in range(120 - len(left), 120)]
    assert [path.name for path in backups_of(database)] == ["legpress-20261102T000000Z.sqlite3"]
    assert heard[:2] == [False, True]


def test_the_reserve_is_made_once_and_given_up_on_a_full_disk(database: Path) -> None:
    assert room.hold_reserve(database) and room.hold_reserve(database)
    assert database.with_name("reserve").stat().st_size == room.RESERVE_BYTES
    room.release_reserve(database)
    assert not database.with_name("reserve").exists()


def test_in_a_full_queue_reps_are_the_last_to_go(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.store.writer.CAPACITY", 3)
    store = StoreWriter(database, lambda ok, detail: None)
    store.save_rep(SET, replace(REP, number=4))
    store.save_alert(ALERT)
    store.save_rep(SET, replace(REP, number=5))
    store.save_rep(SET, replace(REP, number=6))
    while store.pending():
        store.work_once()
    assert reps_in(database) == [1, 2, 3, 4, 5, 6]
    assert store.dropped == 1


def test_the_revision_of_a_backup_can_be_read_and_its_place_is_the_state_folder(database: Path) -> None:
    made = back_up(database)
    assert revision_of(made) == revision_of(database_path(database.parent))
