"""What SQLite does to a store, and what comes out of it: settings, plans, refusals, processes."""

# ruff: noqa: SLF001  -- looks at the connection behind a transaction

from __future__ import annotations

import errno
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import event
from tests.support import refused

from counterfoil.engine.store import HeadMove, Identity, NewCheckpoint, NewEntry, TileKey
from counterfoil.errors import CounterfoilError, EngineError
from counterfoil.storage import open_store
from counterfoil.storage.sql import sqlite
from counterfoil.storage.sql.sqlite import RowWriter, SqliteDatabase, ValuesReader

LOG = bytes(range(20))


def clock():
    return 1_775_034_000_000_000


def open_at(path, *, create=True):
    return open_store(f"sqlite:///{path}", clock=clock, create=create)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "counterfoil.db"


@pytest.fixture
def store(path):
    opened = open_at(path)
    yield opened
    opened.close()


def refusal(code, call, *arguments, **named):
    with pytest.raises(CounterfoilError) as caught:
        call(*arguments, **named)
    assert caught.value.code == code, str(caught.value)
    return caught.value


def entry(index, log=LOG, **changes):
    return NewEntry(log, index, b"entry", index, bytes(32), b"{}")._replace(**changes)


def append(store, first, count=1, log=LOG):
    with store.write() as transaction:
        transaction.append(
            [entry(first + i, log) for i in range(count)], [HeadMove(log, "t", first + count, 0, None)]
        )


def connection_settings(store):
    with store.read() as view:
        names = ["journal_mode", "synchronous", "secure_delete", "page_size", "busy_timeout"]
        return [view._connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]


# Opening.


@pytest.mark.parametrize(
    "url",
    ["", "sqlite://", "sqlite:///", "mysql://localhost/x", "counterfoil.db", "sqlite:counterfoil.db"],
)
def test_a_url_that_names_no_store_is_refused(url):
    refusal("usage", open_store, url, clock=clock)


def test_a_store_in_memory_is_opened_by_its_url():
    store = open_store("memory:", clock=clock)
    append(store, 0)
    with store.read() as view:
        assert view.heads([LOG])[LOG].size == 1


def test_a_missing_store_is_refused_and_not_made(path):
    assert "counterfoil init" in refusal("usage", open_at, path, create=False).message
    assert not path.exists()


def test_an_empty_file_is_no_store(path):
    path.touch()
    assert "counterfoil init" in refusal("usage", open_at, path, create=False).message


def test_a_store_that_is_there_is_opened_as_it_is(path, store):
    append(store, 0)
    with open_at(path).read() as view:
        assert view.heads([LOG])[LOG].size == 1


def test_a_store_in_a_missing_folder_is_an_io_error(tmp_path):
    refusal("io-error", open_at, tmp_path / "none" / "counterfoil.db")


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("name", ["n" * 300, "n/" * 3000 + "n", "loop"])
def test_a_path_that_cannot_be_followed_is_an_io_error(tmp_path, name, create):
    (tmp_path / "loop").symlink_to("loop")
    refusal("io-error", open_at, tmp_path / name, create=create)


