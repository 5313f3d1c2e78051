"""What every change by staff goes through: the form is ours, the device does it, the audit log has it."""

from __future__ import annotations

from http import HTTPStatus

from flask import request

from device.messages import Command
from web_ui.credentials import Role
from web_ui.parts import parts
from web_ui.problems import ProblemError
from web_ui.session import form_is_ours, role_signed_in


def role_now() -> Role:
    """The role of this request; the route's permission has made sure that there is one."""
    return role_signed_in(parts().credentials) or "staff"


def check_form() -> None:
    """Raises ProblemError (403) for a form that no page of this session has sent."""
    if not form_is_ours(request.form.get("form_token")):
        raise ProblemError(HTTPStatus.FORBIDDEN, "the page was open for too long; load it again")


def ask_device(command: Command) -> None:
    """Has the device do it. Raises ProblemError (409) with its reason when it refuses."""
    reply = parts().hub.send(command)
    if not reply.ok:
        raise ProblemError(HTTPStatus.CONFLICT, reply.error or "the device refused, without a reason")


def record(what: str, detail: str = "") -> None:
    """Into the audit log, under the role that is signed in."""
    ask_device(Command("audit", detail, target=what, who=role_now()))
