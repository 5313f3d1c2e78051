"""The first tables: members and their neutrals, sets, reps, alerts with replays."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    meta = op.create_table(
        "meta",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    op.bulk_insert(meta, [{"key": "created_utc", "value": now}])
    _create_members()
    _create_sets()
    _create_alerts()


def _create_members() -> None:
    op.create_table(
        "members",
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("created_utc", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("tag", name=op.f("pk_members")),
    )
    op.create_table(
        "neutrals",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("member", sa.String(length=64), nullable=False),
        sa.Column("created_utc", sa.String(length=24), nullable=False),
        sa.Column("goal", sa.String(length=16), nullable=True),
        sa.Column("seat_notch", sa.Integer(), nullable=True),
        sa.Column("profile", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member"], ["members.tag"], name=op.f("fk_neutrals_member_members"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_neutrals")),
    )
    with op.batch_alter_table("neutrals") as batch_op:
        batch_op.create_index(batch_op.f("ix_neutrals_member"), ["member"])


def _create_sets() -> None:
    op.create_table(
        "sets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("member", sa.String(length=64), nullable=True),
        sa.Column("goal", sa.String(length=16), nullable=False),
        sa.Column("started_utc", sa.String(length=24), nullable=False),
        sa.Column("ended_utc", sa.String(length=24), nullable=True),
        sa.Column("load_kg", sa.Double(), nullable=True),
        sa.Column("seat_notch", sa.Integer(), nullable=True),
        sa.Column("reps", sa.Integer(), nullable=False),
        sa.Column("enrolled", sa.Boolean(), nullable=False),
        sa.Column("enrolment", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["member"], ["members.tag"], name=op.f("fk_sets_member_members"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sets")),
    )
    with op.batch_alter_table("sets") as batch_op:
        batch_op.create_index(batch_op.f("ix_sets_member"), ["member"])
        batch_op.create_index(batch_op.f("ix_sets_started_utc_id"), ["started_utc", "id"])
    op.create_table(
        "reps",
        sa.Column("set_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_utc", sa.String(length=24), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("eccentric_s", sa.Double(), nullable=False),
        sa.Column("concentric_s", sa.Double(), nullable=False),
        sa.Column("rom_m", sa.Double(), nullable=True),
        sa.Column("min_knee_flexion_deg", sa.Double(), nullable=True),
        sa.Column("max_knee_flexion_deg", sa.Double(), nullable=True),
        sa.Column("peak_load_kg", sa.Double(), nullable=True),
        sa.Column("mean_speed_m_s", sa.Double(), nullable=True),
        sa.Column("peak_speed_m_s", sa.Double(), nullable=True),
        sa.Column("mean_power_w", sa.Double(), nullable=True),
        sa.Column("worst_valgus_left_deg", sa.Double(), nullable=True),
        sa.Column("worst_valgus_right_deg", sa.Double(), nullable=True),
        sa.Column("worst_rounding_deg", sa.Double(), nullable=True),
        sa.Column("worst_arching_deg", sa.Double(), nullable=True),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["set_id"], ["sets.id"], name=op.f("fk_reps_set_id_sets"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("set_id", "number", name=op.f("pk_reps")),
    )
    with op.batch_alter_table("reps") as batch_op:
        batch_op.create_index(batch_op.f("ix_reps_started_utc"), ["started_utc"])


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("set_id", sa.String(length=36), nullable=True),
        sa.Column("rep_number", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("side", sa.String(length=5), nullable=True),
        sa.Column("priority", sa.String(length=6), nullable=False),
        sa.Column("started_utc", sa.String(length=24), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=True),
        sa.Column("peak", sa.Double(), nullable=False),
        sa.Column("sentence", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    with op.batch_alter_table("alerts") as batch_op:
        batch_op.create_index(batch_op.f("ix_alerts_set_id"), ["set_id"])
        batch_op.create_index(batch_op.f("ix_alerts_started_utc_id"), ["started_utc", "id"])
    op.create_table(
        "replays",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("created_utc", sa.String(length=24), nullable=False),
        sa.Column("frames_zlib", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_replays_alert_id_alerts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_replays")),
    )
    with op.batch_alter_table("replays") as batch_op:
        batch_op.create_index(batch_op.f("ix_replays_created_utc"), ["created_utc"])
