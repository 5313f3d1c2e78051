"""The moment at which the virtual machine started, shared by the processes without a message.

``python -m device.scenario_clock RUNTIME_DIR`` starts it, unless it runs: for an installed simulated machine.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from device.errors import RunError


class ScenarioClock:
    """The moment at which the virtual machine started, shared by all processes through one file."""

    def __init__(self, runtime_dir: Path) -> None:
        self._path = runtime_dir / "scenario-start"
        self._seen: tuple[int, int] | None = None
        self._start_s: float | None = None

    def start(self, now_s: float) -> None:
        """The timeline begins now (``time.monotonic``). Raises RunError when the file cannot be written."""
        fresh = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(f"{now_s!r}\n", encoding="ascii")
            fresh.replace(self._path)
        except OSError as error:
            raise RunError(f"the scenario's clock cannot be started: {self._path}: {error.strerror}") from error

    def clear(self) -> None:
        """Back to the settled state at 0, until the next ``start``."""
        self._path.unlink(missing_ok=True)

    def started(self) -> bool:
        return self._read() is not None

    def elapsed(self, now_s: float) -> float:
        """Seconds since the start; 0 before it, and for a start that lies ahead (left over from before a reboot)."""
        start_s = self._read()
        return 0.0 if start_s is None else max(0.0, now_s - start_s)

    def _read(self) -> float | None:
        try:
            found = self._path.stat()
            # a start puts a new file in the old one's place; file times alone are too coarse to tell them apart
            seen = (found.st_ino, found.st_mtime_ns)
            if seen != self._seen:
                self._start_s = float(self._path.read_text(encoding="ascii"))
                self._seen = seen
        except (OSError, ValueError):
            self._start_s, self._seen = None, None
        return self._start_s


if __name__ == "__main__":
    _clock = ScenarioClock(Path(sys.argv[1]))
    if _clock.elapsed(time.monotonic()) == 0.0:  # not started, or before this computer's last start
        _clock.start(time.monotonic())
