"""The staff's pages: today, sets, one set, alerts, one alert's replay."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from device.messages import Command, LiveState
from web_ui import staff_words
from web_ui.access import Permission, allow
from web_ui.api import read_filter, read_limit
from web_ui.history import Filter
from web_ui.live import STALE_S
from web_ui.parts import parts
from web_ui.problems import ProblemError
from web_ui.session import form_token
from web_ui.staff_actions import ask_device, check_form, record, role_now
from web_ui.trends import VERDICTS

LATEST_SETS = 8
LATEST_ALERTS = 6
MACHINE_ACTIONS = {
    "cancel": "answered a call",
    "out_of_order": "took the machine out of order",
    "in_order": "put the machine back in order",
}


staff = Blueprint("staff", __name__, url_prefix="/staff")


def staff_context() -> dict[str, Any]:
    """What the frame of every staff page shows."""
    return {"machine": parts().config.machine, "form_token": form_token(), "role": role_now()}


staff.context_processor(staff_context)


def _fresh_state() -> LiveState | None:
    latest = parts().hub.latest()
    return latest.state if latest is not None and parts().hub.clock() - latest.t_s <= STALE_S else None


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
        state=_fresh_state(),
        health=staff_words.health_rows(_fresh_state()),
    )


@staff.get("/health")
@allow(Permission.STAFF)
def health() -> str:
    """The health panel alone, fetched again every few seconds."""
    state = _fresh_state()
    return render_template("staff/health.html", state=state, health=staff_words.health_rows(state))


@staff.get("/machine")
@allow(Permission.STAFF)
def examined() -> str:
    """Every part of the machine, with figures and what to do."""
    state = _fresh_state()
    return render_template(
        "staff/machine.html", state=state, health=staff_words.health_rows(state), sensors=parts().hub.parts()
    )


@staff.get("/machine/sensors")
@allow(Permission.STAFF)
def sensors() -> str:
    """The table of sensors alone, fetched again every few seconds."""
    return render_template("staff/sensors.html", sensors=parts().hub.parts())


@staff.post("/machine")
@allow(Permission.STAFF)
def machine() -> BaseResponse:
    """Answers a member's call, or takes the machine out of order and back."""
    wanted = request.form.get("help", "")
    check_form()
    if wanted not in MACHINE_ACTIONS:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"help is {wanted!r}; allowed: {', '.join(MACHINE_ACTIONS)}")
    ask_device(Command(name="help", value=wanted, who=role_now()))
    record(MACHINE_ACTIONS[wanted])
    return redirect(url_for("staff.today"), HTTPStatus.SEE_OTHER.value)


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
