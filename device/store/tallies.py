"""Sets and alerts counted by week, so that two years of trends are read from a few thousand rows.

Triggers (migration 0003) keep them in the transaction that changes a set, an alert or a review, whoever changes it and
why: a tally is never older than its rows. A later migration that copies one of those tables, or ``set_faults``
(Alembic's batch mode does), has to make its triggers again.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Double, ForeignKey, Index, Integer, String, Table

from device.store.schema import METADATA

LOAD_BAND_KG = 20
"""Width of the bands of load that are counted together (ours): a plate on either side."""
UNKNOWN = -1
"""The key of a seat or load that was not known: no notch and no band of load has this number."""


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _key(name: str, length: int) -> Column[str]:
    return Column(name, String(length), primary_key=True)


def _split() -> Column[str]:
    return _key("split", 4)


SET_FAULTS: Final = Table(
    "set_faults",
    METADATA,
    Column("set_id", ForeignKey("sets.id", ondelete="CASCADE"), primary_key=True),
    _key("kind", 24),
    _count("alerts"),
    # the set's own, so that a page of sets with a fault is one walk along an index
    Column("started_utc", String(24), nullable=False),
    Column("goal", String(16), nullable=False),
    Column("seat_notch", Integer),
    Column("load_kg", Double),
    Column("enrolment", Boolean, nullable=False),
    Index(None, "kind", "started_utc", "set_id"),
    Index(None, "kind", "goal", "started_utc", "set_id"),
    sqlite_with_rowid=False,
)
"""A set's alerts by kind. Alerts whose set is not stored, or not any more, are in none."""

WEEKLY_SETS: Final = Table(
    "weekly_sets",
    METADATA,
    _split(),
    _key("monday", 10),
    _key("goal", 16),
    Column("key", Integer, primary_key=True, autoincrement=False),
    _count("sets"),
    _count("good"),
    _count("faulty"),
    _count("uncertain"),
    sqlite_with_rowid=False,
)
"""Sets but enrolments, and their reps by verdict; once with ``split`` ``seat`` (``key``: the notch) and once with
``load`` (``key``: lower end of the band, kg). ``monday`` is a date, UTC."""

WEEKLY_SET_FAULTS: Final = Table(
    "weekly_set_faults",
    METADATA,
    _split(),
    _key("monday", 10),
    _key("goal", 16),
    Column("key", Integer, primary_key=True, autoincrement=False),
    _key("kind", 24),
    _count("alerts"),
    sqlite_with_rowid=False,
)
"""The alerts of the same sets, by the set's week."""

WEEKLY_ALERTS: Final = Table(
    "weekly_alerts", METADATA, _key("monday", 10), _key("kind", 24), _count("alerts"), sqlite_with_rowid=False
)
"""Every alert, with a stored set or without, by its own week."""

WEEKLY_REVIEWS: Final = Table(
    "weekly_reviews",
    METADATA,
    _key("monday", 10),
    _key("kind", 24),
    _key("verdict", 6),
    _count("alerts"),
    sqlite_with_rowid=False,
)
"""The alerts that were judged, by the alert's own week."""

ALL_TABLES: Final = METADATA
"""The schema's tables and these."""
