"""The workspace of one step."""

from __future__ import annotations

from typing import Final

from device.core.actions import Action
from device.core.state import CoreState
from device.messages import RepRecord

SETTLED_READINGS: Final = 20
"""Readings of the reps before a set's load is known better than by half a second's average (ours)."""


class Turn:
    """One step at work: the parts of the state, replaced as the rules go, and the actions they ask for."""

    __slots__ = (
        "actions",
        "alerts",
        "clock",
        "closed_rep",
        "conditions",
        "config",
        "cues",
        "enrolment",
        "faults",
        "history",
        "last_set",
        "lifter",
        "published",
        "reps",
        "rules",
        "sensors",
        "session",
        "set",
        "set_load",
        "sets",
        "store_trouble",
        "tally",
        "view",
        "watches",
    )

    def __init__(self, state: CoreState) -> None:
        self.config = state.config
        self.rules = state.rules
        self.session = state.session
        self.clock = state.clock
        self.sensors = state.sensors
        self.view = state.view
        self.reps = state.reps
        self.set = state.set
        self.tally = state.tally
        self.set_load = state.set_load
        self.last_set = state.last_set
        self.enrolment = state.enrolment
        self.lifter = state.lifter
        self.watches = state.watches
        self.faults = state.faults
        self.cues = state.cues
        self.conditions = state.conditions
        self.store_trouble = state.store_trouble
        self.history = state.history
        self.published = state.published
        self.alerts = state.alerts
        self.sets = state.sets
        self.actions: list[Action] = []
        self.closed_rep: RepRecord | None = None

    def freeze(self) -> CoreState:
        return CoreState(
            self.config, self.rules, self.session, self.clock, self.sensors, self.view, self.reps, self.set,
            self.tally, self.set_load, self.last_set, self.enrolment, self.lifter, self.watches, self.faults,
            self.cues, self.conditions, self.store_trouble, self.history, self.published, self.alerts, self.sets,
        )  # fmt: skip

    @property
    def now_s(self) -> float:
        return self.clock.now_s

    @property
    def working_load_kg(self) -> float | None:
        """The load without the swing of the sled: the set's mean once there is one. None while unknown."""
        smooth_kg = self.sensors.smooth_kg
        if smooth_kg is None or self.set is None or self.set_load.n < SETTLED_READINGS:
            return smooth_kg
        return self.set_load.mean_kg

    @property
    def under_watch(self) -> bool:
        """Somebody lifts: in a set, or with the carriage on its way."""
        return self.set is not None or self.reps.moving
