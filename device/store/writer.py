"""The writer thread: the only place in the product that changes the database.

The device's main loop hands writes over and goes on; a slow, locked or full disk costs it nothing.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, ProgrammingError, SQLAlchemyError

from device.config import Retention
from device.errors import LegpressError
from device.messages import AlertRecord, Command, RepRecord, SetRecord
from device.store import changes, room, rows
from device.store.engine import writer_engine
from device.store.queued_write import Data, QueuedWrite, worked_out
from device.store.retention import delete_expired
from device.store.rows import MemberHistory

log = logging.getLogger(__name__)

CAPACITY = 5000
"""Writes kept while the disk does not take them: hours of training, under 10 MB."""
REPLAYS_KEPT = 20
"""Replays among them; the oldest give way first (each refers to what the core remembers of ten seconds)."""
FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 2.0
REOPEN_AFTER_S = 10.0
"""Between two tries to open a database that could not be opened at all."""
NOTICE_S = 600.0
"""How long a restored database is shown as trouble, whatever works meanwhile: somebody has to know."""


class StoreWriter:
    """Takes writes from any thread without waiting; one transaction each, in order.

    ``on_status(ok, detail)`` is called from the writer thread at each change between working and
    failing. While the database is locked, full or away, writes wait and are tried again; a write
    that can never succeed is reported and left out. ``prepare`` makes the database ready on the thread,
    before the first write and again when it turns out to be damaged; it returns what people must know.
    """

    def __init__(
        self,
        path: Path,
        on_status: Callable[[bool, str], None],
        prepare: Callable[[], str | None] | None = None,
    ) -> None:
        self._prepare = prepare
        self._prepared = prepare is None
        self._notice_until_s = -math.inf
        self._engine: Engine = writer_engine(path)
        self._path = path
        self._on_status = on_status
        self._ok = self._reserved = True
        self._retry_s = FIRST_RETRY_S
        self._writes: deque[QueuedWrite] = deque()
        self._changed = threading.Condition()
        self._close_by_s: float | None = None
        self.dropped = 0
        """Writes given up since the start: refused by the database, or pushed out of a full queue."""
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def save_rep(self, set_record: SetRecord, rep: RepRecord, motion: Data | None = None) -> None:
        """The rep and its set as it now stands, in one transaction. How it moved follows in another."""
        self._put(QueuedWrite(f"rep {rep.number}", lambda at: rows.write_rep(at, set_record, rep), worth=2))
        if motion is not None:
            self._put(QueuedWrite("a motion", lambda at: rows.write_motion(at, rep, worked_out(motion)), worth=0))

    def save_set(self, set_record: SetRecord) -> None:
        """The set's row: at its start, its end, or both."""
        self._put(QueuedWrite("the set", lambda at: rows.write_set(at, set_record), worth=2))

    def save_alert(self, alert: AlertRecord, replay: Data | None = None) -> None:
        """The alert, at onset and again at release. The replay is worked out and compressed on the thread."""
        self._put(QueuedWrite(f"alert {alert.kind}", lambda at: rows.write_alert(at, alert)))
        if replay is not None:
            self._put(QueuedWrite("a replay", lambda at: rows.write_replay(at, alert, worked_out(replay)), worth=0))

    def save_neutral(
        self,
        tag: str,
        profile: Mapping[str, Any],
        created_utc: str,
        goal: str | None = None,
        seat_notch: int | None = None,
    ) -> None:
        what = "a neutral"
        self._put(QueuedWrite(what, lambda at: rows.write_neutral(at, tag, profile, created_utc, goal, seat_notch)))

    def recall_member(self, tag: str, answer: Callable[[MemberHistory], None]) -> None:
        """Calls ``answer`` on the writer thread with what is known of the member, all earlier writes included."""

        def read(connection: Connection) -> Callable[[], None]:
            history = rows.recall_member(connection, tag)
            return lambda: answer(history)

        self._put(QueuedWrite("a member's history", read, unanswered=lambda: answer(MemberHistory(tag))))

    def change(self, command: Command, at_utc: str, answer: Callable[[str | None], None]) -> None:
        """A review, a deletion or an audit entry. Calls ``answer`` after the commit: None, or why not."""

        def apply(connection: Connection) -> Callable[[], None]:
            error = changes.apply(connection, command, at_utc)
            return lambda: answer(error)

        no_store = "the database does not take changes now; see the device's log"
        what = f"a change ({command.name})"
        self._put(QueuedWrite(what, apply, unanswered=lambda: answer(no_store), refused=answer))

    def exchange(self, swap: Callable[[], None], answer: Callable[[str | None], None]) -> None:
        """Calls ``swap`` between two transactions, with the database closed, and opens what lies there afterwards.

        It comes after all that was handed over before, and before all that comes later. ``answer``: None, or why not.
        """
        self._put(QueuedWrite("another database", lambda at: None, worth=2, exchange=(swap, answer)))

    def retain(self, retention: Retention, now: datetime) -> None:
        """Deletes a few rows that are kept for long enough, when they are due, and comes back for the rest."""

        def apply(connection: Connection) -> Callable[[], None]:
            more = delete_expired(connection, retention, now)
            return lambda: self.retain(retention, now) if more else None

        self._put(QueuedWrite("the daily deletion", apply))

    def pending(self) -> int:
        with self._changed:
            return len(self._writes)

    def close(self, timeout_s: float = 5.0) -> None:
        """Writes what is left, for at most `timeout_s`, and ends the thread."""
        with self._changed:
            self._close_by_s = time.monotonic() + timeout_s
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self.pending():
            log.error("%d writes were lost: %s did not take them in time", self.pending(), self._path)

    def work_once(self) -> float | None:
        """Tries the oldest write. Returns the seconds to wait before trying again; None to go on at once."""
        if not self._prepared and (delay_s := self._make_ready()) is not None:
            return delay_s
        with self._changed:
            if not self._writes:
                return None
            write = self._writes[0]
        if write.exchange is not None:
            return self._exchange(write)
        try:
            with self._engine.begin() as connection:
                committed = write.apply(connection)
        except (IntegrityError, DataError, ProgrammingError) as error:
            self._give_up(write, error)
        except DatabaseError as error:  # locked, full, gone, damaged: may pass
            return self._postpone(write, error)
        except (SQLAlchemyError, ValueError, TypeError, OverflowError) as error:
            self._give_up(write, error)
        else:
            self._remove(write)
            if not self._reserved:
                self._reserved = room.hold_reserve(self._path)
            self._report(True, "")
            self._retry_s = FIRST_RETRY_S
            if committed is not None:
                committed()
        return None

    def _exchange(self, write: QueuedWrite) -> float | None:
        assert write.exchange is not None
        (swap, answer), self._prepared = write.exchange, self._prepare is None
        self._remove(write)
        self._engine.dispose()
        try:
            swap()
        except (LegpressError, OSError) as error:
            log.error("%s: nothing was exchanged: %s", self._path, error)
            answer(str(error))
            return None
        log.info("%s: another database was put in its place", self._path)
        delay_s = None if self._prepared else self._make_ready()
        answer(None if delay_s is None else "it is in place but cannot be opened; see the device's log")
        return delay_s

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._writes and self._close_by_s is None and self._prepared:
                    self._changed.wait()
                if not self._writes and self._close_by_s is not None:
                    break
            delay_s = self.work_once()
            if delay_s is not None and not self._wait(delay_s):
                break
        self._engine.dispose()

    def _make_ready(self) -> float | None:
        """Opens the database; the seconds to wait before another try, None when it is ready."""
        assert self._prepare is not None
        try:
            notice = self._prepare()
        except (LegpressError, OSError, sqlite3.Error) as error:
            if room.is_full(self._path) and room.release_reserve(self._path):
                return FIRST_RETRY_S
            self._report(False, f"nothing is stored: {error}")
            self._answer_without()
            return REOPEN_AFTER_S
        self._prepared, self._reserved = True, room.hold_reserve(self._path)
        if notice is not None:
            self._report(False, notice)
            self._notice_until_s = time.monotonic() + NOTICE_S
        return None

    def _answer_without(self) -> None:
        """A member is a stranger where nothing is known, and need not wait to be one."""
        with self._changed:
            asked = [write for write in self._writes if write.unanswered is not None]
            for write in asked:
                self._writes.remove(write)
        for write in asked:
            assert write.unanswered is not None
            write.unanswered()

    def _wait(self, delay_s: float) -> bool:
        """Waits before the next try, shortly when closing; False when there is no time for another."""
        until_s = time.monotonic() + delay_s
        with self._changed:
            while (left_s := until_s - time.monotonic()) > 0 and self._close_by_s is None:
                self._changed.wait(left_s)
            if self._close_by_s is None:
                return True
            self._changed.wait(min(max(left_s, 0.0), FIRST_RETRY_S))
            return time.monotonic() < self._close_by_s

    def _put(self, write: QueuedWrite) -> None:
        with self._changed:
            if write.is_replay and sum(each.is_replay for each in self._writes) >= REPLAYS_KEPT:
                self._drop_oldest(worth=0)
            if len(self._writes) >= CAPACITY:
                self._drop_oldest(worth=min(each.worth for each in self._writes))
            self._writes.append(write)
            self._changed.notify_all()

    def _drop_oldest(self, worth: int) -> None:
        """Caller holds the lock."""
        for write in self._writes:
            if write.worth == worth:
                self._writes.remove(write)
                self.dropped += 1
                if write.exchange is not None:
                    write.exchange[1]("too much waits to be stored")
                return

    def _remove(self, write: QueuedWrite) -> None:
        with self._changed:
            if self._writes and self._writes[0] is write:
                self._writes.popleft()

    def _postpone(self, write: QueuedWrite, error: SQLAlchemyError) -> float:
        reason = _reason(error)
        if "full" not in reason and room.is_full(self._path):
            reason = f"the disk is full: {reason}"
        self._report(False, f"{write.what} could not be stored ({reason}); trying again")
        if "full" in reason:
            self._make_room()
        if "malformed" in reason or "not a database" in reason:
            self._prepared = self._prepare is None  # it broke under our hands: recovered as at a start
        delay_s, self._retry_s = self._retry_s, min(self._retry_s * 2, LONGEST_RETRY_S)
        return delay_s

    def _make_room(self) -> None:
        with self._changed:
            while any(each.is_replay for each in self._writes):
                self._drop_oldest(worth=0)
        room.release_reserve(self._path)
        self._reserved = False
        try:
            with self._engine.begin() as connection:
                gone = room.delete_oldest_replays(connection)
        except SQLAlchemyError:
            return  # not even for that; the next try may find some
        if gone:
            log.warning("%s: the disk is full; the %d oldest replays were deleted", self._path, gone)

    def _give_up(self, write: QueuedWrite, error: Exception) -> None:
        self._remove(write)
        self.dropped += 1
        if write.refused is not None:
            write.refused(_reason(error))
        self._report(False, f"{write.what} was refused by the database and left out ({_reason(error)})")

    def _report(self, ok: bool, detail: str) -> None:
        if ok == self._ok or (ok and time.monotonic() < self._notice_until_s):
            return
        self._ok = ok
        if ok:
            log.info("the database takes writes again: %s", self._path)
        else:
            log.error("%s: %s", self._path, detail)
        self._on_status(ok, detail)


def _reason(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    return str(original).splitlines()[0]
