"""Deltas by the sender's own name for them, on each of the three stores."""

import pytest

from counterfoil.engine import references
from tests.support import delta, erase, recorded, refused


def record(engine, reference, customer="alice"):
    return engine.record(delta(customer=customer, reference_id=reference)).record_id


@pytest.mark.parametrize("settled", [False, True], ids=["new", "settled"])
def test_a_delta_is_found_by_its_reference(engine, settled):
    recorded(engine, 70)
    wanted = record(engine, "line 71")
    record(engine, "line 72")
    if settled:
        recorded(engine, 70)
        engine.checkpoint("alice")
    assert engine.find_reference("alice", "line 71") == wanted


def test_of_several_the_oldest_is_meant(engine):
    first = record(engine, "twice")
    record(engine, "twice")
    assert engine.find_reference("alice", "twice") == first


def test_of_those_that_are_searched(engine, monkeypatch):
    monkeypatch.setattr(references, "REFERENCE_SEARCH_ENTRIES_MAX", 5)
    record(engine, "twice")
    recorded(engine, 4)
    second = record(engine, "twice")
    assert engine.find_reference("alice", "twice") == second
    recorded(engine, 5)
    with refused("record-not-found", field="adjusts"):
        engine.find_reference("alice", "twice")


def test_pages_leave_nothing_out(engine, monkeypatch):
    monkeypatch.setattr(references, "_PAGE", 3)
    ids = [record(engine, f"line {number}") for number in range(10)]
    assert [engine.find_reference("alice", f"line {number}") for number in range(10)] == ids


@pytest.mark.parametrize("reference", ['"', "\\", "a\u2028b", "é", "😀", "\u0007", ""])
def test_it_is_found_as_it_is_written(engine, reference):
    wanted = record(engine, reference)
    assert engine.find_reference("alice", reference) == wanted


@pytest.mark.parametrize("near", ["line", "line 1 ", "Line 1", "line 12"])
def test_a_part_of_it_is_another(engine, near):
    record(engine, "line 1")
    with refused("record-not-found", field="adjusts"):
        engine.find_reference("alice", near)


def test_one_within_the_metadata_is_none(engine):
    engine.record(delta(metadata={"referenceId": "line 1"}))
    with refused("record-not-found"):
        engine.find_reference("alice", "line 1")


def test_another_customers_is_not_found(engine):
    record(engine, "line 1", customer="bob")
    for customer in ("alice", "nobody"):
        with refused("record-not-found"):
            engine.find_reference(customer, "line 1")


def test_what_was_erased_is_not_found(engine, store):
    record(engine, "line 1")
    erase(store, engine.log_of("alice"), 1)
    with refused("record-not-found"):
        engine.find_reference("alice", "line 1")


class TestResolving:
    """A delta names what it adjusts by the sender's own name; sent again it is the same delta, whatever came between."""

    @pytest.fixture
    def correct(self, engine):
        def correct(key="k", reference="line 1"):
            asked = delta("-1", idempotency_key=key, reference_id=reference)
            return engine.record(engine.resolve_adjusts(asked, reference))

        return correct

    def test_it_is_found(self, engine, correct):
        record(engine, "line 1")
        assert correct().entry.adjusts == 1

    def test_a_correction_of_the_same_name_changes_nothing(self, engine, correct):
        record(engine, "line 1")
        first = correct()
        again = correct()
        assert (again.record_id, again.replayed) == (first.record_id, True)

    def test_nor_does_that_its_target_was_erased(self, engine, store, correct):
        record(engine, "line 1")
        first = correct()
        erase(store, engine.log_of("alice"), 1)
        assert correct().record_id == first.record_id

    def test_nor_that_it_is_out_of_reach(self, engine, correct, monkeypatch):
        record(engine, "line 1")
        first = correct()
        monkeypatch.setattr(references, "REFERENCE_SEARCH_ENTRIES_MAX", 1)
        assert correct().record_id == first.record_id

    def test_another_name_under_the_key_is_another_request(self, engine, correct):
        record(engine, "line 1")
        record(engine, "line 2")
        correct()
        with refused("idempotency-conflict"):
            engine.record(
                engine.resolve_adjusts(delta("-1", idempotency_key="k", reference_id="line 1"), "line 2")
            )
