"""The staff's page on how right the alerts were: what to judge next, and precision over time."""

from __future__ import annotations

from flask import Blueprint, render_template

from web_ui.access import Permission, allow
from web_ui.parts import parts
from web_ui.staff import staff_context
from web_ui.trends import VERDICTS, precision, to_review

QUEUE = 12

staff_review = Blueprint("staff_review", __name__, url_prefix="/staff/review")
staff_review.context_processor(staff_context)


@staff_review.get("")
@allow(Permission.STAFF)
def page() -> str:
    history, now = parts().history, parts().now_utc()
    judged = precision(history, now)
    return render_template(
        "staff/review.html",
        queue=to_review(history, QUEUE),
        by_kind=judged["kind"],
        by_week=judged["week"],
        reviews=VERDICTS,
    )
