"""Transactions on SQL tables: rows go in and out as they are."""

# ruff: noqa: D102  -- the protocols in counterfoil.engine.store say what each method does

from __future__ import annotations

from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, func, select

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
from counterfoil.errors import EngineError, MalformedError
from counterfoil.limits import INTEGER_MAX
from counterfoil.storage.sql.bundles import BUNDLE_ENTRIES_MAX, Bundle, end_of, is_packable, pack, unpack
from counterfoil.storage.sql.schema import CHECKPOINTS, CUSTOMERS, IDENTITY, LOGS, TENANTS
from counterfoil.storage.sql.service import ServiceReading, ServiceWriting
from counterfoil.storage.sql.statements import CHECKPOINT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection
    from sqlalchemy.engine.interfaces import DBAPICursor

    from counterfoil.storage.sql.database import Database
    from counterfoil.storage.sql.statements import Reader, Statements

# Ranges whose bundles are held at a time: one has up to 4 MB, and what is wanted of it may be one entry.
_RANGES_AT_ONCE: Final = 64
# A bundle of fewer entries would save little, and the next checkpoints bring more.
_SETTLED_MIN: Final = 64
# What one call settles: bounds how long it holds the locks.
_SETTLED_MAX: Final = 131_072
# Entries that are held in memory at a time; whole bundles.
_HELD_MAX: Final = 32 * BUNDLE_ENTRIES_MAX

_INDEX = attrgetter("index")
_LOGS_AFTER = select(LOGS.c.log).order_by(LOGS.c.log)


