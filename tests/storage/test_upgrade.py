"""A store that the first release made is brought up to the tables of today, and nothing of it is lost or said otherwise."""

import gzip
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from tests.bundle_oracle import join
from tests.fsck import fsck, fsck_rows
from tests.support import KEYS, OPERATOR, SECOND, START, FakeClock, delta, refused, seeded, sql_on

from counterfoil.core.checkpoint import parse_checkpoint
from counterfoil.core.timestamp import month_end, parse_time, to_microseconds
from counterfoil.engine.engine import Engine
from counterfoil.engine.stored import key_prefix, read_stored
from counterfoil.engine.worker import work_through
from counterfoil.errors import CounterfoilError
from counterfoil.storage import migrate_store, open_store
from counterfoil.storage.sql.migrations import upgrade
from counterfoil.storage.sql.postgres import PostgresDatabase
from counterfoil.storage.sql.schema import REVISION
from counterfoil.storage.sql.sqlite import SqliteDatabase

GOLDEN = Path(__file__).parents[1] / "data" / "store-0001.db.gz"
COLUMNS = {
    "logs": "log, tenant, size, sealed_size, checkpoint_size",
    "entries": "log, idx, entry, key_prefix, salt, value",
    "checkpoints": "log, size, note",
    "tiles": "log, level, number, hashes",
    "identity": "one, operator, public_key, reference_check",
    "tenants": "tenant, unit",
}
DELTAS = {"alice": 130, "bob": 4, "carol": 2}
APRIL, MAY, JUNE = (to_microseconds(f"2026-{month:02}-01T00:00:00Z") for month in (4, 5, 6))
DAY = 86_400 * SECOND


