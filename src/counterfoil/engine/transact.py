"""A transaction that is run again where the database asks for it.

A database may give up one of two transactions that wait for each other (PostgreSQL's 40P01), or ask for one to be
repeated (40001).  Nothing of it was done, so the whole block runs again and takes a new place.  A COMMIT whose outcome
is unknown is never repeated: that is the sender's to do, under the same idempotency key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from counterfoil.engine.store import Store, WriteTransaction
from counterfoil.errors import ConflictError

_T = TypeVar("_T")

# Locks are taken in one order everywhere, so that conflicts are rare; more than a few in a row are no accident.
_ATTEMPTS: Final = 10


def transact(store: Store, work: Callable[[WriteTransaction], _T]) -> _T:
    """Run `work` in one write transaction, up to 10 times; return what it returned once that is committed.

    `work` runs from the beginning each time, so it keeps nothing from one run to the next.

    Raises:
        EngineError: what the store says; `store-unavailable`, where the last attempt met a conflict too.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            with store.write() as transaction:
                return work(transaction)
        except ConflictError:
            continue
    with store.write() as transaction:
        return work(transaction)
