"""What the analysis of one recorded set collects, and how it is written."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device.config import Config
from device.core.actions import Action, Publish
from device.core.events import Event, MemberRecalled, Stop, Tick
from device.core.posture import NeutralProfile, Posture
from device.core.state import CoreState
from device.core.step import step
from device.messages import AlertRecord, PoseSample, RepRecord, Sided
from vision.overlay import PostureText
from vision.playback import Moment

_EPOCH_UTC = "1970-01-01T00:00:00.000+00:00"
"""A file has no wall clock; the records' times are the clip's own."""


@dataclass
class Analysis:
    """What one set gave; the form that ``--json`` writes."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    reps: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {"frames": self.frames, "reps": self.reps, "alerts": self.alerts}


class Judge:
    """Feeds the core with the samples of a recording and collects what it says."""

    def __init__(self, config: Config, neutral: NeutralProfile | None) -> None:
        self.analysis = Analysis()
        self.open_alerts: dict[str, AlertRecord] = {}
        self._state = CoreState.initial(config)
        self._last_s = 0.0
        self._alert_index: dict[str, int] = {}
        self._feed(MemberRecalled(tag=None, neutral=neutral))

    @property
    def posture(self) -> Posture | None:
        return self._state.view.posture

    def text(self) -> PostureText:
        posture = self.posture or Posture()
        return PostureText(posture.knee_flexion_deg, posture.valgus_deg, posture.lumbar_flexion_deg)

    def see(self, moment: Moment) -> PoseSample:
        """One instant of the recording; returns the newest sample of it."""
        self._last_s = moment.t_s
        self._feed(Tick(moment.t_s, _EPOCH_UTC))
        for sample in moment.samples:
            self._feed(sample)
        sample = moment.samples[-1]
        self.analysis.frames.append(frame_row(moment.t_s, sample.person, self.posture))
        return sample

    def end(self) -> None:
        self._feed(Stop(self._last_s))

    def _feed(self, event: Event) -> None:
        self._state, actions = step(self._state, event)
        for action in actions:
            self._collect(action)

    def _collect(self, action: Action) -> None:
        if not isinstance(action, Publish):
            return
        record = action.record
        if isinstance(record, RepRecord):
            self.analysis.reps.append(rep_row(record))
        elif isinstance(record, AlertRecord):
            self._collect_alert(record)

    def _collect_alert(self, record: AlertRecord) -> None:
        row = alert_row(record, self._last_s)
        if record.alert_id in self._alert_index:
            self.analysis.alerts[self._alert_index[record.alert_id]] = row
        else:
            self._alert_index[record.alert_id] = len(self.analysis.alerts)
            self.analysis.alerts.append(row)
        if record.t_end_s is None:
            self.open_alerts[record.alert_id] = record
        else:
            self.open_alerts.pop(record.alert_id, None)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _sides(value: Sided, digits: int) -> dict[str, float | None]:
    return {"left": _rounded(value.left, digits), "right": _rounded(value.right, digits)}


def frame_row(t_s: float, person: bool, posture: Posture | None) -> dict[str, Any]:
    posture = posture or Posture()
    return {
        "t": round(t_s, 4),
        "person": person,
        "knee_flexion_deg": _sides(posture.knee_flexion_deg, 2),
        "valgus_deg": _sides(posture.valgus_deg, 2),
        "lumbar_flexion_deg": _rounded(posture.lumbar_flexion_deg, 2),
        "foot_placement": _sides(posture.foot_placement, 3),
        "carriage_m": _rounded(posture.carriage_m, 4),
        "hip_slide_m": _rounded(posture.hip_slide_m, 4),
        "heel_lift_deg": _sides(posture.heel_lift_deg, 2),
    }


def rep_row(rep: RepRecord) -> dict[str, Any]:
    return {
        "t_start": round(rep.t_start_s, 3),
        "t_bottom": round(rep.t_bottom_s, 3),
        "t_end": round(rep.t_end_s, 3),
        "number": rep.number,
        "verdict": rep.verdict,
        "faults": list(rep.faults),
        "rom_m": _rounded(rep.rom_m, 3),
        "eccentric_s": round(rep.eccentric_s, 2),
        "concentric_s": round(rep.concentric_s, 2),
        "max_knee_flexion_deg": _rounded(rep.max_knee_flexion_deg, 1),
    }


def alert_row(alert: AlertRecord, now_s: float) -> dict[str, Any]:
    end_s = now_s if alert.t_end_s is None else alert.t_end_s
    return {
        "kind": alert.kind,
        "side": alert.side,
        "priority": alert.priority,
        "t_start": round(alert.t_start_s, 3),
        "t_end": round(end_s, 3),
        "peak": round(alert.peak, 3),
    }


def write_csv(path: Path, analysis: Analysis) -> None:
    rows = [_flat(frame) for frame in analysis.frames]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["t", "person"])
        writer.writeheader()
        writer.writerows(rows)


def _flat(frame: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in frame.items():
        if isinstance(value, dict):
            flat |= {f"{key}_{side}": number for side, number in value.items()}
        else:
            flat[key] = value
    return flat


def print_summary(analysis: Analysis) -> None:
    print(f"{len(analysis.frames)} frames, {len(analysis.reps)} reps, {len(analysis.alerts)} alerts")
    for rep in analysis.reps:
        faults = ", ".join(kind.replace("_", " ") for kind in rep["faults"]) or "-"
        print(f"  rep {rep['number']}: bottom at {rep['t_bottom']:.2f} s, {rep['verdict']}; {faults}")
    for alert in analysis.alerts:
        side = f" {alert['side']}" if alert["side"] else ""
        times = f"{alert['t_start']:.2f}-{alert['t_end']:.2f} s"
        kind = alert["kind"].replace("_", " ")
        print(f"  {times}: {kind}{side}, {alert['priority']}, peak {alert['peak']:g}")
