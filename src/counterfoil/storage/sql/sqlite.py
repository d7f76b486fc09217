"""What is particular to SQLite: the file, its settings, its locks and its error codes.

An acknowledged write survives a power cut: a rollback journal that is truncated and synced at every COMMIT
(`journal_mode=TRUNCATE`, `synchronous=FULL`).  That is safe on every version of SQLite and leaves one file to copy.
Why not a write-ahead log: docs/decisions/0001-sqlite-journal.md.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, LargeBinary, QueuePool, bindparam, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from counterfoil.errors import EngineError
from counterfoil.limits import LOCK_WAIT_SECONDS
from counterfoil.storage.files import os_refusal, sync_folder
from counterfoil.storage.sql.schema import METADATA
from counterfoil.storage.sql.statements import WideChange, WideInsert, WideRead, text_of, wanted_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Dialect
    from sqlalchemy.engine.interfaces import DBAPICursor
    from sqlalchemy.sql.dml import UpdateBase

    from counterfoil.storage.sql.statements import Rows

# STRICT tables came with it.
_OLDEST_VERSION: Final = (3, 37, 0)

# Of a new file; an existing one keeps its own.  A fresh store fills a fifth faster than with the usual 4,096.
_PAGE_BYTES: Final = 8192

# Setting -> (what is asked for, what must be read back).
_SETTINGS: Final[dict[str, tuple[str, object]]] = {
    "journal_mode": ("TRUNCATE", "truncate"),
    "synchronous": ("FULL", 2),
    # What is erased is overwritten, too.
    "secure_delete": ("ON", 1),
    # In KiB, which SQLite writes as a negative number.
    "cache_size": ("-65536", -65536),
    # A large transaction that spilled would keep readers out from then on, not only during its COMMIT.
    "cache_spill": ("OFF", 0),
    # Else SQLite would rather index 256 wanted keys by itself and read all entries than look 256 entries up.
    "automatic_index": ("OFF", 0),
}

# SQLITE_BUSY and SQLITE_FULL at COMMIT come before the journal is given up, which is the moment a transaction
# becomes permanent; any other failure may come after it.
_CODES: Final = {
    sqlite3.SQLITE_BUSY: "store-unavailable",
    sqlite3.SQLITE_LOCKED: "store-unavailable",
    sqlite3.SQLITE_INTERRUPT: "store-unavailable",
    sqlite3.SQLITE_SCHEMA: "store-unavailable",
    sqlite3.SQLITE_FULL: "out-of-space",
    sqlite3.SQLITE_IOERR: "io-error",
    sqlite3.SQLITE_CANTOPEN: "io-error",
    sqlite3.SQLITE_PERM: "io-error",
    sqlite3.SQLITE_READONLY: "io-error",
    sqlite3.SQLITE_CORRUPT: "log-corrupt",
    # As a rule the wrong file; a store whose beginning was overwritten looks the same, and nothing of it can be read.
    sqlite3.SQLITE_NOTADB: "usage",
    # Two rows for one place: heads and entries, or heads and checkpoints, contradict each other.
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "log-corrupt",
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "log-corrupt",
}
# How long a writer sleeps before it asks for a lock again that another process holds.
_ASK_AGAIN_SECONDS: Final = 0.001
_SURELY_NOT_COMMITTED: Final = {"store-unavailable", "out-of-space"}


class SqliteDatabase:
    """A store file on this machine.

    Attributes:
        path: of the file.
        engine: connections to it.  Each transaction begins with BEGIN IMMEDIATE, which takes the one write lock
            of the file, or with BEGIN where the execution option `reading` is set.
        failures: what a call can raise, the driver's own exceptions at values that it cannot convert among them.

    Raises:
        EngineError: `unsafe-settings`, where the linked SQLite is too old.
    """

    failures = (SQLAlchemyError, sqlite3.Error, OverflowError, UnicodeError)

    def __init__(self, path: Path) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_VERSION:
            raise EngineError(
                "unsafe-settings", f"SQLite {sqlite3.sqlite_version} is too old, 3.37.0 or later is needed"
            )
        self.path = path.absolute()
        self._writers = threading.Lock()
        # A file that is gone is an error and not a new, empty store.
        name = f"file:{quote(os.fsencode(self.path))}?mode=rw"

        def connect() -> sqlite3.Connection:
            # isolation_level=None: the driver never begins a transaction by itself, least of all one without lock.
            return sqlite3.connect(
                name, uri=True, timeout=LOCK_WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )

        # As many connections as there are transactions at once; the one used last has the warmest cache.
        self.engine: Engine = create_engine(
            "sqlite://", creator=connect, poolclass=QueuePool, max_overflow=-1, pool_use_lifo=True
        )
        event.listen(self.engine, "connect", _apply_settings)
        event.listen(self.engine, "begin", _begin)
        event.listen(self.engine, "commit", _commit)

    def make_file(self) -> None:
        """Make the file if there is none, for the owner alone, because it holds customers' details.

        Raises:
            EngineError: `io-error`, `out-of-space`.
        """
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            sync_folder(self.path.parent)
        except OSError as error:
            raise os_refusal(error, f"cannot make {self.path}") from error

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let one writer of this process in at a time.

        SQLite would let them in as well, but one that waits for its lock asks again ever more rarely, and may starve.

        Raises:
            EngineError: `store-unavailable`, where the wait is too long.
        """
        if not self._writers.acquire(timeout=LOCK_WAIT_SECONDS):
            raise EngineError("store-unavailable", f"{self.path}: another transaction holds the store")
        try:
            yield
        finally:
            self._writers.release()

    def lock(self, cursor: DBAPICursor, logs: Sequence[bytes]) -> set[bytes]:  # noqa: ARG002  -- see below
        """Lock the logs: nothing to do, BEGIN IMMEDIATE holds them all."""
        return set()

    def wait_briefly(self, cursor: DBAPICursor) -> None:
        """There is nothing to wait for: BEGIN IMMEDIATE has the lock."""

    def alone(self, connection: Connection) -> None:
        """Nobody else: BEGIN IMMEDIATE has the lock."""

    def now(self, cursor: DBAPICursor, clock: Callable[[], int]) -> int:  # noqa: ARG002  -- see below
        """Return the host's clock: everybody who uses the file is on this host."""
        return clock()

    def reader(self, read: WideRead) -> ValuesReader:
        """Return what runs a read."""
        return ValuesReader(read, self.engine.dialect)

    def writer(self, write: WideInsert | WideChange) -> RowWriter:
        """Return what runs a write."""
        return RowWriter(write, self.engine.dialect)

    def check_schema(self, connection: Connection) -> None:
        """Refuse triggers and views, which nobody decided on here, and tables that were made again without types."""
        # SQLAlchemy asks for neither; both tables are SQLite's own.
        if connection.exec_driver_sql(
            "SELECT 1 FROM sqlite_master WHERE type IN ('trigger', 'view')"
        ).first():
            raise EngineError(
                "unsafe-settings", f"{self.path} holds triggers or views: no version of the store does"
            )
        strict = {
            name for (name,) in connection.exec_driver_sql("SELECT name FROM pragma_table_list WHERE strict")
        }
        if not METADATA.tables.keys() <= strict:
            raise EngineError("unsafe-settings", f"tables of {self.path} were made again without their types")

    def refusal(self, error: Exception, *, committing: bool) -> EngineError:
        """Return the refusal that an exception of SQLAlchemy or of the driver stands for."""
        if isinstance(error, PoolTimeoutError):
            return EngineError("store-unavailable", "too many transactions at once")
        cause = error.orig if isinstance(error, DBAPIError) else error
        extended = getattr(cause, "sqlite_errorcode", None)
        if extended is None:
            return EngineError("internal", f"the store was handed something it cannot hold: {cause}")
        code = _CODES.get(extended) or _CODES.get(extended & 0xFF, "internal")
        if committing and code not in _SURELY_NOT_COMMITTED:
            code = "commit-outcome-unknown"
        words = f"{self.path} is not a Counterfoil store" if code == "usage" else f"{self.path}: {cause}"
        return EngineError(code, words, sqlite=getattr(cause, "sqlite_errorname", ""))


