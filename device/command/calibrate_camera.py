"""``legpress calibrate camera``: stickers or named points to a calibration, its error shown, the old one kept.

The vision process sees, fits and keeps, as it does for the staff's page; a picture file is fitted here.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from device.bus import BusError
from device.calibration_guide import Refused
from device.command.calibrate_steps import Dialogue, ask_device, look
from device.config import Camera, Config
from device.errors import UserError
from vision.calibration import CalibrationError
from vision.calibration_desk import LOOKS
from vision.calibration_file import calibration_text
from vision.calibration_keeping import keep, undo
from vision.camera_fit import CURRENT, SIMULATED, Fit, Lens, calibration_in, fit_points, fit_stickers, profile_named
from vision.machine_profile import load_profile, profile_path, shipped
from vision.scene import reference_of
from vision.sticker_sheet import sheet_pdf
from vision.stickers import find_stickers

LOOK_EVERY_S: Final = 0.3
_POINT: Final = re.compile(r"([a-z_]+)=(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for."""

    name: str | None
    machine: str
    family: str
    points: dict[str, tuple[float, float]]
    lens: Lens
    picture: Path | None
    out: Path | None

    @classmethod
    def of(cls, args: argparse.Namespace) -> Wishes:
        """Raises UserError for a point that is not NAME=X,Y or a lens that cannot be."""
        points: dict[str, tuple[float, float]] = {}
        for text in args.point or ():
            match = _POINT.fullmatch(text)
            if match is None or match[1] in points:
                raise UserError(f"--point {text}: allowed is NAME=X,Y, pixels, each name once (plate_top_left=388,166)")
            points[match[1]] = (float(match[2]), float(match[3]))
        try:
            lens = Lens(args.lens, args.hfov, args.focal)
        except CalibrationError as error:
            raise UserError(f"--{error}") from error
        return cls(args.name, args.machine, args.family, points, lens, args.picture, args.out)

    def json(self) -> str:
        """As the vision process takes it; a profile of the installer's own goes with it, for it is in their folder."""
        wish: dict[str, Any] = {"machine": self.machine}
        if self.machine not in (*shipped(), SIMULATED, CURRENT):
            load_profile(self.machine)  # what is wrong with it is said with its place
            wish["profile"] = profile_path(self.machine).read_text("utf-8")
        lens = {"lens": self.lens.name, "hfov_deg": self.lens.hfov_deg, "focal_px": self.lens.focal_px}
        wish |= {key: value for key, value in lens.items() if value is not None}
        return json.dumps(wish | ({"points": self.points} if self.points else {"stickers": self.family}))


def write_sheet(machine: str, family: str, out: Path) -> str:
    """Write the stickers of a profile as a PDF; returns what to tell."""
    profile = load_profile(machine)
    out.write_bytes(sheet_pdf(f"Leg press stickers, {profile.machine.kind}", profile.stickers, family))
    return (
        f"{out}: {len(profile.stickers)} stickers. Print at 100 % on matt paper, measure the bar (100 mm), "
        "keep the white margins, stick them flat."
    )


class CameraGuide:
    def __init__(self, config: Config, dialogue: Dialogue) -> None:
        self._config, self._talk = config, dialogue

    def run(self, wishes: Wishes, *, back: bool) -> int:
        """Calibrate, or bring ``back`` the calibration before. Raises Refused, BusError or UserError."""
        camera = self._camera(wishes.name)
        if back:
            return self._undo(camera, wishes.out)
        if wishes.machine == SIMULATED and self._config.simulation.scenario is None:
            raise UserError("--machine simulated: only with [simulation] scenario in the configuration")
        if wishes.picture is not None:
            return self._from_picture(wishes, camera, wishes.picture)
        return self._live(wishes, camera)

    def _camera(self, name: str | None) -> Camera:
        cameras = {camera.name: camera for camera in self._config.cameras}
        if name is None and len(cameras) == 1:
            return next(iter(cameras.values()))
        if name not in cameras:
            raise UserError(f"which camera? The configuration has {', '.join(cameras)}: legpress calibrate camera NAME")
        return cameras[name]

    def _live(self, wishes: Wishes, camera: Camera) -> int:
        wish = wishes.json()
        self._talk.say(
            f"Camera {camera.name}. The carriage rests, nobody is on the machine or near it, the light is as in use."
        )
        self._refuse_in_a_set()
        if not wishes.points:
            seen = set()
            for _ in range(LOOKS):
                seen |= set(look(self._config, f"stickers {camera.name} {wishes.family}")["stickers"])
                self._talk.sleep(LOOK_EVERY_S)
            self._talk.say(f"  Stickers seen: {', '.join(sorted(seen, key=int)) or 'none'}")
        fit = look(self._config, f"fit {camera.name} {wish}")
        if fit["refused"] is not None:
            raise Refused(fit["refused"])
        if not self._accepted(fit["told"]):
            return 1
        if wishes.out is not None:
            return self._write(wishes.out, look(self._config, f"text {camera.name} {fit['fit']}")["text"])
        self._refuse_in_a_set()
        path = look(self._config, f"keep {camera.name} {fit['fit']}")["path"]
        self._talk.say(f"In use now: {path}. Add --undo to the command to bring back the one before.")
        return 0

    def _refuse_in_a_set(self) -> None:
        """Raises Refused while somebody lifts; without a device process nobody is judged."""
        try:
            ask_device(self._config, {"part": "camera", "do": "free"})
        except BusError:
            self._talk.say("  (the device process does not run: nobody's set is disturbed)")

    def _from_picture(self, wishes: Wishes, camera: Camera, picture: Path) -> int:
        path = wishes.out or self._config.calibration_file(camera)
        fit = self._fitted(wishes, camera, picture, path)
        if not self._accepted(fit.told()):
            return 1
        return self._write(path, calibration_text(fit.made))

    def _fitted(self, wishes: Wishes, camera: Camera, picture: Path, path: Path) -> Fit:
        from vision.clip import read_picture

        image = read_picture(picture)
        height, width = image.shape[:2]
        profile = profile_named(wishes.machine, self._config, camera)
        scene, before = reference_of(image), calibration_in(path)
        if wishes.points:
            return fit_points(profile, wishes.points, (width, height), wishes.lens, scene, before)
        seen = find_stickers(image, wishes.family)
        return fit_stickers(profile, seen, wishes.family, (width, height), wishes.lens, scene, before)

    def _accepted(self, told: list[str]) -> bool:
        for line in told:
            self._talk.say(f"  {line}")
        if self._talk.agreed("Use it?"):
            return True
        self._talk.say("Nothing was changed.")
        return False

    def _write(self, path: Path, text: str) -> int:
        keep(path, text)
        self._talk.say(f"Written: {path}")
        return 0

    def _undo(self, camera: Camera, out: Path | None) -> int:
        if out is None:
            self._refuse_in_a_set()
            look(self._config, f"undo {camera.name}")
        else:
            undo(out)
        self._talk.say(f"Camera {camera.name} is back at the calibration before.")
        return 0
