"""Importing: rows of a file are recorded in batches, and the same file again records nothing twice.

A row that cannot be recorded is refused with its line and code; the rest goes in.  What a row is, and the key that one
without its own gets, says `counterfoil.engine.rows`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from counterfoil.engine.record import Recorded
from counterfoil.engine.request import Delta
from counterfoil.engine.rows import Row
from counterfoil.errors import CounterfoilError, EngineError
from counterfoil.limits import IMPORT_BATCH_ITEMS

# Bytes of rows that wait to be recorded together; rows of ordinary length fill a batch long before.
_BATCH_BYTES: Final = 4 * 1024 * 1024
# The store was busy, or did not say whether it committed: the same keys may be sent again.
_RETRIED: Final = frozenset({"store-unavailable", "commit-outcome-unknown"})
_PAUSES_SECONDS: Final = (0.1, 0.5, 2.0, 5.0)


class Refused(NamedTuple):
    """A row that was not recorded."""

    line: int
    data: bytes
    error: CounterfoilError


@dataclass(slots=True)
class Imported:
    """What became of the rows so far; `rows` is the sum of the next three.

    Attributes:
        rows: rows whose fate is known.
        recorded: new deltas.
        replayed: rows that were recorded before.
        refused: rows that were not recorded.
        replayed_keyless: of the replayed, those without a key of their own.
        customers: whose rows these are, refused ones not counted.
    """

    rows: int = 0
    recorded: int = 0
    replayed: int = 0
    refused: int = 0
    replayed_keyless: int = 0
    customers: set[str] = field(default_factory=set)


def import_rows(
    record_many: Callable[[Sequence[Delta]], Sequence[Recorded | CounterfoilError]],
    rows: Iterable[Row],
    imported: Imported,
    *,
    on_refused: Callable[[Refused], object],
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[int]:
    """Record rows, a batch a transaction.

    Args:
        record_many: `counterfoil.engine.engine.Engine.record_many`.
        rows: of `read_csv` or `read_ndjson`.
        imported: counts; whatever ends the import, it says what the store has acknowledged.
        on_refused: told of each row that was not recorded, in the order of the file.
        pause: waits so many seconds before a batch is tried again.

    Yields:
        how many rows were done with the last batch.

    Raises:
        EngineError: what the store says; after `store-unavailable` and `commit-outcome-unknown` the same batch was
            tried four times more.
    """
    for batch in _batches(rows):
        deltas = [row.delta for row in batch if isinstance(row.delta, Delta)]
        answers = iter(_insist(record_many, deltas, pause) if deltas else ())
        for row in batch:
            answer = next(answers) if isinstance(row.delta, Delta) else row.delta
            imported.rows += 1
            if isinstance(answer, CounterfoilError):
                imported.refused += 1
                on_refused(Refused(row.line, row.data, answer))
            else:
                imported.replayed += answer.replayed
                imported.replayed_keyless += answer.replayed and row.keyless
                imported.recorded += not answer.replayed
                imported.customers.add(answer.customer_id)
        yield len(batch)


def _insist(
    record_many: Callable[[Sequence[Delta]], Sequence[Recorded | CounterfoilError]],
    deltas: Sequence[Delta],
    pause: Callable[[float], object],
) -> Sequence[Recorded | CounterfoilError]:
    for seconds in _PAUSES_SECONDS:
        try:
            return record_many(deltas)
        except EngineError as error:
            if error.code not in _RETRIED:
                raise
        pause(seconds)
    return record_many(deltas)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.data)
        if len(batch) >= IMPORT_BATCH_ITEMS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