# Lengths of a list that a text is made for.  Beyond 256 a key costs no less.
_LENGTHS: Final = (1, 16, 256)


class ValuesReader:
    """Joins the wanted keys as `WITH wanted (...) AS (VALUES ...)`: SQLite looks each of them up in the index.

    For the shorter `(log, key_prefix) IN (VALUES ...)` it reads the whole index instead; a test holds the plans.
    """

    def __init__(self, read: WideRead, dialect: Dialect) -> None:
        self._columns = ", ".join(f"k{place}" for place in range(len(read.key)))
        # A key that no row has, because a log is longer; it fills a list up to the next length.
        self._filler = tuple(b"" if isinstance(part.type, LargeBinary) else 0 for part in read.key)
        self._statement = text_of(read.build(wanted_table(read.key)), dialect)
        self._texts = {length: self.text(length) for length in _LENGTHS}

    def text(self, length: int) -> str:
        """Return the statement for a list of this length."""
        row = f"({', '.join('?' for _ in self._filler)})"
        return f"WITH wanted ({self._columns}) AS (VALUES {', '.join([row] * length)}) {self._statement}"

    def __call__(self, cursor: DBAPICursor, keys: Rows) -> list[Any]:
        """Return the rows of the keys."""
        found: list[Any] = []
        for start in range(0, len(keys), _LENGTHS[-1]):
            chunk = keys[start : start + _LENGTHS[-1]]
            length = next(length for length in _LENGTHS if length >= len(chunk))
            parts = [part for key in chunk for part in key]
            parts.extend(self._filler * (length - len(chunk)))
            cursor.execute(self._texts[length], tuple(parts))
            found.extend(cursor.fetchall())
        return found


