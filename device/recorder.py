"""Turns the core's records into writes of the store, and the store's answers into events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from device.config import Retention
from device.core.actions import Action, RecallMember, StoreAlert, StoreChange, StoreNeutral, StoreRep, StoreSet
from device.core.events import Event, MemberRecalled, StoreAnswer
from device.core.posture import NeutralProfile
from device.core.records import motion_data, replay_data
from device.messages import AlertRecord, Command, RepRecord, SetRecord
from device.store.queued_write import Data
from device.store.rows import MemberHistory


class Store(Protocol):
    """What ``device.store.writer.StoreWriter`` offers; none of it waits."""

    def save_rep(self, set_record: SetRecord, rep: RepRecord, motion: Data | None = None) -> None: ...
    def save_set(self, set_record: SetRecord) -> None: ...
    def save_alert(self, alert: AlertRecord, replay: Data | None = None) -> None: ...
    def save_neutral(
        self,
        tag: str,
        profile: Mapping[str, Any],
        created_utc: str,
        goal: str | None = None,
        seat_notch: int | None = None,
    ) -> None: ...
    def recall_member(self, tag: str, answer: Callable[[MemberHistory], None]) -> None: ...
    def change(self, command: Command, at_utc: str, answer: Callable[[str | None], None]) -> None: ...
    def exchange(self, swap: Callable[[], None], answer: Callable[[str | None], None]) -> None: ...
    def retain(self, retention: Retention, now: datetime) -> None: ...
    def close(self, timeout_s: float = 5.0) -> None: ...


class NoStore:
    """Keeps nothing and knows nobody: in place of a database that cannot be opened."""

    def save_rep(self, set_record: SetRecord, rep: RepRecord, motion: Data | None = None) -> None: ...

    def save_set(self, set_record: SetRecord) -> None: ...

    def save_alert(self, alert: AlertRecord, replay: Data | None = None) -> None: ...

    def save_neutral(
        self,
        tag: str,
        profile: Mapping[str, Any],
        created_utc: str,
        goal: str | None = None,
        seat_notch: int | None = None,
    ) -> None: ...

    def recall_member(self, tag: str, answer: Callable[[MemberHistory], None]) -> None:
        answer(MemberHistory(tag, None, None, None))

    def change(self, command: Command, at_utc: str, answer: Callable[[str | None], None]) -> None:
        answer("the database cannot be opened; see the device's log")

    def exchange(self, swap: Callable[[], None], answer: Callable[[str | None], None]) -> None:
        answer("there is no database")

    def retain(self, retention: Retention, now: datetime) -> None: ...

    def close(self, timeout_s: float = 5.0) -> None: ...


class Recorder:
    """Hands what the core wants kept to the store; ``tell`` takes the store's answers back to the core."""

    def __init__(self, store: Store, tell: Callable[[Event], None]) -> None:
        self._store, self._tell = store, tell

    def record(self, action: Action) -> None:
        if isinstance(action, StoreRep):
            # worked out on the writer's thread, one at a time: it takes some milliseconds, and memory
            self._store.save_rep(action.set, action.rep, partial(motion_data, action) if action.motion else None)
        elif isinstance(action, StoreSet):
            self._store.save_set(action.set)
        elif isinstance(action, StoreAlert):
            self._store.save_alert(action.alert, partial(replay_data, action) if action.replay else None)
        elif isinstance(action, StoreNeutral):
            profile = action.neutral.to_dict()
            self._store.save_neutral(action.tag, profile, action.created_utc, action.goal, action.seat_notch)
        elif isinstance(action, RecallMember):
            self._store.recall_member(action.tag, lambda history: self._tell(recalled(history)))
        elif isinstance(action, StoreChange):
            asked = action.command.id
            self._store.change(action.command, action.at_utc, lambda error: self._tell(StoreAnswer(asked, error)))

    def retain(self, retention: Retention, now: datetime) -> None:
        """Let the store delete what is older than it shall be kept, when the day's hour for that has come."""
        self._store.retain(retention, now)


def recalled(history: MemberHistory) -> MemberRecalled:
    neutral = NeutralProfile.from_dict(history.neutral) if history.neutral is not None else None
    return MemberRecalled(history.tag, neutral, history.usual_load_kg, history.last_seat_notch)
