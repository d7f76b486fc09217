"""Sixteen writers on PostgreSQL, with delays, second thoughts and cut connections: what was acknowledged is what is sealed."""

import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from counterfoil.engine.engine import Engine
from counterfoil.storage import open_store
from tests.bundle_oracle import rows_of
from tests.faults import crowd
from tests.faults.watermarks import Ack, Seen, losses
from tests.faults.workload import published
from tests.fsck import fsck_rows
from tests.support import OPERATOR

WRITERS = 16
SECONDS = 18
SECONDS_LONG = 60
KILLS_A_SECOND = 5
LOG = b"log"


@pytest.mark.parametrize("customers", [1, 5, 500])
def test_what_was_acknowledged_is_exactly_what_is_sealed(postgres_store_url, tmp_path, long, customers):
    store = open_store(postgres_store_url, clock=None)
    engine = Engine(store, OPERATOR)
    processes = crowd.Processes(postgres_store_url, tmp_path)
    for _ in range(WRITERS):
        processes.start(crowd.write, customers)
    # One that lets claims keep it back, and one that does not.
    processes.start(crowd.work)
    processes.start(crowd.work, False)
    processes.start(crowd.watch, customers)
    kills = kill_backends(postgres_store_url, SECONDS_LONG if long else SECONDS)
    processes.require_running()
    processes.end()
    last = [published(done) for done in engine.checkpoint_all()]
    store.close()

    told = processes.told()
    acks = {each.ack for each in told}
    seen = [
        Seen(bytes.fromhex(line["log"]), line["size"], line["time"], line["at"])
        for line in processes.lines("watch")
        if "size" in line
    ]
    with psycopg.connect(postgres_store_url) as connection:
        found = fsck_rows(
            connection,
            operator=OPERATOR.name,
            public_key=OPERATOR.signer.public_key,
            acknowledged=acks,
            published=[*processes.published(), *last],
            mark="%s",
        )
        deltas = deltas_over(connection)
    # Each request has its answer, no two have the same, and there is nothing but what was asked for.
    assert (
        len(told) == len(acks) == sum(line["asked"] for line in processes.lines("write") if "asked" in line)
    )
    assert {(each.log, each.index) for each in acks} == deltas
    assert (found.unsigned, found.pending, found.deltas) == (0, 0, len(deltas))
    assert losses([ack_of(each) for each in told], deltas, seen) == ([], [], [])

    # The faults fired, and hit.
    missed = processes.counts("write")
    assert kills > SECONDS
    assert missed["given up"] > len(told) / 100
    assert missed["store-unavailable"] > 0
    assert missed["commit-outcome-unknown"] > 0
    # Some of those had been done: who asks again is told what stands there.
    assert any(each.replayed for each in told)
    # And sealing went on meanwhile.
    assert len({each.size for each in seen}) > 3
    assert processes.counts("watch")["looks"] > SECONDS


def kill_backends(url, seconds):
    """Cut connections off at random moments; return how many."""
    chances = random.Random(0)  # noqa: S311  -- no secret
    until = time.monotonic() + seconds
    kills = 0
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < until:
            time.sleep(chances.expovariate(KILLS_A_SECOND))
            kills += len(
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    " AND application_name = 'counterfoil' ORDER BY random() LIMIT 1"
                ).fetchall()
            )
    return kills


def deltas_over(connection):
    """Return (log, index) of every delta that a checkpoint covers."""
    rows = connection.execute("SELECT log, idx, entry FROM entries").fetchall()
    for log, *bundle in connection.execute("SELECT log, first, entries, details FROM bundles"):
        rows += [(log, index, entry) for index, entry, *_ in rows_of(*bundle)]
    sizes = dict(connection.execute("SELECT log, checkpoint_size FROM logs").fetchall())
    return {
        (log, index)
        for log, index, entry in rows
        if json.loads(entry)["type"] == "counterfoil/delta@v1" and index < sizes[log]
    }


def ack_of(told):
    return Ack(told.ack.log, told.ack.index, told.time, told.began)


# The controls: two well-known ways to do it wrong, under the same kind of load, each with tables of its own.

MODEL_WRITERS = 8
MODEL_SECONDS = 3


class SerialId:
    """Rows numbered by a sequence; what is sealed is what lies behind the last number."""

    tables = "CREATE TABLE rows (id bigserial PRIMARY KEY, at timestamptz)"
    add = ("INSERT INTO rows (at) VALUES (clock_timestamp()) RETURNING id, at",)
    new = "SELECT id, at FROM rows WHERE id > %s ORDER BY id"


class StartOfTransaction:
    """Rows numbered under a lock, but with the time of now(), which is when their transaction began."""

    tables = (
        "CREATE TABLE rows (id bigint PRIMARY KEY, at timestamptz DEFAULT now());"
        "CREATE TABLE head (n bigint); INSERT INTO head VALUES (0)"
    )
    add = (
        "UPDATE head SET n = n + 1",
        "INSERT INTO rows (id) SELECT n FROM head RETURNING id, at",
    )
    new = "SELECT id, at FROM rows WHERE id > %s ORDER BY id"


class ClockUnderLock(StartOfTransaction):
    """As it should be."""

    add = (
        "UPDATE head SET n = n + 1",
        (
            "INSERT INTO rows (id, at) SELECT n, greatest(clock_timestamp(),"
            " (SELECT at + interval '1 microsecond' FROM rows WHERE id = n - 1)) FROM head RETURNING id, at"
        ),
    )


def run_model(url, model):
    """Write and seal for some seconds; return what the examination finds."""
    over, written = threading.Event(), threading.Event()

    def write(seed):
        chances = random.Random(seed)  # noqa: S311  -- the same delays each time
        acks = []
        with psycopg.connect(url) as connection:
            while not over.is_set():
                began = crowd.now_ns()
                for statement in model.add:
                    cursor = connection.execute(statement)
                place, at = cursor.fetchone()
                time.sleep(chances.expovariate(1 / crowd.DELAY_SECONDS_MEAN))
                if chances.random() < crowd.GIVEN_UP_SHARE:
                    connection.rollback()
                    continue
                connection.commit()
                acks.append(Ack(LOG, place, at, began))
        return acks

    def seal():
        sealed, seen, last = set(), [], 0
        with psycopg.connect(url, autocommit=True) as connection:
            while True:
                ending = written.is_set()
                new = connection.execute(model.new, [last]).fetchall()
                if new:
                    sealed.update((LOG, place) for place, _ in new)
                    last = new[-1][0]
                    seen.append(Seen(LOG, last + 1, max(at for _, at in new), crowd.now_ns()))
                elif ending:
                    return sealed, seen
                time.sleep(0.001)

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(model.tables)
    with ThreadPoolExecutor(MODEL_WRITERS + 1) as threads:
        writers = [threads.submit(write, seed) for seed in range(MODEL_WRITERS)]
        sealing = threads.submit(seal)
        time.sleep(MODEL_SECONDS)
        over.set()
        acks = [ack for writer in writers for ack in writer.result()]
        written.set()
        sealed, seen = sealing.result()
    return len(acks), losses(acks, sealed, seen)


def test_sealing_by_a_serial_number_loses_rows(postgres_url):
    _, found = run_model(postgres_url, SerialId)
    assert found.unsealed


def test_a_watermark_made_of_the_start_of_transactions_passes_rows(postgres_url):
    _, found = run_model(postgres_url, StartOfTransaction)
    assert found.passed
    assert not found.unsealed


def test_a_clock_under_the_lock_loses_none(postgres_url):
    count, found = run_model(postgres_url, ClockUnderLock)
    assert count > 0
    assert found == ([], [], [])