@pytest.mark.parametrize("create", [True, False])
def test_a_path_through_a_folder_that_is_closed_to_us_is_an_io_error(path, monkeypatch, create):
    def closed(_path, **_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        # Whoever runs the tests may be let in everywhere.
        patch.setattr(Path, "stat", closed)
        assert "Permission denied" in refusal("io-error", open_at, path, create=create).message


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_what_can_be_no_path_is_refused(tmp_path, name, create):
    assert "not a path" in refusal("usage", open_at, tmp_path / name, create=create).message


def test_a_path_through_a_file_leads_to_no_store(path):
    path.touch()
    assert "counterfoil init" in refusal("usage", open_at, path / "counterfoil.db", create=False).message
    refusal("io-error", open_at, path / "counterfoil.db", create=True)


def test_a_name_that_is_no_text_names_the_file(tmp_path):
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/a\xffb.db"))
    open_at(odd).close()
    open_at(odd, create=False).close()
    assert b"a\xffb.db" in {os.fsencode(each.name) for each in tmp_path.iterdir()}


def test_a_folder_is_no_store(tmp_path):
    refusal("io-error", open_at, tmp_path)


@pytest.mark.parametrize("create", [True, False])
def test_a_file_of_something_else_is_refused(path, create):
    path.write_bytes(b"no database at all, " * 100)
    before = path.read_bytes()
    assert "is not a Counterfoil store" in refusal("usage", open_at, path, create=create).message
    assert path.read_bytes() == before


@pytest.mark.parametrize("create", [True, False])
def test_a_database_of_something_else_is_refused_and_kept(path, create):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE other (x)")
    other.close()
    before = path.read_bytes()
    refusal("unsafe-settings", open_at, path, create=create)
    assert path.read_bytes() == before


def test_tables_of_another_version_are_refused(path, store):
    store.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    assert "9999" in refusal("unsafe-settings", open_at, path).message


def test_a_name_with_odd_characters_names_the_file(tmp_path):
    odd = tmp_path / "a?b#c%20d é.db"
    open_at(odd).close()
    assert odd.exists()


@pytest.mark.usefixtures("store")
def test_a_new_store_is_the_owners_alone(path):
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_store_without_its_extra_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "counterfoil.storage.sql.sqlite", None)
    monkeypatch.delattr("counterfoil.storage.sql.sqlite")
    assert "counterfoil[store]" in refusal("usage", open_at, path).message


