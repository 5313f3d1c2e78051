"""What ``legpress doctor`` examines: one function a part, each giving findings and never raising for a fault.

Nothing here drives a pin or opens a camera: the doctor may be called while the machine is in use.
"""

from __future__ import annotations

import datetime
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from device import machine_health
from device.command import examination_services, prerequisites
from device.config import Camera, Config
from device.errors import LegpressError
from device.machine_health import Finding
from device.pins import open_board
from device.scenario import load_scenario
from vision import model

FULL_BYTES, NEARLY_FULL_BYTES = 100e6, 1e9
"""Free disk below which the store cannot be trusted, and below which it is time to act (ours: a year of
sets takes some 300 MB)."""
MODEL_LOADS_WITHIN_S = 60.0

CHECKED_BY = {
    "side": {"rounding", "lockout", "hips", "foot placement", "heels"},
    "front": {"knee valgus"},
    "oblique": {"lockout", "foot placement"},
}
"""What a camera can judge, by its view (measured; docs/accuracy.md)."""


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
    variants = {camera.model for camera in config.cameras}
    for variant in sorted(variants):
        path = model.model_path(config.paths.model_dir, variant)
        part = f"model {variant}"
        try:
            model.verify(path, variant)
        except LegpressError as error:
            problem, _, advice = str(error).rpartition("; ")
            yield Finding(part, "failed", problem, advice)
            continue
        died = _model_dies(path)
        if died:
            yield Finding(
                part, "failed", f"{path} is undamaged but does not load: {died}", "see processor and libraries above"
            )
        else:
            yield Finding(part, "ok", f"{path}, verified, loads")


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


def state_folder(config: Config) -> Iterator[Finding]:
    folder = config.paths.state_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        yield Finding(
            "state folder",
            "failed",
            f"{folder} cannot be written: {error.strerror}",
            "give it to this user, or set paths.state_dir",
        )
        return
    detail = f"{folder}, {free_bytes / 1e9:.1f} GB free"
    if free_bytes < FULL_BYTES:
        yield Finding("state folder", "failed", detail, "free some space: sets can no longer be stored")
    elif free_bytes < NEARLY_FULL_BYTES:
        yield Finding("state folder", "degraded", detail, "free some space soon")
    else:
        yield Finding("state folder", "ok", detail)


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


def load_cell(config: Config) -> Iterator[Finding]:
    if config.load.counts_per_kg is None:
        advice = "legpress calibrate load"
        yield Finding("load cell", "degraded", "not calibrated: the load is unknown, and treated as heavy", advice)
    else:
        yield Finding("load cell", "ok", f"{config.load.counts_per_kg:g} counts per kg")


def cameras(config: Config) -> Iterator[Finding]:
    """Each camera's source and calibration, and what all of them together leave unchecked."""
    checked: set[str] = set()
    for camera in config.cameras:
        finding, view = _camera(camera, config)
        checked |= CHECKED_BY.get(view, set())
        yield finding
    unchecked = sorted(set().union(*CHECKED_BY.values()) - checked)
    if not checked:
        yield Finding(
            "form check", "failed", "no calibrated camera: no posture is judged", "add and calibrate a camera"
        )
    elif unchecked:
        cure = "a side camera" if "rounding" in unchecked else "a front camera"
        yield Finding("form check", "degraded", f"not checked: {', '.join(unchecked)}", f"add {cure} to check it")
    else:
        yield Finding("form check", "ok", f"checked: {', '.join(sorted(checked))}")


def _camera(camera: Camera, config: Config) -> tuple[Finding, str]:
    """How one camera is, and its view; no view where nothing can be judged by it."""
    part = f"camera {camera.name}"
    calibration_file = camera.calibration
    if calibration_file is None and config.calibration_file(camera).exists():
        calibration_file = config.calibration_file(camera)
    if camera.source == "scenario":
        calibration_file = calibration_file or _scenario_calibration(camera.name, config.simulation.scenario)
    elif camera.source == "clip" and (camera.clip is None or not camera.clip.is_file()):
        return Finding(part, "failed", f"{camera.clip}: no such video", "set the camera's clip"), ""
    elif camera.source in ("picamera2", "usb"):
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


def _scenario_calibration(name: str, scenario: str | None) -> Path | None:
    found = load_scenario(scenario).cameras if scenario else ()
    return next((item.calibration for item in found if item.name == name), None)


def calibration_age(config: Config) -> Iterator[Finding]:
    yield from machine_health.calibration_age(config, datetime.datetime.now(datetime.UTC))


def board() -> Iterator[Finding]:
    """Temperature, supply, clock and disk; only what this computer tells."""
    yield from machine_health.temperature()
    yield from machine_health.throttling(_throttled())
    yield from machine_health.clock_sync()
    yield from machine_health.disk_wear(machine_health.uptime_s())


def _throttled() -> str | None:
    """The Pi's own account; None on other computers."""
    if shutil.which("vcgencmd") is None:
        return None
    try:
        run = subprocess.run(["vcgencmd", "get_throttled"], capture_output=True, text=True, timeout=2.0, check=False)
    except (subprocess.TimeoutExpired, OSError):
        return None
    return run.stdout if run.returncode == 0 else None


BEFORE_CONFIGURATION: tuple[Callable[[], Iterator[Finding]], ...] = (python, processor, libraries, board)
BY_CONFIGURATION: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    pose_models,
    state_folder,
    pins,
    load_cell,
    cameras,
    calibration_age,
    examination_services.services,
)
