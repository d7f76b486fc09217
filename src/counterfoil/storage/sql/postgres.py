"""What is particular to PostgreSQL: connections, settings, locks, its clock and its error codes.

Transactions that write are READ COMMITTED and lock the heads of their logs; ones that read are REPEATABLE READ, so that
a view stands still.  Lists of keys and rows travel as one array a column, many new rows by COPY.
Why: docs/decisions/0009-postgresql.md.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import BigInteger, LargeBinary, QueuePool, create_engine, event, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from counterfoil.errors import ConflictError, EngineError
from counterfoil.limits import LOCK_WAIT_SECONDS
from counterfoil.storage.sql.schema import METADATA
from counterfoil.storage.sql.statements import WideChange, WideInsert, WideRead, text_of, wanted_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Column, Connection, Dialect, Engine
    from sqlalchemy.engine.interfaces import DBAPICursor
    from sqlalchemy.sql.dml import UpdateBase

    from counterfoil.storage.sql.statements import Rows

_OLDEST_VERSION: Final = 150_000
# Of one process.  Writers of one log wait for each other anyway; the server's own bound is 100 as a rule.
_CONNECTIONS_MAX: Final = 16
_RECYCLE_SECONDS: Final = 300

# What a setting must not be -> why, and what to do.
_UNSAFE: Final = {
    ("fsync", "off"): "a crash would lose or damage what was acknowledged; set it to on in postgresql.conf",
    ("full_page_writes", "off"): "a crash could leave pages that are half old and half new; set it to on in "
    "postgresql.conf",
    (
        "synchronous_commit",
        "off",
    ): "a crash would lose what was acknowledged; set it to on, for this role and database too",
    ("transaction_read_only", "on"): "nothing can be written; connect to the primary server, and let "
    "default_transaction_read_only be off",
}

# SQLSTATE, or its class -> code.  Errors without one are those of the connection.
_CODES: Final = {
    "08": "store-unavailable",
    "22": "internal",
    "23505": "log-corrupt",  # Two rows for one place: the tables contradict each other.
    "25006": "unsafe-settings",  # a replica, or a database that was made read-only
    "25P03": "store-unavailable",  # idle for too long within a transaction
    "42501": "usage",
    "53": "store-unavailable",
    "53100": "out-of-space",
    "55P03": "store-unavailable",
    "57": "store-unavailable",
    "58": "io-error",
    "58P01": "io-error",
    "XX001": "log-corrupt",
    "XX002": "log-corrupt",
}
_CONFLICTS: Final = {"40001", "40P01"}
# Where the server itself went down, or the connection did, nobody knows what became of a COMMIT.
_OUTCOME_KNOWN: Final = {"22", "23", "25", "42", "53", "55"}

# Any number that another program on the server is not likely to lock: "counterf" in ASCII.
_TABLES_LOCK: Final = int.from_bytes(b"counterf", "big")

# Where the URL says nothing else: a server that has gone silent is given up within half a minute.
_CONNECTION: Final = {
    "application_name": "counterfoil",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}

# Below so many rows an INSERT, which is parsed once a connection, takes fewer round trips than a COPY.
_COPY_ROWS_MIN: Final = 32


class PostgresDatabase:
    """A database on a PostgreSQL server.

    Attributes:
        engine: connections to it.
        failures: what a call can raise.

    Raises:
        EngineError: `usage`, where the URL is none.
    """

    # COPY meets a value of another type with a plain TypeError.
    failures = (SQLAlchemyError, psycopg.Error, OverflowError, TypeError, UnicodeError)

    def __init__(self, url: str) -> None:
        try:
            # Behind a NUL libpq would read no further, and open what nobody named.
            named = {} if "\0" in url else conninfo_to_dict(url)
        except (psycopg.ProgrammingError, UnicodeError):
            named = {}
        if not named:
            # Not the driver's words: they may repeat a password.
            raise EngineError("usage", "not the URL of a PostgreSQL database")
        # libpq would take a part of such a password for the name of a host or a database, and say it.
        if set("@/") & set(url.partition("://")[2].partition("?")[0].rpartition("@")[0]):
            raise EngineError(
                "usage", "in the URL of a PostgreSQL database user and password are percent-encoded"
            )
        # Without user and password: this is what messages show.
        host = f" on {named['host']}" if named.get("host") else ""
        self._name = f"PostgreSQL database {named.get('dbname', '')}{host}"
        self._parameters: dict[str, Any] = {**_CONNECTION, **named}
        self.engine: Engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=_CONNECTIONS_MAX,
            max_overflow=0,
            pool_timeout=LOCK_WAIT_SECONDS,
            pool_use_lifo=True,
            # A server that was started again meets none of the old connections.
            pool_pre_ping=True,
            # What is checked at connecting is checked again now and then: a setting may have been changed since.
            pool_recycle=_RECYCLE_SECONDS,
        )
        event.listen(self.engine, "connect", self._prepare)
        event.listen(self.engine, "begin", _begin)

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(make_conninfo(**self._parameters))
        except psycopg.OperationalError as error:
            # There is no SQLSTATE yet that would tell a server that is away from a URL that is wrong.
            raise EngineError(
                "store-unavailable",
                f"{self._name}: {' '.join(str(error).split())}; "
                "is the server up, and are role, database and password in the URL right?",
            ) from error

    def _prepare(self, connection: psycopg.Connection[Any], _record: object) -> None:
        """Set what a session needs, and refuse a server that could lose what it acknowledged."""
        connection.autocommit = True
        version = connection.info.server_version
        if version < _OLDEST_VERSION:
            raise EngineError(
                "unsafe-settings",
                f"{self._name}: the server is of version {version // 10_000}; upgrade it to 15 or later",
            )
        connection.execute(
            "SELECT set_config('lock_timeout', %(wait)s, false),"
            # A client that was stopped within a transaction does not keep its locks for ever.
            " set_config('idle_in_transaction_session_timeout', %(wait)s, false),"
            # What is read and written is too little to compile anything for, or to share out.
            " set_config('jit', 'off', false),"
            " set_config('max_parallel_workers_per_gather', '0', false),"
            # Every row is found by its key, however many there are: what statistics say of tables that are young, or
            # whose logs are of unlike lengths, would have whole tables read for one delta.
            " set_config('enable_seqscan', 'off', false),"
            " set_config('enable_hashjoin', 'off', false),"
            " set_config('enable_mergejoin', 'off', false)",
            {"wait": f"{LOCK_WAIT_SECONDS}s"},
        )
        for (setting, bad), why in _UNSAFE.items():
            row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
            if row is not None and row[0] == bad:
                raise EngineError("unsafe-settings", f"{self._name}: {setting} is {bad}: {why}")
        # As it was found to be, whatever the server is told while the session lasts.
        connection.execute(
            "SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false)"
        )
        connection.autocommit = False

    def turn(self) -> AbstractContextManager[None]:
        """Let all in: the server orders them."""
        return nullcontext()

    def lock(self, cursor: DBAPICursor, logs: Sequence[bytes]) -> set[bytes]:
        """Lock the head rows; a log without one is given one first, so that there is something to lock.

        Both in ascending order, and all new rows before the first lock of an old one: so nobody waits for somebody who
        waits for them.
        """
        cursor.execute(_MAKE_HEADS, (list(logs),))
        made = {row[0] for row in cursor.fetchall()}
        cursor.execute(_LOCK_HEADS, (list(logs),))
        return made

    def wait_briefly(self, cursor: DBAPICursor) -> None:
        """Bound the wait for a lock in this transaction alone."""
        cursor.execute("SET LOCAL lock_timeout = '1s'")

    def alone(self, connection: Connection) -> None:
        """Take a lock that nothing else takes: rows to lock are not there yet."""
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_TABLES_LOCK,))

    def now(self, cursor: DBAPICursor, clock: Callable[[], int]) -> int:  # noqa: ARG002  -- see below
        """Return the server's clock: hosts that share a store need not agree on the time.

        Not now(), which is when the transaction began, before it waited for its locks.
        """
        cursor.execute(_CLOCK)
        row: tuple[int] = cursor.fetchone()  # type: ignore[assignment]  # one row, always
        return row[0]

    def reader(self, read: WideRead) -> ArrayReader:
        """Return what runs a read."""
        return ArrayReader(read, self.engine.dialect)

    def writer(self, write: WideInsert | WideChange) -> ArrayWriter:
        """Return what runs a write."""
        return ArrayWriter(write, self.engine.dialect)

    def check_schema(self, connection: Connection) -> None:
        """Refuse triggers and rules, which nobody decided on here, and tables that a crash would empty."""
        names = list(METADATA.tables)
        for why, query in _FOREIGN_HANDS.items():
            if found := connection.exec_driver_sql(query, (names,)).scalars().all():
                raise EngineError("unsafe-settings", f"{self._name}: {why}: {', '.join(found)}")

    def refusal(self, error: Exception, *, committing: bool) -> EngineError:
        """Return the refusal that an exception of SQLAlchemy or of the driver stands for."""
        if isinstance(error, PoolTimeoutError):
            return EngineError("store-unavailable", "too many transactions at once")
        cause = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(cause, "sqlstate", None)
        # Without the server's details: they may repeat a row, and with it what a customer is called.
        diagnosis = getattr(cause, "diag", None)
        said = getattr(diagnosis, "message_primary", None) or cause
        words = f"{self._name}: {' '.join(str(said).split())}"
        if state is None and committing:
            return EngineError("commit-outcome-unknown", words)
        if state is None:
            if not isinstance(cause, psycopg.OperationalError):
                words = f"the store was handed something it cannot hold ({type(cause).__name__})"
                return EngineError("internal", words)
            return EngineError("store-unavailable", words)
        if state in _CONFLICTS:
            return ConflictError(words, sqlstate=state)
        code = _CODES.get(state) or _CODES.get(state[:2], "internal")
        if code == "log-corrupt" and getattr(diagnosis, "table_name", None) not in {*METADATA.tables, None}:
            code = "internal"
        if committing and state[:2] not in _OUTCOME_KNOWN:
            code = "commit-outcome-unknown"
        return EngineError(code, words, sqlstate=state)


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    level = psycopg.IsolationLevel.REPEATABLE_READ if reading else psycopg.IsolationLevel.READ_COMMITTED
    if (driver.isolation_level, driver.read_only) != (level, reading):
        driver.isolation_level, driver.read_only = level, reading


_MAKE_HEADS: Final = (
    "INSERT INTO logs (log, tenant, size, sealed_size, checkpoint_size)"
    " SELECT wanted.k0, '', 1, 0, 0 FROM unnest(%b::bytea[]) AS wanted (k0)"
    " WHERE NOT EXISTS (SELECT FROM logs WHERE logs.log = wanted.k0) ORDER BY wanted.k0"
    " ON CONFLICT (log) DO NOTHING RETURNING log"
)
_LOCK_HEADS: Final = "SELECT FROM logs WHERE log = ANY (%b::bytea[]) ORDER BY log FOR UPDATE"
_CLOCK: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

_FOREIGN_HANDS: Final = {
    "drop these triggers, which nobody decided on here": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    " AND tgrelid IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)",
    "drop these rules, which nobody decided on here": "SELECT rulename FROM pg_rewrite"
    " WHERE ev_class IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)",
    "row security would hide rows from us; DISABLE ROW LEVEL SECURITY on": "SELECT relname FROM pg_class"
    " WHERE relrowsecurity AND oid IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)",
    "rows of these tables would be taken for ours": "SELECT inhrelid::regclass::text FROM pg_inherits"
    " WHERE inhparent IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)",
    "a crash would empty these tables; ALTER TABLE ... SET LOGGED": "SELECT relname FROM pg_class WHERE relpersistence <> 'p'"
    " AND oid IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)",
}


class ArrayReader:
    """Joins the wanted keys as `unnest(array, ...)`, one array a part."""

    def __init__(self, read: WideRead, dialect: Dialect) -> None:
        self.text = _with_wanted(read.key) + text_of(read.build(wanted_table(read.key)), dialect)

    def __call__(self, cursor: DBAPICursor, keys: Rows) -> list[Any]:
        """Return the rows of the keys."""
        _run(cursor, self.text, keys)
        return list(cursor.fetchall())


class ArrayWriter:
    """Hands the rows over as one array a column, or where they are new and many by COPY."""

    def __init__(self, write: WideInsert | WideChange, dialect: Dialect) -> None:
        self._copy = ""
        self._types: list[str] = []
        if isinstance(write, WideInsert):
            key, statement = write.columns, _insert(write)
            if write.replaced is None:
                names = ", ".join(each.name for each in write.columns)
                self._copy = f"COPY {write.table.name} ({names}) FROM STDIN (FORMAT BINARY)"
                self._types = [_type_of(each) for each in write.columns]
        else:
            key, statement = write.key, write.build(list(wanted_table(write.key).columns))
        self.text = _with_wanted(key) + text_of(statement, dialect)

    def __call__(self, cursor: DBAPICursor, rows: Rows) -> None:
        """Write the rows."""
        if not self._copy or len(rows) < _COPY_ROWS_MIN:
            _run(cursor, self.text, rows)
            return
        with cursor.copy(self._copy) as copy:
            copy.set_types(self._types)
            for row in rows:
                copy.write_row(row)


def _insert(write: WideInsert) -> UpdateBase:
    wanted = wanted_table(write.columns)
    row = insert(write.table).from_select([each.name for each in write.columns], select(*wanted.columns))
    if write.replaced is None:
        return row
    if not write.replaced:
        return row.on_conflict_do_nothing()
    replaced = {each.name: row.excluded[each.name] for each in write.replaced}
    return row.on_conflict_do_update(index_elements=list(write.table.primary_key), set_=replaced)


def _with_wanted(key: Sequence[Column[Any]]) -> str:
    names = ", ".join(f"k{place}" for place in range(len(key)))
    arrays = ", ".join(f"%b::{_type_of(part)}[]" for part in key)
    return f"WITH wanted ({names}) AS (SELECT * FROM unnest({arrays})) "  # noqa: S608  -- names and types of columns


def _type_of(column: Column[Any]) -> str:
    if isinstance(column.type, LargeBinary):
        return "bytea"
    return "bigint" if isinstance(column.type, BigInteger) else "text"


def _run(cursor: DBAPICursor, text: str, rows: Rows) -> None:
    columns = [list(parts) for parts in zip(*rows, strict=True)]
    cursor.execute(text, columns, prepare=True, binary=True)  # type: ignore[call-arg]  # psycopg's own