def test_an_old_sqlite_is_refused(path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    refusal("unsafe-settings", open_at, path)


# Settings.


def test_every_connection_is_durable(store):
    assert connection_settings(store) == ["truncate", 2, 1, 8192, 30_000]


def test_a_store_in_another_journal_mode_is_brought_back(path, store):
    store.close()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    database.close()
    assert connection_settings(open_at(path))[0] == "truncate"


def test_a_setting_that_is_not_taken_is_refused(path, monkeypatch):
    monkeypatch.setitem(sqlite._SETTINGS, "journal_mode", ("OFF", "truncate"))
    assert "journal_mode" in refusal("unsafe-settings", open_at, path).message


def test_a_write_takes_the_lock_when_it_begins(path, store):
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    with store.read():
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    with store.write(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.close()


def test_only_the_file_is_left_between_transactions(path, store):
    append(store, 0)
    journal = path.with_name(path.name + "-journal")
    assert journal.stat().st_size == 0
    assert not path.with_name(path.name + "-wal").exists()


def plan_of(store, sql):
    with store.read() as view:
        plan = view._connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (0,) * sql.count("?")).all()
    return [row.detail for row in plan]


def test_every_statement_over_many_rows_is_looked_at_below(store):
    assert {type(each) for each in vars(store._statements).values()} == {ValuesReader, RowWriter}


@pytest.mark.parametrize("length", [1, 16, 256])
def test_no_read_of_many_keys_scans_a_table(store, length):
    readers = {name: each for name, each in vars(store._statements).items() if isinstance(each, ValuesReader)}
    assert len(readers) == 14
    for name, reader in readers.items():
        plan = plan_of(store, reader.text(length))
        scans = {step for step in plan if step.startswith("SCAN")}
        assert all(step == "SCAN wanted" or "CONSTANT ROW" in step for step in scans), (name, plan)
        assert any(step.startswith("SEARCH") for step in plan), (name, plan)
        assert not any("AUTOMATIC" in step for step in plan), (name, plan)


def test_no_change_of_rows_scans_a_table(store):
    writers = {name: each for name, each in vars(store._statements).items() if isinstance(each, RowWriter)}
    changes = {name: each for name, each in writers.items() if not each._text.startswith("INSERT")}
    assert len(changes) == 7
    for name, writer in changes.items():
        (step,) = plan_of(store, writer._text)
        assert step.startswith("SEARCH"), (name, step)


def test_a_plan_that_scans_would_be_seen(store):
    assert any(
        step.startswith("SCAN entries")
        for step in plan_of(store, "SELECT * FROM entries WHERE value = x'00'")
    )


def statements_of(store, ask):
    """Return the statements that a method of a transaction runs by way of SQLAlchemy."""
    seen = []

    def note(_connection, _cursor, statement, *_parameters):
        seen.append(statement)

    engine = store._database.engine
    with store.write() as transaction:
        event.listen(engine, "before_cursor_execute", note)
        ask(transaction)
        event.remove(engine, "before_cursor_execute", note)
    assert seen
    return seen


@pytest.mark.parametrize(
    ("ask", "step"),
    [
        (lambda t: t.logs("t", limit=9), "SEARCH logs USING COVERING INDEX logs_by_tenant"),
        (lambda t: t.logs_with_work("t", limit=9), "SEARCH logs USING INDEX logs_with_work"),
        # All of it: the index holds only the logs with something to do.
        (lambda t: t.claim(0, 1, limit=9), "SCAN logs USING INDEX logs_with_work"),
        (lambda t: t.claim_to_close(0, 1, limit=9), "SEARCH logs USING INDEX logs_to_close"),
        (lambda t: t.checkpoints(LOG, limit=9), "SEARCH checkpoints USING INDEX"),
        (lambda t: t.checkpoint(LOG, 1), "SEARCH checkpoints USING INDEX"),
    ],
)
def test_each_list_is_read_from_its_index_alone(store, ask, step):
    for statement in statements_of(store, ask):
        (found,) = plan_of(store, statement)
        assert found.startswith(step)


# Refusals.


@pytest.mark.parametrize(
    "work",
    [
        lambda t: t.append([entry(0, log=b"short")], []),
        lambda t: t.append([entry(-1)], []),
        lambda t: t.append([entry(2**63)], []),
        lambda t: t.append([entry(0, salt=b"short")], []),
        lambda t: t.append([entry(0, salt=None)], []),
        lambda t: t.append([entry(0, entry=b"")], []),
        lambda t: t.append([entry(0, entry="text")], []),
        lambda t: t.append([entry(0, entry=None)], []),
        lambda t: t.append([entry(0, value=object())], []),
        lambda t: t.append([entry(0)], [HeadMove(LOG, "t", 0, 0, None)]),
        lambda t: t.append([entry(0)], [HeadMove(LOG, "t", 1, 2, None)]),
        lambda t: t.append([entry(0)], [HeadMove(LOG, "\ud800", 1, 0, None)]),
        lambda t: t.append([(1, 2)], []),
        lambda t: t.put_tiles({TileKey(LOG, 0, 0): bytes(31)}),
        lambda t: t.put_tiles({TileKey(LOG, 0, 0): bytes(32 * 257)}),
        lambda t: t.set_identity(Identity("o", bytes(31), bytes(32))),
        lambda t: t.set_tenant_unit("t", None),
        lambda t: t.tenant_unit("\ud800"),
        lambda t: t.heads([object()]),
        lambda t: t.entries(LOG, 0, 2**64),
    ],
)
def test_what_the_tables_cannot_hold_is_an_internal_error_and_undone(store, work):
    def write():
        with store.write() as transaction:
            transaction.set_tenant_unit("t", "credits")
            work(transaction)

    refusal("internal", write)
    with store.read() as view:
        assert view.tenant_unit("t") is None
    append(store, 0)


def test_a_checkpoint_beyond_the_log_is_an_internal_error(store):
    append(store, 0)

    def write():
        with store.write() as transaction:
            transaction.put_checkpoints([NewCheckpoint(LOG, 0, 2, b"note", 0)])

    refusal("internal", write)


def test_a_transaction_that_is_over_is_of_no_use(store):
    with store.write() as transaction:
        pass
    refusal("internal", transaction.heads, [LOG])
    refusal("internal", transaction.tenant_unit, "t")


def test_a_locked_store_is_unavailable(path, store, monkeypatch):
    monkeypatch.setattr(sqlite, "LOCK_WAIT_SECONDS", 0.01)
    impatient = open_at(path)
    with store.write():
        refusal("store-unavailable", append, impatient, 0)
    append(impatient, 0)
    impatient.close()


def test_a_commit_that_a_reader_holds_up_too_long_is_not_done_and_can_be_tried_again(
    path, store, monkeypatch
):
    monkeypatch.setattr(sqlite, "LOCK_WAIT_SECONDS", 0.01)
    impatient = open_at(path)
    with store.read() as view:
        view.heads([LOG])
        refusal("store-unavailable", append, impatient, 0)
        assert view.heads([LOG]) == {}
    append(impatient, 0)
    impatient.close()


def fill(store):
    with store.write() as transaction:
        pages = transaction._connection.exec_driver_sql("PRAGMA page_count").scalar()
        transaction._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 20}")
    done = 0
    while True:
        try:
            append(store, done, 50)
        except EngineError as error:
            return done, error
        done += 50


