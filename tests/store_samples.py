"""Records as the device stores them, for tests of the store, the API and the export."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from device.messages import AlertRecord, RepRecord, SetRecord

SET = SetRecord(
    set_id="set-1",
    member="4711",
    goal="glutes",
    started_utc="2026-11-23T10:00:00+00:00",
    ended_utc=None,
    load_kg=120.0,
    seat_notch=3,
    reps=1,
    enrolled=True,
)
REP = RepRecord(
    set_id="set-1",
    number=1,
    t_start_s=100.0,
    t_bottom_s=102.0,
    t_end_s=103.5,
    started_utc="2026-11-23T10:00:02+00:00",
    rom_m=0.41,
    min_knee_flexion_deg=12.0,
    max_knee_flexion_deg=91.0,
    eccentric_s=2.0,
    concentric_s=1.5,
    peak_load_kg=131.0,
    mean_speed_m_s=0.27,
    peak_speed_m_s=0.48,
    mean_power_w=310.0,
    worst_valgus_left_deg=8.5,
    worst_valgus_right_deg=1.0,
    worst_rounding_deg=2.5,
    worst_arching_deg=None,
    verdict="fault",
    faults=("knee_valgus",),
)
ALERT = AlertRecord(
    alert_id="alert-1",
    set_id="set-1",
    rep_number=1,
    kind="knee_valgus",
    side="left",
    priority="medium",
    t_start_s=101.0,
    t_end_s=None,
    started_utc="2026-11-23T10:00:03+00:00",
    peak=8.5,
    sentence="Left knee out",
)
REPLAY = {"t_s": [-0.1, 0.0], "figure": [{"head": [0.0, 0.4, 1.0]}, {}], "curves": {"valgus_left_deg": [3.0, None]}}


def later(moment: str, seconds: float) -> str:
    return (datetime.fromisoformat(moment) + timedelta(seconds=seconds)).isoformat()


def many_sets(count: int) -> list[SetRecord]:
    """Sets a minute apart, oldest first; every third by a guest, goals in turn."""
    goals = ("glutes", "quads", "balanced")
    return [
        replace(
            SET,
            set_id=f"set-{i:03}",
            started_utc=later(SET.started_utc, 60.0 * i),
            member=None if i % 3 == 0 else "4711",
            goal=goals[i % 3],
        )
        for i in range(count)
    ]
