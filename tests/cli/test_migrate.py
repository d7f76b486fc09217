"""`migrate`: a store that an older version made is refused, brought up, and opens afterwards; on either database."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from counterfoil.storage.sql.migrations import upgrade
from counterfoil.storage.sql.postgres import PostgresDatabase
from counterfoil.storage.sql.schema import OLDER_REVISIONS, REVISION
from counterfoil.storage.sql.sqlite import SqliteDatabase


class Database:
    """The database of a test, and what can be done to it without Counterfoil."""

    def __init__(self, url):
        self.url = url

    def opened(self):
        if self.url.startswith("postgresql:"):
            return PostgresDatabase(self.url)
        database = SqliteDatabase(Path(self.url.removeprefix("sqlite:///")))
        database.make_file()
        return database

    def make_tables(self, revision):
        """Make those of a revision, as the version that had it did."""
        database = self.opened()
        with database.engine.connect() as connection:
            upgrade(connection, revision)
            connection.commit()
        database.engine.dispose()

    def run(self, statement):
        if self.url.startswith("postgresql:"):
            with psycopg.connect(self.url) as connection:
                cursor = connection.execute(statement)
                return cursor.fetchall() if cursor.description else []
        with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection, connection:
            return connection.execute(statement).fetchall()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, book, monkeypatch):
    """A database with nothing in it, which commands go to."""
    del book
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else "sqlite:///old.db"
    monkeypatch.setenv("COUNTERFOIL_STORE", url)
    return Database(url)


@pytest.mark.parametrize("revision", OLDER_REVISIONS)
def test_a_store_of_an_older_version_is_refused_with_the_remedy_and_opens_once_it_was_brought_up(
    book, database, revision
):
    database.make_tables(revision)
    for line in ("record cust_001 5 --reason x", "customers", "worker", "init"):
        outcome = book(*line.split())
        assert (outcome.status, outcome.out, outcome.code) == (20, "", "unsafe-settings"), line
        assert "back it up, then run `counterfoil migrate`" in outcome.err
    outcome = book("migrate")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == f"{database.url} was brought from revision {revision} to {REVISION}\n"
    assert book("record", "cust_001", "5", "--reason", "x").status == 0
    assert book("checkpoint", "--all").status == 0
    assert book("audit", "--all").status == 0


def test_one_that_is_new_is_left_as_it_is(book, database):
    database.make_tables("head")
    outcome = book("migrate")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == f"{database.url} has the tables of this version already ({REVISION})\n"


def test_one_of_a_later_version_is_refused_and_left_as_it_is(book, database):
    database.make_tables("head")
    database.run("UPDATE alembic_version SET version_num = '9999'")
    for line in ("migrate", "customers"):
        outcome = book(*line.split())
        assert (outcome.status, outcome.out, outcome.code) == (20, "", "unsafe-settings")
        assert "use the version that made the store" in outcome.err
    assert database.run("SELECT version_num FROM alembic_version") == [("9999",)]


def test_the_database_of_something_else_is_refused_and_left_as_it_is(book, database):
    database.run("CREATE TABLE birds (name text)")
    for line in ("migrate", "customers", "init"):
        outcome = book(*line.split())
        assert (outcome.status, outcome.out, outcome.code) == (20, "", "unsafe-settings")
        assert "the tables of something else" in outcome.err
    assert database.run("SELECT * FROM birds") == []


def test_an_empty_one_is_no_store(book, database):
    database.opened().engine.dispose()
    outcome = book("migrate")
    assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")
    assert "run `counterfoil init` first" in outcome.err


def test_what_fails_on_the_way_leaves_the_tables_that_were_there(book, database):
    database.make_tables("0001")
    # The new revision makes a table of this name.
    database.run("CREATE TABLE keys (name text)")
    assert book("migrate").status != 0
    assert database.run("SELECT version_num FROM alembic_version") == [("0001",)]
    with refused_by_the_database():
        database.run("SELECT close_at FROM logs")
    database.run("DROP TABLE keys")
    assert book("migrate").status == 0
    assert database.run("SELECT close_at FROM logs") == []


def refused_by_the_database():
    return pytest.raises((sqlite3.OperationalError, psycopg.errors.UndefinedColumn))


def test_a_file_that_is_not_there_is_not_made(book):
    outcome = book("migrate", "--store", "sqlite:///missing.db")
    assert (outcome.status, outcome.code) == (2, "usage")
    assert not Path("missing.db").exists()


def test_a_store_in_memory_has_nothing_to_bring_up(book):
    assert book("migrate", "--store", "memory:").code == "usage"
