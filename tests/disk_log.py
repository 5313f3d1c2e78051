"""What a process did to its files, and what a disk may hold of it after a power cut.

``record`` runs a program under strace and keeps every write, truncation, sync, rename and deletion in a folder, with
the bytes. ``Disk`` replays such a log up to any point: with every write as the kernel had it (the process was
killed), or with only what was synced by then (the power failed).
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CALLS = "openat,close,dup,pwrite64,write,ftruncate,fsync,fdatasync,unlink,unlinkat,rename,renameat,renameat2"
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)(?:<[^>]*>)?")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True)
class Operation:
    kind: str
    """write, truncate, sync, unlink, rename, or said: what the program wrote to its standard output."""
    path: str
    data: bytes = b""
    offset: int = 0
    """For write; for truncate the new length."""


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def record(code: str, folder: Path, log: Path) -> list[Operation]:
    """Runs Python `code` and returns what it did to files in `folder`, in order."""
    traced = ["-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(log)]
    command = ["strace", "-f", "-y", "-xx", "-s", "10000000", *traced]
    done = subprocess.run([*command, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[Operation] = []
    for line in log.read_text().splitlines():
        match = _CALL.match(line)
        if match is None or int(match[3]) < 0:
            continue
        operation = _operation(match[1], match[2], int(match[3]), str(folder))
        if operation is not None:
            found.append(operation)
    return found


def _operation(call: str, words: str, result: int, folder: str) -> Operation | None:
    texts = [_bytes(text) for text in _TEXT.findall(words)]
    at = re.match(r"\d+<([^>]*)>", words)
    path = _bytes(at[1]).decode() if at and at[1].startswith("\\x") else (at[1] if at else "")
    path = path.removesuffix(" (deleted)")
    if call == "write" and words.startswith("1<"):
        return Operation("said", "", texts[0])
    if call == "pwrite64" and path.startswith(folder):
        return Operation("write", path, texts[0], int(words.rsplit(", ", 1)[1]))
    if call == "ftruncate" and path.startswith(folder):
        return Operation("truncate", path, offset=int(words.rsplit(", ", 1)[1]))
    if call in ("fsync", "fdatasync") and path.startswith(folder):
        return Operation("sync", path)
    if call.startswith("unlink") and texts and texts[0].decode().startswith(folder):
        return Operation("unlink", texts[0].decode())
    return None


class Disk:
    """The files as they are for whoever looks (`seen`), and as they are for sure (`safe`)."""

    def __init__(self, folder: Path) -> None:
        self.seen = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.safe = dict(self.seen)
        self.said = b""

    def apply(self, operation: Operation) -> None:
        path = operation.path
        if operation.kind == "said":
            self.said += operation.data
        elif operation.kind == "write":
            self.seen[path] = overwritten(self.seen.get(path, b""), operation)
        elif operation.kind == "truncate":
            self.seen[path] = self.seen.get(path, b"")[: operation.offset].ljust(operation.offset, b"\0")
        elif operation.kind == "unlink":
            # a deletion may reach the disk before or after the power fails; the test tries both
            self.seen.pop(path, None)
        elif operation.kind == "sync" and path in self.seen:
            self.safe[path] = self.seen[path]


def overwritten(content: bytes, operation: Operation) -> bytes:
    before = content[: operation.offset].ljust(operation.offset, b"\0")
    return before + operation.data + content[operation.offset + len(operation.data) :]


def lay_out(files: dict[str, bytes], folder: Path, to: Path) -> None:
    """Writes `files`, which were in `folder`, into `to`; shared memory does not outlive a process."""
    for name, content in files.items():
        if not name.endswith("-shm"):
            target = to / Path(name).relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
