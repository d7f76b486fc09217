"""What anybody may see of a log by its reference, whichever tenant's it is; on each of the three stores."""

import pytest

from counterfoil.core.tlog_proof import parse_consistency_file, verify_consistency_file
from counterfoil.engine.engine import Engine
from counterfoil.engine.public import log_of_reference, published_checkpoint, published_consistency
from tests.support import KEYS, OPERATOR, recorded, refused, seeded, sql


@pytest.fixture
def log(store):
    """A log of some tenant with checkpoints of sizes 3 and 5."""
    engine = Engine(store, OPERATOR, tenant="theirs", randomness=seeded())
    for _ in range(2):
        recorded(engine, 1)
        engine.checkpoint("alice")
    return engine.log_of("alice")


def test_the_newest_checkpoint_of_a_log_is_found_or_one_of_a_size(store, log):
    assert published_checkpoint(store, OPERATOR, log).size == 5
    assert published_checkpoint(store, OPERATOR, log, size=3).size == 3


@pytest.mark.parametrize("size", [-1, 0, 1, 4, 6, 2**63 - 1])
def test_one_of_another_size_is_not_there(store, log, size):
    with refused("record-not-found"):
        published_checkpoint(store, OPERATOR, log, size=size)


def test_before_the_first_there_is_none(engine, store):
    recorded(engine, 1)
    with refused("record-not-found"):
        published_checkpoint(store, OPERATOR, engine.log_of("alice"))


def test_that_they_extend_one_another_is_shown(store, log):
    file = parse_consistency_file(published_consistency(store, OPERATOR, log, 3))
    verify_consistency_file(published_checkpoint(store, OPERATOR, log, size=3), file, KEYS)
    assert file.checkpoint.size == 5
    assert published_consistency(store, OPERATOR, log, 3, size=5) == published_consistency(
        store, OPERATOR, log, 3
    )


@pytest.mark.parametrize("call", [published_checkpoint, lambda *given: published_consistency(*given, 3)])
def test_a_log_that_is_not_there_is_not_found(store, call):
    with refused("customer-not-found"):
        call(store, OPERATOR, bytes(20))


def test_a_reference_is_read_as_it_is_written():
    assert log_of_reference(f"0x{'ab' * 20}") == b"\xab" * 20


@pytest.mark.parametrize(
    "text", ["", "0x", "ab" * 20, f"0x{'AB' * 20}", f"0x{'ab' * 21}", f"0x{'ab' * 20}\n", f"0x{'٣' * 40}"]
)
def test_what_is_none_is_nobodys(text):
    with refused("customer-not-found"):
        log_of_reference(text)


def test_one_that_was_removed_is_missed(sqlite_engine, sqlite_store):
    recorded(sqlite_engine, 1)
    sqlite_engine.checkpoint("alice")
    assert sql(sqlite_store, "DELETE FROM checkpoints") == 1
    with refused("log-corrupt"):
        published_checkpoint(sqlite_store, OPERATOR, sqlite_engine.log_of("alice"))
