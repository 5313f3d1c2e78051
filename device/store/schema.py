"""The tables, as SQLAlchemy 2 models. Migrations in ``device/store/migrations`` lead to exactly this.

Times are UTC text of fixed width (``2026-11-23T13:18:54.123Z``), so that text order is time order.
Units stand in the column names. ``NULL`` means unknown, never zero.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

DATABASE_NAME = "legpress.sqlite3"
HEAD_REVISION = "0002"
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


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {dict[str, Any]: JSON, list[str]: JSON}


class Member(Base):
    """A member is an opaque tag; no name is stored."""

    __tablename__ = "members"
    tag: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_utc: Mapped[str] = mapped_column(String(24))


class Neutral(Base):
    """A clean reference of one member: the newest one counts, older ones are kept for comparison."""

    __tablename__ = "neutrals"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    member: Mapped[str] = mapped_column(ForeignKey("members.tag", ondelete="CASCADE"), index=True)
    created_utc: Mapped[str] = mapped_column(String(24))
    goal: Mapped[str | None] = mapped_column(String(16))
    seat_notch: Mapped[int | None]
    profile: Mapped[dict[str, Any]]


class TrainingSet(Base):
    """One set; the row exists from its first rep on, ``ended_utc`` comes with its end."""

    __tablename__ = "sets"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    member: Mapped[str | None] = mapped_column(ForeignKey("members.tag", ondelete="CASCADE"))
    goal: Mapped[str] = mapped_column(String(16))
    started_utc: Mapped[str] = mapped_column(String(24))
    ended_utc: Mapped[str | None] = mapped_column(String(24))
    load_kg: Mapped[float | None]
    seat_notch: Mapped[int | None]
    reps: Mapped[int]
    enrolled: Mapped[bool]
    enrolment: Mapped[bool]
    good: Mapped[int] = mapped_column(server_default="0")
    """Its stored reps by verdict, counted with each rep: what lists and trends read instead of the reps."""
    faulty: Mapped[int] = mapped_column(server_default="0")
    uncertain: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        Index(None, "started_utc", "id"),
        Index(None, "member", "started_utc", "id"),
        Index(None, "goal", "started_utc", "id"),
        Index(
            "ix_sets_trends",
            "started_utc", "enrolment", "goal", "seat_notch", "load_kg", "good", "faulty", "uncertain",
        ),
    )  # fmt: skip
    """The last one holds all that a trend reads, so that a year of sets is summed without touching their rows."""


class Rep(Base):
    __tablename__ = "reps"
    set_id: Mapped[str] = mapped_column(ForeignKey("sets.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started_utc: Mapped[str] = mapped_column(String(24))
    duration_s: Mapped[float]
    eccentric_s: Mapped[float]
    concentric_s: Mapped[float]
    rom_m: Mapped[float | None]
    min_knee_flexion_deg: Mapped[float | None]
    max_knee_flexion_deg: Mapped[float | None]
    peak_load_kg: Mapped[float | None]
    mean_speed_m_s: Mapped[float | None]
    peak_speed_m_s: Mapped[float | None]
    mean_power_w: Mapped[float | None]
    worst_valgus_left_deg: Mapped[float | None]
    worst_valgus_right_deg: Mapped[float | None]
    worst_rounding_deg: Mapped[float | None]
    worst_arching_deg: Mapped[float | None]
    verdict: Mapped[str] = mapped_column(String(10))
    faults: Mapped[list[str]]

    __table_args__ = (Index(None, "started_utc", "verdict"),)


class Motion(Base):
    """Curves of one rep, and for the first good rep of a set its stick figures: JSON, compressed. Never an image."""

    __tablename__ = "motions"
    set_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    created_utc: Mapped[str] = mapped_column(String(24), index=True)
    has_figure: Mapped[bool]
    frames_zlib: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (ForeignKeyConstraint(["set_id", "number"], ["reps.set_id", "reps.number"], ondelete="CASCADE"),)


class Alert(Base):
    """One fault from onset to release.

    ``set_id`` is no foreign key on purpose: a fault in a set's first rep is committed before that
    rep, and so before the set. Deleting a member deletes the alerts of their sets with them.
    """

    __tablename__ = "alerts"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    set_id: Mapped[str | None] = mapped_column(String(36))
    rep_number: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(24))
    side: Mapped[str | None] = mapped_column(String(5))
    priority: Mapped[str] = mapped_column(String(6))
    started_utc: Mapped[str] = mapped_column(String(24))
    duration_s: Mapped[float | None]
    peak: Mapped[float]
    sentence: Mapped[str] = mapped_column(String(200))

    __table_args__ = (
        Index(None, "started_utc", "id"),
        Index(None, "started_utc", "kind"),
        Index(None, "kind", "started_utc", "id"),
        Index(None, "set_id", "kind"),
    )


class Replay(Base):
    """Stick figure and curves around an alert: JSON, compressed with zlib. Never an image."""

    __tablename__ = "replays"
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True)
    created_utc: Mapped[str] = mapped_column(String(24), index=True)
    frames_zlib: Mapped[bytes] = mapped_column(LargeBinary)


class Review(Base):
    """A trainer's judgement of one alert: ``right``, ``wrong`` or ``unsure``. The newest counts."""

    __tablename__ = "reviews"
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True)
    verdict: Mapped[str] = mapped_column(String(6))
    reviewed_utc: Mapped[str] = mapped_column(String(24))
    reviewer: Mapped[str] = mapped_column(String(16))
    """The role that was signed in; no names are kept."""


class Audit(Base):
    """What staff changed, when, and in which role."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at_utc: Mapped[str] = mapped_column(String(24), index=True)
    who: Mapped[str] = mapped_column(String(16))
    what: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(String(400))


class Meta(Base):
    """Facts about the database itself, by key: ``created_utc``, ``retention_due_utc``."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))
