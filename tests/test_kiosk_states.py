"""Every state of the kiosk in a real Chromium: what it says, how it looks, that it fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from kiosk_browser import CONTRASTS, OVERFLOWING, SIZES, Pages, Running, fresh_pages, needs_browser, running_browser
from kiosk_scenes import LIFTING, MOODS, SCENES, figure
from selenium.webdriver.common.by import By

pytestmark = needs_browser

KIOSK_LIMIT_BYTES = 150_000


@pytest.fixture(name="running", scope="module")
def browser_and_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_browser(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture(name="pages")
def kiosk(running: Running) -> Iterator[Pages]:
    with fresh_pages(running) as pages:
        yield pages


def marked(pages: Pages, view: str) -> list[str]:
    """Which parts of the figure a fault marks."""
    found: list[str] = pages.script(
        f"return [...document.querySelectorAll('#{view} .marked')].map((e) => e.classList[0])"
    )
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", "de"])
def test_every_state_fits_every_screen_in_every_language(pages: Pages, size: str, language: str) -> None:
    pages.size(*SIZES[size])
    pages.script(f"localStorage.setItem('language', '{language}')")
    pages.open()
    for name, state in SCENES.items():
        pages.say(state)
        assert pages.script("return document.body.dataset.mood") == MOODS[name]
        assert pages.script(OVERFLOWING) == [], name


@pytest.mark.parametrize("name", SCENES)
def test_each_state_says_what_matters_in_readable_contrast(pages: Pages, name: str) -> None:
    pages.open()
    pages.show(name)
    assert pages.script("return document.body.dataset.mood") == MOODS[name]
    assert pages.script(CONTRASTS) == []


def test_the_checks_of_fit_and_contrast_notice_what_they_are_for(pages: Pages) -> None:
    pages.open()
    pages.show("lifting")
    pages.script("document.getElementById('headline').style.color = '#123a25'")
    assert pages.script(CONTRASTS) == ["Back and knees look good: 1.01"]
    pages.script("document.querySelector('.goal b').textContent = 'much too long a name for a button'")
    pages.script("document.getElementById('reps').style.marginLeft = '-90px'")
    found = pages.script(OVERFLOWING)
    assert "outside the screen: P#reps: 5" in found
    assert "wider than its box: B#: much too long a name for a button" in found


@pytest.mark.parametrize("phase", ["idle", "first_start", "seated", "rest", "out_of_order"])
def test_whatever_the_machine_does_staff_who_look_are_told_in_full_on_a_narrow_screen(pages: Pages, phase: str) -> None:
    pages.size(*SIZES["portrait"])
    pages.open()
    looking = SCENES["camera_preview"].conditions[0]
    pages.say(replace(SCENES[phase], conditions=(*SCENES[phase].conditions, looking)))
    assert pages.text("kicker") == "Staff are looking through the camera"
    assert pages.script("return document.body.dataset.mood") == MOODS[phase]
    assert pages.script(OVERFLOWING) == []


def test_whoever_stands_before_the_machine_reads_that_staff_look_through_the_camera(pages: Pages) -> None:
    for language, words in (("en", "Staff are looking through the camera"), ("de", "Personal schaut durch die Kamera")):
        pages.script(f"localStorage.setItem('language', '{language}')")
        pages.open()
        pages.say(SCENES["camera_preview"])
        chips = "[...document.querySelectorAll('#conditions li')]"
        shown = f"{chips}.filter((e) => e.offsetParent).map((e) => e.textContent)"
        assert (pages.script(f"return {shown}")[0], pages.text("kicker")) == (words, words)
        pages.say(SCENES["idle"])
        assert pages.script(f"return {shown}") == []
    pages.script("localStorage.clear()")


def test_a_rounding_is_told_by_words_icon_arrow_and_the_back_in_the_picture(pages: Pages) -> None:
    pages.open()
    pages.show("rounding")
    assert pages.text("kicker") == "Lower back is rounding"
    assert pages.text("spoken") == "Lower back is rounding - less depth, hips back"
    assert pages.script("return document.getElementById('banner-icon').getAttribute('href')") == "#icon-warn"
    assert pages.script("return document.getElementById('arrow').dataset.way") == "left"
    assert marked(pages, "side") == ["part-torso"]
    pages.show("rounding_high")
    assert pages.script("return document.getElementById('banner-icon').getAttribute('href')") == "#icon-stop"
    assert pages.script("return document.getElementById('silence').disabled") is True


def test_a_warning_is_on_the_page_soon_after_the_device_gives_it_and_goes_with_it(pages: Pages) -> None:
    pages.open()
    pages.show("lifting")
    pages.script("window.moods = []; new MutationObserver(() => window.moods.push(document.body.dataset.mood))"
                 ".observe(document.body, { attributes: true, attributeFilter: ['data-mood'] })")  # fmt: skip
    pages.show("rounding")
    pages.show("confirmed")
    pages.show("lifting")
    assert pages.script("return window.moods") == ["medium", "confirmed", "ok"]
    assert pages.text("spoken") == ""


def test_a_knee_that_caves_in_is_marked_on_its_own_side_with_the_way_out(pages: Pages) -> None:
    pages.open()
    pages.show("left_knee")
    assert marked(pages, "above") == ["part-leg_left"]
    shown = pages.script("return [...document.querySelectorAll('#above .pointer.shown')].map((e) => e.getBBox().x)")
    assert len(shown) == 1
    assert shown[0] < 0  # the lifter's left is on the left, and out is further left
    assert pages.script("return document.getElementById('arrow').dataset.way") == "left"


def test_reps_load_seat_and_bars_are_those_of_the_state(pages: Pages) -> None:
    pages.open()
    pages.show("lifting")
    assert [pages.text(name) for name in ("count-label", "reps", "load", "load-unit", "seat-notch")] == [
        "Set 2 · Reps", "5", "120", "kg", "3",
    ]  # fmt: skip
    bars = pages.script(
        "return [...document.querySelectorAll('#bars li[data-verdict]')].map((e) => [e.dataset.verdict, e.textContent])"
    )
    assert bars == [["good", "✓"], ["good", "✓"], ["fault", "!"], ["uncertain", "?"], ["good", "✓"]]
    pages.browser.find_element(By.ID, "units").click()
    pages.until("document.getElementById('load').textContent === '265'")
    assert pages.text("load-unit") == "lb"


def test_what_no_camera_can_see_is_said(pages: Pages) -> None:
    pages.open()
    pages.show("lifting_side_camera_only")
    assert pages.text("checks") == "Checking: back and feet · Can't see: knees"
    assert pages.text("above-label") == "✕ Knees not in view"


def test_feet_outside_the_goals_band_are_drawn_and_told_where_to_go(pages: Pages) -> None:
    pages.open()
    pages.show("feet")
    assert pages.text("feet-note") == "↑ Higher"
    assert pages.script("return document.querySelectorAll('.foot.wrong').length") == 2
    pages.say(replace(LIFTING, goal="quads", goal_band=(0.55, 0.85)))
    pages.until("document.getElementById('feet-note').textContent === '↓ Lower'")


def test_a_lost_machine_leaves_no_old_value_on_the_screen(pages: Pages) -> None:
    pages.open()
    pages.show("lifting")
    pages.say(None)
    pages.until("document.body.dataset.phase === 'lost'")
    assert (pages.text("kicker"), pages.text("headline")) == ("Form check off", "The display has lost the machine")
    assert [pages.text(name) for name in ("reps", "load", "seat-notch")] == ["\N{EN DASH}"] * 3
    assert [pages.text(name) for name in ("checks", "feet-note")] == ["", ""]
    assert pages.script("return document.querySelector('#side .figure').classList.contains('ghost')") is True
    assert pages.script("return [...document.querySelectorAll('.goal, #help')].every((e) => e.disabled)") is True
    assert pages.script(OVERFLOWING) == []
    pages.show("lifting")


def test_nothing_moves_about_while_the_state_stays_in_one_phase(pages: Pages) -> None:
    pages.open()
    pages.show("lifting")
    pages.script(
        "window.shift = 0; const add = (list) => list.getEntries().forEach((e) => { window.shift += e.value; });"
        "new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: false })"
    )
    for name in ("rounding", "confirmed", "left_knee", "lifting"):
        pages.show(name)
    pages.say(replace(LIFTING, figure=figure(0.2), load_kg=125.0))
    pages.until("document.getElementById('load').textContent === '125'")
    assert pages.script("return window.shift") < 0.02


def test_with_reduced_motion_nothing_flashes(pages: Pages) -> None:
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    pages.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    pages.open()
    pages.show("rounding_high")
    assert pages.script("return document.getAnimations().length") == 0
    pages.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    pages.until("document.getAnimations().length > 0")


def test_medium_and_high_flash_at_the_rates_of_the_standard(pages: Pages) -> None:
    pages.open()
    rates_hz = {}
    for name in ("rounding", "rounding_high"):
        pages.show(name)
        duration_ms = pages.until("document.getAnimations()[0]?.effect.getTiming().duration")
        rates_hz[name] = 1000 / duration_ms
    assert 0.4 <= rates_hz["rounding"] <= 0.8
    assert 1.4 <= rates_hz["rounding_high"] <= 2.8


def test_an_idle_screen_dims_after_two_minutes_and_wakes_by_touch_key_and_sitting_down(pages: Pages) -> None:
    # minutes pass in a leap: the watch for a stream that has stopped, the page's only interval, would take it for one
    shift = (
        "const now = performance.now.bind(performance); window.later = 0; window.setInterval = () => 0; "
        "performance.now = () => now() + window.later;"
    )
    found = pages.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": shift})
    try:
        pages.open()
        pages.show("idle")
        brightness = "getComputedStyle(document.body).filter"
        assert pages.script(f"return [document.body.dataset.dim, {brightness}]") == ["no", "none"]
        pages.script("window.later = 119_000")
        pages.say(SCENES["idle"])
        assert pages.script("return document.body.dataset.dim") == "no"
        for wake in ("new PointerEvent('pointerdown')", "new KeyboardEvent('keydown', { key: 'Tab' })"):
            pages.script("window.later += 121_000")
            pages.until("document.body.dataset.dim === 'yes'")
            assert pages.script(f"return {brightness}") == "brightness(0.4)"
            pages.script(f"window.dispatchEvent({wake})")
            pages.until("document.body.dataset.dim === 'no'")
        pages.script("window.later += 121_000")
        pages.until("document.body.dataset.dim === 'yes'")
        pages.show("seated")
        assert pages.script("return document.body.dataset.dim") == "no"
        pages.script("window.later += 600_000")
        pages.say(SCENES["seated"])
        assert pages.script("return document.body.dataset.dim") == "no"
    finally:
        pages.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", found)


def test_the_kiosk_weighs_less_than_150_kilobytes(pages: Pages) -> None:
    pages.open()
    pages.show("lifting")
    sizes = pages.script(
        "return performance.getEntries().filter((e) => ['navigation', 'resource'].includes(e.entryType))"
        ".filter((e) => !e.name.includes('/live')).map((e) => e.encodedBodySize)"
    )
    assert len(sizes) >= 8
    assert 0 < sum(sizes) <= KIOSK_LIMIT_BYTES
