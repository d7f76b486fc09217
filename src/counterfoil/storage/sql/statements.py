"""Reads and writes of many rows at once.

A read that takes a list of keys joins it as `WITH wanted (...) AS (VALUES ...)`: SQLite looks each of them up in the
index.  For the shorter `(log, key_prefix) IN (VALUES ...)` it reads the whole index instead; a test holds the plans.

Both kinds of statement are made into text once and run on the driver's cursor with the rows as they are: SQLAlchemy's
own execution costs several times what SQLite does for a row that is found by its key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    CTE,
    Select,
    and_,
    bindparam,
    column,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
    values,
)

from counterfoil.storage.sql.schema import CHECKPOINTS, ENTRIES, IDENTITY, LOGS, TENANTS, TILES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Column, Dialect, Table
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.engine.interfaces import DBAPICursor
    from sqlalchemy.sql.dml import UpdateBase

    # `INSERT ... ON CONFLICT` is not standard SQL, but these two write it alike.
    InsertOf = Callable[[Table], sqlite.Insert] | Callable[[Table], postgresql.Insert]

# Lengths of a list that a text is made for.  Beyond 256 a key costs no less.
_LENGTHS: Final = (1, 16, 256)


class WideRead:
    """A read by many keys.

    Attributes:
        dialect: whose text to write.
        key: the columns whose types the parts of a key have.
        filler: a key that no row has; it fills a list up to the next length.
        build: makes the statement from the table of wanted keys, whose columns are k0, k1, ...
    """

    def __init__(
        self,
        dialect: Dialect,
        key: Sequence[Column[Any]],
        filler: tuple[object, ...],
        build: Callable[[CTE], Select[Any]],
    ) -> None:
        self.dialect = dialect
        self.key = key
        self.filler = filler
        self.build = build
        self._texts: dict[int, str] = {}

    def text(self, length: int) -> str:
        """Return the statement for a list of this length."""
        if length not in self._texts:
            columns = [column(f"k{place}", part.type) for place, part in enumerate(self.key)]
            wanted = values(*columns, name="wanted").data([self.filler] * length).cte("wanted")
            self._texts[length] = str(self.build(wanted).compile(dialect=self.dialect))
        return self._texts[length]

    def rows(self, cursor: DBAPICursor, keys: Sequence[tuple[object, ...]]) -> list[Any]:
        """Return the rows of the keys; a key that stands twice gives its rows twice."""
        found: list[Any] = []
        for start in range(0, len(keys), _LENGTHS[-1]):
            chunk = keys[start : start + _LENGTHS[-1]]
            length = next(length for length in _LENGTHS if length >= len(chunk))
            parts = [part for key in chunk for part in key]
            parts.extend(self.filler * (length - len(chunk)))
            cursor.execute(self.text(length), tuple(parts))
            found.extend(cursor.fetchall())
        return found


class WideWrite:
    """A write of many rows, each a tuple in the order of the statement's parameters."""

    def __init__(self, dialect: Dialect, statement: UpdateBase) -> None:
        self._text = str(statement.compile(dialect=dialect))

    def run(self, cursor: DBAPICursor, rows: Sequence[tuple[object, ...]]) -> None:
        """Write the rows."""
        # The driver takes plain tuples a fifth faster than named ones.
        cursor.executemany(self._text, list(map(tuple, rows)))


class Statements:
    """Every statement over many rows, for one dialect."""

    def __init__(self, dialect: Dialect, insert_of: InsertOf) -> None:
        self.heads = WideRead(dialect, [LOGS.c.log], (b"",), _heads)
        self.entries_of = WideRead(
            dialect, [LOGS.c.log, ENTRIES.c.idx, ENTRIES.c.idx], (b"", 0, 0), _entries_of
        )
        self.find_keys = WideRead(dialect, [ENTRIES.c.log, ENTRIES.c.key_prefix], (b"", 0), _find_keys)
        self.newest_checkpoints = WideRead(dialect, [LOGS.c.log], (b"",), _newest_checkpoints)
        self.checkpoint_sizes = WideRead(dialect, [LOGS.c.log], (b"",), _checkpoint_sizes)
        self.tiles = WideRead(dialect, [TILES.c.log, TILES.c.level, TILES.c.number], (b"", 0, 0), _tiles)

        self.append = WideWrite(dialect, insert(ENTRIES))
        self.move_heads = WideWrite(dialect, _move_heads(insert_of))
        self.put_checkpoints = WideWrite(dialect, insert(CHECKPOINTS))
        self.advance_checkpoint_sizes = WideWrite(dialect, _advance_checkpoint_sizes())
        self.put_tiles = WideWrite(dialect, _upsert(insert_of, TILES))
        self.set_identity = WideWrite(dialect, insert(IDENTITY))
        self.set_tenant_unit = WideWrite(dialect, _upsert(insert_of, TENANTS))


