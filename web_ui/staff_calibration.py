"""The staff's page of calibrations: what is in force, since when, and the ways to make one anew or to go back."""

from __future__ import annotations

import contextlib
import json
from http import HTTPStatus
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from device import sensor_calibration
from device.bus import BusError
from device.calibration_guide import Part, Refused, answer_of
from device.messages import Command
from web_ui.access import Permission, allow
from web_ui.parts import parts
from web_ui.problems import ProblemError
from web_ui.staff import staff_context
from web_ui.staff_actions import check_form, record, role_now

staff_calibration = Blueprint("staff_calibration", __name__, url_prefix="/staff/calibration")
staff_calibration.context_processor(staff_context)


def ask_sensors(wish: dict[str, Any]) -> dict[str, Any]:
    """The device's answer to a ``calibrate`` wish. Raises Refused or BusError."""
    shows = wish.get("do") == "show"
    command = Command("calibrate", json.dumps(wish), target="show" if shows else None, who=role_now())
    if shows:
        # a device that has just taken up a calibration opens its socket anew: what was sent to the old one is lost
        with contextlib.suppress(BusError):
            return answer_of(parts().hub.send(command), command.name)
    return answer_of(parts().hub.send(command), command.name)


def refuse_in_a_set() -> None:
    """Raises Refused while somebody lifts, for a camera that starts anew judges nothing."""
    ask_sensors({"part": "camera", "do": "free"})


def camera_names() -> list[str]:
    return [camera.name for camera in parts().config.cameras]


def known_camera(name: str) -> str:
    """Raises ProblemError (404) for a camera that the configuration does not name."""
    if name not in camera_names():
        raise ProblemError(
            HTTPStatus.NOT_FOUND, f"there is no camera {name[:40]!r}: it has {', '.join(camera_names())}"
        )
    return name


def _sensor_row(part: Part) -> dict[str, Any]:
    row: dict[str, Any] = {"part": part, "title": {"load": "Load", "seat": "Seat"}[part], "problem": None}
    try:
        shown = ask_sensors({"part": part, "do": "show"})
    except (BusError, Refused) as error:
        return row | {"problem": str(error)}
    why_not = shown["unneeded"] or shown["fixed"]
    named = sensor_calibration.STEPS[part].named
    return row | {
        "figures": "what the configuration file says" if shown["fixed"] else named(shown["now"]),
        "state": _state(shown),
        "made_utc": None if shown["now"] is None else shown["now"]["made_utc"],
        "why_not": why_not,
        "before": named(shown["before"]),
        "undoable": why_not is None and (shown["now"] is not None or shown["before"] is not None),
    }


def _state(shown: dict[str, Any]) -> str:
    if shown["unneeded"] is not None:
        return "not needed"
    if shown["fixed"] is not None:
        return "from the file"
    return "not calibrated" if shown["now"] is None else "calibrated"


def _camera_rows() -> list[dict[str, Any]]:
    """Of every camera; once the vision process does not answer, no further one waits for it."""
    rows, problem = [], None
    for name in camera_names():
        row: dict[str, Any] = {"name": name, "problem": problem}
        if problem is None:
            try:
                about = parts().looks.ask(f"about {name}")
                row |= {"now": about["now"], "undoable": about["before"], "left_s": about["left_s"]}
            except (BusError, Refused) as error:
                problem = row["problem"] = str(error)
        rows.append(row)
    return rows


@staff_calibration.get("")
@allow(Permission.STAFF)
def page() -> str:
    return _page()


def _page(refusal: str | None = None) -> str:
    sensors = [_sensor_row("load"), _sensor_row("seat")]
    return render_template("staff/calibration.html", sensors=sensors, cameras=_camera_rows(), refusal=refusal)


@staff_calibration.post("/<any(load, seat):part>/undo")
@allow(Permission.ADMIN)
def undo_sensor(part: Part) -> BaseResponse | tuple[str, int]:
    """Back to the calibration before."""
    check_form()
    try:
        ask_sensors({"part": "camera", "do": "free"})  # nothing is written down that a set forbids
        record(f"took back the calibration of the {part}")
        sensor_calibration.undo(part, ask_sensors)
    except Refused as refusal:
        return _page(str(refusal)), HTTPStatus.CONFLICT
    return redirect(url_for(".page"), HTTPStatus.SEE_OTHER.value)


@staff_calibration.post("/camera/<name>/undo")
@allow(Permission.ADMIN)
def undo_camera(name: str) -> BaseResponse | tuple[str, int]:
    """Back to the calibration before."""
    check_form()
    known_camera(name)
    try:
        refuse_in_a_set()
        parts().looks.ask(f"undo {name}")
    except Refused as refusal:
        return _page(str(refusal)), HTTPStatus.CONFLICT
    record("took back the calibration of a camera", name)
    return redirect(url_for(".page"), HTTPStatus.SEE_OTHER.value)
