"""How the staff's pages name and write things: faults, goals, times, numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask

from device.messages import LiveState
from device.store.schema import utc_text

DASH = "\N{EN DASH}"
"""What is unknown."""

FAULTS = {
    "back_rounding": "Back rounding",
    "back_arching": "Back arching",
    "knee_valgus": "Knee caving in",
    "knee_lockout": "Knee lockout",
    "hips_forward": "Hips forward",
    "heel_lift": "Heel lift",
    "fast_drop": "Fast drop",
    "partial_depth": "Partial depth",
    "feet_mismatch": "Feet off the goal",
    "seat_misfit": "Seat misfit",
    "seat_unlocked": "Seat unlocked",
    "overload": "Overload",
    "load_dropped": "Load dropped",
}
GOALS = {"glutes": "Glutes", "quads": "Quads", "balanced": "Balanced", "warm_up": "Warm-up"}
PEAK_UNITS = {
    "back_rounding": "deg",
    "back_arching": "deg",
    "knee_valgus": "deg",
    "knee_lockout": "deg of flexion",
    "heel_lift": "deg",
    "hips_forward": "m",
    "fast_drop": "s",
    "partial_depth": "deg of flexion",
    "overload": "kg",
}
CHECKS = {
    "knee_flexion": "knee angle",
    "valgus": "knees in line",
    "lumbar_flexion": "lower back",
    "hip_slide": "hips on the pad",
    "foot_placement": "foot placement",
    "heel_lift": "heels",
    "carriage": "carriage travel",
}


def local_time(text: str | None, form: str = "%d %b %Y, %H:%M") -> str:
    """Database time in the machine's own zone; a dash for none."""
    if not text:
        return DASH
    return datetime.fromisoformat(text).astimezone().strftime(form)


def number(value: float | None, digits: int = 0) -> str:
    return DASH if value is None else f"{value:.{digits}f}"


def per_100(count: int, reps: int) -> float | None:
    return None if reps == 0 else 100.0 * count / reps


def local_midnight(now: datetime) -> datetime:
    """The start of the day of `now`, in the machine's zone."""
    return now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)


def spans(now: datetime) -> tuple[tuple[str, str], tuple[str, str]]:
    """Today and the seven days before it, as database times (since, until)."""
    midnight = local_midnight(now)
    today = utc_text(midnight.astimezone(UTC)), utc_text(now)
    week = utc_text((midnight - timedelta(days=7)).astimezone(UTC)), today[0]
    return today, week


def fault_rows(today: dict[str, Any], week: dict[str, Any]) -> list[dict[str, Any]]:
    """Alerts by kind per 100 reps, today against the week before, the most frequent first."""
    rows = []
    for kind in FAULTS:
        count, before = today["alerts"].get(kind, 0), week["alerts"].get(kind, 0)
        if count or before:
            rows.append(
                {
                    "kind": kind,
                    "count": count,
                    "today": per_100(count, today["reps"]),
                    "week": per_100(before, week["reps"]),
                }
            )
    return sorted(rows, key=lambda row: (-row["count"], row["kind"]))


def told_now(state: LiveState) -> list[tuple[str, str]]:
    """What the machine does at this moment, for who stands before the page: (what, how it is)."""
    checked = ", ".join(CHECKS[each] for each in state.checks) if state.form_check else "nothing"
    load = f"{state.load_kg:.0f} kg" if state.load_kg is not None else state.load_quality
    seat = f"notch {state.seat_notch}" if state.seat_notch is not None else state.seat_quality
    phase = state.phase.replace("_", " ")
    return [("Phase", phase), ("Checked now", checked), ("Load", load), ("Seat", seat.replace("_", " "))]


def reps_told(found: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """For each rep of a set: verdict, faults in words, and when they lasted (s after the rep's start)."""
    told = {}
    for rep in found["rep_list"]:
        start = datetime.fromisoformat(rep["started_utc"])
        spans = []
        for alert in found["alerts"]:
            from_s = (datetime.fromisoformat(alert["started_utc"]) - start).total_seconds()
            to_s = from_s + (alert["duration_s"] or 0.0)
            if to_s >= 0.0 and from_s <= rep["duration_s"]:
                spans.append([round(max(from_s, 0.0), 2), round(min(to_s, rep["duration_s"]), 2)])
        faults = ", ".join(FAULTS.get(kind, kind) for kind in rep["faults"])
        told[rep["number"]] = {"verdict": rep["verdict"], "faults": faults, "spans": spans}
    return told


def install(app: Flask) -> None:
    """Makes the names known to the templates."""
    app.jinja_env.filters.update(local_time=local_time, number=number)
    app.jinja_env.globals.update(FAULTS=FAULTS, GOALS=GOALS, PEAK_UNITS=PEAK_UNITS, told_now=told_now)
