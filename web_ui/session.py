"""The signed-in session of staff: a signed cookie that ends by time, by sign-out and with the password."""

from __future__ import annotations

import hmac
import secrets
import time

from flask import Flask, Request, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import BadSignature

from web_ui.credentials import ROLES, Credentials, Role
from web_ui.origin import host_is_loopback

CLOCK_SET_BACK_S = 2 * 3600.0
"""A session that began in the future by no more than this is one from before somebody set the clock (ours)."""


class CarefulCookies(SecureCookieSessionInterface):
    """Secure except on the machine itself, which has no TLS and needs none."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """As Flask's, but for the age of the signature: it would sign out everybody whenever the clock is set back.
        ``role_signed_in`` looks at the times."""
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            return None
        try:
            return self.session_class(serializer.loads(request.cookies.get(self.get_cookie_name(app), "")))
        except BadSignature:
            return self.session_class()

    def get_cookie_secure(self, app: Flask) -> bool:
        return not host_is_loopback(request)


def sign_in(credentials: Credentials, role: Role, hours: float) -> None:
    session.clear()
    session["role"] = role
    session["since_s"] = time.time()
    session["until_s"] = session["since_s"] + hours * 3600
    session["generation"] = credentials.generation(role)
    session["form"] = secrets.token_urlsafe(16)


def role_signed_in(credentials: Credentials) -> Role | None:
    """The role of this request's session; None when there is none in force."""
    since_s, until_s, generation = session.get("since_s"), session.get("until_s"), session.get("generation")
    role = next((each for each in ROLES if each == session.get("role")), None)
    if not (isinstance(since_s, int | float) and isinstance(until_s, int | float) and isinstance(generation, str)):
        return None
    if role is None or not since_s - CLOCK_SET_BACK_S < time.time() < until_s:
        return None
    current = credentials.generation(role)
    return role if current and hmac.compare_digest(generation, current) else None


def form_token() -> str:
    """The token that a form of this session must carry (against cross-site forms); made when first asked for."""
    if not isinstance(session.get("form"), str):
        session["form"] = secrets.token_urlsafe(16)
    return str(session["form"])


def form_is_ours(offered: str | None) -> bool:
    expected = session.get("form")
    return isinstance(expected, str) and offered is not None and hmac.compare_digest(expected, offered)
