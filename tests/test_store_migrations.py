"""The migrations lead to exactly the schema, and keep what was stored."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from device.store import migrate
from device.store.prepare import StoreError, database_path, prepare_database, revision_of
from device.store.schema import HEAD_REVISION
from device.store.tallies import ALL_TABLES


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def test_the_migrations_make_exactly_the_tables_of_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "migrated.sqlite3"
    migrate.upgrade(url_of(path))
    engine = create_engine(url_of(path))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, ALL_TABLES) == []
    engine.dispose()


def test_foreign_keys_and_indexes_are_those_of_the_schema(tmp_path: Path) -> None:
    migrated, created = tmp_path / "migrated.sqlite3", tmp_path / "created.sqlite3"
    migrate.upgrade(url_of(migrated))
    engine = create_engine(url_of(created))
    ALL_TABLES.create_all(engine)
    engine.dispose()

    def shape(path: Path) -> dict[str, object]:
        with closing(sqlite3.connect(path)) as connection:
            found: dict[str, object] = {}
            for name in ALL_TABLES.tables:
                found[name] = (
                    connection.execute(f"PRAGMA foreign_key_list({name})").fetchall(),
                    sorted(row[1:] for row in connection.execute(f"PRAGMA index_list({name})")),
                    connection.execute(f"PRAGMA table_info({name})").fetchall(),
                )
            return found

    assert shape(migrated) == shape(created)


def test_the_revision_that_the_device_expects_is_the_newest_one() -> None:
    assert migrate.revisions()[-1] == HEAD_REVISION


def test_an_upgrade_from_the_first_revision_keeps_every_row(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    migrate.upgrade(url_of(path), migrate.revisions()[0])
    rows = {
        "members": ("4711", "2026-11-23T10:00:00.000Z"),
        "sets": ("s1", "4711", "glutes", "2026-11-23T10:00:00.000Z", None, 120.0, 3, 1, 1, 0),
        "alerts": ("a1", "s1", 1, "knee_valgus", "left", "medium", "2026-11-23T10:00:03.000Z", 0.8, 8.5, "Out"),
        "replays": ("a1", "2026-11-23T10:00:03.000Z", b"zipped"),
        "meta": ("made_by", "a test"),
    }
    with closing(sqlite3.connect(path)) as connection, connection:
        for table, row in rows.items():
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    migrate.upgrade(url_of(path))
    with closing(sqlite3.connect(path)) as connection:
        for table, row in rows.items():
            key = next(iter(ALL_TABLES.tables[table].primary_key.columns)).name
            kept = connection.execute(f"SELECT * FROM {table} WHERE {key} = ?", row[:1]).fetchone()
            assert kept[: len(row)] == row


def test_a_first_start_makes_the_database_and_a_second_leaves_it_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state with a # and 100%20"
    path = prepare_database(folder)
    assert path == database_path(folder)
    assert revision_of(path) == HEAD_REVISION
    before = path.stat().st_mtime_ns
    assert prepare_database(folder) == path
    assert path.stat().st_mtime_ns == before


def test_a_database_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = prepare_database(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"cannot be migrated: .*newer version of this program"):
        prepare_database(tmp_path)
    assert revision_of(path) == "9999"


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    database_path(tmp_path).write_bytes(b"not a database at all, but long enough to look at" * 40)
    with pytest.raises(StoreError, match=r"legpress\.sqlite3 cannot be read as a database .*restore a backup"):
        prepare_database(tmp_path)


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"paths\.state_dir: cannot make .*file/state"):
        prepare_database(tmp_path / "file" / "state")


def test_an_interrupted_migration_leaves_no_table_behind(tmp_path: Path) -> None:
    path = tmp_path / "broken.sqlite3"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE replays (in_the_way INTEGER)")  # the last one that the migration makes
    with pytest.raises(Exception, match="replays"):
        migrate.upgrade(url_of(path))
    with closing(sqlite3.connect(path)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables <= {"replays", "alembic_version"}


def test_the_migration_program_says_in_one_line_why_it_cannot() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "device.store.migrate", "sqlite:////no/such/folder/x.sqlite3"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(migrate.__file__).parents[2],
        env={**os.environ, "PYTHONWARNINGS": ""},
    )
    assert done.returncode == 1
    assert done.stderr == "(sqlite3.OperationalError) unable to open database file\n"


def test_the_store_needs_no_alembic_to_run() -> None:
    code = "import sys, device.store.writer, device.store.prepare; sys.exit('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(migrate.__file__).parents[2])
    assert done.returncode == 0
