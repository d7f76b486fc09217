"""What the engine asks of a store.

A store keeps rows and hands them back; it decides nothing.  Whatever passes `counterfoil.testing.check_store` is one.

The unit of everything is the log: every method names its logs first, and a method that spans logs (`logs`,
`logs_with_work`) says so.  A log is named by its 20-byte customer reference.

Rules that every store keeps:

- `write()` is one transaction, durable when the block ends without an exception, and wholly undone otherwise.  A
  method that failed has undone it too, whether or not its exception was caught: the block ends with that exception.
- After `lock_heads` returns, no other transaction changes these logs until this one ends.
- `read()` sees one consistent state.  Blocks are short; the engine reads long ranges in pages.
- Where the database asks for it, `write()` ends with a `ConflictError`: nothing was done, and the same block again may
  pass (`counterfoil.engine.transact`).
- What goes wrong comes out as an `EngineError`: `store-unavailable` (not done, may be tried again),
  `commit-outcome-unknown` (may be done), `out-of-space`, `io-error`, `log-corrupt`, `unsafe-settings`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from counterfoil.engine.service import ServiceReading, ServiceWriting


class Head(NamedTuple):
    """Where a log stands.

    Attributes:
        log: the 20-byte customer reference.
        tenant: whose log it is.
        size: entries stored; a log that exists has at least one.
        sealed_size: the size under the newest seal, 0 without one.
        checkpoint_size: the size under the newest checkpoint, 0 without one.
        close_at: as in `HeadMove`.
        last_entry: the exact bytes of entry `size - 1`; None where that is missing, or an entry stands behind it: the
            engine says `log-corrupt`, of this log alone.
    """

    log: bytes
    tenant: str
    size: int
    sealed_size: int
    checkpoint_size: int
    close_at: int | None
    last_entry: bytes | None


class NewEntry(NamedTuple):
    """An entry to append.

    Attributes:
        log: the 20-byte customer reference.
        index: its position, from 0.
        entry: its exact bytes, which are the leaf; at most `ENTRY_BYTES_MAX`.
        key_prefix: the first 8 bytes of the entry's `key` as a signed big-endian integer, for `find_keys`; None for
            entries without a key.
        salt: 32 bytes, or None where the entry has no details.
        value: the canonical JSON of the details, or None likewise; at most `DETAILS_BYTES_MAX`.
    """

    log: bytes
    index: int  # type: ignore[assignment]  # in place of tuple.index(), which no row needs
    entry: bytes
    key_prefix: int | None
    salt: bytes | None
    value: bytes | None


class StoredEntry(NamedTuple):
    """One entry with what is kept beside it.

    Attributes:
        log: the 20-byte customer reference.
        index: its position, from 0.
        entry: its exact bytes, which are the leaf.
        salt: 32 bytes, or None where the details are erased or the entry has none.
        value: the canonical JSON of the details, or None likewise.
    """

    log: bytes
    index: int  # type: ignore[assignment]  # see above
    entry: bytes
    salt: bytes | None
    value: bytes | None


def without_details(entry: StoredEntry) -> StoredEntry:
    """Return a stored entry without what is kept beside it."""
    return entry._replace(salt=None, value=None)


class HeadMove(NamedTuple):
    """The head of a log after entries were appended; a log that is not there yet is made.

    Attributes:
        log: the 20-byte customer reference.
        tenant: whose log it is.
        size: entries stored.
        sealed_size: the size under the newest seal, 0 without one.
        close_at: the end of the UTC month of the newest delta, in microseconds since 1970-01-01T00:00:00Z, as long as
            no seal behind that instant closes the month; None where nothing is to be closed.
    """

    log: bytes
    tenant: str
    size: int
    sealed_size: int
    close_at: int | None


class TileKey(NamedTuple):
    """Names a tile: hash `number * 256 + i` of `level` is its i-th hash (docs/spec/tree.md)."""

    log: bytes
    level: int
    number: int


class NewCheckpoint(NamedTuple):
    """A signed checkpoint of `size` entries that follows the one of `old_size` (0 for the first).

    `root_prefix` is the first 8 bytes of its root as a signed big-endian integer, for `checkpoints_by_root`.
    """

    log: bytes
    old_size: int
    size: int
    note: bytes
    root_prefix: int


class StoredCheckpoint(NamedTuple):
    """A published checkpoint: the note is its exact bytes."""

    log: bytes
    size: int
    note: bytes


class Claim(NamedTuple):
    """A log that a worker has taken for itself, and whose it is."""

    log: bytes
    tenant: str


class NamedLog(NamedTuple):
    """A log and the customerId that its first entry's details name, kept a second time so that lists can be searched.

    Erasing these details erases this row.
    """

    log: bytes
    tenant: str
    customer_id: str


class Identity(NamedTuple):
    """Whom a store belongs to: the keys that it was made with.

    Attributes:
        operator: the operator's name.
        public_key: 32 bytes.
        reference_check: 32 bytes that follow from the reference key and do not lead to it.
    """

    operator: str
    public_key: bytes
    reference_check: bytes


class ReadTransaction(ServiceReading, Protocol):
    """One consistent view of the store."""

    def identity(self) -> Identity | None:
        """Return whom the store belongs to, or None before `set_identity`."""

    def tenant_unit(self, tenant: str) -> str | None:
        """Return the tenant's default unit, or None where none was set."""

    def heads(self, logs: Sequence[bytes]) -> dict[bytes, Head]:
        """Return the heads of those of `logs` that exist; what one of them lacks keeps back no other."""

    def logs(self, tenant: str, *, after: bytes = b"", limit: int) -> list[bytes]:
        """Return up to `limit` logs of the tenant that sort after `after`, ascending.  Crosses logs."""

    def logs_with_work(self, tenant: str, *, after: bytes = b"", limit: int) -> list[bytes]:
        """Like `logs`, only those with entries that no checkpoint covers.  Crosses logs."""

    def entries(self, log: bytes, start: int, end: int) -> list[StoredEntry]:
        """Return the entries `[start, end)` of one log that are there, ascending by index."""

    def entries_of(
        self, ranges: Sequence[tuple[bytes, int, int]], *, with_details: bool = True
    ) -> dict[bytes, list[StoredEntry]]:
        """Return for each log what `entries` would for its (log, start, end); ranges of one log ascend, and none meet.

        Without details, salt and value of every entry are None: who looks at times and totals alone is spared half of
        what it costs to read them.
        """

    def find_keys(self, wanted: Sequence[tuple[bytes, int]]) -> Mapping[tuple[bytes, int], list[int]]:
        """Return for each (log, key_prefix) the indices of the entries appended with it, ascending; absent where none.

        A hint, never an answer: the entries' own bytes say what key they bear.
        """

    def near_times(self, wanted: Sequence[tuple[bytes, int]]) -> list[tuple[int, int]]:
        """Return for each (log, time in microseconds) two numbers between which lies how many entries are before that time.

        Both ends are possible answers.  A hint, never an answer: the entries' own bytes say what time they bear.
        (0, size) is always right, and (0, 0) for a log that does not exist; the nearer the ends, the less is read.
        """

    def near_counts(self, wanted: Sequence[tuple[bytes, int]]) -> list[tuple[int, int]]:
        """As `near_times`, for each (log, count): how many entries have a `count` below that."""

    def customers(self, tenant: str, *, search: str = "", offset: int = 0, limit: int) -> list[NamedLog]:
        """Return customers of a tenant whose customerId contains `search`, ascending by its bytes.  Crosses logs.

        Args:
            tenant: whose.
            search: characters of a customerId, in upper or lower case; none for all.
            offset: how many to pass over.
            limit: how many to return at most.
        """

    def count_customers(self, tenant: str, *, search: str = "") -> int:
        """Return how many customers there are in such a list.  Crosses logs."""

    def named_logs(self, logs: Sequence[bytes]) -> dict[bytes, NamedLog]:
        """Return what the customers are called of those of `logs` that have a name."""

    def checkpoints(self, log: bytes, *, after: int = 0, limit: int) -> list[StoredCheckpoint]:
        """Return up to `limit` checkpoints of one log with a size above `after`, ascending by size."""

    def newest_between(
        self, log: bytes, after: int, up_to: int, *, offset: int = 0, limit: int
    ) -> list[StoredCheckpoint]:
        """Return up to `limit` checkpoints of one log with a size above `after` and not above `up_to`, the largest first.

        `offset` of them are passed over.
        """

    def checkpoint(self, log: bytes, size: int) -> StoredCheckpoint | None:
        """Return the checkpoint of exactly this size, or None."""

    def checkpoints_up_to(
        self, wanted: Sequence[tuple[bytes, int]]
    ) -> dict[tuple[bytes, int], StoredCheckpoint]:
        """Return for each (log, size) the checkpoint of the greatest size that is not above it; absent where none is."""

    def checkpoints_by_root(self, root_prefix: int, *, limit: int) -> list[StoredCheckpoint]:
        """Return up to `limit` checkpoints, of any log, whose root begins so (`NewCheckpoint.root_prefix`).  Crosses logs.

        A hint, never an answer: the notes' own bytes say what root they have.
        """

    def find_roots(self, wanted: Sequence[tuple[bytes, int, int]]) -> set[tuple[bytes, int]]:
        """Return the (log, size) of each (log, size, root_prefix) whose checkpoint `checkpoints_by_root` finds so."""

    def newest_checkpoints(self, logs: Sequence[bytes]) -> dict[bytes, StoredCheckpoint]:
        """Return the checkpoint of the greatest size of those of `logs` that have one."""

    def tiles(self, keys: Sequence[TileKey]) -> dict[TileKey, bytes]:
        """Return those of the tiles that are there: 32 bytes a hash, 1 to 256 hashes."""


