"""Comparing a period with the other party's charges: the packet verifies with the core alone."""

import pytest

from counterfoil.core.compare import Charge
from counterfoil.core.dispute import verify_dispute
from counterfoil.core.timestamp import format_time
from counterfoil.engine import disputes
from counterfoil.engine.windows import parse_month
from tests.support import KEYS, delta, refused

APRIL, MAY = parse_month("2026-04"), parse_month("2026-05")
NANO = 10**9


@pytest.fixture
def april(engine, clock):
    """Two deltas of April, one of May."""
    clock.tick = 0
    engine.record(delta("500", reference_id="a"))
    engine.record(delta("-12.5", reference_id="b"))
    clock.now = MAY.start
    engine.record(delta("1", reference_id="c"))
    return engine


def compared(engine, *rows):
    return engine.compare("alice", APRIL, rows, now=MAY.start, tolerance_seconds=300)


def test_lists_that_agree_make_a_packet_without_differences(april):
    found = compared(april, Charge(0, 500 * NANO, "a"), Charge(1, -125 * NANO // 10, "b"))
    assert (found.comparison.agreed, found.comparison.differences) == (2, ())
    assert verify_dispute(found.packet, KEYS, customer_id="alice").receipts == ()


def test_each_difference_that_names_an_entry_has_its_receipt(april):
    found = compared(april, Charge(0, 400 * NANO, "a"), Charge(1, -3 * NANO, "x"))
    verified = verify_dispute(found.packet, KEYS, customer_id="alice")
    assert verified.comparison == found.comparison
    assert found.comparison.difference == sum(one.amount for one in found.comparison.differences)
    named = [one.ours for one in found.comparison.differences if one.ours is not None]
    assert [receipt.entry.index for receipt in verified.receipts] == named == [1, 2]


def test_receipts_stand_under_the_checkpoint_of_the_statement_although_there_is_a_newer_one(april, clock):
    compared(april)
    april.record(delta("7"))
    clock.now += 1_000
    april.checkpoint("alice")
    verified = verify_dispute(compared(april).packet, KEYS)
    assert {receipt.checkpoint.size for receipt in verified.receipts} == {verified.statement.checkpoint.size}


def test_deltas_of_another_period_are_not_compared(april):
    assert compared(april).comparison.ours == 4875 * NANO // 10


def test_a_customer_that_is_not_there_is_refused(engine):
    with refused("customer-not-found"):
        engine.compare("nobody", APRIL, [], now=MAY.start, tolerance_seconds=0)


def test_without_a_packet_none_is_made(april):
    found = april.compare("alice", APRIL, [], now=MAY.start, tolerance_seconds=0, with_packet=False)
    assert found.packet is None
    assert len(found.comparison.differences) == 2


class TestElsewhere:
    C = Charge(0, 1 * NANO, "c")

    def named(self, found):
        return [one.elsewhere for one in found.comparison.differences if one.theirs is not None]

    def proven(self, found):
        verified = verify_dispute(found.packet, KEYS, customer_id="alice")
        return [one.elsewhere for one in verified.comparison.differences if one.theirs is not None]

    def test_what_was_recorded_behind_the_period_is_found_and_proven(self, april):
        found = compared(april, self.C)
        assert self.named(found) == self.proven(found) == [3]
        assert found.elsewhere[3].recorded_at == format_time(MAY.start)
        assert found.comparison.difference == 4865 * NANO // 10

    def test_so_is_what_was_recorded_before_it(self, april, clock):
        clock.now = MAY.end
        rows = [Charge(0, -12 * NANO, "b"), Charge(1, 1 * NANO, "c")]
        found = april.compare("alice", MAY, rows, now=MAY.end, tolerance_seconds=0)
        assert self.named(found) == self.proven(found) == [2]

    def test_what_no_checkpoint_covers_yet_is_found_and_not_proven(self, april):
        compared(april)
        april.record(delta("7", reference_id="d"))
        found = compared(april, Charge(0, 7 * NANO, "d"))
        assert self.named(found) == [5]
        assert self.proven(found) == [None]

    def test_under_a_newer_checkpoint_it_is_proven_beside_the_statement(self, april, clock):
        compared(april)
        april.record(delta("7", reference_id="d"))
        clock.now += 1_000
        april.checkpoint("alice")
        found = compared(april, Charge(0, 7 * NANO, "d"))
        [receipt] = verify_dispute(found.packet, KEYS).receipts[-1:]
        assert receipt.entry.index == 5
        assert receipt.checkpoint.size > found.statement.checkpoint.size

    @pytest.mark.parametrize(
        "row", [C._replace(reference="x"), C._replace(reference=None), C._replace(amount=-NANO)]
    )
    def test_another_reference_none_or_another_sign_is_not_that_charge(self, april, row):
        assert self.named(compared(april, row)) == [None]

    def test_the_records_of_another_customer_are_not_looked_through(self, april):
        april.record(delta("7", "bob", reference_id="d"))
        assert self.named(compared(april, Charge(0, 7 * NANO, "d"))) == [None]

    def test_one_entry_is_the_charge_of_one_row(self, april):
        found = compared(april, self.C, self.C._replace(place=1))
        assert sorted(map(str, self.named(found))) == ["3", "None"]
        assert self.proven(found) == self.named(found)

    def test_a_name_within_the_metadata_is_none(self, april):
        april.record(delta("7", metadata={"referenceId": "m"}))
        assert self.named(compared(april, Charge(0, 7 * NANO, "m"))) == [None]

    @pytest.mark.parametrize("reference", ['"', "\\", 'a","referenceId":"c', "\u202e\U0001f600", ""])
    def test_any_text_is_found(self, april, reference):
        april.record(delta("7", reference_id=reference))
        assert self.named(compared(april, Charge(0, 7 * NANO, reference))) == [4]

    def test_so_many_are_proven_and_no_more(self, april, monkeypatch):
        monkeypatch.setattr(disputes, "DISPUTE_ELSEWHERE_MAX", 1)
        april.record(delta("7", reference_id="d"))
        found = compared(april, self.C, Charge(1, 7 * NANO, "d"))
        assert self.named(found) == [3, 4]
        assert self.proven(found) == [3, None]

    def test_so_far_it_is_looked_for_and_no_further(self, april, monkeypatch):
        monkeypatch.setattr(disputes, "REFERENCE_SEARCH_ENTRIES_MAX", 1)
        april.record(delta("7", reference_id="d"))
        assert self.named(compared(april, self.C, Charge(1, 7 * NANO, "d"))) == [3, None]
