"""The statements over many rows, the same for every database.

Each takes a list of keys or rows, as tuples.  In SQL that list is the table `wanted` with the columns k0, k1, ...; how a
database is best given such a list is its own affair (`Database.reader`, `Database.writer`), so here are only the parts
that do not differ.  They are made into text once and run on the driver's cursor: SQLAlchemy's own execution costs
several times what a database does for a row that is found by its key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from sqlalchemy import and_, column, delete, exists, func, literal_column, select, table, union_all, update

from counterfoil.storage.sql.schema import (
    API_KEYS,
    BUNDLES,
    CHECKPOINTS,
    CUSTOMERS,
    DELIVERIES,
    ENTRIES,
    IDENTITY,
    KEYS,
    LOGS,
    OUTBOX,
    TENANTS,
    TILES,
    WEBHOOKS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import (
        ClauseElement,
        Column,
        ColumnElement,
        CompoundSelect,
        Dialect,
        FromClause,
        Select,
        Table,
    )
    from sqlalchemy.engine.interfaces import DBAPICursor
    from sqlalchemy.sql.dml import UpdateBase

    Rows = Sequence[tuple[object, ...]]


class WideRead(NamedTuple):
    """A read by many keys.

    Attributes:
        key: the columns whose types the parts of a key have.
        build: makes the statement from the table of wanted keys.
    """

    key: Sequence[Column[Any]]
    build: Callable[[FromClause], Select[Any] | CompoundSelect[Any]]


class WideInsert(NamedTuple):
    """New rows of a table.

    Attributes:
        table: which.
        columns: those that a row gives, in its order; the others have their defaults.
        replaced: the columns that a row overwrites where its primary key is there already: none of them, and what is
            there stays; None where that is an error.
    """

    table: Table
    columns: Sequence[Column[Any]]
    replaced: Sequence[Column[Any]] | None = None


class WideChange(NamedTuple):
    """An UPDATE or DELETE by many keys.

    Attributes:
        key: the columns whose types the parts of a key have.
        build: makes the statement from the parts of one key.
    """

    key: Sequence[Column[Any]]
    build: Callable[[Sequence[ColumnElement[Any]]], UpdateBase]


class Reader(Protocol):
    """Runs a `WideRead`."""

    def __call__(self, cursor: DBAPICursor, keys: Rows, /) -> list[Any]:
        """Return the rows of the keys; a key that stands twice gives its rows twice."""


class Writer(Protocol):
    """Runs a `WideInsert` or a `WideChange`."""

    def __call__(self, cursor: DBAPICursor, rows: Rows, /) -> None:
        """Write the rows, of which no two have the same key."""


class Runners(Protocol):
    """What a database makes of a statement."""

    def reader(self, read: WideRead) -> Reader:
        """Return what runs a read."""

    def writer(self, write: WideInsert | WideChange) -> Writer:
        """Return what runs a write."""


def wanted_table(key: Sequence[Column[Any]]) -> FromClause:
    """Return the table `wanted`, for building; the caller's text puts its rows in front of the statement."""
    return table("wanted", *(column(f"k{place}", part.type) for place, part in enumerate(key)))


def text_of(statement: ClauseElement, dialect: Dialect) -> str:
    """Return a statement without parameters as text."""
    return str(statement.compile(dialect=dialect))


