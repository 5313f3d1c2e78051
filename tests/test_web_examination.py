"""The staff's page of the machine: what the doctor finds, live, the worst first, and never waited for."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from kiosk_scenes import IDLE
from web_machine import WebMachine, make_open_machine

from device import installation_health, machine_health
from device.config import Config
from device.machine_health import Finding
from device.messages import CameraStatus, PartReport, PartsReport
from web_ui import parts
from web_ui.examination import RENEW_S, Examination


@pytest.fixture(name="machine")
def running(tmp_path: Path) -> WebMachine:
    machine = make_open_machine(tmp_path)
    machine.publish(IDLE)
    machine.hub.take_report(PartsReport(0.0, (PartReport("load cell", "ok", "80.1 readings a second"),)))
    return machine


def examined_in(machine: WebMachine) -> Examination:
    with machine.app.app_context():
        return parts.parts().examination


def rows(page: str) -> list[str]:
    """Part and state of each row of the table of findings."""
    table = page.partition("What is known")[2].partition("</table>")[0]
    return [f"{part}: {health}" for part, health in re.findall(r"<tr class=.*?><td>(.*?)</td><td><b>(\w+)</b>", table)]


def test_the_page_shows_every_finding_of_the_doctor_with_its_state_in_words(machine: WebMachine) -> None:
    examination = examined_in(machine)
    examination.look()
    page = machine.staff().get("/staff/health").text
    expected = machine_health.worst_first(
        [
            *machine_health.live(IDLE, machine.hub.report()),
            *installation_health.examine(machine.config, datetime.now().astimezone()),
        ]
    )
    assert rows(page) == [f"{finding.part}: {finding.health}" for finding in expected]
    assert {"form check: ok", "load cell: ok", "state folder: ok", "backups: ok", "software: ok"} <= set(rows(page))
    assert "SHA-256" in page or "the pose model is not built yet" in page
    assert machine.staff().get("/staff/machine").text.count("health-row") == page.count("health-row")


def test_a_fault_comes_first_is_counted_in_the_sentence_and_names_its_cure(machine: WebMachine) -> None:
    examination = examined_in(machine)
    examination._examine = lambda config, now: [Finding("temperature", "degraded", "78 deg C", "cool it")]
    examination.look()
    lost = CameraStatus("side", "side", "lost", 0.0, 9, 4.0)
    machine.publish(replace(IDLE, cameras=(lost, IDLE.cameras[1])))
    staff = machine.staff()
    fragment = staff.get("/staff/health/findings").text
    assert rows("What is known" + fragment.split("What is known")[1])[0] == "camera side live: failed"
    assert "check its cable" in fragment
    panel = staff.get("/staff/health/now").text
    assert "<b>3 parts need attention</b>" in panel  # camera, what it leaves unchecked, temperature
    assert panel.index("camera side live") < panel.index("temperature")
    machine.clock.now_s += 10.0
    assert "does not report" in staff.get("/staff/health/now").text


def test_when_nothing_is_wrong_the_page_says_so_in_one_sentence(machine: WebMachine) -> None:
    examination = examined_in(machine)
    examination._examine = lambda config, now: [Finding("disk", "ok", "fine")]
    examination.look()
    assert '<p class="summary ok"><b>All well</b></p>' in machine.staff().get("/staff").text


def test_a_look_that_takes_long_is_waited_for_by_nobody_and_done_once(tmp_path: Path) -> None:
    may_end, looks = threading.Event(), []

    def slow(config: Config, now: datetime) -> list[Finding]:
        looks.append(now)
        assert may_end.wait(30.0)
        return [Finding("disk", "ok", "fine")]

    now_s = 0.0
    examination = Examination(Config(), slow, lambda: now_s)
    first = examination.now(None, None)
    assert (first.complete, [finding.part for finding in first.findings]) == (False, ["device service"])
    assert not examination.now(None, None).complete
    may_end.set()
    thread = examination._thread
    assert thread is not None
    thread.join(30.0)
    assert examination.now(None, None).complete
    assert len(looks) == 1
    now_s = RENEW_S + 0.1
    examination.now(None, None)
    assert examination._thread is not thread
    examination._thread.join(30.0)
    assert len(looks) == 2


def test_an_examination_that_itself_breaks_is_a_finding_and_no_dead_page() -> None:
    def broken(config: Config, now: datetime) -> list[Finding]:
        raise ZeroDivisionError("ours")

    examination = Examination(Config(), broken)
    examination.look()
    found = {finding.part: finding for finding in examination.now(None, None).findings}
    assert (found["examination"].health, found["examination"].advice) == ("failed", "run: legpress doctor")
