"""Proving: receipts and consistency files, from stored bytes.

Plan which tiles a proof needs, read them in one call, compute.  What comes out was held against the signed root
before it is handed on: a store that lost or changed something gives `log-corrupt`, never a receipt that fails later.

Source: docs/spec/receipt.md, docs/spec/consistency.md, docs/spec/tree.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.details import Details
from counterfoil.core.entry import DELTA
from counterfoil.core.merkle import (
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from counterfoil.core.receipt import Opening, ProvenEntry, format_receipt
from counterfoil.core.reference import format_record_id
from counterfoil.core.tiles import Tile, subtree_root, tiles_for
from counterfoil.core.tlog_proof import format_consistency_file, format_tlog_proof
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Head, ReadTransaction, Store, StoredEntry, TileKey
from counterfoil.engine.stored import (
    head_of,
    log_corrupt,
    read_checkpoint,
    read_details,
    read_stored,
    require_head,
)
from counterfoil.errors import EngineError, VerificationError

# Entries whose receipts are made from one read.
_PAGE: Final = 256


@dataclass(frozen=True, slots=True)
class Proven:
    """A receipt with its place.

    Attributes:
        record_id: which entry it is of.
        receipt: the receipt, canonical JSON.
        tlog_proof: the same proof as other tools read it.
        data: the entry's bytes, which such a tool takes as the record.
    """

    record_id: str
    receipt: bytes
    tlog_proof: str
    data: bytes


def receipt(
    store: Store,
    operator: Operator,
    tenant: str,
    log: bytes,
    index: int,
    *,
    size: int | None = None,
    with_open: bool = True,
) -> Proven:
    """Make the receipt of one entry.

    Args:
        store: where the log is.
        operator: whose signatures its checkpoints bear.
        tenant: whose; another tenant's log is as absent.
        log: the 20-byte customer reference.
        index: of the entry; any type.
        size: of the checkpoint to prove it under, the newest where none is named.
        with_open: whether the receipt names its customer.

    Raises:
        EngineError: `record-not-found`, also where the named checkpoint is none or ends before the entry;
            `not-yet-checkpointed` where no checkpoint covers it yet, or the named one is not there yet; `log-corrupt`.
    """
    with store.read() as view:
        head = head_of(view, tenant, log)
        if head is None or not 0 <= index < head.size:
            raise EngineError("record-not-found", "there is no such record")
        checkpoint = _checkpoint(view, head, operator, size)
        if checkpoint is None or index >= checkpoint.size:
            if size is not None and size <= head.checkpoint_size:
                # Neither comes later: there is none of that size, or it ends before the record.
                raise EngineError(
                    "record-not-found", "no checkpoint of that size covers the record", size=size
                )
            raise EngineError(
                "not-yet-checkpointed",
                "no checkpoint covers the record yet; it can be had after the next one",
                index=index,
                checkpointed=head.checkpoint_size,
            )
        rows = view.entries(log, index, index + 1)
        first = _first_row(view, head) if with_open else None
        tiles = _tiles(view, log, _paths([index, 0] if with_open else [index], checkpoint.size))
    if not rows:
        raise log_corrupt(log, f"entry {index} is missing")
    prover = Prover(log, checkpoint, tiles)
    return prover.prove(rows[0], prover.opening(first) if first else None)


def receipts(store: Store, operator: Operator, tenant: str, log: bytes) -> Iterator[Proven]:
    """Make the receipts of all deltas of a log that its newest checkpoint covers, in order, a page a read.

    Raises:
        EngineError: `customer-not-found`, `not-yet-checkpointed`, `log-corrupt`.
    """
    with store.read() as view:
        head = require_head(view, tenant, log)
        checkpoint = _checkpoint(view, head, operator, None)
        if checkpoint is None:
            raise EngineError("not-yet-checkpointed", "the customer has no checkpoint yet")
        first = _first_row(view, head)
        tiles = _tiles(view, log, _paths([0], checkpoint.size))
    opening = Prover(log, checkpoint, tiles).opening(first)
    for start in range(0, checkpoint.size, _PAGE):
        end = min(start + _PAGE, checkpoint.size)
        with store.read() as view:
            rows = view.entries(log, start, end)
            tiles = _tiles(view, log, _paths(range(start, end), checkpoint.size))
        if len(rows) != end - start:
            raise log_corrupt(log, f"entries are missing between {start} and {end}")
        prover = Prover(log, checkpoint, tiles)
        for row in rows:
            if read_stored(row).type == DELTA:
                yield prover.prove(row, opening)


def consistency_file(
    store: Store,
    operator: Operator,
    tenant: str,
    log: bytes,
    old: int | Checkpoint,
    *,
    size: int | None = None,
) -> str:
    """Make the file that shows that a checkpoint extends an older one.

    Args:
        store: where the log is.
        operator: whose signatures its checkpoints bear.
        tenant: whose; another tenant's log is as absent.
        log: the 20-byte customer reference.
        old: the older checkpoint: its size in the store, or the checkpoint itself, as somebody outside kept it.
        size: of the newer one, the newest where none is named.

    Raises:
        EngineError: `customer-not-found`; `record-not-found` where the store has no checkpoint of such a size;
            `invalid-field` where the older one is the larger; `fork-refused` where the checkpoint from outside is
            newer than all of the store's, which was set back then; `log-corrupt`.
        VerificationError: of a checkpoint from outside: `unknown-key`, `bad-signature`, `wrong-origin`; `fork` where
            the store's entries do not lead to it.
    """
    kept = old if isinstance(old, Checkpoint) else None
    if kept is not None:
        _check_kept(kept, operator, operator.origin(tenant, log))
    with store.read() as view:
        head = require_head(view, tenant, log)
        new = _checkpoint(view, head, operator, size)
        first = kept or _checkpoint(view, head, operator, old)  # type: ignore[arg-type]  # an int where none is kept
        if kept is not None and kept.size > head.checkpoint_size:
            raise EngineError(
                "fork-refused",
                f"the operator signed a checkpoint of size {kept.size} and the store reaches {head.checkpoint_size}: "
                "it was set back, and what is signed from here on contradicts that checkpoint",
            )
        if new is None or first is None:
            raise EngineError("record-not-found", "there is no checkpoint of that size")
        if first.size > new.size:
            raise EngineError("invalid-field", "a checkpoint extends smaller ones", field="from")
        ranges = consistency_ranges(first.size, new.size)
        tiles = _tiles(view, log, [*ranges, (0, first.size)])
    try:
        root = subtree_root(0, first.size, tiles)
        path = [subtree_root(start, end, tiles) for start, end in ranges]
        verify_consistency(first.size, new.size, root, new.root, path)
    except VerificationError as error:
        raise log_corrupt(log, f"its tiles do not lead to the root of {new.size}: {error.message}") from error
    if root != first.root:
        if kept is None:
            raise log_corrupt(log, f"its tiles do not give the root of {first.size}")
        # The entries that the newer root covers begin otherwise than the older one says: two signed histories.
        raise VerificationError(
            "fork",
            f"the store does not lead to the checkpoint of size {kept.size}",
            first=kept.note,
            second=new.note,
        )
    return format_consistency_file(first.size, path, new.note)


def _check_kept(kept: Checkpoint, operator: Operator, origin: str) -> None:
    """Verify a checkpoint from outside, before its size is used."""
    operator.keys.verify(kept)
    if kept.origin != origin:
        raise VerificationError(
            "wrong-origin", "the checkpoint is of another log", found=kept.origin, wanted=origin
        )
    if not kept.size:
        raise EngineError("invalid-field", "every log extends an empty one", field="from")


def stored_item(row: StoredEntry) -> ProvenEntry:
    """Return an entry with its details, where it has some.

    Raises:
        EngineError: `log-corrupt`.
    """
    entry = read_stored(row)
    value = read_details(row, entry)
    if value is None or row.salt is None or row.value is None:
        return ProvenEntry(entry, row.entry, None)
    return ProvenEntry(entry, row.entry, Details(row.salt, value, row.value))


class Prover:
    """Makes proofs under one checkpoint from tiles at hand."""

    def __init__(self, log: bytes, checkpoint: Checkpoint, tiles: Mapping[Tile, bytes]) -> None:
        self._log = log
        self._checkpoint = checkpoint
        self._tiles = tiles
        # Neighbours share all of their paths but the lowest hashes.
        self._roots: dict[tuple[int, int], bytes] = {}

    def prove(self, row: StoredEntry, opening: Opening | None) -> Proven:
        """Return the receipt of an entry."""
        item = self.item(row)
        text = format_tlog_proof(row.index, self.path(row), self._checkpoint.note)
        return Proven(
            format_record_id(self._log, row.index), format_receipt(item, opening, text), text, row.entry
        )

    def opening(self, row: StoredEntry) -> Opening:
        """Return the proof of the entry that opens the log."""
        return Opening(self.item(row), tuple(self.path(row)))

    def item(self, row: StoredEntry) -> ProvenEntry:
        """As `stored_item`."""
        return stored_item(row)

    def path(self, row: StoredEntry) -> list[bytes]:
        """Return the hashes that lead from an entry to the signed root; they were held against it.

        Raises:
            EngineError: `log-corrupt`.
        """
        size = self._checkpoint.size
        try:
            path = [self._root(start, end) for start, end in inclusion_ranges(row.index, size)]
            verify_inclusion(row.index, size, leaf_hash(row.entry), path, self._checkpoint.root)
        except VerificationError as error:
            raise log_corrupt(self._log, f"entry {row.index} does not lead to the signed root") from error
        return path

    def _root(self, start: int, end: int) -> bytes:
        root = self._roots.get((start, end))
        if root is None:
            root = self._roots[start, end] = subtree_root(start, end, self._tiles)
        return root


def _checkpoint(view: ReadTransaction, head: Head, operator: Operator, size: int | None) -> Checkpoint | None:
    if size is not None and type(size) is not int:
        raise EngineError("invalid-field", "the size of a checkpoint is an integer", field="size")
    wanted = head.checkpoint_size if size is None else size
    row = view.checkpoint(head.log, wanted) if 0 < wanted <= head.checkpoint_size else None
    if row is None:
        if size is None and head.checkpoint_size:
            raise log_corrupt(head.log, f"its checkpoint of size {wanted} is missing")
        return None
    return read_checkpoint(row, operator, head.tenant)


def _first_row(view: ReadTransaction, head: Head) -> StoredEntry:
    rows = view.entries(head.log, 0, 1)
    if not rows:
        raise log_corrupt(head.log, "its open entry is missing")
    return rows[0]


def _paths(indices: Sequence[int], size: int) -> list[tuple[int, int]]:
    return [subtree for index in indices for subtree in inclusion_ranges(index, size)]


def read_tiles(view: ReadTransaction, log: bytes, indices: Sequence[int], size: int) -> dict[Tile, bytes]:
    """Return the tiles that the inclusion proofs of some entries under a checkpoint need."""
    return _tiles(view, log, _paths(indices, size))


def _tiles(view: ReadTransaction, log: bytes, ranges: Sequence[tuple[int, int]]) -> dict[Tile, bytes]:
    found = view.tiles([TileKey(log, *tile) for tile in sorted(tiles_for(ranges))])
    return {Tile(key.level, key.number): hashes for key, hashes in found.items()}
