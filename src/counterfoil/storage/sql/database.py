"""What differs between databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPICursor

    from counterfoil.errors import EngineError

from counterfoil.storage.sql.statements import Runners


class Database(Runners, Protocol):
    """What differs between databases.

    Attributes:
        engine: gives connections.  A transaction on one may write, unless the execution option `reading` is set.
        failures: the exceptions that a call can raise, which `refusal` translates.
    """

    @property
    def engine(self) -> Engine:
        """See above."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """See above."""

    def turn(self) -> AbstractContextManager[None]:
        """Let writers of this process in as the database can take them.

        Raises:
            EngineError: `store-unavailable`, where the wait is too long.
        """

    def lock(self, cursor: DBAPICursor, logs: Sequence[bytes]) -> set[bytes]:
        """Lock logs, which are in ascending order, until the transaction ends, whether they exist or not.

        Returns:
            the logs that had no head and were given one, to be locked: before the transaction ends it is overwritten
            or removed.
        """

    def wait_briefly(self, cursor: DBAPICursor) -> None:
        """Let what is locked be waited for in this transaction for a second and not longer."""

    def alone(self, connection: Connection) -> None:
        """Keep others out who would make the tables at the same time, until the transaction ends."""

    def now(self, cursor: DBAPICursor, clock: Callable[[], int]) -> int:
        """Return the store's clock in microseconds: the database's own where it is one for all hosts, else the given one."""

    def check_schema(self, connection: Connection) -> None:
        """Refuse tables that are not as the migrations made them.

        Raises:
            EngineError: `unsafe-settings`.
        """

    def refusal(self, error: Exception, *, committing: bool) -> EngineError:
        """Return the refusal that one of `failures` stands for."""
