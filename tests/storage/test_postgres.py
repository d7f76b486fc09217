"""What PostgreSQL does to a store, and what comes out of it: settings, refusals, error codes, lost connections, its clock."""

# ruff: noqa: SLF001  -- looks at the connection behind a transaction

import json
import multiprocessing
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import pairwise

import psycopg
import pytest
from tests.postgres import Cluster, find_programs, quick_folder
from tests.support import OPERATOR, delta, entries_of, refused

from counterfoil.core.timestamp import to_microseconds
from counterfoil.engine.engine import Engine
from counterfoil.engine.store import HeadMove, Identity, NewCheckpoint, NewEntry, TileKey
from counterfoil.engine.transact import transact
from counterfoil.errors import CODES, ConflictError, CounterfoilError, EngineError
from counterfoil.storage import open_store
from counterfoil.storage.sql import postgres as module
from counterfoil.storage.sql.postgres import PostgresDatabase

LOG = bytes(range(20))
OTHER = bytes(20)


def no_clock():
    raise AssertionError("the time of this host says nothing")


def open_at(url, *, create=False):
    return open_store(url, clock=no_clock, create=create)


@pytest.fixture
def store(postgres_store_url):
    with closing(open_at(postgres_store_url)) as opened:
        yield opened


def entry(index, log=LOG, **changes):
    return NewEntry(log, index, b"entry", index, bytes(32), b"{}")._replace(**changes)


def append(store, first, count=1, log=LOG):
    with store.write() as transaction:
        transaction.append(
            [entry(first + i, log) for i in range(count)], [HeadMove(log, "t", first + count, 0, None)]
        )


def size_of(store, log=LOG):
    with store.read() as view:
        return view.heads([log])[log].size if view.heads([log]) else 0


def execute(url, *statements):
    with psycopg.connect(url, autocommit=True) as connection:
        return [connection.execute(statement) for statement in statements]


def run(transaction, statement):
    """Run a statement of the test's own as if it were one of the store's."""
    return transaction._run(lambda: transaction._cursor.execute(statement))


def backend(transaction):
    return run(transaction, "SELECT pg_backend_pid()").fetchone()[0]


# Opening.


def test_an_empty_database_is_no_store_and_is_made_one_when_asked(postgres_url):
    with refused("usage") as caught:
        open_at(postgres_url)
    assert "counterfoil init" in caught.value.message
    open_at(postgres_url, create=True).close()
    with closing(open_at(postgres_url)) as store:
        append(store, 0)
        assert size_of(store) == 1


@pytest.mark.parametrize("create", [True, False])
def test_a_database_of_something_else_is_refused_and_kept(postgres_url, create):
    execute(postgres_url, "CREATE TABLE other (x int)")
    with refused("unsafe-settings"):
        open_at(postgres_url, create=create)
    (tables,) = execute(
        postgres_url, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    )
    assert tables.fetchall() == [("other",)]


