"""The staff's pages: today, sets, one set, alerts, one alert's replay."""

from __future__ import annotations

from flask import Blueprint

from device.config import Config
from web_ui.access import Permission, allow
from web_ui.history import History
from web_ui.live import LiveHub


def create_staff(config: Config, hub: LiveHub, history: History) -> Blueprint:
    staff = Blueprint("staff", __name__)

    @staff.get("/staff")
    @allow(Permission.STAFF)
    def today() -> str:
        return f"{config.machine.name} {hub.streams()} {history}"

    return staff
