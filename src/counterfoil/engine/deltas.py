"""Deltas as they stand: recorded, and since when verified by which checkpoint.

A delta is `QUEUED` when it is recorded and `VERIFIED` once a published checkpoint covers it; its first one counts, so
that the answer never changes again.

Source: docs/api/reference.md, docs/spec/checkpoint.md.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.encoding import JsonValue
from counterfoil.core.entry import DELTA, Entry
from counterfoil.core.reference import format_record_id
from counterfoil.engine.customers import customer_id_of
from counterfoil.engine.history import marks_at_counts
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Head, ReadTransaction, Store, StoredCheckpoint, StoredEntry
from counterfoil.engine.stored import (
    head_of,
    log_corrupt,
    read_checkpoint,
    read_details,
    read_entry,
    read_last,
    read_stored,
    require_head,
)
from counterfoil.errors import EngineError

# Entries that are read at a time on the way to a page of deltas.
_PAGE: Final = 256

Status = Literal["QUEUED", "VERIFIED"]


@dataclass(frozen=True, slots=True)
class DeltaItem:
    """A delta of a list.

    Attributes:
        log: the 20-byte customer reference.
        entry: as recorded.
        data: its bytes.
        details: `reason`, `referenceId`, `metadata`; None where they were erased.
        covered_by: the size of the first checkpoint that covers it, None before there is one.
    """

    log: bytes
    entry: Entry
    data: bytes
    details: dict[str, JsonValue] | None
    covered_by: int | None

    @property
    def record_id(self) -> str:
        """Its name: `customerReference.index`."""
        return format_record_id(self.log, self.entry.index)

    @property
    def status(self) -> Status:
        """Whether a checkpoint covers it."""
        return "QUEUED" if self.covered_by is None else "VERIFIED"


@dataclass(frozen=True, slots=True)
class DeltaState:
    """A delta, with the checkpoint that first covered it.

    Attributes:
        item: the delta.
        customer_id: whose; None where the details that name the customer were erased.
        checkpoint: its signature was verified; None before there is one.
        verified_at: the time of the checkpoint's seal, None likewise.
    """

    item: DeltaItem
    customer_id: str | None
    checkpoint: Checkpoint | None
    verified_at: str | None


def delta_state(store: Store, operator: Operator, tenant: str, log: bytes, index: int) -> DeltaState:
    """Return how a delta stands.

    Raises:
        EngineError: `record-not-found`, also for an entry that is no delta; `log-corrupt`.
    """
    with store.read() as view:
        head = head_of(view, tenant, log)
        rows = view.entries(log, index, index + 1) if head and 0 <= index < head.size else []
        if head is None or not 0 <= index < head.size:
            raise _no_such_record()
        if not rows:
            raise log_corrupt(log, f"entry {index} is missing")
        if read_stored(rows[0]).type != DELTA:
            raise _no_such_record()
        covering = view.checkpoints(log, after=index, limit=1)
        item = _item(rows[0], [each.size for each in covering])
        named = customer_id_of(view, log)
        if not covering:
            return DeltaState(item, named, None, None)
        seal = read_entry(view, log, covering[0].size - 1)
    return DeltaState(item, named, read_checkpoint(covering[0], operator, tenant), seal.recorded_at)


def deltas(
    store: Store,
    tenant: str,
    log: bytes,
    first: int,
    last: int,
    *,
    newest_first: bool = False,
    offset: int = 0,
    limit: int,
) -> list[DeltaItem]:
    """Return a page of the deltas number `first` to `last` of a log, both included; the first delta of all has number 1.

    Raises:
        EngineError: `customer-not-found`, `log-corrupt`.
    """
    with store.read() as view:
        head = require_head(view, tenant, log)
        last = min(last, read_last(head).count)
        if newest_first:
            end = last - offset
            start = max(end - limit + 1, first)
        else:
            start = first + offset
            end = min(start + limit - 1, last)
        if start > end:
            return []
        items = list(_between(view, head, start, end))
    return items[::-1] if newest_first else items


def _between(view: ReadTransaction, head: Head, start: int, end: int) -> Iterator[DeltaItem]:
    """Yield the deltas number `start` to `end`, ascending."""
    begin, stop = (mark.size for mark in marks_at_counts(view, head, [start, end + 1]))
    rows: list[StoredEntry] = []
    for at in range(begin, stop, _PAGE):
        page = view.entries(head.log, at, min(at + _PAGE, stop))
        if len(page) != min(at + _PAGE, stop) - at:
            raise log_corrupt(head.log, f"entries are missing between {at} and {stop}")
        rows += [row for row in page if read_stored(row).type == DELTA]
    if not rows:
        return
    sizes = [each.size for each in _covering(view, head.log, rows)]
    for row in rows:
        yield _item(row, sizes)


def _covering(view: ReadTransaction, log: bytes, rows: Sequence[StoredEntry]) -> Iterator[StoredCheckpoint]:
    """Yield the checkpoints of which each may be the first to cover one of these rows, ascending by size."""
    after = rows[0].index
    while True:
        page = view.checkpoints(log, after=after, limit=_PAGE)
        yield from page
        if len(page) < _PAGE or page[-1].size > rows[-1].index:
            return
        after = page[-1].size


def _item(row: StoredEntry, sizes: Sequence[int]) -> DeltaItem:
    entry = read_stored(row)
    place = bisect_right(sizes, row.index)
    covered_by = sizes[place] if place < len(sizes) else None
    return DeltaItem(row.log, entry, row.entry, read_details(row, entry), covered_by)


def _no_such_record() -> EngineError:
    return EngineError("record-not-found", "there is no such record")
