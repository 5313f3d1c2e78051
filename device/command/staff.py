"""``legpress staff``: the staff's password, and API tokens for other programs."""

from __future__ import annotations

import argparse
import getpass
import re
import sys
from pathlib import Path

from device import config_file
from device.errors import UserError
from web_ui.credentials import ROLES, add_token, drop_token, set_password


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    password = actions.add_parser("set-password", help="set the password of the staff's pages")
    password.add_argument("--stdin", action="store_true", help="read the password from standard input")
    password.add_argument(
        "--role", choices=ROLES, default="staff", help="staff (the default), or admin, who also changes settings"
    )
    token = actions.add_parser("add-token", help="make a read-only API token and print it, this once")
    token.add_argument("name", help="what the token is for; an older one of this name ends")
    dropped = actions.add_parser("drop-token", help="end an API token")
    dropped.add_argument("name", help="the name it was made with")
    for action in (password, token, dropped):
        action.add_argument("--config", type=Path, metavar="FILE", help="configuration file")


def run(args: argparse.Namespace) -> int:
    state_dir = config_file.load(args.config).paths.state_dir
    if args.action == "set-password":
        set_password(state_dir, _from_stdin() if args.stdin else _asked_twice(), args.role)
        print("The password is set; whoever was signed in must sign in again.")
    elif args.action == "drop-token":
        if not drop_token(state_dir, args.name):
            raise UserError(f"there is no token named {args.name!r}")
        print("The token has ended.")
    else:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", args.name):
            raise UserError(f"name {args.name!r}: 1 to 40 letters, digits or _ . - are allowed")
        print(add_token(state_dir, args.name))
    return 0


def _from_stdin() -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UserError("no password on standard input")
    return line


def _asked_twice() -> str:
    if not sys.stdin.isatty():
        raise UserError("no terminal to ask for the password on; use --stdin")
    try:
        first = getpass.getpass("New password: ")
        second = getpass.getpass("Again: ")
    except EOFError as error:
        raise UserError("no password was given") from error
    if first != second:
        raise UserError("the two passwords differ; nothing was changed")
    return first
