"""Throws damaged input at every parser: ``make fuzz``, or ``python tests/fuzz.py TARGET COUNT [SEED]``.

Each input is a valid one with a few things wrong (``fuzz_damage``). A parser may refuse (with its own error) or
accept; it may not crash, hang, give a number that is none, or keep half of what it refused. The same seed gives the
same inputs.
"""

from __future__ import annotations

import faulthandler
import json
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator

import fuzz_targets
import fuzz_vision
import fuzz_web
from fuzz_damage import Target

TARGETS: dict[str, Callable[[], Target]] = {
    "messages": fuzz_targets.messages,
    "configuration": fuzz_targets.configuration,
    "calibration": fuzz_targets.calibration,
    "calibrating": fuzz_targets.calibrating,
    "http": fuzz_web.http,
    "clips": fuzz_vision.clips,
    "landmarks": fuzz_vision.landmarks,
}
ONE_IN_A_HUNDRED = ("clips",)
SLOWEST_S = 5.0
"""An input that computes for longer is a hang: most take less than a millisecond. Time that others take, and time in
which the whole computer stood still, does not count."""
HANGS_S = 300
"""An input that waits for longer, without computing, will wait for ever: the process ends, and says where it stood."""
TELL_EVERY = 50_000


def outcomes(name: str, count: int, seed: int) -> Iterator[bool]:
    """Whether each of `count` inputs was accepted. Raises AssertionError for what may not happen, naming the input."""
    attempt = TARGETS[name]()
    for number in range(count):
        chance = random.Random(f"{name} {seed} {number}")
        signal.alarm(HANGS_S)
        began_s = time.process_time()
        try:
            accepted = attempt(chance)
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}, input {number}: {type(error).__name__}: {error}") from error
        finally:
            signal.alarm(0)
        took_s = time.process_time() - began_s
        assert took_s < SLOWEST_S, f"{name}, seed {seed}, input {number} computed for {took_s:.1f} s"
        yield accepted


def count_accepted(name: str, count: int, seed: int) -> int:
    accepted = 0
    for number, each in enumerate(outcomes(name, count, seed), start=1):
        accepted += each
        if number % TELL_EVERY == 0:
            print(f"{name}: {number} inputs, {accepted} accepted", file=sys.stderr, flush=True)
    return accepted


def main(words: list[str]) -> int:
    names = list(TARGETS) if words[0] == "all" else [words[0]]
    seed = int(words[2]) if len(words) > 2 else 1
    faulthandler.register(signal.SIGALRM, chain=True)  # says where, also in native code; then the alarm ends it
    for name in names:
        count = int(words[1]) // (100 if name in ONE_IN_A_HUNDRED and words[0] == "all" else 1)
        began_s, computed_s = time.monotonic(), time.process_time()
        report = {
            "target": name,
            "seed": seed,
            "inputs": count,
            "accepted": count_accepted(name, count, seed),
            "seconds": round(time.monotonic() - began_s, 1),
            "computed_seconds": round(time.process_time() - computed_s, 1),
        }
        print(json.dumps(report), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
