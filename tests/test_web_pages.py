"""The staff's pages in a real Chromium: every one at every width, what their scripts draw, and no barrier."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from calibration_pictures import Cameras, stickered
from kiosk_browser import SIZES, Pages, Running, fresh_pages, needs_browser, running_browser
from kiosk_scenes import ROUNDING, SCENES, warned
from selenium.webdriver.common.by import By
from staff_history import REPORT, write_week
from web_machine import ADMIN_PASSWORD, NOON, PASSWORD

pytestmark = needs_browser

STAFF_LIMIT_BYTES = 400_000
PATHS = (
    "", "/sets", "/sets/set-28", "/alerts", "/alerts/alert-28", "/review", "/trends", "/trends?by=load", "/members",
    "/members/4711", "/machine", "/settings", "/data", "/audit", "/backups", "/calibration", "/calibration/load",
    "/calibration/seat", "/calibration/camera/side",
)  # fmt: skip
WIDTHS = {"desktop": (1440, 900), **SIZES}
AXE = os.environ.get("LEGPRESS_AXE", "")
"""axe-core's axe.min.js: .ci/run fetches it from npm."""

@pytest.fixture(name="running", scope="module")
def browser_and_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state_dir = tmp_path_factory.mktemp("state")
    with running_browser(state_dir, Cameras(state_dir, time.monotonic, stickered()).looks) as running:
        write_week(running.machine, NOON)
        yield running


@pytest.fixture(name="pages")
def kiosk(running: Running) -> Iterator[Pages]:
    with fresh_pages(running) as pages:
        pages.report = REPORT
        yield pages


@pytest.mark.parametrize("size", WIDTHS)
def test_every_page_fits_every_screen_and_complains_of_nothing(pages: Pages, size: str) -> None:
    pages.size(*WIDTHS[size])
    pages.sign_in(ADMIN_PASSWORD)
    for path in PATHS:
        pages.open(f"/staff{path}")
        pages.settled()
        assert pages.script("return document.documentElement.scrollWidth") <= WIDTHS[size][0], path
        assert pages.complaints() == [], path


def test_staff_scrub_through_an_alert_beside_a_good_rep(pages: Pages) -> None:
    pages.say(warned(ROUNDING))
    pages.sign_in(PASSWORD)
    pages.until("document.querySelectorAll('.facts dd').length === 4")
    pages.open("/staff/alerts/alert-24")  # a knee that caves in
    pages.settled()
    assert pages.text("moment-text") == "0.0 s"
    assert pages.script("return document.querySelectorAll('.curves svg').length") == 5
    marked = "[...document.querySelectorAll('#above .marked')].map((e) => e.classList[0])"
    assert pages.script(f"return {marked}") == ["part-leg_left"]
    assert pages.text("good-link") == "rep 1 of the same set"
    before = pages.script("return document.querySelector('#good-side .part-leg_left .limb').getAttribute('d')")
    pages.script("const m = document.getElementById('moment'); m.value = 0; m.dispatchEvent(new Event('input'))")
    assert pages.text("moment-text") == "-5.0 s"
    assert pages.script(f"return {marked}") == []
    after = pages.script("return document.querySelector('#good-side .part-leg_left .limb').getAttribute('d')")
    assert before != after


def test_a_sets_reps_are_drawn_side_by_side_with_their_faults(pages: Pages) -> None:
    pages.sign_in(PASSWORD)
    pages.open("/staff/sets/set-28")
    pages.settled()
    captions = pages.script("return [...document.querySelectorAll('#motions figcaption')].map((e) => e.textContent)")
    assert len(captions) == 8
    assert captions[3] == "Rep 4 · fault: Back rounding"
    assert pages.script("return document.querySelectorAll('#motions .rep.fault .during').length") == 6
    assert pages.script("return document.querySelectorAll('#motions path.curve').length") == 24


def test_trends_are_plotted_without_breaking_the_pages_policy_and_saved_as_a_picture(pages: Pages) -> None:
    pages.sign_in(PASSWORD)
    pages.open("/staff/trends")
    pages.settled()
    assert pages.script("return document.querySelectorAll('#faults-plot .scatterlayer .trace').length") == 3
    assert pages.script("return document.querySelectorAll('#reps-plot .barlayer .trace').length") == 3
    pages.script("Plotly.toImage('faults-plot', { format: 'png' }).then((url) => { window.png = url; })")
    assert pages.until("window.png").startswith("data:image/png;base64,")
    assert pages.complaints() == []


def test_everything_of_a_member_is_deleted_with_two_clicks(pages: Pages) -> None:
    pages.sign_in(PASSWORD)
    pages.open("/staff/members/04A21F")
    pages.browser.find_element(By.TAG_NAME, "summary").click()
    pages.browser.find_element(By.CSS_SELECTOR, "button.danger").click()
    pages.until("document.querySelector('h1').textContent === 'Members'")
    asked = pages.machine.device.commands[-1]
    assert (asked.name, asked.value, asked.who) == ("delete_member", "04A21F", "staff")


def test_a_failed_sensor_is_named_with_what_to_do(pages: Pages) -> None:
    pages.sign_in(PASSWORD)
    pages.open("/staff/machine")
    row = pages.script("return document.querySelector('#sensors tr.failed').innerText")
    assert "seat potentiometer" in row
    first = pages.script("return document.querySelector('#findings tbody tr').innerText")
    assert "failed" in first
    assert "check the wiper's wire" in row


def test_a_staff_page_weighs_less_than_400_kilobytes_without_plotly(pages: Pages) -> None:
    pages.sign_in(PASSWORD)
    pages.open("/staff/trends")
    pages.settled()
    sizes = pages.script(
        "return performance.getEntries().filter((e) => ['navigation', 'resource'].includes(e.entryType))"
        ".filter((e) => !e.name.includes('plotly.js')).map((e) => e.encodedBodySize)"
    )
    assert 0 < sum(sizes) <= STAFF_LIMIT_BYTES


@pytest.mark.skipif(not AXE, reason="needs axe-core (npm install axe-core; LEGPRESS_AXE=.../axe.min.js)")
def test_axe_finds_no_serious_barrier_on_any_page(pages: Pages) -> None:
    found = []
    for name in SCENES:
        pages.open("/")
        pages.show(name)
        found += barriers(pages, name)
    pages.sign_in(ADMIN_PASSWORD)
    for path in PATHS:
        pages.open(f"/staff{path}")
        pages.settled()
        found += barriers(pages, path)
    assert not found, "\n".join(found)


def barriers(pages: Pages, where: str) -> list[str]:
    """Serious and critical findings of axe on the page as it stands."""
    pages.browser.execute_script(Path(AXE).read_text())  # through the driver: the page's policy forbids inline scripts
    result = pages.browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, { resultTypes: ['violations'] }).then((r) => done(JSON.stringify(r.violations)));"
    )
    return [
        f"{where}: {each['id']}: {[node['html'][:160] for node in each['nodes']][:3]}"
        for each in json.loads(result)
        if each["impact"] in ("serious", "critical")
    ]
