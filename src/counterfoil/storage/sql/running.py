"""What runs the statements of one transaction, and keeps what failed in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from counterfoil.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Select
    from sqlalchemy.engine.interfaces import DBAPICursor
    from sqlalchemy.sql.dml import UpdateBase

    from counterfoil.storage.sql.database import Database
    from counterfoil.storage.sql.statements import Reader, Rows, Statements, Writer

_T = TypeVar("_T")


class Running:
    """Runs statements on one connection.

    Attributes:
        failure: what failed in the transaction, if anything did; from then on everything fails with it.
    """

    def __init__(
        self, database: Database, statements: Statements, connection: Connection, cursor: DBAPICursor
    ) -> None:
        self._database = database
        self._statements = statements
        self._connection = connection
        self._cursor = cursor
        self.failure: EngineError | None = None

    def _select(self, statement: Select[Any]) -> Sequence[Any]:
        return self._run(lambda: self._connection.execute(statement).all())

    def _count(self, statement: Select[tuple[int]]) -> int:
        (row,) = self._select(statement)
        return int(row[0])

    def _rows(self, reader: Reader, keys: Rows) -> list[Any]:
        return self._run(lambda: reader(self._cursor, keys)) if keys else []

    def _change(self, writer: Writer, rows: Rows) -> None:
        if rows:
            self._run(lambda: writer(self._cursor, rows))

    def _execute(self, statement: UpdateBase) -> None:
        self._run(lambda: self._connection.execute(statement))

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