def test_a_full_store_is_out_of_space_and_keeps_what_it_has(store):
    done, error = fill(store)
    assert error.code == "out-of-space"
    with store.read() as view:
        assert view.heads([LOG])[LOG].size == done > 0
        assert len(view.entries(LOG, 0, 10_000)) == done


def test_a_block_that_catches_a_full_store_commits_nothing(store):
    done, _ = fill(store)

    def write():
        with store.write() as transaction:
            transaction.set_tenant_unit("t", "credits")
            with pytest.raises(EngineError):
                transaction.append([entry(done + i) for i in range(500)], [])
            with suppress(EngineError):
                transaction.set_tenant_unit("u", "credits")

    refusal("out-of-space", write)
    with store.read() as view:
        assert (view.tenant_unit("t"), view.tenant_unit("u")) == (None, None)


def test_a_read_only_store_can_be_read_and_refuses_writes(path, store):
    append(store, 0)
    store.close()
    read_only = open_at(path)
    event.listen(
        read_only._database.engine,
        "begin",
        lambda connection: connection.exec_driver_sql("PRAGMA query_only = ON"),
    )
    with read_only.read() as view:
        assert view.heads([LOG])[LOG].size == 1
    refusal("io-error", append, read_only, 1)
    read_only.close()


def test_a_damaged_page_is_corrupt(path, store):
    append(store, 0, 200)
    store.close()
    content = bytearray(path.read_bytes())
    for page in range(8192, len(content), 8192):
        content[page : page + 100] = b"\xff" * 100
    path.write_bytes(content)
    refusal("log-corrupt", open_at, path)


def test_a_store_that_is_removed_is_not_made_again(path, store):
    store.close()
    path.unlink()
    refusal("io-error", append, store, 0)
    assert not path.exists()


@pytest.mark.parametrize(
    ("number", "running", "committing"),
    [
        (sqlite3.SQLITE_BUSY, "store-unavailable", "store-unavailable"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "store-unavailable", "store-unavailable"),
        (sqlite3.SQLITE_LOCKED, "store-unavailable", "store-unavailable"),
        (sqlite3.SQLITE_FULL, "out-of-space", "out-of-space"),
        (sqlite3.SQLITE_IOERR, "io-error", "commit-outcome-unknown"),
        (sqlite3.SQLITE_IOERR_FSYNC, "io-error", "commit-outcome-unknown"),
        (sqlite3.SQLITE_CANTOPEN, "io-error", "commit-outcome-unknown"),
        (sqlite3.SQLITE_READONLY, "io-error", "commit-outcome-unknown"),
        (sqlite3.SQLITE_CORRUPT, "log-corrupt", "commit-outcome-unknown"),
        (sqlite3.SQLITE_NOTADB, "usage", "commit-outcome-unknown"),
        (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, "log-corrupt", "commit-outcome-unknown"),
        (sqlite3.SQLITE_CONSTRAINT_CHECK, "internal", "commit-outcome-unknown"),
        (sqlite3.SQLITE_ERROR, "internal", "commit-outcome-unknown"),
    ],
)
def test_each_error_of_sqlite_has_its_code(path, number, running, committing):
    error = sqlite3.OperationalError("words")
    error.sqlite_errorcode = number
    database = SqliteDatabase(path)
    assert database.refusal(error, committing=False).code == running
    assert database.refusal(error, committing=True).code == committing


