"""Keeps the chatter of native libraries off a person's terminal.

MediaPipe and TensorFlow Lite write to descriptor 2 from C++, whatever their log level is set to. Python's
own ``sys.stderr``, and with it every message and traceback of ours, keeps the terminal.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


def divert_native_messages(to: Path | None = None) -> None:
    """From now on what native code writes to descriptor 2 goes to the file `to`, or nowhere.

    Where the file cannot be written the messages stay on the terminal: noise is better than silence.
    """
    target = str(to) if to is not None else os.devnull
    with contextlib.suppress(OSError):
        if to is not None:
            to.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        sys.stderr.flush()
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
        os.dup2(descriptor, 2)
        os.close(descriptor)
