"""Settled entries that somebody damaged: their log is corrupt wherever they are needed, and no other one is."""

import pytest

from counterfoil.engine import checkpoint as checkpoint_module
from counterfoil.engine import sign as sign_module
from counterfoil.engine.customers import CustomerRecord
from counterfoil.engine.engine import Engine
from counterfoil.errors import EngineError
from tests.engine.stepping import Crash, Stepping
from tests.support import KEYS, OPERATOR, assert_refusal, delta, erase, recorded, refused, seeded, sql

# What happens to the bundle of alice's log, of the entries 0 to 101; entry 102, a seal, is not settled.
DAMAGE = {
    "the entries are cut off": "UPDATE bundles SET entries = substr(entries, 1, length(entries) - 1)",
    "the entries are other bytes": "UPDATE bundles SET entries = x'78'",
    "the entries are one alone": "UPDATE bundles SET entries = x'789c6360ac0000007d007a'",
    "the details are cut off": "UPDATE bundles SET details = substr(details, 1, length(details) - 9)",
    "the details are of no entry": "UPDATE bundles SET details = x'789c030000000001'",
    "it begins elsewhere": "UPDATE bundles SET first = first + 1",
    "it ends elsewhere": "UPDATE bundles SET last = last - 1",
    "it has another place": "UPDATE bundles SET first = first + 9000, last = last + 9000",
    "it is gone": "DELETE FROM bundles",
}


def key(number):
    return f"key-{number}"


def place(engine, index, name="alice"):
    return f"0x{engine.log_of(name).hex()}.{index}"


@pytest.fixture
def settled(sqlite_engine, sqlite_store):
    """Two logs of 101 settled entries and a seal, checkpointed."""
    requests = [delta("1", name, idempotency_key=key(n)) for name in ("alice", "bob") for n in range(1, 102)]
    assert not any(isinstance(answer, EngineError) for answer in sqlite_engine.record_many(requests))
    assert {done.outcome for done in sqlite_engine.checkpoint_all()} == {"signed"}
    assert sql(sqlite_store, "DELETE FROM entries WHERE idx < 102") == 0
    return sqlite_engine


@pytest.mark.parametrize("what", DAMAGE)
class TestOneOfTwo:
    @pytest.fixture
    def engine(self, settled, sqlite_store, what):
        assert sql(sqlite_store, DAMAGE[what] + " WHERE log = ?", settled.log_of("alice")) == 1
        return settled

    def test_no_receipt_is_made_of_what_is_not_there(self, engine):
        with refused("log-corrupt"):
            engine.receipt(place(engine, 7))
        with refused("log-corrupt"):
            list(engine.receipts("alice"))
        assert engine.verify_record(place(engine, 7, "bob")).entry.index == 7
        assert len(list(engine.receipts("bob"))) == 101

    def test_the_audit_finds_it(self, engine):
        with refused("log-corrupt"):
            engine.audit("alice", KEYS)
        assert engine.audit("bob", KEYS).deltas == 101

    def test_a_repeated_request_is_not_recorded_again(self, engine):
        answers = engine.record_many(
            [delta("1", name, idempotency_key=key(n)) for n in (1, 50) for name in ("alice", "bob")]
        )
        for alice, bob in (answers[:2], answers[2:]):
            assert_refusal(alice, "log-corrupt")
            assert bob.replayed
        assert engine.customer("bob").count == 101

    def test_what_is_not_there_is_not_adjusted(self, engine):
        alice, bob = engine.record_many(
            [delta("-1", name, adjusts=place(engine, 50, name)) for name in ("alice", "bob")]
        )
        assert_refusal(alice, "log-corrupt")
        assert bob.entry.adjusts == 50

    def test_the_records_of_others_are_listed(self, engine):
        with refused("log-corrupt"):
            engine.customer("alice")
        found = list(engine.customers())
        assert [item.customer_id for item in found if isinstance(item, CustomerRecord)] == ["bob"]
        (bad,) = (item for item in found if isinstance(item, EngineError))
        assert_refusal(bad, "log-corrupt")

    def test_what_is_new_is_recorded_and_signed(self, engine):
        """As behind any damage further back: a checkpoint needs the last entry and the tiles, and an audit all."""
        for name in ("alice", "bob"):
            recorded(engine, 200, name)
        assert {done.outcome for done in engine.checkpoint_all()} == {"signed"}
        # Every receipt bears the entry that opens the log.
        with refused("log-corrupt"):
            engine.receipt(place(engine, 150))
        with refused("log-corrupt"):
            engine.audit("alice", KEYS)
        assert engine.audit("bob", KEYS).covered == 304


