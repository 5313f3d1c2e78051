"""The files that pages are made of, held in memory: under 200 kB in all, and no path reaches the disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from flask import Flask, Response, request

from web_ui.access import Permission, allow
from web_ui.problems import ProblemError

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    content_type: str
    etag: str


def read_assets(folder: Path) -> dict[str, Asset]:
    """Every file of a known type below `folder`, by its path relative to it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in TYPES:
            content = path.read_bytes()
            name = path.relative_to(folder).as_posix()
            found[name] = Asset(content, TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:16])
    return found


def install(app: Flask) -> None:
    assets = read_assets(STATIC)

    @app.get("/static/<path:name>", endpoint="static")
    @allow(Permission.PUBLIC)
    def _asset(name: str) -> Response:
        asset = assets.get(name)
        if asset is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no file {name!r}")
        response = Response(asset.content, content_type=asset.content_type)
        response.set_etag(asset.etag)
        # asked for anew each time, answered with 304: an update never mixes with an old page
        response.headers["Cache-Control"] = "no-cache"
        response.make_conditional(request)
        return response
