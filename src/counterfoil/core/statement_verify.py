"""Verifying statements: that a period is whole, and what it adds up to.

What it proves holds if the log keeps to its rules throughout.  Whoever has all entries checks that by an audit, and
any two proven entries that contradict each other are evidence (`core.crosscheck`).  A light statement trusts the
entries between its items, a full one none.

Source: docs/spec/statement.md, whose step numbers stand in the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from counterfoil.core.checkpoint import Checkpoint, KeySet
from counterfoil.core.details import verify_commitment
from counterfoil.core.entry import SEAL, Entry, check_later
from counterfoil.core.merkle import leaf_hash, verify_inclusion, verify_range
from counterfoil.core.movement import Movement
from counterfoil.core.receipt import ProvenEntry, verify_customer
from counterfoil.core.statement import FULL, Statement, parse_statement
from counterfoil.core.timestamp import parse_time
from counterfoil.errors import EngineError, VerificationError


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of a log at an instant.

    Attributes:
        count: deltas so far.
        credits: sum of the positive amounts, in nano (10^-9).
        debits: sum of the negated negative amounts, in nano.
    """

    count: int
    credits: int
    debits: int

    @property
    def balance(self) -> int:
        """Credits less debits, in nano."""
        return self.credits - self.debits


_NOTHING: Final = Totals(0, 0, 0)


@dataclass(frozen=True, slots=True)
class ClaimedMovement(Movement):
    """What a statement says that its period brought; nothing of it was verified.

    Attributes:
        opening: totals before the first entry of the period.
        closing: totals after its last entry.
    """

    opening: Totals
    closing: Totals


def claimed_movement(statement: Statement) -> ClaimedMovement:
    """Return what a statement says that its period brought, true or not."""
    opening = _NOTHING if statement.before is None else _totals(statement.before.entry)
    inside = statement.inside
    return ClaimedMovement(opening, _totals(inside[-1].entry) if inside else opening)


@dataclass(frozen=True, slots=True)
class VerifiedStatement(Movement):
    """What a statement proves of its period.

    Attributes:
        start: first instant of the period.
        end: the first instant behind it.
        mode: `light` or `full`.
        unit: of all amounts.
        opening: totals before the first entry of the period.
        closing: totals after its last entry.
        provisional_through: None where the period is final; else the time through which it is complete so far.
        customer_id: whose log it is, None where the statement does not say: the customer was not checked.
        checkpoint: under which it stands; its key was among the caller's.
        items: all entries that were proven, those before and after the period too.
        inside: those of the period: all of them in full mode, the first and the last in light mode.
    """

    start: str
    end: str
    mode: str
    unit: str
    opening: Totals
    closing: Totals
    provisional_through: str | None
    customer_id: str | None
    checkpoint: Checkpoint
    items: tuple[ProvenEntry, ...]
    inside: tuple[ProvenEntry, ...]


def require_full(statement: VerifiedStatement) -> None:
    """Refuse a light statement where every entry of the period is needed.

    Raises:
        EngineError: `usage`: the statement holds what it says, and whoever asks needs another one.
    """
    if statement.mode != FULL:
        raise EngineError("usage", "a light statement has not every entry of its period: a full one has")


def leaves_out(statement: VerifiedStatement) -> bool:
    """Return whether a statement has not every entry of its period; a light one of two entries has."""
    inside = statement.inside
    return bool(inside) and inside[-1].entry.index - inside[0].entry.index >= len(inside)


def opening_behind(statement: VerifiedStatement) -> Entry | None:
    """Return the first entry of a log that begins behind the period, None where it begins earlier."""
    first = statement.items[0].entry
    return first if not first.index and first.recorded_at >= statement.end else None


