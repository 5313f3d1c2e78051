"""``legpress calibrate load|seat|camera|sheet``: guided, resumable, undoable; nothing changes before the last yes.

The services stay running: the device process owns the pins and the vision process the cameras, so both are asked
over the bus, and take up what was measured by themselves.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from device import config_file
from device.command.calibrate_steps import Dialogue
from device.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="WHAT")
    load = actions.add_parser(
        "load", help="the load: empty, a known weight, another to check; a cell for each foot, too"
    )
    seat = actions.add_parser("seat", help="the seat: visit every notch, or with a ranger the first and the last")
    camera = actions.add_parser("camera", help="a camera: by stickers on the machine, or by named points")
    sheet = actions.add_parser("sheet", help="the stickers to print, as a PDF")
    for action in (load, seat, camera):
        action.add_argument("--config", type=Path, metavar="FILE", help="instead of the usual search for one")
        action.add_argument("--undo", action="store_true", help="bring back the calibration before")
        action.add_argument("--yes", action="store_true", help="accept the result without asking")
    for action in (load, seat):
        action.add_argument("--again", action="store_true", help="from the first step, not where it was left")
    camera.add_argument("name", nargs="?", help="the camera's name; not needed where there is only one")
    for action in (camera, sheet):
        action.add_argument(
            "--machine",
            default="sled45",
            metavar="PROFILE",
            help="sled45, seated_horizontal, your own FILE.toml, or current: as the camera was calibrated before",
        )
        action.add_argument("--family", choices=("aruco", "apriltag"), default="aruco", help="kind of stickers")
    camera.add_argument("--point", action="append", metavar="NAME=X,Y", help="a named point in the picture, pixels")
    lens = camera.add_mutually_exclusive_group()
    lens.add_argument("--lens", metavar="NAME", help="module2, module3 (default), module3-wide, hq-6mm or global-6mm")
    lens.add_argument("--hfov", type=float, metavar="DEG", help="horizontal field of view of the picture")
    lens.add_argument("--focal", type=float, metavar="PX", help="focal length in pixels of the picture")
    camera.add_argument("--picture", type=Path, metavar="FILE", help="from a picture file instead of the live camera")
    camera.add_argument("--out", type=Path, metavar="FILE", help="write the calibration here, not where it is used")
    sheet.add_argument("out", type=Path, metavar="FILE.pdf", help="the PDF to write")


def run(args: argparse.Namespace) -> int:
    if args.action == "sheet":
        from device.command.calibrate_camera import write_sheet

        print(write_sheet(args.machine, args.family, args.out))
        return 0
    config = config_file.load(args.config)
    dialogue = Dialogue(read_line(), sys.stdout, assume_yes=args.yes)
    if args.action in ("load", "seat"):
        from device.command.calibrate_sensor import SensorGuide

        return SensorGuide(config, dialogue, args.action).run(back=args.undo, again=args.again)
    from device.command.calibrate_camera import CameraGuide, Wishes

    return CameraGuide(config, dialogue).run(Wishes.of(args), back=args.undo)


def read_line() -> Callable[[], str]:
    """One line of what the installer types; at its end the calibration is left where it is."""

    def line() -> str:
        text = sys.stdin.readline()
        if not text:
            raise UserError("no more input: stopped; what was measured is kept, run the command again to go on")
        return text.strip()

    return line
