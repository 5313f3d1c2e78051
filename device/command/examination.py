"""What ``legpress doctor`` examines: one function a part, each giving findings and never raising for a fault.

Nothing here drives a pin or opens a camera: the doctor may be called while the machine is in use.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from device.bus import Subscriber
from device.command import prerequisites
from device.config import Camera, Config
from device.errors import LegpressError
from device.messages import Health, LiveState
from device.pins import open_board
from device.scenario import load_scenario
from vision import model

FULL_BYTES, NEARLY_FULL_BYTES = 100e6, 1e9
"""Free disk below which the store cannot be trusted, and below which it is time to act (ours: a year of
sets takes some 300 MB)."""
ANSWER_WITHIN_S = 1.5
"""The device publishes its state at least twice a second."""
MODEL_LOADS_WITHIN_S = 60.0

CHECKED_BY = {
    "side": {"rounding", "lockout", "hips", "foot placement", "heels"},
    "front": {"knee valgus"},
    "oblique": {"lockout", "foot placement"},
}
"""What a camera can judge, by its view (measured; docs/accuracy.md)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How one part is, and what to do about it (empty when nothing is)."""

    part: str
    health: Health
    detail: str
    advice: str = ""


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
        yield Finding("pins", "degraded", "simulated (pins.factory = mock)", "nothing to do on a test machine")
        return
    try:
        open_board(config.pins.factory).close()
    except LegpressError as error:
        yield Finding("pins", "failed", str(error), "see the wiring table in README.md")
    else:
        yield Finding("pins", "ok", "the header answers")


def load_cell(config: Config) -> Iterator[Finding]:
    if config.load.counts_per_kg is None:
        advice = "weigh a known load and set load.tare_counts and load.counts_per_kg"
        yield Finding("load cell", "degraded", "not calibrated: the load is unknown, and treated as heavy", advice)
    else:
        yield Finding("load cell", "ok", f"{config.load.counts_per_kg:g} counts per kg")


def cameras(config: Config) -> Iterator[Finding]:
    """Each camera's source and calibration, and what all of them together leave unchecked."""
    checked: set[str] = set()
    for camera in config.cameras:
        finding, view = _camera(camera, config.simulation.scenario)
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


def _camera(camera: Camera, scenario: str | None) -> tuple[Finding, str]:
    """How one camera is, and its view; no view where nothing can be judged by it."""
    part = f"camera {camera.name}"
    calibration_file = camera.calibration
    if camera.source == "scenario":
        calibration_file = calibration_file or _scenario_calibration(camera.name, scenario)
    elif camera.source == "clip" and (camera.clip is None or not camera.clip.is_file()):
        return Finding(part, "failed", f"{camera.clip}: no such video", "set the camera's clip"), ""
    elif camera.source == "picamera2" and find_spec("picamera2") is None:
        return Finding(part, "failed", "picamera2 is not installed", "sudo apt-get install python3-picamera2"), ""
    if calibration_file is None:
        return Finding(
            part, "degraded", "not calibrated: no posture is judged by it", "set the camera's calibration"
        ), ""
    try:
        # Here, for it needs OpenCV, which may be what is missing.
        from vision.calibration_file import load_calibration

        calibration = load_calibration(calibration_file)
    except (LegpressError, ImportError) as error:
        return Finding(part, "failed", str(error), "correct or replace its calibration"), ""
    detail = f"{calibration.view} view, calibration fits within {calibration.reprojection_error_px:.1f} px"
    if camera.source == "scenario":
        return Finding(part, "degraded", f"simulated; {detail}", "nothing to do on a test machine"), calibration.view
    return Finding(part, "ok", detail), calibration.view


def _scenario_calibration(name: str, scenario: str | None) -> Path | None:
    found = load_scenario(scenario).cameras if scenario else ()
    return next((item.calibration for item in found if item.name == name), None)


def services(config: Config) -> Iterator[Finding]:
    try:
        state = _live_state(config)
    except LegpressError as error:
        yield Finding("device service", "failed", str(error), "correct paths.runtime_dir")
        return
    if state is None:
        yield Finding("device service", "degraded", "not running", "start it: legpress run")
    else:
        wrong = "; ".join(condition.detail for condition in state.conditions)
        health: Health = "degraded" if wrong else "ok"
        yield Finding("device service", health, wrong or f"running, {state.phase}", "as it says" if wrong else "")
    yield _pages(config)


def _live_state(config: Config) -> LiveState | None:
    subscriber = Subscriber(config.paths.runtime_dir, "live")
    try:
        if subscriber.wait(ANSWER_WITHIN_S):
            states = [record for record in subscriber.drain() if isinstance(record, LiveState)]
            return states[-1] if states else None
        return None
    finally:
        subscriber.close()


def _pages(config: Config) -> Finding:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(config.web.host, config.web.host)
    address = f"http://{host}:{config.web.port}/healthz"
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_WITHIN_S) as answer:
            json.load(answer)
    except urllib.error.HTTPError as error:
        return Finding("web pages", "degraded", f"{address} answers {error.code}", "see the log of legpress run web")
    except (OSError, ValueError):
        return Finding("web pages", "degraded", f"{address} does not answer", "start it: legpress run")
    return Finding("web pages", "ok", f"{address} answers")


BEFORE_CONFIGURATION: tuple[Callable[[], Iterator[Finding]], ...] = (python, processor, libraries)
BY_CONFIGURATION: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    pose_models,
    state_folder,
    pins,
    load_cell,
    cameras,
    services,
)
