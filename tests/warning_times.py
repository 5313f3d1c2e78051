"""How long a warning takes from the sample that shows its fault to the buzzer's pin, with all else under load.

``python tests/warning_times.py TIMES``: TIMES overloads, at any moment of the scenario, on the three running processes
with the real model; beside them `EVENT_STREAMS` open pages, one more that asks without end, and for each core a program
that computes and takes half a gigabyte. The device process has the share of the processor that its unit gives it; the
load has the usual one, as the other services have. One piece of JSON; fails above `WITHIN_MS`.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

from chaos import check_overload
from chaos_machine import Machine, running_machine, wait_for
from chaos_times import delays

WITHIN_MS = 300.0
"""What is asked of 99 in 100 warnings."""
EVENT_STREAMS = 20
PAUSE_S = (1.5, 3.0)
"""Between two overloads: the sound for a correction, and any moment of a rep."""
_COMPUTE = "block = bytearray(500_000_000)\nwhile True: block[::4096] = bytes(len(block[::4096]))"


@contextlib.contextmanager
def load(port: int) -> Iterator[None]:
    """Programs that compute, take memory and open pages, until the block is left."""
    commands = [[sys.executable, "-c", _COMPUTE] for _ in range(os.cpu_count() or 1)]
    commands.append([sys.executable, __file__, "--ask", str(port)])
    # a session each, as a service has: the kernel shares the processor out between sessions
    programs = [subprocess.Popen(command, start_new_session=True) for command in commands]
    try:
        yield
    finally:
        ended = [program.poll() for program in programs]
        for program in programs:
            program.kill()
            program.wait()
    assert ended == [None] * len(programs), f"the load ended before the measurement: {ended}"


def ask_without_end(port: int) -> None:
    """Event streams, taken slowly enough to be full at times, and one page after the other."""
    streams = []
    for _ in range(EVENT_STREAMS):
        stream = socket.create_connection(("127.0.0.1", port), timeout=10)
        stream.sendall(f"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        stream.setblocking(False)
        streams.append(stream)
    while True:
        for stream in streams:
            with contextlib.suppress(OSError):
                stream.recv(65536)
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
            page.read()


def measure(machine: Machine, times: int, chance: random.Random) -> int:
    """Overloads until `times` were timed; returns how many more were heard amid another sound, which tells no time."""
    number = 0
    while len(machine.report.warnings) < times:
        number += 1
        assert number < 3 * times + 10, "most overloads are heard amid another sound"
        machine.fault = f"overload {number}"
        wait_for(lambda: not machine.is_overloaded(), 10, "the overload before is over")
        time.sleep(chance.uniform(*PAUSE_S))
        check_overload(machine)
    return number - times


def main(words: list[str]) -> int:
    if words[0] == "--ask":
        ask_without_end(int(words[1]))
    with running_machine("legpress-warning-") as machine:
        wait_for(machine.vision_works, 60, "the cameras see")
        with load(machine.config.web.port):
            untimed = measure(machine, int(words[0]), random.Random(1))
            busy = [round(each, 1) for each in os.getloadavg()]
            nice = os.getpriority(os.PRIO_PROCESS, machine.pid("device"))
        told = delays(machine.report.warnings)
        restarts = machine.supervisor.restarts
    print(json.dumps({**told, "untimed": untimed, "restarts": restarts, "nice": nice, "load_average": busy}, indent=1))
    return 1 if told["sample_to_pin_ms"]["p99"] > WITHIN_MS else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
