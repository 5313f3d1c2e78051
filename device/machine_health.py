"""How every part of a running machine is, from what the services publish and what the system says of itself.

``legpress doctor`` shows it, and the staff's health page may: no pin is driven and no camera opened. Thresholds are
ours unless a source is named.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterator, Sequence
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

_THROTTLED: Final = {
    0: ("the supply voltage is too low", "use the 27 W supply of the Pi 5 and a short cable"),
    1: ("the processor is slowed down", "cool it: fan, free vents"),
    2: ("the processor is throttled", "cool it: fan, free vents"),
    3: ("the temperature limit is reached", "cool it: fan, free vents"),
}
_CAMERA: Final = {
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
        told = what if camera.condition == "lost" else f"{what}; {figures}"
        return Finding(part, "failed", told, advice.format(name=camera.name))
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


def uptime_s(proc: Path = Path("/proc")) -> float | None:
    try:
        return float((proc / "uptime").read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None


def findings(
    state: LiveState | None, report: PartsReport | None, config: Config, throttled: str | None = None
) -> list[Finding]:
    """All of it, in the order in which an installer looks: for ``/staff/health``. ``throttled``: vcgencmd's answer."""
    now = datetime.datetime.now(datetime.UTC)
    return [
        *parts(report),
        *cameras(state),
        *calibration_age(config, now),
        *temperature(),
        *throttling(throttled),
        *clock_sync(),
        *disk_wear(uptime_s()),
    ]
