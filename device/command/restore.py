"""``legpress restore``: a backup takes the database's place; the one before is kept aside."""

from __future__ import annotations

import argparse
from pathlib import Path

from device import config_file
from device.bus import Subscriber
from device.config import Config
from device.errors import UserError
from device.store.backup import put_in_place
from device.store.backup_list import backups_of
from device.store.prepare import database_path, prepare_database, refuse_newer

LISTENS_S = 1.2
"""The device says how it is twice a second."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="a backup (default: the newest; see legpress backup --list)"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file")


def run(args: argparse.Namespace) -> int:
    config = config_file.load(args.config)
    database = database_path(config.paths.state_dir)
    backup = args.file or next(iter(backups_of(database)), None)
    if backup is None:
        raise UserError(f"there is no backup of {database}; name the file to restore")
    if not backup.is_file():
        raise UserError(f"{backup}: no such file; 'legpress backup --list' shows the backups")
    refuse_newer(backup)
    if device_runs(config):
        raise UserError(
            "the device service is running; stop it first (sudo systemctl stop legpress-device) and start it afterwards"
            ", or restore from the staff's page Backups"
        )
    config.paths.state_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    aside = put_in_place(backup, database, "replaced")
    prepare_database(config.paths.state_dir)
    print(f"{backup} was restored" + (f"; the database before it is kept as {aside}" if aside else ""))
    return 0


def device_runs(config: Config) -> bool:
    """True when the device process reports: nothing may be put in its place under its hands."""
    listener = Subscriber(config.paths.runtime_dir, "live")
    try:
        return listener.wait(LISTENS_S)
    finally:
        listener.close()
