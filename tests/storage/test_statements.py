"""Every statement that serves one log names that log and no other, and finds its rows by it: so tables can be sharded by log.

Statements are overheard at the driver, whoever runs them.
"""

# ruff: noqa: SLF001  -- looks at the connection behind a transaction

import re
from contextlib import closing, contextmanager, suppress
from itertools import count
from typing import NamedTuple

import psycopg
import pytest
from sqlalchemy import event
from tests.support import OPERATOR, SECOND, delta, seeded

from counterfoil.engine.engine import Engine
from counterfoil.engine.service import (
    Announcement,
    ApiKey,
    Delivery,
    ServiceReading,
    ServiceWriting,
    Webhook,
)
from counterfoil.engine.store import (
    HeadMove,
    Identity,
    NamedLog,
    NewCheckpoint,
    NewEntry,
    ReadTransaction,
    TileKey,
    WriteTransaction,
)
from counterfoil.errors import CounterfoilError
from counterfoil.storage import open_store
from counterfoil.storage.memory import MemoryStore
from counterfoil.storage.sql import postgres as module
from counterfoil.storage.sql.postgres import ArrayReader, ArrayWriter
from counterfoil.storage.sql.schema import METADATA

# What grows with records; the others hold a row a tenant, or few, or one.
GROWING = {
    "logs", "customers", "entries", "bundles", "keys", "checkpoints", "tiles", "outbox", "deliveries",
}  # fmt: skip
# The methods of a transaction that look at more than one log: lists, what workers take, the look-up of a root.
CROSSING = {
    "logs", "logs_with_work", "claim", "claim_furthest_behind", "claim_to_close", "customers", "count_customers",
    "checkpoints_by_root", "deliveries", "count_deliveries", "remove_webhook", "take_announcements", "take_deliveries",
    "prune_deliveries",
}  # fmt: skip

LOG = OPERATOR.log_of("default", "alice")
WEBHOOK = Webhook("hook", "default", "https://example.com", "delta.verified", 1, None, 1)
DELIVERY = Delivery(LOG, "delta.verified", 1, "hook", "default", "pending", 0, 1, 1, "")
# They stand right before and right behind it in every index.
NEIGHBOURS = [(int.from_bytes(LOG, "big") + step).to_bytes(20, "big") for step in (-1, 1)]
# What statements call a table that they look at twice.
ALIASES = ("behind", "lower")
TABLE = re.compile(rf"\b({'|'.join(GROWING)})\b")


def test_each_table_grows_or_does_not():
    assert METADATA.tables.keys() == GROWING | {"identity", "tenants", "api_keys", "webhooks"}
    for name in GROWING:
        assert next(iter(METADATA.tables[name].primary_key)).name == "log"
        assert not METADATA.tables[name].foreign_keys


# Overhearing.


class Statement(NamedTuple):
    """What the driver was handed: text and parameters; on SQLite the parameters stand in the text."""

    text: str
    parameters: object

    @property
    def logs(self):
        """All logs that it names: nothing else has 20 bytes."""
        written = (
            bytes.fromhex(found) for found in re.findall(r"x'([0-9a-f]{40})'", self.text, re.IGNORECASE)
        )
        return {
            *written,
            *(part for part in _flat(self.parameters) if isinstance(part, bytes) and len(part) == 20),
        }


def _flat(parameters):
    if isinstance(parameters, dict):
        parameters = parameters.values()
    parameters = getattr(parameters, "obj", parameters)  # psycopg.Binary
    if parameters is None or isinstance(parameters, bytes | str | int):
        yield parameters
    else:
        for part in parameters:
            yield from _flat(part)


def overheard_by(heard):
    """Return a cursor of psycopg that writes down what it is asked."""

    class Cursor(psycopg.Cursor):
        def execute(self, query, params=None, **options):
            heard.append(Statement(query, params))
            return super().execute(query, params, **options)

        @contextmanager
        def copy(self, statement, params=None, **options):
            rows = []
            heard.append(Statement(statement, rows))
            with super().copy(statement, params, **options) as copy:
                write_row = copy.write_row

                def overheard(row):
                    rows.append(row)
                    write_row(row)

                copy.write_row = overheard
                yield copy

    return Cursor


