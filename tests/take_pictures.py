"""``python tests/take_pictures.py``: pictures of every state of the kiosk and every page of the staff, for docs.

From the same states and the same stored history as the tests of the pages, in a real Chromium.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from kiosk_browser import SIZES, Pages, Running, fresh_pages, running_browser
from kiosk_scenes import SCENES

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


def save(pages: Pages, path: Path) -> None:
    pages.browser.save_screenshot(str(path))
    print(path.name)


def take(running: Running, args: argparse.Namespace) -> None:
    with fresh_pages(running) as pages:
        kiosk_pictures(pages, args.folder, args.sizes, args.only)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=["landscape", "portrait"])
    parser.add_argument("--only", default="", help="states whose name holds this")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state, running_browser(Path(state)) as running:
        take(running, args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
