"""Statements: a period of a log, proven complete, from stored bytes.

A period that is over is proven under the checkpoint that closes it, which is the same one for ever, and so are the bytes
of its statement.  One that goes on is proven as far as the newest checkpoint covers it: provisionally.

Source: docs/spec/statement.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from counterfoil.core.statement import FULL, LIGHT, StatementItem, format_statement
from counterfoil.core.timestamp import format_time, to_microseconds
from counterfoil.engine.closing import bounds_of
from counterfoil.engine.history import join
from counterfoil.engine.operator import Operator
from counterfoil.engine.prove import Prover, read_tiles
from counterfoil.engine.store import ReadTransaction, Store, StoredEntry
from counterfoil.engine.stored import log_corrupt, read_checkpoint, read_stored, require_head
from counterfoil.engine.windows import Window
from counterfoil.errors import EngineError, TooLargeError
from counterfoil.limits import FULL_STATEMENT_BYTES_MAX, STATEMENT_ITEMS_MAX


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement.

    Attributes:
        document: canonical JSON.
        is_final: whether nothing can be added to the period any more.
        sealed_at: the time of the seal under its checkpoint.
    """

    document: bytes
    is_final: bool
    sealed_at: str


def statement(
    store: Store,
    operator: Operator,
    tenant: str,
    log: bytes,
    window: Window,
    *,
    full: bool = False,
    with_open: bool = True,
) -> Stated:
    """Make the statement of a window.

    Args:
        store: where the log is.
        operator: whose signatures its checkpoints bear.
        tenant: whose; another tenant's log is as absent.
        log: the 20-byte customer reference.
        window: the period.
        full: whether every entry of the period is in it, or the first and the last alone.
        with_open: whether it names its customer.

    Raises:
        EngineError: `customer-not-found`; `not-yet-checkpointed`, where no checkpoint reaches into the period;
            `scope-too-wide`, where a full one would have over 10,000 items or 33,554,432 bytes; `log-corrupt`.
    """
    with store.read() as view:
        head = require_head(view, tenant, log)
        bounds = bounds_of(view, head, window)
        checkpoint = read_checkpoint(bounds.checkpoint, operator, tenant) if bounds.checkpoint else None
        first, last = bounds.opening.size, bounds.closing.size
        if checkpoint is None or checkpoint.size <= first:
            raise EngineError(
                "not-yet-checkpointed",
                "no checkpoint reaches into the period; it can be had after the next one",
            )
        indices = _indices(first, min(last, checkpoint.size), checkpoint.size, full=full)
        rows = _rows(view, log, {*indices, 0, checkpoint.size - 1})
        proven = {indices[0], indices[-1]} if full else set(indices)
        tiles = read_tiles(view, log, sorted(proven | {0}), checkpoint.size)
    prover = Prover(log, checkpoint, tiles)
    items = [
        StatementItem(prover.item(rows[index]), tuple(prover.path(rows[index])) if index in proven else None)
        for index in indices
    ]
    sealed_at = read_stored(rows[checkpoint.size - 1]).recorded_at
    period = (format_time(window.start), format_time(window.end))
    opening = prover.opening(rows[0]) if with_open else None
    try:
        document = format_statement(period, FULL if full else LIGHT, items, opening, checkpoint.note)
    except TooLargeError as error:
        raise _too_wide() from error
    return Stated(document, to_microseconds(sealed_at) >= window.end - 1, sealed_at)


def _indices(first: int, end: int, size: int, *, full: bool) -> list[int]:
    """Return which entries a statement has: the one before the range `[first, end)`, of the range, and the one after it.

    Raises:
        EngineError: `scope-too-wide`, above 10,000.
    """
    outside = {index for index in (first - 1, end) if 0 <= index < size}
    if full:
        if end - first + len(outside) > STATEMENT_ITEMS_MAX:
            raise _too_wide()
        return sorted(outside | set(range(first, end)))
    return sorted(outside | ({first, end - 1} if first < end else set()))


def _too_wide() -> EngineError:
    return EngineError(
        "scope-too-wide",
        f"a full statement has at most {STATEMENT_ITEMS_MAX:,} items and {FULL_STATEMENT_BYTES_MAX:,} bytes: "
        "take a shorter period, a light one, or a pack",
    )


def _rows(view: ReadTransaction, log: bytes, indices: set[int]) -> dict[int, StoredEntry]:
    ranges = join([(index, index + 1) for index in sorted(indices)], log)
    rows = {row.index: row for row in view.entries_of(ranges).get(log, [])}
    if missing := indices - rows.keys():
        raise log_corrupt(log, f"entry {min(missing)} is missing")
    return rows
