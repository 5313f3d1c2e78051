"""A power cut at any moment: the database opens, and every rep that was committed is complete in it, once.

One real run of the store is recorded write by write; what the disk may hold is then tried for every point of it.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from disk_log import Disk, Operation, lay_out, overwritten, record

from device.store.backup import fault_of
from device.store.prepare import prepare_database

REPS = 3
STORE = """
import os, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {tests!r})
from store_samples import ALERT, REP, REPLAY, SET
from device.store.writer import StoreWriter

store = StoreWriter(Path({database!r}), lambda ok, detail: sys.exit(detail))
for number in range(1, {reps} + 1):
    store.save_rep(replace(SET, reps=number), replace(REP, number=number))
    store.save_alert(replace(ALERT, alert_id=f"a{{number}}", rep_number=number), REPLAY)
    while store.pending():
        store.work_once()
    os.write(1, b"%d\\n" % number)  # what was promised so far
"""


@pytest.fixture(name="run", scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Disk, list[Operation]]:
    """The folder, the disk before the first write, and everything that was done to it."""
    folder = tmp_path_factory.mktemp("state")
    database = prepare_database(folder)
    before = Disk(folder)
    code = STORE.format(tests=str(Path(__file__).parent), database=str(database), reps=REPS)
    return folder, before, record(code, folder, tmp_path_factory.mktemp("log") / "strace")


def copy_of(disk: Disk, folder: Path) -> Disk:
    fresh = Disk.__new__(Disk)
    fresh.seen, fresh.safe, fresh.said = dict(disk.seen), dict(disk.safe), b""
    return fresh


def reps_after(files: dict[str, bytes], folder: Path, into: Path) -> list[int]:
    """The reps in the database that these files make, which must be sound and open by itself."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    lay_out(files, folder, into)
    database = into / "legpress.sqlite3"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous=OFF")  # this check itself need not survive a power cut
        rows = connection.execute("SELECT number, duration_s, verdict, faults FROM reps ORDER BY number").fetchall()
        sets = connection.execute("SELECT reps FROM sets").fetchall()
    assert fault_of(database) is None
    assert all(row[1:] == (3.5, "fault", '["knee_valgus"]') for row in rows)
    numbers = [int(row[0]) for row in rows]
    assert sets == ([(numbers[-1],)] if numbers else [])
    return numbers


def complete(numbers: list[int], said: bytes) -> bool:
    """Every promised rep once, and perhaps the one under way."""
    promised = len(said.split())
    return numbers in (list(range(1, promised + 1)), list(range(1, promised + 2)))


def test_the_log_of_writes_ends_in_what_is_on_the_disk(run: tuple[Path, Disk, list[Operation]]) -> None:
    folder, before, operations = run
    disk = copy_of(before, folder)
    for operation in operations:
        disk.apply(operation)
    database = str(folder / "legpress.sqlite3")
    assert disk.seen[database] == Path(database).read_bytes()
    assert disk.said.split() == [b"%d" % number for number in range(1, REPS + 1)]
    kinds = {operation.kind for operation in operations}
    assert {"write", "sync", "said"} <= kinds
    assert len(operations) > 20 * REPS


def test_killed_after_any_write_the_database_opens_with_every_promised_rep(
    run: tuple[Path, Disk, list[Operation]], tmp_path: Path
) -> None:
    folder, before, operations = run
    disk = copy_of(before, folder)
    for operation in operations:
        disk.apply(operation)
        if operation.kind in ("write", "truncate", "unlink"):
            assert complete(reps_after(disk.seen, folder, tmp_path / "after"), disk.said), operation


def test_when_the_power_fails_no_promised_rep_depends_on_an_unsynced_write(
    run: tuple[Path, Disk, list[Operation]], tmp_path: Path
) -> None:
    """Of the writes since each file's last sync none, every second, or all but the last half are on the disk."""
    folder, before, operations = run
    disk = copy_of(before, folder)
    unsynced: list[Operation] = []
    tried = 0
    for operation in operations:
        disk.apply(operation)
        if operation.kind == "sync":
            unsynced = [each for each in unsynced if each.path != operation.path]
            continue
        if operation.kind in ("write", "unlink"):
            unsynced.append(operation)
        for kept in ([], unsynced[::2], unsynced[1::2], _torn(unsynced)):
            files = dict(disk.safe)
            for write in kept:
                if write.kind == "unlink":
                    files.pop(write.path, None)
                else:
                    files[write.path] = overwritten(files.get(write.path, b""), write)
            assert complete(reps_after(files, folder, tmp_path / "after"), disk.said), (operation, len(kept))
            tried += 1
    assert tried > 50


def _torn(unsynced: list[Operation]) -> list[Operation]:
    """All of them, but half of the last write."""
    if not unsynced or unsynced[-1].kind != "write":
        return unsynced
    last = unsynced[-1]
    half = Operation("write", last.path, last.data[: len(last.data) // 2], last.offset)
    return list(itertools.chain(unsynced[:-1], [half]))
