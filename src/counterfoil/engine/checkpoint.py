"""Checkpointing: seal, sign, publish.

1. **Seal.**  Under the head lock append the seal, and commit.  A seal without a checkpoint gets its own first.
2. **Sign.**  No lock is held.  From the stored bytes since the last checkpoint recompute the leaves, hold every entry
   against the one before, grow the tree whose root the last checkpoint signed.  Sign, and verify the signature.
3. **Publish.**  Under the lock again: only if the last checkpoint is still the one that was extended.  Otherwise
   somebody else was first, and theirs stands.

A retry signs the same bytes, because the seal is stored and Ed25519 is deterministic.  A worker that dies between the
steps leaves a seal, which the next one takes up.  Many logs share the transactions of a round.

Source: docs/spec/checkpoint.md, docs/spec/tree.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from counterfoil.core.checkpoint import Checkpoint, sign_checkpoint
from counterfoil.core.entry import SEAL, Entry, check_first, check_next, format_seal, require_known_type
from counterfoil.core.merkle import inclusion_ranges, leaf_hash, verify_inclusion
from counterfoil.core.tiles import Edge, Tile, edge_tiles, subtree_root, tiles_for
from counterfoil.core.timestamp import format_time, to_microseconds
from counterfoil.engine.clock import next_time
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import (
    Head,
    HeadMove,
    NewCheckpoint,
    ReadTransaction,
    Store,
    StoredCheckpoint,
    StoredEntry,
    TileKey,
)
from counterfoil.engine.stored import (
    about,
    log_corrupt,
    no_such_customer,
    read_checkpoint,
    read_last,
    read_stored,
)
from counterfoil.errors import CounterfoilError, EngineError, VerificationError

# Logs that share the transactions of a round: the lock is held for some tens of milliseconds.
ROUND_LOGS: Final = 1_000
# New entries that are read at once; a log with more of them is read in pages of this size.
PAGE_ENTRIES: Final = 8_192
# Complete tiles of 8 kB that are held before they are stored.
_TILES_HELD: Final = 128

Outcome = Literal["signed", "unchanged", "superseded"]


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """What became of one log.

    Attributes:
        log: the 20-byte customer reference.
        outcome: `signed`; `unchanged` where nothing was new; `superseded` where another worker was first.
        checkpoint: the newest published one.
        verified_through_at: the time of its seal.
    """

    log: bytes
    outcome: Outcome
    checkpoint: Checkpoint
    verified_through_at: str


@dataclass(frozen=True, slots=True)
class _Work:
    """A sealed log, with all that signing reads."""

    head: Head
    newest: StoredCheckpoint | None
    tiles: dict[Tile, bytes]
    # The entry under the newest checkpoint, where there is one, and the new ones as far as they were read.
    entries: list[StoredEntry]


@dataclass(frozen=True, slots=True)
class _Signed:
    """A checkpoint that is not published yet."""

    work: _Work
    checkpoint: Checkpoint
    tiles: dict[Tile, bytes]
    time: str


def checkpoint_many(
    store: Store, operator: Operator, tenant: str, logs: Iterable[bytes], *, refresh: bool = False
) -> Iterator[Checkpointed | CounterfoilError]:
    """Checkpoint logs, in rounds of 1,000; yield what became of each.

    Args:
        store: where they are.
        operator: who signs.
        tenant: whose logs; another tenant's are `customer-not-found`.
        logs: each once.
        refresh: seal logs with nothing new too, for a fresh watermark.

    Yields:
        the outcome of each log, or the refusal that it met: `customer-not-found`, `clock-regressed`, `log-corrupt`,
        `fork-refused`.

    Raises:
        EngineError: what the store says; rounds that were yielded stand.
    """
    waiting = iter(logs)
    while logs_of_round := list(islice(waiting, ROUND_LOGS)):
        yield from _Round(store, operator, tenant).run(logs_of_round, refresh=refresh)


class _Round:
    """Up to 1,000 logs, from seal to publication."""

    def __init__(self, store: Store, operator: Operator, tenant: str) -> None:
        self._store = store
        self._operator = operator
        self._tenant = tenant

    def run(self, logs: Sequence[bytes], *, refresh: bool) -> list[Checkpointed | CounterfoilError]:
        results: dict[bytes, Checkpointed | CounterfoilError] = {}
        waiting = list(logs)
        while waiting:
            pending, fresh = self._seal(waiting, results, refresh=refresh)
            self._sign_and_publish([*pending, *fresh], results)
            # A pending seal came first: there may be entries behind it, and its watermark is not a fresh one.
            waiting = [
                head.log
                for head in pending
                if (refresh or head.size > head.sealed_size) and isinstance(results[head.log], Checkpointed)
            ]
        return [
            about(found, log) if isinstance(found := results[log], CounterfoilError) else found
            for log in logs
        ]

    def _seal(
        self, logs: Sequence[bytes], results: dict[bytes, Checkpointed | CounterfoilError], *, refresh: bool
    ) -> tuple[list[Head], list[Head]]:
        """Append a seal to every log that needs one; return the heads with a pending seal and those with a fresh one."""
        pending: list[Head] = []
        fresh: list[Head] = []
        unchanged: list[Head] = []
        rows: list[StoredEntry] = []
        moves: list[HeadMove] = []
        with self._store.write() as transaction:
            heads = transaction.lock_heads(logs)
            now = transaction.now()
            for log in logs:
                head = heads.get(log)
                if head is None or head.tenant != self._tenant:
                    results[log] = no_such_customer()
                elif head.sealed_size > head.checkpoint_size:
                    pending.append(head)
                elif head.size > head.checkpoint_size or refresh:
                    try:
                        row, move = _seal_of(head, now)
                    except EngineError as error:
                        results[log] = error
                        continue
                    rows.append(row)
                    moves.append(move)
                    fresh.append(
                        head._replace(size=move.size, sealed_size=move.sealed_size, last_entry=row.entry)
                    )
                else:
                    unchanged.append(head)
            if rows:
                transaction.append(rows, moves)
            newest = transaction.newest_checkpoints([head.log for head in unchanged]) if unchanged else {}
        for head in unchanged:
            last = head.last_entry
            seals = [] if last is None else [StoredEntry(head.log, head.size - 1, last, None, None, None)]
            results[head.log] = self._published(head.log, newest.get(head.log), "unchanged", seals)
        return pending, fresh

    def _sign_and_publish(
        self, sealed: Sequence[Head], results: dict[bytes, Checkpointed | CounterfoilError]
    ) -> None:
        for group in _groups(sealed):
            with self._store.read() as view:
                newest = view.newest_checkpoints([head.log for head in group])
                overtaken = _overtaken(view, group, newest)
                works = _gather(view, [head for head in group if head.log not in overtaken], newest)
            results.update({log: self._superseded(log) for log in overtaken})
            signed = []
            for work in works:
                try:
                    signed.append(self._sign(work))
                except CounterfoilError as error:
                    results[work.head.log] = error
            self._publish(signed, results)

    def _sign(self, work: _Work) -> _Signed:
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
        return _Signed(work, checkpoint, completed | edge.partial_tiles(), previous.recorded_at)

    def _pages(self, work: _Work) -> Iterator[list[StoredEntry]]:
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
        with self._store.write() as transaction:
            transaction.put_tiles({TileKey(log, *tile): hashes for tile, hashes in tiles.items()})

    def _publish(
        self, signed: Sequence[_Signed], results: dict[bytes, Checkpointed | CounterfoilError]
    ) -> None:
        if not signed:
            return
        logs = [item.work.head.log for item in signed]
        new: list[NewCheckpoint] = []
        tiles: dict[TileKey, bytes] = {}
        with self._store.write() as transaction:
            heads = transaction.lock_heads(logs)
            newest = transaction.newest_checkpoints(logs)
            for item in signed:
                log, old_size = item.work.head.log, item.work.head.checkpoint_size
                current = heads.get(log)
                if current is None or (current.checkpoint_size, newest.get(log)) != (
                    old_size,
                    item.work.newest,
                ):
                    continue
                new.append(
                    NewCheckpoint(log, old_size, item.checkpoint.size, item.checkpoint.note.encode("utf-8"))
                )
                tiles.update({TileKey(log, *tile): hashes for tile, hashes in item.tiles.items()})
            if new:
                transaction.put_tiles(tiles)
                transaction.put_checkpoints(new)
        published = {row.log for row in new}
        for item in signed:
            log = item.work.head.log
            if log in published:
                results[log] = Checkpointed(log, "signed", item.checkpoint, item.time)
            else:
                results[log] = self._superseded(log)

    def _superseded(self, log: bytes) -> Checkpointed | CounterfoilError:
        """Answer with the checkpoint of the worker who was first."""
        with self._store.read() as view:
            newest = view.newest_checkpoints([log]).get(log)
            seals = view.entries(log, newest.size - 1, newest.size) if newest else []
        return self._published(log, newest, "superseded", seals)

    def _published(
        self, log: bytes, newest: StoredCheckpoint | None, outcome: Outcome, seals: Sequence[StoredEntry]
    ) -> Checkpointed | CounterfoilError:
        """Answer with the newest checkpoint of a log and the seal under it."""
        if newest is None or not seals or seals[0].index != newest.size - 1:
            return log_corrupt(log, "its newest checkpoint is missing, or the seal under it")
        try:
            checkpoint = read_checkpoint(newest, self._operator, self._tenant)
            return Checkpointed(log, outcome, checkpoint, read_stored(seals[0]).recorded_at)
        except EngineError as error:
            return error


def _seal_of(head: Head, now: int) -> tuple[StoredEntry, HeadMove]:
    last = read_last(head)
    data = format_seal(last, format_time(next_time(now, to_microseconds(last.recorded_at))))
    size = head.size + 1
    return StoredEntry(head.log, head.size, data, None, None, None), HeadMove(
        head.log, head.tenant, size, size
    )


def _groups(heads: Sequence[Head]) -> Iterator[list[Head]]:
    """Split a round so that a group's new entries fit one read; a log with more stands alone."""
    group: list[Head] = []
    entries = 0
    for head in heads:
        new = head.sealed_size - head.checkpoint_size
        if group and entries + new > PAGE_ENTRIES:
            yield group
            group, entries = [], 0
        group.append(head)
        entries += new
    if group:
        yield group


def _overtaken(
    view: ReadTransaction, heads: Sequence[Head], newest: Mapping[bytes, StoredCheckpoint]
) -> set[bytes]:
    """Return the logs whose pending seal another worker signed since.

    A head that even now stands behind its newest checkpoint was not overtaken, but set back.
    """
    behind = [head for head in heads if head.log in newest and newest[head.log].size > head.checkpoint_size]
    now = view.heads([head.log for head in behind]) if behind else {}
    return {
        head.log
        for head in behind
        if head.log in now and now[head.log].checkpoint_size > head.checkpoint_size
    }


def _gather(
    view: ReadTransaction, heads: Sequence[Head], newest: Mapping[bytes, StoredCheckpoint]
) -> list[_Work]:
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
    return [_Work(head, newest.get(head.log), tiles[head.log], entries.get(head.log, [])) for head in heads]


def _last_leaf(size: int) -> list[tuple[int, int]]:
    return inclusion_ranges(size - 1, size)


def _last_checkpoint(work: _Work, signed: Checkpoint | None) -> tuple[Edge, Entry | None]:
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
