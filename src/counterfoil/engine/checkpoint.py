"""Checkpointing: seal, sign, publish.

1. **Seal.**  Under the head lock append the seal, and commit.  A seal without a checkpoint gets its own first.
2. **Sign.**  No lock is held.  From the stored bytes since the last checkpoint recompute the leaves, hold every entry
   against the one before, grow the tree whose root the last checkpoint signed.  Sign, and verify the signature.
3. **Publish.**  Under the lock again: only if the last checkpoint is still the one that was extended.  Otherwise
   somebody else was first, and theirs stands.
4. **Settle.**  What no longer changes is laid out anew, once a round.

A retry signs the same bytes, because the seal is stored and Ed25519 is deterministic.  A worker that dies between the
steps leaves a seal, which the next one takes up.  Many logs share the transactions of a round.

Source: docs/spec/checkpoint.md, docs/spec/tree.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from counterfoil.core.checkpoint import Checkpoint
from counterfoil.engine.operator import Operator
from counterfoil.engine.seal import Sealing
from counterfoil.engine.sign import PAGE_ENTRIES, Signed, Signing, gather
from counterfoil.engine.store import (
    Head,
    NewCheckpoint,
    ReadTransaction,
    Store,
    StoredCheckpoint,
    StoredEntry,
    TileKey,
    WriteTransaction,
)
from counterfoil.engine.stored import (
    about,
    key_prefix,
    log_corrupt,
    read_checkpoint,
    read_stored,
)
from counterfoil.engine.transact import transact
from counterfoil.engine.webhooks import announce_checkpoints
from counterfoil.errors import CounterfoilError, EngineError

# Logs that share the transactions of a round: the lock is held for some tens of milliseconds.
ROUND_LOGS: Final = 1_000
# A log is settled when it grows past a multiple of this: with every checkpoint would mostly be for a few entries.
_SETTLED_EVERY: Final = 64

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
        self._signing = Signing(store, operator, tenant)
        # Logs that have grown by enough to be settled, and to what size.
        self._grown: dict[bytes, int] = {}

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
        self._settle()
        return [
            about(found, log) if isinstance(found := results[log], CounterfoilError) else found
            for log in logs
        ]

    def _seal(
        self, logs: Sequence[bytes], results: dict[bytes, Checkpointed | CounterfoilError], *, refresh: bool
    ) -> tuple[list[Head], list[Head]]:
        """Append a seal to every log that needs one; return the heads with a pending seal and those with a fresh one."""
        sealing = transact(
            self._store, lambda transaction: Sealing(transaction, self._tenant, logs, refresh=refresh)
        )
        results.update(sealing.refused)
        for head in sealing.unchanged:
            last = head.last_entry
            seals = [] if last is None else [StoredEntry(head.log, head.size - 1, last, None, None)]
            newest = sealing.newest.get(head.log)
            results[head.log] = self._published(head.log, newest, "unchanged", seals)
        return sealing.pending, sealing.fresh

    def _sign_and_publish(
        self, sealed: Sequence[Head], results: dict[bytes, Checkpointed | CounterfoilError]
    ) -> None:
        for group in _groups(sealed):
            with self._store.read() as view:
                newest = view.newest_checkpoints([head.log for head in group])
                overtaken = _overtaken(view, group, newest)
                works = gather(view, [head for head in group if head.log not in overtaken], newest)
            results.update({log: self._superseded(log) for log in overtaken})
            signed = []
            for work in works:
                try:
                    signed.append(self._signing.sign(work))
                except CounterfoilError as error:
                    results[work.head.log] = error
            self._publish(signed, results)

    def _publish(
        self, signed: Sequence[Signed], results: dict[bytes, Checkpointed | CounterfoilError]
    ) -> None:
        if not signed:
            return
        published = transact(self._store, lambda transaction: _publish(transaction, signed))
        for item in signed:
            log = item.work.head.log
            if log in published:
                if item.checkpoint.size // _SETTLED_EVERY > item.work.head.checkpoint_size // _SETTLED_EVERY:
                    self._grown[log] = item.checkpoint.size
                results[log] = Checkpointed(log, "signed", item.checkpoint, item.time)
            else:
                results[log] = self._superseded(log)

    def _settle(self) -> None:
        """Let the store lay out anew what no longer changes: once a round, after everything is published."""

        def settle(transaction: WriteTransaction) -> None:
            transaction.lock_heads(self._grown)
            transaction.settle(self._grown)

        try:
            if self._grown:
                transact(self._store, settle)
        except EngineError as error:
            # What is published is published, whatever comes of this.  Nothing depends on it: the next checkpoints of
            # these logs try again, and what is wrong with the store is said by the next transaction that has to
            # succeed.  But for a right that is missing, which nothing else may need.
            if error.code == "usage":
                raise

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


def _publish(transaction: WriteTransaction, signed: Sequence[Signed]) -> set[bytes]:
    """Store the checkpoints that still extend the newest one of their log; return these logs."""
    logs = [item.work.head.log for item in signed]
    heads = transaction.lock_heads(logs)
    newest = transaction.newest_checkpoints(logs)
    new: list[NewCheckpoint] = []
    tiles: dict[TileKey, bytes] = {}
    for item in signed:
        log, old_size = item.work.head.log, item.work.head.checkpoint_size
        current = heads.get(log)
        if current is None or (current.checkpoint_size, newest.get(log)) != (old_size, item.work.newest):
            continue
        note = item.checkpoint.note.encode("utf-8")
        new.append(NewCheckpoint(log, old_size, item.checkpoint.size, note, key_prefix(item.checkpoint.root)))
        tiles.update({TileKey(log, *tile): hashes for tile, hashes in item.tiles.items()})
    transaction.put_tiles(tiles)
    transaction.put_checkpoints(new)
    announce_checkpoints(transaction, heads, new)
    return {each.log for each in new}


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
) -> list[bytes]:
    """Return the logs whose pending seal another worker signed since.

    A head that even now stands behind its newest checkpoint was not overtaken, but set back.
    """
    behind = [head for head in heads if head.log in newest and newest[head.log].size > head.checkpoint_size]
    now = view.heads([head.log for head in behind]) if behind else {}
    return [
        head.log
        for head in behind
        if head.log in now and now[head.log].checkpoint_size > head.checkpoint_size
    ]