@contextmanager
def overhearing(store):
    """Give the list of statements that the store runs; those on tables that do not grow are left out."""
    engine = store._database.engine
    heard, kept = [], []

    def connected(connection, _record):
        if isinstance(connection, psycopg.Connection):
            connection.cursor_factory = overheard_by(heard)
        else:
            connection.set_trace_callback(lambda text: heard.append(Statement(text, ())))

    event.listen(engine, "connect", connected)
    # The connections that there are do not tell.
    engine.dispose()
    try:
        yield kept
    finally:
        event.remove(engine, "connect", connected)
        engine.dispose()
        kept += [each for each in heard if TABLE.search(each.text)]


# What finds rows by their log.


def strays(store, statement):
    """Return the steps of a statement's plan that look at more than one log."""
    if statement.text.startswith("COPY"):
        return []
    with store.read() as view:
        cursor = view._cursor
        if isinstance(cursor, psycopg.Cursor):
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement.text}", statement.parameters)
            (((plan,),),) = cursor.fetchall()
            return [node for node in nodes_of(plan["Plan"]) if is_stray(node)]
        cursor.execute(f"EXPLAIN QUERY PLAN {statement.text}")
        steps = [detail for *_, detail in cursor.fetchall()]
        return [
            step
            for step in steps
            if re.match(rf"(SCAN|SEARCH) ({'|'.join(ALIASES)}|{'|'.join(GROWING)})\b", step)
            and "(log=?" not in step
        ]


def nodes_of(plan):
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes_of(each)


def is_stray(node):
    if node.get("Relation Name") not in GROWING or not node["Node Type"].endswith("Scan"):
        return False
    found_by = node.get("Index Cond") or node.get("Recheck Cond") or ""
    return not re.search(r"\blog = |= (\w+\.)?log\b", found_by)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, clock):
    # Two lives are compared, so that time goes on only where it is said to.
    clock.tick = 0
    return request.getfixturevalue(f"{request.param}_store")


# The life of one log.


def life(engine, clock, before):
    """Do all that is done to a log; yield what each step answers; call `before` between the steps."""

    def record(amount, key, **members):
        answer = engine.record(delta(amount, idempotency_key=key, **members))
        return answer._replace(replayed=False), answer.replayed

    def record_many(count):
        return engine.record_many([delta("1", idempotency_key=f"many-{number}") for number in range(count)])

    def receipt(index):
        return engine.receipt(f"0x{LOG.hex()}.{index}")

    steps = [
        lambda: record("10", "first"),
        lambda: record("-3", "later"),
        lambda: record("10", "first"),
        lambda: engine.checkpoint("alice"),
        lambda: receipt(1),
        lambda: record("5", "adjusting", adjusts=f"0x{LOG.hex()}.1"),
        # So many that they are copied, and settled at the next checkpoint.
        lambda: record_many(600),
        lambda: engine.checkpoint("alice"),
        lambda: record("10", "first"),
        lambda: record_many(600),
        lambda: engine.checkpoint("alice", refresh=True),
        lambda: engine.checkpoint("alice"),
        lambda: receipt(300),
        lambda: receipt(2),
        lambda: engine.consistency_file("alice", 4),
        lambda: engine.customer("alice"),
        lambda: list(engine.checkpoints("alice")),
        lambda: engine.verify_record(f"0x{LOG.hex()}.1"),
        lambda: engine.audit("alice", OPERATOR.keys),
        lambda: len(list(engine.receipts("alice"))),
    ]
    for step in steps:
        before()
        clock.now += SECOND
        yield step()


def test_no_statement_of_one_logs_life_looks_at_another_log(store, clock):
    engine = Engine(store, OPERATOR, randomness=seeded())
    with store.write() as transaction:
        # So that there is somebody to announce to.
        transaction.put_webhook(WEBHOOK)
    with overhearing(store) as heard:
        answers = list(life(engine, clock, lambda: None))
    assert not any(isinstance(answer, CounterfoilError) for answer in answers)
    assert len(heard) > 100
    # Who delivers takes what there is of any log.
    assert {name for each in heard for name in TABLE.findall(each.text)} == GROWING - {"deliveries"}
    for text in {each.text: each for each in heard}.values():
        assert text.logs == {LOG}, text
        assert strays(store, text) == [], text


