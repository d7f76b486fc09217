"""Closing a period: the checkpoint from which on nothing can be added to it, and what it adds up to under that.

Source: docs/api/balances.md#receipts, docs/spec/checkpoint.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.movement import Movement
from counterfoil.core.timestamp import to_microseconds
from counterfoil.engine.checkpoint import Checkpointed, Outcome, checkpoint_many
from counterfoil.engine.history import Mark, mark_after, marks_at
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Head, ReadTransaction, Store, StoredCheckpoint
from counterfoil.engine.stored import read_checkpoint, read_entry, require_head
from counterfoil.engine.windows import Window
from counterfoil.errors import CounterfoilError, EngineError


@dataclass(frozen=True, slots=True)
class PeriodTotals(Movement):
    """What a window adds up to under one checkpoint.

    Attributes:
        log: the 20-byte customer reference.
        unit: of all amounts.
        window: the period.
        opening: the log before it.
        closing: the log at its end, as far as the checkpoint covers it.
        pending: deltas of the period that the checkpoint does not cover.
        is_final: whether the checkpoint's seal lies at the period's end or behind it: then nothing can be added.
        checkpoint: its signature was verified.
        sealed_at: the time of its seal.
    """

    log: bytes
    unit: str
    window: Window
    opening: Mark
    closing: Mark
    pending: int
    is_final: bool
    checkpoint: Checkpoint
    sealed_at: str


class Bounds(NamedTuple):
    """Where a window lies in a log, and under which checkpoint.

    Attributes:
        opening: the log before the window.
        closing: the log at its end.
        checkpoint: the one that closes the window, the newest one before there is such; None without any.
    """

    opening: Mark
    closing: Mark
    checkpoint: StoredCheckpoint | None


def bounds_of(view: ReadTransaction, head: Head, window: Window) -> Bounds:
    """Return where a window lies.

    Raises:
        EngineError: `log-corrupt`.
    """
    opening, late, closing = marks_at(view, head, [window.start, _last_instant(window), window.end])
    row = _first_behind(view, head, late) or view.newest_checkpoints([head.log]).get(head.log)
    return Bounds(opening, closing, row)


def checkpoint_window(
    store: Store, operator: Operator, tenant: str, log: bytes, window: Window, *, now: int
) -> Checkpointed:
    """Return the checkpoint that closes a window that is over, and of another one the newest; sign one where it lacks.

    The same window that is over gives the same checkpoint for ever.

    Args:
        store: where the log is.
        operator: who signs.
        tenant: whose; another tenant's log is as absent.
        log: the 20-byte customer reference.
        window: the scope.
        now: the clock.

    Raises:
        EngineError: `invalid-field`, where the window lies in the future; `customer-not-found`, `clock-regressed`,
            `log-corrupt`, `fork-refused`.
    """
    require_begun(window, now)
    is_over = window.end <= now
    if is_over and (there := _closing(store, operator, tenant, log, window, outcome="unchanged")):
        return there
    [outcome] = checkpoint_many(store, operator, tenant, [log], refresh=is_over)
    if isinstance(outcome, CounterfoilError):
        raise outcome
    if is_over:
        # Another worker may have closed it meanwhile: then theirs is the first, and this one only the newest.
        first = _closing(store, operator, tenant, log, window, outcome="superseded")
        if first is not None and first.checkpoint.size < outcome.checkpoint.size:
            return first
    return outcome


def _closing(
    store: Store, operator: Operator, tenant: str, log: bytes, window: Window, *, outcome: Outcome
) -> Checkpointed | None:
    with store.read() as view:
        head = require_head(view, tenant, log)
        [late] = marks_at(view, head, [_last_instant(window)])
        row = _first_behind(view, head, late)
        if row is None:
            return None
        seal = read_entry(view, head.log, row.size - 1)
    return Checkpointed(log, outcome, read_checkpoint(row, operator, tenant), seal.recorded_at)


def period_totals(store: Store, operator: Operator, tenant: str, log: bytes, window: Window) -> PeriodTotals:
    """Return what a window adds up to under the checkpoint that closes it, or under the newest one before there is one.

    Raises:
        EngineError: `customer-not-found`; `not-yet-checkpointed`, where no checkpoint covers what came before the
            window, or none is there at all; `log-corrupt`.
    """
    with store.read() as view:
        head = require_head(view, tenant, log)
        opening, closing, row = bounds_of(view, head, window)
        if row is None:
            raise EngineError(
                "not-yet-checkpointed",
                "no checkpoint covers the customer yet; it can be had after the next one",
            )
        seal = read_entry(view, head.log, row.size - 1)
    checkpoint = read_checkpoint(row, operator, tenant)
    covered = closing if closing.size <= row.size else mark_after(seal)
    if covered.count < opening.count:
        # The root would stand for a starting balance that is not under it.
        raise EngineError(
            "not-yet-checkpointed",
            "no checkpoint covers what came before the period yet; it can be had after the next one",
        )
    return PeriodTotals(
        log=log,
        unit=seal.unit,
        window=window,
        opening=opening,
        closing=covered,
        pending=closing.count - covered.count,
        is_final=to_microseconds(seal.recorded_at) >= window.end - 1,
        checkpoint=checkpoint,
        sealed_at=seal.recorded_at,
    )


def require_begun(window: Window, now: int) -> None:
    """Refuse a window of which nothing can be there yet.

    Raises:
        EngineError: `invalid-field`.
    """
    if window.start > now:
        raise EngineError("invalid-field", "the period lies in the future", field="period")


def _last_instant(window: Window) -> int:
    """Return from when on a seal says that everything of a window is there.

    One at the last microsecond before the end leaves no room for a delta in between.
    """
    return window.end - 1


def _first_behind(view: ReadTransaction, head: Head, mark: Mark) -> StoredCheckpoint | None:
    found = view.checkpoints(head.log, after=mark.size, limit=1)
    return found[0] if found else None
