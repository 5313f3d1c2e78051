"""Copies of the database: taken while it is in use, proved sound, put back when it is damaged or on demand.

A backup is one file that holds every commit up to its moment, and the settings and calibrations of then. It counts
only once it was read through and synced; until then it bears another name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from device.errors import RunError, UserError
from device.store import kept_files
from device.store.backup_list import PREFIX, SUFFIX, backup_folder, backup_time, backups_of, next_number
from device.store.engine import connect_readonly

KEPT = 14
"""Daily ones: two weeks, long enough for somebody to notice that something went wrong (ours)."""
KEPT_BEFORE_UPGRADES = 3


class BackupError(RunError):
    """A copy could not be made; the database itself is as it was."""


class RestoreError(UserError):
    """That file cannot take the database's place; nothing was changed."""


def fault_of(path: Path, thorough: bool = True) -> str | None:
    """Why this file is no sound database of ours; None when it is. `thorough` also compares indexes with rows.

    A database that is merely locked, or that this user may not read, is not damaged: OSError and sqlite3's
    OperationalError pass through.
    """
    check = "integrity_check" if thorough else "quick_check"
    try:
        with closing(connect_readonly(path)) as connection:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA {check}(3)")]
            if found != ["ok"]:
                return "; ".join(" ".join(each.split()) for each in found)
            if thorough and (broken := connection.execute("PRAGMA foreign_key_check").fetchone()):
                return f"a row of {broken[0]} refers to one that is not there"
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
                return "it is empty, or a database of another program"
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return str(error)
    return None


def back_up(database: Path, to: Path | None = None, why: str = "") -> Path:
    """A sound copy of `database` as it is now, in its folder of backups or as the file `to`; older ones beyond those
    kept are deleted. Writers go on meanwhile.

    Raises:
        BackupError: there is no database, no room, or the database is damaged.
    """
    if not database.is_file():
        raise BackupError(f"{database}: there is no database to back up; has the device service ever run?")
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    into = to or backup_folder(database) / f"{PREFIX}{stamp}{f'-{why}' if why else ''}{SUFFIX}"
    partial = into.with_name(f".{into.name}.partial")
    try:
        into.parent.mkdir(mode=0o2770, parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        _copy(database, partial, next_number(database))
        kept_files.put_into(partial, kept_files.found_in(database.parent))
        if (fault := fault_of(partial)) is not None:
            raise BackupError(f"{database} is damaged ({fault}); no backup was made of it")
        _sync(partial)
        _owned_as_its_folder(partial)
        partial.replace(into)
        _sync(into.parent)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"no backup of {database} could be made as {into}: {_reason(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    if to is None:
        _forget_old(database)
    return into


def _copy(database: Path, copy: Path, number: int) -> None:
    with closing(connect_readonly(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target, pages=256)
        target.execute(f"PRAGMA user_version={number}")
        target.execute("PRAGMA journal_mode=DELETE")  # one file, with no log beside it


def _forget_old(database: Path) -> None:
    daily = [path for path in backups_of(database) if "-before-" not in path.name]
    others = [path for path in backups_of(database) if "-before-" in path.name]
    for old in daily[KEPT:] + others[KEPT_BEFORE_UPGRADES:]:
        with contextlib.suppress(OSError):
            old.unlink()


def set_aside(database: Path, why: str) -> Path:
    """Renames the database, with its log, to a name that says when and why, and returns that; nothing is lost."""
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    aside = database.with_name(f"{database.name}.{why}-{stamp}")
    _rename_with_log(database, aside)
    _sync(database.parent)
    return aside


def _rename_with_log(database: Path, to: Path) -> None:
    for suffix in ("-wal", "-shm", ""):
        beside = database.with_name(database.name + suffix)
        if beside.exists():
            beside.rename(to.with_name(to.name + suffix))


def stage(backup: Path, database: Path) -> Path:
    """A proved and synced copy of `backup` beside the database, ready for ``exchange``; may take a while.

    Raises:
        RestoreError: the backup is damaged.
        OSError: no room, or no permission.
    """
    try:
        fault = fault_of(backup)
    except sqlite3.Error as error:
        fault = str(error)
    if fault is not None:
        raise RestoreError(f"{backup} cannot be restored: {fault}")
    fresh = database.with_name(f".{database.name}.restored")
    try:
        shutil.copyfile(backup, fresh)
        kept_files.take_out(fresh)
        fresh.chmod(0o660)
        _sync(fresh)
        _owned_as_its_folder(fresh)
    except (OSError, sqlite3.Error) as error:
        fresh.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise
        raise RestoreError(f"{backup} cannot be restored: {error}") from error
    return fresh


def exchange(staged: Path, database: Path, why: str) -> Path | None:
    """`staged` becomes the database; the one before is set aside with its log, and its new name returned. Quick: it
    only renames. Nobody may write to the database meanwhile. Raises OSError.
    """
    aside = set_aside(database, why) if database.exists() else None
    try:
        staged.replace(database)
    except OSError:
        if aside is not None:
            _rename_with_log(aside, database)
        raise
    _sync(database.parent)
    return aside


def put_in_place(backup: Path, database: Path, why: str) -> Path | None:
    """`backup` becomes the database; the one before is set aside, and its new name returned.

    Raises:
        RestoreError: the backup is damaged.
        OSError: no room, or no permission.
    """
    staged = stage(backup, database)
    try:
        return exchange(staged, database, why)
    finally:
        staged.unlink(missing_ok=True)


def keep_replaced(aside: Path, database: Path) -> Path:
    """Turns a database that was set aside into a backup like any other, from which it can be restored; returns that.

    Raises BackupError, and leaves the file as it is, where that does not work.
    """
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    kept = back_up(aside, backup_folder(database) / f"{PREFIX}{stamp}-before-restore{SUFFIX}")
    for suffix in ("-wal", "-shm", ""):
        aside.with_name(aside.name + suffix).unlink(missing_ok=True)
    _forget_old(database)
    return kept


def recover(database: Path) -> str | None:
    """At start: a damaged database is set aside, and the newest sound backup put in its place.

    Returns what happened, for people; None when nothing did. Without a backup there is no database afterwards.
    """
    if not database.exists():
        return None
    try:
        fault = fault_of(database, thorough=False)
    except sqlite3.OperationalError:
        return None  # locked, or not ours to read: who opens it next says so
    if fault is None:
        return None
    for backup in backups_of(database):
        try:
            aside = put_in_place(backup, database, "damaged")
        except RestoreError:
            continue
        moment = backup_time(backup)
        which = f"of {moment:%Y-%m-%d %H:%M} UTC" if moment is not None else backup.name
        return (
            f"The database was damaged ({fault}); the backup {which} was restored, the damaged "
            f"file kept as {aside.name if aside else 'nothing'} - staff: see operations, Damaged database"
        )
    aside = set_aside(database, "damaged")
    return (
        f"The database was damaged ({fault}) and there is no backup; a new one was begun, the damaged file kept as "
        f"{aside.name} - staff: see operations, Damaged database"
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _owned_as_its_folder(path: Path) -> None:
    """What an administrator's sudo made belongs to the service that will use it."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)


def _reason(error: OSError | sqlite3.Error) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
