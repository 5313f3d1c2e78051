"""``legpress run``: one service in this process, or all three as children in the foreground."""

from __future__ import annotations

import argparse
import faulthandler
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from device.command.native_log import native_messages_diverted
from device.command.supervisor import Supervisor, end_with_supervisor, stop_on_signals

if TYPE_CHECKING:
    from device.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "service",
        nargs="?",
        choices=("device", "vision", "web"),
        help="one service; without it all three, each restarted when it dies",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file")


def run(args: argparse.Namespace) -> int:
    if args.service == "device":
        leave_out_openssl()
    # not before: the configuration's library would load what the device leaves out
    from device import config_file

    config = config_file.load(args.config)
    if args.service == "vision":
        with native_messages_diverted(config.paths.runtime_dir / "vision-native.log"):
            return serve(args, config)
    return serve(args, config)


def serve(args: argparse.Namespace, config: Config) -> int:
    configure_log(args.service or "run")
    if args.service is None:
        stop = stop_on_signals()
        with Supervisor(args.config) as supervisor:
            return supervisor.wait(stop)
    end_with_supervisor()
    # a crash in native code, and the watchdog's SIGABRT, leave each thread's stack in the log
    faulthandler.enable(sys.stderr)
    stop = stop_on_signals()
    # each service is imported only in its own process: device stays free of the others' libraries
    if args.service == "device":
        import device.service

        device.service.run(config, stop)
    elif args.service == "vision":
        import vision.service

        vision.service.run(config, stop)
    else:
        import web_ui.service

        return web_ui.service.serve(config)
    return 0


def leave_out_openssl() -> None:
    """Keeps 5 MB of libcrypto out of this process, which asyncio and hashlib would load and nothing here needs.

    The device speaks to local sockets only; Python's own hash functions take OpenSSL's place.
    """
    for name in ("ssl", "_hashlib"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None makes the import fail, which both expect


def configure_log(service: str) -> None:
    """One line an entry on stderr; journald adds the time."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"{service}: %(levelname)s: %(message)s")