class Reading(ServiceReading):
    """A `ReadTransaction`; the protocol says what its methods do."""

    def identity(self) -> Identity | None:
        found = self._select(select(IDENTITY.c.operator, IDENTITY.c.public_key, IDENTITY.c.reference_check))
        return Identity._make(found[0]) if found else None

    def tenant_unit(self, tenant: str) -> str | None:
        found = self._select(select(TENANTS.c.unit).where(TENANTS.c.tenant == tenant))
        return str(found[0].unit) if found else None

    def heads(self, logs: Sequence[bytes]) -> dict[bytes, Head]:
        found = self._rows(self._statements.heads, [(log,) for log in logs])
        return {row[0]: Head._make(row) for row in found}

    def logs(self, tenant: str, *, after: bytes = b"", limit: int) -> list[bytes]:
        return self._log_names(_LOGS_AFTER, tenant, after, limit)

    def logs_with_work(self, tenant: str, *, after: bytes = b"", limit: int) -> list[bytes]:
        return self._log_names(_LOGS_AFTER.where(LOGS.c.size > LOGS.c.checkpoint_size), tenant, after, limit)

    def entries(self, log: bytes, start: int, end: int) -> list[StoredEntry]:
        return self.entries_of([(log, start, end)])[log]

    def entries_of(
        self, ranges: Sequence[tuple[bytes, int, int]], *, with_details: bool = True
    ) -> dict[bytes, list[StoredEntry]]:
        found: dict[bytes, list[StoredEntry]] = {log: [] for log, _, _ in ranges}
        bounded = [
            (log, start, end, min(end + BUNDLE_ENTRIES_MAX, INTEGER_MAX)) for log, start, end in ranges
        ]
        for at in range(0, len(bounded), _RANGES_AT_ONCE):
            for start, end, *row in self._rows(self._statements.bundles, bounded[at : at + _RANGES_AT_ONCE]):
                bundle = Bundle._make(row)
                with suppress(ValueError):
                    # Where it is damaged its entries are missing, and the engine says so of this log alone.
                    found[bundle.log].extend(unpack(bundle, start, end, with_details=with_details))
        for row in self._rows(self._statements.entries, ranges):
            entry = StoredEntry._make(row)
            found[row[0]].append(entry if with_details else without_details(entry))
        if len(found) < len(ranges):
            # Two ranges of one log may have met in one bundle.
            for entries in found.values():
                entries.sort(key=_INDEX)
        return found

    def find_keys(self, wanted: Sequence[tuple[bytes, int]]) -> Mapping[tuple[bytes, int], list[int]]:
        found: dict[tuple[bytes, int], list[int]] = {}
        for log, prefix, index in self._rows(self._statements.find_keys, list(dict.fromkeys(wanted))):
            found.setdefault((log, prefix), []).append(index)
        for indices in found.values():
            indices.sort()
        return found

    def near_times(self, wanted: Sequence[tuple[bytes, int]]) -> list[tuple[int, int]]:
        return self._near(self._statements.near_times, wanted)

    def near_counts(self, wanted: Sequence[tuple[bytes, int]]) -> list[tuple[int, int]]:
        return self._near(self._statements.near_counts, wanted)

    def _near(self, reader: Reader, wanted: Sequence[tuple[bytes, int]]) -> list[tuple[int, int]]:
        near: dict[tuple[bytes, int], tuple[int, int]] = {}
        for log, value, first, last, settled, standing, size in self._rows(
            reader, list(dict.fromkeys(wanted))
        ):
            # Behind all bundles it lies among the entries that are not settled; a bundle of which an entry still stands
            # by itself, or that lies behind the log, settled nothing, and says nothing.
            end = size or 0
            whole = settled is None or standing is not None or settled >= end
            behind = (0 if whole else settled + 1, end)
            near[log, value] = behind if last is None else (first, last)
        return [near[log, value] for log, value in wanted]

    def customers(self, tenant: str, *, search: str = "", offset: int = 0, limit: int) -> list[NamedLog]:
        named = _named(select(CUSTOMERS), tenant, search)
        ordered = named.order_by(CUSTOMERS.c.customer_id, CUSTOMERS.c.log)
        found = self._select(ordered.offset(offset).limit(limit))
        return [NamedLog._make(row) for row in found]

    def count_customers(self, tenant: str, *, search: str = "") -> int:
        return self._count(_named(select(func.count()).select_from(CUSTOMERS), tenant, search))

    def named_logs(self, logs: Sequence[bytes]) -> dict[bytes, NamedLog]:
        found = self._rows(self._statements.named_logs, [(log,) for log in logs])
        return {row[0]: NamedLog._make(row) for row in found}

    def checkpoints(self, log: bytes, *, after: int = 0, limit: int) -> list[StoredCheckpoint]:
        later = select(*CHECKPOINT).where(CHECKPOINTS.c.log == log, CHECKPOINTS.c.size > after)
        found = self._select(later.order_by(CHECKPOINTS.c.size).limit(limit))
        return [StoredCheckpoint._make(row) for row in found]

    def newest_between(
        self, log: bytes, after: int, up_to: int, *, offset: int = 0, limit: int
    ) -> list[StoredCheckpoint]:
        between = select(*CHECKPOINT).where(
            CHECKPOINTS.c.log == log, CHECKPOINTS.c.size > after, CHECKPOINTS.c.size <= up_to
        )
        found = self._select(between.order_by(CHECKPOINTS.c.size.desc()).offset(offset).limit(limit))
        return [StoredCheckpoint._make(row) for row in found]

    def checkpoint(self, log: bytes, size: int) -> StoredCheckpoint | None:
        found = self._select(select(*CHECKPOINT).where(CHECKPOINTS.c.log == log, CHECKPOINTS.c.size == size))
        return StoredCheckpoint._make(found[0]) if found else None

    def checkpoints_up_to(
        self, wanted: Sequence[tuple[bytes, int]]
    ) -> dict[tuple[bytes, int], StoredCheckpoint]:
        found = self._rows(self._statements.checkpoints_up_to, list(dict.fromkeys(wanted)))
        return {(row[1], row[0]): StoredCheckpoint._make(row[1:]) for row in found}

    def checkpoints_by_root(self, root_prefix: int, *, limit: int) -> list[StoredCheckpoint]:
        same = select(*CHECKPOINT).where(CHECKPOINTS.c.root_prefix == root_prefix)
        # Without an order, for which PostgreSQL might read all checkpoints by their key.
        return sorted(StoredCheckpoint._make(row) for row in self._select(same.limit(limit)))

    def find_roots(self, wanted: Sequence[tuple[bytes, int, int]]) -> set[tuple[bytes, int]]:
        places = list(dict.fromkeys((log, size) for log, size, _ in wanted))
        known = {tuple(row) for row in self._rows(self._statements.root_prefixes, places)}
        return {(log, size) for log, size, prefix in wanted if (log, size, prefix) in known}

    def newest_checkpoints(self, logs: Sequence[bytes]) -> dict[bytes, StoredCheckpoint]:
        found = self._rows(self._statements.newest_checkpoints, [(log,) for log in logs])
        return {row[0]: StoredCheckpoint._make(row) for row in found}

    def tiles(self, keys: Sequence[TileKey]) -> dict[TileKey, bytes]:
        found = self._rows(self._statements.tiles, keys)
        return {TileKey(log, level, number): hashes for log, level, number, hashes in found}

    def _log_names(self, statement: Select[Any], tenant: str, after: bytes, limit: int) -> list[bytes]:
        found = self._select(statement.where(LOGS.c.tenant == tenant, LOGS.c.log > after).limit(limit))
        return [bytes(row.log) for row in found]


