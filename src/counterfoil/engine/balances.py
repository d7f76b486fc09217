"""Balances of a customer over a scope, derived from running totals.

A scope is a window of time, or all that came behind a starting point: a checkpoint or a delta of the customer.

Source: docs/api/balances.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterfoil.core.encoding import excerpt
from counterfoil.core.entry import DELTA, Entry
from counterfoil.core.movement import Movement
from counterfoil.core.reference import format_record_id, parse_record_id
from counterfoil.engine.history import Mark, Span, mark_after, marks_at_counts, spans
from counterfoil.engine.published import CHECKPOINT_ID_PREFIX, find_by_root, read_root
from counterfoil.engine.store import Head, ReadTransaction, Store
from counterfoil.engine.stored import read_entry, read_last, require_head
from counterfoil.engine.windows import Window
from counterfoil.errors import EngineError, MalformedError


@dataclass(frozen=True, slots=True)
class Derived(Movement):
    """What a scope of one customer adds up to.

    Attributes:
        log: the 20-byte customer reference.
        unit: of all amounts.
        window: the scope; None where it is all behind a starting point.
        starting_balance: what it is added to, in nano (10^-9).
        opening: the log before the scope.
        closing: the log at the scope's end.
        verified: deltas of the scope that the newest checkpoint covers.
        newest: the last delta of the scope, None where there is none.
        breakdown: of the parts of the window that were asked for.
    """

    log: bytes
    unit: str
    window: Window | None
    starting_balance: int
    opening: Mark
    closing: Mark
    verified: int
    newest: str | None
    breakdown: tuple[Span, ...]

    @property
    def computed(self) -> int:
        """The starting balance and everything in the scope, in nano."""
        return self.starting_balance + self.amount


def derive(
    store: Store,
    tenant: str,
    log: bytes,
    window: Window,
    *,
    parts: Sequence[Window] = (),
    starting_balance: int = 0,
) -> Derived:
    """Add up a window.

    Args:
        store: where the log is.
        tenant: whose; another tenant's log is as absent.
        log: the 20-byte customer reference.
        window: the scope.
        parts: of the window, to be added up one by one as well.
        starting_balance: what it is added to, in nano.

    Raises:
        EngineError: `customer-not-found`, `log-corrupt`.
    """
    with store.read() as view:
        head = require_head(view, tenant, log)
        found, *breakdown = spans(view, head, [window, *parts])
        return _derived(
            view,
            head,
            (found.opening, found.closing),
            window=window,
            starting_balance=starting_balance,
            breakdown=breakdown,
        )


def derive_from(store: Store, tenant: str, log: bytes, start: str) -> Derived:
    """Add up all that came behind a checkpoint or a delta, onto the balance that there was then.

    Args:
        store: where the log is.
        tenant: whose; another tenant's log is as absent.
        log: the 20-byte customer reference.
        start: the root of a checkpoint in hex, its id, or a recordId.

    Raises:
        EngineError: `customer-not-found`; `record-not-found`, where the customer has no such checkpoint or delta;
            `log-corrupt`.
    """
    with store.read() as view:
        head = require_head(view, tenant, log)
        opening = mark_after(_starting_entry(view, head, start))
        closing = mark_after(read_last(head))
        return _derived(view, head, (opening, closing), starting_balance=opening.balance)


def _derived(
    view: ReadTransaction,
    head: Head,
    scope: tuple[Mark, Mark],
    *,
    starting_balance: int,
    window: Window | None = None,
    breakdown: Sequence[Span] = (),
) -> Derived:
    opening, closing = scope
    covered = _count_under(view, head, head.checkpoint_size)
    return Derived(
        head.log,
        read_last(head).unit,
        window,
        starting_balance,
        opening,
        closing,
        max(min(closing.count, covered) - opening.count, 0),
        _newest_record(view, head, opening, closing),
        tuple(breakdown),
    )


def _count_under(view: ReadTransaction, head: Head, size: int) -> int:
    return read_entry(view, head.log, size - 1).count if size else 0


def _newest_record(view: ReadTransaction, head: Head, opening: Mark, closing: Mark) -> str | None:
    """Return the recordId of the last delta between two marks."""
    if closing.count == opening.count:
        return None
    # The first entry with a count is the delta that has it; seals behind it repeat it.
    [mark] = marks_at_counts(view, head, [closing.count])
    return format_record_id(head.log, mark.size)


def _starting_entry(view: ReadTransaction, head: Head, start: str) -> Entry:
    if root := read_root(start):
        row = find_by_root(view, root)
        if row is None or row.log != head.log:
            raise _no_start("the customer has no checkpoint of that root")
        return read_entry(view, head.log, row.size - 1)
    try:
        log, number = parse_record_id(start.removeprefix(CHECKPOINT_ID_PREFIX))
    except MalformedError as error:
        why = f"not the root or id of a checkpoint, nor a recordId: {excerpt(start)}"
        raise EngineError("invalid-field", why, field="startingCheckpoint") from error
    if log != head.log:
        raise _no_start("the customer has no such checkpoint or delta")
    if start.startswith(CHECKPOINT_ID_PREFIX):
        if view.checkpoint(log, number) is None:
            raise _no_start("the customer has no such checkpoint")
        return read_entry(view, head.log, number - 1)
    if not 0 <= number < head.size or (entry := read_entry(view, head.log, number)).type != DELTA:
        raise _no_start("the customer has no such delta")
    return entry


def _no_start(why: str) -> EngineError:
    return EngineError("record-not-found", why, field="startingCheckpoint")
