"""Holding several verified documents against each other: receipts, statements, dispute packets, checkpoints.

One document cannot show that its log keeps to the rules throughout.  Two can show that it does not: entries whose times
or totals contradict their order, one index with two entries, one size with two roots, one customer with two logs.  Each
of these pairs is evidence that anybody with the operator's key can check.

Only what was verified may be given here; nothing is verified again.

Source: docs/spec/statement.md, step 5; docs/spec/consistency.md#fork.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import ChainMap, defaultdict
from collections.abc import Iterator, MutableMapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.details import customer_of
from counterfoil.core.entry import Entry, check_later
from counterfoil.core.merkle import leaf_hash
from counterfoil.core.receipt import ProvenEntry, Receipt
from counterfoil.core.statement import Statement
from counterfoil.errors import VerificationError

# An origin, and a size or an index of it.
_Place = tuple[str, int]
# An operator and a tenant, and a customer of theirs.
_Whose = tuple[str, str]


class Proof(NamedTuple):
    """What a verified document proves under one checkpoint.

    Attributes:
        checkpoint: under which it stands.
        items: the entries, in any order; none where the document is the checkpoint alone.
        customer_id: whose log it is, None where the document does not say.
    """

    checkpoint: Checkpoint
    items: Sequence[ProvenEntry] = ()
    customer_id: str | None = None


def proof_of(document: Receipt | Statement) -> Proof:
    """Return what a verified document proves: every entry in it, that of `open` too."""
    if isinstance(document, Receipt):
        checkpoint, items = document.proof.checkpoint, [document.item]
    else:
        checkpoint, items = document.checkpoint, [found.item for found in document.items]
    if document.opening is None:
        return Proof(checkpoint, items)
    opened = document.opening.item
    customer_id = None if opened.details is None else customer_of(opened.details.value)
    return Proof(checkpoint, [*items, opened], customer_id)


class _Known(NamedTuple):
    """A proven entry, its leaf hash, and the document that proved it first."""

    entry: Entry
    leaf: bytes
    name: str


class CrossCheck:
    """Takes one document after the other, and holds each against those before it."""

    __slots__ = ("_customers", "_entries", "_indices", "_roots")

    def __init__(self) -> None:
        # Root and document of each size; origin and document of each customer.
        self._roots: dict[_Place, tuple[bytes, str]] = {}
        self._customers: dict[_Whose, tuple[str, str]] = {}
        # The entry at each index; of each origin these indices, ascending.
        self._entries: dict[_Place, _Known] = {}
        self._indices: defaultdict[str, list[int]] = defaultdict(list)

    @property
    def checkpoints(self) -> int:
        """How many different checkpoints there were, by origin and size."""
        return len(self._roots)

    @property
    def logs(self) -> int:
        """How many different logs there were."""
        return len({origin for origin, _ in self._roots})

    def take(self, name: str, *proofs: Proof) -> None:
        """Take a document that was verified.

        Args:
            name: what its reader calls it.
            proofs: all that it proves.

        Raises:
            VerificationError: `fork`, `time-order` or `totals-mismatch`, where it contradicts one before it, or itself;
                the facts name both.  A fork comes before the others.  Nothing of it is remembered then: it is not held
                against what comes.
        """
        # What is new lies over what is known, until all of it was compared.
        roots = ChainMap[_Place, tuple[bytes, str]]({}, self._roots)
        customers = ChainMap[_Whose, tuple[str, str]]({}, self._customers)
        entries = ChainMap[_Place, _Known]({}, self._entries)
        for proof in proofs:
            _compare_root(roots, name, proof.checkpoint)
        for proof in proofs:
            for item in proof.items:
                known = _Known(item.entry, leaf_hash(item.data), name)
                _compare_leaf(entries, proof.checkpoint.origin, known)
        for proof in proofs:
            _compare_customer(customers, name, proof)
        added = sorted(entries.maps[0])
        for earlier, later in self._neighbours(added):
            _require_order(entries[earlier], entries[later], name)
        self._roots.update(roots.maps[0])
        self._customers.update(customers.maps[0])
        self._entries.update(entries.maps[0])
        for origin, index in added:
            insort(self._indices[origin], index)

    def _neighbours(self, added: Sequence[_Place]) -> Iterator[tuple[_Place, _Place]]:
        """Yield the pairs of neighbours in which one is new, the earlier one first.

        What holds from one to the next holds between any two: the rules of order add up.
        """
        for origin, index in added:
            indices = self._indices[origin]
            place = bisect_left(indices, index)
            if place:
                yield (origin, indices[place - 1]), (origin, index)
            if place < len(indices):
                yield (origin, index), (origin, indices[place])
        yield from ((one, other) for one, other in pairwise(added) if one[0] == other[0])


def _compare_root(
    roots: MutableMapping[_Place, tuple[bytes, str]], name: str, checkpoint: Checkpoint
) -> None:
    root, first = roots.setdefault((checkpoint.origin, checkpoint.size), (checkpoint.root, name))
    if root != checkpoint.root:
        words = f"two checkpoints of {checkpoint.origin} at size {checkpoint.size}"
        raise _contradiction("fork", words, first, name)


def _compare_leaf(entries: MutableMapping[_Place, _Known], origin: str, known: _Known) -> None:
    first = entries.setdefault((origin, known.entry.index), known)
    if first.leaf != known.leaf:
        words = f"two entries of {origin} at index {known.entry.index}"
        raise _contradiction("fork", words, first.name, known.name)


def _compare_customer(customers: MutableMapping[_Whose, tuple[str, str]], name: str, proof: Proof) -> None:
    if proof.customer_id is None:
        return
    origin = proof.checkpoint.origin
    # Operator and tenant: all of the origin but the reference.
    whose = (origin.rpartition("/")[0], proof.customer_id)
    other, first = customers.setdefault(whose, (origin, name))
    if other != origin:
        words = f"two logs of customer {proof.customer_id}, {other} and {origin}"
        raise _contradiction("fork", words, first, name)


def _require_order(earlier: _Known, later: _Known, newest: str) -> None:
    try:
        check_later(earlier.entry, later.entry)
    except VerificationError as error:
        first = earlier.name if later.name == newest else later.name
        raise _contradiction(error.code, error.message, first, newest) from None


def _contradiction(code: str, words: str, first: str, second: str) -> VerificationError:
    return VerificationError(code, words, first=first, second=second)