def rows_in(path):
    """Return the rows of all tables of the first revision."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: sorted(connection.execute(f"SELECT {columns} FROM {table}"))  # noqa: S608  -- names from above
            for table, columns in COLUMNS.items()
        }


def bring_up(path, revision="head"):
    database = SqliteDatabase(path)
    with database.engine.begin() as connection:
        upgrade(connection, revision)
    database.engine.dispose()


def examine(path):
    return fsck(path, operator=OPERATOR.name, public_key=OPERATOR.signer.public_key)


def requests_of(name):
    """The requests that the store was made with."""
    requests = [
        delta(str(n + 1), name, reference_id=f"line {n}", idempotency_key=f"{name}-{n}")
        for n in range(DELTAS[name])
    ]
    if name == "bob":
        log = OPERATOR.log_of("default", name).hex()
        requests[:3] = [replace(each, metadata={"model": "aé"}) for each in requests[:3]]
        requests[3] = replace(requests[3], adjusts=f"0x{log}.1", effective_at="2026-03-31")
    return requests


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "store.db"
    path.write_bytes(gzip.decompress(GOLDEN.read_bytes()))
    return path


@pytest.fixture
def clock():
    return FakeClock(START + DAY)


@pytest.fixture
def store(path, clock):
    bring_up(path)
    store = open_store(f"sqlite:///{path}", clock=clock)
    yield store
    store.close()


@pytest.fixture
def engine(store):
    return Engine(store, OPERATOR, randomness=seeded(9))


def test_before_it_is_brought_up_it_is_not_opened(path, clock):
    with refused("unsafe-settings") as caught:
        open_store(f"sqlite:///{path}", clock=clock)
    assert "0001" in caught.value.message


def test_every_row_stays_as_it_was(path):
    before = rows_in(path)
    assert {table: len(rows) for table, rows in before.items()} == {
        "logs": 4, "entries": 146, "checkpoints": 4, "tiles": 3, "identity": 1, "tenants": 1,
    }  # fmt: skip
    bring_up(path)
    assert rows_in(path) == before
    found = examine(path)
    assert (found.logs, found.deltas, found.checkpoints, found.pending, found.settled) == (4, 137, 4, 1, 0)


def test_it_reads_and_proves_and_audits(path, store, engine):
    stored = {(log, index): entry for log, index, entry, *_ in rows_in(path)["entries"]}
    for name, covered in (("alice", 103), ("bob", 5), ("carol", 4)):
        log = engine.log_of(name)
        report = engine.audit(name, KEYS)
        assert (report.deltas, report.covered) == (DELTAS[name], covered)
        assert report.details_absent == (name == "alice")
        proven = list(engine.receipts(name))
        assert len(proven) == {"alice": 100, "bob": 3, "carol": 2}[name]
        for each in proven:
            index = engine.verify_record(each.record_id).entry.index
            assert each.data == stored[log, index]
    assert Engine(store, OPERATOR, tenant="other").audit("alice", KEYS).deltas == 1


@pytest.mark.parametrize("when", ["at once", "after checkpoints"])
def test_repeated_requests_are_repetitions_and_new_ones_go_on(path, engine, when):
    stored = {entry for _, _, entry, *_ in rows_in(path)["entries"]}
    if when == "after checkpoints":
        list(engine.checkpoint_all())
    for name in DELTAS:
        answers = engine.record_many(requests_of(name))
        assert all(answer.replayed and answer.data in stored for answer in answers)
        size = engine.customer(name).size
        assert engine.record(delta("1", name)).entry.index == size
    assert examine(path).deltas == 140


def test_the_next_checkpoints_take_up_the_waiting_seal_and_settle(path, engine):
    done = {each.log: each.checkpoint.size for each in engine.checkpoint_all()}
    assert done == {engine.log_of("alice"): 134, engine.log_of("bob"): 7}
    assert [each.size for each in engine.checkpoints("bob")] == [5, 7]
    found = examine(path)
    assert (found.settled, found.pending) == (133, 0)
    assert engine.audit("alice", KEYS).covered == 134
    assert len(list(engine.receipts("alice"))) == 130


def test_the_month_of_each_last_entry_is_closed_once(path, clock, store, engine):
    ends = dict(sqlite3.connect(path).execute("SELECT log, close_at FROM logs"))
    assert ends == {
        engine.log_of("alice"): MAY,
        engine.log_of("bob"): MAY,
        engine.log_of("carol"): APRIL,
        Engine(store, OPERATOR, tenant="other").log_of("alice"): MAY,
    }

    def closed():
        return sorted(each.claim.log for each in work_through(store, OPERATOR) if each.closing)

    # March is over, and carol's log says so once; the others are signed, and their month goes on.
    assert closed() == [engine.log_of("carol")]
    assert closed() == []
    clock.now = MAY - DAY
    assert closed() == []
    clock.now = MAY
    assert closed() == sorted(ends.keys() - {engine.log_of("carol")})
    assert closed() == []
    clock.now = JUNE + DAY
    assert closed() == []
    for name, count in DELTAS.items():
        record = engine.customer(name)
        assert parse_time(record.verified_through_at) >= ends[record.log]
        assert record.verified_count == count
    examine(path)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET entry = x'7b7d' WHERE idx = 3",
        "UPDATE entries SET entry = x'ff00' WHERE idx = 3",
        'UPDATE entries SET entry = CAST(\'"recordedAt":"9999-99\' AS BLOB) WHERE idx = 3',
        "DELETE FROM entries WHERE idx = 3",
    ],
)
def test_a_damaged_last_entry_stops_no_upgrade(path, clock, damage):
    log = OPERATOR.log_of("default", "carol")
    assert sql_on(path, damage + " AND log = ?", log) == 1
    bring_up(path)
    with closing(open_store(f"sqlite:///{path}", clock=clock)) as store:
        with store.read() as view:
            assert view.heads([log])[log].close_at == 0
        engine = Engine(store, OPERATOR)
        with refused("log-corrupt"):
            engine.receipt(f"0x{log.hex()}.3")
        assert engine.audit("alice", KEYS).deltas == 130


@pytest.mark.parametrize("month", [1, 2, 11, 12])
@pytest.mark.parametrize("year", [1969, 2024, 9998])
def test_sqlite_counts_months_as_the_engine_does(path, year, month):
    time = f"{year}-{month:02}-28T23:59:59.999999Z"
    text = (
        f"UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), '2026-03-22', '{time[:10]}') AS BLOB)"  # noqa: S608  -- texts of this test
    )
    log = OPERATOR.log_of("default", "carol")
    assert sql_on(path, text + " WHERE log = ?", log) == 4
    bring_up(path)
    with closing(sqlite3.connect(path)) as connection:
        (close_at,) = connection.execute("SELECT close_at FROM logs WHERE log = ?", (log,)).fetchone()
    assert close_at == month_end(to_microseconds(time))


# From revision 0002: what is found by name, time, count and root.

SETTLED = {"bundles": "log, last, first, entries, details", "keys": "log, key_prefix, idx"}
FILLED = {
    "bundles": "log, last, time, count",
    "checkpoints": "log, size, root_prefix",
    "customers": "log, tenant, customer_id",
}


def settle_as_revision_2(path, width=60):
    """Bundle what revision 0002 would of alice's log, in two bundles or in more."""
    log = OPERATOR.log_of("default", "alice")
    bring_up(path, "0002")
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = connection.execute(
            "SELECT idx, entry, salt, value, key_prefix FROM entries WHERE log = ? AND idx < 102 ORDER BY idx",
            (log,),
        ).fetchall()
        for part in (rows[start : start + width] for start in range(0, len(rows), width)):
            details = [b"" if salt is None else salt + value for _, _, salt, value, _ in part]
            connection.execute(
                "INSERT INTO bundles (log, last, first, entries, details) VALUES (?, ?, ?, ?, ?)",
                (log, part[-1][0], part[0][0], join([row[1] for row in part]), join(details)),
            )
        connection.executemany(
            "INSERT INTO keys (log, key_prefix, idx) VALUES (?, ?, ?)",
            [(log, row[4], row[0]) for row in rows if row[4] is not None],
        )
        assert connection.execute("DELETE FROM entries WHERE log = ? AND idx < 102", (log,)).rowcount == 102


