"""The web application: which parts it is made of, and what holds for every answer."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

from flask import Flask, Response, request, send_from_directory

from device.config import Config
from device.store.prepare import database_path
from web_ui import access, problems
from web_ui.access import Permission, allow
from web_ui.api import create_api
from web_ui.credentials import Credentials
from web_ui.health import create_health
from web_ui.history import CursorError, History, HistoryError
from web_ui.kiosk import create_kiosk
from web_ui.live import LiveHub
from web_ui.login import GuessLimit, create_login
from web_ui.problems import ProblemError
from web_ui.session import CarefulCookies
from web_ui.staff import create_staff

STATIC = Path(__file__).parent / "static"
LARGEST_BODY_BYTES = 16 * 1024

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer a form would send "Origin: null"
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""No inline script or style, nothing from elsewhere, in nobody's frame."""


def create_app(config: Config, hub: LiveHub, limit: GuessLimit | None = None) -> Flask:
    """The application over a hub that somebody feeds. Reads the database and the password in ``paths.state_dir``.

    Raises:
        CredentialsError: the state folder cannot be written (the session key is kept there).
    """
    state_dir = config.paths.state_dir.expanduser()
    credentials = Credentials(state_dir)
    history = History(database_path(state_dir))
    app = Flask(__name__, static_folder=None)
    app.session_interface = CarefulCookies()
    app.config.update(
        SECRET_KEY=credentials.session_key(),
        SESSION_COOKIE_NAME="legpress",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=config.web.session_hours),
        MAX_CONTENT_LENGTH=LARGEST_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=LARGEST_BODY_BYTES,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    problems.install(app)
    access.install(app, credentials)
    app.register_blueprint(create_kiosk(config, hub))
    app.register_blueprint(create_api(history))
    app.register_blueprint(create_health(hub, history))
    app.register_blueprint(create_login(credentials, config.web.session_hours, limit or GuessLimit()))
    app.register_blueprint(create_staff(config, hub, history))
    _add_assets(app)
    _add_rules(app)
    return app


def _add_assets(app: Flask) -> None:
    @app.get("/static/<path:name>", endpoint="static")
    @allow(Permission.PUBLIC)
    def asset(name: str) -> Response:
        response = send_from_directory(STATIC, name, conditional=True)
        # asked for anew each time, answered with 304: an update is never mixed with an old page
        response.headers["Cache-Control"] = "no-cache"
        return response


def _add_rules(app: Flask) -> None:
    @app.errorhandler(HistoryError)
    def _no_history(error: HistoryError) -> Response:
        return problems.answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "2"})

    @app.errorhandler(CursorError)
    def _bad_cursor(error: CursorError) -> Response:
        return problems.answer(HTTPStatus.BAD_REQUEST, str(error))

    @app.before_request
    def _refuse_large() -> None:
        if (request.content_length or 0) > LARGEST_BODY_BYTES:
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {LARGEST_BODY_BYTES} bytes are allowed")

    @app.after_request
    def _headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response
