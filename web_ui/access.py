"""Who may use which route: declared once, beside each route; what is not declared is refused."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Flask, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from web_ui.credentials import Credentials
from web_ui.origin import host_is_loopback, host_name, is_from_machine, is_same_origin
from web_ui.problems import ProblemError
from web_ui.session import role_signed_in

View = TypeVar("View", bound=Callable[..., Any])


class Permission(enum.Enum):
    PUBLIC = "anyone: the login page and the files that pages are made of"
    KIOSK = "the machine's own screen: loopback, same origin, no login"
    PROBE = "the machine itself, staff, or an API token"
    API = "a signed-in member of staff, or for reading an API token"
    STAFF = "a signed-in member of staff or admin"
    ADMIN = "a signed-in admin"


READING = ("GET", "HEAD")
_DECLARED = "_legpress_permission"


def allow(permission: Permission) -> Callable[[View], View]:
    """Declares who may use a view function."""

    def declare(view: View) -> View:
        setattr(view, _DECLARED, permission)
        return view

    return declare


def permission_of(view: Callable[..., Any] | None) -> Permission | None:
    return getattr(view, _DECLARED, None)


def install(app: Flask, credentials: Credentials, names: Collection[str] = ()) -> None:
    """Checks every request against its route's permission before the view runs.

    Only a loopback name and `names` are answered to: a foreign page whose name was made to resolve to this machine
    (DNS rebinding) comes with its own.
    """
    known = {name.lower() for name in names}

    @app.before_request
    def _check() -> BaseResponse | None:
        if not host_is_loopback(request) and host_name(request) not in known:
            raise ProblemError(
                HTTPStatus.MISDIRECTED_REQUEST, "this machine does not go by that name; see web.names in its settings"
            )
        if request.endpoint is None:
            return None  # no such route: answered with 404 or 405
        permission = permission_of(app.view_functions.get(request.endpoint))
        if permission is None:
            raise ProblemError(HTTPStatus.FORBIDDEN, "nobody is declared to be allowed here")
        if permission is Permission.KIOSK:
            _refuse_all_but_kiosk()
        elif permission is Permission.PUBLIC or (permission is Permission.PROBE and is_from_machine(request)):
            return None
        else:
            return _refuse_strangers(credentials, permission)
        return None


def _refuse_all_but_kiosk() -> None:
    if not is_from_machine(request):
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "this is only for the screen on the machine itself (loopback address and name)"
        )
    if request.path != "/" and not is_same_origin(request):
        raise ProblemError(HTTPStatus.FORBIDDEN, "a page of another site may not ask this")


def _refuse_strangers(credentials: Credentials, permission: Permission) -> BaseResponse | None:
    """None for who may; a page's visitor is led to the login."""
    if permission in (Permission.PROBE, Permission.API) and _reads_with_token(credentials):
        return None
    role = role_signed_in(credentials)
    if role is None:
        if request.path.startswith("/staff") and request.method in READING:
            return redirect(url_for("login.form"))
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "sign in at /staff, or send an API token as 'Authorization: Bearer TOKEN'",
            {"WWW-Authenticate": "Bearer"},
        )
    if permission is Permission.ADMIN and role != "admin":
        raise ProblemError(HTTPStatus.FORBIDDEN, "only an admin may do this; sign in with the admin's password")
    if request.method not in READING and not is_same_origin(request):
        raise ProblemError(HTTPStatus.FORBIDDEN, "a page of another site may not ask this")
    return None


def _reads_with_token(credentials: Credentials) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and request.method in READING and credentials.knows_token(token)
