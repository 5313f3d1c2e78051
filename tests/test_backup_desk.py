"""Backing up and restoring by the running device: nothing in between, nothing lost, never under a lifter's feet."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from core_story import CALIBRATED, Story
from store_samples import REP, SET

from device.backup_desk import BUSY, BackupDesk
from device.core.actions import KeepBackup, Reply
from device.messages import Command
from device.store import kept_files
from device.store.backup import back_up, fault_of
from device.store.backup_list import listed
from device.store.prepare import prepare_database, recover_and_prepare
from device.store.writer import StoreWriter


@pytest.fixture(name="empty", scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_database(tmp_path_factory.mktemp("empty"))


class Desk:
    """A desk over a real database and a real writer that the test turns by hand."""

    def __init__(self, database: Path) -> None:
        self.path = database
        self.store = StoreWriter(database, lambda ok, detail: None, lambda: recover_and_prepare(database.parent))
        self.desk = BackupDesk(database, self.store)

    def save(self, *numbers: int) -> None:
        for number in numbers:
            self.store.save_rep(SET, replace(REP, number=number))
        self.work()

    def work(self) -> None:
        while self.store.pending():
            assert self.store.work_once() is None

    def finish(self) -> None:
        """Until the desk's thread, the loop and the writer have done all that was asked."""
        for _ in range(4):
            self.desk.join(30.0)
            self.desk.turn(resting=True)
            self.work()

    def reps(self) -> list[int]:
        with closing(sqlite3.connect(self.path)) as connection:
            return [row[0] for row in connection.execute("SELECT number FROM reps ORDER BY number")]

    def audit(self) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute("SELECT who, what FROM audit ORDER BY id").fetchall()


@pytest.fixture(name="desk")
def with_three_reps(empty: Path, tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "state").mkdir()
    desk = Desk(Path(shutil.copy(empty, tmp_path / "state")))
    desk.save(1, 2, 3)
    yield desk
    desk.desk.close()


def test_a_backup_is_made_on_demand_proved_and_noted(desk: Desk) -> None:
    assert desk.desk.make("admin") is None
    desk.finish()
    [backup] = listed(desk.path)
    assert fault_of(backup.path) is None
    assert desk.desk.status().said == f"{backup.path.name} was made, read through and is sound"
    assert desk.audit() == [("admin", "made a backup")]


def test_a_restored_backup_takes_the_databases_place_while_the_writer_goes_on(desk: Desk) -> None:
    old = back_up(desk.path)
    desk.save(4, 5)
    assert desk.desk.restore(old.name, "admin") is None
    desk.desk.join(30.0)
    desk.store.save_rep(SET, replace(REP, number=6))  # handed over before: belongs to the database that goes
    assert desk.desk.turn(resting=True)
    desk.store.save_rep(SET, replace(REP, number=7))  # and this to the one that comes
    desk.work()
    desk.finish()
    assert desk.reps() == [1, 2, 3, 7]
    assert desk.audit() == [("admin", "restored a backup")]
    assert desk.desk.status().ok


def test_what_a_restore_replaced_is_a_backup_and_restoring_that_undoes_it(desk: Desk) -> None:
    old = back_up(desk.path)
    desk.save(4, 5)
    assert desk.desk.restore(old.name, "admin") is None
    desk.finish()
    before = next(backup for backup in listed(desk.path) if backup.why == "before-restore")
    assert f"kept as {before.path.name}: restore that one to undo" in desk.desk.status().said
    assert [path.name for path in desk.path.parent.glob("*.replaced-*")] == []
    assert desk.desk.restore(before.path.name, "admin") is None
    desk.finish()
    assert desk.reps() == [1, 2, 3, 4, 5]


def test_a_restore_waits_while_somebody_lifts(desk: Desk) -> None:
    old = back_up(desk.path)
    desk.save(4)
    assert desk.desk.restore(old.name, "admin") is None
    desk.desk.join(30.0)
    for _ in range(3):
        assert not desk.desk.turn(resting=False)
    assert (desk.desk.status().stage, desk.reps()) == ("waiting", [1, 2, 3, 4])
    assert desk.desk.make("admin") == BUSY
    desk.finish()
    assert desk.reps() == [1, 2, 3]


