"""Keeps the chatter of native libraries off a person's terminal.

MediaPipe and TensorFlow Lite write to descriptor 2 from C++, whatever their log level is set to. Python's
own ``sys.stderr``, and with it every message and traceback of ours, keeps the terminal.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def native_messages_diverted(to: Path | None = None) -> Iterator[None]:
    """Inside, what native code writes to descriptor 2 goes to the file `to`, or nowhere.

    Raises:
        OSError: the file cannot be written.
    """
    if to is not None:
        to.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(to or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    sys.stderr.flush()
    terminal, ours = os.dup(2), sys.stderr
    try:
        with os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace") as stderr:
            sys.stderr = stderr
            os.dup2(target, 2)
            yield
    finally:
        sys.stderr = ours
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(target)
