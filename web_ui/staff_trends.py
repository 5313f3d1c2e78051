"""The staff's page of trends: plots by plotly, served from this machine, and the same figures as CSV."""

from __future__ import annotations

import csv
import functools
import gzip
import importlib.util
import io
from http import HTTPStatus
from pathlib import Path

from flask import Blueprint, Response, make_response, render_template, request

from web_ui.access import Permission, allow
from web_ui.api import read_trend
from web_ui.parts import parts
from web_ui.problems import ProblemError
from web_ui.staff import staff_context
from web_ui.trends import faults_by, reps_by

PLOTTING_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""As every page's, but that a plot may be turned into a picture to save: plotly draws it from a blob."""

staff_trends = Blueprint("staff_trends", __name__, url_prefix="/staff")
staff_trends.context_processor(staff_context)


@functools.cache
def plotly_script() -> bytes:
    """plotly.min.js of the installed package, compressed: 1.5 MB instead of 4.8."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise ProblemError(HTTPStatus.NOT_FOUND, "plotly is not installed; install the product again")
    path = Path(next(iter(spec.submodule_search_locations))) / "package_data" / "plotly.min.js"
    return gzip.compress(path.read_bytes(), 6, mtime=0)


@staff_trends.get("/trends")
@allow(Permission.STAFF)
def page() -> Response:
    response = make_response(render_template("staff/trends.html", wanted=read_trend()))
    response.headers["Content-Security-Policy"] = PLOTTING_POLICY
    return response


@staff_trends.get("/plotly.js")
@allow(Permission.STAFF)
def plotly() -> Response:
    packed = plotly_script()
    headers = {"Cache-Control": "private, max-age=604800", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        packed = gzip.decompress(packed)
    return Response(packed, content_type="text/javascript; charset=utf-8", headers=headers)


@staff_trends.get("/trends.csv")
@allow(Permission.STAFF)
def as_csv() -> Response:
    """One line a key: sets, reps by verdict, alerts by kind."""
    wanted, history, now = read_trend(), parts().history, parts().now_utc()
    rows = {row["key"]: dict(row) for row in reps_by(history, wanted, now)}
    faults = faults_by(history, wanted, now)
    kinds = sorted({row["kind"] for row in faults})
    for row in faults:
        rows.setdefault(row["key"], {"key": row["key"]})[row["kind"]] = row["alerts"]
    text = io.StringIO()
    columns = ["key", "sets", "reps", "good", "fault", "uncertain", *kinds]
    writer = csv.DictWriter(text, columns, restval=0, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows.values())
    headers = {"Content-Disposition": f'attachment; filename="legpress-trend-by-{wanted.by}.csv"'}
    return Response(text.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)