class WriteTransaction(ReadTransaction, ServiceWriting, Protocol):
    """A transaction that may write; all or nothing."""

    def now(self) -> int:
        """Return the store's clock, in microseconds since 1970-01-01T00:00:00Z.

        Read it after `lock_heads`: a time that was taken before the lock may lie before another's entry.

        Raises:
            EngineError: `clock-regressed`, where the clock was set back or forward under the process.
        """

    def lock_heads(self, logs: Iterable[bytes]) -> dict[bytes, Head]:
        """Lock these logs, in ascending order, until the transaction ends; return the heads of those that exist.

        A log that does not exist is locked too: nobody else makes it meanwhile.
        """

    def append(self, entries: Sequence[NewEntry], moves: Sequence[HeadMove]) -> None:
        """Append entries and move the heads of their logs; the logs are locked."""

    def name_customers(self, customers: Sequence[NamedLog]) -> None:
        """Say what the customers of new, locked logs are called."""

    def settle(self, sizes: Mapping[bytes, int]) -> None:
        """Say of locked logs that their entries below a size are sealed, and will not change but for erased details.

        The store may now keep them where they take less room: as many as it likes, at once or at a later call.
        Nothing that is read changes by it.
        """

    def claim(self, now: int, until: int, *, limit: int) -> list[Claim]:
        """Claim up to `limit` logs, of any tenant, with entries that no checkpoint covers.  Crosses logs.

        What another transaction has locked is passed over, and so is what others claimed for longer than `now`; but not what they claimed for longer than `until`: nobody does, but by a clock
        that was ahead and was put right.  A claim keeps back other claims alone, until `until` or the log's next
        checkpoint.
        """

    def claim_furthest_behind(self, now: int, until: int) -> list[Claim]:
        """As `claim`, of the one log with the most entries that no checkpoint covers.  Crosses logs.

        For a log that writers never leave alone: what is locked is waited for, though not for long.

        Raises:
            EngineError: `store-unavailable`, where it stays locked.
        """

    def claim_to_close(self, now: int, until: int, *, limit: int) -> list[Claim]:
        """As `claim`, of logs whose `close_at` lies at or before `now`.  Crosses logs."""

    def put_checkpoints(self, checkpoints: Sequence[NewCheckpoint]) -> None:
        """Publish checkpoints of locked logs and advance each log's `checkpoint_size` from `old_size` to `size`.

        At most one a log, of a `size` above `old_size`.

        Raises:
            EngineError: `fork-refused`, where a log's newest checkpoint is not the one of `old_size`, or one of
                `size` is there already.
        """

    def put_tiles(self, tiles: Mapping[TileKey, bytes]) -> None:
        """Store tiles, in place of those of the same name."""

    def set_identity(self, identity: Identity) -> None:
        """Say once whom the store belongs to; the same again is no error.

        Raises:
            EngineError: `key-mismatch`, where it belongs to somebody else.
        """

    def set_tenant_unit(self, tenant: str, unit: str) -> None:
        """Set the tenant's default unit."""


class Store(Protocol):
    """Where records are kept."""

    def read(self) -> AbstractContextManager[ReadTransaction]:
        """Open a view."""

    def write(self) -> AbstractContextManager[WriteTransaction]:
        """Open a transaction."""

    def close(self) -> None:
        """Let go of files and connections."""
