"""A store that somebody altered: every byte that is evidence of something sealed is found by the audit.

What is not evidence is listed here by name, and so it is in docs/threat-model.md.  Both ways: an alteration that goes
unnoticed must be on the list, and one of each that is on the list must go unnoticed.
"""

import random
import shutil
import sqlite3
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import pytest
from sqlalchemy import StaticPool, create_engine
from sqlalchemy.dialects.sqlite import insert

from counterfoil.core import audit as core_audit
from counterfoil.engine.engine import Engine
from counterfoil.errors import CounterfoilError
from counterfoil.storage import open_store
from counterfoil.storage.sql.store import SqlStore
from tests.support import (
    KEYS,
    OPERATOR,
    FakeClock,
    delta,
    empty_store_file,
    erase,
    recorded,
    refused,
    seeded,
    sql_on,
)

NOT_EVIDENCE = {
    "entries: a row behind the newest checkpoint": "nothing signed covers it yet",
    "entries: salt and value of a row deleted together": "looks like an erasure",
    "tiles: hashes behind those that the newest checkpoint needs": "nothing is read from there",
    "tiles: a row that the newest checkpoint does not need": "nothing is read from there",
    "tenants: unit": "only says what unit the next log gets",
    "tenants: tenant": "only says whose unit it is",
    "tenants: a row": "only says what unit the next log gets",
    "identity: operator": "the audit takes its keys from the caller; the store is refused at start",
    "identity: public_key": "the audit takes its keys from the caller; the store is refused at start",
    "identity: reference_check": "says which reference key belongs to it; the store is refused at start",
    "identity: a row": "the audit takes its keys from the caller",
    "alembic_version: version_num": "says what tables there are; the store is refused at start",
    "alembic_version: a row": "says what tables there are; the store is refused at start",
}


class Held(sqlite3.Connection):
    """A connection whose transaction is the test's: what the store commits, the test can still undo."""

    def commit(self):
        pass

    def rollback(self):
        pass


class InMemory:
    """A database that is one connection."""

    insert_of = staticmethod(insert)
    failures = (sqlite3.Error,)

    def __init__(self, connection):
        self.engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)

    def lock(self, connection, logs):
        pass

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
        # Small: every kind of entry and of details.
        first = engine.record(delta("500", "small", "deposit", metadata={"model": "aé", "tokens": 1200}))
        engine.record(delta("-12.5", "small", effective_at="2026-03-31", reference_id="line 1"))
        engine.checkpoint("small")
        engine.record(delta("-500", "small", adjusts=first.record_id, unit="EUR"))
        recorded(engine, 1, "small")
        engine.checkpoint("small")
        engine.checkpoint("small", refresh=True)
        recorded(engine, 2, "small")
        erase(store, engine.log_of("small"), 5)
        recorded(engine, 1, "other")
        engine.checkpoint("other")
        store.close()
        self.large, self.small, self.other = map(engine.log_of, ("large", "small", "other"))

        self.connection = sqlite3.connect(":memory:", isolation_level=None, factory=Held)
        file = sqlite3.connect(path)
        file.backup(self.connection)
        file.close()
        self.engine = Engine(SqlStore(InMemory(self.connection), FakeClock()), OPERATOR)
        self.covered = dict(self.connection.execute("SELECT log, checkpoint_size FROM logs"))
        self.random = random.Random(0)  # noqa: S311  -- the same bits each time

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
        return f"{table}: {what}"

    def logs_of(self, row):
        # Where a table is of no log, any log shows that the audit does not look there.
        return {row.get("log", self.small)}

    def edits(self, table, row, *, positions=None):
        """Every alteration of each column of one row: each byte, its length, its absence, other numbers."""
        for column, value in row.items():
            for other in self.others(value, positions):
                longer = column == "hashes" and other is not None and other.startswith(value)
                what = "hashes behind those that the newest checkpoint needs" if longer else column
                edit = self.set(table, row, **{column: other})
                yield Edit(self.name_of(table, row, what), [edit], self.logs_of(row))
        if "salt" in row:
            yield from self.edits_of_details(row)
        yield from self.edits_of_presence(table, row)

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
        for copy in self.copies(table, row):
            needless = "a row that the newest checkpoint does not need" if table == "tiles" else "a row"
            yield Edit(f"{table}: {needless}", [(insert_, tuple(copy.values()))], self.logs_of(copy))

    def copies(self, table, row):
        size = self.rows("logs", f"log = x'{row['log'].hex()}'")[0]["size"] if "log" in row else 0
        yield row
        if table == "entries":
            yield from (row | {"idx": size}, row | {"idx": size + 3}, row | {"log": self.other, "idx": 3})
        elif table == "checkpoints":
            covered = self.covered[row["log"]]
            yield from (row | {"size": other} for other in (1, row["size"] - 1, row["size"] + 1, covered + 1))
            yield row | {"log": self.other, "size": 1}
        elif table == "tiles":
            yield from (row | {"number": row["number"] + 7}, row | {"level": row["level"] + 7})
        elif table == "tenants":
            yield row | {"tenant": "another"}

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


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = shutil.copy(empty_store_file(), tmp_path_factory.mktemp("tamper") / "store.db")
    made = World(path)
    yield made
    made.close()


