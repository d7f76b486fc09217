"""A store in memory: for tests, simulations and trying things out."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import defaultdict
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING

from counterfoil.engine.store import (
    Claim,
    Head,
    HeadMove,
    Identity,
    NamedLog,
    NewCheckpoint,
    NewEntry,
    StoredCheckpoint,
    StoredEntry,
    TileKey,
    without_details,
)
from counterfoil.errors import EngineError
from counterfoil.limits import LOCK_WAIT_SECONDS
from counterfoil.storage.memory_service import ServiceReading, ServiceRows, ServiceWriting
from counterfoil.storage.memory_undo import Undoing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_INDEX = attrgetter("index")
_SIZE = attrgetter("size")


class MemoryStore:
    """A `counterfoil.engine.store.Store` that ends with the process.  One lock lets one transaction in at a time."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rows = _Rows()

    @contextmanager
    def read(self) -> Iterator[_Reading]:
        """Open a view."""
        with self._locked():
            yield _Reading(self._rows)

    @contextmanager
    def write(self) -> Iterator[_Writing]:
        """Open a transaction."""
        with self._locked():
            writing = _Writing(self._rows, self._clock)
            try:
                yield writing
                writing.require_unharmed()
            except BaseException:
                writing.undo()
                raise

    def close(self) -> None:
        """There is nothing to let go of."""

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=LOCK_WAIT_SECONDS):
            raise EngineError("store-unavailable", "another transaction holds the store")
        try:
            yield
        finally:
            self._lock.release()


class _Rows(ServiceRows):
    """Everything that is stored.  The lists of a log are in ascending order."""

    def __init__(self) -> None:
        super().__init__()
        self.identities: dict[None, Identity] = {}
        self.units: dict[str, str] = {}
        self.heads: dict[bytes, HeadMove] = {}
        self.entries: defaultdict[bytes, list[StoredEntry]] = defaultdict(list)
        self.by_key: defaultdict[tuple[bytes, int], list[int]] = defaultdict(list)
        self.names: dict[bytes, NamedLog] = {}
        self.claimed_until: dict[bytes, int] = {}
        self.checkpoints: defaultdict[bytes, list[StoredCheckpoint]] = defaultdict(list)
        self.by_root: defaultdict[int, list[StoredCheckpoint]] = defaultdict(list)
        self.tiles: dict[TileKey, bytes] = {}


