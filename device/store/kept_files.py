"""The settings and calibrations inside a backup: what staff have set and installers measured, beside the database.

They lie in a table of their own that only backups have. Passwords, tokens and keys are not among them: a backup may be
downloaded. Nor is the configuration file, which belongs to the installation.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from device.store.engine import connect_readonly

TABLE: Final = "kept_files"
NAME: Final = re.compile(r"settings\.json|calibration\.json|calibration/[a-z0-9_-]{1,20}\.toml", re.ASCII)
"""Paths inside the state folder."""
LARGEST_BYTES: Final = 2_000_000
"""Of one file: many times what any of them takes."""


def found_in(state_dir: Path) -> dict[str, bytes]:
    """The files that are there now, by their path inside the state folder."""
    paths = [state_dir / "settings.json", state_dir / "calibration.json", *sorted(state_dir.glob("calibration/*.toml"))]
    found = {}
    for path in paths:
        name = path.relative_to(state_dir).as_posix()
        if NAME.fullmatch(name) and path.is_file() and path.stat().st_size <= LARGEST_BYTES:
            found[name] = path.read_bytes()
    return found


def put_into(copy: Path, files: dict[str, bytes]) -> None:
    """Adds the files to a copy of the database that is to be a backup. Raises sqlite3.Error."""
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
        connection.execute(f"CREATE TABLE {TABLE} (name TEXT PRIMARY KEY, content BLOB NOT NULL)")
        connection.executemany(f"INSERT INTO {TABLE} VALUES (?, ?)", files.items())


def kept_in(backup: Path) -> dict[str, bytes]:
    """The files of a backup; none where it is from before they were kept. Raises sqlite3.Error."""
    with closing(connect_readonly(backup)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (TABLE,)).fetchone() is None:
            return {}
        rows = connection.execute(f"SELECT name, content FROM {TABLE} ORDER BY name").fetchall()
    return {
        name: content for name, content in rows
        if isinstance(name, str) and NAME.fullmatch(name) and isinstance(content, bytes)
    }  # fmt: skip


def take_out(staged: Path) -> None:
    """Removes them from a backup's copy that is to be the database. Raises sqlite3.Error."""
    with closing(sqlite3.connect(staged)) as connection, connection:
        connection.execute(f"DROP TABLE IF EXISTS {TABLE}")


def put_back(files: dict[str, bytes], state_dir: Path) -> None:
    """Writes them where they belong, each whole or not at all; what a backup has no file for stays. Raises OSError."""
    for name, content in files.items():
        path = state_dir / name
        path.parent.mkdir(mode=0o2770, parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.restored")
        with fresh.open("wb") as file:
            os.fchmod(file.fileno(), 0o660)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