def judge(world, edits):
    """Try all; return how many were found and refused, and the names of those that went unnoticed."""
    counts, unnoticed = {"found": 0, "refused": 0, "unnoticed": 0}, set()
    for edit in edits:
        verdict = world.verdict(edit)
        counts[verdict] += 1
        if verdict == "unnoticed":
            assert edit.name in NOT_EVIDENCE, edit
            unnoticed.add(edit.name)
    return counts, unnoticed


def test_untouched_the_logs_hold(world):
    for log in (world.large, world.small, world.other):
        assert world.engine.audit_log(log, KEYS).checkpoints >= 1


@pytest.mark.parametrize("table", ["logs", "entries", "checkpoints", "tiles"])
def test_every_byte_of_a_small_log_is_evidence_or_on_the_list(world, table):
    rows = [row for row in world.rows(table) if row["log"] == world.small]
    edits = [edit for row in rows for edit in world.edits(table, row)]
    counts, unnoticed = judge(world, [*edits, *world.swaps(table, rows)])
    assert counts["found"] > 10 * len(rows)
    assert counts["refused"]
    # Neither more nor less: an entry of the list that is found after all is taken off it.
    assert unnoticed == {name for name in NOT_EVIDENCE if name.startswith(f"{table}: ")}


def test_nothing_of_one_log_passes_for_anothers(world):
    for table in ("logs", "entries", "checkpoints", "tiles"):
        by_log = {
            log: [row for row in world.rows(table) if row["log"] == log] for log in (world.small, world.other)
        }
        pairs = zip(by_log[world.small], by_log[world.other], strict=False)
        edits = [edit for pair in pairs for edit in world.swaps(table, list(pair))]
        counts, unnoticed = judge(world, edits)
        assert counts["found"]
        assert not unnoticed


def test_every_kind_of_entry_of_a_large_log_is_evidence(world):
    """Both sides of the border between tiles; each byte of the small log stands for the rest."""

    def some(length):
        return world.random.sample(range(length), min(length, 40))

    covered = world.covered[world.large]
    for index in (0, 1, 100, 254, 255, 256, covered - 1):
        (row,) = world.rows("entries", f"log = x'{world.large.hex()}' AND idx = {index}")
        counts, unnoticed = judge(world, world.edits("entries", row, positions=some))
        assert counts["found"] > 40
        assert unnoticed <= {"entries: salt and value of a row deleted together"}


def test_every_byte_of_the_tiles_of_a_large_log_is_evidence(world, monkeypatch):
    # The entries are the same 260 in each of 8,000 audits: to read each of them once halves the time.
    monkeypatch.setattr(core_audit, "parse_entry", cache(core_audit.parse_entry))
    rows = world.rows("tiles", f"log = x'{world.large.hex()}'")
    places = [(row["level"], row["number"], len(row["hashes"]) // 32) for row in rows]
    assert sorted(places) == [(0, 0, 256), (0, 1, 2), (1, 0, 1)]
    for row in rows:
        counts, unnoticed = judge(world, world.edits("tiles", row))
        assert counts["found"] >= len(row["hashes"])
        assert unnoticed <= {
            "tiles: hashes behind those that the newest checkpoint needs",
            "tiles: a row that the newest checkpoint does not need",
        }


def test_every_byte_of_the_checkpoints_and_the_head_of_a_large_log_is_evidence(world):
    for table in ("checkpoints", "logs"):
        rows = world.rows(table, f"log = x'{world.large.hex()}'")
        counts, unnoticed = judge(
            world, [*(edit for row in rows for edit in world.edits(table, row)), *world.swaps(table, rows)]
        )
        assert counts["found"] > 40
        assert not unnoticed


@pytest.mark.parametrize("table", ["tenants", "identity", "alembic_version"])
def test_what_belongs_to_no_log_is_not_evidence(world, table):
    rows = world.rows(table)
    assert rows
    counts, unnoticed = judge(world, [edit for row in rows for edit in world.edits(table, row)])
    assert not counts["found"]
    assert unnoticed == {name for name in NOT_EVIDENCE if name.startswith(f"{table}: ")}


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE identity SET operator = 'other.example.com'", "key-mismatch"),
        ("UPDATE identity SET public_key = zeroblob(32)", "key-mismatch"),
        ("UPDATE identity SET reference_check = zeroblob(length(reference_check))", "key-mismatch"),
        ("UPDATE alembic_version SET version_num = '9999'", "unsafe-settings"),
        ("DELETE FROM alembic_version", "unsafe-settings"),
    ],
)
def test_a_store_that_says_it_is_another_is_refused_at_start(tmp_path, statement, code):
    path = shutil.copy(empty_store_file(), tmp_path / "store.db")
    url = f"sqlite:///{path}"
    store = open_store(url, clock=FakeClock())
    Engine(store, OPERATOR)
    store.close()
    assert sql_on(path, statement) == 1
    with refused(code):
        Engine(open_store(url, clock=FakeClock()), OPERATOR)


def test_every_table_was_altered(world):
    tables = {
        name for (name,) in world.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    assert tables == {"logs", "entries", "checkpoints", "tiles", "tenants", "identity", "alembic_version"}
