"""Auditing a log from the store: everything is recomputed from the exact bytes, nothing is taken from a flag.

Besides what `core.audit` checks of any log, this holds what the store keeps for its own use against it: heads, tiles,
and what things are found by (`hints`).

What it can find is any change to what a checkpoint covers.  It cannot find a consistent edit of what no checkpoint
covers yet, nor a log that was set back together with its checkpoints: for that somebody must remember a newer one.

Source: docs/spec/audit.md, docs/threat-model.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Final

from counterfoil.core.audit import AuditReport, LogAudit
from counterfoil.core.checkpoint import KeySet
from counterfoil.core.details import customer_of
from counterfoil.core.entry import DELTA, SEAL, Entry
from counterfoil.core.reference import Origin
from counterfoil.core.tiles import Tile
from counterfoil.engine.hints import Places, check_keys, check_name, check_roots
from counterfoil.engine.store import Head, Store, StoredCheckpoint, StoredEntry, TileKey
from counterfoil.engine.stored import (
    check_signed_once,
    iter_checkpoints,
    key_prefix,
    log_corrupt,
    read_details,
    require_head,
)
from counterfoil.errors import EngineError, VerificationError

_PAGE: Final = 4_096

Progress = Callable[[int], object]
"""Told the number of entries that were recomputed since the last call."""


def audit_log(
    store: Store,
    operator: str,
    tenant: str,
    log: bytes,
    keys: KeySet,
    *,
    progress: Progress = lambda _: None,
    reference_of: Callable[[str], bytes] | None = None,
) -> AuditReport:
    """Audit one log.

    Args:
        store: where it is.
        operator: whose origin the log must bear.
        tenant: whose; another tenant's log is as absent.
        log: the 20-byte customer reference.
        keys: the keys that the auditor trusts, never from the store.
        progress: told how many entries were done.
        reference_of: the log that a customerId names, where the reference key is at hand: the open entry's details
            are then held against it.

    Raises:
        MalformedError, VerificationError: at the first thing that does not hold (steps of docs/spec/audit.md).
        EngineError: `customer-not-found`; `log-corrupt` where the store's own tables contradict the entries.
    """
    with store.read() as view:
        head = require_head(view, tenant, log)
        newest = view.newest_checkpoints([log]).get(log)
    # A head that claims 2^62 entries would be followed for ever.
    if head.last_entry is None:
        raise log_corrupt(log, f"its last entry is not entry {head.size - 1}")
    if (newest.size if newest else 0) != head.checkpoint_size:
        raise log_corrupt(log, "its head is not that of its checkpoints")
    replay = _Replay(store, head, LogAudit(str(Origin(operator, tenant, log)), keys), reference_of)
    for page in _entries(store, head):
        replay.take(page)
        progress(len(page))
    return replay.finish()


class _Replay:
    """One log on its way through `LogAudit`, with its checkpoints and the store's own tables beside it."""

    def __init__(
        self, store: Store, head: Head, audit: LogAudit, reference_of: Callable[[str], bytes] | None
    ) -> None:
        self._store = store
        self._head = head
        self._audit = audit
        self._reference_of = reference_of
        self._checkpoints = _checkpoints(store, head)
        self._due = next(self._checkpoints, None)
        self._sealed_size = 0
        self._places = Places(head.log)
        # Of the checkpoints of a page, how each root begins.
        self._roots: dict[int, int] = {}

    def take(self, page: list[StoredEntry]) -> None:
        keys: dict[int, int] = {}
        entries: list[Entry] = []
        for row in page:
            entry = self._audit.entry(row.entry, row.salt, row.value)
            entries.append(entry)
            if row.index != entry.index:
                raise log_corrupt(row.log, f"entry {entry.index} is stored at index {row.index}")
            if entry.type == DELTA:
                keys[row.index] = key_prefix(bytes.fromhex(entry.key))
            elif entry.type == SEAL:
                self._sealed_size = entry.index + 1
                self._require_checkpoint()
            elif not entry.index and self._reference_of is not None:
                _check_customer(row, entry, self._reference_of)
            if self._due is not None and self._due.size <= entry.index + 1:
                self._take_checkpoint(self._due)
        with self._store.read() as view:
            if not entries[0].index:
                check_name(view, self._head, page[0], entries[0])
            check_keys(view, self._head.log, keys)
            check_roots(view, self._head.log, self._roots)
            self._places.take(view, entries)
        self._roots.clear()
        # Behind the newest checkpoint there need be no tiles yet.
        complete = self._audit.take_tiles().items()
        self._check_tiles(
            {tile: hashes for tile, hashes in complete if tile.end <= self._head.checkpoint_size}
        )

    def _require_checkpoint(self) -> None:
        """Refuse a seal whose checkpoint is gone: it has one before the next seal is appended."""
        covered = self._sealed_size <= self._head.checkpoint_size
        if covered and (self._due is None or self._due.size != self._sealed_size):
            raise log_corrupt(self._head.log, f"its checkpoint of size {self._sealed_size} is missing")

    def _take_checkpoint(self, due: StoredCheckpoint) -> None:
        checkpoint = self._audit.checkpoint(due.note)
        if checkpoint.size != due.size:
            raise log_corrupt(
                due.log, f"a checkpoint of size {checkpoint.size} is stored as of size {due.size}"
            )
        check_signed_once(due.log, checkpoint)
        self._roots[due.size] = key_prefix(checkpoint.root)
        self._due = next(self._checkpoints, None)
        if self._due is None:
            self._check_tiles(self._audit.partial_tiles())

    def finish(self) -> AuditReport:
        if self._due is not None:
            raise VerificationError(
                "index-mismatch", f"the log ends before its checkpoint of size {self._due.size}"
            )
        report = self._audit.finish()
        if (report.entries, self._sealed_size) != (self._head.size, self._head.sealed_size):
            raise log_corrupt(self._head.log, "its head is not that of its entries")
        with self._store.read() as view:
            self._places.finish(view)
        return report

    def _check_tiles(self, tiles: dict[Tile, bytes]) -> None:
        """Hold stored tiles against computed ones; those at the edge may have grown longer since."""
        log = self._head.log
        keys = {TileKey(log, *tile): hashes for tile, hashes in tiles.items()}
        with self._store.read() as view:
            stored = view.tiles(list(keys))
        for key, hashes in keys.items():
            if not stored.get(key, b"").startswith(hashes):
                raise log_corrupt(log, f"tile {key.number} of level {key.level} is not that of its entries")


def _entries(store: Store, head: Head) -> Iterator[list[StoredEntry]]:
    for start in range(0, head.size, _PAGE):
        end = min(start + _PAGE, head.size)
        with store.read() as view:
            page = view.entries(head.log, start, end)
        if len(page) != end - start:
            raise log_corrupt(
                head.log, f"entries are missing between {start} and {end}, or stand there twice"
            )
        yield page


def _checkpoints(store: Store, head: Head) -> Iterator[StoredCheckpoint]:
    """Yield the checkpoints that were there when the audit began, ascending."""
    # One that another process published meanwhile is not part of this audit.
    return takewhile(lambda row: row.size <= head.checkpoint_size, iter_checkpoints(store, head.log))


def _check_customer(row: StoredEntry, entry: Entry, reference_of: Callable[[str], bytes]) -> None:
    opened = read_details(row, entry)
    if opened is None:
        return
    try:
        named = reference_of(customer_of(opened))
    except EngineError:  # what is signed names no possible customer
        named = b""
    if named != row.log:
        raise VerificationError("wrong-origin", "the open entry names a customer whose log is another")
