"""``python tests/take_pictures.py``: pictures of every state of the kiosk and every page of the staff, for docs.

From the same states and the same stored history as the tests of the pages, in a real Chromium.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path

from calibration_pages import click_points
from calibration_pictures import Cameras, stickered
from kiosk_browser import SIZES, Pages, Running, fresh_pages, running_browser
from kiosk_scenes import SCENES
from PIL import Image
from staff_history import EXAMINED, REPORT, write_week
from web_machine import ADMIN_PASSWORD, NOON

from device.store.backup import back_up
from device.store.backup_list import backup_folder
from device.store.prepare import database_path
from web_ui.parts import parts

STAFF = {
    "today": "",
    "sets": "/sets",
    "set": "/sets/set-28",
    "alerts": "/alerts",
    "alert": "/alerts/alert-28",
    "review": "/review",
    "trends": "/trends?by=week",
    "machine": "/machine",
    "settings": "/settings",
    "calibration": "/calibration",
    "calibrate-load": "/calibration/load",
    "calibrate-camera": "/calibration/camera/side",
    "members": "/members",
    "member": "/members/4711",
    "data": "/data",
    "audit": "/audit",
    "backups": "/backups",
}
WIDE, PHONE = (1440, 900), (390, 844)
FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"


def kiosk_pictures(pages: Pages, folder: Path, sizes: list[str], only: str) -> None:
    for size in sizes:
        pages.size(*SIZES[size])
        pages.open()
        for name in SCENES:
            if only in name:
                pages.show(name)
                # a flash or a fade is at its start, so that the same state gives the same picture
                pages.script("document.getAnimations().forEach((each) => { each.pause(); each.currentTime = 0; })")
                save(pages, folder / f"kiosk-{name.replace('_', '-')}-{size}.png")


def staff_pictures(pages: Pages, folder: Path, only: str) -> None:
    for name, size in (("wide", WIDE), ("phone", PHONE)):
        pages.size(*size)
        pages.sign_in(ADMIN_PASSWORD)
        for page, path in STAFF.items():
            if only in page:
                pages.open()
                pages.say(SCENES["idle" if page.startswith("calibrat") else "lifting"])  # nobody who lifts is looked at
                pages.open(f"/staff{path}")
                pages.settled()
                if page == "calibrate-camera":
                    click_points(pages)
                    pages.script("scrollTo(0, 0)")
                save(pages, folder / f"staff-{page}-{name}.png")


def keep_backups(database: Path) -> None:
    """Some nights', and what a restored one replaced."""
    for name in ("20261121T033412Z", "20261122T033158Z", "20261122T101502Z-before-restore", "20261123T033705Z"):
        back_up(database, backup_folder(database) / f"legpress-{name}.sqlite3")


def save(pages: Pages, path: Path) -> None:
    picture = Image.open(io.BytesIO(pages.browser.get_screenshot_as_png()))
    picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path.name, flush=True)


def take(running: Running, args: argparse.Namespace) -> None:
    with fresh_pages(running) as pages:
        if args.what != "staff":
            kiosk_pictures(pages, args.folder, args.sizes, args.only)
        if args.what != "kiosk":
            write_week(running.machine, NOON)
            keep_backups(database_path(running.machine.config.paths.state_dir))
            with running.machine.app.app_context():
                parts().examination._examine = lambda config, now: list(EXAMINED)
            pages.report = REPORT
            staff_pictures(pages, args.folder, args.only)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=["landscape", "portrait"])
    parser.add_argument("--what", choices=("kiosk", "staff", "all"), default="all")
    parser.add_argument("--only", default="", help="states whose name holds this")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        cameras = Cameras(state, time.monotonic, stickered())
        with running_browser(state, cameras.looks) as running:
            take(running, args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
