"""Auditing: everything is recomputed from the exact bytes, under keys that the auditor brings."""

import pytest

from counterfoil.engine import audit as audit_module
from counterfoil.engine import stored as stored_module
from counterfoil.engine.operator import Operator
from counterfoil.storage.sql.transactions import Reading
from tests.support import (
    KEYS,
    OPERATOR,
    delta,
    erase,
    operator_named,
    recorded,
    refused,
    sql,
)


class TestReport:
    def test_it_says_what_was_checked(self, engine):
        recorded(engine, 3)
        engine.checkpoint("alice")
        recorded(engine, 2)
        done = engine.checkpoint("alice")
        recorded(engine, 1)
        report = engine.audit("alice", KEYS)
        assert report.origin == done.checkpoint.origin
        assert (report.entries, report.deltas, report.checkpoints, report.covered) == (9, 6, 2, 8)
        assert (report.details_checked, report.details_absent, report.unknown_types) == (7, 0, 0)
        assert report.verified_through_at == done.verified_through_at
        assert report.last.count == 6

    def test_a_log_without_a_checkpoint_is_checked_in_itself(self, engine):
        recorded(engine, 3)
        report = engine.audit("alice", KEYS)
        assert (report.entries, report.covered, report.checkpoints, report.verified_through_at) == (
            4,
            0,
            0,
            None,
        )

    def test_erased_details_are_counted(self, engine, store):
        recorded(engine, 3)
        engine.checkpoint("alice")
        for index in (0, 2):
            erase(store, engine.log_of("alice"), index)
        report = engine.audit("alice", KEYS)
        assert (report.details_checked, report.details_absent) == (2, 2)

    def test_progress_adds_up_and_pages_change_nothing(self, engine, monkeypatch):
        recorded(engine, 300)
        engine.checkpoint("alice")
        recorded(engine, 300)
        engine.checkpoint("alice")
        whole = engine.audit("alice", KEYS)
        monkeypatch.setattr(audit_module, "_PAGE", 100)
        monkeypatch.setattr(stored_module, "_PAGE", 1)
        done = []
        assert engine.audit("alice", KEYS, progress=done.append) == whole
        assert (sum(done), len(done)) == (603, 7)

    def test_a_customer_that_is_not_there_is_refused(self, engine):
        with refused("customer-not-found"):
            engine.audit("alice", KEYS)


class TestMeanwhile:
    """An audit is of the log as it was when it began; what comes meanwhile is no fault."""

    @pytest.mark.parametrize("page", [1, 2, 5])
    def test_deltas_and_checkpoints_that_come_meanwhile_are_not_part_of_it(self, engine, monkeypatch, page):
        monkeypatch.setattr(audit_module, "_PAGE", page)
        monkeypatch.setattr(stored_module, "_PAGE", 1)
        recorded(engine, 5)
        engine.checkpoint("alice")
        recorded(engine, 2)

        def work(_count):
            recorded(engine, 1)
            engine.checkpoint("alice")

        report = engine.audit("alice", KEYS, progress=work)
        assert (report.entries, report.covered, report.checkpoints) == (9, 7, 1)


class TestKeys:
    def test_they_come_from_the_caller(self, engine):
        recorded(engine, 1)
        engine.checkpoint("alice")
        with refused("unknown-key"):
            engine.audit("alice", operator_named(seed="other").keys)

    def test_what_another_key_signed_under_the_same_name_is_found(self, engine):
        """Somebody else's signature, though the store were made to believe it."""
        recorded(engine, 1)
        thief = Operator(OPERATOR.name, operator_named(seed="thief").signer, OPERATOR.reference_key)
        engine.operator = thief
        engine.checkpoint("alice")
        with refused("unknown-key"):
            engine.audit("alice", KEYS)
        assert engine.audit("alice", thief.keys).covered == 3


class TestContradictions:
    def test_an_idempotency_key_that_stands_twice_is_found(self, sqlite_engine, sqlite_store):
        """As when somebody removed the look-up, so that a replay was recorded again."""
        sqlite_engine.record(delta(idempotency_key="k"))
        log = sqlite_engine.log_of("alice")
        sql(sqlite_store, "UPDATE entries SET key_prefix = 0 WHERE log = ? AND idx = 1", log)
        assert not sqlite_engine.record(delta(idempotency_key="k")).replayed
        sql(
            sqlite_store,
            "UPDATE entries SET key_prefix = (SELECT key_prefix FROM entries WHERE idx = 2) WHERE idx = 1",
        )
        with refused("duplicate-key"):
            sqlite_engine.audit("alice", KEYS)

    def test_a_checkpoint_of_the_middle_that_is_gone_is_found(self, sqlite_engine, sqlite_store):
        for _ in range(3):
            recorded(sqlite_engine, 1)
            sqlite_engine.checkpoint("alice")
        assert sql(sqlite_store, "DELETE FROM checkpoints WHERE size = 5") == 1
        with refused("log-corrupt"):
            sqlite_engine.audit("alice", KEYS)

    def test_entries_behind_the_head_are_found(self, sqlite_engine, sqlite_store):
        recorded(sqlite_engine, 3)
        sql(sqlite_store, "UPDATE logs SET size = size - 1")
        with refused("log-corrupt"):
            sqlite_engine.audit("alice", KEYS)

    def test_the_log_of_another_customer_is_found(self, engine, store):
        """Consistent in itself and under its own reference, but named by details of somebody else."""
        recorded(engine, 1)
        other = operator_named(reference="other")
        with refused("wrong-origin"):
            audit_module.audit_log(
                store,
                OPERATOR.name,
                engine.tenant,
                engine.log_of("alice"),
                KEYS,
                reference_of=lambda name: other.log_of(engine.tenant, name),
            )

    def test_a_head_that_claims_any_number_of_entries_is_not_followed(self, sqlite_engine, sqlite_store):
        recorded(sqlite_engine, 1)
        for size in (3, 2**62, 2**63 - 1):
            sql(sqlite_store, "UPDATE logs SET size = ?", size)
            with refused("log-corrupt"):
                sqlite_engine.audit("alice", KEYS)

    def test_a_pending_seal_is_no_fault(self, sqlite_engine, sqlite_store):
        recorded(sqlite_engine, 1)
        sqlite_engine.checkpoint("alice")
        sql(sqlite_store, "DELETE FROM checkpoints")
        sql(sqlite_store, "UPDATE logs SET checkpoint_size = 0")
        report = sqlite_engine.audit("alice", KEYS)
        assert (report.covered, report.entries) == (0, 3)


