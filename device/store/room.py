"""Room for the next rep on a disk that is full.

Deleting rows needs room in the log first, so a little is held in reserve. What gives way, in this order: backups
but the newest, waiting replays, stored replays from the oldest on. Sets, reps and alerts are never deleted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from sqlalchemy import Connection, delete, func, select

from device.store.backup_list import backups_of
from device.store.schema import REPLAYS

RESERVE_NAME = "reserve"
RESERVE_BYTES = 8 * 2**20
"""Twice the log's usual size between two checkpoints."""
REPLAYS_AT_ONCE = 50
LEAST_FREE_BYTES = 64 * 2**10
"""Twice what SQLite takes to open a database with a log at all (sqlite.org/walformat.html: 32 kB of index)."""


def is_full(database: Path) -> bool:
    """Is there no room even to open the database? SQLite itself then says no more than "disk I/O error"."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(database.parent).free < LEAST_FREE_BYTES
    return False


def hold_reserve(database: Path) -> bool:
    """Makes sure that the reserve is there; False where there is no room for it and as much again.

    To take the last room for it would fill the disk anew, and cost further replays at each write.
    """
    path = database.with_name(RESERVE_NAME)
    with contextlib.suppress(OSError):
        if path.stat().st_size == RESERVE_BYTES:
            return True
    try:
        if shutil.disk_usage(path.parent).free < 2 * RESERVE_BYTES:
            return False
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return False
    return True


def release_reserve(database: Path) -> bool:
    """Gives up the reserve and every backup but the newest; False where there was none of them."""
    released = False
    for path in (database.with_name(RESERVE_NAME), *backups_of(database)[1:]):
        with contextlib.suppress(OSError):
            path.unlink()
            released = True
    return released


def delete_oldest_replays(connection: Connection) -> int:
    """Frees the pages of some replays for what comes next; the number deleted."""
    oldest = select(REPLAYS.c.alert_id).order_by(REPLAYS.c.created_utc, REPLAYS.c.alert_id).limit(REPLAYS_AT_ONCE)
    count = connection.execute(select(func.count()).select_from(oldest.subquery())).scalar_one()
    connection.execute(delete(REPLAYS).where(REPLAYS.c.alert_id.in_(oldest.scalar_subquery())))
    return int(count)