class _Reading(ServiceReading):
    """A `ReadTransaction`; the protocol says what its methods do."""

    _rows: _Rows

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows

    def identity(self) -> Identity | None:
        return self._rows.identities.get(None)

    def tenant_unit(self, tenant: str) -> str | None:
        return self._rows.units.get(tenant)

    def heads(self, logs: Sequence[bytes]) -> dict[bytes, Head]:
        return {log: self._head(log) for log in logs if log in self._rows.heads}

    def logs(self, tenant: str, *, after: bytes = b"", limit: int) -> list[bytes]:
        named = (log for log, head in self._rows.heads.items() if head.tenant == tenant and log > after)
        return sorted(named)[:limit]

    def logs_with_work(self, tenant: str, *, after: bytes = b"", limit: int) -> list[bytes]:
        named = self.logs(tenant, after=after, limit=len(self._rows.heads))
        return [log for log in named if self._rows.heads[log].size > self._checkpoint_size(log)][:limit]

    def entries(self, log: bytes, start: int, end: int) -> list[StoredEntry]:
        found = self._rows.entries.get(log, [])
        return found[bisect_left(found, start, key=_INDEX) : bisect_left(found, end, key=_INDEX)]

    def entries_of(
        self, ranges: Sequence[tuple[bytes, int, int]], *, with_details: bool = True
    ) -> dict[bytes, list[StoredEntry]]:
        found: dict[bytes, list[StoredEntry]] = {}
        for log, start, end in ranges:
            rows = self.entries(log, start, end)
            found.setdefault(log, []).extend(rows if with_details else map(without_details, rows))
        return found

    def find_keys(self, wanted: Sequence[tuple[bytes, int]]) -> Mapping[tuple[bytes, int], list[int]]:
        return {key: list(self._rows.by_key[key]) for key in wanted if self._rows.by_key.get(key)}

    def near_times(self, wanted: Sequence[tuple[bytes, int]]) -> list[tuple[int, int]]:
        return [(0, self._rows.heads[log].size if log in self._rows.heads else 0) for log, _ in wanted]

    def near_counts(self, wanted: Sequence[tuple[bytes, int]]) -> list[tuple[int, int]]:
        return self.near_times(wanted)

    def customers(self, tenant: str, *, search: str = "", offset: int = 0, limit: int) -> list[NamedLog]:
        found = sorted(self._named(tenant, search), key=lambda named: (named.customer_id, named.log))
        return found[offset : offset + limit]

    def count_customers(self, tenant: str, *, search: str = "") -> int:
        return len(self._named(tenant, search))

    def _named(self, tenant: str, search: str) -> list[NamedLog]:
        # As bytes, so that no letter but those of ASCII has a lower case, as in SQL.
        part = search.encode().lower()
        named = self._rows.names.values()
        return [each for each in named if each.tenant == tenant and part in each.customer_id.encode().lower()]

    def named_logs(self, logs: Sequence[bytes]) -> dict[bytes, NamedLog]:
        return {log: self._rows.names[log] for log in logs if log in self._rows.names}

    def checkpoints(self, log: bytes, *, after: int = 0, limit: int) -> list[StoredCheckpoint]:
        found = self._rows.checkpoints.get(log, [])
        return found[bisect_right(found, after, key=_SIZE) :][:limit]

    def newest_between(
        self, log: bytes, after: int, up_to: int, *, offset: int = 0, limit: int
    ) -> list[StoredCheckpoint]:
        found = self._rows.checkpoints.get(log, [])
        between = found[bisect_right(found, after, key=_SIZE) : bisect_right(found, up_to, key=_SIZE)]
        return between[::-1][offset:][:limit]

    def checkpoint(self, log: bytes, size: int) -> StoredCheckpoint | None:
        found = self.checkpoints(log, after=size - 1, limit=1)
        return found[0] if found and found[0].size == size else None

    def checkpoints_up_to(
        self, wanted: Sequence[tuple[bytes, int]]
    ) -> dict[tuple[bytes, int], StoredCheckpoint]:
        found: dict[tuple[bytes, int], StoredCheckpoint] = {}
        for log, size in wanted:
            checkpoints = self._rows.checkpoints.get(log, [])
            if covered := bisect_right(checkpoints, size, key=_SIZE):
                found[log, size] = checkpoints[covered - 1]
        return found

    def checkpoints_by_root(self, root_prefix: int, *, limit: int) -> list[StoredCheckpoint]:
        return sorted(self._rows.by_root.get(root_prefix, []))[:limit]

    def find_roots(self, wanted: Sequence[tuple[bytes, int, int]]) -> set[tuple[bytes, int]]:
        published = self._rows.by_root
        return {
            (log, size)
            for log, size, prefix in wanted
            if any(row[:2] == (log, size) for row in published.get(prefix, ()))
        }

    def newest_checkpoints(self, logs: Sequence[bytes]) -> dict[bytes, StoredCheckpoint]:
        return {log: self._rows.checkpoints[log][-1] for log in logs if self._rows.checkpoints.get(log)}

    def tiles(self, keys: Sequence[TileKey]) -> dict[TileKey, bytes]:
        return {key: self._rows.tiles[key] for key in keys if key in self._rows.tiles}

    def _checkpoint_size(self, log: bytes) -> int:
        found = self._rows.checkpoints.get(log)
        return found[-1].size if found else 0

    def _head(self, log: bytes) -> Head:
        head = self._rows.heads[log]
        entries = self._rows.entries.get(log)
        last = entries[-1] if entries else None
        data = last.entry if last is not None and last.index == head.size - 1 else None
        return Head(
            log, head.tenant, head.size, head.sealed_size, self._checkpoint_size(log), head.close_at, data
        )


