"""Proving: a receipt for any entry, at any checkpoint that covers it; and never one that fails later."""

import json

import pytest

from counterfoil.core.entry import DELTA, OPEN, SEAL
from counterfoil.core.receipt import parse_receipt, verify_receipt
from counterfoil.core.tlog_proof import parse_consistency_file, parse_tlog_proof, verify_consistency_file
from counterfoil.engine.engine import Engine
from counterfoil.storage.memory import MemoryStore
from tests.support import (
    KEYS,
    OPERATOR,
    FakeClock,
    delta,
    erase,
    operator_named,
    recorded,
    refused,
    respelled,
    seeded,
    sql,
)

SIZES = (3, 4, 9, 256, 257, 260, 515)


def checkpoints_at(engine, sizes=SIZES, customer="alice"):
    """Make checkpoints of exactly these sizes; return them by size."""
    made, size = {}, 0
    for wanted in sizes:
        # Each seal is an entry, and so is the one that opens the log.
        deltas = wanted - size - (1 if size else 2)
        if deltas:
            recorded(engine, deltas, customer)
        made[wanted] = engine.checkpoint(customer, refresh=True).checkpoint
        size = wanted
    assert list(made) == [checkpoint.size for checkpoint in made.values()]
    return made


def place(engine, index, customer="alice"):
    return f"0x{engine.log_of(customer).hex()}.{index}"


class TestReceipt:
    def test_every_entry_has_one_under_every_checkpoint_that_covers_it(self, engine):
        made = checkpoints_at(engine)
        for size, checkpoint in made.items():
            for index in {*range(min(size, 12)), *range(250, min(size, 262)), size // 2, size - 1} - {size}:
                proven = engine.receipt(place(engine, index), size=size)
                verified = verify_receipt(proven.receipt, KEYS, customer_id="alice")
                assert (verified.entry.index, verified.checkpoint) == (index, checkpoint)
                with_others = parse_tlog_proof(proven.tlog_proof)
                assert (with_others.index, with_others.checkpoint) == (index, checkpoint)

    def test_the_newest_checkpoint_is_taken_where_none_is_named(self, engine):
        checkpoints_at(engine, (3, 9))
        assert parse_receipt(engine.receipt(place(engine, 1)).receipt).proof.checkpoint.size == 9

    def test_open_and_seal_have_theirs(self, engine):
        checkpoints_at(engine, (3,))
        kinds = [verify_receipt(engine.receipt(place(engine, n)).receipt, KEYS).entry.type for n in range(3)]
        assert kinds == [OPEN, DELTA, SEAL]

    def test_it_says_the_reason_and_whose_it_is(self, engine):
        answer = engine.record(delta(reason="a call", metadata={"model": "aé"}))
        engine.checkpoint("alice")
        verified = verify_receipt(engine.receipt(answer.record_id).receipt, KEYS)
        assert verified.details == {"reason": "a call", "metadata": {"model": "aé"}}
        assert (verified.customer_id, verified.entry) == ("alice", answer.entry)

    def test_the_customer_can_be_left_unnamed(self, engine):
        answer = engine.record(delta())
        engine.checkpoint("alice")
        receipt = engine.receipt(answer.record_id, with_open=False).receipt
        assert "open" not in json.loads(receipt)
        assert verify_receipt(receipt, KEYS).customer_id is None

    def test_after_erasure_it_goes_without_details(self, engine, store):
        answer = engine.record(delta())
        engine.checkpoint("alice")
        erase(store, engine.log_of("alice"), 1)
        verified = verify_receipt(engine.receipt(answer.record_id).receipt, KEYS)
        assert (verified.details, verified.customer_id, verified.entry) == (None, "alice", answer.entry)

    def test_after_the_customers_name_is_erased_it_names_nobody(self, engine, store):
        answer = engine.record(delta())
        engine.checkpoint("alice")
        erase(store, engine.log_of("alice"), 0)
        assert verify_receipt(engine.receipt(answer.record_id).receipt, KEYS).customer_id is None

    def test_a_receipt_once_given_stays_valid(self, engine):
        answer = engine.record(delta())
        engine.checkpoint("alice")
        early = engine.receipt(answer.record_id).receipt
        checkpoint = parse_receipt(early).proof.checkpoint
        recorded(engine, 300)
        engine.checkpoint("alice")
        assert verify_receipt(early, KEYS).entry == answer.entry
        assert engine.receipt(answer.record_id, size=checkpoint.size).receipt == early

    def test_before_a_checkpoint_there_is_none_yet(self, engine):
        answer = engine.record(delta())
        with refused("not-yet-checkpointed") as caught:
            engine.receipt(answer.record_id)
        assert caught.value.facts == {"index": "1", "checkpointed": "0"}

    def test_behind_the_newest_checkpoint_there_is_none_yet(self, engine):
        checkpoints_at(engine, (3,))
        (late,) = recorded(engine, 1)
        with refused("not-yet-checkpointed"):
            engine.receipt(late.record_id)

    @pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 8, -1])
    def test_a_checkpoint_that_never_comes_or_does_not_cover_it_proves_nothing(self, engine, size):
        checkpoints_at(engine, (3, 9))
        with refused("record-not-found"):
            engine.receipt(place(engine, 5), size=size)

    @pytest.mark.parametrize("size", [10, 2**63, 2**70])
    def test_a_checkpoint_that_is_not_there_yet_proves_nothing_yet(self, engine, size):
        checkpoints_at(engine, (3, 9))
        with refused("not-yet-checkpointed"):
            engine.receipt(place(engine, 5), size=size)

    @pytest.mark.parametrize("index", [9, 10, 2**63 - 1])
    def test_a_record_that_is_not_there_has_none(self, engine, index):
        checkpoints_at(engine, (3, 9))
        with refused("record-not-found"):
            engine.receipt(place(engine, index))

    @pytest.mark.parametrize(
        "text", ["", "alice", "0x00.1", "0x" + "0" * 40, "0x" + "0" * 40 + ".1", f"0x{'A' * 40}.1"]
    )
    def test_what_names_no_record_is_not_found(self, engine, text):
        with refused("record-not-found"):
            engine.receipt(text)

    def test_another_tenants_record_is_not_found(self, engine, store):
        answer = engine.record(delta())
        engine.checkpoint("alice")
        other = Engine(store, OPERATOR, tenant="other", randomness=seeded(1))
        for ask in (other.receipt, other.verify_record):
            with refused("record-not-found"):
                ask(answer.record_id)
        with refused("customer-not-found"):
            list(other.receipts("alice"))
        with refused("customer-not-found"):
            other.audit_log(other.log_of("alice"), KEYS)
        with refused("customer-not-found"):
            other.audit_log(engine.log_of("alice"), KEYS)