@pytest.mark.parametrize(
    ("revision", "remedy"), [("0001", "counterfoil migrate"), ("9999", "the version that")]
)
@pytest.mark.parametrize("create", [True, False])
def test_tables_of_another_version_are_refused(postgres_store_url, revision, remedy, create):
    execute(postgres_store_url, f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608  -- from the list above
    with refused("unsafe-settings") as caught:
        open_at(postgres_store_url, create=create)
    assert revision in caught.value.message
    assert remedy in caught.value.message


FUNCTION = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"


@pytest.mark.parametrize(
    ("statements", "word"),
    [
        (
            (FUNCTION, "CREATE TRIGGER mine BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION f()"),
            "mine",
        ),
        (("CREATE RULE mine AS ON DELETE TO checkpoints DO INSTEAD NOTHING",), "mine"),
        (("ALTER TABLE tiles SET UNLOGGED",), "tiles"),
        (("ALTER TABLE keys ENABLE ROW LEVEL SECURITY",), "keys"),
        (("CREATE TABLE more () INHERITS (entries)",), "more"),
    ],
)
def test_tables_that_somebody_altered_are_refused(postgres_store_url, statements, word):
    execute(postgres_store_url, *statements)
    with refused("unsafe-settings") as caught:
        open_at(postgres_store_url)
    assert word in caught.value.message


def test_an_old_server_is_refused(postgres_store_url, monkeypatch):
    monkeypatch.setattr(module, "_OLDEST_VERSION", 990_000)
    with refused("unsafe-settings") as caught:
        open_at(postgres_store_url)
    assert "15 or later" in caught.value.message


# URLs.

SECRET = "sesame"  # noqa: S105  -- opens nothing


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://", "usage"),
        (f"postgresql://me:{SECRET}@[::broken/store", "usage"),
        (f"postgresql://me:{SECRET}@host/store?nonsense=1", "usage"),
        (f"postgresql://me:{SECRET}@/store\0?host=/nowhere", "usage"),
        (f"postgresql://me:{SECRET}@/store\ud800?host=/nowhere", "usage"),
        (f"postgresql://me:{SECRET}%@/store", "usage"),
        (f"postgresql://me:{SECRET}@/store?host=/nowhere", "store-unavailable"),
        (f"postgres://me@/store?host=/nowhere&password={SECRET}", "store-unavailable"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/store", "store-unavailable"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_without_a_word_of_its_password(url, code):
    with refused(code) as caught:
        open_at(url)
    error = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__ or error.__context__


def test_who_is_not_let_in_is_told_so_without_the_password(postgres):
    url = postgres.url("nothing").replace("@", f":{SECRET}@")
    with refused("store-unavailable") as caught:
        open_at(url)
    assert '"nothing" does not exist' in caught.value.message
    assert SECRET not in str(caught.value)


# Settings.


@pytest.fixture(scope="module")
def own_cluster():
    """A server that is stopped and started as a test likes; running when a test begins and when it ends."""
    with Cluster(find_programs(), data_in=quick_folder()) as cluster:
        cluster.start()
        cluster.create_database("store")
        open_at(cluster.url("store"), create=True).close()
        yield cluster


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_could_lose_what_it_acknowledged_is_refused(own_cluster, setting):
    own_cluster.stop()
    own_cluster.start(**{setting: "off"})
    try:
        with refused("unsafe-settings") as caught:
            open_at(own_cluster.url("store"))
    finally:
        own_cluster.stop()
        own_cluster.start()
    assert f"{setting} is off" in caught.value.message
    open_at(own_cluster.url("store")).close()


@pytest.mark.parametrize("setting", ["synchronous_commit = off", "default_transaction_read_only = on"])
@pytest.mark.parametrize("whose", ["DATABASE", "ROLE"])
def test_what_is_set_for_a_database_or_a_role_counts(postgres, postgres_store_url, setting, whose):
    name = psycopg.conninfo.conninfo_to_dict(postgres_store_url)["dbname"]
    execute(postgres.url("postgres"), "DROP ROLE IF EXISTS hasty", "CREATE ROLE hasty SUPERUSER LOGIN")
    try:
        execute(
            postgres.url("postgres"),
            f"ALTER {whose} {name if whose == 'DATABASE' else 'hasty'} SET {setting}",
        )
        with refused("unsafe-settings") as caught:
            open_at(postgres_store_url.replace("postgres@", "hasty@"))
        assert setting.partition(" ")[0].removeprefix("default_") in caught.value.message
    finally:
        execute(postgres.url("postgres"), "DROP ROLE hasty")


def test_a_standby_is_refused():
    with Cluster(find_programs(), data_in=quick_folder()) as cluster:
        # What pg_basebackup leaves for a copy that is to follow its original.
        (cluster.data / "standby.signal").touch()
        cluster.start()
        with refused("unsafe-settings") as caught:
            open_at(cluster.url("postgres"), create=True)
    assert "connect to the primary" in caught.value.message


def test_each_session_is_set_up(store):
    names = ["lock_timeout", "idle_in_transaction_session_timeout", "jit", "application_name"]
    with store.write() as transaction:
        shown = [run(transaction, f"SHOW {name}").fetchone()[0] for name in names]
    assert shown == ["30s", "30s", "off", "counterfoil"]


def test_writes_are_read_committed_and_reads_repeatable(store):
    def shown(transaction):
        names = ["transaction_isolation", "transaction_read_only"]
        return [run(transaction, f"SHOW {name}").fetchone()[0] for name in names]

    # The same connection, one way after the other.
    for _ in range(2):
        with store.write() as transaction:
            assert shown(transaction) == ["read committed", "off"]
        with store.read() as view:
            assert shown(view) == ["repeatable read", "on"]


# The clock.


def test_the_time_is_the_servers_and_goes_on_within_a_transaction(store):
    def server(transaction, function):
        run(transaction, f"SELECT (extract(epoch FROM {function}) * 1000000)::bigint")  # noqa: S608  -- from below
        return transaction._cursor.fetchone()[0]

    with store.write() as transaction:
        times = [
            server(transaction, "now()"),
            transaction.now(),
            server(transaction, "clock_timestamp()"),
            transaction.now(),
            transaction.now(),
        ]
    assert all(earlier < later for earlier, later in pairwise(times))


def test_a_delta_that_waited_for_its_lock_bears_the_time_behind_it(store):
    engine = Engine(store, OPERATOR)
    log = engine.log_of("alice")
    engine.record(delta())
    with ThreadPoolExecutor(1) as threads:
        with store.write() as transaction:
            transaction.lock_heads([log])
            waiting = threads.submit(engine.record, delta())
            wait_until_somebody_waits(store)
            released = transaction.now()
        recorded_at = waiting.result().entry.recorded_at
    assert to_microseconds(recorded_at) > released


def wait_until_somebody_waits(store, count=1):
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    until = time.monotonic() + 30
    while time.monotonic() < until:
        # A transaction each: what pg_stat_activity shows stands still within one.
        with store.read() as view:
            if run(view, waiting).fetchone()[0] >= count:
                return
        time.sleep(0.005)
    raise AssertionError("nobody waits")


# Errors, one by one.


@pytest.mark.parametrize(
    ("state", "running", "committing"),
    [
        ("08006", "store-unavailable", "commit-outcome-unknown"),
        ("22003", "internal", "internal"),
        ("23505", "log-corrupt", "log-corrupt"),
        ("23514", "internal", "internal"),
        ("25006", "unsafe-settings", "unsafe-settings"),
        ("25P03", "store-unavailable", "store-unavailable"),
        ("40001", "store-unavailable", "store-unavailable"),
        ("40003", "internal", "commit-outcome-unknown"),
        ("40P01", "store-unavailable", "store-unavailable"),
        ("42501", "usage", "usage"),
        ("42601", "internal", "internal"),
        ("53100", "out-of-space", "out-of-space"),
        ("53300", "store-unavailable", "store-unavailable"),
        ("55P03", "store-unavailable", "store-unavailable"),
        ("57014", "store-unavailable", "commit-outcome-unknown"),
        ("57P01", "store-unavailable", "commit-outcome-unknown"),
        ("58030", "io-error", "commit-outcome-unknown"),
        ("58P01", "io-error", "commit-outcome-unknown"),
        ("XX000", "internal", "commit-outcome-unknown"),
        ("XX001", "log-corrupt", "commit-outcome-unknown"),
        ("XX002", "log-corrupt", "commit-outcome-unknown"),
    ],
)
def test_each_error_of_the_server_has_its_code_and_nothing_is_done(store, state, running, committing):
    assert {running, committing} <= CODES.keys()
    raising = f"BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '{state}', DETAIL = '{SECRET}'; END"

    def within():
        with store.write() as transaction:
            transaction.set_tenant_unit("t", "credits")
            run(transaction, f"DO $${raising}$$")

    def at_commit():
        with store.write() as transaction:
            transaction.set_tenant_unit("t", "credits")
            # Made and fired in the one transaction, which it ends: nobody else ever sees it.
            run(transaction, f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $${raising}$$")
            run(
                transaction,
                "CREATE CONSTRAINT TRIGGER mine AFTER INSERT ON identity DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION f()",
            )
            transaction.set_identity(Identity("o", bytes(32), bytes(32)))

    for work, code in ((within, running), (at_commit, committing)):
        with refused(code) as caught:
            work()
        assert isinstance(caught.value, ConflictError) == (state in {"40001", "40P01"})
        assert caught.value.facts["sqlstate"] == state
        assert "made up" in caught.value.message
        # Details may repeat what is in a row.
        assert SECRET not in caught.value.message
        with store.read() as view:
            assert (view.tenant_unit("t"), view.identity()) == (None, None)


@pytest.mark.parametrize(
    "work",
    [
        lambda t: t.append([entry(0, log=b"short")], []),
        lambda t: t.append([entry(-1)], []),
        lambda t: t.append([entry(2**63)], []),
        lambda t: t.append([entry(0, salt=b"short")], []),
        lambda t: t.append([entry(0, salt=None)], []),
        lambda t: t.append([entry(0, entry=b"")], []),
        lambda t: t.append([entry(0, entry=None)], []),
        lambda t: t.append([entry(0, value=object())], []),
        # By COPY.
        lambda t: t.append([entry(index, entry=b"" if index == 99 else b"e") for index in range(100)], []),
        lambda t: t.append([entry(index, entry="text" if index == 99 else b"e") for index in range(100)], []),
        lambda t: t.append([entry(index, value=object()) for index in range(100)], []),
        lambda t: t.append([entry(2**63 - 50 + index) for index in range(100)], []),
        lambda t: t.append([entry(0)], [HeadMove(LOG, "t", 0, 0, None)]),
        lambda t: t.append([entry(0)], [HeadMove(LOG, "t", 1, 2, None)]),
        lambda t: t.append([entry(0)], [HeadMove(LOG, "\ud800", 1, 0, None)]),
        lambda t: t.append([entry(0)], [HeadMove(LOG, "\0", 1, 0, None)]),
        lambda t: t.append([(1, 2)], []),
        lambda t: t.put_tiles({TileKey(LOG, 0, 0): bytes(31)}),
        lambda t: t.put_tiles({TileKey(LOG, 0, 0): bytes(32 * 257)}),
        lambda t: t.set_identity(Identity("o", bytes(31), bytes(32))),
        lambda t: t.set_tenant_unit("t", None),
        lambda t: t.set_tenant_unit("t", "a\0b"),
        lambda t: t.set_tenant_unit("t", "a\ud800b"),
        lambda t: t.tenant_unit("\ud800"),
        lambda t: t.tenant_unit("\0"),
        lambda t: t.logs("\0", limit=1),
        lambda t: t.heads([object()]),
        lambda t: t.entries(LOG, 0, 2**64),
    ],
)
def test_what_the_tables_cannot_hold_is_an_internal_error_and_undone(store, work):
    def write():
        with store.write() as transaction:
            transaction.set_tenant_unit("t", "credits")
            work(transaction)

    with refused("internal"):
        write()
    with store.read() as view:
        assert view.tenant_unit("t") is None
    append(store, 0)


def test_a_row_that_is_refused_is_not_repeated_in_words(store):
    for count in (1, 100):
        with refused("internal") as caught, store.write() as transaction:
            rows = [entry(index, value=SECRET.encode(), salt=b"short") for index in range(count)]
            transaction.append(rows, [])
        assert "entries_salt" in caught.value.message
        for text in (SECRET, SECRET.encode().hex()):
            assert text not in caught.value.message


@pytest.mark.parametrize("count", [1, 100])
def test_two_rows_for_one_place_are_corrupt(store, count):
    append(store, 0, count)
    with refused("log-corrupt"):
        append(store, 0, count)
    append(store, count)


def test_a_checkpoint_beyond_the_log_is_an_internal_error(store):
    append(store, 0)
    with refused("internal"), store.write() as transaction:
        transaction.put_checkpoints([NewCheckpoint(LOG, 0, 2, b"note", 0)])


def test_a_block_that_catches_an_error_commits_nothing(store):
    with refused("internal"), store.write() as transaction:
        transaction.set_tenant_unit("t", "credits")
        with pytest.raises(EngineError):
            transaction.append([entry(-1)], [])
        with suppress(EngineError):
            transaction.set_tenant_unit("u", "credits")
    with store.read() as view:
        assert (view.tenant_unit("t"), view.tenant_unit("u")) == (None, None)


def test_a_transaction_that_is_over_is_of_no_use(store):
    with store.write() as transaction:
        pass
    with refused("internal"):
        transaction.heads([LOG])
    with refused("internal"):
        transaction.tenant_unit("t")


def test_a_view_changes_nothing(store):
    with refused("unsafe-settings"), store.read() as view:
        run(view, "DELETE FROM logs")


# Others.


def test_who_waits_too_long_for_a_lock_is_refused_and_may_try_again(postgres_store_url, store, monkeypatch):
    append(store, 0)
    monkeypatch.setattr(module, "LOCK_WAIT_SECONDS", 0.05)
    with closing(open_at(postgres_store_url)) as impatient:
        for log in (LOG, OTHER):
            # A log that is being made is locked, too.
            with store.write() as transaction:
                transaction.lock_heads([log])
                with refused("store-unavailable") as caught, impatient.write() as other:
                    other.lock_heads([log])
                assert caught.value.facts["sqlstate"] == "55P03"
        append(impatient, 1)


def test_a_client_that_sleeps_in_its_transaction_loses_its_locks(postgres_store_url, store, monkeypatch):
    append(store, 0)
    monkeypatch.setattr(module, "LOCK_WAIT_SECONDS", 0.1)
    with closing(open_at(postgres_store_url)) as sleepy:
        with refused("store-unavailable"), sleepy.write() as transaction:
            transaction.lock_heads([LOG])
            append(store, 1)  # waits until the server has given the sleeper up
            transaction.now()
        append(sleepy, 2)


def test_a_statement_that_is_cancelled_is_not_done(postgres_store_url, store):
    with refused("store-unavailable"), store.write() as transaction:
        transaction.set_tenant_unit("t", "credits")
        pid = backend(transaction)
        with ThreadPoolExecutor(1) as threads:
            sleeping = threads.submit(run, transaction, "SELECT pg_sleep(60)")
            while sleeping.running() or not sleeping.done():
                execute(postgres_store_url, f"SELECT pg_cancel_backend({pid})")
            sleeping.result()
    with store.read() as view:
        assert view.tenant_unit("t") is None


def test_a_connection_that_is_cut_within_a_block_is_given_up(postgres, store):
    with refused("store-unavailable"), store.write() as transaction:
        transaction.set_tenant_unit("t", "credits")
        assert postgres.terminate(backend(transaction))
        transaction.tenant_unit("t")
    with store.read() as view:
        assert view.tenant_unit("t") is None


def test_a_connection_that_is_cut_before_commit_leaves_the_outcome_unknown(postgres, store):
    with refused("commit-outcome-unknown"), store.write() as transaction:
        transaction.set_tenant_unit("t", "credits")
        assert postgres.terminate(backend(transaction))
    append(store, 0)


def test_an_idle_connection_that_was_cut_is_replaced_without_a_word(postgres, store):
    with store.write() as transaction:
        pid = backend(transaction)
    assert postgres.terminate(pid)
    append(store, 0)


def test_of_two_that_wait_for_each_other_one_runs_again(store):
    append(store, 0)
    append(store, 0, log=OTHER)
    together = threading.Barrier(2)
    runs, conflicts = [], []

    def crosswise(first, second):
        def work(transaction):
            runs.append(first)
            transaction.lock_heads([first])
            # Only the first time: who runs again meets nobody.
            with suppress(threading.BrokenBarrierError):
                together.wait(10)
            together.abort()
            try:
                transaction.lock_heads([second])
            except ConflictError as error:
                conflicts.append(error)
                raise
            size = transaction.heads([first])[first].size
            transaction.append([entry(size, first)], [HeadMove(first, "t", size + 1, 0, None)])

        transact(store, work)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(crosswise, [LOG, OTHER], [OTHER, LOG]))
    assert len(runs) == 3
    assert [error.facts["sqlstate"] for error in conflicts] == ["40P01"]
    assert (size_of(store), size_of(store, OTHER)) == (2, 2)


def test_whoever_locks_in_whatever_order_waits_for_nobody_who_waits_for_him(store):
    """New logs and old ones, some of them given up again."""
    logs = [bytes([number]) * 20 for number in range(12)]
    failed = []

    def lock(seed):
        chances = random.Random(seed)  # noqa: S311  -- the same lots each time
        for _ in range(40):
            wanted = chances.sample(logs, 4)
            try:
                with store.write() as transaction:
                    heads = transaction.lock_heads(wanted)
                    moves = [
                        HeadMove(log, "t", heads[log].size + 1 if log in heads else 1, 0, None)
                        for log in chances.sample(wanted, 2)
                    ]
                    transaction.append([entry(move.size - 1, move.log) for move in moves], moves)
                    assert chances.random() > 0.1
            except AssertionError:
                continue
            except CounterfoilError as error:
                failed.append(error)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lock, range(6)))
    assert failed == []
    for log in logs:
        assert [row.index for row in entries_of(store, log)] == list(range(size_of(store, log)))


