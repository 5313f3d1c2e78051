"""Sets and alerts counted by week and a set's alerts by kind, kept by triggers: what trends and filters read."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _create_tables()
    for fill in _FILL:
        op.execute(_written_out(fill))
    for trigger in _TRIGGERS:
        op.execute(_written_out(trigger))
    op.drop_index("ix_sets_trends", "sets")


def _create_tables() -> None:
    op.create_table(
        "set_faults",
        _text("set_id", 36),
        _text("kind", 24),
        _number("alerts"),
        _text("started_utc", 24),
        _text("goal", 16),
        sa.Column("seat_notch", sa.Integer(), nullable=True),
        sa.Column("load_kg", sa.Double(), nullable=True),
        sa.Column("enrolment", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["set_id"], ["sets.id"], name=op.f("fk_set_faults_set_id_sets"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("set_id", "kind", name=op.f("pk_set_faults")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_set_faults_kind_started_utc_set_id", "set_faults", ["kind", "started_utc", "set_id"])
    goals = ["kind", "goal", "started_utc", "set_id"]
    op.create_index("ix_set_faults_kind_goal_started_utc_set_id", "set_faults", goals)
    op.create_table(
        "weekly_sets",
        _text("split", 4),
        _text("monday", 10),
        _text("goal", 16),
        _number("key"),
        *(_number(name) for name in ("sets", "good", "faulty", "uncertain")),
        sa.PrimaryKeyConstraint("split", "monday", "goal", "key", name=op.f("pk_weekly_sets")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "weekly_set_faults",
        _text("split", 4),
        _text("monday", 10),
        _text("goal", 16),
        _number("key"),
        _text("kind", 24),
        _number("alerts"),
        sa.PrimaryKeyConstraint("split", "monday", "goal", "key", "kind", name=op.f("pk_weekly_set_faults")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "weekly_alerts",
        _text("monday", 10),
        _text("kind", 24),
        _number("alerts"),
        sa.PrimaryKeyConstraint("monday", "kind", name=op.f("pk_weekly_alerts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "weekly_reviews",
        _text("monday", 10),
        _text("kind", 24),
        _text("verdict", 6),
        _number("alerts"),
        sa.PrimaryKeyConstraint("monday", "kind", "verdict", name=op.f("pk_weekly_reviews")),
        sqlite_with_rowid=False,
    )


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), autoincrement=False, nullable=False)


_MONDAY = "date(substr({}.started_utc, 1, 10), 'weekday 0', '-6 days')"
"""The date of the Monday of its week, UTC."""
_KEYS = {
    "seat": "coalesce({}.seat_notch, -1)",
    "load": "coalesce(CAST({}.load_kg / 20 AS INTEGER) * 20, -1)",
}
"""What a set is counted under; -1 = unknown."""


def _written_out(sql: str) -> str:
    """SQLite has no functions of one's own: ``MONDAY(row)`` is written out."""
    return re.sub(r"MONDAY\((\w+)\)", lambda found: _MONDAY.format(found[1]), sql)


def _each(sql: str) -> str:
    """The statements for seats and again for loads: ``SPLIT`` and ``KEY(row)`` are written out."""
    written = ""
    for split, key in _KEYS.items():
        pieces = re.split(r"KEY\((\w+)\)", sql.replace("SPLIT", f"'{split}'"))  # every second one is a row's name
        written += "".join(key.format(piece) if n % 2 else piece for n, piece in enumerate(pieces))
    return written


_FILL = (
    "INSERT INTO weekly_alerts SELECT MONDAY(alerts), kind, count(*) FROM alerts GROUP BY 1, 2;",
    """INSERT INTO weekly_reviews
       SELECT MONDAY(alerts), kind, verdict, count(*) FROM reviews JOIN alerts ON alerts.id = alert_id
       GROUP BY 1, 2, 3;""",
    """INSERT INTO set_faults
       SELECT sets.id, kind, count(*), sets.started_utc, goal, seat_notch, load_kg, enrolment
       FROM alerts JOIN sets ON sets.id = alerts.set_id GROUP BY sets.id, kind;""",
    *_each(
        """INSERT INTO weekly_sets
           SELECT SPLIT, MONDAY(sets), goal, KEY(sets), count(*), sum(good), sum(faulty), sum(uncertain)
           FROM sets WHERE NOT enrolment GROUP BY 1, 2, 3, 4;
           INSERT INTO weekly_set_faults
           SELECT SPLIT, MONDAY(set_faults), goal, KEY(set_faults), kind, sum(alerts)
           FROM set_faults WHERE NOT enrolment GROUP BY 1, 2, 3, 4, 5;"""
    ).split(";")[:-1],
)

