"""What the operating system must provide, and the apt line for what it lacks.

Standard library only, for it runs before anything is installed:
``python3 -m device.command.prerequisites [--tests] [--packages]``. ``legpress doctor`` uses the same table.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Prerequisite:
    """A Debian package and the sign by which its presence is known."""

    package: str
    purpose: str
    present: Callable[[], bool]


def _loads(*sonames: str) -> Callable[[], bool]:
    def present() -> bool:
        try:
            for soname in sonames:
                ctypes.CDLL(soname)
        except OSError:
            return False
        return True

    return present


def _runs(program: str) -> Callable[[], bool]:
    return lambda: shutil.which(program) is not None


def _imports(*modules: str) -> Callable[[], bool]:
    return lambda: all(importlib.util.find_spec(module) is not None for module in modules)


INSTALL = (Prerequisite("python3-venv", "an environment of its own", _imports("venv", "ensurepip")),)
LIBRARIES = (
    Prerequisite("libegl1", "the pose model", _loads("libEGL.so.1")),
    Prerequisite("libgles2", "the pose model", _loads("libGLESv2.so.2")),
    Prerequisite("libgl1", "OpenCV", _loads("libGL.so.1")),
    Prerequisite("libglib2.0-0", "OpenCV", _loads("libglib-2.0.so.0", "libgthread-2.0.so.0")),
    Prerequisite("libxcb1", "OpenCV", _loads("libxcb.so.1")),
)
TESTS = (
    Prerequisite("chromium", "the tests of the pages", _runs("chromium")),
    Prerequisite("chromium-driver", "the tests of the pages", _runs("chromedriver")),
    Prerequisite("strace", "the tests of the store", _runs("strace")),
    Prerequisite("shellcheck", "the tests of the scripts", _runs("shellcheck")),
    Prerequisite("gcc", "the tests of faults", _runs("gcc")),
    Prerequisite("libc6-dev", "the tests of faults", lambda: Path("/usr/include/stdlib.h").exists()),
    Prerequisite("systemd", "the tests of the services", _runs("systemd-analyze")),
)


def missing(needed: Iterable[Prerequisite]) -> list[Prerequisite]:
    """Those of ``needed`` that this system lacks."""
    return [item for item in needed if not item.present()]


def apt_line(lacking: Iterable[Prerequisite]) -> str:
    """The command that installs what is lacking."""
    return f"sudo apt-get install {' '.join(item.package for item in lacking)}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="prerequisites", description=__doc__)
    parser.add_argument("--tests", action="store_true", help="also what the tests need")
    parser.add_argument("--packages", action="store_true", help="print only the names of the missing packages")
    args = parser.parse_args(argv)
    if sys.version_info < OLDEST_PYTHON:
        found, oldest = (".".join(map(str, version[:2])) for version in (sys.version_info, OLDEST_PYTHON))
        print(
            f"legpress: needs Python {oldest} or newer, this is {found}; name one: make PYTHON=python3.13",
            file=sys.stderr,
        )
        return 1
    lacking = missing((*INSTALL, *LIBRARIES, *(TESTS if args.tests else ())))
    if args.packages:
        print(" ".join(item.package for item in lacking))
        return 0
    if lacking:
        wanted = "; ".join(f"{item.package} (for {item.purpose})" for item in lacking)
        print(f"legpress: this system lacks {wanted}. Run: {apt_line(lacking)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