class Statements:
    """Every statement over many rows, ready for one database."""

    def __init__(self, database: Runners) -> None:
        def keyed(key: Sequence[Column[Any]], build: Callable[[FromClause], Any]) -> Reader:
            return database.reader(WideRead(key, build))

        log = LOGS.c.log
        self.heads = keyed([log], _heads)
        self.entries = keyed([log, ENTRIES.c.idx, ENTRIES.c.idx], _entries)
        self.bundles = keyed([log, BUNDLES.c.last, BUNDLES.c.last, BUNDLES.c.last], _bundles)
        self.first_entries = keyed([log], _first_entries)
        self.key_prefixes = keyed([log, ENTRIES.c.idx, ENTRIES.c.idx], _key_prefixes)
        self.find_keys = keyed([log, KEYS.c.key_prefix], _find_keys)
        self.named_logs = keyed([log], _named_logs)
        self.near_times = keyed([log, BUNDLES.c.time], lambda wanted: _near(wanted, "time"))
        self.near_counts = keyed([log, BUNDLES.c.count], lambda wanted: _near(wanted, "count"))
        self.newest_checkpoints = keyed([log], _newest_checkpoints)
        self.checkpoints_up_to = keyed([log, CHECKPOINTS.c.size], _checkpoints_up_to)
        self.checkpoint_sizes = keyed([log], _checkpoint_sizes)
        self.root_prefixes = keyed([log, CHECKPOINTS.c.size], _root_prefixes)
        self.tiles = keyed([log, TILES.c.level, TILES.c.number], _tiles)

        self.append = database.writer(WideInsert(ENTRIES, list(ENTRIES.c)))
        self.open_heads = database.writer(WideInsert(LOGS, _MOVE, _MOVE[1:]))
        self.move_heads = database.writer(WideInsert(LOGS, _MOVE, _MOVED))
        self.remove_heads = database.writer(WideChange([log], _remove_heads))
        self.name_customers = database.writer(WideInsert(CUSTOMERS, list(CUSTOMERS.c)))
        self.put_bundles = database.writer(WideInsert(BUNDLES, list(BUNDLES.c)))
        self.put_keys = database.writer(WideInsert(KEYS, list(KEYS.c)))
        self.delete_entries = database.writer(
            WideChange([log, ENTRIES.c.idx, ENTRIES.c.idx], _delete_entries)
        )
        self.put_checkpoints = database.writer(WideInsert(CHECKPOINTS, list(CHECKPOINTS.c)))
        self.advance_checkpoint_sizes = database.writer(
            WideChange([LOGS.c.checkpoint_size, log, LOGS.c.checkpoint_size], _advance_checkpoint_sizes)
        )
        self.put_tiles = database.writer(WideInsert(TILES, list(TILES.c), [TILES.c.hashes]))
        self.claim = database.writer(WideChange([LOGS.c.claimed_until, log], _claim))
        self.set_identity = database.writer(WideInsert(IDENTITY, list(IDENTITY.c), []))
        self.set_tenant_unit = database.writer(WideInsert(TENANTS, list(TENANTS.c), [TENANTS.c.unit]))

        self.put_api_keys = database.writer(WideInsert(API_KEYS, list(API_KEYS.c), list(API_KEYS.c)[1:]))
        self.put_webhooks = database.writer(WideInsert(WEBHOOKS, list(WEBHOOKS.c), list(WEBHOOKS.c)[1:]))
        self.announce = database.writer(WideInsert(OUTBOX, list(OUTBOX.c), list(OUTBOX.c)[2:]))
        self.remove_announcements = database.writer(WideChange([log, OUTBOX.c.size], _remove_announcements))
        self.add_deliveries = database.writer(WideInsert(DELIVERIES, list(DELIVERIES.c), []))
        self.put_deliveries = database.writer(WideChange(list(DELIVERIES.c), _put_deliveries))
        self.remove_deliveries = database.writer(WideChange(list(DELIVERIES.primary_key), _remove_deliveries))


_HEAD: Final = (
    LOGS.c.log,
    LOGS.c.tenant,
    LOGS.c.size,
    LOGS.c.sealed_size,
    LOGS.c.checkpoint_size,
    LOGS.c.close_at,
)
# What a `HeadMove` gives, and the size of the newest checkpoint, which is 0 in a new row.
_MOVED: Final = (LOGS.c.size, LOGS.c.sealed_size, LOGS.c.close_at)
_MOVE: Final = (LOGS.c.log, LOGS.c.tenant, *_MOVED, LOGS.c.checkpoint_size)
# A `StoredCheckpoint`.
CHECKPOINT: Final = (CHECKPOINTS.c.log, CHECKPOINTS.c.size, CHECKPOINTS.c.note)
_BUNDLE: Final = (
    BUNDLES.c.log,
    BUNDLES.c.last,
    BUNDLES.c.first,
    BUNDLES.c.entries,
    BUNDLES.c.details,
)
_ENTRY: Final = (ENTRIES.c.log, ENTRIES.c.idx, ENTRIES.c.entry, ENTRIES.c.salt, ENTRIES.c.value)


def _heads(wanted: FromClause) -> Select[Any]:
    """A `Head` each: its last entry is NULL where entry `size - 1` is not the last one stored."""
    behind = ENTRIES.alias("behind")
    last = and_(
        ENTRIES.c.log == LOGS.c.log,
        ENTRIES.c.idx == LOGS.c.size - literal_column("1"),
        ~exists().where(behind.c.log == LOGS.c.log, behind.c.idx >= LOGS.c.size).correlate(LOGS),
    )
    return (
        select(*_HEAD, ENTRIES.c.entry)
        .select_from(wanted)
        .join(LOGS, LOGS.c.log == wanted.c.k0)
        .outerjoin(ENTRIES, last)
    )


