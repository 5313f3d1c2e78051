"""What the views work with: one set of parts an application, put there by ``create_app``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from flask import Flask, current_app

from device.config import Config
from web_ui.camera_looks import CameraLooks
from web_ui.credentials import Credentials
from web_ui.examination import Examination
from web_ui.guess_limit import GuessLimit
from web_ui.history import History
from web_ui.live import LiveHub

_KEY = "legpress"


def wall_clock() -> datetime:
    return datetime.now(UTC)


def nothing_to_restart() -> None:
    """For an application that no service runs."""


@dataclass(frozen=True, slots=True)
class Parts:
    config: Config
    hub: LiveHub
    history: History
    credentials: Credentials
    guesses: GuessLimit
    examination: Examination
    now_utc: Callable[[], datetime] = wall_clock
    """For "today" on the staff's pages."""
    looks: CameraLooks = field(default_factory=CameraLooks)
    """How the vision process is asked."""
    restart: Callable[[], None] = nothing_to_restart
    """Ends this process soon, for its supervisor to start it with new settings."""


def install(app: Flask, parts: Parts) -> None:
    app.extensions[_KEY] = parts


def parts() -> Parts:
    """The parts of the application that serves this request."""
    return cast(Parts, current_app.extensions[_KEY])
