"""Faults from inside the processes of ``tests/chaos.py``: a wall clock that jumps, and memory taken without end."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

INSIDE = Path(__file__).parent / "inside"
COMPILER, HEADERS = "gcc", Path("/usr/include/stdlib.h")
HOUR_S = 3600


class WallClock:
    """The wall clock of the processes, which can be set while they run, as NTP or a person does; their monotonic one
    goes on. ``available`` is False without a C compiler, which the library that is preloaded into them needs."""

    def __init__(self, folder: Path) -> None:
        self._file, self._library = folder / "wall-clock", folder / "wall-clock.so"
        self.available = shutil.which(COMPILER) is not None and HEADERS.exists()
        self.offset_s = 0
        self._file.write_bytes(bytes(8))
        if self.available:
            command = [COMPILER, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(self._library)]
            subprocess.run([*command, str(INSIDE / "wall_clock.c")], check=True)

    def set(self, offset_s: int) -> None:
        """From now on that much ahead of the true time, or behind it."""
        self.offset_s = offset_s
        with self._file.open("r+b", buffering=0) as file:  # in its place, for the processes have it mapped
            file.write(offset_s.to_bytes(8, sys.byteorder, signed=True))

    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "LEGPRESS_CHAOS_CLOCK": str(self._file)} if self.available else {}


class Hog:
    """Makes one process take memory until it reaches its limit, as a leak does on the machine, and lets go again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "hogs"
        self._folder.mkdir()

    def environment(self) -> dict[str, str]:
        path = os.environ.get("PYTHONPATH")
        return {
            "LEGPRESS_CHAOS_HOG": str(self._folder),
            "PYTHONPATH": str(INSIDE) if path is None else f"{INSIDE}{os.pathsep}{path}",
        }

    @contextmanager
    def in_process(self, pid: int, room_bytes: int) -> Iterator[Path]:
        """While entered, ``pid`` takes all of ``room_bytes`` beyond what it has; yields the file that says when it is
        full: from then on nothing in it gets memory. Stays quiet when the process dies of it."""
        told, hard = self._folder / str(pid), resource.RLIM_INFINITY
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
            _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
            resource.prlimit(pid, resource.RLIMIT_AS, (pages * resource.getpagesize() + room_bytes, hard))
        full = told.with_suffix(".full")
        full.unlink(missing_ok=True)
        told.touch()
        try:
            yield full
        finally:
            told.unlink()
            with contextlib.suppress(OSError):
                resource.prlimit(pid, resource.RLIMIT_AS, (hard, hard))


@contextmanager
def environment_of(*parts: Mapping[str, str]) -> Iterator[None]:
    """For processes that are started meanwhile."""
    before = dict(os.environ)
    for part in parts:
        os.environ.update(part)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
