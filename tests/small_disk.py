"""A file system of its own, to be filled or turned read-only, and who has files of it open. Linux only; as root."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path, megabytes: int = 48) -> Iterator[bool]:
    """Makes ``folder`` and mounts a file system there, where this user may mount one; yields whether."""
    folder.mkdir(parents=True)
    if os.geteuid() != 0:
        yield False
        return
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Takes all the room that there is; the file that has it."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    return filler


def remounted(folder: Path, how: str) -> bool:
    """Turns it read-only ("ro") or back ("rw"); False where that is refused: a file is open for writing."""
    command = ["mount", "-o", f"remount,{how}", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def open_files(folder: Path, process: str = "[0-9]*") -> list[str]:
    """ "PROCESS: FILE", a line for each descriptor of a file in ``folder``; of all processes, or of "self"."""
    found = []
    for descriptor in Path("/proc").glob(f"{process}/fd/*"):
        with contextlib.suppress(OSError):
            at = os.readlink(descriptor)
            if at.startswith(f"{folder}/"):
                found.append(f"{descriptor.parts[2]}: {at}")
    return sorted(found)