# What has things not found, of a log of the entries 0 to 302, of which those below 302 are settled.
MISLED = {
    "the customer is called otherwise": "UPDATE customers SET customer_id = 'alic'",
    "the customer is another tenant's": "UPDATE customers SET tenant = 'other'",
    "the customer is not listed": "DELETE FROM customers",
    "a checkpoint has another root": "UPDATE checkpoints SET root_prefix = root_prefix + 1",
    "a checkpoint has no root": "UPDATE checkpoints SET root_prefix = NULL",
    "the first bundle ends a little later": "UPDATE bundles SET time = time + 1 WHERE first = 0",
    "the first bundle ends a little earlier": "UPDATE bundles SET time = time - 1 WHERE first = 0",
    "the last bundle ends at another time": "UPDATE bundles SET time = time + 3600000000 WHERE last = 301",
    "the last bundle never ends": "UPDATE bundles SET time = 9223372036854775807 WHERE last = 301",
    "no bundle has a time": "UPDATE bundles SET time = NULL",
    "the first bundle counts one more": "UPDATE bundles SET count = count + 1 WHERE first = 0",
    "the first bundle counts one less": "UPDATE bundles SET count = count - 1 WHERE first = 0",
    "the last bundle counts one more": "UPDATE bundles SET count = count + 1 WHERE last = 301",
    "no bundle counts": "UPDATE bundles SET count = NULL",
}


class TestFinding:
    @pytest.mark.parametrize("page", [100, 4096])
    @pytest.mark.parametrize("what", MISLED)
    def test_what_is_found_no_more_is_found_by_the_audit(
        self, sqlite_engine, sqlite_store, monkeypatch, what, page
    ):
        monkeypatch.setattr(audit_module, "_PAGE", page)
        for name in ("alice", "bob"):
            recorded(sqlite_engine, 301, name)
            sqlite_engine.checkpoint(name)
        alone = " AND " if "WHERE" in MISLED[what] else " WHERE "
        assert sql(sqlite_store, f"{MISLED[what]}{alone}log = ?", sqlite_engine.log_of("alice")) > 0
        with refused("log-corrupt"):
            sqlite_engine.audit("alice", KEYS)
        assert sqlite_engine.audit("bob", KEYS).covered == 303

    @pytest.mark.parametrize("page", [7, 256, 4096])
    def test_seals_in_a_row_and_what_is_not_settled_mislead_nobody(self, engine, monkeypatch, page):
        """Counts that stand still over more than a bundle, and on both sides of every border."""
        monkeypatch.setattr(audit_module, "_PAGE", page)
        recorded(engine, 70)
        for _ in range(260):
            engine.checkpoint("alice", refresh=True)
        recorded(engine, 300)
        engine.checkpoint("alice")
        recorded(engine, 5)
        assert engine.audit("alice", KEYS).entries == 637


def test_an_erased_name_is_not_to_be_listed(sqlite_engine, sqlite_store):
    recorded(sqlite_engine, 1)
    sqlite_engine.checkpoint("alice")
    log = sqlite_engine.log_of("alice")
    sql(sqlite_store, "UPDATE entries SET salt = NULL, value = NULL WHERE idx = 0")
    with refused("log-corrupt"):
        sqlite_engine.audit("alice", KEYS)
    assert sql(sqlite_store, "DELETE FROM customers WHERE log = ?", log) == 1
    assert sqlite_engine.audit("alice", KEYS).details_absent == 1


def test_places_are_asked_for_a_few_times_a_bundle_and_not_for_each_entry(sqlite_engine, monkeypatch):
    asked = []

    def counted(method):
        right = getattr(Reading, method)

        def near(self, wanted):
            asked.extend(wanted)
            return right(self, wanted)

        return near

    for method in ("near_times", "near_counts"):
        monkeypatch.setattr(Reading, method, counted(method))
    recorded(sqlite_engine, 3_000)
    sqlite_engine.checkpoint("alice")
    assert sqlite_engine.audit("alice", KEYS).entries == 3_002
    # Of each kind two for each of 12 bundles, one for what is not settled, and one behind the end.
    assert len(asked) <= 2 * (2 * 12 + 2)
