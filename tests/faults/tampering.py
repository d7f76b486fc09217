"""A store to be altered, and every alteration of its rows: of each byte, of numbers, of places, of what there is."""

import random
import sqlite3
import zlib
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from typing import NamedTuple

import pytest
from sqlalchemy import StaticPool, create_engine

from counterfoil.engine import checkpoint
from counterfoil.engine.engine import Engine
from counterfoil.engine.service import Announcement, ApiKey, Delivery, Webhook
from counterfoil.errors import CounterfoilError
from counterfoil.storage import open_store
from counterfoil.storage.sql import transactions
from counterfoil.storage.sql.sqlite import SqliteDatabase
from counterfoil.storage.sql.store import SqlStore
from tests import bundle_oracle
from tests.support import KEYS, OPERATOR, FakeClock, delta, erase, recorded, seeded

# Tables of a server, of which nothing is evidence.
SERVING = {"api_keys", "webhooks", "outbox", "deliveries"}


class Held(sqlite3.Connection):
    """A connection whose transaction is the test's: what the store commits, the test can still undo."""

    def commit(self):
        pass

    def rollback(self):
        pass


class InMemory(SqliteDatabase):
    """A database that is one connection."""

    failures = (sqlite3.Error,)

    def __init__(self, connection):
        self.engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)

    def turn(self):
        return nullcontext()

    def refusal(self, error, **_committing):
        raise error


class Edit(NamedTuple):
    """One alteration: its name where it is on the list of exceptions, the SQL, and the logs that are audited for it."""

    name: str
    statements: list[tuple[str, tuple]]
    logs: set[bytes]


