"""What is broken on the virtual machine right now, shared by its processes through one file, as ``ScenarioClock`` is.

Only simulated parts look at it; nobody writes it but a test. ``legpress demo`` and an installed simulated machine have
no such file, and nothing broken.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PotFault = Literal["open", "short", "jump"]
LoadFault = Literal["silent", "stuck_low", "noise", "corrupt", "rail_high", "rail_low"]
CameraFault = Literal["gone", "frozen", "garbage", "dark"]


@dataclass(frozen=True, slots=True)
class Broken:
    """All None and 0: nothing is."""

    load: LoadFault | None = None
    pot: PotFault | None = None
    camera: CameraFault | None = None
    extra_kgf: float = 0.0
    """Somebody leaning on the plate."""
    seat_offset_notches: float = 0.0
    """The seat's pin not in its hole."""


class ScenarioFaults:
    """Reads the file when it has changed. A file that is none breaks nothing."""

    def __init__(self, runtime_dir: Path) -> None:
        self._path = runtime_dir / "scenario-faults.json"
        self._seen: tuple[int, int] | None = None
        self._broken = Broken()

    def now(self) -> Broken:
        try:
            found = self._path.stat()
            seen = (found.st_ino, found.st_mtime_ns)
            if seen != self._seen:
                self._broken = Broken(**json.loads(self._path.read_text(encoding="ascii")))
                self._seen = seen
        except (OSError, ValueError, TypeError):
            self._broken, self._seen = Broken(), None
        return self._broken

    def set(self, broken: Broken) -> float:
        """From now on; the moment (``time.monotonic``) at which it was written. Raises OSError."""
        assert math.isfinite(broken.extra_kgf)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(dataclasses.asdict(broken)), encoding="ascii")
        now_s = time.monotonic()
        fresh.replace(self._path)
        return now_s
