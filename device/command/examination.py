"""What ``legpress doctor`` examines: one function a part, each giving findings and never raising for a fault.

Nothing here drives a pin or opens a camera: the doctor may be called while the machine is in use.
"""

from __future__ import annotations

import datetime
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from device import installation_health, machine_health
from device.command import examination_services, prerequisites
from device.config import Camera, Config
from device.errors import LegpressError
from device.installation_health import load_cell, state_folder
from device.machine_health import Finding
from device.pins import open_board
from vision import model

MODEL_LOADS_WITHIN_S = 60.0


def python() -> Iterator[Finding]:
    version = platform.python_version()
    if sys.version_info < prerequisites.OLDEST_PYTHON:
        yield Finding(
            "python", "failed", f"{version}, needs 3.11 or newer", "install a newer Python, then run make again"
        )
    else:
        yield Finding("python", "ok", f"{version} on {platform.machine()}")


def processor(machine: str | None = None, cpuinfo: Path = Path("/proc/cpuinfo")) -> Iterator[Finding]:
    """Asked before anything imports mediapipe, whose import would end this process on a Pi 4."""
    try:
        # Here, for it needs numpy, which may be what is missing.
        from vision.landmarks import check_processor

        check_processor(cpuinfo, machine)
    except (LegpressError, ImportError) as error:
        problem, _, advice = str(error).partition(": ")
        yield Finding("processor", "failed", problem, advice or "run make again")
    else:
        yield Finding("processor", "ok", f"{machine or platform.machine()} runs the pose model")


def libraries() -> Iterator[Finding]:
    lacking = prerequisites.missing(prerequisites.LIBRARIES)
    if lacking:
        names = ", ".join(f"{item.package} (for {item.purpose})" for item in lacking)
        yield Finding("libraries", "failed", f"missing: {names}", prerequisites.apt_line(lacking))
    else:
        yield Finding("libraries", "ok", ", ".join(item.package for item in prerequisites.LIBRARIES))


def pose_models(config: Config) -> Iterator[Finding]:
    """Each model that a camera needs: the right file, and it loads (tried in a process that may die)."""
    for variant in installation_health.variants_needed(config):
        finding = installation_health.pose_model(config, variant)
        path = model.model_path(config.paths.model_dir, variant)
        died = _model_dies(path) if finding.health == "ok" else ""
        if died:
            problem = f"{path} is undamaged but does not load: {died}"
            yield Finding(finding.part, "failed", problem, "see processor and libraries above")
        elif finding.health == "ok":
            yield replace(finding, detail=f"{finding.detail}, loads")
        else:
            yield finding


def _model_dies(path: Path) -> str:
    code = (
        "import sys; from pathlib import Path; from vision.landmarks import PoseModel\n"
        "with PoseModel(Path(sys.argv[1])): pass"
    )
    try:
        run = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            cwd=Path(model.__file__).parent.parent,  # where this very code can be imported, installed or not
            capture_output=True,
            text=True,
            timeout=MODEL_LOADS_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {MODEL_LOADS_WITHIN_S:.0f} s"
    if run.returncode == 0:
        return ""
    return (
        f"signal {-run.returncode}" if run.returncode < 0 else (run.stderr.strip().splitlines() or ["no message"])[-1]
    )


def pins(config: Config) -> Iterator[Finding]:
    if config.pins.factory == "mock":
        yield Finding("pins", "ok", "SIMULATED (pins.factory = mock): there is no real machine")
        return
    try:
        open_board(config.pins.factory).close()
    except LegpressError as error:
        problem, _, advice = str(error).partition("; ")
        yield Finding("pins", "failed", problem, advice or "see docs/hardware.md")
    else:
        yield Finding("pins", "ok", "the header answers")


def cameras(config: Config) -> Iterator[Finding]:
    """Each camera's source and calibration, and what all of them together leave unchecked."""
    views, waiting = [], False
    for camera in config.cameras:
        finding, view = _camera(camera, config)
        views.append(view)
        waiting = waiting or (finding.health == "degraded" and not view)
        yield finding
    yield from machine_health.form_check(views, waiting)


def _camera(camera: Camera, config: Config) -> tuple[Finding, str]:
    """How one camera is, and its view; no view where nothing can be judged by it."""
    part = f"camera {camera.name}"
    calibration_file = camera.calibration
    if calibration_file is None and config.calibration_file(camera).exists():
        calibration_file = config.calibration_file(camera)
    if camera.source == "clip" and (camera.clip is None or not camera.clip.is_file()):
        return Finding(part, "failed", f"{camera.clip}: no such video", "set the camera's clip"), ""
    if camera.source in ("picamera2", "usb"):
        missing = _not_plugged_in(camera)
        if missing is not None:
            return Finding(part, "failed", *missing), ""
    if calibration_file is None:
        advice = f"legpress calibrate camera {camera.name}"
        return Finding(part, "degraded", "not calibrated: no posture is judged by it", advice), ""
    try:
        # Here, for it needs OpenCV, which may be what is missing.
        from vision.calibration_file import load_calibration

        calibration = load_calibration(calibration_file)
    except (LegpressError, ImportError) as error:
        return Finding(
            part, "failed", str(error), f"correct it, or make a new one: legpress calibrate camera {camera.name}"
        ), ""
    detail = f"{calibration.view} view, calibration fits within {calibration.reprojection_error_px:.1f} px"
    if camera.source == "scenario":
        return Finding(part, "ok", f"SIMULATED; {detail}"), calibration.view
    return Finding(part, "ok", detail), calibration.view


def _not_plugged_in(camera: Camera) -> tuple[str, str] | None:
    """(what, advice) where the camera is not there; the libraries list cameras without opening one."""
    if camera.source == "picamera2" and find_spec("picamera2") is None:
        return "picamera2 is not installed", "sudo apt-get install python3-picamera2"
    try:
        if camera.source == "picamera2":
            from vision.picamera import find_camera

            find_camera(camera)
        else:
            from vision.usb_camera import find_device

            find_device(camera)
    except (LegpressError, ImportError) as error:
        problem, _, advice = str(error).partition("; ")
        return problem, advice or "run make again"
    return None


def calibration_age(config: Config) -> Iterator[Finding]:
    yield from machine_health.calibration_age(config, datetime.datetime.now(datetime.UTC))


def backups(config: Config) -> Iterator[Finding]:
    yield from installation_health.backups(config, datetime.datetime.now(datetime.UTC))


BEFORE_CONFIGURATION: tuple[Callable[[], Iterator[Finding]], ...] = (
    installation_health.software,
    python,
    processor,
    libraries,
    machine_health.board,
)
BY_CONFIGURATION: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    pose_models,
    state_folder,
    backups,
    pins,
    load_cell,
    cameras,
    calibration_age,
    examination_services.services,
)
