"""The staff's pages that lead through the calibration of the load and of the seat, as the command line does."""

from __future__ import annotations

import threading
import time
from http import HTTPStatus

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from device.calibration_guide import Part, Refused
from device.errors import UserError
from device.load_calibration import HEAVIEST_KG, LIGHTEST_KG
from device.sensor_calibration import SensorCalibration
from web_ui.access import Permission, allow
from web_ui.parts import parts
from web_ui.problems import ProblemError
from web_ui.staff import staff_context
from web_ui.staff_actions import check_form, record
from web_ui.staff_calibration import ask_sensors, refuse_in_a_set

LONGEST_DETAIL = 400
REFUSALS = (Refused, UserError)
"""What cannot be right, and a folder that this user may not write: both are told on the page."""

staff_sensor_calibration = Blueprint("staff_sensor_calibration", __name__, url_prefix="/staff/calibration")
staff_sensor_calibration.context_processor(staff_context)

sleep = time.sleep
_measuring = threading.Lock()
"""One at a time: each holds a thread of the pages for some seconds, and there is one machine."""


def _begun(part: Part, again: bool = False) -> SensorCalibration:
    """What was measured within the last hour is taken up. Raises Refused or BusError."""
    return SensorCalibration(part, ask_sensors, parts().config.paths.state_dir.expanduser(), again=again)


def _page(part: Part, refusal: str | None = None, told: list[str] | None = None) -> tuple[str, int]:
    calibration: SensorCalibration | None = None
    result = None
    try:
        calibration = _begun(part)
        if calibration.steps.next_step() is None:
            result = calibration.result()
    except REFUSALS as error:
        refusal = refusal or str(error)
    page = render_template(
        "staff/calibrate_sensor.html",
        part=part,
        calibration=calibration,
        step=None if calibration is None else calibration.steps.next_step(),
        result=result,
        refusal=refusal,
        told=told or [],
        kg=request.form.get("kg", "")[:12] if refusal else "",
        lightest_kg=LIGHTEST_KG,
        heaviest_kg=HEAVIEST_KG,
    )
    return page, (HTTPStatus.OK if refusal is None else HTTPStatus.CONFLICT).value


@staff_sensor_calibration.get("/<any(load, seat):part>")
@allow(Permission.ADMIN)
def page(part: Part) -> tuple[str, int]:
    return _page(part)


def _typed_kg() -> float | None:
    """What was typed as kg, with a comma or a point; None for what is no number."""
    try:
        return float(request.form.get("kg", "").strip().replace(",", "."))
    except ValueError:
        return None


@staff_sensor_calibration.post("/<any(load, seat):part>/measure")
@allow(Permission.ADMIN)
def measure(part: Part) -> BaseResponse | tuple[str, int]:
    """One step that was done: wait until the machine is at rest, measure, keep or refuse."""
    check_form()
    told: list[str] = []
    if not _measuring.acquire(blocking=False):
        raise ProblemError(HTTPStatus.CONFLICT, "another measurement is under way; wait a few seconds")
    try:
        calibration = _begun(part)
        step = calibration.steps.next_step()
        if step is not None and step.key == request.form.get("step"):  # else the button was pressed twice
            kg = _typed_kg()
            if step.asks_kg:
                if kg is None:
                    raise Refused(f"needs a number from {LIGHTEST_KG:g} to {HEAVIEST_KG:g} kg")
                calibration.steps.check_kg(step, kg)
            refuse_in_a_set()
            sleep(calibration.steps.settles_s + calibration.steps.span_s)
            calibration.take(step, kg, told.append)
    except REFUSALS as refusal:
        return _page(part, str(refusal), told)
    finally:
        _measuring.release()
    return redirect(url_for(".page", part=part), HTTPStatus.SEE_OTHER.value)


@staff_sensor_calibration.post("/<any(load, seat):part>/again")
@allow(Permission.ADMIN)
def again(part: Part) -> BaseResponse | tuple[str, int]:
    """From the first step."""
    check_form()
    try:
        _begun(part, again=True)
    except REFUSALS as refusal:
        return _page(part, str(refusal))
    return redirect(url_for(".page", part=part), HTTPStatus.SEE_OTHER.value)


@staff_sensor_calibration.post("/<any(load, seat):part>/accept")
@allow(Permission.ADMIN)
def accept(part: Part) -> BaseResponse | tuple[str, int]:
    """Put in force what the steps come to."""
    check_form()
    try:
        calibration = _begun(part)
        if calibration.steps.next_step() is not None:
            raise Refused("not every step is done")
        result = calibration.result()
        refuse_in_a_set()
        # before it is in force: the device starts anew with it, and takes nothing down for a moment
        record(f"calibrated the {part}", " ".join(result.told)[:LONGEST_DETAIL])
        calibration.accept(result)
    except REFUSALS as refusal:
        return _page(part, str(refusal))
    return redirect(url_for("staff_calibration.page"), HTTPStatus.SEE_OTHER.value)
