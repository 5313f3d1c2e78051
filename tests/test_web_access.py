"""Who may use what: every route declares it, and what is not declared is refused."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from web_machine import WebMachine, form_token, make_machine, make_open_machine

from web_ui.access import Permission, permission_of
from web_ui.credentials import add_token

KIOSK_ROUTES = {
    "/",
    "/api/v1/state",
    "/api/v1/live",
    "/api/v1/goal",
    "/api/v1/acknowledge",
    "/api/v1/tag",
    "/api/v1/help",
    "/kiosk/house-rules.svg",
}
API_ROUTES = {
    "/metrics",
    "/api/v1/openapi.json",
    "/api/v1/sets",
    "/api/v1/sets/<set_id>",
    "/api/v1/sets/<set_id>/motions",
    "/api/v1/alerts",
    "/api/v1/alerts/<alert_id>",
    "/api/v1/alerts/<alert_id>/replay",
    "/api/v1/alerts/<alert_id>/good-rep",
    "/api/v1/members",
    "/api/v1/members/<tag>",
    "/api/v1/trends",
    "/api/v1/precision",
    "/api/v1/export/<kind>.<form>",
}
ADMIN_ROUTES = {
    "/staff/audit",
    "/staff/tokens",
    "/staff/tokens/<name>/end",
    "/staff/settings",
    "/staff/settings/undo",
    "/staff/settings/apply",
    "/staff/backups",
    "/staff/backups/now",
    "/staff/backups/<name>",
    "/staff/backups/<name>/restore",
    "/staff/calibration/<any(load, seat):part>",
    "/staff/calibration/<any(load, seat):part>/again",
    "/staff/calibration/<any(load, seat):part>/measure",
    "/staff/calibration/<any(load, seat):part>/accept",
    "/staff/calibration/<any(load, seat):part>/undo",
    "/staff/calibration/camera/<name>",
    "/staff/calibration/camera/<name>/preview",
    "/staff/calibration/camera/<name>/hide",
    "/staff/calibration/camera/<name>/picture",
    "/staff/calibration/camera/<name>/stickers",
    "/staff/calibration/camera/<name>/fit",
    "/staff/calibration/camera/<name>/keep",
    "/staff/calibration/camera/<name>/undo",
}
STAFF_ROUTES = {
    "/staff",
    "/staff/logout",
    "/staff/health",
    "/staff/health/now",
    "/staff/health/findings",
    "/staff/machine",
    "/staff/machine/sensors",
    "/staff/sets",
    "/staff/sets/<set_id>",
    "/staff/alerts",
    "/staff/alerts/<alert_id>",
    "/staff/alerts/<alert_id>/review",
    "/staff/review",
    "/staff/trends",
    "/staff/trends.csv",
    "/staff/plotly.js",
    "/staff/members",
    "/staff/members/<tag>",
    "/staff/members/<tag>/delete",
    "/staff/calibration",
    "/staff/data",
    "/staff/export",
}
PUBLIC_ROUTES = {"/staff/login", "/static/<path:name>"}


@pytest.fixture(name="machine")
def running(tmp_path: Path) -> WebMachine:
    # a minute between any two requests: there are more routes than a client may ask at once
    machine = make_open_machine(tmp_path, rate_clock=count(0.0, 60.0).__next__)
    machine.publish()
    return machine


def routes(machine: WebMachine) -> list[tuple[str, str, Permission | None]]:
    """(path, method, permission) of every route there is."""
    return [
        (rule.rule, method, permission_of(machine.app.view_functions[rule.endpoint]))
        for rule in machine.app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def test_every_route_declares_its_permission_as_the_contract_says(machine: WebMachine) -> None:
    declared = {
        Permission.KIOSK: KIOSK_ROUTES,
        Permission.PUBLIC: PUBLIC_ROUTES,
        Permission.PROBE: {"/healthz"},
        Permission.API: API_ROUTES,
        Permission.STAFF: STAFF_ROUTES,
        Permission.ADMIN: ADMIN_ROUTES,
    }
    assert {(path, permission) for path, _, permission in routes(machine)} == {
        (path, permission) for permission, paths in declared.items() for path in paths
    }


def address_of(path: str) -> str:
    names = (("<path:name>", "kiosk.css"), ("<set_id>", "x"), ("<alert_id>", "x"), ("<tag>", "x"), ("<name>", "x"))
    for name, value in (*names, ("<kind>.<form>", "sets.csv"), ("<any(load, seat):part>", "load")):
        path = path.replace(name, value)
    return path


def test_staff_reach_all_but_what_is_the_admins(machine: WebMachine) -> None:
    clients = {"staff": machine.staff(), "admin": machine.admin()}
    token = form_token(clients["staff"].get("/staff").text)
    for path, method, permission in routes(machine):
        if permission not in (Permission.STAFF, Permission.ADMIN, Permission.API) or path == "/staff/logout":
            continue
        for role, client in clients.items():
            form = {"form_token": token} if method == "POST" else None
            answer = client.open(address_of(path), method=method, data=form)
            refused = answer.status_code == 403 and "only an admin" in answer.text
            assert refused == (permission is Permission.ADMIN and role == "staff"), (path, role)


def test_a_token_opens_the_api_and_no_page(machine: WebMachine, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {add_token(tmp_path, 'display')}"}
    for path, method, permission in routes(machine):
        answer = machine.stranger().open(address_of(path), method=method, headers=headers)
        if permission is Permission.API:
            assert answer.status_code in (200, 404), path
        elif permission in (Permission.STAFF, Permission.ADMIN):
            assert answer.status_code in (302, 401), path


def test_a_stranger_reaches_nothing_but_the_login_and_the_pages_files(machine: WebMachine) -> None:
    client = machine.stranger()
    for path, method, permission in routes(machine):
        address = address_of(path)
        answer = client.open(address, method=method)
        if permission is Permission.PUBLIC:
            assert answer.status_code in (200, 403), address  # 403: a login form without its token
        elif permission is Permission.KIOSK:
            assert answer.status_code == 403, address
        elif path.startswith("/staff") and method == "GET":
            assert (answer.status_code, answer.headers["Location"]) == (302, "/staff/login"), address
        else:
            assert answer.status_code == 401, address


def test_a_view_that_declares_nothing_is_refused(tmp_path: Path) -> None:
    machine = make_machine(tmp_path)
    machine.app.add_url_rule("/api/v1/forgotten", view_func=lambda: "secret")
    answer = machine.kiosk().get("/api/v1/forgotten")
    assert answer.status_code == 403
    assert answer.json["detail"] == "nobody is declared to be allowed here"


@pytest.mark.parametrize("path", sorted(KIOSK_ROUTES - {"/", "/api/v1/live", "/kiosk/house-rules.svg"}))
def test_the_kiosks_calls_are_refused_to_pages_of_other_sites(machine: WebMachine, path: str) -> None:
    method = "GET" if path == "/api/v1/state" else "POST"
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = machine.kiosk().open(path, method=method, headers=headers, json={} if method == "POST" else None)
        assert answer.status_code == 403, headers
        assert answer.content_type == "application/problem+json"
    assert machine.device.commands == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "legpress.lan:8080"},
        {"X-Forwarded-For": "192.168.1.20"},
        {"Forwarded": "for=192.168.1.20"},
    ],
)
def test_the_kiosk_is_refused_under_the_networks_name_or_through_a_proxy(
    machine: WebMachine, headers: dict[str, str]
) -> None:
    answer = machine.kiosk().get("/api/v1/state", headers=headers)
    assert answer.status_code == 403
    assert answer.json["detail"] == "this is only for the screen on the machine itself (loopback address and name)"


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "localhost:8080", "[::1]:8080"])
def test_the_kiosk_answers_under_every_name_of_the_loopback(machine: WebMachine, host: str) -> None:
    assert machine.kiosk().get("/api/v1/state", headers={"Host": host}).status_code == 200


def test_an_api_token_reads_and_never_writes(machine: WebMachine, tmp_path: Path) -> None:
    token = add_token(tmp_path, "display")
    headers = {"Authorization": f"Bearer {token}"}
    assert machine.stranger().get("/healthz", headers=headers).status_code == 200
    assert machine.stranger().get("/metrics", headers=headers).status_code == 200
    assert machine.stranger().post("/staff/machine", headers=headers).status_code == 401
    assert machine.stranger().get("/metrics", headers={"Authorization": f"Bearer {token}x"}).status_code == 401
    assert machine.stranger().get("/api/v1/state", headers=headers).status_code == 403


def test_a_probe_on_the_machine_needs_no_login(machine: WebMachine) -> None:
    assert machine.kiosk().get("/healthz").status_code == 200
    assert machine.stranger().get("/healthz").status_code == 401


def test_staff_may_not_be_made_to_act_by_another_site(machine: WebMachine) -> None:
    client = machine.staff()
    token = form_token(client.get("/staff/health").text)
    form = {"form_token": token, "help": "out_of_order"}
    assert client.post("/staff/machine", data=form, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post("/staff/machine", data={"help": "out_of_order"}).status_code == 403
    assert machine.device.commands == []
    assert client.post("/staff/machine", data=form).status_code == 303
    assert [(each.name, each.value, each.target, each.who) for each in machine.device.commands] == [
        ("help", "out_of_order", None, "staff"),
        ("audit", "", "took the machine out of order", "staff"),
    ]


def test_every_answer_forbids_inline_scripts_framing_and_sniffing(machine: WebMachine) -> None:
    for path in ("/", "/staff/login", "/static/kiosk.js", "/api/v1/state", "/nowhere"):
        headers = machine.kiosk().get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_path_out_of_the_static_folder_is_not_served(machine: WebMachine) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/lang/../../app.py"):
        assert machine.kiosk().get(path, follow_redirects=True).status_code == 404
