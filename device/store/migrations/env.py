"""Run by Alembic: connects and applies the revisions, each in its own transaction."""

from __future__ import annotations

import sqlite3
from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool

from device.store.tallies import ALL_TABLES

# no pool: a migration that fails must not leave the database open either
_engine = create_engine(context.config.get_main_option("sqlalchemy.url", ""), poolclass=NullPool)


@event.listens_for(_engine, "connect")
def _leave_transactions_to_us(connection: sqlite3.Connection, _record: Any) -> None:
    # Python's sqlite3 would run CREATE and ALTER outside any transaction: an interrupted
    # migration would be half applied
    connection.execute("PRAGMA journal_mode=WAL")
    connection.isolation_level = None


@event.listens_for(_engine, "begin")
def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


with _engine.connect() as _connection:
    context.configure(
        connection=_connection,
        target_metadata=ALL_TABLES,
        render_as_batch=True,  # SQLite changes a table by copying it
        transactional_ddl=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
