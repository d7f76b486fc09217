"""Comparing a period with the other party's charges: the packet verifies with the core alone."""

import pytest

from counterfoil.core.compare import Charge
from counterfoil.core.dispute import verify_dispute
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
    return engine.compare("alice", APRIL, rows, now=MAY.start, window_seconds=300)


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
        engine.compare("nobody", APRIL, [], now=MAY.start, window_seconds=0)
