"""How long each service takes from SIGKILL to full function, in the running simulated machine.

``python tests/restart_times.py TIMES``: kills device, web and vision in turn, TIMES each; one line of JSON a service.
The device works when it tells a fresh load and seat, web when it answers with the state, vision when form is checked
on a pose that was taken since.
A tenth of a second of each time is the pause before the start, as RestartSec in the units.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable

from chaos_machine import Machine, running_machine, wait_for

WITHIN_S = {"device": 2.0, "web": 3.0, "vision": 6.0}
"""What is asked of them."""
SETTLES_S = 2.0


def restart(machine: Machine, name: str) -> float:
    """Kills it; the seconds until it does its work again."""
    victim, began_s = machine.pid(name), time.monotonic()
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: machine.pid(name) != victim, 10, f"{name} started again")
    again_s = time.monotonic()
    machine.device_left(began_s)  # states from before count no more, whoever was killed
    works: dict[str, Callable[[], bool]] = {
        "device": machine.device_works,
        "web": machine.web_works,
        "vision": lambda: machine.seen_since(again_s),
    }
    wait_for(works[name], 60, f"{name} works again")
    return time.monotonic() - began_s


def main(words: list[str]) -> int:
    times, late = int(words[0]), False
    with running_machine("legpress-restart-") as machine:
        wait_for(machine.vision_works, 60, "the cameras see")
        for service, limit_s in WITHIN_S.items():
            took_s = []
            for _ in range(times):
                time.sleep(SETTLES_S)
                took_s.append(round(restart(machine, service), 2))
            late |= max(took_s) > limit_s
            told = {"service": service, "limit_s": limit_s, "median_s": statistics.median(took_s)}
            load = [round(each, 1) for each in os.getloadavg()]
            print(json.dumps({**told, "worst_s": max(took_s), "all_s": took_s, "load_average": load}), flush=True)
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