def test_an_io_error_at_commit_leaves_the_outcome_unknown(store, monkeypatch):
    insist = sqlite._insist

    def broken(connection, statement):
        if statement != "COMMIT":
            return insist(connection, statement)
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_insist", broken)
        refusal("commit-outcome-unknown", append, store, 0)
    # The connection that failed is given up, and with it what it had begun.
    append(store, 0)


# Threads and processes.


def _append_many(path, log, count):
    store = open_at(path, create=False)
    for _ in range(count):
        with store.write() as transaction:
            heads = transaction.lock_heads([log])
            size = heads[log].size if log in heads else 0
            transaction.append([entry(size, log)], [HeadMove(log, "t", size + 1, 0, None)])
    store.close()


def test_processes_that_write_at_once_lose_nothing(path, store):
    logs = [LOG, LOG, bytes(20)]
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_append_many, args=(path, log, 25)) for log in logs]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with store.read() as view:
        assert {log: head.size for log, head in view.heads(logs).items()} == {LOG: 50, bytes(20): 25}
        assert [each.index for each in view.entries(LOG, 0, 99)] == list(range(50))


def test_processes_that_make_a_store_at_once_make_one(path):
    program = (
        "import sys; from counterfoil.storage import open_store; "
        "open_store(sys.argv[1], clock=lambda: 0, create=True).close()"
    )
    started = [subprocess.Popen([sys.executable, "-c", program, f"sqlite:///{path}"]) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    open_at(path, create=False).close()


def test_a_killed_writer_leaves_the_last_commit(path, store):
    append(store, 0)
    program = (
        "import os, sys; from counterfoil.storage import open_store; "
        "from counterfoil.engine.store import HeadMove, NewEntry; log = bytes(range(20)); "
        "store = open_store(sys.argv[1], clock=lambda: 0); block = store.write(); "
        "transaction = block.__enter__(); "
        "transaction.append([NewEntry(log, 1, b'lost', None, None, None)], [HeadMove(log, 't', 2, 0, None)]); "
        "os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, f"sqlite:///{path}"], check=False)
    assert killed.returncode == -9
    with store.read() as view:
        assert view.heads([LOG])[LOG].size == 1
    append(store, 1)


def test_a_store_is_not_used_across_a_fork(path, store):
    append(store, 0)
    program = (
        "import os, sys; from counterfoil.errors import EngineError; from counterfoil.storage import open_store\n"
        "store = open_store(sys.argv[1], clock=lambda: 0)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    try:\n"
        "        store.write().__enter__()\n"
        "    except EngineError as error:\n"
        "        store.close()\n"
        "        os._exit(7 if error.code == 'unsafe-settings' else 1)\n"
        "    os._exit(2)\n"
        "with store.write() as transaction:\n"
        "    transaction.set_tenant_unit('t', 'credits')\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    forked = subprocess.run([sys.executable, "-c", program, f"sqlite:///{path}"], check=False)
    assert forked.returncode == 7
    with store.read() as view:
        assert view.tenant_unit("t") == "credits"


def test_threads_of_one_store_wait_for_their_turn(path, monkeypatch):
    impatient = open_at(path)
    monkeypatch.setattr(sqlite, "LOCK_WAIT_SECONDS", 0.01)
    with impatient.write():
        refusal("store-unavailable", append, impatient, 0)
    append(impatient, 0)
    impatient.close()


class TestSchema:
    """What stands between the store and its rows is what the migrations made."""

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE TRIGGER t BEFORE INSERT ON entries BEGIN SELECT RAISE(IGNORE); END",
            "CREATE VIEW v AS SELECT * FROM entries",
            "DROP TABLE tenants; CREATE TABLE tenants (tenant TEXT PRIMARY KEY, unit TEXT)",
        ],
    )
    def test_a_store_that_was_rebuilt_is_not_opened(self, sqlite_path, clock, statement):
        with closing(sqlite3.connect(sqlite_path)) as connection:
            connection.executescript(statement)
        with refused("unsafe-settings"):
            open_store(f"sqlite:///{sqlite_path}", clock=clock)
