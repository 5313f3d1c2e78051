"""One root for every error that a person is meant to read.

``legpress`` prints the text of any of these as one line and ends with ``exit_code``; the web pages turn
them into problem+json. Each also inherits the builtin that fits, so that library code reads naturally.
"""

from __future__ import annotations


class LegpressError(Exception):
    """Root of the project's errors. The text says what is wrong, where, what is allowed, what to do."""

    exit_code = 1


class UserError(LegpressError, ValueError):
    """The input is wrong (argument, file, setting): nothing was started."""

    exit_code = 2


class RunError(LegpressError, RuntimeError):
    """The input was fine, but the work could not be done (network, disk, a part that died)."""