def _inside(wanted: FromClause) -> ColumnElement[bool]:
    return and_(ENTRIES.c.log == wanted.c.k0, ENTRIES.c.idx >= wanted.c.k1, ENTRIES.c.idx < wanted.c.k2)


def _entries(wanted: FromClause) -> Select[Any]:
    """(log, start, end): a `StoredEntry` each, of what is not settled."""
    inside = select(*_ENTRY).select_from(wanted).join(ENTRIES, _inside(wanted))
    return inside.order_by(ENTRIES.c.log, ENTRIES.c.idx)


def _bundles(wanted: FromClause) -> Select[Any]:
    """(log, start, end, highest index that a bundle with an entry below the end can have): start, end and a `Bundle`."""
    touching = and_(
        BUNDLES.c.log == wanted.c.k0,
        BUNDLES.c.last >= wanted.c.k1,
        # The next condition says all; this one bounds the search in the index.
        BUNDLES.c.last <= wanted.c.k3,
        BUNDLES.c.first < wanted.c.k2,
    )
    found = select(wanted.c.k1, wanted.c.k2, *_BUNDLE).select_from(wanted).join(BUNDLES, touching)
    return found.order_by(BUNDLES.c.log, BUNDLES.c.last)


def _first_entries(wanted: FromClause) -> Select[Any]:
    """(log, index of its first entry that is not settled, index of its last one that is; NULL where there is none)."""
    first = select(func.min(ENTRIES.c.idx)).where(ENTRIES.c.log == wanted.c.k0).correlate(wanted)
    last = select(func.max(BUNDLES.c.last)).where(BUNDLES.c.log == wanted.c.k0).correlate(wanted)
    return select(wanted.c.k0, first.scalar_subquery(), last.scalar_subquery())


def _key_prefixes(wanted: FromClause) -> Select[Any]:
    """(log, start, end): the rows of `keys` that the entries there are to have once they are settled, if not yet there."""
    inside = and_(_inside(wanted), ENTRIES.c.key_prefix.is_not(None))
    there = and_(
        KEYS.c.log == ENTRIES.c.log, KEYS.c.key_prefix == ENTRIES.c.key_prefix, KEYS.c.idx == ENTRIES.c.idx
    )
    bearing = select(ENTRIES.c.log, ENTRIES.c.key_prefix, ENTRIES.c.idx).select_from(wanted)
    return bearing.join(ENTRIES, inside).where(~exists().where(there).correlate(ENTRIES))


def _find_keys(wanted: FromClause) -> CompoundSelect[Any]:
    """(log, key prefix, index)."""

    def among(rows: Table) -> Select[Any]:
        bears = and_(rows.c.log == wanted.c.k0, rows.c.key_prefix == wanted.c.k1)
        return select(rows.c.log, rows.c.key_prefix, rows.c.idx).select_from(wanted).join(rows, bears)

    return union_all(among(KEYS), among(ENTRIES))


def _named_logs(wanted: FromClause) -> Select[Any]:
    """A `NamedLog` each."""
    return select(CUSTOMERS).select_from(wanted).join(CUSTOMERS, CUSTOMERS.c.log == wanted.c.k0)


def _near(wanted: FromClause, by: str) -> Select[Any]:
    """(log, time or count): where that lies, for `near_times` and `near_counts`.

    Both again, first and last index of the first bundle that ends at it or behind it, the last index of the log that is
    settled, the same where an entry still stands there, which no settling leaves, its size; NULL for what there is not.
    """
    behind = BUNDLES.alias("behind")
    reaching = (
        select(behind.c.last)
        .where(behind.c.log == wanted.c.k0, behind.c[by] >= wanted.c.k1)
        .order_by(behind.c[by], behind.c.last)
        .limit(literal_column("1"))
        .offset(literal_column("0"))  # which would become a parameter
        .correlate(wanted)
    )
    # Not the first index that is not settled: on PostgreSQL the search for it passes over all that were settled since
    # the last vacuum.
    newest = BUNDLES.alias("newest")
    settled = (
        select(func.max(newest.c.last)).where(newest.c.log == wanted.c.k0).correlate(wanted).scalar_subquery()
    )
    standing = (
        select(ENTRIES.c.idx)
        .where(ENTRIES.c.log == wanted.c.k0, ENTRIES.c.idx == settled)
        .correlate(wanted)
        .scalar_subquery()
    )
    found = and_(BUNDLES.c.log == wanted.c.k0, BUNDLES.c.last == reaching.scalar_subquery())
    near = (wanted.c.k0, wanted.c.k1, BUNDLES.c.first, BUNDLES.c.last, settled, standing, LOGS.c.size)
    return (
        select(*near).select_from(wanted).outerjoin(LOGS, LOGS.c.log == wanted.c.k0).outerjoin(BUNDLES, found)
    )