class TestBacklog:
    """Entries that were settled on the way to a checkpoint, which the worker then did not reach."""

    @pytest.fixture
    def engine(self, sqlite_store, monkeypatch):
        for module in (checkpoint_module, sign_module):
            monkeypatch.setattr(module, "PAGE_ENTRIES", 300)
        monkeypatch.setattr(sign_module, "_TILES_HELD", 2)
        stepping = Stepping(sqlite_store)
        worker = Engine(stepping, OPERATOR, randomness=seeded())
        recorded(worker, 1_000)
        stepping.crash_at(6)
        with pytest.raises(Crash):
            worker.checkpoint("alice")
        recorded(worker_after := Engine(sqlite_store, OPERATOR, randomness=seeded(1)), 3, "bob")
        return worker_after

    def test_they_are_signed_from_where_they_are(self, engine, sqlite_store):
        assert sql(sqlite_store, "UPDATE bundles SET last = last") > 1
        assert engine.checkpoint("alice").checkpoint.size == 1_002
        assert engine.audit("alice", KEYS).covered == 1_002

    @pytest.mark.parametrize("what", ["the entries are cut off", "the details are cut off", "it is gone"])
    def test_damaged_they_are_not_signed_and_others_are(self, engine, sqlite_store, what):
        assert sql(sqlite_store, DAMAGE[what] + " WHERE first = 256") == 1
        alice, bob = engine.checkpoint_many(["alice", "bob"])
        assert_refusal(alice, "log-corrupt")
        assert bob.outcome == "signed"


# Rows that nobody settled, where settled ones are to go.
INTRUDERS = {
    "keys": "INSERT INTO keys SELECT log, key_prefix, idx FROM entries WHERE key_prefix IS NOT NULL AND idx < 9",
    "a bundle": "INSERT INTO bundles (log, last, first, entries, details) SELECT log, idx, 0, x'00', x'00' FROM entries WHERE idx = 100",
    "a smaller bundle": "INSERT INTO bundles (log, last, first, entries, details) SELECT log, idx, 3, x'00', x'00' FROM entries WHERE idx = 7",
}


class TestIntruders:
    @pytest.fixture
    def engine(self, sqlite_engine):
        for name in ("alice", "bob"):
            recorded(sqlite_engine, 100, name)
        return sqlite_engine

    @pytest.mark.parametrize("what", INTRUDERS)
    def test_they_hold_up_nobody_else(self, engine, sqlite_store, what):
        statement = INTRUDERS[what] + " AND log = ?"
        assert sql(sqlite_store, statement, engine.log_of("alice")) > 0
        # Nor their own log: what stands where they do is not touched, and they themselves do not read.
        assert [done.outcome for done in engine.checkpoint_many(["alice", "bob"])] == ["signed"] * 2
        for name in ("alice", "bob"):
            assert engine.audit(name, KEYS).covered == 102
            assert engine.record(delta("1", name)).entry.index == 102


def test_details_of_settled_entries_are_erased_one_by_one(settled, sqlite_store):
    log = settled.log_of("alice")
    before = {index: settled.receipt(place(settled, index)) for index in (1, 50, 101)}
    for count, index in enumerate((50, 1, 101), 1):
        erase(sqlite_store, log, index)
        assert settled.audit("alice", KEYS).details_absent == count
        erased = settled.verify_record(place(settled, index))
        assert erased.details is None
        assert erased.entry.index == index
        # A repeated request is still one.
        again = settled.record(delta("1", "alice", idempotency_key=key(index)))
        assert (again.replayed, again.data) == (True, before[index].data)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET value = zeroblob(70000) WHERE idx = 3 AND log = ?",
        "UPDATE entries SET value = zeroblob(20000) WHERE idx BETWEEN 1 AND 100 AND log = ?",
        "UPDATE entries SET entry = zeroblob(3000) WHERE idx = 3 AND log = ?",
    ],
)
def test_what_is_longer_than_anything_recorded_is_left_where_it_is(sqlite_engine, sqlite_store, damage):
    for name in ("alice", "bob"):
        recorded(sqlite_engine, 101, name)
    alice, bob = sqlite_engine.log_of("alice"), sqlite_engine.log_of("bob")
    assert sql(sqlite_store, damage, alice) > 0
    list(sqlite_engine.checkpoint_all())
    # The open entry, 101 deltas and the seal.
    assert sql(sqlite_store, "UPDATE entries SET entry = entry WHERE log = ?", alice) == 103
    assert sql(sqlite_store, "UPDATE entries SET entry = entry WHERE log = ?", bob) == 1
    assert sqlite_engine.audit("bob", KEYS).deltas == 101
