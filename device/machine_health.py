"""How every part of a running machine is, from what the services publish and what the system says of itself.

``legpress doctor`` and the staff's health page show it: no pin is driven and no camera opened. What is installed and
stored is ``device.installation_health``'s. Thresholds are ours unless a source is named.
"""

from __future__ import annotations

import datetime
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device import calibration_store
from device.calibration_store import CalibrationStoreError
from device.config import Config
from device.messages import CameraStatus, Health, LiveState, PartsReport

NEEDED_HZ: Final = 8.0
"""Frames a second of each camera: a rep of 2 s then has 16, and a dwell of 0.1 s lies within two frames."""
GOOD_HZ: Final = 12.0
OLDEST_FRAME_S: Final = 0.5
"""From exposure to measure; a warning comes that late at least."""
HOT_C, TOO_HOT_C = 75.0, 82.0
"""A Pi 5 slows itself down from 80 deg C, hard from 85 (Raspberry Pi's documentation)."""
WORN: Final = 0.8
"""Share of an eMMC's life (JEDEC JESD84, DEVICE_LIFE_TIME_EST in tenths) at which to replace it."""
BUSY_GB_A_DAY: Final = 20.0
"""Written to the disk: an SD card of 32 GB then lasts some years; legpress itself writes below 0.1."""
OLD_CALIBRATION_DAYS: Final = 365.0
SECTOR_BYTES: Final = 512

VCGENCMD_WITHIN_S: Final = 2.0

CHECKED_BY: Final[dict[str, frozenset[str]]] = {
    "side": frozenset({"rounding", "lockout", "hips", "foot placement", "heels"}),
    "front": frozenset({"knee valgus"}),
    "oblique": frozenset({"lockout", "foot placement"}),
}
"""What a camera can judge, by its view (measured; docs/accuracy.md)."""
NOT_THE_SERVICES: Final = ("nobody", "looks", "view", "camera", "load", "seat", "carriage", "pads")
"""How the conditions begin that are no fault, or the fault of a part with a row of its own."""

