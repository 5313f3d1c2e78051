"""The pages of calibrations in a real Chromium: a person clicks, drags, types, and ends with a calibration."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from calibration_pages import REQUIRED, choose_lens_by_focal_length, click_points, drag, press_at, show_picture
from calibration_pictures import Cameras, sled_points, stickered, true_camera
from kiosk_browser import SIZES, Pages, Running, fresh_pages, needs_browser, running_browser
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from web_machine import ADMIN_PASSWORD

from vision.calibration_file import load_calibration

pytestmark = needs_browser

PAGE = "/staff/calibration/camera/side"


@pytest.fixture(name="state_dir", scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(name="cameras", scope="module")
def vision(state_dir: Path) -> Cameras:
    return Cameras(state_dir, time.monotonic, stickered())


@pytest.fixture(name="running", scope="module")
def browser_and_server(state_dir: Path, cameras: Cameras) -> Iterator[Running]:
    with running_browser(state_dir, cameras.looks) as running:
        yield running


@pytest.fixture(name="pages")
def admin(running: Running, cameras: Cameras, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    monkeypatch.setattr("vision.preview.ANNOUNCED_FOR_S", 0.3)
    with fresh_pages(running) as pages:
        pages.size(1440, 900)  # a click is a whole pixel of the screen, and no more than one of the picture
        pages.sign_in(ADMIN_PASSWORD)
        pages.script("sessionStorage.clear()")
        pages.open(PAGE)
        yield pages
        pages.open("/")  # a page that goes on asking for a hidden picture complains
        cameras.desk.answer("hide side", 0.0)


def points(pages: Pages) -> dict[str, list[float]]:
    """Where the page's list says that each point is."""
    found: dict[str, list[float]] = pages.script(
        "return Object.fromEntries([...document.querySelectorAll('[data-point]')]"
        ".filter((e) => e.querySelector('[data-state=placed]'))"
        ".map((e) => [e.dataset.point, e.querySelector('small').textContent.split(', ').map(Number)]))"
    )
    return found


def test_six_clicks_in_the_picture_end_with_a_calibration_in_force(
    pages: Pages, cameras: Cameras, state_dir: Path
) -> None:
    before = cameras.reloads
    click_points(pages)
    assert pages.script("return document.body.dataset.fit") == "good", pages.text("result")
    assert "Fit: the points miss by" in pages.text("result")
    assert pages.script("return document.querySelectorAll('#misses tbody tr').length") == REQUIRED
    assert pages.script("return document.querySelectorAll('#marks .expected').length") >= REQUIRED
    pages.browser.find_element(By.ID, "use").click()
    pages.until("document.querySelector('h1')?.textContent === 'Calibration'")
    made = load_calibration(state_dir / "calibration" / "side.toml")
    assert float(np.linalg.norm(made.eye - true_camera().eye)) < 0.10  # clicks of whole pixels
    assert made.view == "side" and cameras.reloads == before + 1
    assert "side view, fit" in pages.script("return document.getElementById('camera-side').textContent")
    assert [each.target for each in pages.machine.device.commands if each.name == "audit"] == [
        "looked through a camera",
        "calibrated a camera",
    ]


def test_a_point_that_was_named_wrongly_is_told_and_cannot_be_used_until_it_is_dragged_right(pages: Pages) -> None:
    show_picture(pages)
    true = list(sled_points().values())[:REQUIRED]
    for x, y in true[:-1]:
        press_at(pages, x, y)
    assert pages.script("return document.getElementById('fit').disabled") is True
    assert pages.text("why") == "1 more point to place."
    press_at(pages, true[-1][0] + 90, true[-1][1] + 60)
    choose_lens_by_focal_length(pages)
    pages.browser.find_element(By.ID, "fit").click()
    pages.until("document.body.dataset.fit === 'refused'")
    assert "Not usable: the points miss by" in pages.text("result")
    assert pages.script("return document.getElementById('use').disabled") is True
    assert "far off: is it the right point?" in pages.text("misses")
    drag(pages, (true[-1][0] + 90, true[-1][1] + 60), true[-1])
    assert points(pages)["back_pad_top"] == pytest.approx(true[-1], abs=1.5)
    pages.browser.find_element(By.ID, "fit").click()
    pages.until("document.body.dataset.fit === 'good'")


def test_a_finger_places_and_drags_points_as_a_mouse_does(pages: Pages) -> None:
    pages.size(*SIZES["phone"])
    pages.open(PAGE)
    show_picture(pages)
    true = list(sled_points().values())[:REQUIRED]
    finger = PointerInput("touch", "finger")
    for x, y in true:
        press_at(pages, x, y, finger)
    assert sorted(points(pages)) == sorted(list(sled_points())[:REQUIRED])
    drag(pages, true[0], (true[0][0] + 40, true[0][1] + 20), finger)
    assert points(pages)["plate_top_left"] == pytest.approx((true[0][0] + 40, true[0][1] + 20), abs=4.0)
    assert pages.script("return document.getElementById('fit').disabled") is False


def test_a_fit_is_forgotten_as_soon_as_a_point_moves(pages: Pages) -> None:
    click_points(pages)
    pages.browser.find_element(By.ID, "picture").send_keys(Keys.ARROW_LEFT)
    assert pages.script("return document.getElementById('use').disabled") is True
    assert pages.text("result") == ""


