"""Entry of ``legpress``: finds the command, runs it, and turns its errors into one line and an exit code.

A command is a module ``device.command.NAME`` with ``add_arguments(parser)`` and ``run(args) -> int``. Only
the module that was asked for is imported, so that ``legpress --help`` is quick and a broken part of the
product cannot break the others' commands.

Exit codes: 0 done, 1 the run failed, 2 bad input, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import importlib.metadata
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

from device.errors import LegpressError

COMMANDS = {
    "demo": "the whole product on a simulated machine, in the browser",
    "run": "run the services of a real machine",
    "analyze": "judge a recorded set, from one camera or two",
    "calibrate": "load cell, seat and cameras, step by step",
    "config": "check or show the configuration",
    "model": "build or verify the pose model",
    "doctor": "examine every part and say what to do",
    "bench": "measure speed and accuracy",
    "export": "write sets, reps or alerts as CSV or JSON",
    "backup": "copy the database, proved sound, while the machine is in use",
    "restore": "put a backup in the database's place",
    "staff": "manage the staff's password",
}
"""Listed in the help where the module exists."""

INTERRUPTED = 130
INPUT_ERRNOS = frozenset(
    {
        errno.ENOENT,
        errno.EACCES,
        errno.EPERM,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.EROFS,
        errno.EADDRINUSE,
        errno.EADDRNOTAVAIL,
    }
)
"""System errors that follow from what the user named: a path or a port."""


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, without the usage text above it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"legpress: {message} (see '{self.prog} --help')\n")


def available() -> dict[str, str]:
    """The commands whose module is present, with their one-line help."""
    return {name: text for name, text in COMMANDS.items() if find_spec(f"device.command.{name}") is not None}


def build_parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for this command line: of all commands only the one in it is imported."""
    parser = OneLineParser(prog="legpress", description="A leg press that watches over you.")
    parser.add_argument("--version", action="version", version=f"legpress {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((word for word in argv if not word.startswith("-")), None)
    for name, text in available().items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name == wanted:
            module = importlib.import_module(f"device.command.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def _version() -> str:
    try:
        return importlib.metadata.version("legpress")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line (default: the process's own) and returns its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        args = build_parser(words).parse_args(words)
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (``legpress config show | head``): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except LegpressError as error:
        for line in str(error).splitlines():
            print(f"legpress: {line}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"legpress: {_os_error(error)}", file=sys.stderr)
        return 2 if error.errno in INPUT_ERRNOS else 1


def _os_error(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


if __name__ == "__main__":
    sys.exit(main())
