"""What the record of a customer says, read from its newest entries alone.

Every entry carries the running totals, so that a customer with ten million deltas answers as fast as one with ten.

Source: docs/spec/entry.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.core.details import customer_of
from counterfoil.core.entry import SEAL, Entry
from counterfoil.core.reference import Origin
from counterfoil.engine.store import Head, ReadTransaction, Store, StoredEntry
from counterfoil.engine.stored import (
    about,
    log_corrupt,
    no_such_customer,
    read_details,
    read_last,
    read_stored,
)
from counterfoil.errors import CounterfoilError, MalformedError

_PAGE: Final = 500


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
        checkpoint_size: entries under the newest checkpoint, 0 without one.
        verified_through_at: every delta accepted up to then is under a signed root; None without a checkpoint.
        verified_count: deltas under the newest checkpoint.
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
    checkpoint_size: int
    verified_through_at: str | None
    verified_count: int

    @property
    def balance(self) -> int:
        """Credits less debits, in nano."""
        return self.credits - self.debits


def customer(store: Store, operator: str, tenant: str, log: bytes) -> CustomerRecord:
    """Return the record of one customer.

    Raises:
        EngineError: `customer-not-found`, `log-corrupt`.
    """
    with store.read() as view:
        found = _records(view, operator, tenant, [log])
    if not found:
        raise no_such_customer()
    if isinstance(found[0], CounterfoilError):
        raise found[0]
    return found[0]


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
    first = view.entries_of([(log, 0, 1) for log in heads])
    seals = view.entries_of(
        [
            (log, head.checkpoint_size - 1, head.checkpoint_size)
            for log, head in heads.items()
            if head.checkpoint_size
        ]
    )
    newest = view.newest_checkpoints(list(heads))
    records: list[CustomerRecord | CounterfoilError] = []
    for log in logs:
        if (head := heads.get(log)) is None:
            continue
        try:
            published = newest[log].size if log in newest else 0
            records.append(_record(operator, head, published, first.get(log, []), seals.get(log, [])))
        except CounterfoilError as error:
            records.append(about(error, log))
    return records


def _record(
    operator: str, head: Head, published: int, first: Sequence[StoredEntry], seals: Sequence[StoredEntry]
) -> CustomerRecord:
    opened = read_stored(first[0]) if first else None
    seal = read_stored(seals[0]) if seals else None
    if opened is None or published != head.checkpoint_size or (seal is None) is bool(published):
        raise log_corrupt(head.log, "an entry or a checkpoint is missing")
    if seal is not None and seal.type != SEAL:
        raise log_corrupt(head.log, "no seal under its newest checkpoint")
    last = read_last(head)
    return CustomerRecord(
        customer_id=_customer_id(first[0], opened),
        log=head.log,
        origin=str(Origin(operator, head.tenant, head.log)),
        unit=last.unit,
        count=last.count,
        credits=last.credits,
        debits=last.debits,
        size=head.size,
        opened_at=opened.recorded_at,
        last_at=last.recorded_at,
        checkpoint_size=head.checkpoint_size,
        verified_through_at=seal.recorded_at if seal else None,
        verified_count=seal.count if seal else 0,
    )


def _customer_id(row: StoredEntry, opened: Entry) -> str | None:
    value = read_details(row, opened)
    try:
        return None if value is None else customer_of(value)
    except MalformedError as error:
        raise log_corrupt(row.log, f"details of its open entry name no customer: {error.message}") from error