def _heads(wanted: CTE) -> Select[Any]:
    """(log, tenant, size, sealed_size, checkpoint_size, entry `size - 1` or NULL where that is not the last)."""
    behind = ENTRIES.alias("behind")
    last = and_(
        ENTRIES.c.log == LOGS.c.log,
        ENTRIES.c.idx == LOGS.c.size - literal_column("1"),
        ~exists().where(behind.c.log == LOGS.c.log, behind.c.idx >= LOGS.c.size).correlate(LOGS),
    )
    return (
        select(LOGS, ENTRIES.c.entry)
        .select_from(wanted)
        .join(LOGS, LOGS.c.log == wanted.c.k0)
        .outerjoin(ENTRIES, last)
    )


def _entries_of(wanted: CTE) -> Select[Any]:
    inside = and_(ENTRIES.c.log == wanted.c.k0, ENTRIES.c.idx >= wanted.c.k1, ENTRIES.c.idx < wanted.c.k2)
    return select(ENTRIES).select_from(wanted).join(ENTRIES, inside).order_by(ENTRIES.c.log, ENTRIES.c.idx)


def _find_keys(wanted: CTE) -> Select[Any]:
    bears = and_(ENTRIES.c.log == wanted.c.k0, ENTRIES.c.key_prefix == wanted.c.k1)
    return select(ENTRIES).select_from(wanted).join(ENTRIES, bears).order_by(ENTRIES.c.log, ENTRIES.c.idx)


def _newest_checkpoints(wanted: CTE) -> Select[Any]:
    # By the rows themselves, not by logs.checkpoint_size: the two are compared before a new one is stored.
    newest = select(func.max(CHECKPOINTS.c.size)).where(CHECKPOINTS.c.log == wanted.c.k0).scalar_subquery()
    same = and_(CHECKPOINTS.c.log == wanted.c.k0, CHECKPOINTS.c.size == newest.correlate(wanted))
    return select(CHECKPOINTS).select_from(wanted).join(CHECKPOINTS, same)


def _checkpoint_sizes(wanted: CTE) -> Select[Any]:
    """(log, checkpoint_size of its head, size of its newest checkpoint or NULL)."""
    newest = select(func.max(CHECKPOINTS.c.size)).where(CHECKPOINTS.c.log == LOGS.c.log).scalar_subquery()
    return (
        select(LOGS.c.log, LOGS.c.checkpoint_size, newest)
        .select_from(wanted)
        .join(LOGS, LOGS.c.log == wanted.c.k0)
    )


def _tiles(wanted: CTE) -> Select[Any]:
    named = and_(TILES.c.log == wanted.c.k0, TILES.c.level == wanted.c.k1, TILES.c.number == wanted.c.k2)
    return select(TILES).select_from(wanted).join(TILES, named)


def _move_heads(insert_of: InsertOf) -> UpdateBase:
    """(log, tenant, size, sealed_size), into a new row or the one that is there."""
    row = insert_of(LOGS).values(
        log=bindparam("log"),
        tenant=bindparam("tenant"),
        size=bindparam("size"),
        sealed_size=bindparam("sealed_size"),
        checkpoint_size=literal_column("0"),
    )
    moved = {"size": row.excluded.size, "sealed_size": row.excluded.sealed_size}
    return row.on_conflict_do_update(index_elements=[LOGS.c.log], set_=moved)


def _upsert(insert_of: InsertOf, table: Table) -> UpdateBase:
    """A whole row, in place of the one with the same key."""
    row = insert_of(table)
    kept = {each.name: row.excluded[each.name] for each in table.columns if not each.primary_key}
    return row.on_conflict_do_update(index_elements=list(table.primary_key), set_=kept)


def _advance_checkpoint_sizes() -> UpdateBase:
    return (
        update(LOGS)
        .values(checkpoint_size=bindparam("new"))
        .where(LOGS.c.log == bindparam("of"), LOGS.c.checkpoint_size == bindparam("old"))
    )
