"""``python tests/measure_pixels.py``: from a state of the device to pixels on the kiosk, with ten pages open.

One Chromium and nine more clients take the same stream. Each state changes the picture; the page notes when the
frame after it has been presented (the second animation frame). Real time, this machine's own clock on both ends.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from kiosk_browser import FLAGS, SIZES
from kiosk_scenes import LIFTING, ROUNDING, figure, warned
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from web_server import serving

from device.messages import LiveState

STATES = 300
APART_S = 0.1
OTHERS = 9
LIMIT_MS = 100
WATCH = """
window.presented = {};
new MutationObserver(() => {
  const seq = document.body.dataset.seq;
  const note = () => { window.presented[seq] ??= performance.timeOrigin + performance.now(); };
  requestAnimationFrame(() => requestAnimationFrame(note));
}).observe(document.body, { attributes: true, attributeFilter: ['data-seq'] });
"""


def state_of(seq: int) -> LiveState:
    """The figure moves with every state, and every tenth one changes between a warning and none."""
    moving = replace(LIFTING, figure=figure(0.5 + 0.5 * (seq % 10) / 10), lumbar_flexion_deg=float(seq % 7))
    return warned(ROUNDING, moving) if seq // 10 % 2 else moving


def listen(address: str, ending: threading.Event) -> None:
    with suppress(OSError), urllib.request.urlopen(f"{address}/api/v1/live", timeout=5) as stream:
        while not ending.is_set() and stream.readline():
            pass


def main() -> int:
    options = webdriver.ChromeOptions()
    for flag in FLAGS.split():
        options.add_argument(flag)
    ending = threading.Event()
    published_ms: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), OTHERS + 3) as (machine, address):
        machine.hub.clock = time.monotonic
        browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        try:
            browser.set_window_size(*SIZES["landscape"])
            machine.publish(LIFTING, 1)
            browser.get(address)
            listeners = [threading.Thread(target=listen, args=(address, ending), daemon=True) for _ in range(OTHERS)]
            for listener in listeners:
                listener.start()
            while machine.hub.streams() < OTHERS + 1:
                time.sleep(0.05)
            browser.execute_script(WATCH)
            for seq in range(2, STATES + 2):
                published_ms[seq] = 1000 * time.time()
                machine.publish(state_of(seq), seq)
                time.sleep(APART_S)
            time.sleep(0.5)
            presented = browser.execute_script("return window.presented")
        finally:
            ending.set()
            browser.quit()
    delays = [presented[str(seq)] - at for seq, at in published_ms.items() if str(seq) in presented]
    p95 = statistics.quantiles(delays, n=20, method="inclusive")[-1]
    figures = {"states": STATES, "presented": len(delays), "clients": OTHERS + 1, "limit_ms": LIMIT_MS}
    print(json.dumps({**figures, "p50_ms": round(statistics.median(delays), 1), "p95_ms": round(p95, 1)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
