"""One log that somebody damaged holds up no other, whatever is done with many of them at once."""

import pytest

from counterfoil.engine.customers import CustomerRecord
from counterfoil.errors import EngineError
from tests.support import assert_refusal, delta, recorded, refused, sql

# What happens to alice's log: an open entry, three deltas and no checkpoint.
DAMAGE = {
    "the last entry is gone": "DELETE FROM entries WHERE idx = 3",
    "the last entry is other bytes": "UPDATE entries SET entry = x'7b7d' WHERE idx = 3",
    "every entry is gone": "DELETE FROM entries WHERE true",
    "the head claims an entry more": "UPDATE logs SET size = 5 WHERE true",
    "the head claims an entry less": "UPDATE logs SET size = 3 WHERE true",
    "the head claims one entry alone": "UPDATE logs SET size = 1 WHERE true",
}


@pytest.mark.parametrize("what", DAMAGE)
class TestOneOfMany:
    @pytest.fixture
    def engine(self, sqlite_engine, sqlite_store, what):
        for name in ("alice", "bob"):
            recorded(sqlite_engine, 3, name)
        assert sql(sqlite_store, DAMAGE[what] + " AND log = ?", sqlite_engine.log_of("alice")) > 0
        return sqlite_engine

    def test_the_deltas_of_others_are_recorded(self, engine):
        alice, bob = engine.record_many([delta("5", "alice"), delta("5", "bob")])
        assert_refusal(alice, "log-corrupt")
        assert bob.entry.index == 4

    def test_the_logs_of_others_are_signed(self, engine):
        alice, bob = engine.checkpoint_many(["alice", "bob"])
        assert_refusal(alice, "log-corrupt")
        assert bob.outcome == "signed"

    def test_the_records_of_others_are_listed(self, engine):
        found = list(engine.customers())
        assert [item.customer_id for item in found if isinstance(item, CustomerRecord)] == ["bob"]
        (bad,) = (item for item in found if isinstance(item, EngineError))
        assert_refusal(bad, "log-corrupt")

    def test_it_is_refused_by_itself(self, engine):
        for use in (engine.customer, engine.checkpoint, lambda name: engine.record(delta("5", name))):
            with refused("log-corrupt"):
                use("alice")
