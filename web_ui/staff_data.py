"""The staff's page of what is kept: retention, exports, tokens, audit log, version."""

from __future__ import annotations

import re
from datetime import datetime
from http import HTTPStatus

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as BaseResponse

from device.installation_health import software_version
from device.store.export import KINDS
from device.store.retention import due_at, expired, next_due
from device.store.schema import AUDIT
from web_ui.access import Permission, allow
from web_ui.api import EXPORT_TYPES, local_time
from web_ui.credentials import add_token, drop_token
from web_ui.parts import parts
from web_ui.problems import ProblemError
from web_ui.staff import staff_context
from web_ui.staff_actions import check_form, record

ENTRIES = 100
TOKEN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")

staff_data = Blueprint("staff_data", __name__, url_prefix="/staff")
staff_data.context_processor(staff_context)


@staff_data.get("/data")
@allow(Permission.STAFF)
def page() -> str:
    return _page()


def _page(new_token: str | None = None) -> str:
    retention = parts().config.retention
    with parts().history.reading() as connection:
        due = due_at(connection)
        at = next_due(parts().now_utc(), retention.at_hour) if due is None else datetime.fromisoformat(due)
        counts = expired(connection, retention, at)
    return render_template(
        "staff/data.html",
        retention=retention,
        due=at,
        expired=counts,
        kinds=KINDS,
        tokens=parts().credentials.token_names(),
        new_token=new_token,
        version=software_version(),
        state_dir=parts().config.paths.state_dir.expanduser(),
    )


@staff_data.get("/export")
@allow(Permission.STAFF)
def export() -> BaseResponse:
    """From the form to the API's address; days are the machine's own."""
    since, until = local_time("since"), local_time("until")
    kind, form = request.args.get("kind", ""), request.args.get("form", "")
    if kind not in KINDS or form not in EXPORT_TYPES:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"allowed: {', '.join(KINDS)} as {' or '.join(EXPORT_TYPES)}")
    return redirect(url_for("api.export", kind=kind, form=form, since=since, until=until))


@staff_data.get("/audit")
@allow(Permission.ADMIN)
def audit() -> str:
    query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(ENTRIES)
    with parts().history.reading() as connection:
        entries = [dict(row) for row in connection.execute(query).mappings()]
    return render_template("staff/audit.html", entries=entries)


@staff_data.post("/tokens")
@allow(Permission.ADMIN)
def make_token() -> str:
    """Makes a read-only API token and shows it, this once."""
    check_form()
    name = request.form.get("name", "")
    if not TOKEN_NAME.fullmatch(name):
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"name {name[:60]!r}: 1 to 40 letters, digits or _ . - are allowed")
    record("made an API token", name)
    return _page(add_token(parts().config.paths.state_dir.expanduser(), name))


@staff_data.post("/tokens/<name>/end")
@allow(Permission.ADMIN)
def end_token(name: str) -> BaseResponse:
    check_form()
    if not drop_token(parts().config.paths.state_dir.expanduser(), name):
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no token named {name[:60]!r}")
    record("ended an API token", name[:40])
    return redirect(url_for(".page"), HTTPStatus.SEE_OTHER.value)