def _newest_checkpoints(wanted: FromClause) -> Select[Any]:
    # By the rows themselves, not by logs.checkpoint_size: the two are compared before a new one is stored.
    newest = select(func.max(CHECKPOINTS.c.size)).where(CHECKPOINTS.c.log == wanted.c.k0).scalar_subquery()
    same = and_(CHECKPOINTS.c.log == wanted.c.k0, CHECKPOINTS.c.size == newest.correlate(wanted))
    return select(*CHECKPOINT).select_from(wanted).join(CHECKPOINTS, same)


def _checkpoints_up_to(wanted: FromClause) -> Select[Any]:
    """(log, size): the size, and a `StoredCheckpoint`."""
    lower = CHECKPOINTS.alias("lower")
    greatest = select(func.max(lower.c.size)).where(lower.c.log == wanted.c.k0, lower.c.size <= wanted.c.k1)
    same = and_(
        CHECKPOINTS.c.log == wanted.c.k0,
        CHECKPOINTS.c.size == greatest.correlate(wanted).scalar_subquery(),
    )
    return select(wanted.c.k1, *CHECKPOINT).select_from(wanted).join(CHECKPOINTS, same)


def _root_prefixes(wanted: FromClause) -> Select[Any]:
    """(log, size): both again, and the beginning of the root.

    It is compared by the caller: with it in the condition PostgreSQL would rather search the index that crosses logs.
    """
    same = and_(CHECKPOINTS.c.log == wanted.c.k0, CHECKPOINTS.c.size == wanted.c.k1)
    found = (CHECKPOINTS.c.log, CHECKPOINTS.c.size, CHECKPOINTS.c.root_prefix)
    return select(*found).select_from(wanted).join(CHECKPOINTS, same)


def _checkpoint_sizes(wanted: FromClause) -> Select[Any]:
    """(log, checkpoint_size of its head, size of its newest checkpoint or NULL)."""
    newest = select(func.max(CHECKPOINTS.c.size)).where(CHECKPOINTS.c.log == LOGS.c.log).scalar_subquery()
    return (
        select(LOGS.c.log, LOGS.c.checkpoint_size, newest)
        .select_from(wanted)
        .join(LOGS, LOGS.c.log == wanted.c.k0)
    )


def _tiles(wanted: FromClause) -> Select[Any]:
    named = and_(TILES.c.log == wanted.c.k0, TILES.c.level == wanted.c.k1, TILES.c.number == wanted.c.k2)
    return select(TILES).select_from(wanted).join(TILES, named)


def _remove_heads(key: Sequence[ColumnElement[Any]]) -> UpdateBase:
    """(log,)."""
    return delete(LOGS).where(LOGS.c.log == key[0])


def _advance_checkpoint_sizes(key: Sequence[ColumnElement[Any]]) -> UpdateBase:
    """(new size, log, old size)."""
    new, log, old = key
    advanced = update(LOGS).values(checkpoint_size=new, claimed_until=literal_column("0"))
    return advanced.where(LOGS.c.log == log, LOGS.c.checkpoint_size == old)


def _claim(key: Sequence[ColumnElement[Any]]) -> UpdateBase:
    """(until, log)."""
    until, log = key
    return update(LOGS).values(claimed_until=until).where(LOGS.c.log == log)


def _delete_entries(key: Sequence[ColumnElement[Any]]) -> UpdateBase:
    """(log, start, end)."""
    log, start, end = key
    return delete(ENTRIES).where(ENTRIES.c.log == log, ENTRIES.c.idx >= start, ENTRIES.c.idx < end)


def _remove_announcements(key: Sequence[ColumnElement[Any]]) -> UpdateBase:
    """(log, size)."""
    return delete(OUTBOX).where(OUTBOX.c.log == key[0], OUTBOX.c.size == key[1])


def _put_deliveries(key: Sequence[ColumnElement[Any]]) -> UpdateBase:
    """A `Delivery`."""
    row = dict(zip(DELIVERIES.c.keys(), key, strict=True))
    named = [each == row.pop(each.name) for each in DELIVERIES.primary_key]
    return update(DELIVERIES).values(row).where(*named)


def _remove_deliveries(key: Sequence[ColumnElement[Any]]) -> UpdateBase:
    """(log, kind, number, webhook_id)."""
    named = zip(DELIVERIES.primary_key, key, strict=True)
    return delete(DELIVERIES).where(*(each == part for each, part in named))
