"""The admin's page of settings: every fault at once, undo, and taking them over when nobody lifts."""

from __future__ import annotations

import types
from http import HTTPStatus
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from flask import Blueprint, redirect, render_template, request, url_for
from pydantic import BaseModel
from werkzeug.wrappers import Response as BaseResponse

from device import settings
from device.config import Config
from device.messages import Command
from device.settings import SettingsError
from web_ui.access import Permission, allow
from web_ui.parts import parts
from web_ui.problems import ProblemError
from web_ui.staff import staff_context
from web_ui.staff_actions import ask_device, check_form, record, role_now

LONGEST_DETAIL = 400

staff_settings = Blueprint("staff_settings", __name__, url_prefix="/staff/settings")
staff_settings.context_processor(staff_context)


def _field_type(key: str) -> Any:
    model: type[BaseModel] = Config
    *path, name = key.split(".")
    for part in path:
        model = model.model_fields[part].annotation  # type: ignore[assignment]  # a section
    return model.model_fields[name].annotation


def _plain(kind: Any) -> Any:
    """Without range and None: what a person types."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return _plain(next(each for each in get_args(kind) if each is not type(None)))
    return kind


def _read(key: str, text: str) -> Any:
    """What was typed, as the key's type; text that is none stays text, for the check to refuse."""
    kind = _plain(_field_type(key))
    if kind is bool:
        return {"true": True, "false": False}.get(text, text)
    if kind in (int, float):
        try:
            return int(text) if kind is int else float(text)
        except ValueError:
            return text
    return text or None


def _choices(key: str) -> list[str]:
    kind = _plain(_field_type(key))
    if kind is bool:
        return ["true", "false"]
    return [str(each) for each in get_args(kind)] if get_origin(kind) is Literal else []


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _page(typed: dict[str, str], faults: list[str], status: HTTPStatus = HTTPStatus.OK) -> tuple[str, int]:
    state_dir = parts().config.paths.state_dir.expanduser()
    kept = settings.versions(state_dir)
    newest = kept[-1] if kept else {}
    defaults = dict(settings.keys(Config()))
    sections: dict[str, list[dict[str, Any]]] = {}
    pending = []
    for key, value in settings.keys(parts().config):
        wanted = newest.get(key, value)
        if wanted != value:
            pending.append(f"{key} = {_shown(wanted)} (now {_shown(value) or 'not set'})")
        section, _, name = key.partition(".")
        row = {"key": key, "name": name, "value": typed.get(key, _shown(wanted)), "choices": _choices(key)}
        row["allowed"] = "" if row["choices"] else settings.allowed(key)
        sections.setdefault(section, []).append({**row, "usual": _shown(defaults[key])})
    page = render_template(
        "staff/settings.html", sections=sections, faults=faults, pending=pending, can_undo=len(kept) > 1
    )
    return page, status.value


@staff_settings.get("")
@allow(Permission.ADMIN)
def page() -> tuple[str, int]:
    return _page({}, [])


@staff_settings.post("")
@allow(Permission.ADMIN)
def save() -> BaseResponse | tuple[str, int]:
    """Keeps what was changed, if all of it is right; else says everything that is not, and keeps nothing."""
    check_form()
    state_dir = parts().config.paths.state_dir.expanduser()
    values = dict(settings.in_force(state_dir))
    typed = {key: request.form[key] for key, _ in settings.keys(parts().config) if key in request.form}
    changed = {}
    for key, value in settings.keys(parts().config):
        if key in typed and _read(key, typed[key]) != values.get(key, value):
            changed[key] = _read(key, typed[key])
    try:
        settings.overlaid(parts().config, {**values, **changed})
    except SettingsError as error:
        return _page(typed, error.lines, HTTPStatus.BAD_REQUEST)
    if changed:
        told = ", ".join(f"{key} = {_shown(value)}" for key, value in changed.items())
        record("changed settings", told[:LONGEST_DETAIL])
        settings.keep(state_dir, {**values, **changed})
    return redirect(url_for(".page"), HTTPStatus.SEE_OTHER.value)


@staff_settings.post("/undo")
@allow(Permission.ADMIN)
def undo() -> BaseResponse:
    """Back to the version before."""
    check_form()
    if not settings.undo(parts().config.paths.state_dir.expanduser()):
        raise ProblemError(HTTPStatus.CONFLICT, "there is nothing to undo")
    record("undid the last change of settings")
    return redirect(url_for(".page"), HTTPStatus.SEE_OTHER.value)


@staff_settings.post("/apply")
@allow(Permission.ADMIN)
def apply() -> BaseResponse:
    """Device and pages start anew with the settings; refused while somebody lifts."""
    check_form()
    record("took the settings over")
    ask_device(Command("restart", who=role_now()))
    parts().restart()
    return redirect(url_for("staff.today"), HTTPStatus.SEE_OTHER.value)
