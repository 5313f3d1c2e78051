"""The staff's pages in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from kiosk_browser import Pages, Running, fresh_pages, needs_browser, running_browser
from kiosk_scenes import ROUNDING, figure, warned
from selenium.webdriver.common.by import By
from store_samples import ALERT, REP, SET
from web_machine import PASSWORD, WebMachine

pytestmark = needs_browser


@pytest.fixture(name="running", scope="module")
def browser_and_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_browser(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture(name="pages")
def kiosk(running: Running) -> Iterator[Pages]:
    with fresh_pages(running) as pages:
        yield pages


def write_history(machine: WebMachine) -> None:
    store = machine.store()
    times = [round(-5 + 0.1 * i, 3) for i in range(101)]
    depths = [0.5 + 0.5 * (-1) ** (i // 20) * 0.9 for i in range(101)]
    replay = {
        "t_s": times,
        "figure": [figure(depth, 0.06) for depth in depths],
        "curves": {
            "valgus_left_deg": [9.0 if 0 <= t <= 1 else 1.0 for t in times],
            "lumbar_flexion_deg": [None] * len(times),
        },
    }
    store.save_rep(SET, REP)
    store.save_alert(replace(ALERT, t_end_s=102.0), replay)
    while store.pending():
        assert store.work_once() is None


def test_staff_sign_in_and_scrub_through_an_alert(pages: Pages) -> None:
    write_history(pages.machine)
    pages.say(warned(ROUNDING))
    pages.open("/staff")
    pages.browser.find_element(By.ID, "password").send_keys(PASSWORD)
    pages.browser.find_element(By.CSS_SELECTOR, "button").click()
    pages.until("document.querySelector('h1').textContent === 'Today'")
    pages.until("document.querySelectorAll('.health .ok').length >= 4")
    pages.open("/staff/alerts")
    pages.browser.find_element(By.LINK_TEXT, "replay").click()
    pages.until("document.querySelector('#side .figure .part-torso')")
    assert pages.text("moment-text") == "0.0 s"
    assert pages.script("return document.querySelectorAll('.curves svg').length") == 1
    marked = "[...document.querySelectorAll('#above .marked')].map((e) => e.classList[0])"
    assert pages.script(f"return {marked}") == ["part-leg_left"]
    pages.script("const m = document.getElementById('moment'); m.value = 0; m.dispatchEvent(new Event('input'))")
    assert pages.text("moment-text") == "-5.0 s"
    assert pages.script(f"return {marked}") == []
    for path in ("/staff", "/staff/sets", "/staff/sets/set-1", "/staff/alerts", "/staff/alerts/alert-1"):
        for width, height in ((1440, 900), (390, 844)):
            pages.size(width, height)
            pages.open(path)
            assert pages.script("return document.documentElement.scrollWidth") <= width, (path, width)
