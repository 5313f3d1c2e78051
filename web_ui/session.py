"""The signed-in session of staff: a signed cookie that ends by time, by sign-out and with the password."""

from __future__ import annotations

import hmac
import secrets
import time

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface

from web_ui.credentials import ROLES, Credentials, Role
from web_ui.origin import host_is_loopback


class CarefulCookies(SecureCookieSessionInterface):
    """Secure except on the machine itself, which has no TLS and needs none."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return not host_is_loopback(request)


def sign_in(credentials: Credentials, role: Role, hours: float) -> None:
    session.clear()
    session["role"] = role
    session["until_s"] = time.time() + hours * 3600
    session["generation"] = credentials.generation(role)
    session["form"] = secrets.token_urlsafe(16)


def role_signed_in(credentials: Credentials) -> Role | None:
    """The role of this request's session; None when there is none in force."""
    until_s, generation = session.get("until_s"), session.get("generation")
    role = next((each for each in ROLES if each == session.get("role")), None)
    if role is None or not isinstance(until_s, int | float) or not isinstance(generation, str):
        return None
    current = credentials.generation(role)
    in_force = bool(current) and time.time() < until_s and hmac.compare_digest(generation, current)
    return role if in_force else None


def form_token() -> str:
    """The token that a form of this session must carry (against cross-site forms); made when first asked for."""
    if not isinstance(session.get("form"), str):
        session["form"] = secrets.token_urlsafe(16)
    return str(session["form"])


def form_is_ours(offered: str | None) -> bool:
    expected = session.get("form")
    return isinstance(expected, str) and offered is not None and hmac.compare_digest(expected, offered)
