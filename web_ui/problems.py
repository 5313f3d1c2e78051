"""Errors in one place: problem+json (RFC 9457) for the API, a page for staff, plain text for all else."""

from __future__ import annotations

import json
from http import HTTPStatus

from flask import Flask, Response, render_template, request
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException, InternalServerError

from device.bus import BusError
from web_ui.live import StreamLimitError


class ProblemError(Exception):
    """Ends the request with this status; ``detail`` is for the person who asked."""

    def __init__(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def problem_response(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    response = Response(json.dumps(body), status=status.value, content_type="application/problem+json")
    response.headers.update(headers or {})
    return response


def _is_api() -> bool:
    return request.path.startswith("/api/") or request.path in ("/healthz", "/metrics")


def _has_host() -> bool:
    return request_ctx.url_adapter is not None


def answer(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> Response:
    if _is_api():
        return problem_response(status, detail, headers)
    # a page has links, which need a name that they lead to: with a Host header that is none there is no page
    if request.path.startswith("/staff") and _has_host():
        response = Response(render_template("staff/error.html", title=status.phrase, detail=detail), status.value)
    else:
        text = f"{status.value} {status.phrase}\n{detail}\n"
        response = Response(text, status.value, content_type="text/plain; charset=utf-8")
    response.headers.update(headers or {})
    return response


def install(app: Flask) -> None:
    """Registers the handlers that turn errors into answers."""

    @app.errorhandler(ProblemError)
    def _problem(error: ProblemError) -> Response:
        return answer(error.status, error.detail, error.headers)

    @app.errorhandler(StreamLimitError)
    def _too_many(error: StreamLimitError) -> Response:
        return answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "5"})

    @app.errorhandler(BusError)
    def _no_device(error: BusError) -> Response:
        return answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "2"})

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = HTTPStatus(error.code or 500)
        headers = {}
        allowed = getattr(error, "valid_methods", None)
        if allowed:
            headers["Allow"] = ", ".join(sorted(allowed))
        if isinstance(error, InternalServerError):
            return answer(status, "this is a fault of the program; the log of the web service tells more")
        return answer(status, error.description or status.phrase, headers)
