"""Where the parts of the pose model come from: Google's wheel, Google's npm package, or files at hand.

Parts are known by their SHA-256, wherever they are found. Downloads go through the ordinary clients
(pip, npm) as this machine has them configured: their index, proxy and cache.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from device.errors import RunError, UserError

Progress = Callable[[str, int, int | None], None]
"""What is being done, how many bytes of it are done, and of how many (None: unknown)."""

WHEEL = "mediapipe==0.10.21"
WHEEL_BYTES = 35_600_000
"""About; for the progress bar."""
NPM_PACKAGE = "@mediapipe/pose@0.5.1675469404"
NPM_BYTES = 41_000_000

_LARGEST_PART_BYTES = 64_000_000
_POLL_S = 0.1
_NO_CONNECTION = re.compile(
    r"new connection|name resolution|timed out|Max retries|ProxyError|SSLError|ConnectionReset|Connection aborted"
    r"|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ECONNRESET",
)


class ModelError(RunError):
    """The pose model is missing, damaged or cannot be built."""


@dataclass(frozen=True, slots=True)
class Part:
    """One TFLite file, pinned."""

    name: str
    sha256: str
    size: int

    def cut_from(self, data: bytes) -> bytes | None:
        """The part, from its own file or from a bundled one, of which it is the end; None: not in it."""
        end = data[-self.size :]
        return end if hashlib.sha256(end).hexdigest() == self.sha256 else None


def take_parts(source: Path, parts: Iterable[Part]) -> dict[Part, bytes]:
    """Those of ``parts`` that a wheel, .tgz, .task or .tflite file holds.

    Raises UserError where the file cannot be read, or holds a file of the right name but other content.
    """
    found: dict[Part, bytes] = {}
    wrong: dict[str, str] = {}
    try:
        for name, data in _tflite_files(source):
            for part in parts:
                if (match := part.cut_from(data)) is not None:
                    found[part] = match
                elif name == part.name:
                    wrong[name] = hashlib.sha256(data).hexdigest()
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"{source}: damaged or incomplete archive: {error}") from None
    except OSError as error:
        raise UserError(f"{source}: cannot be read: {error.strerror or error}") from None
    for part in parts:
        if part.name in wrong and part not in found:
            raise UserError(
                f"{source}: {part.name} has SHA-256 {wrong[part.name]}, expected {part.sha256}: "
                "another version, or damaged; not used"
            )
    return found


def _tflite_files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Name without folders, and content, of each pose model in a file."""
    if source.suffix == ".tflite":
        yield source.name, source.read_bytes()
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            for entry in archive.infolist():
                if _may_be_a_part(entry.filename, entry.file_size):
                    yield PurePosixPath(entry.filename).name, archive.read(entry)
    elif tarfile.is_tarfile(source):
        with tarfile.open(source) as archive:
            for member in archive:
                if _may_be_a_part(member.name, member.size) and (file := archive.extractfile(member)):
                    yield PurePosixPath(member.name).name, file.read()
    else:
        raise UserError(f"{source}: allowed a wheel (.whl), an npm package (.tgz), a bundle (.task) or a .tflite file")


def _may_be_a_part(path: str, size: int) -> bool:
    name = PurePosixPath(path).name
    return name.startswith("pose_") and name.endswith(".tflite") and size <= _LARGEST_PART_BYTES


def download_wheel(folder: Path, progress: Progress) -> Path:
    """Fetches Google's wheel into ``folder`` with pip. Any platform's will do: the models in it are the same.

    Raises ModelError.
    """
    asked = ["--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--platform", "manylinux_2_28_x86_64"]
    quiet = ["--no-input", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *asked, *quiet, "--dest", str(folder), WHEEL]
    _run(command, folder, f"Downloading {WHEEL}", WHEEL_BYTES, progress)
    return _only_file(folder, "*.whl", WHEEL)


def download_npm_package(folder: Path, progress: Progress) -> Path:
    """Fetches Google's npm package, which has the lite and heavy models, into ``folder``. Raises ModelError."""
    npm = shutil.which("npm")
    if npm is None:
        raise ModelError(
            f"the lite and heavy models are in the npm package {NPM_PACKAGE}, but npm is not installed; "
            "install npm, or fetch the package elsewhere and give it with --from FILE.tgz"
        )
    command = [npm, "pack", NPM_PACKAGE, "--ignore-scripts", "--pack-destination", str(folder)]
    _run(command, folder, f"Downloading {NPM_PACKAGE}", NPM_BYTES, progress)
    return _only_file(folder, "*.tgz", NPM_PACKAGE)


def _only_file(folder: Path, pattern: str, what: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise ModelError(f"downloading {what} gave no file; try again, or give the file with --from FILE")
    return found[0]


def _run(command: list[str], folder: Path, label: str, total: int, progress: Progress) -> None:
    """Runs one download, watching its bytes arrive in ``folder`` (which is its temporary folder, too)."""
    log = folder / "download.log"
    progress(label, 0, total)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while True:
                try:
                    status = process.wait(_POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    progress(label, min(_bytes_in(folder), total), total)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if status != 0:
        raise ModelError(f"{label[0].lower()}{label[1:]} failed: {_reason(log.read_text(errors='replace'))}")
    progress(label, total, total)


def _bytes_in(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except FileNotFoundError:
                continue  # renamed by the download between the listing and the look
    return total


def _reason(log: str) -> str:
    """One sentence from the client's output."""
    if "No space left on device" in log:
        return "no space left on the disk for temporary files; free some, or set TMPDIR to a folder with 200 MB"
    if "No module named pip" in log:
        return "this Python has no pip; install it, or give the wheel with --from FILE.whl"
    if _NO_CONNECTION.search(log):
        return "no connection to the package index; connect this machine, or give the file with --from FILE"
    errors = [line for line in log.splitlines() if re.match(r"(ERROR|npm error|npm ERR!)", line)]
    last = (errors or log.strip().splitlines() or ["no message"])[-1]
    return f"{last[:200]}; or give the file with --from FILE"
