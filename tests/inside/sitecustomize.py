"""Brought into each process under test by ``tests/chaos_inside.py``: makes it take memory without end when told to.

It waits for a file with its process's id in the folder that the environment names; the memory goes with the file.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
import time
from pathlib import Path

STEP_BYTES = 16 * 2**20
STEP_S = 0.02


def _block() -> mmap.mmap:
    """Memory that is really there, not only promised."""
    return mmap.mmap(-1, STEP_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)


def _hog(told: Path) -> None:
    while True:
        time.sleep(0.1)
        with contextlib.ExitStack() as taken:
            while told.exists():
                try:
                    taken.callback(_block().close)
                except (OSError, MemoryError):
                    told.with_suffix(".full").touch()
                time.sleep(STEP_S)


if _folder := os.environ.get("LEGPRESS_CHAOS_HOG"):
    _told = Path(_folder) / str(os.getpid())
    threading.Thread(target=_hog, args=(_told,), name="hog", daemon=True).start()
