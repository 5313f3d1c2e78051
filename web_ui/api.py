"""The API for staff and other programs: sets, alerts and replays, newest first, by pages."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any, get_args

from flask import Blueprint, Response, jsonify, request

from device.messages import FaultKind, Goal
from device.store.schema import utc_text
from web_ui.access import Permission, allow
from web_ui.history import LARGEST_PAGE, Filter, Page
from web_ui.parts import parts
from web_ui.problems import ProblemError

USUAL_PAGE = 50
PARAMETERS = ("since", "until", "member", "goal", "fault", "limit", "cursor")


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


def _choice(name: str, allowed: tuple[str, ...]) -> str | None:
    value = request.args.get(name) or None
    if value is not None and value not in allowed:
        raise _refuse(name, value, ", ".join(allowed))
    return value


def read_filter(local: bool = False) -> Filter:
    """The filter in this request's query. Raises ProblemError (400) naming what is wrong.

    A time without a zone is UTC, or with `local` the machine's own, as a person means it.
    """
    unknown = sorted(set(request.args) - set(PARAMETERS))
    if unknown:
        allowed = ", ".join(PARAMETERS)
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"unknown parameter {unknown[0]!r}; allowed: {allowed}")
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


def _answer(body: Any) -> Response:
    response = jsonify(body)
    response.headers["Cache-Control"] = "private, no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


def _page(page: Page) -> Response:
    return _answer({"items": page.items, "next_cursor": page.next_cursor})


api = Blueprint("api", __name__, url_prefix="/api/v1")


@api.get("/sets")
@allow(Permission.STAFF)
def sets() -> Response:
    return _page(parts().history.sets(read_filter(), read_limit(), request.args.get("cursor")))


@api.get("/sets/<set_id>")
@allow(Permission.STAFF)
def one_set(set_id: str) -> Response:
    found = parts().history.one_set(set_id)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no set {set_id!r}")
    return _answer(found)


@api.get("/alerts")
@allow(Permission.STAFF)
def alerts() -> Response:
    return _page(parts().history.alerts(read_filter(), read_limit(), request.args.get("cursor")))


@api.get("/alerts/<alert_id>/replay")
@allow(Permission.STAFF)
def replay(alert_id: str) -> Response:
    alert = parts().history.one_alert(alert_id)
    if alert is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no alert {alert_id!r}")
    frames = parts().history.replay(alert_id)
    if frames is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "no replay of this alert is kept")
    return _answer({"alert": alert, "replay": frames})
