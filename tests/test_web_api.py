"""Sets, alerts and replays over the API and on the staff's pages."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kiosk_scenes import IDLE, LIFTING, SCENES
from store_samples import ALERT, REP, REPLAY, SET, later, many_sets
from web_machine import WebMachine, make_machine, make_open_machine

from device.messages import CameraStatus
from device.store.writer import StoreWriter
from web_ui.credentials import set_password


@pytest.fixture(autouse=True)
def east_of_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine stands two hours ahead of UTC."""
    monkeypatch.setenv("TZ", "<+02>-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def write_all(store: StoreWriter) -> None:
    while store.pending():
        assert store.work_once() is None


@pytest.fixture(name="machine")
def with_history(tmp_path: Path) -> WebMachine:
    """Seven sets of one rep; the last one with a fault and its replay."""
    machine = make_open_machine(tmp_path)
    store = machine.store()
    for record in many_sets(7):
        rep = replace(REP, set_id=record.set_id, started_utc=record.started_utc, verdict="good", faults=())
        store.save_rep(record, rep)
    store.save_rep(replace(many_sets(7)[6], reps=2), replace(REP, set_id="set-006", number=2))
    store.save_alert(replace(ALERT, set_id="set-006", started_utc=later(SET.started_utc, 361), t_end_s=101.8), REPLAY)
    store.save_alert(replace(ALERT, alert_id="alert-2", kind="fast_drop", side=None, priority="low", set_id=None))
    write_all(store)
    return machine


@pytest.fixture(name="staff")
def signed_in(machine: WebMachine) -> FlaskClient:
    return machine.staff()


def test_paging_shows_every_set_once_newest_first(staff: FlaskClient) -> None:
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        answer = staff.get(f"/api/v1/sets?limit=2{cursor}").json
        seen += [each["id"] for each in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen == [f"set-00{i}" for i in range(6, -1, -1)]


def test_a_set_that_begins_between_two_pages_moves_nothing(machine: WebMachine, staff: FlaskClient) -> None:
    first = staff.get("/api/v1/sets?limit=3").json
    store = machine.store()
    store.save_set(replace(SET, set_id="newer", started_utc=later(SET.started_utc, 9000)))
    write_all(store)
    second = staff.get(f"/api/v1/sets?limit=3&cursor={first['next_cursor']}").json
    assert [each["id"] for each in second["items"]] == ["set-003", "set-002", "set-001"]


def test_sets_of_the_very_same_moment_are_paged_without_loss(tmp_path: Path) -> None:
    machine = make_open_machine(tmp_path)
    store = machine.store()
    for name in "abcde":
        store.save_set(replace(SET, set_id=name))
    write_all(store)
    staff = machine.staff()
    first = staff.get("/api/v1/sets?limit=3").json
    second = staff.get(f"/api/v1/sets?limit=3&cursor={first['next_cursor']}").json
    assert [each["id"] for each in first["items"] + second["items"]] == ["e", "d", "c", "b", "a"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("member=4711", ["set-005", "set-004", "set-002", "set-001"]),
        ("goal=quads", ["set-004", "set-001"]),
        ("fault=knee_valgus", ["set-006"]),
        ("fault=overload", []),
        ("since=2026-11-23T10:05:00Z", ["set-006", "set-005"]),
        ("until=2026-11-23T12:01:00%2B02:00", ["set-000"]),
        ("since=2026-11-23T10:01:00Z&until=2026-11-23T10:03:00Z", ["set-002", "set-001"]),
    ],
)
def test_sets_are_filtered(staff: FlaskClient, query: str, expected: list[str]) -> None:
    assert [each["id"] for each in staff.get(f"/api/v1/sets?{query}").json["items"]] == expected


def test_a_set_carries_its_verdicts_faults_reps_and_alerts(staff: FlaskClient) -> None:
    found = staff.get("/api/v1/sets/set-006").json
    assert found["verdicts"] == {"good": 1, "fault": 1}
    assert found["faults"] == {"knee_valgus": 1}
    assert [(rep["number"], rep["verdict"], rep["faults"]) for rep in found["rep_list"]] == [
        (1, "good", []),
        (2, "fault", ["knee_valgus"]),
    ]
    assert found["rep_list"][1]["worst_arching_deg"] is None
    [alert] = found["alerts"]
    assert alert["duration_s"] == pytest.approx(0.8)


def test_a_replay_comes_back_as_it_was_stored(staff: FlaskClient) -> None:
    answer = staff.get("/api/v1/alerts/alert-1/replay").json
    assert answer["replay"] == REPLAY
    assert answer["alert"]["kind"] == "knee_valgus"


def test_alerts_are_listed_with_and_without_a_set(staff: FlaskClient) -> None:
    found = staff.get("/api/v1/alerts").json["items"]
    assert [(each["id"], each["set_id"], each["has_replay"]) for each in found] == [
        ("alert-1", "set-006", True),
        ("alert-2", None, False),
    ]
    assert [each["id"] for each in staff.get("/api/v1/alerts?fault=fast_drop").json["items"]] == ["alert-2"]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("sets/nothing", 404, "there is no set 'nothing'"),
        ("alerts/nothing/replay", 404, "there is no alert 'nothing'"),
        ("alerts/alert-2/replay", 404, "no replay of this alert is kept"),
        ("sets?limit=0", 400, "limit is '0'; allowed: 1 to 200"),
        ("sets?limit=201", 400, "limit is '201'; allowed: 1 to 200"),
        ("sets?limit=ten", 400, "limit is 'ten'; allowed: 1 to 200"),
        ("sets?limit=٣", 400, "limit is '٣'; allowed: 1 to 200"),
        ("sets?cursor=nonsense", 400, "cursor: use next_cursor of the page before, unchanged"),
        ("sets?cursor=%00", 400, "cursor: use next_cursor of the page before, unchanged"),
        ("sets?goal=arms", 400, "goal is 'arms'; allowed: glutes, quads, balanced, warm_up"),
        ("sets?page=2", 400, "unknown parameter 'page'; allowed: since, until, member, goal, fault, limit, cursor"),
        (
            "alerts?since=yesterday",
            400,
            "since is 'yesterday'; allowed: an ISO 8601 time such as 2026-11-23T09:00:00Z or 2026-11-23",
        ),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_allowed(
    staff: FlaskClient, path: str, status: int, detail: str
) -> None:
    answer = staff.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.json["detail"] == detail


@given(
    query=st.dictionaries(
        st.sampled_from(["since", "until", "member", "goal", "fault", "limit", "cursor"]), st.text(max_size=30)
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_question_whatever_makes_the_api_fail(staff: FlaskClient, query: dict[str, str]) -> None:
    answer = staff.get("/api/v1/sets", query_string=query)
    assert answer.status_code in (200, 400)
    assert answer.json if answer.status_code == 200 else answer.json["detail"]


@given(moment=st.text(max_size=40), name=st.text(max_size=70))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cursor_is_either_ours_or_refused(staff: FlaskClient, moment: str, name: str) -> None:
    cursor = base64.urlsafe_b64encode(f"{moment} {name}".encode()).decode()
    assert staff.get("/api/v1/alerts", query_string={"cursor": cursor}).status_code == 200
    assert staff.get("/api/v1/alerts", query_string={"cursor": cursor + "!"}).status_code in (200, 400)


def test_an_unchanged_page_is_not_sent_again(staff: FlaskClient) -> None:
    first = staff.get("/api/v1/sets")
    again = staff.get("/api/v1/sets", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_without_a_database_the_api_and_the_metrics_say_so(tmp_path: Path) -> None:
    set_password(tmp_path, "a long enough password")
    staff = make_machine(tmp_path).staff()
    answer = staff.get("/api/v1/sets")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json["detail"].startswith("the database cannot be read now (unable to open database file)")
    assert "legpress_database_up 0\n" in staff.get("/metrics").text
    assert not (tmp_path / "legpress.sqlite3").exists()


def test_the_metrics_are_prometheus_text_with_the_present_values(machine: WebMachine, staff: FlaskClient) -> None:
    machine.publish(replace(LIFTING, load_kg=None))
    answer = staff.get("/metrics")
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert "legpress_device_up 1" in lines
    assert "legpress_load_kg NaN" in lines
    assert 'legpress_camera_frames_per_second{camera="side",view="side"} 19.8' in lines
    assert lines.count("# TYPE legpress_camera_up gauge") == 1
    for line in lines:
        assert line.startswith("# ") or len(line.rsplit(" ", 1)) == 2
    machine.clock.now_s += 5.0
    stale = staff.get("/metrics").text.splitlines()
    assert "legpress_device_up 0" in stale
    assert not any(line.startswith("legpress_load_kg") for line in stale)


def test_today_shows_the_sets_faults_and_the_machine(machine: WebMachine, staff: FlaskClient) -> None:
    machine.publish(replace(LIFTING, cameras=(CameraStatus("side", "side", "lost", 0.0, 9, 4.0),)))
    page = staff.get("/staff").text
    assert "<b>7</b><span>sets</span>" in page
    assert "<b>8</b><span>reps</span>" in page
    assert "<b>25.0</b><span>faults per 100 reps</span>" in page
    assert '<dt>camera side live</dt><dd><b>failed</b> gives no picture<small>check its cable' in page
    assert "Knee caving in" in page


def test_an_enrolment_counts_neither_as_a_set_nor_with_its_reps_and_alerts(
    machine: WebMachine, staff: FlaskClient
) -> None:
    store = machine.store()
    enrolment = replace(SET, set_id="neutral", enrolment=True)
    store.save_rep(enrolment, replace(REP, set_id="neutral"))
    store.save_alert(replace(ALERT, alert_id="alert-3", set_id="neutral"))
    write_all(store)
    page = staff.get("/staff").text
    assert "<b>7</b><span>sets</span>" in page
    assert "<b>8</b><span>reps</span>" in page
    assert "<b>25.0</b><span>faults per 100 reps</span>" in page


def test_an_empty_day_says_what_will_appear(tmp_path: Path) -> None:
    page = make_open_machine(tmp_path).staff().get("/staff").text
    assert "No set today yet. The first one appears here with its first rep." in page
    assert "No alert today." in page
    assert "<dt>device service</dt><dd><b>failed</b> does not report<small>" in page


def test_a_call_for_help_is_shown_and_can_be_answered(machine: WebMachine, staff: FlaskClient) -> None:
    machine.publish(IDLE)
    assert "has called for help" not in staff.get("/staff/health").text
    machine.publish(SCENES["load_unknown"])
    panel = staff.get("/staff/health").text
    assert "A member has called for help." in panel
    assert 'value="cancel"' in panel


def test_the_pages_of_sets_and_alerts_keep_the_filter_on_the_way_to_older_ones(staff: FlaskClient) -> None:
    page = staff.get("/staff/sets?member=4711&goal=&limit=2").text
    assert page.count('href="/staff/sets/set-') == 2
    assert 'href="/staff/sets?member=4711&amp;limit=2&amp;cursor=' in page
    assert "No set fits this filter." in staff.get("/staff/sets?fault=overload").text
    assert "Knee caving in" in staff.get("/staff/alerts").text


def test_staff_filter_by_the_machines_own_time_and_the_api_by_utc(staff: FlaskClient) -> None:
    assert staff.get("/staff/sets?since=2026-11-23T12:05").text.count('href="/staff/sets/set-') == 2
    found = staff.get("/api/v1/sets?since=2026-11-23T10:05").json["items"]
    assert [each["id"] for each in found] == ["set-006", "set-005"]
    assert "23 Nov 2026, 12:06" in staff.get("/staff/sets").text


def test_one_sets_page_lists_every_rep_and_what_was_not_seen(staff: FlaskClient) -> None:
    page = staff.get("/staff/sets/set-006").text
    assert page.count('<tr class="') == 2
    assert "<td class=\"n worst\">8.5</td>" in page
    assert "\N{EN DASH}</td>" in page
    assert staff.get("/staff/sets/nothing").status_code == 404


def test_an_alerts_page_offers_its_replay_only_where_one_is_kept(staff: FlaskClient) -> None:
    assert 'data-source="/api/v1/alerts/alert-1/replay"' in staff.get("/staff/alerts/alert-1").text
    assert "No replay of this alert is kept." in staff.get("/staff/alerts/alert-2").text
    assert staff.get("/staff/alerts/nothing").status_code == 404


def test_an_error_on_a_staff_page_is_a_page_with_a_way_back(staff: FlaskClient) -> None:
    answer = staff.get("/staff/sets?limit=0")
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "limit is &#39;0&#39;; allowed: 1 to 200." in answer.text
    assert 'href="/staff"' in answer.text


def test_what_a_member_types_as_a_tag_cannot_become_markup(machine: WebMachine, staff: FlaskClient) -> None:
    store = machine.store()
    store.save_set(replace(SET, set_id="x", member="<script>alert(1)</script>"))
    write_all(store)
    page = staff.get("/staff/sets").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
