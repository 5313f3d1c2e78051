"""``legpress config check|show``: is the configuration file right, and what is in force."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from device import config_file
from device.config import Config

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="report every fault with its line")
    show = actions.add_parser("show", help="print the configuration in force, as TOML")
    for action in (check, show):
        action.add_argument("--config", type=Path, metavar="FILE", help="instead of the usual search for one")
    extent = show.add_mutually_exclusive_group()
    extent.add_argument("--all", action="store_true", help="every key (the default)")
    extent.add_argument("--changed", action="store_true", help="only what differs from the defaults")


def run(args: argparse.Namespace) -> int:
    found = config_file.find(args.config)
    config = config_file.load(args.config)
    if args.action == "check":
        print(f"{found}: the configuration is valid" if found else "no configuration file: the defaults are in force")
    else:
        print(f"# from {found}" if found else "# no configuration file: the defaults")
        print(to_toml(config, changed_only=args.changed), end="")
    return 0


def to_toml(config: Config, changed_only: bool = False) -> str:
    """The configuration as a TOML text that gives the same configuration again.

    Keys that stand at None (nothing set) are left out: TOML has no word for them.
    """
    values = config.model_dump(mode="json")
    if changed_only:
        values = _difference(values, _defaults())
    return "\n".join(_tables(values, ())) + "\n" if values else ""


def _defaults() -> dict[str, Any]:
    return config_file.with_absolute_paths(Config(), Path.cwd()).model_dump(mode="json")


def _difference(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            if inner := _difference(value, defaults[key]):
                changed[key] = inner
        elif value != defaults[key]:
            changed[key] = value
    return changed


def _tables(table: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Lines of one table: its own keys first, then the tables and arrays of tables in it."""
    inner = {key: value for key, value in table.items() if isinstance(value, dict) or _is_array_of_tables(value)}
    for key, value in table.items():
        if key not in inner and value is not None:
            yield f"{_key(key)} = {_toml_value(value)}"
    for key, value in inner.items():
        name = ".".join(_key(part) for part in (*path, key))
        for item in value if isinstance(value, list) else [value]:
            body = list(_tables(item, (*path, key)))
            if isinstance(value, list):
                yield from ("", f"[[{name}]]")
            elif body and not body[0].startswith("[") and body[0]:
                yield from ("", f"[{name}]")
            yield from body


def _is_array_of_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _toml_value(key)


def _toml_value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    if isinstance(value, float):
        return repr(value)
    # A JSON text, number or truth value is a TOML one too, but for DEL, which JSON leaves bare.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
