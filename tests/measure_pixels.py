"""``python tests/measure_pixels.py``: from a state of the device to pixels on the kiosk, with ten pages open.

One Chromium and nine more clients take the same stream. Each state changes the picture; the page notes when its script
has put the state on the page, and when the frame after it has been presented (the second animation frame). Real time,
this machine's own clock on both ends; with them what each state costs the processors, and how busy the machine was.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
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
window.written = {};
new MutationObserver(() => {
  const seq = document.body.dataset.seq;
  window.written[seq] ??= performance.timeOrigin + performance.now();
  const note = () => { window.presented[seq] ??= performance.timeOrigin + performance.now(); };
  requestAnimationFrame(() => requestAnimationFrame(note));
}).observe(document.body, { attributes: true, attributeFilter: ['data-seq'] });
"""


def state_of(seq: int) -> LiveState:
    """The figure moves with every state, and every tenth one changes between a warning and none."""
    moving = replace(LIFTING, figure=figure(0.5 + 0.5 * (seq % 10) / 10), lumbar_flexion_deg=float(seq % 7))
    return warned(ROUNDING, moving) if seq // 10 % 2 else moving


# of a process of their own: what they do is no part of the machine's work
LISTEN = """
import selectors, socket, sys
from urllib.parse import urlsplit

place = urlsplit(sys.argv[1])
waiting = selectors.DefaultSelector()
for _ in range(int(sys.argv[2])):
    stream = socket.create_connection((place.hostname, place.port))
    stream.sendall(f"GET /api/v1/live HTTP/1.1\\r\\nHost: {place.netloc}\\r\\n\\r\\n".encode())
    waiting.register(stream, selectors.EVENT_READ)
while all(key.fileobj.recv(65536) for key, _ in waiting.select()):
    pass
"""


def p95(delays: list[float]) -> float:
    return round(statistics.quantiles(delays, n=20, method="inclusive")[-1], 1)


def after(published_ms: dict[int, float], noted_ms: dict[str, float]) -> list[float]:
    return [noted_ms[str(seq)] - at for seq, at in published_ms.items() if str(seq) in noted_ms]


def processor_s(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def main() -> int:
    options = webdriver.ChromeOptions()
    for flag in FLAGS.split():
        options.add_argument(flag)
    published_ms: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), OTHERS + 3) as (machine, address):
        machine.hub.clock = time.monotonic
        browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        try:
            browser.set_window_size(*SIZES["landscape"])
            machine.publish(LIFTING, 1)
            browser.get(address)
            listeners = subprocess.Popen([sys.executable, "-c", LISTEN, address, str(OTHERS)])
            while machine.hub.streams() < OTHERS + 1:
                time.sleep(0.05)
            browser.execute_script(WATCH)
            began_s = processor_s(resource.RUSAGE_SELF)
            for seq in range(2, STATES + 2):
                published_ms[seq] = 1000 * time.time()
                machine.publish(state_of(seq), seq)
                time.sleep(APART_S)
            server_ms = 1000 * (processor_s(resource.RUSAGE_SELF) - began_s) / STATES
            time.sleep(0.5)
            written = browser.execute_script("return window.written")
            presented = browser.execute_script("return window.presented")
        finally:
            listeners.terminate()
            listeners.wait()
            browser.quit()
    delays = after(published_ms, presented)
    figures = {
        "states": STATES,
        "presented": len(delays),
        "clients": OTHERS + 1,
        "limit_ms": LIMIT_MS,
        "p50_ms": round(statistics.median(delays), 1),
        "p95_ms": p95(delays),
        "p95_ms_to_the_page": p95(after(published_ms, written)),
        "server_processor_ms_a_state": round(server_ms, 2),
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
