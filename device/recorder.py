"""Turns the core's records into writes of the store, and the store's answers into events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from device.core.actions import Action, RecallMember, ReplayFrame, StoreAlert, StoreNeutral, StoreRep, StoreReplay, StoreSet
from device.core.events import Event, MemberRecalled
from device.core.posture import NeutralProfile
from device.messages import AlertRecord, RepRecord, SetRecord, Sided
from device.store.rows import MemberHistory

_ALERTS_KEPT = 50
"""Alerts whose replay may still come: it follows five seconds after the onset."""


class Store(Protocol):
    """What ``device.store.writer.StoreWriter`` offers; none of it waits."""

    def save_rep(self, set_record: SetRecord, rep: RepRecord) -> None: ...
    def save_set(self, set_record: SetRecord) -> None: ...
    def save_alert(self, alert: AlertRecord, replay: Mapping[str, Any] | None = None) -> None: ...
    def save_neutral(
        self,
        tag: str,
        profile: Mapping[str, Any],
        created_utc: str,
        goal: str | None = None,
        seat_notch: int | None = None,
    ) -> None: ...
    def recall_member(self, tag: str, answer: Callable[[MemberHistory], None]) -> None: ...
    def close(self, timeout_s: float = 5.0) -> None: ...


class NoStore:
    """Keeps nothing and knows nobody: in place of a database that cannot be opened."""

    def save_rep(self, set_record: SetRecord, rep: RepRecord) -> None: ...

    def save_set(self, set_record: SetRecord) -> None: ...

    def save_alert(self, alert: AlertRecord, replay: Mapping[str, Any] | None = None) -> None: ...

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

    def close(self, timeout_s: float = 5.0) -> None: ...


class Recorder:
    """Hands what the core wants kept to the store; ``tell`` takes the store's answers back to the core."""

    def __init__(self, store: Store, tell: Callable[[Event], None]) -> None:
        self._store, self._tell = store, tell
        self._alerts: OrderedDict[str, AlertRecord] = OrderedDict()

    def record(self, action: Action, now_utc: str) -> None:
        if isinstance(action, StoreRep):
            self._store.save_rep(action.set, action.rep)
        elif isinstance(action, StoreSet):
            self._store.save_set(action.set)
        elif isinstance(action, StoreAlert):
            self._remember(action.alert)
            self._store.save_alert(action.alert)
        elif isinstance(action, StoreReplay):
            self._save_replay(action)
        elif isinstance(action, StoreNeutral):
            profile = action.neutral.to_dict()
            self._store.save_neutral(action.tag, profile, now_utc, seat_notch=action.seat_notch)
        elif isinstance(action, RecallMember):
            self._store.recall_member(action.tag, lambda history: self._tell(recalled(history)))

    def _remember(self, alert: AlertRecord) -> None:
        self._alerts[alert.alert_id] = alert
        while len(self._alerts) > _ALERTS_KEPT:
            self._alerts.popitem(last=False)

    def _save_replay(self, action: StoreReplay) -> None:
        alert = self._alerts.get(action.alert_id)
        if alert is not None:
            self._store.save_alert(alert, replay_data(alert, action.frames))


def recalled(history: MemberHistory) -> MemberRecalled:
    neutral = NeutralProfile.from_dict(history.neutral) if history.neutral is not None else None
    return MemberRecalled(history.tag, neutral, history.usual_load_kg, history.last_seat_notch)


def replay_data(alert: AlertRecord, frames: Sequence[ReplayFrame]) -> dict[str, Any]:
    """Plain data for the staff page: times from the onset, a figure per frame, and curves. No picture."""

    def sides(name: str, values: Sequence[Sided]) -> dict[str, list[float | None]]:
        return {f"{name}_left": [v.left for v in values], f"{name}_right": [v.right for v in values]}

    curves: dict[str, list[float | None]] = {
        **sides("knee_flexion_deg", [frame.knee_flexion_deg for frame in frames]),
        **sides("valgus_deg", [frame.valgus_deg for frame in frames]),
        "lumbar_flexion_deg": [frame.lumbar_flexion_deg for frame in frames],
        "carriage_m": [frame.carriage_m for frame in frames],
        "load_kg": [frame.load_kg for frame in frames],
    }
    return {
        "t_s": [round(frame.t_s - alert.t_start_s, 3) for frame in frames],
        "figure": [frame.figure for frame in frames],
        "curves": curves,
    }
