"""The member's screen and what it asks: the page, the live state, and the four things a member can do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, get_args

from flask import Blueprint, Response, render_template, request

from device.messages import Command, Goal
from web_ui.access import Permission, allow
from web_ui.live import STALE_S, LiveHub, Subscription
from web_ui.parts import parts
from web_ui.problems import ProblemError
from web_ui.qr_code import qr_svg

HEARTBEAT_S = 1.0
GOALS: tuple[str, ...] = get_args(Goal)
TAG_FORM = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def fresh_state_json(hub: LiveHub) -> bytes:
    """The newest state as JSON. Raises ProblemError (503) when the device says nothing."""
    latest = hub.latest()
    if latest is None:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE, "the device process has not reported yet", {"Retry-After": "1"}
        )
    age_s = hub.clock() - latest.t_s
    if age_s > STALE_S:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"the device process has not reported for {age_s:.0f} s; its last state is too old to show",
            {"Retry-After": "1"},
        )
    return latest.json


def event_stream(subscription: Subscription) -> Iterator[bytes]:
    """Server-Sent Events until the page leaves or the service ends."""
    with subscription:
        yield b"retry: 500\n\n"
        while (events := subscription.take(HEARTBEAT_S)) is not None:
            yield events or b"event: heartbeat\ndata: {}\n\n"


def _body(*allowed: str) -> dict[str, Any]:
    """The request's JSON object, which may hold these keys only."""
    if not request.content_length:
        return {}
    if request.mimetype != "application/json":
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON: 'Content-Type: application/json'")
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # nested thousands deep
        body = None
    if not isinstance(body, dict):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
    unknown = sorted(set(body) - set(allowed))
    if unknown:
        known = ", ".join(allowed) or "none"
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"unknown key {unknown[0]!r}; allowed: {known}")
    return body


kiosk = Blueprint("kiosk", __name__)


def _command(name: Any, value: str | None = None) -> Response:
    reply = parts().hub.send(Command(name=name, value=value))
    if not reply.ok:
        raise ProblemError(HTTPStatus.CONFLICT, reply.error or "the device refused, without a reason")
    return Response('{"ok": true}', content_type="application/json")


@kiosk.get("/")
@allow(Permission.KIOSK)
def page() -> str:
    return render_template("kiosk.html", machine=parts().config.machine)


@kiosk.get("/kiosk/house-rules.svg")
@allow(Permission.KIOSK)
def house_rules() -> Response:
    """The address of the house rules as a QR code, for members' phones."""
    address = parts().config.machine.house_rules
    if address is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "machine.house_rules is not set")
    return Response(qr_svg(address), content_type="image/svg+xml")


@kiosk.get("/api/v1/state")
@allow(Permission.KIOSK)
def state() -> Response:
    json = fresh_state_json(parts().hub)
    return Response(json, content_type="application/json", headers={"Cache-Control": "no-store"})


@kiosk.get("/api/v1/live")
@allow(Permission.KIOSK)
def live() -> Response:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(event_stream(parts().hub.subscribe()), content_type="text/event-stream", headers=headers)


@kiosk.post("/api/v1/goal")
@allow(Permission.KIOSK)
def goal() -> Response:
    wanted = _body("goal").get("goal")
    if wanted not in GOALS:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"goal is {wanted!r}; allowed: {', '.join(GOALS)}")
    return _command("goal", wanted)


@kiosk.post("/api/v1/acknowledge")
@allow(Permission.KIOSK)
def acknowledge() -> Response:
    _body()
    return _command("acknowledge")


@kiosk.post("/api/v1/tag")
@allow(Permission.KIOSK)
def tag() -> Response:
    wanted = _body("tag").get("tag")
    if wanted is not None and not (isinstance(wanted, str) and TAG_FORM.fullmatch(wanted)):
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, "tag: 1 to 64 letters, digits or _ . : - are allowed, or null for a guest"
        )
    return _command("tag", wanted)


@kiosk.post("/api/v1/help")
@allow(Permission.KIOSK)
def call_help() -> Response:
    calls = _body("call").get("call", True)
    if not isinstance(calls, bool):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "call: true calls staff, false takes the call back")
    return _command("help", "call" if calls else "cancel")