class World:
    """A store with every kind of row, and ways to alter it and look."""

    def __init__(self, path):
        store = open_store(f"sqlite:///{path}", clock=FakeClock())
        engine = Engine(store, OPERATOR, randomness=seeded())
        engine.set_unit("EUR")
        # Large: a complete tile, and a last one of each level that is not.
        recorded(engine, 254, "large")
        engine.checkpoint("large")
        recorded(engine, 1, "large")
        engine.checkpoint("large")
        recorded(engine, 1, "large")
        # Small: every kind of entry and of details, none of them settled; and the same with all that can be.
        self.record_every_kind(engine, "small")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(checkpoint, "_SETTLED_EVERY", 1)
            patch.setattr(transactions, "_SETTLED_MIN", 1)
            self.record_every_kind(engine, "settled")
        for name in ("small", "settled"):
            erase(store, engine.log_of(name), 5)
        recorded(engine, 1, "other")
        engine.checkpoint("other")
        self.serve(store, engine.log_of("small"))
        store.close()
        self.large, self.small, self.settled, self.other = map(
            engine.log_of, ("large", "small", "settled", "other")
        )

        self.connection = sqlite3.connect(":memory:", isolation_level=None, factory=Held)
        file = sqlite3.connect(path)
        file.backup(self.connection)
        file.close()
        self.engine = Engine(SqlStore(InMemory(self.connection), FakeClock()), OPERATOR)
        self.covered = dict(self.connection.execute("SELECT log, checkpoint_size FROM logs"))
        self.random = random.Random(0)  # noqa: S311  -- the same bits each time

    def record_every_kind(self, engine, name):
        first = engine.record(delta("500", name, "deposit", metadata={"model": "aé", "tokens": 1200}))
        engine.record(delta("-12.5", name, effective_at="2026-03-31", reference_id="line 1"))
        engine.checkpoint(name)
        engine.record(delta("-500", name, adjusts=first.record_id, unit="EUR"))
        recorded(engine, 1, name)
        engine.checkpoint(name)
        engine.checkpoint(name, refresh=True)
        recorded(engine, 2, name)

    def serve(self, store, log):
        """What a server has: a row of each kind."""
        with store.write() as transaction:
            transaction.put_api_key(ApiKey("key", "default", "live", "", "read", bytes(32), 5, 9, 7))
            transaction.put_webhook(Webhook("hook", "default", "https://example.com", "", 2, 7, 5))
            transaction.announce([Announcement(log, 4, 2, "default")])
            delivery = Delivery(log, "delta.verified", 1, "hook", "default", "pending", 3, 9, 5, "")
            transaction.add_deliveries([delivery])

    def close(self):
        self.connection.close()

    @contextmanager
    def altered(self, statements):
        self.connection.execute("SAVEPOINT before")
        try:
            for statement, parameters in statements:
                assert self.connection.execute(statement, parameters).rowcount == 1
            yield
        finally:
            self.connection.execute("ROLLBACK TO before")
            self.connection.execute("RELEASE before")

    def verdict(self, edit):
        """Say what becomes of an alteration: `refused` by the database, `found` by the audit, or `unnoticed`."""
        try:
            with self.altered(edit.statements):
                for log in sorted(edit.logs):
                    # Anything but a listed refusal comes through and fails the test.
                    self.engine.audit_log(log, KEYS)
        except sqlite3.IntegrityError:
            return "refused"
        except CounterfoilError:
            return "found"
        return "unnoticed"

    # Which rows there are, and which alterations of them.

    def rows(self, table, where="1"):
        cursor = self.connection.execute(f"SELECT * FROM {table} WHERE {where}")  # noqa: S608  -- the test's own
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def keys(self, table):
        described = self.connection.execute(f"PRAGMA table_info({table})")
        return [name for _, name, _, _, _, place in described if place]

    def set(self, table, row, **values):
        """The statement that sets some columns of a row."""
        keys = self.keys(table)
        columns = ", ".join(f"{name} = ?" for name in values)
        where = " AND ".join(f"{name} = ?" for name in keys)
        statement = f"UPDATE {table} SET {columns} WHERE {where}"  # noqa: S608  -- names of the schema
        return statement, (*values.values(), *(row[name] for name in keys))

    def name_of(self, table, row, what):
        if table == "entries" and row["idx"] >= self.covered[row["log"]]:
            return "entries: a row behind the newest checkpoint"
        if table in SERVING:
            return f"{table}: anything"
        return f"{table}: {what}"

    def size_of(self, row):
        return self.rows("logs", f"log = x'{row['log'].hex()}'")[0]["size"] if "log" in row else 0

    def logs_of(self, row):
        # Where a table is of no log, any log shows that the audit does not look there.
        return {row.get("log", self.small)}

    def edits(self, table, row, *, positions=None):
        """Every alteration of each column of one row: each byte, its length, its absence, other numbers."""
        for column, value in row.items():
            for other in self.others(value, positions):
                edit = self.set(table, row, **{column: other})
                what = self.what_changes(table, row, column, other)
                yield Edit(self.name_of(table, row, what), [edit], self.logs_of(row))
        if "salt" in row:
            yield from self.edits_of_details(row)
        if table == "bundles":
            yield from self.edits_of_content(row, positions)
        yield from self.edits_of_presence(table, row)

    def what_changes(self, table, row, column, other):
        """The name of a change of a column: the column's own, where what it says is not what it was."""
        if column == "hashes" and other is not None and other.startswith(row[column]):
            return "hashes behind those that the newest checkpoint needs"
        if column == "key_prefix" and row[column] is None:
            return "key_prefix of an entry without a key"
        if table == "bundles" and column in ("entries", "details"):
            try:
                if bundle_oracle.split(other) == bundle_oracle.split(row[column]):
                    return "the same, packed otherwise"
            except (ValueError, TypeError, zlib.error):
                pass
        if column == "count" and not any(
            b'"amount"' in entry for entry in bundle_oracle.split(row["entries"])
        ):
            return "count of a bundle without a delta"
        return column

    def edits_of_content(self, row, positions=None, places=None):
        """Every alteration of each entry in a bundle, and of its details, packed again."""
        found = {column: bundle_oracle.split(row[column]) for column in ("entries", "details")}

        def edit(column, parts, what=None):
            changed = self.set("bundles", row, **{column: bundle_oracle.join(parts)})
            return Edit(f"bundles: {what or column}", [changed], self.logs_of(row))

        for column, parts in found.items():
            yield edit(column, parts, "the same, packed otherwise")
            yield edit(column, parts[:-1])
            yield edit(column, [*parts, b""])
            yield edit(column, [*parts, parts[0]])
            yield edit(column, found["details" if column == "entries" else "entries"])
            for place, part in enumerate(parts):
                if places is not None and place not in places:
                    continue
                before, behind = parts[:place], parts[place + 1 :]
                for other in self.others(part, positions):
                    if other and other != part:
                        yield edit(column, [*before, other, *behind])
                if column == "entries":
                    yield edit(column, [*before, b"", *behind])
                else:
                    yield edit(column, [*before, bytes(32) + b'{"reason":"forged"}', *behind])
                    yield edit(column, [*before, b"x", *behind])
                    if part:
                        yield edit(column, [*before, b"", *behind], "details of one entry emptied")
                if behind and part != behind[0]:
                    yield edit(column, [*before, behind[0], part, *behind[1:]])

    def others(self, value, positions):
        if value is None:
            yield from (0, bytes(32))
            return
        yield None
        if isinstance(value, int):
            yield from {value + 1, value - 1, 0, 1, -1, 2**62, value ^ 1 << 40} - {value}
            return
        encoded = value.encode() if isinstance(value, str) else value
        made = [encoded[:-1], encoded + b"0", b"", encoded + encoded]
        for position in range(len(encoded)) if positions is None else positions(len(encoded)):
            # The lowest bits alone, so that text stays text.
            changed = bytearray(encoded)
            changed[position] ^= self.random.randrange(1, 16)
            made.append(bytes(changed))
        for each in made:
            yield each.decode("utf-8", "replace") if isinstance(value, str) else each

    def edits_of_details(self, row):
        logs = self.logs_of(row)
        if row["salt"] is not None:
            name = self.name_of("entries", row, "salt and value of a row deleted together")
            yield Edit(name, [self.set("entries", row, salt=None, value=None)], logs)
        forged = self.set("entries", row, salt=bytes(32), value=b'{"reason":"forged"}')
        yield Edit(self.name_of("entries", row, "details"), [forged], logs)

    def edits_of_presence(self, table, row):
        """The row deleted, and its copy inserted in other places."""
        keys = self.keys(table)
        where = " AND ".join(f"{name} = ?" for name in keys)
        delete = f"DELETE FROM {table} WHERE {where}"  # noqa: S608  -- names of the schema
        name = self.name_of(table, row, "a row")
        yield Edit(name, [(delete, tuple(row[name] for name in keys))], self.logs_of(row))
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        insert_ = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608  -- names of the schema
        needless = {
            "tiles": "a row that the newest checkpoint does not need",
            "keys": "a row that no entry bears",
            **dict.fromkeys(SERVING, "anything"),
        }.get(table, "a row")
        for copy in self.copies(table, row):
            if table == "bundles":
                needless = self.what_a_bundle_more_is(copy)
            yield Edit(f"{table}: {needless}", [(insert_, tuple(copy.values()))], self.logs_of(copy))

    def what_a_bundle_more_is(self, row):
        if row["first"] >= self.size_of(row):
            return "a row behind the last entry"
        reads = len(bundle_oracle.split(row["entries"])) == row["last"] - row["first"] + 1
        return "a row" if reads else "a row more that does not unpack"

    def copies(self, table, row):
        size = self.size_of(row)
        yield row
        if table == "entries":
            yield from (row | {"idx": size}, row | {"idx": size + 3}, row | {"log": self.other, "idx": 3})
        elif table == "bundles":
            width = row["last"] - row["first"]
            for first in (row["first"] + 1, row["last"] + 1, size - 1, size, size + 7):
                yield row | {"first": first, "last": first + width}
            yield row | {"first": row["first"], "last": row["last"] + 1}
            yield row | {"log": self.other}
        elif table == "keys":
            yield from (row | {"idx": row["idx"] + 1}, row | {"key_prefix": row["key_prefix"] + 1})
        elif table == "checkpoints":
            covered = self.covered[row["log"]]
            yield from (row | {"size": other} for other in (1, row["size"] - 1, row["size"] + 1, covered + 1))
            yield row | {"log": self.other, "size": 1}
        elif table == "tiles":
            yield from (row | {"number": row["number"] + 7}, row | {"level": row["level"] + 7})
        elif table == "tenants":
            yield row | {"tenant": "another"}
        elif table in SERVING:
            name = self.keys(table)[-1]
            yield row | {name: row[name] + (1 if isinstance(row[name], int) else "-2")}

    def swaps(self, table, rows):
        """Each column exchanged between neighbours; where it is part of the key, so are their places."""
        keys = self.keys(table)
        for one, two in pairwise(rows):
            for column in one:
                if one[column] == two[column]:
                    continue
                tail = any("behind" in self.name_of(table, row, "") for row in (one, two))
                name = "entries: a row behind the newest checkpoint" if tail else f"{table}: {column}"
                aside = bytes(20) if isinstance(one[column], bytes) else 2**61
                steps = [(one, aside), (two, one[column]), (one | {column: aside}, two[column])]
                if column not in keys:
                    steps = [(one, two[column]), (two, one[column])]
                statements = [self.set(table, row, **{column: value}) for row, value in steps]
                yield Edit(name, statements, self.logs_of(one) | self.logs_of(two))
