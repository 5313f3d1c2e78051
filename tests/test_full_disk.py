"""A real disk without any room, in which SQLite cannot even open the database. Needs root, to mount one."""

from __future__ import annotations

import gc
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from small_disk import fill, open_files, remounted, small_disk
from store_samples import ALERT, REP, REPLAY, SET, later

from device.store import room
from device.store.prepare import database_path, prepare_database, recover_and_prepare
from device.store.writer import REOPEN_AFTER_S, StoreWriter


@pytest.fixture(name="empty", scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_database(tmp_path_factory.mktemp("empty"))


@pytest.fixture(name="disk")
def mounted(empty: Path, tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "state", megabytes=32) as made:
        if not made:
            pytest.skip("mounting a file system needs root")
        shutil.copy(empty, tmp_path / "state")
        yield tmp_path / "state"


def work_off(store: StoreWriter) -> None:
    for _ in range(100):
        if not store.pending():
            return
        store.work_once()
    raise AssertionError(f"{store.pending()} writes wait")


def test_without_any_room_left_the_reserve_takes_what_comes_and_is_held_again_when_there_is_room(
    disk: Path,
) -> None:
    path = database_path(disk)
    heard: list[tuple[bool, str]] = []
    store = StoreWriter(path, lambda ok, detail: heard.append((ok, detail)))
    for number in range(1, 81):
        store.save_alert(replace(ALERT, alert_id=f"a{number:03}", started_utc=later(ALERT.started_utc, number)), REPLAY)
        work_off(store)
    assert room.hold_reserve(path)
    filler = fill(disk)
    for number in range(1, 31):
        store.save_rep(SET, replace(REP, number=number))
        store.save_alert(replace(ALERT, alert_id=f"b{number:03}"), REPLAY)
        work_off(store)
    # one edge and one step of deleting: the reserve is not taken back from the reps
    assert heard == [(False, "rep 1 could not be stored (the disk is full: disk I/O error); trying again"), (True, "")]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM replays").fetchone() == (80 - room.REPLAYS_AT_ONCE + 30 - 1,)
        assert connection.execute("SELECT COUNT(*) FROM reps").fetchone() == (30,)
    assert not path.with_name("reserve").exists()
    filler.unlink()
    store.save_rep(SET, replace(REP, number=31))
    work_off(store)
    assert path.with_name("reserve").stat().st_size == room.RESERVE_BYTES


def test_a_start_on_a_full_disk_opens_the_database_in_the_room_of_the_reserve(disk: Path) -> None:
    path = database_path(disk)
    assert room.hold_reserve(path)
    fill(disk)
    heard: list[tuple[bool, str]] = []
    store = StoreWriter(path, lambda ok, detail: heard.append((ok, detail)), lambda: recover_and_prepare(disk))
    store.save_rep(SET, REP)
    work_off(store)
    assert heard == []
    assert not path.with_name("reserve").exists()


def test_a_start_on_a_full_disk_without_a_reserve_is_told_and_tried_again(disk: Path) -> None:
    filler = fill(disk)
    heard: list[tuple[bool, str]] = []
    path = database_path(disk)
    store = StoreWriter(path, lambda ok, detail: heard.append((ok, detail)), lambda: recover_and_prepare(disk))
    store.save_rep(SET, REP)
    assert store.work_once() == REOPEN_AFTER_S
    assert [ok for ok, _ in heard] == [False] and "nothing is stored: " in heard[0][1]
    filler.unlink()
    work_off(store)
    assert heard[1:] == [(True, "")]


def test_a_full_disk_can_be_turned_read_only_while_the_writer_still_tries(disk: Path) -> None:
    path = database_path(disk)
    store = StoreWriter(path, lambda ok, detail: None)
    fill(disk)
    store.save_rep(SET, REP)
    gc.disable()  # what only it would close stays open
    try:
        for _ in range(3):
            assert store.work_once() is not None
        assert remounted(disk, "ro"), open_files(disk, "self")
    finally:
        gc.enable()
    assert store.work_once() is not None
    assert remounted(disk, "rw")
    (disk / "filler").unlink()
    assert store.work_once() is None and store.pending() == 0
