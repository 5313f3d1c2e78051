"""Brings the database to the newest schema before the writer opens it.

Alembic runs in a process of its own: its memory would not fit the device's budget.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL

from device.errors import RunError
from device.store.backup import BackupError, RestoreError, back_up, recover
from device.store.engine import connect_readonly
from device.store.schema import DATABASE_NAME, HEAD_REVISION

MIGRATION_LIMIT_S = 300.0


class StoreError(RunError):
    """The database cannot be used; the text says why and what to do."""


def database_path(state_dir: Path) -> Path:
    return state_dir.expanduser() / DATABASE_NAME


def revision_of(path: Path) -> str | None:
    """The schema revision of an existing database; None for a new one.

    Raises:
        StoreError: the file is no SQLite database or cannot be read.
    """
    if not path.exists():
        return None
    try:
        with closing(connect_readonly(path)) as connection:
            has_version = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
            ).fetchone()
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if has_version else None
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read as a database ({error}); move it away or restore a backup") from error
    return None if row is None else str(row[0])


def refuse_newer(backup: Path) -> None:
    """Raises RestoreError for a backup that only a newer program can read."""
    try:
        revision = revision_of(backup)
    except StoreError as error:
        raise RestoreError(f"{backup} cannot be restored: it cannot be read as a database") from error
    if revision is None or revision > HEAD_REVISION:
        raise RestoreError(
            f"{backup} cannot be restored: its schema is {revision or 'unknown'}, this program knows up to "
            f"{HEAD_REVISION}; install the version that made it"
        )


def prepare_database(state_dir: Path) -> Path:
    """Makes or migrates the database in `state_dir` and returns its path. Quick when there is nothing to do.

    Raises:
        StoreError: the folder is not writable, the file is damaged or newer than this program.
    """
    path = database_path(state_dir)
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"paths.state_dir: cannot make {path.parent}: {error.strerror}") from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StoreError(f"paths.state_dir: {path.parent} is not writable; choose another or change its owner")
    found = revision_of(path)
    if found != HEAD_REVISION:
        if found is not None:
            _back_up_before_migration(path, found)
        _migrate(path)
    return path


def recover_and_prepare(state_dir: Path) -> str | None:
    """At the start of the service: recovers a damaged database, then as ``prepare_database``.

    Returns what people must know of it; None when nothing happened. Raises StoreError, OSError.
    """
    notice = recover(database_path(state_dir))
    prepare_database(state_dir)
    return notice


def _back_up_before_migration(path: Path, revision: str) -> None:
    try:
        back_up(path, why=f"before-{HEAD_REVISION}")
    except BackupError as error:
        raise StoreError(f"{path} is of schema {revision} and is not migrated without a backup: {error}") from error


def _migrate(path: Path) -> None:
    url = URL.create("sqlite", database=str(path.resolve())).render_as_string()
    command = [sys.executable, "-m", "device.store.migrate", url]
    package_root = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(
            command, cwd=package_root, capture_output=True, text=True, timeout=MIGRATION_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(f"the migration of {path} did not finish: {error}") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        reason = lines[-1] if lines else f"exit code {done.returncode}"
        raise StoreError(f"{path} cannot be migrated: {reason}")
