"""The store on SQL tables: its connections, when transactions begin and end, and what it opens at all."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from counterfoil.errors import EngineError
from counterfoil.storage.sql.schema import OLDER_REVISIONS, REVISION
from counterfoil.storage.sql.statements import Statements
from counterfoil.storage.sql.transactions import Reading, Writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPICursor

    from counterfoil.storage.sql.database import Database


class SqlStore:
    """A `counterfoil.engine.store.Store` on SQL tables.

    Threads may share it; a process that was forked opens its own.  Within one thread a transaction is over before
    the next one begins.  A write in which a statement failed can only be undone, even where the failure was caught.

    Use `SqlStore.open`, which looks at the tables first.
    """

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        self._statements = Statements(database)
        self._process = os.getpid()

    @classmethod
    def open(cls, database: Database, *, clock: Callable[[], int], create: bool) -> SqlStore:
        """Return a store on the tables of a database; with `create` make them where it is empty.

        Raises:
            EngineError: `usage`, where the database is empty; `unsafe-settings`, where it holds other tables, or
                those of another version; and what the database answers.
        """
        store = cls(database, clock)
        try:
            with store._transaction(reading=not create) as connection:
                if create:
                    database.alone(connection)
                _require_tables(connection, create=create)
                database.check_schema(connection)
        except BaseException as error:
            store.close()
            if isinstance(error, database.failures):
                raise database.refusal(error, committing=False) from error
            raise
        return store

    @classmethod
    def migrate(cls, database: Database, *, clock: Callable[[], int]) -> str:
        """Bring the tables of a store up to those that this version knows; return the revision that they had.

        One transaction: it is done whole or not at all.  Nobody else may use the store meanwhile.

        Raises:
            EngineError: as `open`, but for tables of an older version.
        """
        store = cls(database, clock)
        try:
            with store._transaction(reading=False) as connection:
                database.alone(connection)
                found = _revision(connection)
                if found in OLDER_REVISIONS:
                    from counterfoil.storage.sql.migrations import upgrade  # noqa: PLC0415  -- see below

                    upgrade(connection)
                _require_tables(connection, create=False)
                database.check_schema(connection)
        except database.failures as error:
            raise database.refusal(error, committing=False) from error
        finally:
            store.close()
        return found or ""

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """Open a view."""
        with self._transaction(reading=True) as connection, _cursor_of(connection) as cursor:
            yield Reading(self._database, self._statements, connection, cursor)

    @contextmanager
    def write(self) -> Iterator[Writing]:
        """Open a transaction."""
        with self._transaction(reading=False) as connection, _cursor_of(connection) as cursor:
            writing = Writing(self._database, self._statements, connection, cursor, self._clock)
            yield writing
            writing.finish()

    def close(self) -> None:
        """Let go of files and connections."""
        if os.getpid() == self._process:
            self._database.engine.dispose()

    @contextmanager
    def _transaction(self, *, reading: bool) -> Iterator[Connection]:
        # File locks belong to a process: a child that used its parent's connections would break the parent's.
        if os.getpid() != self._process:
            raise EngineError(
                "unsafe-settings", "this store was opened before a fork: open it in each process"
            )
        with nullcontext() if reading else self._database.turn():
            connection = self._begin(reading=reading)
            try:
                try:
                    yield connection
                except BaseException:
                    self._undo(connection)
                    raise
                if reading:
                    self._undo(connection)  # There is nothing to keep.
                else:
                    self._commit(connection)
            finally:
                connection.close()

    def _begin(self, *, reading: bool) -> Connection:
        try:
            connection = self._database.engine.connect()
            try:
                connection.execution_options(reading=reading).begin()
            except BaseException:
                connection.close()
                raise
        except self._database.failures as error:
            raise self._database.refusal(error, committing=False) from error
        return connection

    def _commit(self, connection: Connection) -> None:
        try:
            connection.commit()
        except self._database.failures as error:
            connection.invalidate()
            raise self._database.refusal(error, committing=True) from error

    def _undo(self, connection: Connection) -> None:
        try:
            connection.rollback()
        except self._database.failures:
            # The connection is useless, and closing it undoes what it had begun.
            connection.invalidate()


def _cursor_of(connection: Connection) -> closing[DBAPICursor]:
    # Closed before the transaction ends: what is run on it later would run outside of any transaction, and a
    # statement left open would keep a connection that is given up, and its locks, alive.
    return closing(connection.connection.cursor())


def _revision(connection: Connection) -> str | None:
    """Return which tables there are, None where there are none of ours."""
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _require_tables(connection: Connection, *, create: bool) -> None:
    tables = inspect(connection).get_table_names()
    if not tables and create:
        # Alembic takes as long to import as all the rest, and is needed here alone.
        from counterfoil.storage.sql.migrations import upgrade  # noqa: PLC0415  -- see above

        upgrade(connection)
    elif not tables:
        raise EngineError("usage", "the store is empty: run `counterfoil init` first")
    elif "alembic_version" not in tables:
        raise EngineError("unsafe-settings", "the database holds the tables of something else")
    else:
        revision = _revision(connection)
        if revision != REVISION:
            remedy = (
                "back it up, then run `counterfoil migrate`"
                if revision in OLDER_REVISIONS
                else "use the version that made the store"
            )
            raise EngineError(
                "unsafe-settings",
                f"the store has tables of revision {revision} and this version of counterfoil knows {REVISION}: {remedy}",
            )
