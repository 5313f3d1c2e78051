"""The tables, for SQLAlchemy's Core: its mapper would take 7 MB of each process.

Migrations in ``device/store/migrations`` lead to exactly this, and to the tallies of ``device/store/tallies.py``.

Times are UTC text of fixed width (``2026-11-23T13:18:54.123Z``), so that text order is time order.
Units stand in the column names. ``NULL`` means unknown, never zero.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

DATABASE_NAME = "legpress.sqlite3"
HEAD_REVISION = "0003"
"""The newest migration. Lets the device see, without Alembic, whether it must migrate."""

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def utc_text(moment: str | datetime) -> str:
    """A moment as the database keeps it: UTC, milliseconds, fixed width.

    ``moment`` is ISO-8601 text or a datetime; one without a zone is taken as UTC.
    Raises ValueError for text that is no time.
    """
    parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    try:
        aware = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{moment} lies outside the years 1 to 9999") from error
    return aware.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


METADATA: Final = MetaData(naming_convention=NAMING)


def _text(name: str, length: int, **options: Any) -> Column[str]:
    """A text that is always there."""
    return Column(name, String(length), nullable=False, **options)


def _number(name: str, kind: type[Double[float]] | type[Integer] = Double, **options: Any) -> Column[Any]:
    """A number that is always there."""
    return Column(name, kind, nullable=False, **options)


MEMBERS: Final = Table("members", METADATA, Column("tag", String(64), primary_key=True), _text("created_utc", 24))
"""A member is an opaque tag; no name is stored."""

NEUTRALS: Final = Table(
    "neutrals",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("member", ForeignKey("members.tag", ondelete="CASCADE"), nullable=False, index=True),
    _text("created_utc", 24),
    Column("goal", String(16)),
    Column("seat_notch", Integer),
    Column("profile", JSON, nullable=False),
)
"""Clean references of the members: the newest one counts, older ones are kept for comparison."""

SETS: Final = Table(
    "sets",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("member", ForeignKey("members.tag", ondelete="CASCADE")),
    _text("goal", 16),
    _text("started_utc", 24),
    Column("ended_utc", String(24)),
    Column("load_kg", Double),
    Column("seat_notch", Integer),
    _number("reps", Integer),
    Column("enrolled", Boolean, nullable=False),
    Column("enrolment", Boolean, nullable=False),
    # Its stored reps by verdict, counted with each rep: what lists and tallies read instead of the reps.
    _number("good", Integer, server_default="0"),
    _number("faulty", Integer, server_default="0"),
    _number("uncertain", Integer, server_default="0"),
    Index(None, "started_utc", "id"),
    Index(None, "member", "started_utc", "id"),
    Index(None, "goal", "started_utc", "id"),
)
"""A row exists from the set's first rep on, ``ended_utc`` comes with its end."""

REPS: Final = Table(
    "reps",
    METADATA,
    Column("set_id", ForeignKey("sets.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _text("started_utc", 24),
    _number("duration_s"),
    _number("eccentric_s"),
    _number("concentric_s"),
    Column("rom_m", Double),
    Column("min_knee_flexion_deg", Double),
    Column("max_knee_flexion_deg", Double),
    Column("peak_load_kg", Double),
    Column("mean_speed_m_s", Double),
    Column("peak_speed_m_s", Double),
    Column("mean_power_w", Double),
    Column("worst_valgus_left_deg", Double),
    Column("worst_valgus_right_deg", Double),
    Column("worst_rounding_deg", Double),
    Column("worst_arching_deg", Double),
    _text("verdict", 10),
    Column("faults", JSON, nullable=False),
    Index(None, "started_utc", "verdict"),
)

MOTIONS: Final = Table(
    "motions",
    METADATA,
    Column("set_id", String(36), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _text("created_utc", 24, index=True),
    Column("has_figure", Boolean, nullable=False),
    Column("frames_zlib", LargeBinary, nullable=False),
    ForeignKeyConstraint(["set_id", "number"], ["reps.set_id", "reps.number"], ondelete="CASCADE"),
)
"""Curves of each rep, and for the first good rep of a set its stick figures: JSON, compressed. Never an image."""

ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("set_id", String(36)),
    Column("rep_number", Integer),
    _text("kind", 24),
    Column("side", String(5)),
    _text("priority", 6),
    _text("started_utc", 24),
    Column("duration_s", Double),
    _number("peak"),
    _text("sentence", 200),
    Index(None, "started_utc", "id"),
    Index(None, "started_utc", "kind"),
    Index(None, "kind", "started_utc", "id"),
    Index(None, "set_id", "kind"),
)
"""Faults from onset to release.

``set_id`` is no foreign key on purpose: a fault in a set's first rep is committed before that
rep, and so before the set. Deleting a member deletes the alerts of their sets with them.
"""

REPLAYS: Final = Table(
    "replays",
    METADATA,
    Column("alert_id", ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    _text("created_utc", 24, index=True),
    Column("frames_zlib", LargeBinary, nullable=False),
)
"""Stick figure and curves around an alert: JSON, compressed with zlib. Never an image."""

REVIEWS: Final = Table(
    "reviews",
    METADATA,
    Column("alert_id", ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    _text("verdict", 6),
    _text("reviewed_utc", 24),
    _text("reviewer", 16),
)
"""A trainer's judgement of an alert: ``right``, ``wrong`` or ``unsure``, and the role that was signed in; no names."""

AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _text("at_utc", 24, index=True),
    _text("who", 16),
    _text("what", 40),
    _text("detail", 400),
)
"""What staff changed, when, and in which role."""

META: Final = Table("meta", METADATA, Column("key", String(40), primary_key=True), _text("value", 200))
"""Facts about the database itself, by key: ``created_utc``, ``retention_due_utc``."""