# What each method of a transaction asks.

CALLS = {
    "identity": lambda t: t.identity(),
    "tenant_unit": lambda t: t.tenant_unit("default"),
    "heads": lambda t: t.heads([LOG]),
    "logs": lambda t: t.logs("default", limit=9),
    "logs_with_work": lambda t: t.logs_with_work("default", limit=9),
    "entries": lambda t: t.entries(LOG, 0, 9),
    "entries_of": lambda t: t.entries_of([(LOG, 0, 9), (LOG, 12, 20)]),
    "near_times": lambda t: t.near_times([(LOG, 1), (LOG, 2)]),
    "near_counts": lambda t: t.near_counts([(LOG, 1), (LOG, 2)]),
    "customers": lambda t: t.customers("default", search="a", limit=9),
    "count_customers": lambda t: t.count_customers("default", search="a"),
    "named_logs": lambda t: t.named_logs([LOG]),
    "find_keys": lambda t: t.find_keys([(LOG, 1), (LOG, 2)]),
    "checkpoints": lambda t: t.checkpoints(LOG, limit=9),
    "checkpoint": lambda t: t.checkpoint(LOG, 9),
    "newest_between": lambda t: t.newest_between(LOG, 0, 9, limit=9),
    "checkpoints_up_to": lambda t: t.checkpoints_up_to([(LOG, 1), (LOG, 2)]),
    "checkpoints_by_root": lambda t: t.checkpoints_by_root(1, limit=9),
    "find_roots": lambda t: t.find_roots([(LOG, 1, 2)]),
    "newest_checkpoints": lambda t: t.newest_checkpoints([LOG]),
    "tiles": lambda t: t.tiles([TileKey(LOG, 0, 0)]),
    "now": lambda t: t.now(),
    "lock_heads": lambda t: t.lock_heads([LOG]),
    "append": lambda t: t.append(
        [NewEntry(LOG, 0, b"entry", 1, None, None)], [HeadMove(LOG, "default", 1, 0, 1)]
    ),
    "name_customers": lambda t: t.name_customers([NamedLog(LOG, "default", "alice")]),
    "settle": lambda t: t.settle({LOG: 1}),
    "claim": lambda t: t.claim(1, 2, limit=9),
    "claim_furthest_behind": lambda t: t.claim_furthest_behind(1, 2),
    "claim_to_close": lambda t: t.claim_to_close(1, 2, limit=9),
    "put_checkpoints": lambda t: t.put_checkpoints([NewCheckpoint(LOG, 0, 1, b"note", 0)]),
    "put_tiles": lambda t: t.put_tiles({TileKey(LOG, 0, 0): bytes(32)}),
    "set_identity": lambda t: t.set_identity(Identity("operator", bytes(32), bytes(32))),
    "set_tenant_unit": lambda t: t.set_tenant_unit("default", "credits"),
    "api_key": lambda t: t.api_key("key"),
    "api_keys": lambda t: t.api_keys(),
    "webhooks": lambda t: t.webhooks("default"),
    "deliveries": lambda t: t.deliveries("default", None, offset=0, limit=9),
    "count_deliveries": lambda t: t.count_deliveries("default", "failed"),
    "deliveries_of": lambda t: t.deliveries_of(LOG, "delta.verified", 1),
    "put_api_key": lambda t: t.put_api_key(
        ApiKey("key", "default", "live", "", "read", bytes(32), 1, None, None)
    ),
    "put_webhook": lambda t: t.put_webhook(WEBHOOK),
    "remove_webhook": lambda t: t.remove_webhook("hook"),
    "announce": lambda t: t.announce([Announcement(LOG, 2, 1, "default")]),
    "take_announcements": lambda t: t.take_announcements(9),
    "remove_announcements": lambda t: t.remove_announcements([Announcement(LOG, 2, 1, "default")]),
    "add_deliveries": lambda t: t.add_deliveries([DELIVERY]),
    "take_deliveries": lambda t: t.take_deliveries("hook", 1, 2, limit=9),
    "put_deliveries": lambda t: t.put_deliveries([DELIVERY]),
    "prune_deliveries": lambda t: t.prune_deliveries(1, limit=9),
}