# Each change is the old row taken off and the new one put on; a tally that is down to nothing goes.
_SET_ON = _each("""
    INSERT INTO weekly_sets
    SELECT SPLIT, MONDAY(NEW), NEW.goal, KEY(NEW), 1, NEW.good, NEW.faulty, NEW.uncertain WHERE NOT NEW.enrolment
    ON CONFLICT (split, monday, goal, key) DO UPDATE SET
        sets = sets + 1, good = good + excluded.good, faulty = faulty + excluded.faulty,
        uncertain = uncertain + excluded.uncertain;""")
_SET_OFF = _each("""
    UPDATE weekly_sets SET
        sets = sets - 1, good = good - OLD.good, faulty = faulty - OLD.faulty, uncertain = uncertain - OLD.uncertain
    WHERE NOT OLD.enrolment AND split = SPLIT AND monday = MONDAY(OLD) AND goal = OLD.goal AND key = KEY(OLD);
    DELETE FROM weekly_sets
    WHERE sets = 0 AND split = SPLIT AND monday = MONDAY(OLD) AND goal = OLD.goal AND key = KEY(OLD);""")
_FAULT_ON = _each("""
    INSERT INTO weekly_set_faults
    SELECT SPLIT, MONDAY(NEW), NEW.goal, KEY(NEW), NEW.kind, NEW.alerts WHERE NOT NEW.enrolment
    ON CONFLICT (split, monday, goal, key, kind) DO UPDATE SET alerts = alerts + excluded.alerts;""")
_FAULT_OFF = _each("""
    UPDATE weekly_set_faults SET alerts = alerts - OLD.alerts
    WHERE NOT OLD.enrolment AND split = SPLIT AND monday = MONDAY(OLD) AND goal = OLD.goal AND key = KEY(OLD)
        AND kind = OLD.kind;
    DELETE FROM weekly_set_faults
    WHERE alerts = 0 AND split = SPLIT AND monday = MONDAY(OLD) AND goal = OLD.goal AND key = KEY(OLD)
        AND kind = OLD.kind;""")
_ALERT_ON = """
    INSERT INTO weekly_alerts VALUES (MONDAY(NEW), NEW.kind, 1)
    ON CONFLICT (monday, kind) DO UPDATE SET alerts = alerts + 1;
    INSERT INTO set_faults
    SELECT id, NEW.kind, 1, started_utc, goal, seat_notch, load_kg, enrolment FROM sets WHERE id = NEW.set_id
    ON CONFLICT (set_id, kind) DO UPDATE SET alerts = alerts + 1;"""
_ALERT_OFF = """
    UPDATE weekly_alerts SET alerts = alerts - 1 WHERE monday = MONDAY(OLD) AND kind = OLD.kind;
    DELETE FROM weekly_alerts WHERE alerts = 0 AND monday = MONDAY(OLD) AND kind = OLD.kind;
    UPDATE set_faults SET alerts = alerts - 1 WHERE set_id = OLD.set_id AND kind = OLD.kind;
    DELETE FROM set_faults WHERE alerts = 0 AND set_id = OLD.set_id AND kind = OLD.kind;"""

_REVIEW_ON = """
    INSERT INTO weekly_reviews
    SELECT MONDAY(alerts), kind, NEW.verdict, 1 FROM alerts WHERE id = NEW.alert_id
    ON CONFLICT (monday, kind, verdict) DO UPDATE SET alerts = alerts + 1;"""
_REVIEW_OFF = """
    UPDATE weekly_reviews SET alerts = alerts - 1
    WHERE (monday, kind) = (SELECT MONDAY(alerts), kind FROM alerts WHERE id = OLD.alert_id) AND verdict = OLD.verdict;
    DELETE FROM weekly_reviews
    WHERE alerts = 0 AND verdict = OLD.verdict
        AND (monday, kind) = (SELECT MONDAY(alerts), kind FROM alerts WHERE id = OLD.alert_id);"""

