"""The staff's page of the machine: every part as ``legpress doctor`` finds it, live; calls and out of order."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from device.messages import Command
from web_ui.access import Permission, allow
from web_ui.parts import parts
from web_ui.problems import ProblemError
from web_ui.staff import machine_now, staff_context
from web_ui.staff_actions import ask_device, check_form, record, role_now

ACTIONS = {
    "cancel": "answered a call",
    "out_of_order": "took the machine out of order",
    "in_order": "put the machine back in order",
}

staff_machine = Blueprint("staff_machine", __name__, url_prefix="/staff")
staff_machine.context_processor(staff_context)


@staff_machine.get("/machine")
@staff_machine.get("/health")
@allow(Permission.STAFF)
def page() -> str:
    """Every part of the machine, with figures and what to do."""
    return render_template("staff/machine.html", sensors=parts().hub.parts(), **machine_now())


@staff_machine.get("/health/now")
@allow(Permission.STAFF)
def now() -> str:
    """The panel of what needs somebody alone, fetched again every few seconds."""
    return render_template("staff/health.html", **machine_now())


@staff_machine.get("/health/findings")
@allow(Permission.STAFF)
def findings() -> str:
    """The table of every part alone, likewise."""
    return render_template("staff/findings.html", **machine_now())


@staff_machine.get("/machine/sensors")
@allow(Permission.STAFF)
def sensors() -> str:
    """The table of sensors alone, likewise."""
    return render_template("staff/sensors.html", sensors=parts().hub.parts())


@staff_machine.post("/machine")
@allow(Permission.STAFF)
def machine() -> BaseResponse:
    """Answers a member's call, or takes the machine out of order and back."""
    wanted = request.form.get("help", "")
    check_form()
    if wanted not in ACTIONS:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"help is {wanted!r}; allowed: {', '.join(ACTIONS)}")
    ask_device(Command(name="help", value=wanted, who=role_now()))
    record(ACTIONS[wanted])
    return redirect(url_for("staff.today"), HTTPStatus.SEE_OTHER.value)
