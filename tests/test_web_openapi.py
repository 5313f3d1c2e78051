"""The API against its own description: schemathesis asks whatever the document allows, and then some."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from staff_history import make_week_machine
from web_machine import make_open_machine

from web_ui.access import Permission, permission_of
from web_ui.credentials import add_token
from web_ui.openapi import document

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
TOKEN: dict[str, str] = {}


@pytest.fixture(name="described", scope="module")
def schema_of_a_machine(tmp_path_factory: pytest.TempPathFactory) -> schemathesis.schemas.BaseSchema:
    """Of a machine with a week behind it; state and device answer."""
    state_dir = tmp_path_factory.mktemp("state")
    machine = make_week_machine(state_dir)
    machine.hub.clock = lambda: 1000.0
    TOKEN["Authorization"] = f"Bearer {add_token(state_dir, 'schemathesis')}"
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", machine.app, headers=TOKEN)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (path, method)
        for path, methods in document()["paths"].items()
        for method in methods
        if path != "/api/v1/live"  # it never ends
    ],
)
def test_no_request_brings_an_undocumented_answer_or_a_fault_of_the_program(
    described: schemathesis.schemas.BaseSchema, path: str, method: str
) -> None:
    asked = 0

    @given(case=described[path][method].as_strategy())
    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def ask(case: schemathesis.Case) -> None:
        nonlocal asked
        asked += 1
        case.call_and_validate(headers=TOKEN, checks=CHECKS)  # raises every failed check

    ask()
    assert asked > 0


def test_the_description_names_every_route_of_the_api_and_no_other(tmp_path: Path) -> None:
    app = make_open_machine(tmp_path).app
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }
    assert {(path, method) for path, methods in document()["paths"].items() for method in methods} == routes
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/"):
            assert permission_of(app.view_functions[rule.endpoint]) in (Permission.API, Permission.KIOSK), rule.rule


def test_the_document_needs_staff_or_a_token(tmp_path: Path) -> None:
    machine = make_open_machine(tmp_path)
    assert machine.stranger().get("/api/v1/openapi.json").status_code == 401
    assert machine.staff().get("/api/v1/openapi.json").json["openapi"] == "3.1.0"
