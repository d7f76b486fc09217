"""Which idempotency keys a log has had so far: exactly, or in a few bytes each.

A log of ten million deltas has ten million keys of 32 bytes; a set of them takes over a gigabyte.  `HashedKeys` keeps 4
bytes of each.  Equal hashes are no proof that two keys are equal, so they are noted as suspects, and whoever feeds the
log reads it once more to settle them.

Source: docs/spec/audit.md, step 4.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from typing import Final, Protocol

# So many are kept whole: most logs are smaller, and a key that stands twice is then known at once.
_EXACT_MAX: Final = 4_096
# Rows of hashes: the lowest 16 bits say the row, the next 32 stand in it.  Ten million keys make some 150 in each,
# which are cheap to keep sorted.
_ROW_BITS: Final = 16
_ROW_MASK: Final = 2**_ROW_BITS - 1
_KEPT_MASK: Final = 2**32 - 1
# Of a hundred million different keys some twenty are suspects by chance, and no sender can make more of them.
SUSPECTS_MAX: Final = 1_024


class SeenKeys(Protocol):
    """What remembers the keys of a log."""

    def add(self, key: bytes) -> bool:
        """Remember a key; return whether it certainly was there before."""


class ExactKeys:
    """Every key, as it is."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: set[bytes] = set()

    def add(self, key: bytes) -> bool:
        """Remember a key; return whether it was there before."""
        if key in self._keys:
            return True
        self._keys.add(key)
        return False


class HashedKeys:
    """The first keys as they are, of the others a hash.

    Attributes:
        added: how many keys were added.
        suspects: keys whose hash was there before, at most `SUSPECTS_MAX` of them, in order.
        overflowed: whether there were more.
    """

    __slots__ = ("_exact", "_rows", "added", "overflowed", "suspects")

    def __init__(self) -> None:
        self._exact: set[bytes] | None = set()
        self._rows: defaultdict[int, array[int]] = defaultdict(lambda: array("I"))
        self.added = 0
        self.suspects: list[bytes] = []
        self.overflowed = False

    def add(self, key: bytes) -> bool:
        """Remember a key; return whether it was there before, as far as that is certain."""
        self.added += 1
        if self._exact is not None:
            if key in self._exact:
                return True
            self._exact.add(key)
            if len(self._exact) == _EXACT_MAX:
                self._let_go(self._exact)
            return False
        if self._add_hash(key):
            self.overflowed = len(self.suspects) == SUSPECTS_MAX
            if not self.overflowed:
                self.suspects.append(key)
        return False

    def _let_go(self, keys: set[bytes]) -> None:
        for key in keys:
            # Different keys of one hash are no suspects of each other: both are known whole.
            self._add_hash(key)
        self._exact = None

    def _add_hash(self, key: bytes) -> bool:
        # Python's own hash of bytes: 64 bits, and keyed with a secret of this process, so that nobody can send keys
        # that are made to collide.
        value = hash(key)
        row, kept = self._rows[value & _ROW_MASK], value >> _ROW_BITS & _KEPT_MASK
        place = bisect_left(row, kept)
        if place < len(row) and row[place] == kept:
            return True
        row.insert(place, kept)
        return False
