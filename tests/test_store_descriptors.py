"""Whatever fails, the store lets go of its files at once: it does not wait until Python collects its garbage.

An open file would keep the disk from being unmounted or turned read-only, and each retry would add one more.
"""

from __future__ import annotations

import gc
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from small_disk import open_files
from sqlalchemy.exc import DBAPIError
from store_samples import ALERT, REP, REPLAY, SET

from device.errors import RunError, UserError
from device.store import engine, export, kept_files
from device.store.backup import back_up, fault_of, put_in_place, stage
from device.store.engine import connect_writer
from device.store.prepare import prepare_database, refuse_newer, revision_of
from device.store.writer import StoreWriter


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    """What only the garbage collector would close stays open."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(name="empty", scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_database(tmp_path_factory.mktemp("empty"))


@pytest.fixture(name="path")
def database(empty: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty, tmp_path))


@contextmanager
def no_file_beyond(size_bytes: int) -> Iterator[None]:
    """No file of this process may grow larger, as on a disk without room."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def damage(path: Path) -> None:
    path.write_bytes(b"\xa5" * 8192)


def damage_in_the_middle(path: Path) -> None:
    """It opens, but what it says of its tables is garbage."""
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xa5" * 3000)


def put_folders_in_the_logs_place(path: Path) -> None:
    path.with_name(f"{path.name}-wal").mkdir()
    path.with_name(f"{path.name}-shm").mkdir()


@pytest.mark.parametrize("spoil", [damage, damage_in_the_middle, put_folders_in_the_logs_place, Path.unlink])
def test_a_database_that_cannot_be_opened_is_not_held(path: Path, spoil: Callable[[Path], None]) -> None:
    heard: list[bool] = []
    store = StoreWriter(path, lambda ok, detail: heard.append(ok))
    spoil(path)
    store.save_rep(SET, REP)
    for _ in range(3):
        assert store.work_once() is not None
    assert heard == [False]
    assert open_files(path.parent, "self") == []


def test_a_log_that_finds_no_room_is_not_held(path: Path) -> None:
    store = StoreWriter(path, lambda ok, detail: None)
    store.save_rep(SET, REP)
    with no_file_beyond(16384):  # half of what the index of the log takes
        for _ in range(3):
            assert store.work_once() is not None
        assert open_files(path.parent, "self") == []
    assert store.work_once() is None and store.pending() == 0


def test_a_write_that_fails_midway_holds_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect_full(at: Path) -> sqlite3.Connection:
        connection = connect_writer(at)
        connection.execute("PRAGMA max_page_count = 1")  # no more than there is
        return connection

    monkeypatch.setattr(engine, "connect_writer", connect_full)
    heard: list[str] = []
    store = StoreWriter(path, lambda ok, detail: heard.append(detail))
    large = {**REPLAY, "curves": {"x": list(range(20000))}}
    store.save_alert(ALERT, large)
    assert (store.work_once(), store.work_once()) == (None, 0.1)
    assert heard == ["a replay could not be stored (database or disk is full); trying again"]
    assert open_files(path.parent, "self") == []


def test_a_write_that_is_refused_holds_nothing(path: Path) -> None:
    store = StoreWriter(path, lambda ok, detail: None)
    store.save_rep(SET, replace(REP, set_id="another set"))
    store.work_once()
    assert store.dropped == 1
    assert open_files(path.parent, "self") == []


READS: dict[str, Callable[[Path], object]] = {
    "check": fault_of,
    "revision": revision_of,
    "refusal": refuse_newer,
    "export": lambda path: list(export.rows(path, "sets")),
    "kept files": kept_files.kept_in,
    "backup": back_up,
    "stage": lambda path: stage(path, path.with_name("other.sqlite3")),
    "restore": lambda path: put_in_place(path, path.with_name("other.sqlite3"), "test"),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("spoil", [damage, damage_in_the_middle])
def test_what_reads_a_damaged_database_does_not_hold_it(
    path: Path, read: str, spoil: Callable[[Path], None]
) -> None:
    spoil(path)
    error: Exception | None = None
    try:
        READS[read](path)
    except (RunError, UserError, DBAPIError, sqlite3.Error) as raised:
        error = raised  # and with it every frame on its way
    assert open_files(path.parent, "self") == [], error
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".")] == []


@pytest.mark.parametrize("room_bytes", [1, 4096, 60000])
def test_a_backup_that_finds_no_room_holds_nothing(path: Path, room_bytes: int) -> None:
    with no_file_beyond(room_bytes), pytest.raises(RunError, match="no backup of") as raised:
        back_up(path)
    assert open_files(path.parent, "self") == [], raised
    assert list((path.parent / "backups").iterdir()) == []


def test_an_export_that_is_broken_off_holds_nothing(path: Path) -> None:
    store = StoreWriter(path, lambda ok, detail: None)
    for number in range(1, 4):
        store.save_rep(SET, replace(REP, number=number))
        store.work_once()
    exported = export.rows(path, "reps")
    text = export.csv_text(exported, "reps")
    assert next(exported)["number"] == 1
    assert open_files(path.parent, "self") != []
    del exported, text
    assert open_files(path.parent, "self") == []
