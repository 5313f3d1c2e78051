"""Rules that hold across keys: what each section allows on its own, but the whole does not."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator

from device.config import Camera, Config, Hysteresis, Severe
from device.config_faults import ConfigFault, unit_of
from device.config_hardware_checks import HARDWARE_CHECKS
from device.config_lines import KeyPath

ONSET_LIMITS = {"degrees": (0.5, 60.0), "metres": (0.005, 0.30)}
"""Ours: an onset outside cannot be meant in that unit (4 for 4 cm would never alarm)."""

FALLING = ("knee_lockout_deg",)
"""Faults that begin *below* their onset: their release lies above it."""


def cross_faults(config: Config) -> list[ConfigFault]:
    """Every contradiction between keys of a configuration that is valid key by key."""
    checks = (_simulation, _cameras, _notches, _goals, _thresholds, _web, _retention, *HARDWARE_CHECKS)
    return [fault for check in checks for fault in check(config)]


def _simulation(config: Config) -> Iterator[ConfigFault]:
    scenario = config.simulation.scenario
    if config.pins.factory == "mock" and scenario is None:
        yield ConfigFault(
            ("pins", "factory"),
            '= "mock": simulated pins need a scenario; '
            'set [simulation] scenario, or factory = "lgpio" for a real machine',
        )
    if config.pins.factory == "lgpio" and scenario is not None:
        yield ConfigFault(
            ("simulation", "scenario"),
            f'= "{scenario}": a scenario needs simulated pins; '
            'set [pins] factory = "mock", or remove it on a real machine',
        )


def _cameras(config: Config) -> Iterator[ConfigFault]:
    if len(config.cameras) > 2:
        yield ConfigFault(("cameras", 2), f"is camera number 3 of {len(config.cameras)}; allowed one or two cameras")
    names: set[str] = set()
    places: set[tuple[str, str]] = set()
    for number, camera in enumerate(config.cameras):
        at: KeyPath = ("cameras", number)
        if camera.name in names:
            yield ConfigFault((*at, "name"), f'= "{camera.name}": another camera has this name; each needs its own')
        names.add(camera.name)
        yield from _location(config, at, camera, places)
        if camera.gain is not None and camera.exposure_us is None:
            yield ConfigFault((*at, "gain"), f"= {camera.gain:g}: only used with a fixed exposure_us beside it")
        if camera.source == "clip" and camera.clip is None:
            yield ConfigFault((*at, "source"), '= "clip": needs clip = "a video file" beside it')
        if camera.source != "clip" and camera.clip is not None:
            problem = f'= "{camera.clip}": only used with source = "clip", but source is "{camera.source}"'
            yield ConfigFault((*at, "clip"), problem)
        if camera.source == "scenario" and config.simulation.scenario is None:
            yield ConfigFault((*at, "source"), '= "scenario": needs [simulation] scenario')


def _location(config: Config, at: KeyPath, camera: Camera, places: set[tuple[str, str]]) -> Iterator[ConfigFault]:
    """Two cameras of one kind are told apart by where they are plugged in."""
    if camera.source not in ("picamera2", "usb"):
        if camera.location is not None:
            problem = f'= "{camera.location}": only used with source = "picamera2" or "usb"'
            yield ConfigFault((*at, "location"), problem)
        return
    if camera.location is None:
        if sum(other.source == camera.source for other in config.cameras) > 1:
            allowed = '"cam0" or "cam1"' if camera.source == "picamera2" else "a name in /dev/v4l/by-path"
            problem = f"is missing: two such cameras are told apart by where they are plugged in; allowed {allowed}"
            yield ConfigFault((*at, "location"), problem)
    elif (camera.source, camera.location) in places:
        yield ConfigFault((*at, "location"), f'= "{camera.location}": another camera is plugged in there')
    else:
        places.add((camera.source, camera.location))


def _notches(config: Config) -> Iterator[ConfigFault]:
    machine = config.machine
    notches = machine.seat_notches_m
    gaps = [after - before for before, after in itertools.pairwise(notches)]
    where: KeyPath = ("machine", "seat_notches_m")
    if not notches:
        yield ConfigFault(where, "= []: allowed one or more positions in metres, rising")
    elif any(gap <= 0 for gap in gaps):
        yield ConfigFault(where, f"= {list(notches)}: must rise from notch to notch (metres)")
    elif notches[0] < 0 or notches[-1] > 1.5:
        yield ConfigFault(where, f"= {list(notches)}: allowed 0 to 1.5 (metres from the first notch)")
    elif gaps and machine.seat_notch_tolerance_m >= min(gaps) / 2:
        yield ConfigFault(
            ("machine", "seat_notch_tolerance_m"),
            f"= {machine.seat_notch_tolerance_m}: notches overlap; "
            f"allowed below half the smallest gap, {min(gaps) / 2:g} (metres)",
        )


def _retention(config: Config) -> Iterator[ConfigFault]:
    kept = config.retention
    for inner, outer in (("reps_days", "sets_days"), ("replays_days", "alerts_days")):
        days, most = getattr(kept, inner), getattr(kept, outer)
        if days > most:
            problem = f"= {days}: allowed 1 to retention.{outer} = {most} (days), with which they are deleted"
            yield ConfigFault(("retention", inner), problem)


def _goals(config: Config) -> Iterator[ConfigFault]:
    for name in type(config.goals).model_fields:
        band = getattr(config.goals, name)
        if band.low >= band.high:
            yield ConfigFault(("goals", name, "low"), f"= {band.low}: must be below goals.{name}.high = {band.high}")


def _thresholds(config: Config) -> Iterator[ConfigFault]:
    for name in type(config.faults).model_fields:
        fault = getattr(config.faults, name)
        if isinstance(fault, Hysteresis):
            yield from _threshold(name, fault)


def _threshold(name: str, fault: Hysteresis) -> Iterator[ConfigFault]:
    at: KeyPath = ("faults", name)
    unit = unit_of(name) or ""
    low, high = ONSET_LIMITS[unit]
    if not low <= fault.onset <= high:
        yield ConfigFault((*at, "onset"), f"= {fault.onset:g}: allowed {low:g} to {high:g} ({unit})")
    if name in FALLING:
        if not fault.onset < fault.release <= high:
            yield ConfigFault(
                (*at, "release"),
                f"= {fault.release:g}: must be above faults.{name}.onset = {fault.onset:g}, at most {high:g} ({unit}): "
                "this fault begins below its onset",
            )
    elif not 0 <= fault.release < fault.onset:
        yield ConfigFault(
            (*at, "release"),
            f"= {fault.release:g}: must be below faults.{name}.onset = {fault.onset:g}, at least 0 ({unit})",
        )
    if isinstance(fault, Severe):
        if fault.high <= fault.onset:
            problem = f"= {fault.high:g}: must be above faults.{name}.onset = {fault.onset:g} ({unit})"
            yield ConfigFault((*at, "high"), problem)
        if not fault.onset <= fault.high_heavy <= fault.high:
            yield ConfigFault(
                (*at, "high_heavy"),
                f"= {fault.high_heavy:g}: allowed from faults.{name}.onset to its high, "
                f"{fault.onset:g} to {fault.high:g} ({unit})",
            )


def _web(config: Config) -> Iterator[ConfigFault]:
    host = config.web.host
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        yield ConfigFault(
            ("web", "host"),
            f'= "{host}": allowed 127.0.0.1, ::1 or localhost, for the pages have no TLS of their own; '
            "to reach them from the network: install.sh --lan NAME",
        )


def threshold_words(key: str) -> str | None:
    """What ``_thresholds`` allows for a key such as ``faults.back_rounding_deg.onset``; None for another key."""
    path = key.split(".")
    unit = unit_of(path[1]) if len(path) == 3 and path[0] == "faults" else None
    if unit is None or path[2] not in ("onset", "release", "high", "high_heavy"):
        return None
    low, high = ONSET_LIMITS[unit]
    release = f"above onset, at most {high:g}" if path[1] in FALLING else "from 0 to below onset"
    words = {
        "onset": f"{low:g} to {high:g}", "release": release, "high": "above onset", "high_heavy": "from onset to high",
    }  # fmt: skip
    return f"{words[path[2]]} {unit}"
