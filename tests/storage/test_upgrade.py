"""A store that the first release made is brought up to the tables of today, and nothing of it is lost or said otherwise."""

import gzip
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fsck import fsck
from tests.support import KEYS, OPERATOR, SECOND, START, FakeClock, delta, refused, seeded, sql_on

from counterfoil.core.timestamp import month_end, parse_time, to_microseconds
from counterfoil.engine.engine import Engine
from counterfoil.engine.worker import work_through
from counterfoil.storage import open_store
from counterfoil.storage.sql.migrations import upgrade
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


def bring_up(path):
    database = SqliteDatabase(path)
    with database.engine.begin() as connection:
        upgrade(connection)
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
