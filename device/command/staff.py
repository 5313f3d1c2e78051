"""``legpress staff``: the staff's password, and API tokens for other programs."""

from __future__ import annotations

import argparse
import getpass
import re
import sys
from pathlib import Path

from device import config_file
from device.errors import UserError
from web_ui.credentials import add_token, set_password


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    password = actions.add_parser("set-password", help="set the password of the staff's pages")
    password.add_argument("--stdin", action="store_true", help="read the password from standard input")
    token = actions.add_parser("add-token", help="make a read-only API token and print it, this once")
    token.add_argument("name", help="what the token is for; an older one of this name ends")
    for action in (password, token):
        action.add_argument("--config", type=Path, metavar="FILE", help="configuration file")


def run(args: argparse.Namespace) -> int:
    state_dir = config_file.load(args.config).paths.state_dir
    if args.action == "set-password":
        set_password(state_dir, _from_stdin() if args.stdin else _asked_twice())
        print("The password is set; whoever was signed in must sign in again.")
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
