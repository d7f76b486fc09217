"""The record of a customer, read from its newest entries alone."""

import pytest

from counterfoil.core.amount import NANO
from counterfoil.engine import customers as customers_module
from counterfoil.engine.engine import Engine
from counterfoil.errors import EngineError
from tests.support import (
    OPERATOR,
    assert_refusal,
    delta,
    erase,
    operator_named,
    recorded,
    refused,
    seeded,
    sql,
)


class TestOneCustomer:
    def test_it_says_totals_and_balance(self, engine):
        engine.record_many([delta("10"), delta("2.5"), delta("-4.25")])
        record = engine.customer("alice")
        assert (record.customer_id, record.unit, record.count, record.size) == ("alice", "credits", 3, 4)
        assert (record.credits, record.debits) == (12_500_000_000, 4_250_000_000)
        assert record.balance == 8_250_000_000

    def test_before_a_checkpoint_nothing_is_verified(self, engine):
        engine.record(delta())
        record = engine.customer("alice")
        assert (record.checkpoint_size, record.verified_count, record.verified_through_at) == (0, 0, None)

    def test_after_it_what_it_covers_is(self, engine):
        recorded(engine, 3)
        done = engine.checkpoint("alice")
        (late,) = recorded(engine, 1)
        record = engine.customer("alice")
        assert (record.checkpoint_size, record.verified_count, record.count) == (5, 3, 4)
        assert record.verified_through_at == done.verified_through_at
        assert record.last_at == late.entry.recorded_at > record.opened_at

    def test_it_names_the_origin_of_its_checkpoints(self, engine):
        engine.record(delta())
        assert engine.customer("alice").origin == engine.checkpoint("alice").checkpoint.origin

    def test_after_erasure_it_names_nobody(self, engine, store):
        engine.record(delta())
        erase(store, engine.log_of("alice"), 0)
        assert engine.customer("alice").customer_id is None

    def test_a_customer_that_is_not_there_is_refused(self, engine):
        for ask in (engine.customer, lambda name: list(engine.checkpoints(name))):
            with refused("customer-not-found"):
                ask("alice")

    def test_what_is_no_customer_id_is_refused(self, engine):
        with refused("invalid-field"):
            engine.customer("summary")

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM entries WHERE idx = 0",
            "DELETE FROM entries WHERE idx = 2",
            "DELETE FROM entries WHERE idx = 3",
            "UPDATE entries SET entry = x'7b7d' WHERE idx = 0",
            "UPDATE entries SET entry = x'7b7d' WHERE idx = 2",
            "UPDATE entries SET entry = x'7b7d' WHERE idx = 3",
            "UPDATE entries SET value = x'7b' WHERE idx = 0",
            "UPDATE entries SET value = x'7b7d' WHERE idx = 0",
        ],
    )
    def test_a_record_that_does_not_read_is_corrupt(self, sqlite_engine, sqlite_store, statement):
        recorded(sqlite_engine, 1)
        sqlite_engine.checkpoint("alice")
        recorded(sqlite_engine, 1)
        sql(sqlite_store, statement)
        with refused("log-corrupt"):
            sqlite_engine.customer("alice")


class TestManyCustomers:
    def test_all_are_listed_in_the_order_of_their_references(self, engine, monkeypatch):
        monkeypatch.setattr(customers_module, "_PAGE", 3)
        names = [f"c{n}" for n in range(10)]
        engine.record_many([delta(str(place + 1), name) for place, name in enumerate(names)])
        records = list(engine.customers())
        assert [record.log for record in records] == sorted(engine.log_of(name) for name in names)
        assert {record.customer_id: record.credits // NANO for record in records} == {
            name: place + 1 for place, name in enumerate(names)
        }
        assert list(engine.logs()) == [record.log for record in records]

    @pytest.mark.parametrize("count", [0, 2, 3, 4, 6])
    def test_a_page_may_end_with_the_list(self, engine, monkeypatch, count):
        monkeypatch.setattr(customers_module, "_PAGE", 3)
        engine.record_many([delta(customer=f"c{n}") for n in range(count)])
        assert len(list(engine.customers())) == len(list(engine.logs())) == count

    def test_those_of_another_tenant_are_not(self, engine, store):
        engine.record(delta())
        other = Engine(store, OPERATOR, tenant="other", randomness=seeded(1))
        assert list(other.customers()) == list(other.logs()) == []
        other.record(delta("5"))
        assert (engine.customer("alice").credits, other.customer("alice").credits) == (10 * NANO, 5 * NANO)
        assert engine.log_of("alice") != other.log_of("alice")

    def test_one_that_does_not_read_does_not_hide_the_others(self, sqlite_engine, sqlite_store):
        sqlite_engine.record_many([delta(customer=name) for name in ("alice", "bob")])
        log = sqlite_engine.log_of("alice")
        sql(sqlite_store, "UPDATE entries SET entry = x'7b7d' WHERE log = ? AND idx = 1", log)
        records = list(sqlite_engine.customers())
        (bad,) = [record for record in records if isinstance(record, EngineError)]
        assert_refusal(bad, "log-corrupt")
        assert [record.customer_id for record in records if record is not bad] == ["bob"]


class TestOwner:
    def test_a_store_belongs_to_the_operator_that_first_stood_over_it(self, store):
        Engine(store, OPERATOR)
        Engine(store, OPERATOR)
        for other in (operator_named("other.example.com"), operator_named(seed="other")):
            with refused("key-mismatch"):
                Engine(store, other)

    def test_a_tenant_is_a_label(self, store):
        for tenant in ("", "A", "a b", "-a", "a" * 64, "a/b"):
            with refused("malformed"):
                Engine(store, OPERATOR, tenant=tenant)