def methods():
    return {
        name: method
        for kind in (ServiceReading, ServiceWriting, ReadTransaction, WriteTransaction)
        for name, method in vars(kind).items()
        if not name.startswith("_")
    }


def test_the_methods_that_cross_logs_are_those_that_say_so(store):
    assert CALLS.keys() == methods().keys()
    crossing = set()
    for name, call in CALLS.items():
        with overhearing(store) as heard, store.write() as transaction:
            call(transaction)
        if any(each.logs != {LOG} or strays(store, each) for each in heard):
            crossing.add(name)
    assert crossing == CROSSING
    assert {name for name, method in methods().items() if "Crosses logs" in method.__doc__} == CROSSING


def test_what_stands_in_other_logs_changes_nothing(store, clock):
    """Rows of the log itself, under its neighbours' names and with nonsense in them, before every step."""
    engine = Engine(store, OPERATOR, randomness=seeded())
    began = clock.now
    sizes = count()
    steps = []

    def nonsense():
        number = next(sizes)
        for log in NEIGHBOURS:
            with store.write() as transaction:
                transaction.lock_heads([log])
                row = NewEntry(log, number, b"nonsense", number, bytes(32), b"nonsense")
                transaction.append([row], [HeadMove(log, "default", number + 1, number + 1, 0)])
                transaction.put_tiles({TileKey(log, level, 0): bytes([number]) * 32 for level in range(3)})
                transaction.put_checkpoints([NewCheckpoint(log, number, number + 1, b"nonsense", 0)])
        steps.append(rows_of(store, number + 1))

    with_neighbours = list(life(engine, clock, nonsense))
    assert rows_of(store, len(steps)) == steps[-1]
    clock.now = began
    assert (
        list(life(Engine(MemoryStore(clock), OPERATOR, randomness=seeded()), clock, lambda: None))
        == with_neighbours
    )


def rows_of(store, size):
    """Return all that the neighbours have."""
    with store.read() as view:
        return (
            view.heads(NEIGHBOURS),
            [view.entries(log, 0, size) for log in NEIGHBOURS],
            [view.checkpoints(log, limit=size) for log in NEIGHBOURS],
            view.tiles([TileKey(log, level, 0) for log in NEIGHBOURS for level in range(3)]),
        )


# Plans of tables with many rows.

ROWS = 100_000
MANY_LOGS = 20
KEYS_AT_ONCE = (1, 100, 1_000)
# As many rows in every table, of a few logs; in the table of logs as many logs.
FILL = {
    "logs": "named(n), 't', 10000, 10000, 10000, 1",
    "entries": "named(n % {logs}), n / {logs}, int8send(n), n",
    "keys": "named(n % {logs}), n, n / {logs}",
    "bundles": "named(n % {logs}), n / {logs} * 256 + 255, n / {logs} * 256, 'e', 'd', n, n",
    "checkpoints": "named(n % {logs}), n / {logs} + 1, 'note', n",
    "customers": "named(n), 't', n",
    "outbox": "named(n % {logs}), n / {logs}, 0, 't'",
    "deliveries": "named(n % {logs}), 'a', n / {logs}, 'hook-' || n % 3, 't',"
    " CASE n % 2 WHEN 0 THEN 'pending' ELSE 'failed' END, 0, n, n, ''",
    "tiles": "named(n % {logs}), 0, n / {logs}, sha256('hash')",
}
NAMED = "CREATE FUNCTION named(bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$SELECT substr(sha256(int8send($1)), 1, 20)$$"
# What crosses logs, and the index that holds what it looks for.
LISTS = {
    "logs": "logs_by_tenant",
    "logs_with_work": "logs_with_work",
    "claim": "logs_with_work",
    "claim_furthest_behind": "logs_with_work",
    "claim_to_close": "logs_to_close",
    "customers": "customers_by_id",
    "count_customers": "customers_by_id",
    "checkpoints_by_root": "checkpoints_by_root",
    "deliveries": "deliveries_by_tenant",
    "count_deliveries": "deliveries_by_tenant",
    "remove_webhook": "deliveries_pending",
    "take_announcements": "outbox_pkey",
    "take_deliveries": "deliveries_pending",
    "prune_deliveries": "deliveries_settled",
}