def verify_statement(
    statement: Statement | bytes | str,
    keys: KeySet,
    *,
    origin: str | None = None,
    customer_id: str | None = None,
    allow_provisional: bool = False,
) -> VerifiedStatement:
    """Verify a statement offline, from its bytes and the caller's keys alone.

    Args:
        statement: the statement, or its bytes.
        keys: the keys that the caller trusts.
        origin: the log that the caller expects it from, where one is named.
        customer_id: the customer that the caller expects it to name.
        allow_provisional: whether a period may still be open: complete through some instant before its end.

    Raises:
        MalformedError, VerificationError: with the code of the first step that fails.
    """
    # Step 1: form; a given key is the operator's, and its signature verifies; the log that the caller expects.
    if not isinstance(statement, Statement):
        statement = parse_statement(statement)
    checkpoint = statement.checkpoint
    keys.verify(checkpoint)
    if origin is not None and checkpoint.origin != origin:
        raise VerificationError(
            "wrong-origin", "the statement is of another log", found=checkpoint.origin, wanted=origin
        )
    # Step 2: the items are leaves.
    _verify_leaves(statement)
    # Step 3: nothing is missing at the ends of the period.
    items = tuple([found.item for found in statement.items])
    entries = [item.entry for item in items]
    _require_neighbours(statement, entries)
    # Step 4: nothing can come to the period any more.
    provisional_through = _provisional_through(statement, entries[-1])
    if provisional_through is not None and not allow_provisional:
        raise VerificationError(
            "incomplete-period",
            "the period goes on: it is complete so far only",
            through=provisional_through,
        )
    # Step 5: times and totals follow.
    for earlier, later in pairwise(entries):
        check_later(earlier, later)
    # Step 6: details, and whose log it is.
    for item in items:
        if item.details is not None:
            verify_commitment(item.details, item.entry.details)
    proven = verify_customer(entries, statement.opening, checkpoint, customer_id, what="statement")
    # It was verified by now.
    movement = claimed_movement(statement)
    return VerifiedStatement(
        start=statement.start,
        end=statement.end,
        mode=statement.mode,
        unit=entries[0].unit,
        opening=movement.opening,
        closing=movement.closing,
        provisional_through=provisional_through,
        customer_id=proven,
        checkpoint=checkpoint,
        items=items,
        inside=statement.inside,
    )


def _totals(entry: Entry) -> Totals:
    return Totals(entry.count, entry.credits, entry.debits)


def _verify_leaves(statement: Statement) -> None:
    size, root = statement.checkpoint.size, statement.checkpoint.root
    leaves = [leaf_hash(found.item.data) for found in statement.items]
    for found, leaf in zip(statement.items, leaves, strict=True):
        if found.path is not None:
            verify_inclusion(found.item.entry.index, size, leaf, found.path, root)
    if statement.mode != FULL:
        return
    first, last = statement.items[0], statement.items[-1]
    start, end = first.item.entry.index, last.item.entry.index + 1
    # The paths belong to these indices: with another number of leaves between them there is nothing to compute.
    if len(leaves) != end - start:
        raise VerificationError(
            "root-mismatch", f"{len(leaves)} items stand for the entries from {start} to {end - 1}"
        )
    verify_range(start, size, leaves, (first.path or (), last.path or ()), root)


def _require_neighbours(statement: Statement, entries: Sequence[Entry]) -> None:
    # That a full statement has all between its ends was shown with the range: one ascending index for each leaf.
    around: list[Sequence[Entry]] = []
    if statement.before is not None:
        around.append(entries[:2])
    elif entries[0].index:
        raise VerificationError(
            "incomplete-period", f"nothing says what stands before entry {entries[0].index}"
        )
    if statement.after is not None:
        around.append(entries[-2:])
    for pair in around:
        if pair[-1].index - pair[0].index > 1:
            raise VerificationError(
                "incomplete-period", f"entries between {pair[0].index} and {pair[-1].index} are missing"
            )


def _provisional_through(statement: Statement, last: Entry) -> str | None:
    """Return through when the period is complete where that is before its end, None where it is final."""
    if statement.after is not None:
        return None
    if last.type != SEAL or last.index != statement.checkpoint.size - 1:
        raise VerificationError(
            "incomplete-period", f"entry {last.index} is not the seal at the end of the log"
        )
    if last.recorded_at < statement.start:
        raise VerificationError(
            "incomplete-period", "the log is sealed before the period only", sealed=last.recorded_at
        )
    # Whatever comes later comes at least a microsecond later.
    final = parse_time(last.recorded_at) >= parse_time(statement.end) - 1
    return None if final else last.recorded_at
