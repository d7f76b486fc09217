"""What the engine hands out or builds on was signed: a checkpoint of the store is verified before it is used."""

import pytest

from tests.support import delta, recorded, refused, sql


@pytest.fixture
def engine(sqlite_engine):
    """A log with checkpoints of 3, 5 and 7 entries."""
    for _ in range(3):
        recorded(sqlite_engine, 1)
        sqlite_engine.checkpoint("alice")
    assert [checkpoint.size for checkpoint in sqlite_engine.checkpoints("alice")] == [3, 5, 7]
    return sqlite_engine


def break_signature(store):
    # Another signature in the same form: the characters before the last stand for its bytes.
    assert sql(
        store,
        "UPDATE checkpoints SET note = CAST(substr(note, 1, length(note) - 6) || x'414141413d0a' AS BLOB) WHERE size = 7",
    )


def add_a_line(store):
    assert sql(
        store,
        "UPDATE checkpoints SET note = CAST(note || x'e2809420' || 'somebody AAAAAAAA' || x'0a' AS BLOB) WHERE size = 7",
    )


def put_in_place_of_another(store):
    assert sql(
        store, "UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE size = 5) WHERE size = 7"
    )


def say_another_size(store):
    assert sql(store, "UPDATE checkpoints SET size = 6 WHERE size = 5")


def place(engine, index):
    return f"0x{engine.log_of('alice').hex()}.{index}"


@pytest.mark.parametrize("tamper", [break_signature, add_a_line, put_in_place_of_another])
def test_no_proof_is_made_under_a_newest_checkpoint_that_does_not_hold(engine, sqlite_store, tamper):
    tamper(sqlite_store)
    with refused("log-corrupt"):
        engine.receipt(place(engine, 1))
    with refused("log-corrupt"):
        list(engine.receipts("alice"))
    with refused("log-corrupt"):
        engine.consistency_file("alice", 3)
    with refused("log-corrupt"):
        list(engine.checkpoints("alice"))
    # Neither said to be unchanged nor extended.
    with refused("log-corrupt"):
        engine.checkpoint("alice")
    engine.record(delta())
    with refused("log-corrupt"):
        engine.checkpoint("alice")


def test_a_checkpoint_is_known_by_the_size_that_was_signed(engine, sqlite_store):
    say_another_size(sqlite_store)
    with refused("log-corrupt"):
        engine.consistency_file("alice", 6)
    with refused("record-not-found"):
        engine.consistency_file("alice", 5)


def test_a_watermark_is_a_seals_and_has_its_checkpoint(engine, sqlite_store):
    sql(sqlite_store, "UPDATE logs SET checkpoint_size = 2")
    with refused("log-corrupt"):
        engine.customer("alice")
    sql(sqlite_store, "UPDATE logs SET checkpoint_size = 7")
    sql(sqlite_store, "DELETE FROM checkpoints WHERE size = 7")
    with refused("log-corrupt"):
        engine.customer("alice")


def test_a_refusal_among_others_names_its_log(engine, sqlite_store):
    recorded(engine, 1, customer="bob")
    recorded(engine, 1)
    break_signature(sqlite_store)
    outcomes = list(engine.checkpoint_many(["alice", "bob", "nobody"]))
    assert outcomes[0].facts["log"] == f"0x{engine.log_of('alice').hex()}"
    assert outcomes[1].outcome == "signed"
    assert outcomes[2].code == "customer-not-found"
    assert outcomes[2].facts["log"] == f"0x{engine.log_of('nobody').hex()}"


def test_a_log_whose_newest_checkpoint_was_removed_is_not_said_to_be_unchanged(engine, sqlite_store):
    assert sql(sqlite_store, "DELETE FROM checkpoints WHERE size = 7")
    with refused("log-corrupt"):
        engine.checkpoint("alice")
