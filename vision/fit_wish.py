"""What somebody wants fitted: the JSON of a ``fit`` look, from a page or a command line, checked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from vision.calibration import CalibrationError
from vision.calibration_file import FAMILIES
from vision.camera_fit import CURRENT, SIMULATED, Lens
from vision.machine_profile import MachineProfile, read_profile, shipped

KEYS: Final = ("machine", "profile", "lens", "hfov_deg", "focal_px", "points", "stickers")
LONGEST_PROFILE: Final = 20_000
MOST_POINTS: Final = 20


@dataclass(frozen=True)
class FitWish:
    """``points``: pixels by name, or ``family``: the stickers seen lately; one of the two."""

    machine: str
    """A shipped profile, ``simulated``, ``current``; or what an own ``profile`` is called."""
    profile: MachineProfile | None
    lens: Lens
    points: dict[str, tuple[float, float]] = field(default_factory=dict)
    family: str | None = None


def parse_wish(text: str) -> FitWish:
    """Raises CalibrationError: what is wrong, and what is allowed."""
    try:
        wish = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CalibrationError("a fit is asked for with a JSON object") from error
    if not isinstance(wish, dict):
        raise CalibrationError("a fit is asked for with a JSON object")
    unknown = sorted(set(wish) - set(KEYS))
    if unknown:
        raise CalibrationError(f"unknown key {unknown[0][:40]!r}: allowed are {', '.join(KEYS)}")
    machine = _text(wish, "machine", 200) or "sled45"
    text_of_profile = _text(wish, "profile", LONGEST_PROFILE)
    profile = None if text_of_profile is None else read_profile(text_of_profile, machine)
    if profile is None and machine not in (*shipped(), SIMULATED, CURRENT):
        raise CalibrationError(f"no machine profile {machine[:60]!r}: allowed are {', '.join(shipped())}, or a file")
    lens = Lens(_text(wish, "lens", 40), _number(wish, "hfov_deg"), _number(wish, "focal_px"))
    if sum(value is not None for value in (lens.name, lens.hfov_deg, lens.focal_px)) > 1:
        raise CalibrationError("lens, hfov_deg and focal_px: give one of them")
    points, family = _points(wish.get("points")), _text(wish, "stickers", 40)
    if bool(points) == (family is not None):
        raise CalibrationError("a fit is by points or by stickers: give one of them")
    if family is not None and family not in FAMILIES:
        raise CalibrationError(f"unknown family {family!r}: allowed are {', '.join(FAMILIES)}")
    return FitWish(machine, profile, lens, points, family)


def _text(wish: dict[str, Any], key: str, longest: int) -> str | None:
    value = wish.get(key)
    if value is None or (isinstance(value, str) and len(value) <= longest):
        return value or None
    raise CalibrationError(f"{key} is {str(value)[:40]!r}: allowed is a text of at most {longest} letters")


def _number(wish: dict[str, Any], key: str) -> float | None:
    value = wish.get(key)
    if value is None:
        return None
    if not _is_number(value):
        raise CalibrationError(f"{key} is {str(value)[:40]!r}: allowed is a number")
    return float(value)


def _is_number(value: object) -> bool:
    # neither NaN nor an infinity lies between two numbers
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e9 < value < 1e9


def _points(value: object) -> dict[str, tuple[float, float]]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MOST_POINTS:
        raise CalibrationError('points: allowed is {"plate_top_left": [388, 166], ...}, in pixels')
    found: dict[str, tuple[float, float]] = {}
    for name, place in value.items():
        if not isinstance(place, list) or len(place) != 2 or not all(_is_number(each) for each in place):
            raise CalibrationError(f"point {name[:40]}: allowed is [x, y], in pixels")
        found[name] = (float(place[0]), float(place[1]))
    return found
