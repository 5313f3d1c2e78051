"""A machine and cameras made up for the geometry tests: exact, no picture needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.messages import View
from vision.calibration import Calibration, Machine, MachinePoint, make_calibration
from vision.landmarks import Landmarks
from vision.lifter import Joints
from vision.sights import LEG_LANDMARKS

Floats = NDArray[np.float64]
SIZE = (640, 480)
FOCAL_PX = 560.0


def make_machine(rail_deg: float = 45.0, back_pad_deg: float = 38.0) -> Machine:
    return Machine("sled45", rail_deg, rail_deg, 0.5, 0.8, back_pad_deg, 18.0)


def machine_places(machine: Machine) -> dict[str, Floats]:
    """The six calibration points: seat 0.45 m up, plate so that a leg of 0.85 m is nearly straight."""
    seat = np.array([0.0, 0.0, 0.45])
    pad = seat - 0.067 * machine.pad_normal - 0.05 * machine.pad_up
    plate = seat + 0.90 * machine.rail + 0.06 * machine.plate_up
    out = {"back_pad_bottom": pad, "back_pad_top": pad + 0.85 * machine.pad_up}
    for v, row in ((0.5, "top"), (-0.5, "bottom")):
        for u, column in ((0.5, "left"), (-0.5, "right")):
            out[f"plate_{row}_{column}"] = (
                plate + v * machine.plate_height_m * machine.plate_up + np.array([u * machine.plate_width_m, 0.0, 0.0])
            )
    return out


def look_at(eye: Floats, target: Floats) -> tuple[Floats, Floats]:
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
    right = right / np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return rotation, -rotation @ eye


def seen_from(machine: Machine, eye: Floats, view: View) -> Calibration:
    """The calibration of a camera at ``eye`` that looks at the knees."""
    rotation, shift = look_at(eye, np.array([0.0, -0.25, 0.75]))
    points = []
    for name, place in machine_places(machine).items():
        camera = rotation @ place + shift
        u, v = FOCAL_PX * camera[:2] / camera[2] + np.array([SIZE[0] / 2, SIZE[1] / 2])
        points.append(MachinePoint(name, (float(place[0]), float(place[1]), float(place[2])), (float(u), float(v))))
    return make_calibration(view, SIZE, FOCAL_PX, machine, tuple(points))


def landmarks_of(calibration: Calibration, joints: Joints, bias: Floats | None = None) -> Landmarks:
    """Landmarks exactly at the projected joints (or off by ``bias`` (2, 3, 3) m); shoulders up the pad."""
    px = np.zeros((33, 2))
    places = joints.stacked() + (0.0 if bias is None else bias)
    px[LEG_LANDMARKS] = calibration.project(places)
    shoulders = joints.hip + 0.46 * calibration.machine.pad_up + 0.03 * calibration.machine.pad_normal
    px[[11, 12]] = calibration.project(shoulders)
    return Landmarks(px, np.ones(33), np.zeros((33, 3)))
