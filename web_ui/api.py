"""The API for staff and other programs: sets, alerts, members, trends; lists by pages. All of it only reads."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any, get_args

from flask import Blueprint, Response, jsonify, request

from device.messages import FaultKind, Goal
from device.store.export import KINDS
from device.store.schema import utc_text
from web_ui.access import Permission, allow
from web_ui.history import LARGEST_PAGE, Filter, Page
from web_ui.members import members as list_members
from web_ui.members import one_member
from web_ui.openapi import document
from web_ui.parts import parts
from web_ui.problems import ProblemError
from web_ui.trends import BY, LONGEST_WEEKS, USUAL_WEEKS, TrendFilter, faults_by, precision, reps_by, since_of

USUAL_PAGE = 50
EXPORT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
PAGING = ("limit", "cursor")
PARAMETERS = ("since", "until", "member", "goal", "fault", *PAGING)
LONGEST_TEXT = 200
"""Of a parameter: the longest cursor has 90 letters."""


def _refuse(name: str, value: str, allowed: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, f"{name} is {value!r}; allowed: {allowed}")


def _time(name: str, local: bool) -> str | None:
    value = request.args.get(name)
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return utc_text(moment.astimezone() if local else moment)
    except (ValueError, OverflowError) as error:
        raise _refuse(name, value, "an ISO 8601 time such as 2026-11-23T09:00:00Z or 2026-11-23") from error


def local_time(name: str) -> str | None:
    """A parameter's time, meant in the machine's own zone, as database time."""
    return _time(name, local=True)


def _choice(name: str, allowed: tuple[str, ...]) -> str | None:
    value = request.args.get(name) or None
    if value is not None and value not in allowed:
        raise _refuse(name, value, ", ".join(allowed))
    return value


def refuse_unknown(*allowed: str) -> None:
    """Raises ProblemError (400) for a parameter that is none of these, comes twice or is too long."""
    for name, values in request.args.lists():
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"unknown parameter {name[:40]!r}; allowed: {known}")
        if len(values) > 1 or len(values[0]) > LONGEST_TEXT:
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"{name}: once, and at most {LONGEST_TEXT} letters")


def read_filter(local: bool = False) -> Filter:
    """The filter in this request's query. Raises ProblemError (400) naming what is wrong.

    A time without a zone is UTC, or with `local` the machine's own, as a person means it.
    """
    refuse_unknown(*PARAMETERS)
    return Filter(
        since=_time("since", local),
        until=_time("until", local),
        member=request.args.get("member") or None,
        goal=_choice("goal", get_args(Goal)),
        fault=_choice("fault", get_args(FaultKind)),
    )


def read_limit() -> int:
    value = request.args.get("limit", str(USUAL_PAGE))
    limit = int(value) if value.isascii() and value.isdigit() and len(value) < 6 else 0
    if not 1 <= limit <= LARGEST_PAGE:
        raise _refuse("limit", value, f"1 to {LARGEST_PAGE}")
    return limit


def read_trend() -> TrendFilter:
    refuse_unknown("by", "weeks", "member", "goal")
    weeks = request.args.get("weeks") or str(USUAL_WEEKS)
    count = int(weeks) if weeks.isascii() and weeks.isdigit() and len(weeks) < 5 else 0
    if not 1 <= count <= LONGEST_WEEKS:
        raise _refuse("weeks", weeks, f"1 to {LONGEST_WEEKS}")
    by = _choice("by", BY) or BY[0]
    return TrendFilter(by, count, request.args.get("member") or None, _choice("goal", get_args(Goal)))


def _answer(body: Any) -> Response:
    response = jsonify(body)
    response.headers["Cache-Control"] = "private, no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


def _page(page: Page) -> Response:
    return _answer({"items": page.items, "next_cursor": page.next_cursor})


def found(thing: Any, name: str, what: str) -> Any:
    """`thing`, or ProblemError (404) saying that there is no `name` of this id."""
    if thing is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no {name} {what[:60]!r}")
    return thing


api = Blueprint("api", __name__, url_prefix="/api/v1")


@api.get("/openapi.json")
@allow(Permission.API)
def openapi() -> Response:
    refuse_unknown()
    return _answer(document())


@api.get("/sets")
@allow(Permission.API)
def sets() -> Response:
    return _page(parts().history.sets(read_filter(), read_limit(), request.args.get("cursor")))


@api.get("/sets/<set_id>")
@allow(Permission.API)
def one_set(set_id: str) -> Response:
    refuse_unknown()
    return _answer(found(parts().history.one_set(set_id), "set", set_id))


@api.get("/sets/<set_id>/motions")
@allow(Permission.API)
def motions(set_id: str) -> Response:
    refuse_unknown()
    found(parts().history.one_set(set_id), "set", set_id)
    return _answer({"items": parts().history.motions(set_id)})


@api.get("/alerts")
@allow(Permission.API)
def alerts() -> Response:
    return _page(parts().history.alerts(read_filter(), read_limit(), request.args.get("cursor")))


@api.get("/alerts/<alert_id>")
@allow(Permission.API)
def one_alert(alert_id: str) -> Response:
    refuse_unknown()
    return _answer(found(parts().history.one_alert(alert_id), "alert", alert_id))


@api.get("/alerts/<alert_id>/replay")
@allow(Permission.API)
def replay(alert_id: str) -> Response:
    refuse_unknown()
    alert = found(parts().history.one_alert(alert_id), "alert", alert_id)
    frames = parts().history.replay(alert_id)
    if frames is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "no replay of this alert is kept")
    return _answer({"alert": alert, "replay": frames})


@api.get("/alerts/<alert_id>/good-rep")
@allow(Permission.API)
def good_rep(alert_id: str) -> Response:
    refuse_unknown()
    alert = found(parts().history.one_alert(alert_id), "alert", alert_id)
    rep = parts().history.good_rep(alert)
    if rep is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "no good rep of this member is kept")
    return _answer(rep)


@api.get("/members")
@allow(Permission.API)
def members() -> Response:
    refuse_unknown("member", *PAGING)
    wanted, cursor = request.args.get("member") or None, request.args.get("cursor") or None
    return _page(list_members(parts().history, read_limit(), cursor, wanted))


@api.get("/members/<tag>")
@allow(Permission.API)
def member(tag: str) -> Response:
    refuse_unknown()
    return _answer(found(one_member(parts().history, tag), "member", tag))


@api.get("/trends")
@allow(Permission.API)
def trends() -> Response:
    wanted = read_trend()
    now, history = parts().now_utc(), parts().history
    body = {"by": wanted.by, "since_utc": since_of(now, wanted.weeks), "reps": reps_by(history, wanted, now)}
    return _answer({**body, "faults": faults_by(history, wanted, now)})


@api.get("/precision")
@allow(Permission.API)
def precision_of_alerts() -> Response:
    refuse_unknown("by")
    by = _choice("by", ("kind", "week")) or "kind"
    return _answer({"by": by, "items": precision(parts().history, parts().now_utc())[by]})


@api.get("/export/<kind>.<form>")
@allow(Permission.API)
def export(kind: str, form: str) -> Response:
    """A span of any length, streamed: it never stands in memory as a whole."""
    refuse_unknown("since", "until")
    if kind not in KINDS or form not in EXPORT_TYPES:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"allowed: {', '.join(KINDS)}, each as .csv or .json")
    since, until = _time("since", local=False), _time("until", local=False)
    text = parts().history.export(kind, form, since, until)
    name = f"legpress-{kind}-{(since or 'all')[:10]}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(text, content_type=EXPORT_TYPES[form], headers=headers)
