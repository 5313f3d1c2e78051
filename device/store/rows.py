"""What each write does to the tables, inside a transaction that the caller holds.

Every write is an upsert: repeating one after a failure changes nothing, so a rep is there exactly once.
"""

from __future__ import annotations

import json
import statistics
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, func, select, update
from sqlalchemy.dialects.sqlite import insert

from device.messages import AlertRecord, RepRecord, SetRecord
from device.store.schema import ALERTS, MEMBERS, MOTIONS, NEUTRALS, REPLAYS, REPS, SETS, utc_text

USUAL_LOAD_SETS = 10
"""The usual working load is the median over this many of the newest sets (ours)."""


@dataclass(frozen=True, slots=True)
class MemberHistory:
    """What the database knows of a member. All None for one never seen."""

    tag: str
    neutral: dict[str, Any] | None = None
    """The newest neutral profile, as it was saved."""
    usual_load_kg: float | None = None
    last_seat_notch: int | None = None


def _upsert(connection: Connection, table: Table, key: tuple[str, ...], values: dict[str, Any]) -> None:
    statement = insert(table).values(values)
    changed = {name: statement.excluded[name] for name in values if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))


def write_member(connection: Connection, tag: str, seen_utc: str) -> None:
    connection.execute(insert(MEMBERS).values(tag=tag, created_utc=utc_text(seen_utc)).on_conflict_do_nothing())


def write_set(connection: Connection, record: SetRecord) -> None:
    if record.member is not None:
        write_member(connection, record.member, record.started_utc)
    values = {
        "id": record.set_id,
        "member": record.member,
        "goal": record.goal,
        "started_utc": utc_text(record.started_utc),
        "ended_utc": None if record.ended_utc is None else utc_text(record.ended_utc),
        "load_kg": record.load_kg,
        "seat_notch": record.seat_notch,
        "reps": record.reps,
        "enrolled": record.enrolled,
        "enrolment": record.enrolment,
    }
    _upsert(connection, SETS, ("id",), values)


def write_rep(connection: Connection, record: SetRecord, rep: RepRecord) -> None:
    """The rep and its set's row, as they belong together in one transaction."""
    write_set(connection, record)
    values = {
        "set_id": rep.set_id,
        "number": rep.number,
        "started_utc": utc_text(rep.started_utc),
        "duration_s": rep.t_end_s - rep.t_start_s,
        "eccentric_s": rep.eccentric_s,
        "concentric_s": rep.concentric_s,
        "rom_m": rep.rom_m,
        "min_knee_flexion_deg": rep.min_knee_flexion_deg,
        "max_knee_flexion_deg": rep.max_knee_flexion_deg,
        "peak_load_kg": rep.peak_load_kg,
        "mean_speed_m_s": rep.mean_speed_m_s,
        "peak_speed_m_s": rep.peak_speed_m_s,
        "mean_power_w": rep.mean_power_w,
        "worst_valgus_left_deg": rep.worst_valgus_left_deg,
        "worst_valgus_right_deg": rep.worst_valgus_right_deg,
        "worst_rounding_deg": rep.worst_rounding_deg,
        "worst_arching_deg": rep.worst_arching_deg,
        "verdict": rep.verdict,
        "faults": list(rep.faults),
    }
    _upsert(connection, REPS, ("set_id", "number"), values)
    counts = {
        column: select(func.count()).where(REPS.c.set_id == rep.set_id, REPS.c.verdict == verdict).scalar_subquery()
        for column, verdict in (("good", "good"), ("faulty", "fault"), ("uncertain", "uncertain"))
    }
    connection.execute(update(SETS).where(SETS.c.id == rep.set_id).values(counts))


def write_motion(connection: Connection, rep: RepRecord, motion: Mapping[str, Any]) -> None:
    """How a stored rep moved."""
    values = {
        "set_id": rep.set_id,
        "number": rep.number,
        "created_utc": utc_text(rep.started_utc),
        "has_figure": bool(motion["figure"]),
        "frames_zlib": pack_replay(motion),
    }
    _upsert(connection, MOTIONS, ("set_id", "number"), values)


def write_alert(connection: Connection, record: AlertRecord) -> None:
    values = {
        "id": record.alert_id,
        "set_id": record.set_id,
        "rep_number": record.rep_number,
        "kind": record.kind,
        "side": record.side,
        "priority": record.priority,
        "started_utc": utc_text(record.started_utc),
        "duration_s": None if record.t_end_s is None else record.t_end_s - record.t_start_s,
        "peak": record.peak,
        "sentence": record.sentence,
    }
    _upsert(connection, ALERTS, ("id",), values)


def pack_replay(replay: Mapping[str, Any]) -> bytes:
    """Compressed JSON. Raises ValueError for what JSON cannot hold (NaN, infinity)."""
    return zlib.compress(json.dumps(replay, separators=(",", ":"), allow_nan=False).encode(), level=6)


def unpack_replay(frames_zlib: bytes) -> dict[str, Any]:
    unpacked: dict[str, Any] = json.loads(zlib.decompress(frames_zlib))
    return unpacked


def write_replay(connection: Connection, alert: AlertRecord, replay: Mapping[str, Any]) -> None:
    """How an alert looked, compressed here."""
    values = {
        "alert_id": alert.alert_id,
        "created_utc": utc_text(alert.started_utc),
        "frames_zlib": pack_replay(replay),
    }
    _upsert(connection, REPLAYS, ("alert_id",), values)


def write_neutral(
    connection: Connection,
    tag: str,
    profile: Mapping[str, Any],
    created_utc: str,
    goal: str | None = None,
    seat_notch: int | None = None,
) -> None:
    write_member(connection, tag, created_utc)
    connection.execute(
        insert(NEUTRALS).values(
            member=tag, created_utc=utc_text(created_utc), goal=goal, seat_notch=seat_notch, profile=dict(profile)
        )
    )


def recall_member(connection: Connection, tag: str) -> MemberHistory:
    """The newest neutral, the last seat and the usual working load (warm-ups and enrolments left out)."""
    neutral = connection.execute(
        select(NEUTRALS.c.profile)
        .where(NEUTRALS.c.member == tag)
        .order_by(NEUTRALS.c.created_utc.desc(), NEUTRALS.c.id.desc())
    ).first()
    seat = connection.execute(
        select(SETS.c.seat_notch)
        .where(SETS.c.member == tag, SETS.c.seat_notch.is_not(None))
        .order_by(SETS.c.started_utc.desc())
    ).first()
    loads = connection.execute(
        select(SETS.c.load_kg)
        .where(
            SETS.c.member == tag,
            SETS.c.load_kg.is_not(None),
            SETS.c.goal != "warm_up",
            SETS.c.enrolment.is_(False),
        )
        .order_by(SETS.c.started_utc.desc())
        .limit(USUAL_LOAD_SETS)
    ).scalars()
    kilograms = [load for load in loads if load is not None]
    return MemberHistory(
        tag=tag,
        neutral=None if neutral is None else neutral[0],
        usual_load_kg=statistics.median(kilograms) if kilograms else None,
        last_seat_notch=None if seat is None else seat[0],
    )
