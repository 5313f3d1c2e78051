"""``legpress calibrate camera``: stickers or named points to a calibration, its error shown, the old one kept."""

from __future__ import annotations

import argparse
import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.command.calibrate_steps import Dialogue, Refused, look
from device.config import Camera, Config
from device.errors import UserError
from vision.calibration import Calibration, CalibrationError
from vision.calibration_file import calibration_text, load_calibration
from vision.camera_calibration import from_points, from_stickers
from vision.camera_pose import CameraPose, focal_length_px, lens_focal_px
from vision.machine_profile import MachineProfile, load_profile, profile_of
from vision.scene import SceneReference, reference_of
from vision.sticker_sheet import sheet_pdf
from vision.stickers import find_stickers, settled_corners

Floats = NDArray[np.float64]

LOOKS: Final = 8
LOOK_EVERY_S: Final = 0.3
DEFAULT_LENS: Final = "module3"
SIMULATED: Final = "simulated"
"""Profile name: the simulated machine's own dimensions."""
_POINT: Final = re.compile(r"([a-z_]+)=(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for."""

    name: str | None
    machine: str
    family: str
    points: dict[str, tuple[float, float]]
    lens: str | None
    hfov_deg: float | None
    focal_px: float | None
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
        if args.hfov is not None and not 20.0 <= args.hfov <= 140.0:
            raise UserError(f"--hfov {args.hfov:g}: allowed 20 to 140 (degrees)")
        if args.focal is not None and not 100.0 <= args.focal <= 20_000.0:
            raise UserError(f"--focal {args.focal:g}: allowed 100 to 20000 (pixels)")
        return cls(
            args.name, args.machine, args.family, points, args.lens, args.hfov, args.focal, args.picture, args.out
        )

    def focal_length_px(self, width_px: int) -> float:
        if self.focal_px is not None:
            return self.focal_px
        if self.hfov_deg is not None:
            return focal_length_px(self.hfov_deg, width_px)
        return lens_focal_px(self.lens or DEFAULT_LENS, width_px)


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

    def run(self, wishes: Wishes, *, undo: bool) -> int:
        camera = self._camera(wishes.name)
        path = wishes.out or self._config.calibration_file(camera)
        if undo:
            return self._undo(camera, path, live=wishes.out is None)
        profile = self._profile(wishes, camera)
        made, pose, scene = self._made(wishes, camera, profile)
        made = replace(made, scene=scene, made_utc=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
        self._show(made, pose, path)
        if not self._talk.agreed("Use it?"):
            self._talk.say("Nothing was changed.")
            return 1
        self._write(path, calibration_text(made))
        if wishes.out is None and wishes.picture is None:
            look(self._config, "reload")
            self._talk.say(f"In use now: {path}. Add --undo to the command to bring back the one before.")
        else:
            self._talk.say(f"Written: {path}")
        return 0

    def _camera(self, name: str | None) -> Camera:
        cameras = {camera.name: camera for camera in self._config.cameras}
        if name is None and len(cameras) == 1:
            return next(iter(cameras.values()))
        if name not in cameras:
            raise UserError(f"which camera? The configuration has {', '.join(cameras)}: legpress calibrate camera NAME")
        return cameras[name]

    def _profile(self, wishes: Wishes, camera: Camera) -> MachineProfile:
        if wishes.machine != SIMULATED:
            return load_profile(wishes.machine)
        from device.scenario import load_scenario

        if self._config.simulation.scenario is None:
            raise UserError("--machine simulated: only with [simulation] scenario in the configuration")
        for seen in load_scenario(self._config.simulation.scenario).cameras:
            if seen.name == camera.name:
                return profile_of(load_calibration(seen.calibration), load_profile("sled45").stickers)
        raise UserError(f"--machine simulated: the scenario has no camera {camera.name}")

    def _made(
        self, wishes: Wishes, camera: Camera, profile: MachineProfile
    ) -> tuple[Calibration, CameraPose, SceneReference | None]:
        if wishes.picture is not None:
            return self._from_picture(wishes, profile)
        self._talk.say(
            f"Camera {camera.name}. The carriage rests, nobody is on the machine or near it, the light is as in use."
        )
        scene_seen = look(self._config, f"scene {camera.name}")
        width, height = scene_seen["size_px"]
        scene = SceneReference(
            np.array([corner[:2] for corner in scene_seen["corners"]]),
            np.array([np.frombuffer(bytes.fromhex(corner[2]), np.uint8) for corner in scene_seen["corners"]]),
            scene_seen["sharpness"],
            scene_seen["contrast"],
        )
        size, focal = (width, height), wishes.focal_length_px(width)
        if wishes.points:
            return *from_points(profile, wishes.points, size, focal), scene
        seen: list[Mapping[int, Floats]] = []
        for _ in range(LOOKS):
            found = look(self._config, f"stickers {camera.name} {wishes.family}")["stickers"]
            seen.append({int(index): np.array(quad) for index, quad in found.items()})
            self._talk.sleep(LOOK_EVERY_S)
        settled = settled_corners(seen)
        self._talk.say(f"  Stickers seen: {', '.join(map(str, settled)) or 'none'}")
        return *from_stickers(profile, settled, size, focal, wishes.family), scene

    def _from_picture(
        self, wishes: Wishes, profile: MachineProfile
    ) -> tuple[Calibration, CameraPose, SceneReference | None]:
        from vision.clip import read_picture

        assert wishes.picture is not None
        image = read_picture(wishes.picture)
        height, width = image.shape[:2]
        focal = wishes.focal_length_px(width)
        if wishes.points:
            return *from_points(profile, wishes.points, (width, height), focal), reference_of(image)
        seen = find_stickers(image, wishes.family)
        return *from_stickers(profile, seen, (width, height), focal, wishes.family), reference_of(image)

    def _show(self, made: Calibration, pose: CameraPose, path: Path) -> None:
        x, y, z = made.eye
        told = "measured" if pose.focal_measured else "as stated; the points do not tell it"
        self._talk.say(f"  Fit: the points miss by {pose.error_px:.2f} px (RMS), at most {pose.misses_px.max():.1f}")
        self._talk.say(
            f"  Camera: {abs(x):.2f} m {'left' if x > 0 else 'right'} of the middle, {abs(y):.2f} m "
            f"{'behind' if y > 0 else 'before'} the seat, {z:.2f} m up (to {100 * pose.eye_error_m:.0f} cm, "
            f"{pose.turn_error_deg:.1f} deg); {made.view} view"
        )
        self._talk.say(f"  Focal length {made.focal_length_px:.0f} px ({told})")
        if made.carriage_sticker is not None:
            self._talk.say(f"  Sticker {made.carriage_sticker.id} rides on the carriage: it gives the travel")
        if made.view == "oblique":
            self._talk.say("  An oblique view judges neither the back nor knees caving in: see docs/hardware.md")
        try:
            before = load_calibration(path)
        except CalibrationError:
            self._talk.say("  Before: not calibrated")
        else:
            moved_m = float(np.linalg.norm(before.eye - made.eye))
            self._talk.say(
                f"  Before: {before.view} view, fit {before.reprojection_error_px:.2f} px; the camera has moved "
                f"{100 * moved_m:.0f} cm since"
            )

    def _write(self, path: Path, text: str) -> None:
        """The new file in one step; the old one stays beside it."""
        fresh = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(text, "utf-8")
            if path.exists():
                path.replace(_before(path))
            fresh.replace(path)
        except OSError as error:
            raise UserError(
                f"{path} cannot be written: {error.strerror}; run as the user of legpress (sudo -u), or name --out FILE"
            ) from error

    def _undo(self, camera: Camera, path: Path, live: bool) -> int:
        before = _before(path)
        if not before.exists():
            raise Refused(f"camera {camera.name}: there is no calibration before this one ({before} is missing)")
        try:
            text = path.read_text("utf-8") if path.exists() else None
            before.replace(path)
            if text is not None:
                before.write_text(text, "utf-8")
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}; run as the user of legpress") from error
        if live:
            look(self._config, "reload")
        self._talk.say(f"Camera {camera.name} is back at the calibration before.")
        return 0


def _before(path: Path) -> Path:
    return path.with_suffix(".before")
