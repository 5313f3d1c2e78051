"""What the staff's pages need: reviews, an audit log, the motion of reps, verdict counts of sets, their indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _create_tables()
    for column in ("good", "faulty", "uncertain"):
        op.add_column("sets", sa.Column(column, sa.Integer(), server_default="0", nullable=False))
    for column, verdict in (("good", "good"), ("faulty", "fault"), ("uncertain", "uncertain")):
        op.execute(
            f"UPDATE sets SET {column} = (SELECT count(*) FROM reps WHERE set_id = sets.id AND verdict = '{verdict}')"
        )
    op.drop_index("ix_sets_member", "sets")
    op.create_index("ix_sets_member_started_utc_id", "sets", ["member", "started_utc", "id"])
    op.create_index("ix_sets_goal_started_utc_id", "sets", ["goal", "started_utc", "id"])
    trends = ["started_utc", "enrolment", "goal", "seat_notch", "load_kg", "good", "faulty", "uncertain"]
    op.create_index("ix_sets_trends", "sets", trends)
    op.drop_index("ix_reps_started_utc", "reps")
    op.create_index("ix_reps_started_utc_verdict", "reps", ["started_utc", "verdict"])
    op.drop_index("ix_alerts_set_id", "alerts")
    op.create_index("ix_alerts_set_id_kind", "alerts", ["set_id", "kind"])
    op.create_index("ix_alerts_started_utc_kind", "alerts", ["started_utc", "kind"])
    op.create_index("ix_alerts_kind_started_utc_id", "alerts", ["kind", "started_utc", "id"])


def _create_tables() -> None:
    op.create_table(
        "motions",
        sa.Column("set_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_utc", sa.String(length=24), nullable=False),
        sa.Column("has_figure", sa.Boolean(), nullable=False),
        sa.Column("frames_zlib", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["set_id", "number"],
            ["reps.set_id", "reps.number"],
            name=op.f("fk_motions_set_id_number_reps"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("set_id", "number", name=op.f("pk_motions")),
    )
    op.create_index("ix_motions_created_utc", "motions", ["created_utc"])
    op.create_table(
        "reviews",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("verdict", sa.String(length=6), nullable=False),
        sa.Column("reviewed_utc", sa.String(length=24), nullable=False),
        sa.Column("reviewer", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_reviews_alert_id_alerts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_reviews")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at_utc", sa.String(length=24), nullable=False),
        sa.Column("who", sa.String(length=16), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_at_utc", "audit", ["at_utc"])