class _Writing(ServiceWriting, _Reading):
    """A `WriteTransaction`; the protocol says what its methods do."""

    def __init__(self, rows: _Rows, clock: Callable[[], int]) -> None:
        Undoing.__init__(self)
        _Reading.__init__(self, rows)
        self._clock = clock
        self._failure: EngineError | None = None

    def require_unharmed(self) -> None:
        """Raise what a method refused, in case the block caught it: nothing of the transaction may stay."""
        if self._failure is not None:
            raise self._failure

    def now(self) -> int:
        try:
            return self._clock()
        except EngineError as error:
            self._failure = error
            raise

    def lock_heads(self, logs: Iterable[bytes]) -> dict[bytes, Head]:
        return self.heads(list(logs))

    def append(self, entries: Sequence[NewEntry], moves: Sequence[HeadMove]) -> None:
        for entry in entries:
            log = self._rows.entries[entry.log]
            if log and entry.index <= log[-1].index:
                raise self._refusal(
                    "log-corrupt", f"entry {entry.index} is there already", log=f"0x{entry.log.hex()}"
                )
            self._add(log, StoredEntry(entry.log, entry.index, entry.entry, entry.salt, entry.value))
            if entry.key_prefix is not None:
                self._add(self._rows.by_key[entry.log, entry.key_prefix], entry.index)
        for move in moves:
            self._set(self._rows.heads, move.log, move)

    def name_customers(self, customers: Sequence[NamedLog]) -> None:
        for named in customers:
            if named.log in self._rows.names:
                raise self._refusal(
                    "log-corrupt", "the log has a customer already", log=f"0x{named.log.hex()}"
                )
            self._set(self._rows.names, named.log, named)

    def settle(self, sizes: Mapping[bytes, int]) -> None:
        """There is nowhere that entries would take less room."""

    def claim(self, now: int, until: int, *, limit: int) -> list[Claim]:
        return self._claim(lambda head: head.size > self._checkpoint_size(head.log), now, until, limit)

    def claim_furthest_behind(self, now: int, until: int) -> list[Claim]:
        heads = self._rows.heads
        due = [log for log, head in heads.items() if head.size > self._checkpoint_size(log)]
        due.sort(key=lambda log: self._checkpoint_size(log) - heads[log].size)
        for log in due:
            if claims := self._claim(lambda head, log=log: head.log == log, now, until, 1):  # type: ignore[misc]
                return claims
        return []

    def claim_to_close(self, now: int, until: int, *, limit: int) -> list[Claim]:
        return self._claim(lambda head: head.close_at is not None and head.close_at <= now, now, until, limit)

    def _claim(self, due: Callable[[HeadMove], bool], now: int, until: int, limit: int) -> list[Claim]:
        held = self._rows.claimed_until
        found = [
            Claim(log, head.tenant)
            for log, head in self._rows.heads.items()
            if due(head) and not now < held.get(log, 0) <= until
        ][:limit]
        for claim in found:
            self._set(held, claim.log, until)
        return found

    def put_checkpoints(self, checkpoints: Sequence[NewCheckpoint]) -> None:
        sizes = {
            new.log: self._checkpoint_size(new.log) for new in checkpoints if new.log in self._rows.heads
        }
        for new in checkpoints:
            # Taken out, so that a second checkpoint of the log within one call is refused as well.
            if sizes.pop(new.log, None) != new.old_size or new.size <= new.old_size:
                raise self._refusal(
                    "fork-refused",
                    f"the newest checkpoint is not the one of size {new.old_size}",
                    log=f"0x{new.log.hex()}",
                )
        for new in checkpoints:
            stored = StoredCheckpoint(new.log, new.size, new.note)
            self._add(self._rows.checkpoints[new.log], stored)
            self._add(self._rows.by_root[new.root_prefix], stored)
            self._set(self._rows.claimed_until, new.log, 0)

    def put_tiles(self, tiles: Mapping[TileKey, bytes]) -> None:
        for key, hashes in tiles.items():
            self._set(self._rows.tiles, key, hashes)

    def set_identity(self, identity: Identity) -> None:
        known = self.identity()
        if known not in (None, identity):
            raise self._refusal("key-mismatch", "the store belongs to another operator or key")
        self._set(self._rows.identities, None, identity)

    def set_tenant_unit(self, tenant: str, unit: str) -> None:
        self._set(self._rows.units, tenant, unit)

    def _refusal(self, code: str, message: str, **facts: object) -> EngineError:
        """Make a refusal after which nothing of the transaction stays, even where the block catches it."""
        self._failure = EngineError(code, message, **facts)
        return self._failure
