"""Which backups of the database there are: read from their folder and their names alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

BACKUPS = "backups"
"""Folder of the backups inside the state folder."""
PREFIX, SUFFIX = "legpress-", ".sqlite3"
NAME = re.compile(r"legpress-(\d{8}T\d{6}Z)(?:-([a-z0-9][a-z0-9-]{0,39}))?\.sqlite3", re.ASCII)
"""The moment (UTC) and, for those that were not made by the night's timer, why."""
LARGEST_NUMBER = 2**31 - 1
_MAGIC, _NUMBER_AT = b"SQLite format 3\x00", 60
"""Where a database's ``user_version`` stands (sqlite.org/fileformat.html): free for the program's use."""


@dataclass(frozen=True, slots=True)
class Backup:
    path: Path
    made: datetime
    """UTC, to the second."""
    why: str
    """Empty for an ordinary one; ``before-0002``: before an upgrade; ``before-restore``."""
    size_bytes: int


def backup_folder(database: Path) -> Path:
    return database.parent / BACKUPS


def backups_of(database: Path) -> list[Path]:
    """Newest first: in the order in which they were made, which a clock that was set back cannot change."""
    found = backup_folder(database).glob(f"{PREFIX}*{SUFFIX}")
    return sorted(found, key=lambda path: (number_of(path), path.name), reverse=True)


def number_of(backup: Path) -> int:
    """Backups are numbered as they are made; 0 for one from before they were, and for what is none."""
    try:
        with backup.open("rb") as file:
            head = file.read(_NUMBER_AT + 4)
    except OSError:
        return 0
    number = int.from_bytes(head[_NUMBER_AT:], "big") if head.startswith(_MAGIC) and len(head) > _NUMBER_AT else 0
    return number if number <= LARGEST_NUMBER else 0


def next_number(database: Path) -> int:
    return min(max(map(number_of, backups_of(database)), default=0) + 1, LARGEST_NUMBER)


def backup_time(path: Path) -> datetime | None:
    """The moment in a backup's name; None for a file of another name."""
    found = NAME.fullmatch(path.name)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def listed(database: Path) -> list[Backup]:
    """All that there are, newest first; a file that disappears meanwhile is left out."""
    found = []
    for path in backups_of(database):
        made = backup_time(path)
        match = NAME.fullmatch(path.name)
        if made is None or match is None:
            continue
        try:
            size_bytes = path.stat().st_size
        except OSError:
            continue
        found.append(Backup(path, made, match[2] or "", size_bytes))
    return found


def named(database: Path, name: str) -> Backup | None:
    """The backup with this file name; None where there is none. A name that leads elsewhere is none."""
    return next((backup for backup in listed(database) if backup.path.name == name), None)