def test_a_point_is_nudged_by_the_keys_under_a_magnifier(pages: Pages) -> None:
    show_picture(pages)
    picture = pages.browser.find_element(By.ID, "picture")
    picture.send_keys(Keys.ARROW_RIGHT)  # first into the middle
    assert points(pages)["plate_top_left"] == [321, 240]
    picture.send_keys(Keys.ARROW_LEFT, Keys.ARROW_UP)
    assert points(pages)["plate_top_left"] == [320, 239]
    picture.send_keys(Keys.SHIFT + Keys.ARROW_DOWN)
    assert points(pages)["plate_top_left"] == [320, 249]
    assert pages.script("return document.getElementById('magnifier').hidden") is False
    seen = pages.script(
        "const m = document.getElementById('magnifier'); const d = m.getContext('2d')"
        ".getImageData(0, 0, m.width, m.height).data; return new Set(d).size"
    )
    assert seen > 20  # a piece of the picture, not a blank
    picture.send_keys(Keys.DELETE)
    assert points(pages) == {}


def test_points_are_still_there_when_the_page_is_left_and_opened_again_until_they_are_used(pages: Pages) -> None:
    show_picture(pages)
    for x, y in list(sled_points().values())[:3]:
        press_at(pages, x, y)
    before = points(pages)
    assert len(before) == 3
    pages.open("/staff/calibration")
    pages.open(PAGE)
    pages.until("document.body.dataset.ready === 'yes'")
    assert points(pages) == before
    assert pages.text("current-title") == "Plate, bottom right"
    show_picture(pages)
    for x, y in list(sled_points().values())[3:REQUIRED]:
        press_at(pages, x, y)
    choose_lens_by_focal_length(pages)
    pages.browser.find_element(By.ID, "fit").click()
    pages.until("document.body.dataset.fit === 'good'")
    pages.browser.find_element(By.ID, "use").click()
    pages.until("document.querySelector('h1')?.textContent === 'Calibration'")
    pages.open(PAGE)
    pages.until("document.body.dataset.ready === 'yes'")
    assert points(pages) == {}


def test_stickers_are_found_drawn_and_fitted(pages: Pages) -> None:
    show_picture(pages)
    pages.browser.find_element(By.ID, "by-stickers").click()
    assert pages.text("why") == "Find the stickers first."
    pages.browser.find_element(By.ID, "find").click()
    pages.until("document.getElementById('found').textContent.startsWith('Look 8 of 8')")
    pages.until("!document.getElementById('fit').disabled")
    assert pages.script("return document.querySelectorAll('#marks .quad').length") >= 4
    choose_lens_by_focal_length(pages)
    pages.browser.find_element(By.ID, "fit").click()
    pages.until("document.body.dataset.fit === 'good'")
    assert "rides on the carriage: it gives the travel" in pages.text("result")


def test_the_picture_is_gone_when_it_is_hidden_and_when_the_page_is_left(pages: Pages, cameras: Cameras) -> None:
    show_picture(pages)
    left = pages.until("document.getElementById('left').textContent")
    assert re.search(r"ends by itself in (29\d|300) s", left)
    assert cameras.desk.previewing("side", time.monotonic())
    pages.browser.find_element(By.ID, "hide").click()
    pages.until("document.body.dataset.preview === 'over'")
    drawn = (
        "const c = document.getElementById('shown'); return new Set(c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data).size"
    )
    assert pages.script(drawn) == 1
    pages.until("!document.getElementById('show').disabled")
    assert not cameras.desk.previewing("side", time.monotonic())
    show_picture(pages)
    pages.open("/staff/calibration")
    until_s = time.monotonic() + 5.0
    while cameras.desk.previewing("side", time.monotonic()) and time.monotonic() < until_s:
        pages.until("document.readyState === 'complete'")
    assert not cameras.desk.previewing("side", time.monotonic())


def test_a_camera_without_a_picture_is_told_in_words(pages: Pages, cameras: Cameras) -> None:
    image, cameras.image = cameras.image, None
    try:
        pages.until("document.body.dataset.ready === 'yes'")
        pages.browser.find_element(By.ID, "show").click()
        pages.until("document.getElementById('left').textContent.startsWith('camera side gives no picture')")
    finally:
        cameras.image = image
    refused = [line for line in pages.complaints() if "/picture" not in line]  # the refusal itself
    assert refused == []


@pytest.mark.parametrize("size", ["phone", "landscape"])
def test_nothing_on_the_page_moves_when_the_picture_comes(pages: Pages, size: str) -> None:
    pages.size(*SIZES[size])
    pages.open(PAGE)
    pages.until("document.body.dataset.ready === 'yes'")
    pages.script(
        "window.shift = 0; const add = (list) => list.getEntries().forEach((e) => { window.shift += e.value; });"
        "new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: false })"
    )
    show_picture(pages)
    assert pages.script("return window.shift") < 0.02
    assert pages.script("return document.documentElement.scrollWidth") <= SIZES[size][0]


def test_the_load_is_measured_with_a_progress_and_no_second_press(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def wait(duration_s: float) -> None:
        waits.append(duration_s)
        time.sleep(0.5)

    monkeypatch.setattr("web_ui.staff_sensor_calibration.sleep", wait)
    pages.open("/staff/calibration/load")
    button = pages.browser.find_element(By.CSS_SELECTOR, "#measure button")
    button.click()
    pages.until("document.querySelector('[role=alert]')")
    assert "no valid readings (the cell is stale): run 'legpress doctor'" in pages.script(
        "return document.querySelector('[role=alert]').textContent"
    )
    assert waits == [4.0]
    assert [line for line in pages.complaints() if "409" not in line] == []