def test_more_transactions_than_connections_are_refused(postgres_store_url, monkeypatch):
    monkeypatch.setattr(module, "LOCK_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(module, "_CONNECTIONS_MAX", 2)
    with closing(open_at(postgres_store_url)) as store:
        with store.read(), store.read(), refused("store-unavailable") as caught, store.read():
            pass
        assert "too many" in caught.value.message
        append(store, 0)


@pytest.mark.parametrize("end", [Cluster.stop, Cluster.kill])
def test_a_server_that_was_started_again_is_met_without_errors(own_cluster, end):
    with closing(open_at(own_cluster.url("store"))) as store:
        # More than one connection is old then.
        with store.read(), store.read(), store.read():
            pass
        end(own_cluster)
        try:
            with refused("store-unavailable"):
                append(store, 0)
        finally:
            own_cluster.start()
        before = size_of(store)
        with store.read(), store.read():
            append(store, before)
        assert size_of(store) == before + 1


def _use(store, connection):
    try:
        size_of(store)
    except CounterfoilError as error:
        connection.send(error.code)


def test_a_store_from_before_a_fork_is_refused_in_the_child(store):
    append(store, 0)
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    process = fork.Process(target=_use, args=(store, theirs))
    process.start()
    assert ours.poll(60)
    assert ours.recv() == "unsafe-settings"
    process.join(60)
    assert process.exitcode == 0
    # The parent's connection is whole.
    append(store, 1)


def test_two_that_open_a_new_store_at_once_are_both_its_owner(postgres_store_url):
    stores = [open_at(postgres_store_url) for _ in range(8)]
    together = threading.Barrier(len(stores))

    def own(store):
        together.wait(30)
        Engine(store, OPERATOR)

    try:
        with ThreadPoolExecutor(len(stores)) as threads:
            list(threads.map(own, stores))
    finally:
        for store in stores:
            store.close()


def test_those_who_make_a_store_at_once_all_get_it(postgres_url):
    together = threading.Barrier(4)

    def make(_):
        together.wait(30)
        store = open_at(postgres_url, create=True)
        Engine(store, OPERATOR)
        store.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(make, range(4)))