def rows_of(connection, tables):
    return {
        table: sorted(tuple(row) for row in connection.execute(f"SELECT {columns} FROM {table}").fetchall())  # noqa: S608  -- names from above
        for table, columns in tables.items()
    }


def names_in(path):
    """Return the customers by tenant and name."""
    with closing(sqlite3.connect(path)) as connection:
        return {row[1:] for row in rows_of(connection, FILLED)["customers"]}


NAMES = {("default", name) for name in DELTAS} | {("other", "alice")}


@pytest.fixture
def settled(path):
    settle_as_revision_2(path)
    return path


def test_bundles_of_revision_2_stay_and_are_found_by_time(settled, clock):
    with closing(sqlite3.connect(settled)) as connection:
        before = rows_of(connection, SETTLED)
        bring_up(settled)
        assert rows_of(connection, SETTLED) == before
    found = examine(settled)
    assert (found.logs, found.deltas, found.settled) == (4, 137, 102)
    with closing(open_store(f"sqlite:///{settled}", clock=clock)) as store, store.read() as view:
        log = OPERATOR.log_of("default", "alice")
        size = view.heads([log])[log].size
        times = [to_microseconds(read_stored(row).recorded_at) for row in view.entries(log, 0, size)]
        asked = [(log, times[index]) for index in (59, 60, 102)]
        assert view.near_times(asked) == [(0, 59), (60, 101), (102, size)]


def test_a_log_of_revision_2_goes_on(settled, clock):
    bring_up(settled)
    with closing(open_store(f"sqlite:///{settled}", clock=clock)) as store:
        engine = Engine(store, OPERATOR, randomness=seeded(9))
        assert engine.audit("alice", KEYS).deltas == DELTAS["alice"]
        assert all(answer.replayed for answer in engine.record_many(requests_of("alice")))
        list(engine.checkpoint_all())
        assert engine.audit("alice", KEYS).covered == engine.audit("alice", KEYS).entries
    examine(settled)


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_customers_are_found_by_the_names_that_their_details_say(path, revision):
    if revision == "0002":
        settle_as_revision_2(path)
    bring_up(path)
    assert names_in(path) == NAMES


def test_checkpoints_are_found_by_their_roots(path, clock):
    bring_up(path)
    with closing(open_store(f"sqlite:///{path}", clock=clock)) as store, store.read() as view:
        (row,) = view.checkpoints(OPERATOR.log_of("default", "bob"), limit=9)
        assert view.checkpoints_by_root(key_prefix(parse_checkpoint(row.note).root), limit=9) == [row]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE bundles SET entries = x'78' WHERE first = 0",
        "UPDATE bundles SET entries = respelled(entries, 59, 'type', 'tipe') WHERE first = 0",
        "UPDATE bundles SET details = x'78' WHERE first = 0",
    ],
)
def test_a_damaged_bundle_stops_no_upgrade(settled, clock, damage):
    assert sql_on(settled, damage) == 1
    bring_up(settled)
    with closing(sqlite3.connect(settled)) as connection:
        (_, _, *nothing), (_, _, time, count) = rows_of(connection, FILLED)["bundles"]
    assert nothing == [None, None]
    assert (APRIL < time < MAY, count) == (True, 100)
    assert names_in(settled) == NAMES - {("default", "alice")}
    with closing(open_store(f"sqlite:///{settled}", clock=clock)) as store:
        with pytest.raises(CounterfoilError):
            Engine(store, OPERATOR).audit("alice", KEYS)
        assert Engine(store, OPERATOR).audit("bob", KEYS).deltas == DELTAS["bob"]