@pytest.fixture
def fresh_store(postgres_store_url):
    """A store that the server has no statistics of."""
    with closing(open_store(postgres_store_url, clock=None)) as store:
        yield store


class UndoneError(Exception):
    """Nothing of what a test filled in is to stay."""


@contextmanager
def full(store):
    """Give a cursor on full tables, of which nobody else ever sees anything, nor the server's statistics before ANALYZE."""
    with suppress(UndoneError), store.write() as transaction:
        transaction._cursor.execute(NAMED)
        for table, row in FILL.items():
            row_n = row.format(logs=MANY_LOGS)
            transaction._cursor.execute(
                f"INSERT INTO {table} SELECT {row_n} FROM generate_series(1, {ROWS}) AS n"  # noqa: S608  -- from above
            )
        yield transaction._cursor
        raise UndoneError


def lists_for(text, count):
    """Return lists as a statement takes them, of logs that are there and of numbers."""
    parts = {
        "bytea": [f"named({place % MANY_LOGS})" for place in range(count)],
        "bigint": map(str, range(count)),
        "text": ["'t'"] * count,
    }
    lists = {kind: f"ARRAY[{', '.join(each)}]::{kind}[]" for kind, each in parts.items()}
    return ", ".join(lists[kind] for kind in re.findall(r"%b::(\w+)\[\]", text))


def strays_among(cursor, statements):
    """Return (name, ...) of each step that does not find rows by their log, for lists of any length."""
    found = []
    for name, text in statements.items():
        numbers = count()
        cursor.execute("PREPARE probe AS " + re.sub("%b", lambda _: f"${next(numbers) + 1}", text))  # noqa: B023  -- called at once
        # As the first few times, and as later, when the server no longer looks at what the lists hold.
        for mode in ("force_custom_plan", "force_generic_plan"):
            cursor.execute(f"SET LOCAL plan_cache_mode = {mode}")
            for length in KEYS_AT_ONCE:
                cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE probe ({lists_for(text, length)})")
                (((plan,),),) = cursor.fetchall()
                found += [(name, mode, length, node) for node in nodes_of(plan["Plan"]) if is_stray(node)]
        cursor.execute("DEALLOCATE probe")
    return found


def test_no_statement_reads_all_of_a_table_that_grows(fresh_store):
    statements = {
        name: each.text
        for name, each in vars(fresh_store._statements).items()
        if isinstance(each, ArrayReader | ArrayWriter)
    }
    assert statements.keys() == vars(fresh_store._statements).keys()
    statements |= {"lock": module._LOCK_HEADS, "make": module._MAKE_HEADS}
    with full(fresh_store) as cursor:
        assert strays_among(cursor, statements) == []
        cursor.execute("ANALYZE")
        assert strays_among(cursor, statements) == []
        # The control: left to itself the server would.
        cursor.execute("SET LOCAL enable_seqscan = on")
        assert {name for name, *_ in strays_among(cursor, statements)} >= {"heads"}


def test_each_list_is_read_from_its_index_alone(fresh_store):
    asked = []
    for name in LISTS:
        with overhearing(fresh_store) as heard, fresh_store.write() as transaction:
            CALLS[name](transaction)
        assert heard
        asked += [(name, statement) for statement in heard]
    with full(fresh_store) as cursor:
        for analyze in ("SELECT", "ANALYZE"):
            cursor.execute(analyze)
            for name, statement in asked:
                cursor.execute(f"EXPLAIN (FORMAT JSON) {statement.text}", statement.parameters)
                (((plan,),),) = cursor.fetchall()
                indices = [node["Index Name"] for node in nodes_of(plan["Plan"]) if "Index Name" in node]
                assert indices == [LISTS[name]], (analyze, plan)
