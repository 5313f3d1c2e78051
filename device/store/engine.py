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
    connection = _connect(path, "ro")
    connection.execute("PRAGMA query_only=ON")
    return connection


def connect_writer(path: Path) -> sqlite3.Connection:
    """Write-ahead log, every commit synced to the disk, foreign keys enforced."""
    connection = _connect(path, "rw")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # neither mode makes a file: an empty database in the place of a lost one would hide the loss
    uri = f"file:{quote(str(path))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=LOCK_WAIT_S, check_same_thread=False)


def writer_engine(path: Path) -> Engine:
    """For the writer thread alone. Opens nothing yet."""
    return create_engine("sqlite://", creator=lambda: connect_writer(path), poolclass=NullPool)


def reader_engine(path: Path) -> Engine:
    """For queries: it can neither change anything nor make a database that is not there."""
    return create_engine("sqlite://", creator=lambda: connect_readonly(path), poolclass=NullPool)
