"""What the record of a customer says, read from a few entries at the edges of what is asked for.

Every entry carries the running totals, so that a customer with ten million deltas answers as fast as one with ten.

Source: docs/api/customer-record.md, docs/spec/entry.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.details import customer_of
from counterfoil.core.entry import DELTA, SEAL, Entry
from counterfoil.core.reference import Origin
from counterfoil.core.timestamp import to_microseconds
from counterfoil.engine.history import Span, marks_at_counts, spans
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Head, ReadTransaction, Store, StoredEntry
from counterfoil.engine.stored import (
    about,
    log_corrupt,
    no_such_customer,
    read_checkpoint,
    read_details,
    read_entry,
    read_last,
    read_stored,
    require_head,
)
from counterfoil.engine.windows import Window, month_of
from counterfoil.errors import CounterfoilError, MalformedError

_PAGE: Final = 500
_PART_OF_AN_ID: Final = re.compile(r"[A-Za-z0-9_.:-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class CustomerRecord:
    """The record of one customer.

    Attributes:
        customer_id: None where the details that name the customer were erased.
        log: the 20-byte customer reference.
        origin: the name of the log.
        unit: of all amounts.
        count: deltas recorded.
        credits: sum of the positive amounts, in nano (10^-9).
        debits: sum of the negated negative amounts, in nano.
        size: entries of the log.
        opened_at: time of the first entry.
        last_at: time of the last entry.
        first_activity_at: time of the first delta.
        last_activity_at: time of the newest delta.
        checkpoint_size: entries under the newest checkpoint, 0 without one.
        verified_through_at: every delta accepted up to then is under a signed root; None without a checkpoint.
        verified_count: deltas under the newest checkpoint.
        verified_credits: sum of their positive amounts, in nano.
        verified_debits: sum of their negated negative amounts, in nano.
    """

    customer_id: str | None
    log: bytes
    origin: str
    unit: str
    count: int
    credits: int
    debits: int
    size: int
    opened_at: str
    last_at: str
    first_activity_at: str
    last_activity_at: str
    checkpoint_size: int
    verified_through_at: str | None
    verified_count: int
    verified_credits: int
    verified_debits: int

    @property
    def balance(self) -> int:
        """Credits less debits, in nano."""
        return self.credits - self.debits

    @property
    def verified_balance(self) -> int:
        """The same of what is verified, in nano: the cumulative balance."""
        return self.verified_credits - self.verified_debits

    @property
    def most_recent_active_period(self) -> str:
        """The UTC month of the newest delta."""
        return month_of(to_microseconds(self.last_activity_at))


@dataclass(frozen=True, slots=True)
class CustomerView:
    """The record of one customer, with what happened in windows of time.

    Attributes:
        record: the record.
        spans: of each window.
        checkpoint: the newest one, its signature verified; None without one.
    """

    record: CustomerRecord
    spans: tuple[Span, ...]
    checkpoint: Checkpoint | None


def customer(store: Store, operator: str, tenant: str, log: bytes) -> CustomerRecord:
    """Return the record of one customer.

    Raises:
        EngineError: `customer-not-found`, `log-corrupt`.
    """
    with store.read() as view:
        return _only(_records(view, operator, tenant, [log]))


def customer_view(
    store: Store, operator: Operator, tenant: str, log: bytes, windows: Sequence[Window]
) -> CustomerView:
    """Return the record of one customer, and what happened in windows.

    Raises:
        EngineError: `customer-not-found`, `log-corrupt`.
    """
    with store.read() as view:
        record = _only(_records(view, operator.name, tenant, [log]))
        return _viewed(view, operator, record, require_head(view, tenant, log), windows)


def customer_page(
    store: Store,
    operator: Operator,
    tenant: str,
    windows: Sequence[Window],
    *,
    search: str = "",
    offset: int = 0,
    limit: int,
) -> tuple[list[CustomerView | CounterfoilError], int]:
    """Return a page of the customers whose customerId contains `search`, by customerId, and how many there are in all.

    A customer whose details were erased has no customerId and is on no page; `customers` has it.
    """
    if not _PART_OF_AN_ID.fullmatch(search):
        return [], 0  # No customerId holds such a character, and a database may not take it.
    with store.read() as view:
        total = view.count_customers(tenant, search=search)
        logs = [each.log for each in view.customers(tenant, search=search, offset=offset, limit=limit)]
        heads = view.heads(logs)
        page: list[CustomerView | CounterfoilError] = []
        for record in _records(view, operator.name, tenant, logs):
            if isinstance(record, CounterfoilError):
                page.append(record)
                continue
            try:
                page.append(_viewed(view, operator, record, heads[record.log], windows))
            except CounterfoilError as error:
                page.append(about(error, record.log))
    return page, total


def _viewed(
    view: ReadTransaction, operator: Operator, record: CustomerRecord, head: Head, windows: Sequence[Window]
) -> CustomerView:
    newest = view.newest_checkpoints([head.log]).get(head.log)
    checkpoint = read_checkpoint(newest, operator, head.tenant) if newest else None
    return CustomerView(record, tuple(spans(view, head, windows)), checkpoint)


def _only(found: Sequence[CustomerRecord | CounterfoilError]) -> CustomerRecord:
    if not found:
        raise no_such_customer()
    if isinstance(found[0], CounterfoilError):
        raise found[0]
    return found[0]


def customer_id_of(view: ReadTransaction, log: bytes) -> str | None:
    """Return what the customer of a log is called, None where that was erased.

    Raises:
        EngineError: `log-corrupt`.
    """
    rows = view.entries(log, 0, 1)
    if not rows:
        raise log_corrupt(log, "its open entry is missing")
    return _customer_id(rows[0], read_stored(rows[0]))


def customers(store: Store, operator: str, tenant: str) -> Iterator[CustomerRecord | CounterfoilError]:
    """Yield the records of all customers of a tenant, in the order of their references."""
    after = b""
    while True:
        with store.read() as view:
            logs = view.logs(tenant, after=after, limit=_PAGE)
            found = _records(view, operator, tenant, logs)
        yield from found
        if len(logs) < _PAGE:
            return
        after = logs[-1]


def all_logs(store: Store, tenant: str, *, with_work: bool = False) -> Iterator[bytes]:
    """Yield the logs of a tenant, or those with entries that no checkpoint covers; new ones may be missed."""
    after = b""
    while True:
        with store.read() as view:
            read = view.logs_with_work if with_work else view.logs
            page = read(tenant, after=after, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]


def _records(
    view: ReadTransaction, operator: str, tenant: str, logs: Sequence[bytes]
) -> list[CustomerRecord | CounterfoilError]:
    heads = {log: head for log, head in view.heads(logs).items() if head.tenant == tenant}
    # The entry that opens the log, and the first delta.
    first = view.entries_of([(log, 0, 2) for log in heads])
    seals = view.entries_of(
        [
            (log, head.checkpoint_size - 1, head.checkpoint_size)
            for log, head in heads.items()
            if head.checkpoint_size
        ],
        with_details=False,
    )
    # The last entry of most logs is a seal, and the one before it their newest delta.
    before = view.entries_of(
        [(log, head.size - 2, head.size - 1) for log, head in heads.items()], with_details=False
    )
    newest = view.newest_checkpoints(list(heads))
    records: list[CustomerRecord | CounterfoilError] = []
    for log in logs:
        if (head := heads.get(log)) is None:
            continue
        try:
            published = newest[log].size if log in newest else 0
            edges = _Edges(head, published, first.get(log, []), seals.get(log, []), before.get(log, []))
            records.append(_record(view, operator, edges))
        except CounterfoilError as error:
            records.append(about(error, log))
    return records


@dataclass(frozen=True, slots=True)
class _Edges:
    """The entries of a log that its record is read from, as far as they are there."""

    head: Head
    published: int
    first: Sequence[StoredEntry]
    seals: Sequence[StoredEntry]
    before: Sequence[StoredEntry]


def _record(view: ReadTransaction, operator: str, edges: _Edges) -> CustomerRecord:
    head, published = edges.head, edges.published
    opened, delta = (read_stored(row) for row in edges.first) if len(edges.first) > 1 else (None, None)
    seal = read_stored(edges.seals[0]) if edges.seals else None
    if (
        opened is None
        or delta is None
        or published != head.checkpoint_size
        or (seal is None) is bool(published)
    ):
        raise log_corrupt(head.log, "an entry or a checkpoint is missing")
    if seal is not None and seal.type != SEAL:
        raise log_corrupt(head.log, "no seal under its newest checkpoint")
    last = read_last(head)
    return CustomerRecord(
        customer_id=_customer_id(edges.first[0], opened),
        log=head.log,
        origin=str(Origin(operator, head.tenant, head.log)),
        unit=last.unit,
        count=last.count,
        credits=last.credits,
        debits=last.debits,
        size=head.size,
        opened_at=opened.recorded_at,
        last_at=last.recorded_at,
        first_activity_at=delta.recorded_at,
        last_activity_at=_newest_delta(view, head, last, edges.before).recorded_at,
        checkpoint_size=head.checkpoint_size,
        verified_through_at=seal.recorded_at if seal else None,
        verified_count=seal.count if seal else 0,
        verified_credits=seal.credits if seal else 0,
        verified_debits=seal.debits if seal else 0,
    )


def _newest_delta(view: ReadTransaction, head: Head, last: Entry, before: Sequence[StoredEntry]) -> Entry:
    if last.type == DELTA:
        return last
    if before and (entry := read_stored(before[0])).type == DELTA:
        return entry
    # Behind several seals: the first entry with the newest count is the delta that has it.
    [mark] = marks_at_counts(view, head, [last.count])
    return read_entry(view, head.log, mark.size)


def _customer_id(row: StoredEntry, opened: Entry) -> str | None:
    value = read_details(row, opened)
    try:
        return None if value is None else customer_of(value)
    except MalformedError as error:
        raise log_corrupt(row.log, f"details of its open entry name no customer: {error.message}") from error
