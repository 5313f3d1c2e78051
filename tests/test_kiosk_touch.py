"""What a member touches, types and reads in a real Chromium: buttons, tag reader, languages."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from kiosk_browser import Pages, Running, fresh_pages, needs_browser, running_browser
from kiosk_scenes import FEET_MISMATCH, LIFTING, warned
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = needs_browser


@pytest.fixture(name="running", scope="module")
def browser_and_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_browser(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture(name="pages")
def kiosk(running: Running) -> Iterator[Pages]:
    with fresh_pages(running) as pages:
        yield pages


def test_what_is_touched_reaches_the_device(pages: Pages) -> None:
    pages.open()
    pages.show("rounding")
    pages.browser.find_element(By.CSS_SELECTOR, "[data-goal=quads]").click()
    pages.browser.find_element(By.ID, "silence").click()
    pages.browser.find_element(By.ID, "help").click()
    commands = pages.machine.device.commands
    WebDriverWait(pages.browser, 10).until(lambda _: len(commands) == 3)
    assert {(each.name, each.value) for each in commands} == {
        ("goal", "quads"),
        ("acknowledge", None),
        ("help", "call"),
    }


def test_a_refusal_of_the_device_is_shown(pages: Pages) -> None:
    pages.open()
    pages.show("lifting")
    answer = pages.machine.device.answer
    pages.machine.device.refuse("Finish this set first, then change the goal")
    pages.browser.find_element(By.CSS_SELECTOR, "[data-goal=quads]").click()
    pages.until("document.getElementById('toast').classList.contains('shown')")
    assert pages.text("toast") == "Finish this set first, then change the goal"
    pages.machine.device.answer = answer
    assert any("409" in message for message in pages.complaints())


def test_a_tag_reader_that_types_signs_the_member_in(pages: Pages) -> None:
    pages.open()
    pages.show("idle")
    ActionChains(pages.browser, duration=0).send_keys("04A21F\n").perform()
    commands = pages.machine.device.commands
    WebDriverWait(pages.browser, 10).until(lambda _: commands)
    assert [(each.name, each.value) for each in commands] == [("tag", "04A21F")]


def test_the_language_changes_at_a_touch_and_is_remembered(pages: Pages) -> None:
    pages.open()
    pages.show("left_knee")
    pages.browser.find_element(By.ID, "language").click()
    pages.until("document.getElementById('headline').textContent === 'Linkes Knie raus'")
    assert pages.script("return document.documentElement.lang") == "de"
    pages.open()
    pages.until("document.getElementById('headline').textContent === 'Linkes Knie raus'")


def test_a_sentence_without_a_translation_is_shown_as_the_device_says_it(pages: Pages) -> None:
    pages.script("localStorage.setItem('language', 'de')")
    pages.open()
    pages.say(replace(LIFTING, confirmation="Good - something new"))
    assert pages.changes_to("headline", "Something new")
    pages.say(warned(replace(FEET_MISMATCH, sentence="Feet somewhere else")))
    assert pages.changes_to("headline", "Feet somewhere else")


def test_every_sentence_of_the_core_has_its_german_words() -> None:
    root = Path(__file__).parents[1]
    known = json.loads((root / "web_ui" / "static" / "lang" / "de.json").read_text())["sentences"]
    told = set()
    for path in (root / "device" / "core").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "{n}" for part in node.values)
                told.add("".join(str(part) for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                told.add(node.value)
    beginnings = ("Good - ", "Next set: ", "Last time: ", "Back flat", "Heavy start")
    sentences = {text for text in told if text.startswith(beginnings)} - {"Next set: try seat ", "Last time: seat "}
    assert len(sentences) >= 20
    assert sentences - set(known) == set()


def test_both_languages_have_the_same_words() -> None:
    folder = Path(__file__).parents[1] / "web_ui" / "static" / "lang"
    english, german = (json.loads((folder / f"{name}.json").read_text()) for name in ("en", "de"))
    for part in ("ui", "faults", "conditions"):
        assert sorted(english[part]) == sorted(german[part]), part
