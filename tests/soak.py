"""A long day: ``make soak``, or ``python tests/soak.py SETS MINUTES [FOLDER]``.

First SETS sets pass through the rules and the database as fast as they can (a busy gym sees about 300 a day), then
the three real processes with the real model run for MINUTES. What grows, and which rep is missing, is reported;
with a FOLDER a plot of memory and descriptors is left in it.
"""

from __future__ import annotations

import gc
import json
import os
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression
from typing import Any
from unittest.mock import patch

from chaos_machine import running_machine
from core_story import Story, as_measured

from device.core.actions import StoreRep
from device.recorder import Recorder
from device.store.prepare import prepare_database
from device.store.writer import StoreWriter

REPS = 8
MOST_GROWTH = 0.01
"""Share of the memory after the first tenth, which fills caches."""
MORE_DESCRIPTORS = 2
"""A backup or a page may be under way when they are counted."""
_EVERY_S = 10.0


@dataclass
class Course:
    """Memory (MB) and descriptors over time, by process."""

    t_s: list[float] = field(default_factory=list)
    megabytes: dict[str, list[float]] = field(default_factory=dict)
    descriptors: dict[str, list[int]] = field(default_factory=dict)

    def note(self, t_s: float, usage: dict[str, tuple[float, int]]) -> None:
        self.t_s.append(t_s)
        for name, (megabytes, descriptors) in usage.items():
            self.megabytes.setdefault(name, []).append(megabytes)
            self.descriptors.setdefault(name, []).append(descriptors)

    def growth(self, name: str) -> float:
        """From the mean of the second tenth to that of the last, as a share; negative when it shrank."""
        values = self.megabytes[name]
        tenth = max(1, len(values) // 10)
        early, late = values[tenth : 2 * tenth] or values[:1], values[-tenth:]
        return (sum(late) / len(late)) / (sum(early) / len(early)) - 1.0

    def slope(self, name: str) -> float:
        """MB an hour over the second half, by least squares: how a leak would go on; 0 with fewer than 2 points."""
        half = len(self.t_s) // 2
        hours, values = [t_s / 3600 for t_s in self.t_s[half:]], self.megabytes[name][half:]
        if len(values) < 2:
            return 0.0
        return linear_regression(hours, values).slope


def own_usage() -> tuple[float, int]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(os.listdir("/proc/self/fd"))


def pass_sets(count: int, folder: Path) -> dict[str, Any]:
    """`count` sets of `REPS` reps through the rules into a database; all accelerated."""
    database = prepare_database(folder)
    store = StoreWriter(database, lambda ok, detail: None)
    recorder, course, told = Recorder(store, lambda event: None), Course(), 0
    story = Story(load_kg=0.0)
    began_s = time.monotonic()
    for number in range(count):
        with patch("device.core.step.judge", as_measured):  # the story tells measures, not raw evidence
            story.load_kg = 60.0
            story.wait(1.0).reps(REPS)
            story.load_kg = 0.0
            story.wait(8.0)
        for _, action in story.done:
            told += isinstance(action, StoreRep)
            recorder.record(action)
        story.forget()
        while store.pending():
            store.work_once()
        gc.collect()
        course.note(number, {"rules and store": own_usage()})
    with sqlite3.connect(database) as connection:
        stored = connection.execute("SELECT COUNT(*) FROM reps").fetchone()[0]
        sets = connection.execute("SELECT COUNT(*) FROM sets").fetchone()[0]
    connection.close()
    return {
        "sets": sets,
        "reps_done": count * REPS,
        "reps_told": told,
        "reps_stored": stored,
        "memory_growth": round(course.growth("rules and store"), 4),
        "descriptors": [course.descriptors["rules and store"][0], course.descriptors["rules and store"][-1]],
        "simulated_hours": round(story.t_s / 3600, 2),
        "seconds": round(time.monotonic() - began_s, 1),
    }


def run_processes(minutes: float, plot_in: Path | None) -> dict[str, Any]:
    """The real processes on the simulated machine, again and again through the scenario."""
    course = Course()
    with running_machine("legpress-soak-") as machine:
        began_s = time.monotonic()
        while (elapsed_s := time.monotonic() - began_s) < 60 * minutes:
            course.note(elapsed_s, machine.usage())
            time.sleep(min(_EVERY_S, 60 * minutes / 20))
        reps, restarts, wrong = len(machine.reps()), machine.supervisor.restarts, list(machine.wrong)
    if plot_in is not None:
        plot(course, plot_in / "soak.png")
    return {
        "minutes": minutes,
        "memory_growth": {name: round(course.growth(name), 4) for name in course.megabytes},
        "megabytes": {name: [round(values[0], 1), round(values[-1], 1)] for name, values in course.megabytes.items()},
        "megabytes_an_hour_at_last": {name: round(course.slope(name), 2) for name in course.megabytes},
        "descriptors": {name: [values[0], values[-1]] for name, values in course.descriptors.items()},
        "reps_stored": reps,
        "restarts": restarts,
        "stale_called_ok": wrong,
        "load_average": [round(each, 1) for each in os.getloadavg()],
    }


def faults_of(passed: dict[str, Any], ran: dict[str, Any] | None) -> list[str]:
    """What was not as asked, in words; ``ran`` None where no process was run."""
    faults = []
    if not passed["reps_done"] == passed["reps_told"] == passed["reps_stored"]:
        faults.append("a rep is missing")
    growth = {"rules and store": passed["memory_growth"], **(ran["memory_growth"] if ran else {})}
    held = {"rules and store": passed["descriptors"], **(ran["descriptors"] if ran else {})}
    faults += [f"{name} grew by {100 * share:.1f} %" for name, share in growth.items() if share > MOST_GROWTH]
    faults += [f"{name} keeps files open" for name, (first, last) in held.items() if last > first + MORE_DESCRIPTORS]
    if ran and ran["restarts"]:
        faults.append(f"{ran['restarts']} restarts")
    if ran and ran["stale_called_ok"]:
        faults.append("something stale was called ok")
    return faults


def plot(course: Course, to: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (upper, lower) = pyplot.subplots(2, 1, sharex=True, figsize=(8, 6))
    minutes = [t_s / 60 for t_s in course.t_s]
    for name in course.megabytes:
        upper.plot(minutes, course.megabytes[name], label=name)
        lower.plot(minutes, course.descriptors[name], label=name)
    upper.set_ylabel("resident memory (MB)")
    lower.set_ylabel("open descriptors")
    lower.set_xlabel("minutes")
    upper.legend()
    figure.savefig(to, dpi=120)


def main(words: list[str]) -> int:
    sets, minutes = int(words[0]), float(words[1])
    plot_in = Path(words[2]) if len(words) > 2 else None
    with tempfile.TemporaryDirectory(prefix="legpress-soak-") as name:
        passed = pass_sets(sets, Path(name))
    print(json.dumps({"accelerated": passed}, indent=1), flush=True)
    ran = run_processes(minutes, plot_in) if minutes > 0 else None
    if ran:
        print(json.dumps({"processes": ran}, indent=1))
    faults = faults_of(passed, ran)
    if faults:
        print(f"soak: {'; '.join(faults)}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
