"""Signing: the second step of a checkpoint.  No lock is held.

From the stored bytes since the last checkpoint: recompute the leaves, hold every entry against the one before, grow
the tree whose root the last checkpoint signed.  Sign, and verify the signature.

Source: docs/spec/checkpoint.md, docs/spec/tree.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.core.checkpoint import Checkpoint, sign_checkpoint
from counterfoil.core.entry import SEAL, Entry, check_first, check_next, require_known_type
from counterfoil.core.merkle import inclusion_ranges, leaf_hash, verify_inclusion
from counterfoil.core.tiles import Edge, Tile, edge_tiles, subtree_root, tiles_for
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import (
    Head,
    ReadTransaction,
    Store,
    StoredCheckpoint,
    StoredEntry,
    TileKey,
    WriteTransaction,
)
from counterfoil.engine.stored import log_corrupt, read_checkpoint, read_stored
from counterfoil.engine.transact import transact
from counterfoil.errors import EngineError, VerificationError

# New entries that are read at once; a log with more of them is read in pages of this size.
PAGE_ENTRIES: Final = 8_192
# Complete tiles of 8 kB that are held before they are stored.
_TILES_HELD: Final = 32


@dataclass(frozen=True, slots=True)
class Work:
    """A sealed log, with all that signing reads."""

    head: Head
    newest: StoredCheckpoint | None
    tiles: dict[Tile, bytes]
    # The entry under the newest checkpoint, where there is one, and the new ones as far as they were read.
    entries: list[StoredEntry]


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint that is not published yet."""

    work: Work
    checkpoint: Checkpoint
    tiles: dict[Tile, bytes]
    time: str


def gather(
    view: ReadTransaction, heads: Sequence[Head], newest: Mapping[bytes, StoredCheckpoint]
) -> list[Work]:
    """Read for some logs all else that signing needs, set by set."""
    logs = [head.log for head in heads]
    keys = [
        TileKey(head.log, *tile)
        for head in heads
        if head.checkpoint_size
        for tile in {*edge_tiles(head.checkpoint_size), *tiles_for(_last_leaf(head.checkpoint_size))}
    ]
    found = view.tiles(keys)
    tiles: dict[bytes, dict[Tile, bytes]] = {log: {} for log in logs}
    for key, hashes in found.items():
        tiles[key.log][Tile(key.level, key.number)] = hashes
    entries = view.entries_of(
        [
            # From the entry under the last checkpoint on: the first new one is held against it.
            (
                head.log,
                max(head.checkpoint_size - 1, 0),
                min(head.sealed_size, head.checkpoint_size + PAGE_ENTRIES),
            )
            for head in heads
        ]
    )
    return [Work(head, newest.get(head.log), tiles[head.log], entries.get(head.log, [])) for head in heads]


class Signing:
    """Signs logs of one tenant."""

    def __init__(self, store: Store, operator: Operator, tenant: str) -> None:
        self._store = store
        self._operator = operator
        self._tenant = tenant

    def sign(self, work: Work) -> Signed:
        """Sign the tree up to a seal.

        Raises:
            EngineError: `log-corrupt`, `fork-refused`, `key-mismatch`, or what the store says.
        """
        head = work.head
        origin = self._operator.origin(self._tenant, head.log)
        signed = read_checkpoint(work.newest, self._operator, self._tenant) if work.newest else None
        edge, previous = _last_checkpoint(work, signed)
        completed: dict[Tile, bytes] = {}
        for page in self._pages(work):
            leaves = []
            for row in page:
                previous = _follow(row, previous, origin)
                leaves.append(leaf_hash(row.entry))
            completed.update(edge.append(b"".join(leaves)))
            if len(completed) >= _TILES_HELD:
                # A complete tile never changes, so that it may be stored before the checkpoint: memory stays flat.
                self._put_tiles(head.log, completed)
                completed = {}
        if previous is None or edge.size != head.sealed_size or previous.type != SEAL:
            raise log_corrupt(head.log, f"the {head.sealed_size} entries up to its seal are not all there")
        checkpoint = sign_checkpoint(origin, edge.size, edge.root(), self._operator.signer)
        try:
            # A fault of the signer or of memory must not be published.
            self._operator.keys.verify(checkpoint)
        except VerificationError as error:
            raise EngineError(
                "key-mismatch", "what the signer made is not the operator's signature"
            ) from error
        return Signed(work, checkpoint, completed | edge.partial_tiles(), previous.recorded_at)

    def _pages(self, work: Work) -> Iterator[list[StoredEntry]]:
        """Yield the new entries of a log: what was gathered, then what is left, in short reads."""
        new = work.entries[1:] if work.head.checkpoint_size else work.entries
        start = work.head.checkpoint_size + len(new)
        yield new
        while start < work.head.sealed_size:
            with self._store.read() as view:
                page = view.entries(work.head.log, start, min(start + PAGE_ENTRIES, work.head.sealed_size))
            if not page:
                return
            yield page
            start += len(page)

    def _put_tiles(self, log: bytes, tiles: dict[Tile, bytes]) -> None:
        def write(transaction: WriteTransaction) -> None:
            transaction.lock_heads([log])
            transaction.put_tiles({TileKey(log, *tile): hashes for tile, hashes in tiles.items()})
            transaction.settle({log: max(tile.end for tile in tiles)})

        transact(self._store, write)


def _last_leaf(size: int) -> list[tuple[int, int]]:
    return inclusion_ranges(size - 1, size)


def _last_checkpoint(work: Work, signed: Checkpoint | None) -> tuple[Edge, Entry | None]:
    """Take up the tree that the last checkpoint signed, and the entry under it; trust only the signature."""
    head = work.head
    if signed is None:
        if head.checkpoint_size:
            raise log_corrupt(head.log, f"its checkpoint of size {head.checkpoint_size} is missing")
        return Edge(), None
    if signed.size > head.checkpoint_size:
        # The head was set back: what would be signed now contradicts what was.
        raise EngineError(
            "fork-refused", f"the log stands at {head.checkpoint_size}, its checkpoints reach {signed.size}"
        )
    if signed.size < head.checkpoint_size:
        raise log_corrupt(head.log, f"its checkpoint of size {head.checkpoint_size} is missing")
    try:
        edge = Edge(signed.size, work.tiles)
        if edge.root() != signed.root:
            raise log_corrupt(head.log, "its tiles do not give the root that was signed")
        previous = read_stored(work.entries[0]) if work.entries else None
        if previous is None or previous.index != signed.size - 1:
            raise log_corrupt(head.log, f"entry {signed.size - 1} is missing")
        leaf, last = leaf_hash(work.entries[0].entry), edge.last_leaf()
        if last is None:
            path = [subtree_root(start, end, work.tiles) for start, end in _last_leaf(signed.size)]
            verify_inclusion(previous.index, signed.size, leaf, path, signed.root)
        elif leaf != last:
            raise log_corrupt(head.log, f"entry {previous.index} is not the one that was signed")
    except VerificationError as error:
        raise log_corrupt(head.log, f"its newest checkpoint does not hold: {error.message}") from error
    return edge, previous


def _follow(row: StoredEntry, previous: Entry | None, origin: str) -> Entry:
    """Read a stored entry and hold it against the one before."""
    entry = read_stored(row)
    try:
        require_known_type(entry)
        if previous is None:
            check_first(entry, origin)
        else:
            check_next(previous, entry)
    except VerificationError as error:
        raise log_corrupt(row.log, f"{error.code}: {error.message}") from error
    return entry
