"""A week of one machine, as the device stores it: for the tests and the pictures of the staff's pages."""

from __future__ import annotations

import atexit
import functools
import math
import shutil
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kiosk_scenes import figure
from sqlalchemy import Connection
from store_samples import ALERT, REP, SET
from web_machine import NOON, WebMachine, make_machine, make_open_machine

from device.machine_health import Finding
from device.messages import Command, PartReport, PartsReport
from device.store import changes, rows
from device.store.engine import writer_engine
from device.store.prepare import database_path

REPS_A_SET = 8
FRAMES_PER_S = 8
KINDS = (
    ("knee_valgus", "left", "medium", 9.2, "Left knee out"),
    ("back_rounding", None, "high", 19.5, "Lower back is rounding - less depth, hips back"),
    ("fast_drop", None, "low", 0.6, "Slower on the way down"),
)

REPORT = PartsReport(
    0.0,
    (
        PartReport("load cell", "ok", "80 readings a second", rate_hz=79.8, wanted_hz=80.0, noise=3.2, unit="counts"),
        PartReport("seat potentiometer", "failed", "reads 0: open", "check the wiper's wire"),
    ),
)


EXAMINED = (
    Finding("model full", "ok", "/opt/legpress/models/pose_full.task, verified, SHA-256 2aafe1890fa1..."),
    Finding("state folder", "ok", "/var/lib/legpress, 21.4 GB free"),
    Finding("backups", "ok", "14 kept, the newest 8 h old"),
    Finding("load cell scale", "ok", "8000.6 counts per kg"),
    Finding("load calibration", "degraded", "371 days old", "once a year: legpress calibrate load"),
    Finding("camera side calibration", "ok", "112 days old"),
    Finding("camera front calibration", "ok", "112 days old"),
    Finding("temperature", "ok", "58 deg C (slows down from 80)"),
    Finding("power", "ok", "never throttled, voltage never too low"),
    Finding("clock", "ok", "set from the network"),
    Finding("disk mmcblk0", "ok", "0.3 GB written a day"),
    Finding("software", "ok", "legpress 0.1.0"),
)
"""What is found on the machine of the pictures, besides what its device process tells."""


def motion(seconds: float, valgus_m: float = 0.0, rounding_deg: float = 1.0, before_s: float = 0.0) -> dict[str, Any]:
    """One rep of a lifter, or with `before_s` a replay that begins so long before its onset."""
    count = round(seconds * FRAMES_PER_S) + 1
    times = [round(i / FRAMES_PER_S - before_s, 3) for i in range(count)]
    depths = [0.5 - 0.5 * math.cos(2 * math.pi * i / (count - 1) * max(1, round(seconds / 4))) for i in range(count)]
    knees = [round(12 + 80 * depth, 1) for depth in depths]
    return {
        "t_s": times,
        "figure": [figure(depth, valgus_m * depth) for depth in depths],
        "curves": {
            "knee_flexion_left_deg": knees,
            "knee_flexion_right_deg": [round(knee - 1.5, 1) for knee in knees],
            "valgus_left_deg": [round(150 * valgus_m * depth + 1, 1) for depth in depths],
            "valgus_right_deg": [1.0] * count,
            "lumbar_flexion_deg": [round(rounding_deg * depth, 1) for depth in depths],
            "carriage_m": [round(0.4 * depth, 3) for depth in depths],
            "load_kg": [round(118 + 9 * math.sin(6.0 * depth), 1) for depth in depths],
        },
    }


@functools.cache
def _week_until(now: datetime) -> Path:
    """A state folder with that week in it, written once: it takes a second."""
    folder = Path(tempfile.mkdtemp(prefix="legpress-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_week(make_open_machine(folder), now)
    return folder


def make_week_machine(state_dir: Path) -> WebMachine:
    """A machine with a week behind it, at noon of its last day."""
    shutil.copytree(_week_until(NOON), state_dir, dirs_exist_ok=True)
    machine = make_machine(state_dir)
    machine.publish()
    return machine


def write_week(machine: WebMachine, now: datetime) -> None:
    """Ten days of sets by two members and guests, some with faults, some judged; the last set ended just now."""
    engine = writer_engine(database_path(machine.config.paths.state_dir))
    with engine.begin() as connection:  # one commit instead of a thousand
        for number in range(30):
            _write_set(connection, number, now - timedelta(days=9 - number // 3, minutes=20 * (3 - number % 3)))
        for number, verdict in enumerate(("right", "wrong", "unsure")):
            asked = Command("review", verdict, target=f"alert-{6 * number}", who="staff")
            assert changes.apply(connection, asked, now.isoformat()) is None
        entry = Command("audit", "", target="took the machine out of order", who="staff")
        assert changes.apply(connection, entry, now.isoformat()) is None
    engine.dispose()


def _write_set(connection: Connection, number: int, start: datetime) -> None:
    goal = ("glutes", "quads", "balanced")[number % 3]
    record = replace(
        SET,
        set_id=f"set-{number}",
        member=(None, "4711", "04A21F")[number % 3],
        goal=goal,
        started_utc=start.isoformat(),
        ended_utc=(start + timedelta(seconds=70)).isoformat(),
        load_kg=80.0 + 20.0 * (number % 4),
        seat_notch=3 + number % 3,
    )
    kind, side, priority, peak, sentence = KINDS[number % len(KINDS)]
    for nth in range(1, REPS_A_SET + 1):
        rep_start = start + timedelta(seconds=7 * nth)
        faulty = nth in (4, 6) and number % 2 == 0
        verdict = "fault" if faulty else "uncertain" if nth == 7 and number % 4 == 1 else "good"
        rep = replace(
            REP,
            set_id=record.set_id,
            number=nth,
            started_utc=rep_start.isoformat(),
            t_start_s=100.0,
            t_end_s=104.0,
            rom_m=round(0.42 - 0.01 * nth, 2),
            verdict=verdict,
            faults=(kind,) if faulty else (),
            worst_rounding_deg=peak if faulty and kind == "back_rounding" else 2.5,
            worst_valgus_left_deg=peak if faulty and kind == "knee_valgus" else 2.0,
        )
        moved = motion(4.0, 0.06 if faulty and kind == "knee_valgus" else 0.0, 19.0 if kind == "back_rounding" else 1.0)
        if verdict != "good" or nth > 1:
            moved["figure"] = []
        rows.write_rep(connection, replace(record, reps=nth), rep)
        rows.write_motion(connection, rep, moved)
        if faulty:
            onset = rep_start + timedelta(seconds=1.6)
            alert = replace(
                ALERT,
                alert_id=f"alert-{number}" if nth == 4 else f"alert-{number}b",
                set_id=record.set_id,
                rep_number=nth,
                kind=kind,
                side=side,
                priority=priority,
                peak=peak,
                sentence=sentence,
                started_utc=onset.isoformat(),
                t_start_s=101.6,
                t_end_s=102.7,
            )
            replay = motion(10.0, 0.06 if kind == "knee_valgus" else 0.0, peak if kind == "back_rounding" else 2.0, 5.0)
            rows.write_alert(connection, alert)
            rows.write_replay(connection, alert, replay)
