"""The store on SQL tables.

Rows go in and out as they are.  What differs between databases is behind `Database`.
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import Select, inspect, select, text

from counterfoil.engine.store import (
    Head,
    HeadMove,
    Identity,
    NewCheckpoint,
    StoredCheckpoint,
    StoredEntry,
    TileKey,
)
from counterfoil.errors import EngineError
from counterfoil.storage.sql.schema import CHECKPOINTS, IDENTITY, LOGS, REVISION, TENANTS
from counterfoil.storage.sql.statements import Statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPICursor

    from counterfoil.storage.sql.statements import InsertOf, WideRead, WideWrite


_T = TypeVar("_T")


class Database(Protocol):
    """What differs between databases.

    Attributes:
        engine: gives connections.  A transaction on one may write, unless the execution option `reading` is set.
        insert_of: INSERT that knows ON CONFLICT.
        failures: the exceptions that a call can raise, which `refusal` translates.
    """

    @property
    def engine(self) -> Engine:
        """See above."""

    @property
    def insert_of(self) -> InsertOf:
        """See above."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """See above."""

    def turn(self) -> AbstractContextManager[None]:
        """Let writers of this process in as the database can take them.

        Raises:
            EngineError: `store-unavailable`, where the wait is too long.
        """

    def lock(self, connection: Connection, logs: Sequence[bytes]) -> None:
        """Lock logs, which are in ascending order, until the transaction ends, whether they exist or not."""

    def check_schema(self, connection: Connection) -> None:
        """Refuse tables that are not as the migrations made them.

        Raises:
            EngineError: `unsafe-settings`.
        """

    def refusal(self, error: Exception, *, committing: bool) -> EngineError:
        """Return the refusal that one of `failures` stands for."""


class SqlStore:
    """A `counterfoil.engine.store.Store` on SQL tables.

    Threads may share it; a process that was forked opens its own.  Within one thread a transaction is over before
    the next one begins.  A write in which a statement failed can only be undone, even where the failure was caught.

    Use `SqlStore.open`, which looks at the tables first.
    """

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        self._statements = Statements(database.engine.dialect, database.insert_of)
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
                _require_tables(connection, create=create)
                database.check_schema(connection)
        except BaseException as error:
            store.close()
            if isinstance(error, database.failures):
                raise database.refusal(error, committing=False) from error
            raise
        return store

    @contextmanager
    def read(self) -> Iterator[_Reading]:
        """Open a view."""
        with self._transaction(reading=True) as connection, _cursor_of(connection) as cursor:
            yield _Reading(self._database, self._statements, connection, cursor)

    @contextmanager
    def write(self) -> Iterator[_Writing]:
        """Open a transaction."""
        with self._transaction(reading=False) as connection, _cursor_of(connection) as cursor:
            writing = _Writing(self._database, self._statements, connection, cursor, self._clock)
            yield writing
            if writing.failure is not None:
                raise writing.failure

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


class _Reading:
    """A `ReadTransaction`; the protocol says what its methods do."""

    def __init__(
        self, database: Database, statements: Statements, connection: Connection, cursor: DBAPICursor
    ) -> None:
        self._database = database
        self._statements = statements
        self._connection = connection
        self._cursor = cursor
        self.failure: EngineError | None = None

    def identity(self) -> Identity | None:
        found = self._select(select(IDENTITY.c.operator, IDENTITY.c.public_key, IDENTITY.c.reference_check))
        return Identity._make(found[0]) if found else None

    def tenant_unit(self, tenant: str) -> str | None:
        found = self._select(select(TENANTS.c.unit).where(TENANTS.c.tenant == tenant))
        return str(found[0].unit) if found else None

    def heads(self, logs: Sequence[bytes]) -> dict[bytes, Head]:
        found = self._rows(self._statements.heads, [(log,) for log in logs])
        return {row[0]: Head._make(row) for row in found}

    def logs(self, tenant: str, *, after: bytes = b"", limit: int) -> list[bytes]:
        return self._log_names(_LOGS_AFTER, tenant, after, limit)

    def logs_with_work(self, tenant: str, *, after: bytes = b"", limit: int) -> list[bytes]:
        return self._log_names(_LOGS_AFTER.where(LOGS.c.size > LOGS.c.checkpoint_size), tenant, after, limit)

    def entries(self, log: bytes, start: int, end: int) -> list[StoredEntry]:
        return self.entries_of([(log, start, end)])[log]

    def entries_of(self, ranges: Sequence[tuple[bytes, int, int]]) -> dict[bytes, list[StoredEntry]]:
        found: dict[bytes, list[StoredEntry]] = {log: [] for log, _, _ in ranges}
        for row in self._rows(self._statements.entries_of, ranges):
            found[row[0]].append(StoredEntry._make(row))
        return found

    def checkpoints(self, log: bytes, *, after: int = 0, limit: int) -> list[StoredCheckpoint]:
        later = select(CHECKPOINTS).where(CHECKPOINTS.c.log == log, CHECKPOINTS.c.size > after)
        found = self._select(later.order_by(CHECKPOINTS.c.size).limit(limit))
        return [StoredCheckpoint._make(row) for row in found]

    def checkpoint(self, log: bytes, size: int) -> StoredCheckpoint | None:
        found = self._select(select(CHECKPOINTS).where(CHECKPOINTS.c.log == log, CHECKPOINTS.c.size == size))
        return StoredCheckpoint._make(found[0]) if found else None

    def newest_checkpoints(self, logs: Sequence[bytes]) -> dict[bytes, StoredCheckpoint]:
        found = self._rows(self._statements.newest_checkpoints, [(log,) for log in logs])
        return {row[0]: StoredCheckpoint._make(row) for row in found}

    def tiles(self, keys: Sequence[TileKey]) -> dict[TileKey, bytes]:
        found = self._rows(self._statements.tiles, keys)
        return {TileKey(log, level, number): hashes for log, level, number, hashes in found}

    def _log_names(self, statement: Select[Any], tenant: str, after: bytes, limit: int) -> list[bytes]:
        found = self._select(statement.where(LOGS.c.tenant == tenant, LOGS.c.log > after).limit(limit))
        return [bytes(row.log) for row in found]

    def _select(self, statement: Select[Any]) -> Sequence[Any]:
        return self._run(lambda: self._connection.execute(statement).all())

    def _rows(self, statement: WideRead, keys: Sequence[tuple[object, ...]]) -> list[Any]:
        return self._run(lambda: statement.rows(self._cursor, keys))

    def _run(self, work: Callable[[], _T]) -> _T:
        # After some failures SQLite has undone the transaction by itself: another statement would stand alone and
        # be permanent at once.
        if self.failure is not None:
            raise self.failure
        try:
            return work()
        except EngineError as error:
            self.failure = error
            raise
        except self._database.failures as error:
            self.failure = self._database.refusal(error, committing=False)
            raise self.failure from error


class _Writing(_Reading):
    """A `WriteTransaction`; the protocol says what its methods do."""

    def __init__(
        self,
        database: Database,
        statements: Statements,
        connection: Connection,
        cursor: DBAPICursor,
        clock: Callable[[], int],
    ) -> None:
        super().__init__(database, statements, connection, cursor)
        self._clock = clock

    def now(self) -> int:
        return self._run(self._clock)

    def lock_heads(self, logs: Iterable[bytes]) -> dict[bytes, Head]:
        ordered = sorted(set(logs))
        self._run(lambda: self._database.lock(self._connection, ordered))
        return self.heads(ordered)

    def find_keys(self, wanted: Sequence[tuple[bytes, int]]) -> Mapping[tuple[bytes, int], list[StoredEntry]]:
        found: dict[tuple[bytes, int], list[StoredEntry]] = {}
        for row in self._rows(self._statements.find_keys, list(dict.fromkeys(wanted))):
            entry = StoredEntry._make(row)
            found.setdefault((entry.log, row[3]), []).append(entry)
        return found

    def append(self, entries: Sequence[StoredEntry], moves: Sequence[HeadMove]) -> None:
        self._change(self._statements.append, entries)
        self._change(self._statements.move_heads, moves)

    def put_checkpoints(self, checkpoints: Sequence[NewCheckpoint]) -> None:
        sizes = {
            log: (head_size, newest_size or 0)
            for log, head_size, newest_size in self._rows(
                self._statements.checkpoint_sizes, [(new.log,) for new in checkpoints]
            )
        }
        for new in checkpoints:
            # Taken out, so that a second checkpoint of the log within one call is refused as well.
            if sizes.pop(new.log, None) != (new.old_size, new.old_size) or new.size <= new.old_size:
                raise self._refusal(
                    "fork-refused",
                    f"the newest checkpoint is not the one of size {new.old_size}",
                    log=f"0x{new.log.hex()}",
                )
        self._change(self._statements.put_checkpoints, [(new.log, new.size, new.note) for new in checkpoints])
        self._change(
            self._statements.advance_checkpoint_sizes,
            [(new.size, new.log, new.old_size) for new in checkpoints],
        )

    def put_tiles(self, tiles: Mapping[TileKey, bytes]) -> None:
        self._change(self._statements.put_tiles, [(*key, hashes) for key, hashes in tiles.items()])

    def set_identity(self, identity: Identity) -> None:
        known = self.identity()
        if known is None:
            self._change(self._statements.set_identity, [(1, *identity)])
        elif known != identity:
            raise self._refusal("key-mismatch", f"the store belongs to {known.operator} and its key already")

    def set_tenant_unit(self, tenant: str, unit: str) -> None:
        self._change(self._statements.set_tenant_unit, [(tenant, unit)])

    def _refusal(self, code: str, message: str, **facts: object) -> EngineError:
        """Make a refusal after which nothing of the transaction stays, even where the block catches it."""
        self.failure = EngineError(code, message, **facts)
        return self.failure

    def _change(self, statement: WideWrite, rows: Sequence[tuple[object, ...]]) -> None:
        self._run(lambda: statement.run(self._cursor, rows))


_LOGS_AFTER = select(LOGS.c.log).order_by(LOGS.c.log)


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
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if revision != REVISION:
            raise EngineError(
                "unsafe-settings",
                f"the store has tables of revision {revision} and this version of counterfoil knows {REVISION}: "
                "use the version that made the store",
            )
