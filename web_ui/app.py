"""The web application: which parts it is made of, and what holds for every answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from flask import Flask, Response, request

from device.config import Config
from device.store.prepare import database_path
from web_ui import access, assets, parts, problems, rate_limit, staff_words
from web_ui.api import api
from web_ui.camera_looks import CameraLooks
from web_ui.credentials import Credentials
from web_ui.examination import Examination
from web_ui.guess_limit import GuessLimit
from web_ui.health import health
from web_ui.history import CursorError, History, HistoryError
from web_ui.kiosk import kiosk
from web_ui.live import LiveHub
from web_ui.login import login
from web_ui.parts import Parts, nothing_to_restart, wall_clock
from web_ui.problems import ProblemError
from web_ui.session import CarefulCookies
from web_ui.staff import staff
from web_ui.staff_backups import staff_backups
from web_ui.staff_calibration import staff_calibration
from web_ui.staff_camera_calibration import staff_camera_calibration
from web_ui.staff_data import staff_data
from web_ui.staff_machine import staff_machine
from web_ui.staff_members import staff_members
from web_ui.staff_review import staff_review
from web_ui.staff_sensor_calibration import staff_sensor_calibration
from web_ui.staff_settings import staff_settings
from web_ui.staff_trends import staff_trends

STAFF_VIEWS = (
    staff_machine,
    staff_review,
    staff_members,
    staff_trends,
    staff_data,
    staff_backups,
    staff_settings,
    staff_calibration,
    staff_sensor_calibration,
    staff_camera_calibration,
)
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


def create_app(
    config: Config,
    hub: LiveHub,
    guesses: GuessLimit | None = None,
    now_utc: Callable[[], datetime] = wall_clock,
    rate_clock: Callable[[], float] = time.monotonic,
    restart: Callable[[], None] = nothing_to_restart,
    looks: CameraLooks | None = None,
) -> Flask:
    """The application over a hub that somebody feeds. Reads the database and the password in ``paths.state_dir``.

    Raises:
        CredentialsError: the state folder cannot be written (the session key is kept there).
    """
    state_dir = config.paths.state_dir.expanduser()
    credentials = Credentials(state_dir)
    app = Flask(__name__, static_folder=None)
    app.session_interface = CarefulCookies()
    app.config.update(
        SECRET_KEY=credentials.session_key(),
        SESSION_COOKIE_NAME="legpress",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        MAX_CONTENT_LENGTH=LARGEST_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=LARGEST_BODY_BYTES,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    history = History(database_path(state_dir))
    examination, guesses, looks = Examination(config), guesses or GuessLimit(), looks or CameraLooks()
    parts.install(app, Parts(config, hub, history, credentials, guesses, examination, now_utc, looks, restart))
    staff_words.install(app)
    problems.install(app)
    rate_limit.install(app, rate_clock)
    _add_rules(app)
    access.install(app, credentials, config.web.names)
    for views in (kiosk, api, health, login, staff, *STAFF_VIEWS):
        app.register_blueprint(views)
    assets.install(app)
    return app


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
