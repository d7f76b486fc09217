"""Holding several verified documents against each other: receipts, statements, checkpoints.

One document cannot show that its log keeps to the rules throughout.  Two can show that it does not: entries whose times
or totals contradict their order, one index with two entries, one size with two roots, one customer with two logs.  Each
of these pairs is evidence that anybody with the operator's key can check.

Only what was verified may be given here; nothing is verified again.

Source: docs/spec/statement.md, step 5; docs/spec/consistency.md#fork.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.entry import Entry, check_later
from counterfoil.core.merkle import leaf_hash
from counterfoil.core.receipt import ProvenEntry, Receipt
from counterfoil.core.statement import Statement
from counterfoil.errors import VerificationError


def items_of(document: Receipt | Statement) -> list[ProvenEntry]:
    """Return every entry that a document proves, that of `open` too."""
    items = [document.item] if isinstance(document, Receipt) else [found.item for found in document.items]
    return items if document.opening is None else [*items, document.opening.item]


class _Known(NamedTuple):
    """A proven entry, its leaf hash, and the document that proved it first."""

    entry: Entry
    leaf: bytes
    name: str


class CrossCheck:
    """Takes one document after the other, and holds each against those before it."""

    __slots__ = ("_customers", "_entries", "_indices", "_roots")

    def __init__(self) -> None:
        # (origin, size) -> root and document; (operator/tenant, customerId) -> origin and document.
        self._roots: dict[tuple[str, int], tuple[bytes, str]] = {}
        self._customers: dict[tuple[str, str], tuple[str, str]] = {}
        # Of each origin the entries by index, and their indices beside them.
        self._entries: defaultdict[str, list[_Known]] = defaultdict(list)
        self._indices: defaultdict[str, list[int]] = defaultdict(list)

    @property
    def checkpoints(self) -> int:
        """How many different checkpoints there were, by origin and size."""
        return len(self._roots)

    @property
    def logs(self) -> int:
        """How many different logs there were."""
        return len({origin for origin, _ in self._roots})

    def take(
        self,
        name: str,
        checkpoint: Checkpoint,
        items: Iterable[ProvenEntry] = (),
        customer_id: str | None = None,
    ) -> None:
        """Take a document that was verified.

        Args:
            name: what its reader calls it.
            checkpoint: under which it stands.
            items: the entries that it proves, in any order (`items_of`).
            customer_id: the customerId that it proves.

        Raises:
            VerificationError: `fork`, `time-order` or `totals-mismatch`, where it contradicts one before it; the facts
                name both.  A fork comes before the others.
        """
        origin = checkpoint.origin
        self._compare_root(name, checkpoint)
        found = [_Known(item.entry, leaf_hash(item.data), name) for item in items]
        found.sort(key=lambda known: known.entry.index)
        for known in found:
            self._compare_leaf(origin, known)
        if customer_id is not None:
            self._compare_customer(name, origin, customer_id)
        for known in found:
            self._place(origin, known)

    def _compare_root(self, name: str, checkpoint: Checkpoint) -> None:
        place = (checkpoint.origin, checkpoint.size)
        root, first = self._roots.setdefault(place, (checkpoint.root, name))
        if root != checkpoint.root:
            words = f"two checkpoints of {checkpoint.origin} at size {checkpoint.size}"
            raise _contradiction("fork", words, first, name)

    def _compare_leaf(self, origin: str, known: _Known) -> None:
        other = self._at(origin, known.entry.index)
        if other is not None and other.leaf != known.leaf:
            words = f"two entries of {origin} at index {known.entry.index}"
            raise _contradiction("fork", words, other.name, known.name)

    def _compare_customer(self, name: str, origin: str, customer_id: str) -> None:
        # Operator and tenant: all of the origin but the reference.
        whose = (origin.rpartition("/")[0], customer_id)
        other, first = self._customers.setdefault(whose, (origin, name))
        if other != origin:
            words = f"two logs of customer {customer_id}, {other} and {origin}"
            raise _contradiction("fork", words, first, name)

    def _at(self, origin: str, index: int) -> _Known | None:
        indices = self._indices[origin]
        place = bisect_left(indices, index)
        return self._entries[origin][place] if place < len(indices) and indices[place] == index else None

    def _place(self, origin: str, known: _Known) -> None:
        """Put an entry between its neighbours, unless it contradicts one of them.

        What holds from one to the next holds between any two: the rules of order add up.
        """
        indices, entries = self._indices[origin], self._entries[origin]
        place = bisect_left(indices, known.entry.index)
        if place < len(indices) and indices[place] == known.entry.index:
            return
        if place:
            _require_order(entries[place - 1], known, known.name)
        if place < len(entries):
            _require_order(known, entries[place], known.name)
        indices.insert(place, known.entry.index)
        entries.insert(place, known)


def _require_order(earlier: _Known, later: _Known, newest: str) -> None:
    try:
        check_later(earlier.entry, later.entry)
    except VerificationError as error:
        first = earlier.name if later.name == newest else later.name
        raise _contradiction(error.code, error.message, first, newest) from None


def _contradiction(code: str, words: str, first: str, second: str) -> VerificationError:
    return VerificationError(code, words, first=first, second=second)
