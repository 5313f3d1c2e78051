"""What staff can do on their pages: judge, look after members, tokens, data; and what is refused."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from flask.testing import FlaskClient
from staff_history import make_week_machine
from store_samples import SET
from web_machine import NOON, WebMachine, form_token, make_open_machine

from device.messages import Command, CommandReply
from web_ui.credentials import Credentials


@pytest.fixture(name="machine")
def with_a_week(tmp_path: Path) -> WebMachine:
    return make_week_machine(tmp_path)


def obeyed(machine: WebMachine) -> None:
    """From now on the device carries out what changes the store, as the real one does."""

    def carry_out(command: Command) -> CommandReply:
        errors: list[str | None] = []
        store = machine.store()
        store.change(command, NOON.isoformat(), errors.append)
        assert store.work_once() is None
        return CommandReply(command.id, errors[0] is None, errors[0])

    machine.device.answer = carry_out


def post(client: FlaskClient, page: str, address: str, **form: str) -> int:
    """Sends a form of this page."""
    return client.post(address, data={"form_token": form_token(client.get(page).text), **form}).status_code


def test_a_judged_alert_leaves_the_queue_and_counts_in_the_precision(machine: WebMachine) -> None:
    obeyed(machine)
    staff = machine.staff()
    queue = staff.get("/staff/review").text
    assert "/staff/alerts/alert-28" in queue
    before = {row["key"]: row for row in staff.get("/api/v1/precision").json["items"]}
    assert post(staff, "/staff/review", "/staff/alerts/alert-28/review", verdict="wrong") == 303
    assert "/staff/alerts/alert-28/" not in staff.get("/staff/review").text
    after = {row["key"]: row for row in staff.get("/api/v1/precision").json["items"]}
    kind = staff.get("/api/v1/alerts/alert-28").json["kind"]
    was = before.get(kind, {"right": 0, "wrong": 0})
    assert after[kind]["wrong"] == was["wrong"] + 1
    assert after[kind]["precision"] == pytest.approx(was["right"] / (was["right"] + was["wrong"] + 1))
    assert staff.get("/api/v1/alerts/alert-28").json["review"] == "wrong"


def test_a_judgement_that_is_none_is_refused(machine: WebMachine) -> None:
    assert post(machine.staff(), "/staff/review", "/staff/alerts/alert-28/review", verdict="maybe") == 400
    assert machine.device.commands == []


def test_a_refusal_of_the_device_reaches_the_page(machine: WebMachine) -> None:
    obeyed(machine)
    staff = machine.staff()
    token = form_token(staff.get("/staff/review").text)
    answer = staff.post("/staff/alerts/gone/review", data={"form_token": token, "verdict": "right"})
    assert answer.status_code == 409
    assert "there is no alert &#39;gone&#39; any more" in answer.text


def test_a_members_page_recalls_seat_load_and_neutral_and_deletes_everything(machine: WebMachine) -> None:
    obeyed(machine)
    staff = machine.staff()
    known = staff.get("/api/v1/members/4711").json
    assert (known["sets"], known["last_seat_notch"]) == (10, 4)
    assert "Delete 4711 now" in staff.get("/staff/members/4711").text
    assert post(staff, "/staff/members/4711", "/staff/members/4711/delete") == 303
    assert staff.get("/staff/members/4711").status_code == 404
    assert staff.get("/api/v1/sets?member=4711").json["items"] == []
    assert [each["tag"] for each in staff.get("/api/v1/members").json["items"]] == ["04A21F"]
    assert "one member with 10 sets" in machine.admin().get("/staff/audit").text


def test_members_are_paged_and_found_by_the_beginning_of_the_tag(machine: WebMachine) -> None:
    staff = machine.staff()
    first = staff.get("/api/v1/members?limit=1").json
    assert [each["tag"] for each in first["items"]] == ["04A21F"]
    second = staff.get(f"/api/v1/members?limit=1&cursor={first['next_cursor']}").json
    assert ([each["tag"] for each in second["items"]], second["next_cursor"]) == (["4711"], None)
    assert [each["tag"] for each in staff.get("/api/v1/members?member=47").json["items"]] == ["4711"]


@pytest.mark.parametrize("by", ["week", "seat", "goal", "load"])
def test_a_trend_counts_every_rep_once_and_as_the_csv_does(machine: WebMachine, by: str) -> None:
    staff = machine.staff()
    trend = staff.get(f"/api/v1/trends?by={by}").json
    assert sum(row["reps"] for row in trend["reps"]) == 30 * 8
    assert all(row["reps"] == row["good"] + row["fault"] + row["uncertain"] for row in trend["reps"])
    assert sum(row["alerts"] for row in trend["faults"]) == 30
    rows = list(csv.DictReader(io.StringIO(staff.get(f"/staff/trends.csv?by={by}").text)))
    assert [int(row["reps"]) for row in rows] == [row["reps"] for row in trend["reps"]]


@pytest.mark.parametrize("by", ["week", "seat", "goal", "load"])
@pytest.mark.parametrize("filtered", ["", "&goal=quads", "&member=4711", "&member=04A21F&goal=balanced"])
def test_a_trend_is_what_its_sets_add_up_to(machine: WebMachine, by: str, filtered: str) -> None:
    staff = machine.staff()
    reps: dict[object, list[int]] = {}
    faults: dict[tuple[object, str], int] = {}
    for each in staff.get(f"/api/v1/sets?limit=200{filtered}").json["items"]:
        day = datetime.fromisoformat(each["started_utc"])
        key = {
            "week": (day - timedelta(days=day.weekday())).date().isoformat(),
            "seat": each["seat_notch"],
            "goal": each["goal"],
            "load": int(each["load_kg"] // 20) * 20,
        }[by]
        verdicts = [each["verdicts"].get(verdict, 0) for verdict in ("good", "fault", "uncertain")]
        reps[key] = [a + b for a, b in zip(reps.get(key, [0] * 4), [1, *verdicts], strict=True)]
        for kind, count in each["faults"].items():
            faults[key, kind] = faults.get((key, kind), 0) + count
    assert len(reps) > 0
    trend = staff.get(f"/api/v1/trends?by={by}{filtered}").json
    told = {row["key"]: [row["sets"], row["good"], row["fault"], row["uncertain"]] for row in trend["reps"]}
    assert told == reps
    assert {(row["key"], row["kind"]): row["alerts"] for row in trend["faults"]} == faults
    assert [row["key"] for row in trend["reps"]] == sorted(told)


def test_a_trend_by_week_begins_on_mondays_and_can_be_of_one_member(machine: WebMachine) -> None:
    trend = machine.staff().get("/api/v1/trends?weeks=2&member=4711").json
    assert trend["since_utc"] == "2026-11-16T00:00:00.000Z"
    assert {row["key"] for row in trend["reps"]} <= {"2026-11-16", "2026-11-23"}
    assert 0 < sum(row["sets"] for row in trend["reps"]) < 10


def test_the_good_rep_beside_an_alert_is_of_the_same_set_with_its_times(machine: WebMachine) -> None:
    rep = machine.staff().get("/api/v1/alerts/alert-28/good-rep").json
    assert (rep["set_id"], rep["number"], rep["alert_after_s"]) == ("set-28", 1, 1.6)
    assert len(rep["motion"]["figure"]) == len(rep["motion"]["t_s"])


def test_a_sets_page_has_its_reps_faults_and_curves(machine: WebMachine) -> None:
    staff = machine.staff()
    page = staff.get("/staff/sets/set-28").text
    assert "&#34;spans&#34;: [[1.6, 2.7]]" in page
    items = staff.get("/api/v1/sets/set-28/motions").json["items"]
    assert [each["number"] for each in items] == list(range(1, 9))
    assert all(len(each["curves"]["load_kg"]) == len(each["t_s"]) for each in items)


def test_an_admin_makes_a_token_that_is_shown_once_and_ends_it(machine: WebMachine, tmp_path: Path) -> None:
    obeyed(machine)
    admin = machine.admin()
    token = form_token(admin.get("/staff/data").text)
    page = admin.post("/staff/tokens", data={"form_token": token, "name": "display"}).text
    shown = page.split("<code>")[1].split("</code>")[0]
    assert Credentials(tmp_path).knows_token(shown)
    assert shown not in admin.get("/staff/data").text
    assert post(admin, "/staff/data", "/staff/tokens/display/end") == 303
    assert not Credentials(tmp_path).knows_token(shown)
    assert post(admin, "/staff/data", "/staff/tokens", name="two words") == 400


def test_what_is_deleted_next_is_shown_before(machine: WebMachine) -> None:
    store = machine.store()
    store.retain(machine.config.retention, NOON)
    assert store.work_once() is None
    page = machine.staff().get("/staff/data").text
    assert "730 days" in page
    later_machine = machine.store()
    later_machine.retain(machine.config.retention, NOON + timedelta(days=1))
    assert later_machine.work_once() is None
    assert len(machine.staff().get("/api/v1/sets?limit=200").json["items"]) == 30


def test_an_export_from_the_form_means_the_machines_own_days(machine: WebMachine) -> None:
    staff = machine.staff()
    answer = staff.get("/staff/export?kind=sets&form=csv&since=2026-11-22&until=2026-11-23", follow_redirects=True)
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="legpress-sets-2026-11-2')
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["id"] for row in rows} == {"set-24", "set-25", "set-26"}
    assert staff.get("/staff/export?kind=members&form=csv").status_code == 400


def test_reviews_are_exported_for_tuning(machine: WebMachine) -> None:
    rows = machine.staff().get("/api/v1/export/reviews.json").json
    assert [row["review"] for row in rows] == ["right", "wrong", "unsure"]
    assert all(row["peak"] > 0 for row in rows)


def read_qr_code(svg: bytes) -> str:
    """As a phone reads it off the screen: 150 px wide, by OpenCV."""
    root = ElementTree.fromstring(svg)
    side = int(float(root.attrib["viewBox"].split()[2]))
    modules = np.zeros((side, side), np.uint8)
    for path in root.iter("{http://www.w3.org/2000/svg}path"):
        x = y = 0.0
        for command, argument in re.findall(r"([Mmh])([^Mmhvz]*)", path.attrib["d"]):
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", argument)]
            if command == "h":
                modules[int(y), int(x) : int(x + numbers[0])] = 1
                x += numbers[0]
            else:
                x, y = (numbers[0], numbers[1]) if command == "M" else (x + numbers[0], y + numbers[1])
    shown = cv2.resize(np.where(modules, 0, 255).astype(np.uint8), (150, 150), interpolation=cv2.INTER_AREA)
    text, *_ = cv2.QRCodeDetector().detectAndDecode(cv2.copyMakeBorder(shown, 20, 20, 20, 20, 0, value=255))
    return text


def test_the_house_rules_are_a_picture_where_they_are_set(tmp_path: Path) -> None:
    machine = make_open_machine(tmp_path)
    assert machine.kiosk().get("/kiosk/house-rules.svg").status_code == 404
    machine = make_open_machine(tmp_path / "b", house_rules="https://gym.example/rules")
    picture = machine.kiosk().get("/kiosk/house-rules.svg")
    assert picture.content_type == "image/svg+xml"
    assert picture.data.startswith(b"<svg")
    assert read_qr_code(picture.data) == "https://gym.example/rules"
    assert "/kiosk/house-rules.svg" in machine.kiosk().get("/").text


def test_every_set_of_the_week_is_there(machine: WebMachine) -> None:
    assert SET.member in {each["member"] for each in machine.staff().get("/api/v1/sets").json["items"]}
