"""The folder of all that is stored, as the device finds it at its start: usable at all, and the database in it."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable
from pathlib import Path

from device.core.events import Event, StoreStatus
from device.errors import UserError
from device.recorder import Store
from device.store.prepare import database_path, recover_and_prepare
from device.store.writer import StoreWriter


def refuse_unusable(state_dir: Path) -> None:
    """A folder that this user can never write to is a mistake in the configuration, and said before anything starts.

    A disk that is full or has turned read-only is not: the machine must warn all the same.

    Raises:
        UserError: naming the folder and what to do.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=state_dir).close()
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST):
            raise UserError(
                f"paths.state_dir: {state_dir} cannot be written ({error.strerror}); "
                "name a folder of your own, or give this one to the user that runs legpress"
            ) from error


def open_store(state_dir: Path, tell: Callable[[Event], None]) -> Store:
    """The writer, which makes the database ready on its own thread: a check, a migration or a slow disk keeps nobody
    from being warned. Where it cannot be made ready, nothing is stored, that is said, and it is tried again.
    """
    writer = StoreWriter(
        database_path(state_dir),
        lambda ok, detail: tell(StoreStatus(ok, detail)),
        prepare=lambda: recover_and_prepare(state_dir),
    )
    writer.start()
    return writer
