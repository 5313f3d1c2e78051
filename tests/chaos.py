"""Breaks the running machine on purpose: the three real processes, simulated pins, a schedule of faults from a seed.

``make chaos SEEDS=20`` or ``python tests/chaos.py FIRST_SEED SEEDS FAULTS_EACH [FAULT...]``; faults that are named come
one after the other as they stand, over and over, in place of a schedule of all. Throughout it is checked that
  1  an overload, which the load cell alone shows, is on the buzzer's pin in time, unless load cell or device is broken;
  2  the buzzer is never on for longer than its longest pulse, unless its process was killed or frozen;
  3  every rep that was in the database stays there, once (after a corruption: every rep of the backup);
  4  memory and descriptors come back to what they were;
  5  no state, and no page, calls something ok that is stale;
  6  everything works again soon after each fault.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chaos_faults import FAULTS, LOAD_BROKEN, NEEDS_CLOCK, NEEDS_MOUNT
from chaos_inside import environment_of
from chaos_machine import BrokenInvariantError, Machine, Report, wait_for
from chaos_times import warned
from small_disk import small_disk

from device.scenario_clock import ScenarioClock

OVERLOAD_KGF = 900.0
LONGEST_PULSE_S = 1.5
"""The longest of device.sound_patterns is well below; the rest is this busy computer."""
WITHIN_S = 1.5
"""For the buzzer after an overload, here with every process and the tests on the same two cores; see the report for
what was reached."""
TOLD_WITHIN_S = 20.0
"""Until this program, which may be kept waiting itself, has read of it; `WITHIN_S` goes by the times on the pin."""
RECOVERS_S = {"device": 20.0, "web": 20.0, "vision": 40.0}
"""On a busy computer; see the report for what was reached."""

log = logging.getLogger("chaos")


def check_overload(machine: Machine) -> None:
    """1: somebody leans on the plate with far too much."""
    asked_s = time.monotonic()
    began_s = machine.set_broken(extra_kgf=OVERLOAD_KGF)

    def found() -> bool:
        return machine.overload_s > asked_s and machine.overload_since_s >= began_s

    def heard() -> bool:
        return found() and any(high and t_s > machine.overload_since_s for t_s, high in machine.buzzer_edges()[-40:])

    try:
        wait_for(heard, TOLD_WITHIN_S, f"the overload was heard, after {machine.fault}")
    finally:
        machine.set_broken(extra_kgf=0.0)
    decided_s, edges = machine.overload_since_s, machine.buzzer_edges()
    first_s = min(t_s for t_s, high in edges if high and t_s > decided_s)
    if first_s - began_s > WITHIN_S:
        raise BrokenInvariantError(
            f"the overload was heard after {first_s - began_s:.2f} s only, after {machine.fault}"
        )
    if (times := warned(began_s, machine.load_changes(), decided_s, edges)) is not None:
        machine.report.warnings.append(times)


def check_buzzer(machine: Machine) -> None:
    """2: by the trace of the pin."""
    rows = machine.buzzer_edges()
    for (rise_s, high), (fall_s, _) in itertools.pairwise(rows):
        if high and fall_s - rise_s > LONGEST_PULSE_S:
            away = any(begin_s <= fall_s and rise_s <= end_s for begin_s, end_s in machine.device_away_s)
            if not away:
                raise BrokenInvariantError(f"the buzzer was on for {fall_s - rise_s:.2f} s, after {machine.fault}")


def check_recovery(machine: Machine) -> None:
    """6. A pose from before is believed for a while: only a new one shows that the cameras see again."""
    mended_s = time.monotonic()
    for name, works in (
        ("device", machine.device_works),
        ("web", machine.web_works),
        ("vision", lambda: machine.seen_since(mended_s)),
    ):
        took_s = wait_for(works, RECOVERS_S[name], f"{name} works again after {machine.fault}")
        if took_s > 0.1:
            machine.report.recovery_s.setdefault(name, []).append(took_s)


def check_usage(machine: Machine, before: dict[str, tuple[float, int]]) -> None:
    """4."""
    more: list[str] = []

    def back() -> bool:
        more[:] = [
            f"{name} holds {megabytes:.0f} MB, {files} files; began with {before[name]}"
            for name, (megabytes, files) in machine.usage().items()
            if megabytes > 1.3 * before[name][0] + 20 or files > before[name][1] + 20
        ]
        return not more

    try:
        wait_for(back, 5, "memory and descriptors came back")
    except BrokenInvariantError as error:
        raise BrokenInvariantError(f"{error}: {'; '.join(more)}") from error


def run_seed(seed: int, count: int, report: Report, quiet: bool = True, only: Sequence[str] = ()) -> None:
    """One machine, `count` faults of `seed` or of `only`, every invariant. Raises BrokenInvariantError."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="legpress-chaos-") as name:
        home = Path(name)
        with small_disk(home / "state") as mounted:
            machine = Machine(home, report)
            report.left_out |= (set() if mounted else NEEDS_MOUNT) | (set() if machine.clock.available else NEEDS_CLOCK)
            with environment_of(machine.clock.environment(), machine.hog.environment()):
                try:
                    machine.supervisor.__enter__()
                    machine.start()
                    _run_faults(machine, _schedule(chance, count, report.left_out, only), chance, quiet)
                finally:
                    machine.end()


