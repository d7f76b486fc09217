"""All stores keep the contract, and the contract notices stores that do not."""

# ruff: noqa: SLF001  -- breaks stores from within, to see that the contract notices

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress

import pytest
from tests.support import refused

from counterfoil.engine.store import NewCheckpoint, NewEntry
from counterfoil.errors import EngineError
from counterfoil.storage import memory, open_store
from counterfoil.storage.memory import MemoryStore
from counterfoil.testing import STORE_CHECKS, check_store, what_is_written_is_there_after_reopening

LOG = bytes(range(20))


def clock():
    return 1_775_034_000_000_000


def sqlite_stores(folder):
    return lambda name: open_store(f"sqlite:///{folder}/{name}.db", clock=clock, create=True)


def memory_stores(_name):
    return MemoryStore(clock)


@pytest.fixture
def postgres_stores(postgres, postgres_template):
    """Makes a store of each name that is new, and opens it again."""
    with ExitStack() as stack:
        urls = {}

        def open_named(name):
            if name not in urls:
                urls[name] = stack.enter_context(postgres.database(template=postgres_template))
            return open_store(urls[name], clock=None)

        yield open_named


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_the_memory_store_keeps_the_contract(check):
    check(memory_stores)


@pytest.mark.parametrize(
    "check", [*STORE_CHECKS, what_is_written_is_there_after_reopening], ids=lambda check: check.__name__
)
def test_the_sqlite_store_keeps_the_contract(check, tmp_path):
    check(sqlite_stores(tmp_path))


@pytest.mark.parametrize(
    "check", [*STORE_CHECKS, what_is_written_is_there_after_reopening], ids=lambda check: check.__name__
)
def test_the_postgres_store_keeps_the_contract(check, postgres_stores):
    check(postgres_stores)


def test_the_whole_contract_runs_in_one_call(tmp_path):
    check_store(sqlite_stores(tmp_path), durable=True)


def test_a_store_that_forgets_is_not_durable():
    with pytest.raises(AssertionError, match="opened again"):
        check_store(memory_stores, durable=True)


# Each of them breaks one rule; the words are those of the claim that notices.
def no_rollback(patch):
    patch.setattr(memory._Writing, "undo", lambda _self: None)


def no_lock(patch):
    @contextmanager
    def unlocked(_self):
        yield

    patch.setattr(MemoryStore, "_locked", unlocked)


def no_compare_and_set(patch):
    def put(self, checkpoints):
        for new in checkpoints:
            self._add(self._rows.checkpoints[new.log], memory.StoredCheckpoint(new.log, new.size, new.note))

    patch.setattr(memory._Writing, "put_checkpoints", put)


def half_of_a_refused_append_stays(patch):
    patch.setattr(memory._Writing, "require_unharmed", lambda _self: None)


def a_caught_refusal_is_forgotten(patch, method):
    right = getattr(memory._Writing, method)

    def forgetful(self, given):
        try:
            right(self, given)
        except EngineError:
            self._failure = None
            raise

    patch.setattr(memory._Writing, method, forgetful)


def a_caught_fork_is_forgotten(patch):
    a_caught_refusal_is_forgotten(patch, "put_checkpoints")


def another_owner_is_forgotten(patch):
    a_caught_refusal_is_forgotten(patch, "set_identity")


def heads_bear_whatever_is_last(patch):
    right = memory._Reading._head

    def head(self, log):
        last = [row.entry for row in self._rows.entries[log][-1:]]
        return right(self, log)._replace(last_entry=last[0] if last else None)

    patch.setattr(memory._Reading, "_head", head)


def entries_end_one_late(patch):
    right = memory._Reading.entries
    patch.setattr(memory._Reading, "entries", lambda self, log, start, end: right(self, log, start, end + 1))


def logs_of_all_tenants(patch):
    patch.setattr(
        memory._Reading,
        "logs",
        lambda self, _tenant, *, after=b"", limit: sorted(log for log in self._rows.heads if log > after)[
            :limit
        ],
    )


def only_256_heads(patch):
    right = memory._Reading.heads
    patch.setattr(memory._Reading, "heads", lambda self, logs: right(self, logs[:256]))


def one_entry_a_prefix(patch):
    right = memory._Writing.find_keys
    patch.setattr(
        memory._Writing,
        "find_keys",
        lambda self, wanted: {key: found[:1] for key, found in right(self, wanted).items()},
    )


def unsigned_prefixes(patch):
    right = memory._Writing.find_keys
    patch.setattr(
        memory._Writing,
        "find_keys",
        lambda self, wanted: right(self, [(log, abs(prefix)) for log, prefix in wanted]),
    )


def no_details_are_empty_details(patch):
    right = memory._Writing.append
    patch.setattr(
        memory._Writing,
        "append",
        lambda self, entries, moves: right(self, [e._replace(value=e.value or None) for e in entries], moves),
    )


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (no_rollback, "a failed block leaves"),
        (no_lock, "nobody gets a lock"),
        (no_compare_and_set, "a checkpoint over an older one is refused"),
        (half_of_a_refused_append_stays, "an index that is taken is refused"),
        (a_caught_fork_is_forgotten, "a block that caught fork-refused"),
        (another_owner_is_forgotten, "a block that caught key-mismatch"),
        (heads_bear_whatever_is_last, "of a log without its last entry"),
        (entries_end_one_late, "entries"),
        (logs_of_all_tenants, "logs"),
        (only_256_heads, "reads of 257 logs"),
        (one_entry_a_prefix, "the entries of each prefix"),
        (unsigned_prefixes, "find_keys|prefix"),
        (no_details_are_empty_details, "byte for byte"),
    ],
)
def test_a_store_that_breaks_a_rule_does_not_pass(monkeypatch, fault, words):
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=words):
        check_store(memory_stores, durable=False)


@pytest.mark.parametrize("url", ["memory:", "sqlite:///"])
def test_a_clock_that_refuses_undoes_the_block(tmp_path, url):
    def refusing():
        raise EngineError("clock-regressed", "the clock was set back")

    store = open_store(url if url == "memory:" else f"{url}{tmp_path}/store.db", clock=refusing, create=True)
    with refused("clock-regressed"), store.write() as transaction:
        transaction.set_tenant_unit("tenant-a", "credits")
        with suppress(EngineError):
            transaction.now()
    with store.read() as view:
        assert view.tenant_unit("tenant-a") is None
    store.close()


@pytest.mark.parametrize(
    "refuse",
    [
        lambda t: t.append([NewEntry(LOG, 0, b"{}", None, None, None)] * 2, []),
        lambda t: t.put_checkpoints([NewCheckpoint(LOG, 1, 2, b"note", 0)]),
    ],
)
def test_a_refusal_names_its_log_as_everybody_writes_it(refuse):
    with pytest.raises(EngineError) as caught, MemoryStore(clock).write() as transaction:
        refuse(transaction)
    assert caught.value.facts["log"] == "0x" + LOG.hex()


def test_a_second_transaction_waits_for_the_memory_store(monkeypatch):
    monkeypatch.setattr(memory, "LOCK_WAIT_SECONDS", 0.01)
    store = MemoryStore(clock)
    with store.read(), pytest.raises(EngineError) as caught, store.write():
        pass
    assert caught.value.code == "store-unavailable"
