"""Opening the database: durable for the one writer, read-only for everybody else."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

LOCK_WAIT_S = 1.0
"""How long SQLite itself waits for a lock before the writer hears of it."""


def connect_readonly(path: Path) -> sqlite3.Connection:
    return _connect(path, "ro", "query_only=ON")


def connect_writer(path: Path) -> sqlite3.Connection:
    """Write-ahead log, every commit synced to the disk, foreign keys enforced."""
    return _connect(path, "rw", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")


def _connect(path: Path, mode: str, *pragmas: str) -> sqlite3.Connection:
    # neither mode makes a file: an empty database in the place of a lost one would hide the loss
    uri = f"file:{quote(str(path))}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=LOCK_WAIT_S, check_same_thread=False)
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        # here and now: SQLAlchemy's errors refer to themselves, and what their frames hold open would stay open,
        # for writing, until the garbage is collected
        connection.close()
        raise
    return connection


def writer_engine(path: Path) -> Engine:
    """For the writer thread alone. Opens nothing yet."""
    return create_engine("sqlite://", creator=lambda: connect_writer(path), poolclass=NullPool)


def reader_engine(path: Path) -> Engine:
    """For queries: it can neither change anything nor make a database that is not there."""
    return create_engine("sqlite://", creator=lambda: connect_readonly(path), poolclass=NullPool)
