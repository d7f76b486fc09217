"""What several suites need: a clock that stands where it is put, randomness from a seed, an operator, tampering."""

import atexit
import hashlib
import random
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import pytest

from counterfoil.core.ed25519 import SigningKey
from counterfoil.engine.operator import Operator
from counterfoil.engine.request import Delta
from counterfoil.errors import CounterfoilError
from counterfoil.storage import open_store
from counterfoil.storage.memory import MemoryStore
from tests import bundle_oracle

# 2026-04-01T09:00:00Z
START = 1_775_034_000_000_000
SECOND = 1_000_000


def operator_named(name="ledger.example.com", seed="signing", reference="reference"):
    return Operator(
        name,
        SigningKey(hashlib.sha256(seed.encode()).digest()),
        hashlib.sha256(reference.encode()).digest(),
    )


OPERATOR = operator_named()
KEYS = OPERATOR.keys


class FakeClock:
    """A clock that moves on by `tick` microseconds each time it is read."""

    def __init__(self, now=START, tick=1_000):
        self.now = now
        self.tick = tick

    def __call__(self):
        now = self.now
        self.now += self.tick
        return now


@cache
def empty_store_file():
    """A SQLite store with its tables and nothing in them; to copy it is faster than to migrate."""
    folder = Path(tempfile.mkdtemp(prefix="counterfoil-"))
    atexit.register(shutil.rmtree, folder)
    open_store(f"sqlite:///{folder / 'empty.db'}", clock=FakeClock(), create=True).close()
    return folder / "empty.db"


def seeded(seed=0):
    return random.Random(seed).randbytes  # noqa: S311  -- the same bytes each time


def delta(amount="10", customer="alice", reason="usage", **members):
    return Delta(customer, amount, reason, **members)


def recorded(engine, count, customer="alice", amount="1"):
    """Record so many deltas of one customer; return the answers."""
    answers = engine.record_many([delta(amount, customer) for _ in range(count)])
    assert all(not isinstance(answer, CounterfoilError) for answer in answers)
    return answers


def entries_of(store, log):
    with store.read() as view:
        head = view.heads([log]).get(log)
        return view.entries(log, 0, head.size) if head else []


@contextmanager
def refused(code, field=None):
    with pytest.raises(CounterfoilError) as caught:
        yield caught
    assert caught.value.code == code, caught.value
    if field is not None:
        assert caught.value.facts["field"] == field


def assert_refusal(answer, code, field=None):
    assert isinstance(answer, CounterfoilError), answer
    assert answer.code == code, answer
    if field is not None:
        assert answer.facts["field"] == field


def path_of(store):
    return store._database.path  # noqa: SLF001  -- whoever tampers goes round the store


def sql(store, statement, *parameters):
    """Change a SQLite store behind its back; return how many rows were changed."""
    return sql_on(path_of(store), statement, *parameters)


def sql_on(path, statement, *parameters):
    """As `sql`; the statement may call `bundle_oracle.respelled`."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.create_function("respelled", 4, bundle_oracle.respelled)
        return connection.execute(statement, parameters).rowcount


def respelled(column, old, new, where):
    """The SQL that replaces text in a column of bytes."""
    tables = {"entry": "entries", "value": "entries", "note": "checkpoints"}
    return f"UPDATE {tables[column]} SET {column} = CAST(replace(CAST({column} AS TEXT), '{old}', '{new}') AS BLOB) WHERE {where}"  # noqa: S608  -- texts of tests


def respelled_settled(column, old, new, index):
    """The SQL that replaces text in what a bundle holds of an entry."""
    return f"UPDATE bundles SET {column} = respelled({column}, {index} - first, '{old}', '{new}') WHERE {index} BETWEEN first AND last"  # noqa: S608  -- texts of tests


def erase(store, log, index):
    """Delete salt and value of an entry's details, as an erasure will; and with the open entry's the customer's name."""
    if isinstance(store, MemoryStore):
        if not index:
            del store._rows.names[log]  # noqa: SLF001  -- see below
        kept = store._rows.entries[log]  # noqa: SLF001  -- a store has no way to erase yet
        for place, row in enumerate(kept):
            if row.index == index:
                kept[place] = row._replace(salt=None, value=None)
        return
    mark = "?" if store._database.engine.dialect.paramstyle == "qmark" else "%s"  # noqa: SLF001  -- see above
    with store.write() as transaction:
        transaction.lock_heads([log])
        cursor = transaction._cursor  # noqa: SLF001  -- see above

        def run(statement, *parameters):
            cursor.execute(statement.replace("?", mark), parameters)

        run("UPDATE entries SET salt = NULL, value = NULL WHERE log = ? AND idx = ?", log, index)
        if cursor.rowcount == 0:
            run(
                "SELECT first, last, details FROM bundles WHERE log = ? AND ? BETWEEN first AND last",
                log,
                index,
            )
            first, last, details = cursor.fetchone()
            emptied = bundle_oracle.emptied(details, index - first)
            run("UPDATE bundles SET details = ? WHERE log = ? AND last = ?", emptied, log, last)
        assert cursor.rowcount == 1
        if not index:
            run("DELETE FROM customers WHERE log = ?", log)
            assert cursor.rowcount == 1
