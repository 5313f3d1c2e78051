"""``python -m device.silence``: buzzer silent, light dark, after a device process that was killed.

Run by ``legpress-device.service`` whenever the process has ended, however it did: a Raspberry Pi's kernel leaves
an output as it was when the process that drove it is gone (unless config.txt says ``dtparam=strict_gpiod``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from device import config_file
from device.config import Config
from device.errors import LegpressError
from device.light import open_light
from device.pins import Board, open_board


def silence(config: Config, board: Board) -> None:
    """Takes every output of `config` and drives it low."""
    # opened as plain outputs, which begin low; a machine without a buzzer may use that pin for something else
    if config.outputs.buzzer != "none":
        board.output(config.pins.buzzer, "buzzer")
    open_light(config.outputs.light, board, config.pins)
    board.silence()


def main(
    arguments: Sequence[str], board_of: Callable[[Config], Board] = lambda config: open_board(config.pins.factory)
) -> int:
    parser = argparse.ArgumentParser(prog="silence", description=__doc__)
    parser.add_argument("--config", type=Path, metavar="FILE")
    try:
        config = config_file.load(parser.parse_args(arguments).config)
        with board_of(config) as board:
            silence(config, board)
    except LegpressError as error:
        print(f"silence: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
