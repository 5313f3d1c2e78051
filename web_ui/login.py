"""Signing in and out, with a limit on guesses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Response, make_response, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from web_ui.access import Permission, allow
from web_ui.credentials import Credentials
from web_ui.origin import host_is_loopback, is_same_origin
from web_ui.session import form_is_ours, form_token, sign_in, signed_in

FREE_GUESSES = 5
LONGEST_WAIT_S = 300.0


class GuessLimit:
    """After five wrong passwords each further one doubles the wait, up to five minutes; a right one resets it.

    One limit for all: behind a proxy every guess comes from the same address anyway.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong = 0
        self._until_s = float("-inf")

    def wait_s(self) -> float:
        """Seconds until the next guess is looked at; 0 when it may come now."""
        with self._lock:
            return max(self._until_s - self._clock(), 0.0)

    def wrong(self) -> None:
        with self._lock:
            self._wrong += 1
            if self._wrong >= FREE_GUESSES:
                wait_s = min(2.0 ** (self._wrong - FREE_GUESSES + 1), LONGEST_WAIT_S)
                self._until_s = self._clock() + wait_s

    def right(self) -> None:
        with self._lock:
            self._wrong = 0
            self._until_s = float("-inf")


def create_login(credentials: Credentials, session_hours: float, limit: GuessLimit) -> Blueprint:
    login = Blueprint("login", __name__)

    def form_page(message: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
        page = render_template(
            "login.html", message=message, form_token=form_token(), ready=credentials.password_is_set()
        )
        response = make_response(page, status.value)
        response.headers["Cache-Control"] = "no-store"
        return response

    @login.get("/staff/login")
    @allow(Permission.PUBLIC)
    def form() -> BaseResponse:
        if signed_in(credentials):
            return redirect(url_for("staff.today"))
        return form_page()

    @login.post("/staff/login")
    @allow(Permission.PUBLIC)
    def enter() -> BaseResponse:
        if not is_same_origin(request) or not form_is_ours(request.form.get("form_token")):
            return form_page("The page was open for too long. Please try again.", HTTPStatus.FORBIDDEN)
        if not (host_is_loopback(request) or request.is_secure):
            return form_page("This connection is not encrypted. Open the page with https.", HTTPStatus.FORBIDDEN)
        wait_s = limit.wait_s()
        if wait_s > 0:
            response = form_page(
                f"Too many wrong passwords. Try again in {wait_s:.0f} s.", HTTPStatus.TOO_MANY_REQUESTS
            )
            response.headers["Retry-After"] = f"{wait_s:.0f}"
            return response
        if not credentials.accepts(request.form.get("password", "")):
            limit.wrong()
            return form_page("That password is not right.", HTTPStatus.FORBIDDEN)
        limit.right()
        sign_in(credentials, session_hours)
        return redirect(url_for("staff.today"), HTTPStatus.SEE_OTHER.value)

    @login.post("/staff/logout")
    @allow(Permission.STAFF)
    def leave() -> BaseResponse:
        if form_is_ours(request.form.get("form_token")):
            session.clear()
        return redirect(url_for("login.form"), HTTPStatus.SEE_OTHER.value)

    return login
