"""The admin's page of backups: what there is, one more now, download, restore. The device process does the work."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response as BaseResponse

from device.bus import BusError
from device.messages import Command
from device.store import kept_files
from device.store.backup_list import Backup, listed, named
from device.store.engine import connect_readonly
from device.store.prepare import database_path
from web_ui.access import Permission, allow
from web_ui.parts import parts
from web_ui.problems import ProblemError
from web_ui.staff import staff_context
from web_ui.staff_actions import ask_device, check_form, record, role_now

STAGES = {
    "idle": "",
    "backing_up": "A backup is being made and read through.",
    "checking": "The backup is being read through before it is restored.",
    "waiting": "The backup is sound; it is restored as soon as nobody lifts.",
    "replacing": "The backup is being put in place.",
    "keeping": "The backup is in place; the database before it is being kept as a backup.",
}
WHY = {"": "by night or by hand", "before-restore": "what a restored backup replaced"}

staff_backups = Blueprint("staff_backups", __name__, url_prefix="/staff/backups")
staff_backups.context_processor(staff_context)


def _database() -> Path:
    return database_path(parts().config.paths.state_dir)


def _now() -> dict[str, Any]:
    """What the device is doing, and the list; the list also where the device does not answer."""
    try:
        reply = parts().hub.send(Command("backup", "status", who=role_now()))
        doing = json.loads(reply.data or "{}")
    except (BusError, ValueError):
        doing = {"stage": "idle", "said": "the device process does not answer: nothing can be made or restored now"}
        doing["ok"] = False
    return {
        "backups": listed(_database()),
        "doing": STAGES.get(doing.get("stage", "idle"), ""),
        "said": doing.get("said", ""),
        "ok": doing.get("ok", True),
        "restart_needed": doing.get("restart_needed", False),
        "why": lambda backup: WHY.get(backup.why, backup.why.replace("-", " ")),
    }


def _backup(name: str) -> Backup:
    found = named(_database(), name)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no backup named {name[:80]!r}")
    return found


@staff_backups.get("")
@allow(Permission.ADMIN)
def page() -> str:
    return render_template("staff/backups.html", **_now())


@staff_backups.get("/now")
@allow(Permission.ADMIN)
def now() -> str:
    """State and list alone, fetched again every few seconds."""
    return render_template("staff/backup_list.html", **_now())


@staff_backups.post("")
@allow(Permission.ADMIN)
def make() -> BaseResponse:
    check_form()
    ask_device(Command("backup", "make", who=role_now()))
    return redirect(url_for(".page"), HTTPStatus.SEE_OTHER.value)


@staff_backups.get("/<name>")
@allow(Permission.ADMIN)
def download(name: str) -> Response:
    """The file itself, streamed; noted in the audit log, for it holds what the members did."""
    backup = _backup(name)
    record("downloaded a backup", name)
    return send_file(backup.path, "application/vnd.sqlite3", as_attachment=True, download_name=name, max_age=0)


@staff_backups.get("/<name>/restore")
@allow(Permission.ADMIN)
def confirm(name: str) -> str:
    """What would be replaced by what."""
    backup = _backup(name)
    try:
        there, files = _told(backup.path), sorted(kept_files.kept_in(backup.path))
    except sqlite3.Error as error:
        raise ProblemError(HTTPStatus.CONFLICT, f"{name} cannot be read as a database: {error}") from error
    try:
        now_there: dict[str, Any] | None = _told(_database(), since=backup.made.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    except sqlite3.Error:
        now_there = None  # it is gone or damaged, which may be why somebody is here
    return render_template("staff/restore.html", backup=backup, there=there, files=files, now_there=now_there)


def _told(database: Path, since: str = "") -> dict[str, Any]:
    """How many sets a database holds, when the last one began, and how many began since. Raises sqlite3.Error."""
    with closing(connect_readonly(database)) as connection:
        sets, last = connection.execute("SELECT count(*), max(started_utc) FROM sets").fetchone()
        newer = connection.execute("SELECT count(*) FROM sets WHERE started_utc >= ?", (since,)).fetchone()[0]
    return {"sets": sets, "last": last, "newer": newer, "size_bytes": database.stat().st_size}


@staff_backups.post("/<name>/restore")
@allow(Permission.ADMIN)
def restore(name: str) -> BaseResponse:
    check_form()
    if request.form.get("sure") != "yes":
        raise ProblemError(HTTPStatus.BAD_REQUEST, "nothing was restored: tick that it shall replace what is there now")
    target = "settings" if request.form.get("settings") == "yes" else None
    ask_device(Command("restore", _backup(name).path.name, target=target, who=role_now()))
    return redirect(url_for(".page"), HTTPStatus.SEE_OTHER.value)
