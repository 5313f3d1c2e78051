"""Is it running: ``/healthz`` for a probe, ``/metrics`` for Prometheus."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response

from device.store.schema import utc_text
from web_ui.access import Permission, allow
from web_ui.history import History, HistoryError
from web_ui.live import STALE_S, LiveHub
from web_ui.parts import parts


def _number(value: float | None) -> str:
    return "NaN" if value is None else f"{value:.6g}"


def _device_age_s(hub: LiveHub) -> float | None:
    latest = hub.latest()
    return None if latest is None else hub.clock() - latest.t_s


def _metrics(hub: LiveHub, history: History) -> list[tuple[str, str, str, float | None]]:
    """(name with labels, type, help, value); None = unknown."""
    age_s = _device_age_s(hub)
    fresh = age_s is not None and age_s <= STALE_S
    latest = hub.latest()
    rows: list[tuple[str, str, str, float | None]] = [
        ("legpress_device_up", "gauge", "1 while the device process reports.", float(fresh)),
        ("legpress_device_state_age_seconds", "gauge", "Age of the newest state.", age_s),
        ("legpress_event_streams", "gauge", "Open event streams.", hub.streams()),
        ("legpress_states_total", "counter", "States received from the device.", hub.states),
    ]
    if fresh and latest is not None:
        state = latest.state
        rows.append(("legpress_form_check", "gauge", "1 while posture is checked.", float(state.form_check)))
        rows.append(("legpress_conditions", "gauge", "Conditions in force.", len(state.conditions)))
        rows.append(("legpress_load_kg", "gauge", "Load on the sled, NaN = unknown.", state.load_kg))
        rows.append(("legpress_pose_age_seconds", "gauge", "Age of the newest pose.", state.pose_age_s))
        for camera in state.cameras:
            labels = f'{{camera="{camera.name}",view="{camera.view}"}}'
            rows.append((f"legpress_camera_up{labels}", "gauge", "Camera works.", float(camera.condition == "ok")))
            rows.append((f"legpress_camera_frames_per_second{labels}", "gauge", "Frame rate.", camera.frames_per_s))
            rows.append((f"legpress_camera_dropped_total{labels}", "counter", "Frames dropped.", camera.dropped))
    now = datetime.now(UTC)
    try:
        day = history.summary(utc_text(now - timedelta(days=1)), utc_text(now))
    except HistoryError:
        rows.append(("legpress_database_up", "gauge", "1 while the database can be read.", 0.0))
        return rows
    rows.append(("legpress_database_up", "gauge", "1 while the database can be read.", 1.0))
    rows.append(("legpress_sets_last_day", "gauge", "Sets of the last 24 hours.", day["sets"]))
    rows.append(("legpress_reps_last_day", "gauge", "Reps of the last 24 hours.", day["reps"]))
    for kind, count in day["alerts"].items():
        rows.append((f'legpress_alerts_last_day{{kind="{kind}"}}', "gauge", "Alerts of the last 24 hours.", count))
    return rows


def _exposition(rows: list[tuple[str, str, str, float | None]]) -> str:
    """Prometheus' text form: samples of one metric together, each metric explained once."""
    families: dict[str, list[str]] = {}
    for name, kind, text, value in rows:
        family = name.partition("{")[0]
        lines = families.setdefault(family, [f"# HELP {family} {text}", f"# TYPE {family} {kind}"])
        lines.append(f"{name} {_number(value)}")
    return "\n".join(line for lines in families.values() for line in lines) + "\n"


health = Blueprint("health", __name__)


@health.get("/healthz")
@allow(Permission.PROBE)
def healthz() -> Response:
    age_s = _device_age_s(parts().hub)
    fresh = age_s is not None and age_s <= STALE_S
    body: dict[str, Any] = {
        "status": "ok" if fresh else "failed",
        "device": "ok" if fresh else "the device process does not report",
        "device_state_age_s": None if age_s is None else round(age_s, 3),
        "event_streams": parts().hub.streams(),
    }
    status = HTTPStatus.OK if fresh else HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"Cache-Control": "no-store"}
    return Response(json.dumps(body), status.value, content_type="application/json", headers=headers)


@health.get("/metrics")
@allow(Permission.API)
def metrics() -> Response:
    text = _exposition(_metrics(parts().hub, parts().history))
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")