def test_a_setting_that_becomes_unsafe_does_not_reach_a_session(own_cluster):
    with closing(open_at(own_cluster.url("store"))) as store:
        with store.read() as view:
            before = run(view, "SHOW synchronous_commit").fetchone()
        execute(
            own_cluster.url("postgres"),
            "ALTER SYSTEM SET synchronous_commit = off",
            "SELECT pg_reload_conf()",
        )
        try:
            with store.read() as view:
                assert run(view, "SHOW synchronous_commit").fetchone() == before
        finally:
            execute(
                own_cluster.url("postgres"),
                "ALTER SYSTEM RESET synchronous_commit",
                "SELECT pg_reload_conf()",
            )


def test_a_server_that_has_gone_silent_is_given_up_in_time(store):
    given = store._database._parameters
    assert 0 < int(given["connect_timeout"]) <= 30
    assert 0 < int(given["tcp_user_timeout"]) <= 30_000
    assert (
        PostgresDatabase("postgresql://me@host/store?connect_timeout=3")._parameters["connect_timeout"] == "3"
    )


def test_a_log_that_is_never_let_go_is_waited_for_and_not_for_long(store):
    append(store, 1)
    with store.write() as holding:
        holding.lock_heads([LOG])
        with store.write() as transaction:
            assert transaction.claim(1, 2, limit=9) == []
        with refused("store-unavailable"), store.write() as transaction:
            transaction.claim_furthest_behind(1, 2)
    with store.write() as transaction:
        assert [claim.log for claim in transaction.claim_furthest_behind(1, 2)] == [LOG]


def test_the_facts_of_a_refusal_can_be_told(store):
    with pytest.raises(EngineError) as caught, store.write() as transaction:
        run(transaction, "SELECT 1/0")
    assert json.dumps(caught.value.facts) == '{"sqlstate": "22012"}'
    assert isinstance(store._database, PostgresDatabase)