class TestReceipts:
    def test_all_deltas_that_are_covered_have_one_in_order(self, engine):
        checkpoints_at(engine, (3, 9, 300))
        recorded(engine, 2)
        proven = list(engine.receipts("alice"))
        verified = [verify_receipt(each.receipt, KEYS, customer_id="alice") for each in proven]
        assert [each.entry.index for each in verified] == [n for n in range(1, 299) if n not in (2, 8)]
        assert {each.checkpoint.size for each in verified} == {300}

    def test_each_is_the_one_that_is_made_alone(self, engine):
        checkpoints_at(engine, (3, 270))
        for each in list(engine.receipts("alice"))[::50]:
            assert engine.receipt(each.record_id) == each

    def test_they_are_of_one_checkpoint_though_another_comes_meanwhile(self, engine):
        checkpoints_at(engine, (600,))
        making = engine.receipts("alice")
        first = next(making)
        recorded(engine, 300)
        engine.checkpoint("alice")
        rest = list(making)
        assert len(rest) == 597
        for each in (first, rest[-1]):
            assert verify_receipt(each.receipt, KEYS).checkpoint.size == 600

    def test_without_a_checkpoint_there_are_none_yet(self, engine):
        recorded(engine, 1)
        with refused("not-yet-checkpointed"):
            list(engine.receipts("alice"))

    def test_without_a_customer_there_are_none(self, engine):
        with refused("customer-not-found"):
            list(engine.receipts("alice"))


class TestConsistencyFile:
    def test_there_is_one_between_any_two_checkpoints(self, engine):
        made = checkpoints_at(engine)
        for old in made.values():
            for new in made.values():
                if old.size > new.size:
                    continue
                file = parse_consistency_file(engine.consistency_file("alice", old.size, size=new.size))
                verify_consistency_file(old, file, KEYS)
                assert file.checkpoint == new

    def test_the_newest_is_taken_where_none_is_named(self, engine):
        checkpoints_at(engine, (3, 9))
        assert parse_consistency_file(engine.consistency_file("alice", 3)).checkpoint.size == 9

    def test_a_larger_one_is_not_extended_by_a_smaller(self, engine):
        checkpoints_at(engine, (3, 9))
        with refused("invalid-field"):
            engine.consistency_file("alice", 9, size=3)

    @pytest.mark.parametrize("old", [0, 1, 8, 10, -1, 2**63, 2**70])
    def test_a_checkpoint_that_is_not_there_is_not_found(self, engine, old):
        checkpoints_at(engine, (3, 9))
        with refused("record-not-found"):
            engine.consistency_file("alice", old)
        with refused("record-not-found"):
            engine.consistency_file("alice", 3, size=old)

    def test_without_a_checkpoint_or_a_customer_there_is_none(self, engine):
        with refused("customer-not-found"):
            engine.consistency_file("alice", 1)
        recorded(engine, 1)
        with refused("record-not-found"):
            engine.consistency_file("alice", 1)