def _schedule(chance: random.Random, count: int, left_out: Set[str], only: Sequence[str]) -> list[str]:
    """Every fault once in an order of chance, then every fault again; or ``only``, as it stands."""
    names = [name for name in only or FAULTS if name not in left_out]
    rounds = (names if only else chance.sample(names, len(names)) for _ in range(count // max(len(names), 1) + 1))
    return list(itertools.chain.from_iterable(rounds))[:count]


def _run_faults(machine: Machine, order: Sequence[str], chance: random.Random, quiet: bool) -> None:
    wait_for(lambda: machine.page() == 200, 90, "the machine started")
    ScenarioClock(machine.config.paths.runtime_dir).start(time.monotonic())
    check_recovery(machine)
    wait_for(machine.store_works, 60, "the database was made")
    machine.staff.sign_in()
    machine.report.recovery_s.clear()
    before, committed = machine.usage(), machine.reps()
    for number, name in enumerate(order):
        machine.fault = f"fault {number}, {name}"
        if not quiet:
            log.info("%s", machine.fault)
        wait_for(lambda: not machine.is_overloaded(), 10, f"the overload before {machine.fault} is over")
        began_s = time.monotonic()
        if name in LOAD_BROKEN or name == "database_corrupted":
            FAULTS[name](machine, chance)
            check_recovery(machine)
            check_overload(machine)
        else:
            _with_overload(machine, chance, name)
            check_recovery(machine)
        machine.report.faults[name] += 1
        check_buzzer(machine)
        if machine.wrong:
            raise BrokenInvariantError("; ".join(machine.wrong[:3]))
        after = machine.reps()
        if lost := committed - after:
            raise BrokenInvariantError(f"{len(lost)} committed reps are gone after {machine.fault}")
        committed = after
        log.debug("%s took %.1f s", name, time.monotonic() - began_s)
    machine.report.reps += len(committed)
    check_usage(machine, before)


def _with_overload(machine: Machine, chance: random.Random, name: str) -> None:
    """The fault, and in its midst an overload, which must be heard all the same."""
    with ThreadPoolExecutor(1) as aside:
        breaking = aside.submit(FAULTS[name], machine, chance)
        time.sleep(0.3)
        check_overload(machine)
        breaking.result(300)


def main(words: list[str]) -> int:
    first, seeds, count = int(words[0]), int(words[1]), int(words[2])
    only = words[3:]
    if unknown := set(only) - set(FAULTS):
        print(f"unknown faults: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    report = Report()
    broken = 0
    for seed in range(first, first + seeds):
        try:
            run_seed(seed, count, report, quiet=False, only=only)
        except BrokenInvariantError as error:
            broken += 1
            print(json.dumps({"seed": seed, "broken": str(error)}), flush=True)
        so_far = {"seed": seed, "load_average": os.getloadavg(), **report.summary()}
        print(json.dumps(so_far), file=sys.stderr, flush=True)
    print(json.dumps({"seeds": seeds, "broken": broken, **report.summary()}, indent=1))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