_THROTTLED: Final = {
    0: ("the supply voltage is too low", "use the 27 W supply of the Pi 5 and a short cable"),
    1: ("the processor is slowed down", "cool it: fan, free vents"),
    2: ("the processor is throttled", "cool it: fan, free vents"),
    3: ("the temperature limit is reached", "cool it: fan, free vents"),
}
_CAMERA: Final = {
    "starting": ("is starting", "wait some seconds"),
    "lost": (
        "gives no picture",
        "check its cable (a ribbon cable with the power off), then restart legpress",
    ),
    "dark": ("sees too little", "uncover its lens, switch the light on"),
    "blurred": ("sees a blurred picture", "clean its lens with a soft cloth; if it was moved, focus it anew"),
    "moved": ("has moved: recalibrate", "legpress calibrate camera {name}"),
    "uncalibrated": ("is not calibrated: no posture is judged by it", "legpress calibrate camera {name}"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """How one part is, and what to do about it (empty when nothing is)."""

    part: str
    health: Health
    detail: str
    advice: str = ""


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Failed, degraded, ok; else in the order in which they came."""
    ranks: dict[Health, int] = {"failed": 0, "degraded": 1, "ok": 2}
    return sorted(findings, key=lambda finding: ranks[finding.health])


def overall(findings: Iterable[Finding]) -> Health:
    """The worst of all."""
    healths = {item.health for item in findings}
    return "failed" if "failed" in healths else "degraded" if "degraded" in healths else "ok"


def summary(findings: Iterable[Finding]) -> str:
    """One sentence for people: is all well, or how many parts need somebody."""
    wrong = sum(item.health != "ok" for item in findings)
    if wrong == 0:
        return "All well"
    return "1 part needs attention" if wrong == 1 else f"{wrong} parts need attention"


def device_service(state: LiveState | None, must_run: bool) -> Iterator[Finding]:
    """Whether the device process reports, and what it says is wrong besides its parts. ``must_run``: its silence is a
    failure."""
    if state is None and must_run:
        advice = "see its log (journalctl -u legpress-device -e), or start it: legpress run"
        yield Finding("device service", "failed", "does not report", advice)
        return
    if state is None:
        yield Finding("device service", "degraded", "not running", "start it: legpress run")
        return
    wrong = "; ".join(each.detail for each in state.conditions if not each.kind.startswith(NOT_THE_SERVICES))
    if wrong:
        yield Finding("device service", "degraded", wrong, "as it says")
    else:
        yield Finding("device service", "ok", f"running, {state.phase.replace('_', ' ')}")


def form_check(views: Iterable[str], waiting: bool = False) -> Iterator[Finding]:
    """What the cameras with these views check together, and what they leave unchecked. ``waiting``: another camera
    works, and only has to be calibrated."""
    checked = frozenset[str]().union(*(CHECKED_BY.get(view, frozenset()) for view in views))
    unchecked = frozenset[str]().union(*CHECKED_BY.values()) - checked
    told = f"checked: {', '.join(sorted(checked))}"
    if not checked:
        detail = "no calibrated camera: no posture is judged"
        advice = "calibrate a camera" if waiting else "add and calibrate a camera"
        yield Finding("form check", "degraded" if waiting else "failed", detail, advice)
    elif unchecked:
        cure = "a side camera" if "rounding" in unchecked else "a front camera"
        detail = f"not checked: {', '.join(sorted(unchecked))}; {told}"
        yield Finding("form check", "degraded", detail, f"add {cure} to check it")
    else:
        yield Finding("form check", "ok", told)


def form_check_now(state: LiveState | None) -> Iterator[Finding]:
    """As ``form_check``, of the cameras that are in use now; nothing where the device does not report."""
    if state is not None:
        views = [item.view for item in state.cameras if item.condition not in ("starting", "lost", "uncalibrated")]
        yield from form_check(views, any(item.condition == "uncalibrated" for item in state.cameras))


def parts(report: PartsReport | None) -> Iterator[Finding]:
    """Every sensor and output, as the device process reports them; nothing where it does not run."""
    for part in report.parts if report is not None else ():
        yield Finding(part.part, part.health, part.detail, part.advice)


def cameras(state: LiveState | None) -> Iterator[Finding]:
    """Each camera: frame rate reached against needed, age of a frame, dropped frames, and what hinders it."""
    for camera in state.cameras if state is not None else ():
        yield _camera(camera)


def _camera(camera: CameraStatus) -> Finding:
    part = f"camera {camera.name} live"
    figures = (
        f"{camera.frames_per_s:.1f} frames/s (needed {NEEDED_HZ:g}), newest {1000 * camera.age_s:.0f} ms old, "
        f"{camera.dropped} dropped"
    )
    if camera.condition in _CAMERA:
        what, advice = _CAMERA[camera.condition]
        told = what if camera.condition in ("starting", "lost") else f"{what}; {figures}"
        # a machine is as it should be in its first seconds, and a new one before its calibration
        health: Health = "degraded" if camera.condition in ("starting", "uncalibrated") else "failed"
        return Finding(part, health, told, advice.format(name=camera.name))
    if camera.frames_per_s < NEEDED_HZ:
        return Finding(part, "failed", figures, "choose model = 'lite', or only one camera; see the temperature")
    if camera.frames_per_s < GOOD_HZ or camera.age_s > OLDEST_FRAME_S:
        return Finding(part, "degraded", figures, "warnings come late: end other programs, see the temperature")
    return Finding(part, "ok", figures)


def calibration_age(config: Config, now: datetime.datetime) -> Iterator[Finding]:
    """How old each calibration is; one without a date is taken as it is."""
    try:
        measured = calibration_store.stored(config.paths.state_dir)
    except CalibrationStoreError as error:
        problem, _, advice = str(error).partition("; ")
        yield Finding("calibration", "failed", problem, advice)
        return
    made = {"load": measured.load, "seat": measured.seat}
    for part, record in made.items():
        if record is not None and not calibration_store.given_in_file(config, "load" if part == "load" else "seat"):
            yield _age(f"{part} calibration", record.made_utc, now, f"legpress calibrate {part}")
    for camera in config.cameras:
        made_utc = _made_utc(config.calibration_file(camera))
        if made_utc is not None:
            command = f"legpress calibrate camera {camera.name}"
            yield _age(f"camera {camera.name} calibration", made_utc, now, command)


def _made_utc(path: Path) -> str | None:
    try:
        found = tomllib.loads(path.read_text("utf-8")).get("made_utc")
    except (OSError, ValueError):
        return None  # what is wrong with it is said where it is loaded
    return found if isinstance(found, str) else None


def _age(part: str, made_utc: str, now: datetime.datetime, command: str) -> Finding:
    try:
        days = (now - datetime.datetime.fromisoformat(made_utc)).total_seconds() / 86400.0
    except (ValueError, TypeError):
        return Finding(part, "degraded", f"made at {made_utc!r}, which is no date", command)
    if days < -1.0:
        return Finding(part, "degraded", "made in the future: the clock was or is wrong", "see clock")
    if days > OLD_CALIBRATION_DAYS:
        return Finding(part, "degraded", f"{days:.0f} days old", f"once a year: {command}")
    return Finding(part, "ok", f"{max(days, 0.0):.0f} days old")


def temperature(system: Path = Path("/sys")) -> Iterator[Finding]:
    """Of the processor; nothing where the system does not tell."""
    try:
        degrees = int((system / "class/thermal/thermal_zone0/temp").read_text("ascii")) / 1000.0
    except (OSError, ValueError):
        return
    advice = "cool it: fan, free vents, out of the sun"
    health: Health = "failed" if degrees > TOO_HOT_C else "degraded" if degrees > HOT_C else "ok"
    detail = f"{degrees:.0f} deg C (slows down from 80)"
    yield Finding("temperature", health, detail, "" if health == "ok" else advice)


def throttled_answer() -> str | None:
    """The Pi's own account (``vcgencmd get_throttled``); None on other computers, and where it may not be asked."""
    if shutil.which("vcgencmd") is None:
        return None
    command = ["vcgencmd", "get_throttled"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=VCGENCMD_WITHIN_S, check=False)
    except (subprocess.TimeoutExpired, OSError):
        return None
    return run.stdout if run.returncode == 0 else None


def throttling(answer: str | None) -> Iterator[Finding]:
    """From ``vcgencmd get_throttled`` (``throttled=0x50000``): low bits are now, those 16 higher since the start."""
    if answer is None:
        return
    try:
        bits = int(answer.strip().partition("=")[2], 16)
    except ValueError:
        return
    now = [text for bit, text in _THROTTLED.items() if bits >> bit & 1]
    before = [text for bit, text in _THROTTLED.items() if bits >> (bit + 16) & 1]
    if now:
        yield Finding("power", "failed", "; ".join(what for what, _ in now), now[0][1])
    elif before:
        detail = "since the start: " + "; ".join(what for what, _ in before)
        yield Finding("power", "degraded", detail, before[0][1])
    else:
        yield Finding("power", "ok", "never throttled, voltage never too low")


def clock_sync(run: Path = Path("/run")) -> Iterator[Finding]:
    """Whether the time of day is set from the network; nothing where systemd-timesyncd does not run."""
    folder = run / "systemd/timesync"
    if not folder.is_dir():
        return
    if (folder / "synchronized").exists():
        yield Finding("clock", "ok", "set from the network")
    else:
        advice = "connect the network once, or fit the Pi 5's clock battery; sets get a wrong date until then"
        yield Finding("clock", "degraded", "not set from the network since the start", advice)


def disk_wear(uptime_s: float | None, block: Path = Path("/sys/block"), names: Sequence[str] = ()) -> Iterator[Finding]:
    """Life used of an eMMC, and what is written a day; of ``names``, or of every SD, eMMC and NVMe disk."""
    for disk in sorted(block.glob("mmcblk?")) + sorted(block.glob("nvme?n1")):
        if names and disk.name not in names:
            continue
        used = _life_used(disk)
        written_gb = _written_gb(disk)
        daily = None if uptime_s is None or uptime_s < 3600 or written_gb is None else written_gb * 86400 / uptime_s
        told = [] if used is None else [f"{100 * used:.0f} % of its life used"]
        told += [] if daily is None else [f"{daily:.1f} GB written a day"]
        part, detail = f"disk {disk.name}", ", ".join(told) or "tells nothing of its wear"
        if used is not None and used >= WORN:
            yield Finding(
                part, "failed" if used >= 1.0 else "degraded", detail, "copy it to a new one: legpress backup"
            )
        elif daily is not None and daily > BUSY_GB_A_DAY:
            yield Finding(part, "degraded", detail, "find what writes so much: sudo iotop -ao")
        else:
            yield Finding(part, "ok", detail)


def _life_used(disk: Path) -> float | None:
    """0..1.1 from an eMMC's estimates (two, in tenths; 0x0B = beyond); SD cards have none."""
    try:
        tenths = [int(value, 16) for value in (disk / "device/life_time").read_text("ascii").split()]
    except (OSError, ValueError):
        return None
    return max(tenths) / 10.0 if tenths and max(tenths) > 0 else None


def _written_gb(disk: Path) -> float | None:
    try:
        return int((disk / "stat").read_text("ascii").split()[6]) * SECTOR_BYTES / 1e9
    except (OSError, ValueError, IndexError):
        return None


def uptime_s() -> float:
    """Since the computer was started, time asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def board() -> Iterator[Finding]:
    """Temperature, supply, clock and disk; only what this computer tells. May take two seconds (vcgencmd)."""
    yield from temperature()
    yield from throttling(throttled_answer())
    yield from clock_sync()
    yield from disk_wear(uptime_s())


def live(state: LiveState | None, report: PartsReport | None) -> list[Finding]:
    """All that the running services tell, in the order in which an installer looks; quick. None: they say nothing."""
    return [*device_service(state, must_run=True), *form_check_now(state), *parts(report), *cameras(state)]
