"""The staff's page that calibrates a camera: its picture, the points that a person clicks, the fit, and keeping it.

The page's script asks the routes below; they answer JSON, and refusals as problem+json with a sentence.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request

from device.bus import BusError
from device.calibration_guide import Refused
from web_ui.access import Permission, allow
from web_ui.camera_points import POINTS
from web_ui.parts import parts
from web_ui.problems import ProblemError, problem_response
from web_ui.staff import staff_context
from web_ui.staff_actions import check_form, record
from web_ui.staff_calibration import known_camera, refuse_in_a_set

FIT_ID = re.compile(r"[0-9a-f]{8}")
FAMILY = re.compile(r"[a-z]{1,20}")
LIFTING = ("lifting", "enrolment")
NOT_KEPT = {"Cache-Control": "no-store"}

staff_camera_calibration = Blueprint(
    "staff_camera_calibration", __name__, url_prefix="/staff/calibration/camera/<name>"
)
staff_camera_calibration.context_processor(staff_context)


def for_script(view: Callable[[str], Response]) -> Callable[[str], Response]:
    """A route that the page's script asks: whatever is wrong, it gets a sentence that it can show."""

    @functools.wraps(view)
    def answered(name: str) -> Response:
        try:
            if request.method == "POST":
                check_form()
            return view(known_camera(name))
        except ProblemError as error:
            return problem_response(error.status, error.detail, error.headers)
        except Refused as error:
            return problem_response(HTTPStatus.CONFLICT, str(error))
        except BusError as error:
            return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    return answered


def _somebody_lifts() -> bool:
    latest = parts().hub.latest()
    return latest is not None and latest.state.phase in LIFTING


def _answer(found: dict[str, Any]) -> Response:
    response = jsonify(found)
    response.headers.update(NOT_KEPT)
    return response


@staff_camera_calibration.get("")
@allow(Permission.ADMIN)
def page(name: str) -> tuple[str, int]:
    known_camera(name)
    about: dict[str, Any] | None = None
    problem = None
    try:
        about = parts().looks.ask(f"about {name}")
    except (BusError, Refused) as error:
        problem = str(error)
    status = HTTPStatus.OK if problem is None else HTTPStatus.SERVICE_UNAVAILABLE
    page = render_template("staff/calibrate_camera.html", name=name, about=about, problem=problem, words=POINTS)
    return page, status.value


@staff_camera_calibration.post("/preview")
@allow(Permission.ADMIN)
@for_script
def preview(name: str) -> Response:
    """Begin to look through the camera: announced at the machine, over by itself; not at somebody who lifts."""
    refuse_in_a_set()
    record("looked through a camera", name)
    return _answer(parts().looks.ask(f"preview {name}"))


@staff_camera_calibration.post("/hide")
@allow(Permission.ADMIN)
@for_script
def hide(name: str) -> Response:
    """End it."""
    return _answer(parts().looks.ask(f"hide {name}"))


@staff_camera_calibration.get("/picture")
@allow(Permission.ADMIN)
@for_script
def picture(name: str) -> Response:
    """The newest picture while a preview lasts; 204 while it is only being announced. Nothing of it is kept.

    Once somebody lifts, it is over.
    """
    if _somebody_lifts():
        parts().looks.ask(f"hide {name}")
        raise Refused("somebody lifts now: the picture is hidden; show it again after the set")
    found = parts().looks.ask(f"picture {name}")
    headers = {**NOT_KEPT, "X-Preview-Left": str(found["left_s"])}
    if found["jpeg"] is None:
        return Response(status=HTTPStatus.NO_CONTENT.value, headers=headers)
    return Response(base64.b64decode(found["jpeg"]), headers=headers, content_type="image/jpeg")


@staff_camera_calibration.post("/stickers")
@allow(Permission.ADMIN)
@for_script
def stickers(name: str) -> Response:
    """One look at the stickers; the vision process remembers the last ones for the fit."""
    refuse_in_a_set()
    family = request.form.get("family", "")
    if FAMILY.fullmatch(family) is None:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"family is {family[:20]!r}; allowed: aruco, apriltag")
    return _answer(parts().looks.ask(f"stickers {name} {family}"))


@staff_camera_calibration.post("/fit")
@allow(Permission.ADMIN)
@for_script
def fit(name: str) -> Response:
    """What the points or the stickers come to; nothing changes."""
    try:
        wish = json.loads(request.form.get("wish", ""))
    except (ValueError, RecursionError):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "a fit is asked for with a JSON object in wish") from None
    refuse_in_a_set()
    return _answer(parts().looks.ask(f"fit {name} {json.dumps(wish)}"))


@staff_camera_calibration.post("/keep")
@allow(Permission.ADMIN)
@for_script
def keep(name: str) -> Response:
    """Put in force exactly what was shown."""
    wanted = request.form.get("fit", "")
    if FIT_ID.fullmatch(wanted) is None:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "fit is not the id of a fit")
    refuse_in_a_set()
    kept = parts().looks.ask(f"keep {name} {wanted}")
    record("calibrated a camera", name)
    return _answer(kept)