class RowWriter:
    """Runs the statement once a row: there is no round trip that a longer one would save."""

    def __init__(self, write: WideInsert | WideChange, dialect: Dialect) -> None:
        if isinstance(write, WideInsert):
            statement: UpdateBase = _insert(write)
            names = [each.name for each in write.columns]
        else:
            names = [f"k{place}" for place in range(len(write.key))]
            statement = write.build([bindparam(name) for name in names])
        compiled = statement.compile(dialect=dialect)
        self._text = str(compiled)
        # The driver takes plain tuples a fifth faster than named ones.
        places = [names.index(name) for name in compiled.positiontup or ()]
        self._row = tuple if places == list(range(len(names))) else itemgetter(*places)

    def __call__(self, cursor: DBAPICursor, rows: Rows) -> None:
        """Write the rows."""
        cursor.executemany(self._text, list(map(self._row, rows)))


def _insert(write: WideInsert) -> UpdateBase:
    row = insert(write.table).values({each.name: bindparam(each.name) for each in write.columns})
    if write.replaced is None:
        return row
    if not write.replaced:
        return row.on_conflict_do_nothing()
    replaced = {each.name: row.excluded[each.name] for each in write.replaced}
    return row.on_conflict_do_update(index_elements=list(write.table.primary_key), set_=replaced)


def _apply_settings(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    for name, (asked, expected) in _SETTINGS.items():
        connection.execute(f"PRAGMA {name} = {asked}")
        (got,) = connection.execute(f"PRAGMA {name}").fetchone()
        if got != expected:
            raise EngineError("unsafe-settings", f"SQLite did not take {name} = {asked}", got=got)


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("reading", False):
        connection.exec_driver_sql("BEGIN")
    else:
        _insist(connection, "BEGIN IMMEDIATE")


def _commit(connection: Connection) -> None:
    if not connection.get_execution_options().get("reading", False):
        # Behind it the driver has nothing left to commit.
        _insist(connection, "COMMIT")


def _insist(connection: Connection, statement: str) -> None:
    """Run what other processes may keep waiting, again and again until it passes or the wait is over.

    SQLite would wait by itself, but asks again ever more rarely, at last ten times a second: two processes that both
    write, a server and its worker say, would spend most of their time asleep while nobody holds the lock.
    """
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.exec_driver_sql(statement)
            except DBAPIError as error:
                if _code_of(error.orig) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
            else:
                return
            time.sleep(_ASK_AGAIN_SECONDS)
    finally:
        driver.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_SECONDS * 1_000}")


def _code_of(error: BaseException | None) -> int:
    """Return SQLite's primary result code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
