"""Signing in and out."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, make_response, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from web_ui.access import Permission, allow
from web_ui.origin import host_is_loopback, is_same_origin
from web_ui.parts import parts
from web_ui.session import form_is_ours, form_token, role_signed_in, sign_in

login = Blueprint("login", __name__)


def _page(message: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
    ready = parts().credentials.password_is_set()
    page = render_template("login.html", message=message, form_token=form_token(), ready=ready)
    response = make_response(page, status.value)
    response.headers["Cache-Control"] = "no-store"
    return response


@login.get("/staff/login")
@allow(Permission.PUBLIC)
def form() -> BaseResponse:
    if role_signed_in(parts().credentials):
        return redirect(url_for("staff.today"))
    return _page()


@login.post("/staff/login")
@allow(Permission.PUBLIC)
def enter() -> BaseResponse:
    credentials, guesses = parts().credentials, parts().guesses
    if not is_same_origin(request) or not form_is_ours(request.form.get("form_token")):
        return _page("The page was open for too long. Please try again.", HTTPStatus.FORBIDDEN)
    if not (host_is_loopback(request) or request.is_secure):
        return _page("This connection is not encrypted. Open the page with https.", HTTPStatus.FORBIDDEN)
    wait_s = guesses.wait_s()
    if wait_s > 0:
        response = _page(f"Too many wrong passwords. Try again in {wait_s:.0f} s.", HTTPStatus.TOO_MANY_REQUESTS)
        response.headers["Retry-After"] = f"{wait_s:.0f}"
        return response
    role = credentials.role_of(request.form.get("password", ""))
    if role is None:
        guesses.wrong()
        return _page("That password is not right.", HTTPStatus.FORBIDDEN)
    guesses.right()
    sign_in(credentials, role, parts().config.web.session_hours)
    return redirect(url_for("staff.today"), HTTPStatus.SEE_OTHER.value)


@login.post("/staff/logout")
@allow(Permission.STAFF)
def leave() -> BaseResponse:
    if form_is_ours(request.form.get("form_token")):
        session.clear()
    return redirect(url_for("login.form"), HTTPStatus.SEE_OTHER.value)
