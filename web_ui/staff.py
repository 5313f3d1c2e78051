"""The staff's pages: today, sets, one set, alerts, one alert's replay."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from device.messages import Command
from web_ui import staff_words
from web_ui.access import Permission, allow
from web_ui.api import read_filter, read_limit
from web_ui.history import Filter
from web_ui.parts import parts
from web_ui.problems import ProblemError
from web_ui.session import form_token
from web_ui.staff_actions import ask_device, check_form, role_now
from web_ui.trends import VERDICTS

LATEST_SETS = 8
LATEST_ALERTS = 6


staff = Blueprint("staff", __name__, url_prefix="/staff")


def staff_context() -> dict[str, Any]:
    """What the frame of every staff page shows."""
    return {"machine": parts().config.machine, "form_token": form_token(), "role": role_now()}


staff.context_processor(staff_context)


def machine_now() -> dict[str, Any]:
    """What the panel of the machine's health shows."""
    state = parts().hub.fresh_state()
    return {"state": state, "examined": parts().examination.now(state, parts().hub.report())}


@staff.get("")
@allow(Permission.STAFF)
def today() -> str:
    day_span, week_span = staff_words.spans(parts().now_utc())
    day, week = parts().history.summary(*day_span), parts().history.summary(*week_span)
    since = Filter(since=day_span[0])
    return render_template(
        "staff/today.html",
        day=day,
        week=week,
        faults=staff_words.fault_rows(day, week),
        per_100=staff_words.per_100,
        sets=parts().history.sets(since, LATEST_SETS).items,
        alerts=parts().history.alerts(since, LATEST_ALERTS).items,
        **machine_now(),
    )


@staff.get("/sets")
@allow(Permission.STAFF)
def sets() -> str:
    page = parts().history.sets(read_filter(local=True), read_limit(), request.args.get("cursor"))
    return render_template("staff/sets.html", page=page, older=_older(page.next_cursor))


@staff.get("/sets/<set_id>")
@allow(Permission.STAFF)
def one_set(set_id: str) -> str:
    found = parts().history.one_set(set_id)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no set {set_id!r}")
    return render_template("staff/set.html", set=found, told=json.dumps(staff_words.reps_told(found)))


@staff.get("/alerts")
@allow(Permission.STAFF)
def alerts() -> str:
    page = parts().history.alerts(read_filter(local=True), read_limit(), request.args.get("cursor"))
    return render_template("staff/alerts.html", page=page, older=_older(page.next_cursor))


@staff.get("/alerts/<alert_id>")
@allow(Permission.STAFF)
def one_alert(alert_id: str) -> str:
    found = parts().history.one_alert(alert_id)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no alert {alert_id!r}")
    return render_template("staff/alert.html", alert=found, reviews=VERDICTS)


@staff.post("/alerts/<alert_id>/review")
@allow(Permission.STAFF)
def review(alert_id: str) -> BaseResponse:
    """A trainer's judgement: was the alert right?"""
    check_form()
    verdict = request.form.get("verdict", "")
    if verdict not in VERDICTS:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"verdict is {verdict!r}; allowed: {', '.join(VERDICTS)}")
    ask_device(Command("review", verdict, target=alert_id, who=role_now()))
    from_queue = request.form.get("from") == "review"
    back = url_for("staff_review.page") if from_queue else url_for(".one_alert", alert_id=alert_id)
    return redirect(back, HTTPStatus.SEE_OTHER.value)


def _older(cursor: str | None) -> str | None:
    """The address of the next page under the same filter; None on the last one."""
    if cursor is None:
        return None
    kept = {name: value for name, value in request.args.items() if value}
    return f"{request.path}?{urlencode({**kept, 'cursor': cursor})}"
