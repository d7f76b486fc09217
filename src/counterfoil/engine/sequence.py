"""The sequence of a customer's deltas, checked: whether every number from 1 on is there once.

Source: docs/spec/entry.md (count and index grow by rule).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from counterfoil.core.entry import DELTA
from counterfoil.engine.history import marks_at_counts
from counterfoil.engine.store import Head, ReadTransaction, Store
from counterfoil.engine.stored import read_last, read_stored, require_head
from counterfoil.errors import EngineError

_PAGE: Final = 1_024


@dataclass(frozen=True, slots=True)
class Sequence:
    """What was found between two sequence numbers.

    Attributes:
        first: the first number that was checked.
        last: the last one that was checked.
        newest: the newest number that there is.
        missing: numbers between first and last that no delta has; always none, unless the store was tampered with.
    """

    first: int
    last: int
    newest: int
    missing: tuple[int, ...]


def check_sequence(
    store: Store, tenant: str, log: bytes, *, first: int = 1, last: int | None = None, limit: int
) -> Sequence:
    """Read the deltas number `first` to `last`, at most `limit` of them, and say which are not there.

    Args:
        store: where the log is.
        tenant: whose; another tenant's log is as absent.
        log: the 20-byte customer reference.
        first: the first sequence number, from 1.
        last: the last one, the newest where none is named.
        limit: how many to check at most.

    Raises:
        EngineError: `invalid-field`, where first lies behind last; `customer-not-found`; `log-corrupt`, where what is
            there does not read.
    """
    if last is not None and first > last:
        raise EngineError("invalid-field", "fromSequence lies behind toSequence", field="fromSequence")
    with store.read() as view:
        head = require_head(view, tenant, log)
        newest = read_last(head).count
        end = min(newest if last is None else last, newest, first + limit - 1)
        found = _numbers(view, head, first, end) if first <= end else set()
    missing = tuple(number for number in range(first, end + 1) if number not in found)
    return Sequence(first, max(end, first - 1), newest, missing)


def _numbers(view: ReadTransaction, head: Head, first: int, end: int) -> set[int]:
    """Return the sequence numbers that deltas have between two of them."""
    try:
        begin, stop = (mark.size for mark in marks_at_counts(view, head, [first, end + 1]))
    except EngineError as error:
        if error.code != "log-corrupt":
            raise
        # What is missing stands in the way of a search as well: no delta stands at an index below its number.
        begin, stop = first, head.size
    found: set[int] = set()
    for at in range(begin, stop, _PAGE):
        entries = [read_stored(row) for row in view.entries(head.log, at, min(at + _PAGE, stop))]
        found.update(entry.count for entry in entries if entry.type == DELTA and first <= entry.count <= end)
        if entries and entries[-1].count > end:
            break
    return found
