"""The revisions make the tables of the schema."""

from __future__ import annotations

import re

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from counterfoil.storage.sql.migrations import configuration, upgrade
from counterfoil.storage.sql.schema import METADATA, REVISION
from counterfoil.storage.sql.sqlite import SqliteDatabase


@pytest.fixture
def connection(tmp_path):
    database = SqliteDatabase(tmp_path / "counterfoil.db")
    database.make_file()
    with database.engine.connect() as opened:
        yield opened
    database.engine.dispose()


def layout(connection):
    """Return each table and index as the database keeps it, less white space and Alembic's own table."""
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%'"))
    return {name: re.sub(r"\s+", " ", sql or "") for name, sql in rows}


def test_the_schema_names_the_last_revision():
    assert ScriptDirectory.from_config(configuration()).get_current_head() == REVISION


def test_the_revisions_make_the_tables_of_the_schema(connection):
    upgrade(connection)
    migrated = layout(connection)
    connection.rollback()
    assert layout(connection) == {}
    METADATA.create_all(connection)
    assert migrated == layout(connection)
    assert len(migrated) > len(METADATA.tables)


def test_an_upgrade_writes_down_its_revision(connection):
    upgrade(connection)
    assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [REVISION]


def test_an_upgrade_of_the_newest_tables_changes_nothing(connection):
    upgrade(connection)
    before = layout(connection)
    upgrade(connection)
    assert layout(connection) == before


def test_every_table_is_strict(connection):
    upgrade(connection)
    strict = {
        row.name: row.strict for row in connection.execute(text("SELECT name, strict FROM pragma_table_list"))
    }
    assert {name: strict[name] for name in METADATA.tables} == dict.fromkeys(METADATA.tables, 1)


def test_every_table_that_grows_has_the_log_first_in_its_key(connection):
    upgrade(connection)
    keys = {
        name: inspect(connection).get_pk_constraint(name)["constrained_columns"][0]
        for name in METADATA.tables
    }
    assert {name for name, first in keys.items() if first != "log"} == {
        "identity",
        "tenants",
        "api_keys",
        "webhooks",
    }


def test_nothing_is_shared_between_logs(connection):
    upgrade(connection)
    kinds = connection.execute(text("SELECT DISTINCT type FROM sqlite_master")).scalars().all()
    assert set(kinds) == {"table", "index"}
    assert all(not inspect(connection).get_foreign_keys(name) for name in METADATA.tables)
