"""The staff's pages on members: tags, what is recalled of each, and deleting everything of one."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from device.messages import Command
from web_ui.access import Permission, allow
from web_ui.api import found, read_limit, refuse_unknown
from web_ui.history import Filter
from web_ui.members import members, one_member
from web_ui.parts import parts
from web_ui.staff import staff_context
from web_ui.staff_actions import ask_device, check_form, role_now

LATEST_SETS = 10

staff_members = Blueprint("staff_members", __name__, url_prefix="/staff/members")
staff_members.context_processor(staff_context)


@staff_members.get("")
@allow(Permission.STAFF)
def page() -> str:
    refuse_unknown("member", "limit", "cursor")
    wanted = request.args.get("member") or None
    listed = members(parts().history, read_limit(), request.args.get("cursor") or None, wanted)
    more = None
    if listed.next_cursor is not None:
        more = f"{request.path}?{urlencode({'member': wanted or '', 'cursor': listed.next_cursor})}"
    return render_template("staff/members.html", page=listed, more=more)


@staff_members.get("/<tag>")
@allow(Permission.STAFF)
def one(tag: str) -> str:
    known = found(one_member(parts().history, tag), "member", tag)
    sets = parts().history.sets(Filter(member=tag), LATEST_SETS).items
    return render_template("staff/member.html", member=known, sets=sets)


@staff_members.post("/<tag>/delete")
@allow(Permission.STAFF)
def delete(tag: str) -> BaseResponse:
    """Everything of this member: neutrals, sets, reps, alerts, replays."""
    check_form()
    ask_device(Command("delete_member", tag, who=role_now()))
    return redirect(url_for(".page"), HTTPStatus.SEE_OTHER.value)