@pytest.mark.parametrize(
    ("damage", "missing"),
    [
        ("UPDATE bundles SET details = respelled(details, 0, 'alice', ' lice') WHERE first = 0", {("default", "alice")}),
        ("UPDATE bundles SET details = respelled(details, 0, '\"alice\"', '[0,12,3]') WHERE first = 0", {("default", "alice")}),
        ("UPDATE entries SET value = x'7b7d' WHERE idx = 0", NAMES - {("default", "alice")}),
        ("UPDATE entries SET value = x'5b5d' WHERE idx = 0", NAMES - {("default", "alice")}),
        ("UPDATE entries SET value = x'ff' WHERE idx = 0", NAMES - {("default", "alice")}),
        ("UPDATE entries SET salt = NULL, value = NULL WHERE idx = 0", NAMES - {("default", "alice")}),
        ("DELETE FROM entries WHERE idx = 0", NAMES - {("default", "alice")}),
        ("DELETE FROM logs WHERE tenant = 'default'", NAMES - {("other", "alice")}),
        ("INSERT INTO bundles (log, last, first, entries, details) SELECT log, 9, 0, entries, details FROM bundles WHERE first = 0", set()),
        ("INSERT INTO entries SELECT log, 0, x'00', NULL, zeroblob(32), x'7b7d' FROM bundles WHERE first = 0", set()),
    ],
)  # fmt: skip
def test_who_is_named_by_nothing_that_reads_gets_no_name(settled, damage, missing):
    assert sql_on(settled, damage) > 0
    bring_up(settled)
    assert names_in(settled) == NAMES - missing


def test_a_damaged_note_stops_no_upgrade(path, clock):
    log = OPERATOR.log_of("default", "bob")
    assert sql_on(path, "UPDATE checkpoints SET note = x'00' WHERE log = ?", log) == 1
    bring_up(path)
    with closing(sqlite3.connect(path)) as connection:
        rows = rows_of(connection, FILLED)["checkpoints"]
    assert len(rows) == 4
    assert {row[0] for row in rows if row[2] is None} == {log}
    with closing(open_store(f"sqlite:///{path}", clock=clock)) as store, pytest.raises(CounterfoilError):
        Engine(store, OPERATOR).audit("bob", KEYS)


def test_of_more_bundles_than_are_read_at_once_none_is_missed(path):
    settle_as_revision_2(path, width=1)
    bring_up(path)
    assert examine(path).settled == 102
    assert names_in(path) == NAMES


def test_it_is_brought_up_on_postgresql_as_on_sqlite(settled, postgres_url, clock):
    database = PostgresDatabase(postgres_url)
    with database.engine.begin() as connection:
        upgrade(connection, "0002")
    database.engine.dispose()
    tables = {**COLUMNS, **SETTLED, "logs": f"{COLUMNS['logs']}, close_at"}
    with closing(sqlite3.connect(settled)) as source, psycopg.connect(postgres_url) as target:
        for table, rows in rows_of(source, tables).items():
            marks = ", ".join(["%s"] * len(rows[0]))
            insert = f"INSERT INTO {table} ({tables[table]}) VALUES ({marks})"  # noqa: S608  -- names from above
            target.cursor().executemany(insert, rows)
    bring_up(settled)
    assert migrate_store(postgres_url, clock=clock) == ("0002", REVISION)
    with closing(sqlite3.connect(settled)) as source, psycopg.connect(postgres_url) as target:
        assert rows_of(target, FILLED) == rows_of(source, FILLED)
        assert rows_of(target, FILLED)["customers"]
        fsck_rows(target, operator=OPERATOR.name, public_key=OPERATOR.signer.public_key, mark="%s")
