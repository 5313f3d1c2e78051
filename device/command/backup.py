"""``legpress backup``: a sound copy of the database, taken while the machine is in use."""

from __future__ import annotations

import argparse
from pathlib import Path

from device import config_file
from device.errors import UserError
from device.store.backup import back_up
from device.store.backup_list import backup_folder, backups_of
from device.store.prepare import database_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="where to (default: a dated file among the backups, of which two weeks are kept)",
    )
    parser.add_argument("--list", action="store_true", help="show the backups that there are, newest first")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file")


def run(args: argparse.Namespace) -> int:
    database = database_path(config_file.load(args.config).paths.state_dir)
    if args.list:
        for path in backups_of(database):
            print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
        return 0
    to = args.file
    if to is not None and to.is_dir():
        raise UserError(f"{to} is a folder; name a file in it")
    if to is not None and to.exists():
        raise UserError(f"{to} exists already and is not overwritten; name another file")
    made = back_up(database, to)
    print(f"{made}  {made.stat().st_size / 1e6:.1f} MB, read through and sound")
    if to is None and made.parent == backup_folder(database):
        print(f"{len(backups_of(database))} backups are kept")
    return 0