class Writing(ServiceWriting, Reading):
    """A `WriteTransaction`; the protocol says what its methods do."""

    def __init__(
        self,
        database: Database,
        statements: Statements,
        connection: Connection,
        cursor: DBAPICursor,
        clock: Callable[[], int],
    ) -> None:
        super().__init__(database, statements, connection, cursor)
        self._clock = clock
        # Logs that have a head only so that it could be locked.
        self._made: set[bytes] = set()

    def finish(self) -> None:
        """Leave nothing behind that was there for this transaction alone; raise what failed in it."""
        if self.failure is None:
            self._change(self._statements.remove_heads, [(log,) for log in self._made])
        if self.failure is not None:
            raise self.failure

    def now(self) -> int:
        return self._run(lambda: self._database.now(self._cursor, self._clock))

    def heads(self, logs: Sequence[bytes]) -> dict[bytes, Head]:
        found = super().heads(logs)
        return {log: head for log, head in found.items() if log not in self._made}

    def _near(self, reader: Reader, wanted: Sequence[tuple[bytes, int]]) -> list[tuple[int, int]]:
        found = super()._near(reader, wanted)
        return [(0, 0) if log in self._made else near for (log, _), near in zip(wanted, found, strict=True)]

    def lock_heads(self, logs: Iterable[bytes]) -> dict[bytes, Head]:
        ordered = sorted(set(logs))
        self._made |= self._run(lambda: self._database.lock(self._cursor, ordered))
        return self.heads(ordered)

    def append(self, entries: Sequence[NewEntry], moves: Sequence[HeadMove]) -> None:
        self._change(self._statements.append, entries)
        rows = [(*move, 0) for move in moves]
        if self._made:
            self._change(self._statements.open_heads, [row for row in rows if row[0] in self._made])
            rows = [row for row in rows if row[0] not in self._made]
            self._made.difference_update(move.log for move in moves)
        self._change(self._statements.move_heads, rows)

    def name_customers(self, customers: Sequence[NamedLog]) -> None:
        self._change(self._statements.name_customers, customers)

    def settle(self, sizes: Mapping[bytes, int]) -> None:
        settled = [each for part in self._parts_to_settle(sizes) for each in self._settle(part)]
        # At once, and last: the rows of a log lie scattered over the pages of the table, so that each page holds some of
        # many logs and is written once instead of again and again.
        self._change(self._statements.delete_entries, settled)

    def _parts_to_settle(self, sizes: Mapping[bytes, int]) -> Iterator[list[tuple[bytes, int, int]]]:
        """Yield lists of (log, start, end) that are worth settling, few enough entries a list to hold in memory.

        The last entry of a log stays where it is: the head is read with it.
        """
        part: list[tuple[bytes, int, int]] = []
        held = settled = 0
        for log, first, last in self._rows(self._statements.first_entries, [(log,) for log in sizes]):
            # What does not follow on what is settled was tampered with: it stays as it is, for the audit to find.
            if first != (0 if last is None else last + 1) or sizes[log] - 1 - first < _SETTLED_MIN:
                continue
            for start in range(first, min(sizes[log] - 1, first + _SETTLED_MAX - settled), _HELD_MAX):
                end = min(sizes[log] - 1, first + _SETTLED_MAX - settled, start + _HELD_MAX)
                if held + end - start > _HELD_MAX:
                    yield part
                    part, held = [], 0
                part.append((log, start, end))
                held += end - start
            settled += min(sizes[log] - 1 - first, _SETTLED_MAX - settled)
        yield part

    def _settle(self, ranges: list[tuple[bytes, int, int]]) -> list[tuple[bytes, int, int]]:
        """Bundle entries; return the ranges that now stand in both places."""
        settled: dict[bytes, list[StoredEntry]] = {log: [] for log, _, _ in ranges}
        for row in self._rows(self._statements.entries, ranges):
            settled[row[0]].append(StoredEntry._make(row))
        whole: list[tuple[bytes, int, int]] = []
        bundles: list[tuple[object, ...]] = []
        for log, start, end in ranges:
            rows = settled[log]
            # What has a gap, is longer than anything that is recorded or does not read was tampered with, too.
            if len(rows) == end - start and all(map(is_packable, rows)):
                with suppress(MalformedError):
                    bundles += [(*bundle, *end_of(rows[bundle.last - start])) for bundle in pack(rows)]
                    whole.append((log, start, end))
        self._change(self._statements.put_bundles, bundles)
        self._change(self._statements.put_keys, self._rows(self._statements.key_prefixes, whole))
        return whole

    def claim(self, now: int, until: int, *, limit: int) -> list[Claim]:
        due = _due(LOGS.c.size > LOGS.c.checkpoint_size, now, until).limit(limit)
        return self._claim(self._select(due.with_for_update(skip_locked=True)), until)

    def claim_furthest_behind(self, now: int, until: int) -> list[Claim]:
        self._run(lambda: self._database.wait_briefly(self._cursor))
        due = _due(LOGS.c.size > LOGS.c.checkpoint_size, now, until)
        behind = due.order_by((LOGS.c.size - LOGS.c.checkpoint_size).desc()).limit(1)
        return self._claim(self._select(behind.with_for_update()), until)

    def claim_to_close(self, now: int, until: int, *, limit: int) -> list[Claim]:
        # Nothing to wait for: what is locked has somebody who writes to it, and will have other work.
        due = _due(LOGS.c.close_at <= now, now, until).limit(limit)
        return self._claim(self._select(due.with_for_update(skip_locked=True)), until)

    def _claim(self, found: Sequence[Any], until: int) -> list[Claim]:
        claims = [Claim(bytes(row.log), row.tenant) for row in found]
        self._change(self._statements.claim, [(until, claim.log) for claim in claims])
        return claims

    def put_checkpoints(self, checkpoints: Sequence[NewCheckpoint]) -> None:
        sizes = {
            log: (head_size, newest_size or 0)
            for log, head_size, newest_size in self._rows(
                self._statements.checkpoint_sizes, [(new.log,) for new in checkpoints]
            )
        }
        for new in checkpoints:
            # Taken out, so that a second checkpoint of the log within one call is refused as well.
            if sizes.pop(new.log, None) != (new.old_size, new.old_size) or new.size <= new.old_size:
                raise self._refusal(
                    "fork-refused",
                    f"the newest checkpoint is not the one of size {new.old_size}",
                    log=f"0x{new.log.hex()}",
                )
        self._change(
            self._statements.put_checkpoints,
            [(new.log, new.size, new.note, new.root_prefix) for new in checkpoints],
        )
        self._change(
            self._statements.advance_checkpoint_sizes,
            [(new.size, new.log, new.old_size) for new in checkpoints],
        )

    def put_tiles(self, tiles: Mapping[TileKey, bytes]) -> None:
        self._change(self._statements.put_tiles, [(*key, hashes) for key, hashes in tiles.items()])

    def set_identity(self, identity: Identity) -> None:
        # Another process may do the same at this moment: the first stands, and is what is read then.
        self._change(self._statements.set_identity, [(1, *identity)])
        known = self.identity()
        if known != identity:
            owner = known.operator if known else "nobody"
            raise self._refusal("key-mismatch", f"the store belongs to {owner} and its key already")

    def set_tenant_unit(self, tenant: str, unit: str) -> None:
        self._change(self._statements.set_tenant_unit, [(tenant, unit)])

    def _refusal(self, code: str, message: str, **facts: object) -> EngineError:
        """Make a refusal after which nothing of the transaction stays, even where the block catches it."""
        self.failure = EngineError(code, message, **facts)
        return self.failure


def _named(statement: Select[Any], tenant: str, search: str) -> Select[Any]:
    """Customers of a tenant whose name contains some characters."""
    named = statement.where(CUSTOMERS.c.tenant == tenant)
    if not search:
        return named
    # As bytes, so that no letter but those of ASCII has a lower case, whatever the database was made with.
    part = search.encode().lower().decode()
    return named.where(func.lower(CUSTOMERS.c.customer_id).contains(part, autoescape=True))


def _due(condition: ColumnElement[bool], now: int, until: int) -> Select[Any]:
    """Logs that meet a condition and that nobody claims."""
    free = ~LOGS.c.claimed_until.between(now + 1, until)
    return select(LOGS.c.log, LOGS.c.tenant).where(condition, free)
