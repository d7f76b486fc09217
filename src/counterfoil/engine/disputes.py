"""Comparing a period of a customer with what the other party has of it, and the packet that proves our side.

A charge of theirs that the period has not may be in the log all the same: recorded in another month, or not yet under the
checkpoint of the statement.  It is looked for by its reference, as far as entries near the period can be read in a second.

Source: docs/spec/dispute.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.compare import Charge, Comparison, Difference, charges_of, pair_by_reference
from counterfoil.core.dispute import compare_period, format_dispute
from counterfoil.core.encoding import json_string
from counterfoil.core.entry import Entry
from counterfoil.core.reference import format_record_id
from counterfoil.core.statement_verify import VerifiedStatement, verify_statement
from counterfoil.engine.prove import Proven, stored_item
from counterfoil.engine.statements import Stated
from counterfoil.engine.store import Store, StoredEntry
from counterfoil.engine.stored import log_corrupt, require_head
from counterfoil.errors import EngineError
from counterfoil.limits import DISPUTE_ELSEWHERE_MAX, REFERENCE_SEARCH_ENTRIES_MAX

ProveUnder = Callable[[str, int | None], Proven]
"""Makes the receipt of a recordId under the checkpoint of a size, under the newest where none is named."""

_PAGE: Final = 512
# A member of details as it stands in canonical bytes, and its text there.
_REFERENCE: Final = re.compile(rb'"referenceId":("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Compared:
    """A period, and what the other party has of it.

    Attributes:
        statement: what our side is, verified.
        comparison: both sides' totals, and the differences; those that are elsewhere in the log say so.
        elsewhere: the entries that the differences name so, by index.
        packet: the dispute packet, canonical JSON, which verifies offline; None where none was wanted.
    """

    statement: VerifiedStatement
    comparison: Comparison
    elsewhere: Mapping[int, Entry]
    packet: bytes | None


def compared(
    store: Store,
    tenant: str,
    log: bytes,
    stated: Stated,
    rows: Sequence[Charge],
    *,
    keys: KeySet,
    prove: ProveUnder,
    tolerance_seconds: int,
    with_packet: bool,
) -> Compared:
    """Compare a full statement with rows, look for those elsewhere that it lacks, and prove each entry that is named.

    Args:
        store: where the log is.
        tenant: whose.
        log: the 20-byte customer reference.
        stated: the statement of the period.
        rows: the other party's charges; the place of each is its position.
        keys: the operator's, under which the statement is verified first.
        prove: makes receipts.
        tolerance_seconds: how far apart the times of two charges without a common reference may be.
        with_packet: whether the packet is made: it takes a receipt for each entry.

    Raises:
        CounterfoilError: as `counterfoil.core.dispute.compare_period` and `format_dispute`, and what `prove` says;
            `log-corrupt`.
    """
    statement = verify_statement(stated.document, keys, allow_provisional=True)
    comparison = compare_period(statement, rows, tolerance_seconds=tolerance_seconds)
    missed = [
        rows[found.theirs]
        for found in comparison.differences
        if found.ours is None and found.theirs is not None
    ]
    elsewhere = _find_elsewhere(store, tenant, log, statement, missed)
    differences = [
        found if (entry := elsewhere.get(found.theirs)) is None else found._replace(elsewhere=entry.index)
        for found in comparison.differences
    ]
    packet = None
    if with_packet:
        listed, receipts = _prove(differences, log, statement.checkpoint.size, prove)
        packet = format_dispute(stated.document, rows, listed, receipts, tolerance_seconds=tolerance_seconds)
    return Compared(
        statement,
        replace(comparison, differences=tuple(differences)),
        {entry.index: entry for entry in elsewhere.values()},
        packet,
    )


def _find_elsewhere(
    store: Store, tenant: str, log: bytes, statement: VerifiedStatement, rows: Sequence[Charge]
) -> dict[int | None, Entry]:
    """Return, by the places of rows, entries of their references that the period of a statement does not list."""
    named = [row for row in rows if row.reference is not None]
    if not named:
        return {}
    wanted = {json_string(row.reference or "").encode("utf-8", "surrogatepass") for row in named}
    charges, entries = [], {}
    for stored in _around(store, tenant, log, statement):
        # Most details are passed over without being read.
        if stored.value is None or wanted.isdisjoint(_REFERENCE.findall(stored.value)):
            continue
        item = stored_item(stored)
        charges += charges_of([item])
        entries[stored.index] = item.entry
    return {theirs.place: entries[ours.place] for ours, theirs in pair_by_reference(charges, named)}


def _around(store: Store, tenant: str, log: bytes, statement: VerifiedStatement) -> Iterator[StoredEntry]:
    """Yield the entries before the period of a full statement and those behind it, so many of each as may be searched."""
    last = statement.items[-1].entry
    end = last.index + (last.recorded_at < statement.end)
    start = end - len(statement.inside)
    with store.read() as view:
        size = require_head(view, tenant, log).size
    before = range(max(start - REFERENCE_SEARCH_ENTRIES_MAX, 0), start)
    behind = range(end, min(end + REFERENCE_SEARCH_ENTRIES_MAX, size))
    for around in (before, behind):
        for first in around[::_PAGE]:
            stop = min(first + _PAGE, around.stop)
            with store.read() as view:
                found = view.entries(log, first, stop)
            if len(found) != stop - first:
                raise log_corrupt(log, f"entries are missing between {first} and {stop}")
            yield from found


def _prove(
    differences: Sequence[Difference], log: bytes, size: int, prove: ProveUnder
) -> tuple[list[Difference], list[bytes]]:
    """Return the differences as a packet lists them, and the receipts of the entries that they name there.

    An entry elsewhere that no checkpoint covers yet is not named, nor is one above the bound.
    """
    listed: list[Difference] = []
    receipts: list[bytes] = []
    left = DISPUTE_ELSEWHERE_MAX
    for found in differences:
        if found.elsewhere is None:
            listed.append(found)
            if found.ours is not None:
                receipts.append(prove(format_record_id(log, found.ours), size).receipt)
            continue
        receipt = _prove_elsewhere(found.elsewhere, log, size, prove) if left else None
        listed.append(found if receipt is not None else found._replace(elsewhere=None))
        if receipt is not None:
            receipts.append(receipt)
            left -= 1
    return listed, receipts


def _prove_elsewhere(index: int, log: bytes, size: int, prove: ProveUnder) -> bytes | None:
    """Return the receipt of an entry, under the checkpoint of a size where that covers it, else under the newest."""
    try:
        return prove(format_record_id(log, index), size if index < size else None).receipt
    except EngineError as error:
        if error.code != "not-yet-checkpointed":
            raise
        return None
