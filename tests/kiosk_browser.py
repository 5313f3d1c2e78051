"""A real Chromium on a served kiosk, and what is asked of every page: it fits, it can be read."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from kiosk_scenes import HEADLINES, MOODS, SCENES
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from web_machine import WebMachine
from web_server import serving

from device.messages import LiveState, PartsReport
from web_ui.camera_looks import CameraLooks

needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(
        shutil.which("chromedriver") is None, reason="needs Debian's chromium and chromium-driver (apt install ...)"
    ),
]
SIZES = {"landscape": (1024, 600), "portrait": (600, 1024), "phone": (390, 844)}
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking "
    "--disable-component-update --no-first-run --hide-scrollbars --lang=en"
)
MAX_STREAMS = 24
"""A page that was left holds its stream until the next heartbeat; the tests load pages quickly."""
STARTS = count(0, 1_000_000)
"""Where each test's states begin to count, so that a page never takes an older test's state for its own."""
OVERFLOWING = """
const outside = (box) => box.right > innerWidth + 1 || box.bottom > innerHeight + 1 || box.left < -1 || box.top < -1;
const inside = (parent, box) => {
  const around = parent.getBoundingClientRect();
  return box.left >= around.left - 1 && box.right <= around.right + 1;
};
const name = (element) => `${element.tagName}#${element.id}: ${element.textContent.trim().slice(0, 40)}`;
const found = [];
for (const element of document.querySelectorAll("body *")) {
  if (element.closest(".sprite, .unseen, .toast, .chips")) continue;
  const box = element.getBoundingClientRect();
  if (box.width > 0 && outside(box)) found.push(`outside the screen: ${name(element)}`);
}
const words = ".goal b, .goal small, .calls span, .headline, .kicker, .seat, .feet-note, .load, .invite-main, .number, "
  + ".steps li, .tag-note, .summary p";
const label = document.getElementById("count-label"), depth = document.querySelector(".depth-label");
const left = (element) => element.getBoundingClientRect().left;
const right = (element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  return range.getBoundingClientRect().right;
};
if (depth.offsetParent && right(label) > left(depth)) found.push("the label runs into the depth's");
const number = document.getElementById("reps"), band = document.getElementById("depth-band");
if (band.offsetParent && right(number) > left(band)) found.push("the number runs into the depth");
const load = document.querySelector(".load");
if (band.offsetParent && load.offsetParent && right(load) > left(band)) found.push("the load runs into the depth");
for (const text of document.querySelectorAll(".goal b, .goal small")) {
  const range = document.createRange();
  range.selectNodeContents(text);
  const box = range.getBoundingClientRect(), around = text.closest("button").getBoundingClientRect();
  const room = Math.min(box.left - around.left, around.right - box.right);
  if (room < around.width * .05) found.push(`touches its button's edge: ${name(text)}`);
}
for (const text of document.querySelectorAll(words)) {
  const range = document.createRange();
  range.selectNodeContents(text);
  const box = range.getBoundingClientRect();
  const around = text.closest("button, .panel, .banner, .bars");
  if (box.width > 0 && !inside(around, box)) found.push(`wider than its box: ${name(text)}`);
}
const height = (selector) => document.querySelector(selector).getBoundingClientRect().height;
if (height(".banner-text") > height(".banner")) found.push("the banner's words are too tall");
if (document.documentElement.scrollHeight > innerHeight) found.push("the page scrolls");
return found;
"""
CONTRASTS = """
// WCAG 2 contrast of each visible word against the nearest painted background
const channel = (c) => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
const parse = (text) => {
  const numbers = text.match(/[\\d.]+/g).map(Number);
  return numbers.length === 4 && numbers[3] === 0 ? null : numbers.slice(0, 3);
};
const ownText = (element) => [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent).join("");
const found = [];
const words = ".banner p, .banner h1, .bar span, .bar button, .chips li, .panel p, .panel h2, .panel span, .panel b, "
  + ".goal b, .goal small, #help span";