class TestVerifyRecord:
    def test_it_answers_from_stored_bytes(self, engine):
        answer = engine.record(delta("-3.5"))
        engine.checkpoint("alice")
        assert engine.verify_record(answer.record_id).entry == answer.entry

    def test_it_takes_the_callers_keys_where_they_are_given(self, engine):
        answer = engine.record(delta())
        engine.checkpoint("alice")
        with refused("unknown-key"):
            engine.verify_record(answer.record_id, operator_named(seed="another").keys)
        assert engine.verify_record(answer.record_id, KEYS).customer_id == "alice"

    def test_before_a_checkpoint_there_is_nothing_to_verify(self, engine):
        answer = engine.record(delta())
        with refused("not-yet-checkpointed"):
            engine.verify_record(answer.record_id)


# What an insider does to a covered entry before somebody asks for its receipt.
TAMPERING = {
    "the entry is another": "UPDATE entries SET entry = (SELECT entry FROM entries WHERE idx = 2) WHERE idx = 1",
    "the entry is no entry": "UPDATE entries SET entry = x'7b7d' WHERE idx = 1",
    "the amount is another": respelled("entry", 'amount":"1"', 'amount":"0.5"', "idx = 1"),
    "the entry is gone": "DELETE FROM entries WHERE idx = 1",
    "the open entry is gone": "DELETE FROM entries WHERE idx = 0",
    "the open entry is another": respelled("entry", "credits", "debits", "idx = 0"),
    "the tile is changed": "UPDATE tiles SET hashes = zeroblob(length(hashes))",
    "the tile is short": "UPDATE tiles SET hashes = substr(hashes, 1, 32)",
    "the tile is gone": "DELETE FROM tiles",
    "the checkpoint is no note": "UPDATE checkpoints SET note = x'00'",
    "the checkpoint is gone": "DELETE FROM checkpoints",
    "the details are no JSON": "UPDATE entries SET value = x'7b' WHERE idx = 1",
    "the details are no object": "UPDATE entries SET value = x'5b5d' WHERE idx = 1",
    "the reason is another": respelled("value", "usage", "abuse", "idx = 1"),
    "the customer is another": respelled("value", "alice", "mallory", "idx = 0"),
    "the salt is another": "UPDATE entries SET salt = zeroblob(32) WHERE idx = 1",
}


class TestTampered:
    @pytest.mark.parametrize("what", TAMPERING)
    def test_no_receipt_is_made_that_fails_later(self, sqlite_engine, sqlite_store, what):
        first, *_ = recorded(sqlite_engine, 3)
        sqlite_engine.checkpoint("alice")
        assert sqlite_engine.verify_record(first.record_id).entry == first.entry
        assert sql(sqlite_store, TAMPERING[what]) > 0
        for make in (sqlite_engine.receipt, sqlite_engine.verify_record):
            with refused("log-corrupt"):
                make(first.record_id)
        with refused("log-corrupt"):
            list(sqlite_engine.receipts("alice"))

    def test_no_consistency_file_is_made_that_fails_later(self, sqlite_engine, sqlite_store):
        checkpoints_at(sqlite_engine, (3, 9))
        sql(sqlite_store, "UPDATE tiles SET hashes = zeroblob(length(hashes))")
        with refused("log-corrupt"):
            sqlite_engine.consistency_file("alice", 3)


class TestAgainstWhatSomebodyKept:
    """A checkpoint from outside is held against the store: it tells a store that was set back."""

    def test_one_that_the_store_leads_to_is_extended(self, engine):
        kept = checkpoints_at(engine)
        for old in kept.values():
            file = parse_consistency_file(engine.consistency_file("alice", old))
            verify_consistency_file(old, file, KEYS)

    def test_one_that_is_newer_than_the_store_shows_that_it_was_set_back(self, engine):
        ahead = Engine(MemoryStore(FakeClock()), OPERATOR, randomness=seeded(7))
        recorded(engine, 1)
        engine.checkpoint("alice")
        recorded(ahead, 5)
        newer = ahead.checkpoint("alice").checkpoint
        with refused("fork-refused"):
            engine.consistency_file("alice", newer)

    def test_one_of_another_history_is_a_fork_with_both_as_evidence(self, engine):
        elsewhere = Engine(MemoryStore(FakeClock()), OPERATOR, randomness=seeded(7))
        recorded(elsewhere, 2)
        kept = elsewhere.checkpoint("alice").checkpoint
        recorded(engine, 5)
        ours = engine.checkpoint("alice").checkpoint
        with refused("fork") as caught:
            engine.consistency_file("alice", kept)
        assert (caught.value.facts["first"], caught.value.facts["second"]) == (kept.note, ours.note)

    def test_one_of_another_log_or_key_says_nothing(self, engine):
        recorded(engine, 2)
        engine.checkpoint("alice")
        recorded(engine, 1, customer="bob")
        with refused("wrong-origin"):
            engine.consistency_file("alice", engine.checkpoint("bob").checkpoint)
        stranger = Engine(MemoryStore(FakeClock()), operator_named(seed="other"), randomness=seeded())
        recorded(stranger, 1)
        with refused("unknown-key"):
            engine.consistency_file("alice", stranger.checkpoint("alice").checkpoint)