def test_a_damaged_or_newer_backup_changes_nothing(desk: Desk) -> None:
    newer = back_up(desk.path)
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    torn = newer.with_name("legpress-20260101T000000Z.sqlite3")
    torn.write_bytes(newer.read_bytes()[:8192] + b"\xa5" * 8192)
    for wrong, reason in ((newer, "install the version that made it"), (torn, "cannot be restored")):
        assert desk.desk.restore(wrong.name, "admin") is None
        desk.finish()
        status = desk.desk.status()
        assert (status.stage, status.ok, reason in status.said) == ("idle", False, True)
    assert desk.reps() == [1, 2, 3]
    assert sorted(path.name for path in desk.path.parent.iterdir() if "restored" in path.name) == []
    assert desk.desk.restore("../../etc/passwd", "admin") == "there is no backup named '../../etc/passwd'"


def test_a_damaged_database_can_be_replaced_and_is_kept_as_a_file(desk: Desk) -> None:
    old = back_up(desk.path)
    desk.path.write_bytes(b"\xa5" * 40960)
    assert desk.desk.restore(old.name, "admin") is None
    desk.finish()
    assert desk.reps() == [1, 2, 3]
    [aside] = desk.path.parent.glob("legpress.sqlite3.replaced-*Z")
    assert aside.name in desk.desk.status().said
    assert desk.desk.status().ok


def test_a_swap_that_fails_leaves_the_database_in_its_place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    old = back_up(desk.path)
    desk.save(4)

    def full(staged: Path, database: Path, why: str) -> Path | None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("device.backup_desk.exchange", full)
    assert desk.desk.restore(old.name, "admin") is None
    desk.finish()
    assert "was not restored" in desk.desk.status().said
    desk.save(5)
    assert desk.reps() == [1, 2, 3, 4, 5]


def test_settings_and_calibrations_are_in_a_backup_and_come_back_only_when_asked_for(desk: Desk) -> None:
    folder = desk.path.parent
    (folder / "calibration").mkdir()
    (folder / "settings.json").write_text('{"versions": [{}]}')
    (folder / "calibration" / "side.toml").write_text('view = "side"\n')
    (folder / "credentials.json").write_text("secret")
    old = back_up(desk.path)
    assert b"secret" not in old.read_bytes()
    (folder / "settings.json").write_text('{"versions": [{}, {"machine.units": "lb"}]}')
    assert desk.desk.restore(old.name, "admin") is None
    desk.finish()
    assert "lb" in (folder / "settings.json").read_text()
    assert not desk.desk.status().restart_needed
    assert desk.desk.restore(old.name, "admin", with_settings=True) is None
    desk.finish()
    assert (folder / "settings.json").read_text() == '{"versions": [{}]}'
    assert desk.desk.status().restart_needed
    replaced = next(backup for backup in listed(desk.path) if backup.why == "before-restore")
    assert b"lb" in kept_files.kept_in(replaced.path)["settings.json"]
    with closing(sqlite3.connect(desk.path)) as connection:
        assert connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept_files'").fetchone() is None


def test_files_of_other_names_in_a_backup_are_not_written(desk: Desk, tmp_path: Path) -> None:
    old = back_up(desk.path)
    kept_files.put_into(old, {"../evil": b"x", "settings.json": b"{}", "calibration/../../evil.toml": b"x"})
    assert kept_files.kept_in(old) == {"settings.json": b"{}"}


def test_the_answer_to_a_command_is_a_reason_or_how_it_goes(desk: Desk) -> None:
    refused = desk.desk.answer(Command("restore", "nothing", "a"))
    assert (refused.id, refused.ok, refused.error) == ("a", False, "there is no backup named 'nothing'")
    told = desk.desk.answer(Command("backup", "status", "b"))
    assert (told.ok, json.loads(told.data or "")["stage"]) == (True, "idle")


# --- what the rules say -------------------------------------------------------------------------------


def asked(told: Story, command: Command) -> object:
    before = len(told.done)
    told.tell(command)
    return next(action for _, action in told.done[before:] if isinstance(action, Reply | KeepBackup))


def test_nothing_is_restored_while_somebody_lifts_and_a_backup_may_be_made_at_any_time() -> None:
    make, put_back = Command("backup", "make", "c1"), Command("restore", "a.sqlite3", "c2", who="admin")
    told = Story(CALIBRATED).wait(0.5)
    assert asked(told, put_back) == KeepBackup(put_back)
    assert asked(told, Command("restore", None, "c3")) == Reply("c3", False, "A restore names its backup")
    assert asked(told, Command("backup", "undo", "c4")) == Reply("c4", False, "Unknown backup 'undo': make, or status")
    told.rep(rest_s=0.1)
    assert asked(told, put_back) == Reply("c2", False, "Somebody is lifting; restore after the set")
    assert asked(told, make) == KeepBackup(make)