_TRIGGERS = (
    # alerts of the set's first rep are there before it
    f"""CREATE TRIGGER sets_inserted AFTER INSERT ON sets FOR EACH ROW BEGIN {_SET_ON}
    INSERT INTO set_faults
    SELECT NEW.id, kind, count(*), NEW.started_utc, NEW.goal, NEW.seat_notch, NEW.load_kg, NEW.enrolment
    FROM alerts WHERE set_id = NEW.id GROUP BY kind; END""",
    f"""CREATE TRIGGER sets_updated AFTER UPDATE ON sets FOR EACH ROW
    WHEN (OLD.started_utc, OLD.goal, OLD.seat_notch, OLD.load_kg, OLD.enrolment, OLD.good, OLD.faulty, OLD.uncertain)
        IS NOT
        (NEW.started_utc, NEW.goal, NEW.seat_notch, NEW.load_kg, NEW.enrolment, NEW.good, NEW.faulty, NEW.uncertain)
    BEGIN {_SET_OFF} {_SET_ON}
    UPDATE set_faults SET
        started_utc = NEW.started_utc, goal = NEW.goal, seat_notch = NEW.seat_notch, load_kg = NEW.load_kg,
        enrolment = NEW.enrolment
    WHERE set_id = NEW.id; END""",
    f"CREATE TRIGGER sets_deleted AFTER DELETE ON sets FOR EACH ROW BEGIN {_SET_OFF} END",
    f"CREATE TRIGGER set_faults_inserted AFTER INSERT ON set_faults FOR EACH ROW BEGIN {_FAULT_ON} END",
    f"""CREATE TRIGGER set_faults_updated AFTER UPDATE ON set_faults FOR EACH ROW
    WHEN (OLD.started_utc, OLD.goal, OLD.seat_notch, OLD.load_kg, OLD.enrolment, OLD.alerts)
        IS NOT (NEW.started_utc, NEW.goal, NEW.seat_notch, NEW.load_kg, NEW.enrolment, NEW.alerts)
    BEGIN {_FAULT_OFF} {_FAULT_ON} END""",
    f"CREATE TRIGGER set_faults_deleted AFTER DELETE ON set_faults FOR EACH ROW BEGIN {_FAULT_OFF} END",
    f"CREATE TRIGGER alerts_inserted AFTER INSERT ON alerts FOR EACH ROW BEGIN {_ALERT_ON} END",
    f"""CREATE TRIGGER alerts_updated AFTER UPDATE ON alerts FOR EACH ROW
    WHEN (OLD.set_id, OLD.kind, OLD.started_utc) IS NOT (NEW.set_id, NEW.kind, NEW.started_utc)
    BEGIN {_ALERT_OFF} {_ALERT_ON} END""",
    f"CREATE TRIGGER reviews_inserted AFTER INSERT ON reviews FOR EACH ROW BEGIN {_REVIEW_ON} END",
    f"""CREATE TRIGGER reviews_updated AFTER UPDATE ON reviews FOR EACH ROW WHEN OLD.verdict != NEW.verdict
    BEGIN {_REVIEW_OFF} {_REVIEW_ON} END""",
    f"CREATE TRIGGER reviews_deleted AFTER DELETE ON reviews FOR EACH ROW BEGIN {_REVIEW_OFF} END",
    # while its alert still says which week and kind it was of
    """CREATE TRIGGER alerts_deleting BEFORE DELETE ON alerts FOR EACH ROW BEGIN
    DELETE FROM reviews WHERE alert_id = OLD.id; END""",
    """CREATE TRIGGER alerts_judged_updating BEFORE UPDATE ON alerts FOR EACH ROW
    WHEN (OLD.kind, OLD.started_utc) IS NOT (NEW.kind, NEW.started_utc) BEGIN
    UPDATE weekly_reviews SET alerts = alerts - 1
    WHERE monday = MONDAY(OLD) AND kind = OLD.kind
        AND verdict = (SELECT verdict FROM reviews WHERE alert_id = OLD.id);
    DELETE FROM weekly_reviews WHERE alerts = 0 AND monday = MONDAY(OLD) AND kind = OLD.kind;
    INSERT INTO weekly_reviews
    SELECT MONDAY(NEW), NEW.kind, verdict, 1 FROM reviews WHERE alert_id = NEW.id
    ON CONFLICT (monday, kind, verdict) DO UPDATE SET alerts = alerts + 1; END""",
    f"CREATE TRIGGER alerts_deleted AFTER DELETE ON alerts FOR EACH ROW BEGIN {_ALERT_OFF} END",
)
