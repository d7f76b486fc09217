"""Whatever a caller hands in, what comes out is a listed refusal, of that item alone."""

import pytest

from counterfoil.engine.engine import Engine
from counterfoil.engine.operator import Operator
from counterfoil.errors import CounterfoilError
from counterfoil.storage.memory import MemoryStore
from tests.support import OPERATOR, FakeClock, assert_refusal, delta, recorded, refused, seeded


@pytest.mark.parametrize("item", [None, "cust_001", {"customer_id": "bob"}])
def test_an_item_that_is_no_delta_is_refused_by_itself(engine, item):
    first, second = engine.record_many([item, delta()])
    assert_refusal(first, "invalid-field", "batch")
    assert second.record_id.endswith(".1")


@pytest.mark.parametrize("adjusts", [1, b"x", "", ".", "0x12.1", "0x" + "0" * 40, "0x" + "0" * 40 + ".01"])
def test_what_is_adjusted_is_a_record_id(engine, adjusts):
    assert_refusal(engine.record_many([delta(adjusts=adjusts)])[0], "invalid-field")


@pytest.mark.parametrize("record_id", [None, 1, "", "0x" + "0" * 40 + "." + "9" * 20])
def test_a_record_that_is_none_is_not_found(engine, record_id):
    with refused("record-not-found"):
        engine.receipt(record_id)


@pytest.mark.parametrize("size", ["3", 3.0, True])
def test_the_size_of_a_checkpoint_is_an_integer(engine, size):
    record_id = recorded(engine, 1)[0].record_id
    engine.checkpoint("alice")
    with refused("invalid-field", "size"):
        engine.receipt(record_id, size=size)
    with refused("invalid-field", "size"):
        engine.consistency_file("alice", size)


@pytest.mark.parametrize("key", [b"", b"x" * 31, "x" * 32])
def test_an_operator_has_a_whole_reference_key(key):
    with refused("malformed"):
        Operator("ledger.example.com", OPERATOR.signer, key)


@pytest.mark.parametrize("now", [253_402_300_800_000_000, -62_135_596_800_000_001])
def test_a_clock_outside_the_calendar_records_nothing(now):
    clock = FakeClock(now, tick=0)
    engine = Engine(MemoryStore(clock), OPERATOR, randomness=seeded())
    assert_refusal(engine.record_many([delta()])[0], "clock-regressed")
    assert list(engine.logs()) == []


def test_a_store_knows_its_reference_key_again(store):
    Engine(store, OPERATOR)
    other = Operator(OPERATOR.name, OPERATOR.signer, b"\x07" * 32)
    # Under it every customer would be new, and get a second log.
    with refused("key-mismatch"):
        Engine(store, other)


def test_a_mapping_that_fails_while_it_is_read_concerns_its_own_request_alone(engine):
    class Lazy(dict):
        def items(self):
            raise RuntimeError

        __iter__ = keys = values = items

    answers = engine.record_many([delta(), delta(metadata=Lazy(a=1)), delta()])
    assert [isinstance(answer, CounterfoilError) for answer in answers] == [False, True, False]
    assert_refusal(answers[1], "invalid-field")