for (const element of document.querySelectorAll(words)) {
  const text = ownText(element).trim();
  const style = getComputedStyle(element);
  if (!text || element.closest(".unseen, .tempo") || element.closest("button")?.disabled) continue;
  if (style.visibility === "hidden" || element.offsetParent === null) continue;
  let at = element, background = null;
  while (at && !background) { background = parse(getComputedStyle(at).backgroundColor); at = at.parentElement; }
  const [a, b] = [light(parse(style.color)), light(background ?? [0, 0, 0])].sort((x, y) => y - x);
  const ratio = (a + .05) / (b + .05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) found.push(`${text}: ${ratio.toFixed(2)}`);
}
return found;
"""


class Pages:
    """One browser on one machine whose state a thread repeats ten times a second."""

    def __init__(self, browser: Any, machine: WebMachine, address: str) -> None:
        self.browser, self.machine, self.address = browser, machine, address
        self._state: LiveState | None = SCENES["idle"]
        self.report: PartsReport | None = None
        """Of the sensors, repeated with the state."""
        self._seq = next(STARTS)
        self._telling = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._repeat, daemon=True)
        self._thread.start()

    def _repeat(self) -> None:
        while not self._ending.wait(0.1):
            with self._telling:
                if self._state is not None:
                    self._seq += 1
                    self.machine.publish(self._state, self._seq)
                if self.report is not None:
                    self.machine.hub.take_report(self.report)

    def end(self) -> None:
        self._ending.set()
        self._thread.join()

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, path: str = "/") -> None:
        self.browser.get(self.address + path)

    def say(self, state: LiveState | None) -> None:
        """From now on this is the device's state; returns when the page shows it. None: the device falls silent."""
        with self._telling:
            self._state = state
            first = self._seq + 1
        if state is not None:
            self.until(f"Number(document.body.dataset.seq) >= {first}")

    def script(self, code: str) -> Any:
        return self.browser.execute_script(code)

    def text(self, element_id: str) -> str:
        return str(self.script(f"return document.getElementById({json.dumps(element_id)}).textContent"))

    def until(self, code: str, within_s: float = 15.0) -> Any:
        """The value of the JavaScript expression once it is true."""
        return WebDriverWait(self.browser, within_s, poll_frequency=0.05).until(lambda _: self.script(f"return {code}"))

    def changes_to(self, element: str, text: str, within_s: float = 15.0) -> bool:
        """Whether the element of this id comes to hold just this text."""
        shown = f"document.getElementById({json.dumps(element)}).textContent"
        try:
            self.until(f"{shown} === {json.dumps(text)}", within_s)
        except TimeoutException:
            return False
        return True

    def show(self, name: str) -> None:
        """Publishes the scene; returns when the page says it."""
        self.say(SCENES[name])
        shown = "[b.dataset.mood, b.dataset.phase, document.getElementById('headline').textContent]"
        wanted = json.dumps([MOODS[name], SCENES[name].phase, HEADLINES[name]], separators=(",", ":"))
        self.until(f"((b) => JSON.stringify({shown}))(document.body) === {json.dumps(wanted)}")

    def sign_in(self, password: str) -> None:
        """As staff or admin, whoever was signed in before."""
        self.browser.delete_all_cookies()
        self.open("/staff/login")
        self.browser.find_element(By.ID, "password").send_keys(password)
        self.browser.find_element(By.CSS_SELECTOR, "button").click()
        self.until("document.querySelector('h1')?.textContent === 'Today'")

    def settled(self) -> None:
        """Returns when the page has drawn what its scripts draw."""
        self.until("document.readyState === 'complete'")
        self.until("!document.getElementById('motions') || document.getElementById('motions').dataset.shown")
        self.until("!document.getElementById('replay') || document.body.dataset.replay")
        plotted = "document.body.dataset.plotted || !document.getElementById('trend-problem').hidden"
        self.until(f"!document.getElementById('plots') || {plotted}")

    def complaints(self) -> list[str]:
        """What the browser's console holds, above remarks."""
        entries = self.browser.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self) -> list[str]:
        """Addresses asked for since the last call."""
        found = []
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return found


@dataclass
class Running:
    browser: Any
    machine: WebMachine
    address: str


@contextmanager
def running_browser(state_dir: Path, looks: CameraLooks | None = None) -> Iterator[Running]:
    """One browser and one server, for all tests of a module; ``looks`` answers for the vision process."""
    options = webdriver.ChromeOptions()
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with serving(state_dir, MAX_STREAMS, looks) as (machine, address):
        machine.hub.clock = time.monotonic
        browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            yield Running(browser, machine, address)
        finally:
            browser.quit()


@contextmanager
def fresh_pages(running: Running) -> Iterator[Pages]:
    """A kiosk as after its first start. At the end: no complaint on the console, no request off the machine."""
    running.machine.device.commands.clear()
    pages = Pages(running.browser, running.machine, running.address)
    pages.size(*SIZES["landscape"])
    pages.open()
    pages.script("localStorage.clear()")
    pages.complaints()
    pages.requests()
    yield pages
    pages.end()
    complaints = pages.complaints()
    assert complaints == [], complaints
    own = (running.address, "data:", f"blob:{running.address}")
    assert [url for url in pages.requests() if not url.startswith(own)] == []
