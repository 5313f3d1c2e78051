"""The device's end of backing up and restoring from the pages: it owns the database, so it copies and exchanges it.

Copying and proving take seconds and have a thread of their own. The exchange itself only renames files, on the
writer's thread, between two sets. The database before it becomes a backup like any other: restoring that undoes it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from device.errors import LegpressError
from device.messages import Command, CommandReply
from device.recorder import Store
from device.store import kept_files
from device.store.backup import back_up, exchange, keep_replaced, stage
from device.store.backup_list import named
from device.store.prepare import refuse_newer

log = logging.getLogger(__name__)

Stage = Literal["idle", "backing_up", "checking", "waiting", "replacing", "keeping"]
WITH_SETTINGS = "settings"
"""Target of a ``restore`` command that means the settings and calibrations, too."""
BUSY = "another backup or restore is under way; wait for it to end"


@dataclass(frozen=True, slots=True)
class DeskStatus:
    """For the page: what is being done, and how the last thing ended."""

    stage: Stage = "idle"
    said: str = ""
    """One sentence; empty before anything was done."""
    ok: bool = True
    restart_needed: bool = False
    """Settings or calibrations were put back that count from the next start on."""


class BackupDesk:
    """One job at a time. ``turn`` is called from the device's loop, everything else answers at once."""

    def __init__(self, database: Path, store: Store) -> None:
        self._database, self._store = database, store
        self._lock = threading.Lock()
        self._status = DeskStatus()
        self._staged: Path | None = None
        self._name, self._who = "", "program"
        self._files: dict[str, bytes] = {}
        self._thread: threading.Thread | None = None

    def status(self) -> DeskStatus:
        return self._status

    def answer(self, command: Command) -> CommandReply:
        """To ``backup`` (make, status) and ``restore`` (a file name); at once, with how it goes as JSON."""
        error = None
        if command.name == "restore":
            error = self.restore(command.value or "", command.who or "program", command.target == WITH_SETTINGS)
        elif command.value == "make":
            error = self.make(command.who or "program")
        return CommandReply(command.id, error is None, error, json.dumps(dataclasses.asdict(self._status)))

    def make(self, who: str) -> str | None:
        """Begins a backup; the reason why not, as a sentence."""
        return self._begin("backing_up", lambda: self._make(who))

    def restore(self, name: str, who: str, with_settings: bool = False) -> str | None:
        """Begins to restore the backup with this file name; the reason why not, as a sentence.

        ``with_settings``: the settings and calibrations in it, too; they count from the services' next start on.
        """
        if named(self._database, name) is None:
            return f"there is no backup named {name[:80]!r}"
        return self._begin("checking", lambda: self._check(name, who, with_settings))

    def turn(self, resting: bool) -> bool:
        """Hands a checked backup to the writer once nobody lifts; True when it just has (the member has to go)."""
        with self._lock:
            staged = self._staged
            if staged is None or not resting:
                return False
            self._staged = None
            self._status = DeskStatus("replacing")
        asides: list[Path | None] = []

        def swap() -> None:
            asides.append(exchange(staged, self._database, "replaced"))

        self._store.exchange(swap, lambda error: self._exchanged(error, asides))
        return True

    def join(self, timeout_s: float) -> None:
        """Waits for the job's thread; for tests, and for an orderly end."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def close(self) -> None:
        """What waits to be restored is forgotten; nothing was changed."""
        self.join(5.0)
        with self._lock:
            staged, self._staged = self._staged, None
        if staged is not None:
            with contextlib.suppress(OSError):
                staged.unlink(missing_ok=True)

    def _begin(self, stage_now: Stage, job: Callable[[], None]) -> str | None:
        with self._lock:
            if self._status.stage != "idle":
                return BUSY
            self._status = DeskStatus(stage_now)
        self._work(job)
        return None

    def _work(self, job: Callable[[], None]) -> None:
        def run() -> None:
            try:
                job()
            except (LegpressError, OSError, sqlite3.Error) as error:
                log.warning("%s", error)
                self._end(str(error), ok=False)
            except BaseException:
                self._end("a fault of the program; the device's log tells more", ok=False)
                raise

        self._thread = threading.Thread(target=run, name="backup", daemon=True)
        self._thread.start()

    def _end(self, said: str, ok: bool = True, restart_needed: bool = False) -> None:
        self._status = DeskStatus("idle", said, ok, restart_needed)

    def _make(self, who: str) -> None:
        made = back_up(self._database)
        self._note("made a backup", made.name, who)
        self._end(f"{made.name} was made, read through and is sound")

    def _check(self, name: str, who: str, with_settings: bool) -> None:
        backup = named(self._database, name)
        if backup is None:
            self._end(f"the backup {name} is gone; nothing was changed", ok=False)
            return
        refuse_newer(backup.path)
        staged = stage(backup.path, self._database)
        files = kept_files.kept_in(backup.path) if with_settings else {}
        with self._lock:
            self._staged, self._name, self._who, self._files = staged, name, who, files
            self._status = DeskStatus("waiting")

    def _exchanged(self, error: str | None, asides: list[Path | None]) -> None:
        """On the writer's thread, with the other database open (or the old one, where that failed)."""
        if error is not None:
            self._end(f"{self._name} was not restored: {error}", ok=False)
            return
        self._note("restored a backup", self._name, self._who)
        self._status = dataclasses.replace(self._status, stage="keeping")
        self._work(lambda: self._keep(next((each for each in asides if each is not None), None)))

    def _keep(self, aside: Path | None) -> None:
        """What was in force before becomes a backup, and only then are its settings written over."""
        told = [f"{self._name} was restored"]
        if aside is not None:
            try:
                kept = keep_replaced(aside, self._database)
                told.append(f"the database before it is kept as {kept.name}: restore that one to undo")
            except LegpressError as error:
                # damaged, perhaps: that may be why somebody restored
                told.append(f"the database before it is kept as {aside.name}, for no backup could be made: {error}")
        if self._files:
            kept_files.put_back(self._files, self._database.parent)
            told.append(f"{len(self._files)} files of settings and calibrations count from the next start on")
        self._end("; ".join(told), restart_needed=bool(self._files))

    def _note(self, what: str, of_what: str, who: str) -> None:
        entry = Command("audit", of_what, target=what, who=who)
        self._store.change(entry, datetime.now(UTC).isoformat(), lambda error: None)
