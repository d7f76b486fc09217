"""The worked example of docs/spec/example.md, made again byte for byte from its inputs alone."""

import hashlib
import json

import pytest

from counterfoil.core.checkpoint import KeySet, sign_checkpoint
from counterfoil.core.details import canonical_details, commit, read_details
from counterfoil.core.ed25519 import SigningKey
from counterfoil.core.entry import DELTA, Entry, format_delta, format_open, format_seal, parse_entry
from counterfoil.core.merkle import consistency_ranges, inclusion_ranges, leaf_hash
from counterfoil.core.note import verifier_key
from counterfoil.core.receipt import Opening, ProvenEntry, format_receipt, verify_receipt
from counterfoil.core.reference import Origin, customer_reference, hash_idempotency_key, idempotency_prefix
from counterfoil.core.tiles import Edge, subtree_root
from counterfoil.core.tlog_proof import format_consistency_file, format_tlog_proof
from tests.core.common import example_blocks, example_values

BLOCKS = example_blocks()
VALUES = example_values()


def example_hash(words):
    return hashlib.sha256(f"counterfoil example {words}".encode()).digest()


SIGNER = SigningKey(example_hash("signing key"))
REFERENCE_KEY = example_hash("reference key")
LOG = customer_reference(REFERENCE_KEY, "acme", "cust_001")
ORIGIN = str(Origin("ledger.example.com", "acme", LOG))
DETAILS = {
    0: {"customerId": "cust_001"},
    1: {"reason": "initial_deposit"},
    2: {"reason": "api_call", "referenceId": "line_001", "metadata": {"model": "aé", "tokens": 1200}},
    4: {"reason": "refund", "referenceId": "line_001"},
}


def salt(index):
    return example_hash(f"salt {index}")


def commitment(index):
    return commit(salt(index), canonical_details(DETAILS[index]))


def key(text):
    return hash_idempotency_key(REFERENCE_KEY, idempotency_prefix(LOG), text).hex()


def entries():
    nano = 10**9
    made = [
        format_open(
            recorded_at="2026-04-01T09:00:00.000000Z", unit="credits", details=commitment(0), origin=ORIGIN
        ),
        format_delta(
            Entry(
                DELTA,
                1,
                "2026-04-01T09:00:00.000001Z",
                "credits",
                1,
                500 * nano,
                0,
                commitment(1),
                500 * nano,
                key("req-0001"),
            )
        ),
        format_delta(
            Entry(
                DELTA,
                2,
                "2026-04-02T10:30:00.250000Z",
                "credits",
                2,
                500 * nano,
                12_500_000_000,
                commitment(2),
                -12_500_000_000,
                key("req-0002"),
                "2026-04-02T10:29:59.000000Z",
            )
        ),
    ]
    made.append(format_seal(parse_entry(made[2]), "2026-04-30T23:59:59.999999Z"))
    made.append(
        format_delta(
            Entry(
                DELTA,
                4,
                "2026-05-04T08:15:00.000000Z",
                "credits",
                3,
                502_500_000_000,
                12_500_000_000,
                commitment(4),
                2_500_000_000,
                key("req-0003"),
                adjusts=2,
            )
        )
    )
    made.append(format_seal(parse_entry(made[4]), "2026-05-31T23:59:59.999999Z"))
    return made


ENTRIES = entries()


def tiles(size):
    edge = Edge()
    return {**edge.append(b"".join(map(leaf_hash, ENTRIES[:size]))), **edge.partial_tiles()}


def path(index, size):
    return [subtree_root(start, end, tiles(size)) for start, end in inclusion_ranges(index, size)]


def checkpoint(size):
    edge = Edge()
    edge.append(b"".join(map(leaf_hash, ENTRIES[:size])))
    return sign_checkpoint(ORIGIN, size, edge.root(), SIGNER)


def item(index):
    details = read_details({"salt": salt(index).hex(), "value": DETAILS[index]}, what="details")
    return ProvenEntry(parse_entry(ENTRIES[index]), ENTRIES[index], details)


def test_the_inputs_are_the_hashes_that_the_page_says():
    assert example_hash("signing key").hex() == VALUES["signing seed"]
    assert VALUES["referenceKey"] == REFERENCE_KEY.hex()
    assert [salt(index).hex() for index in DETAILS] == [VALUES[f"salt {index}"] for index in DETAILS]
    assert SIGNER.public_key.hex() == VALUES["public key"]


def test_the_names():
    assert "0x" + LOG.hex() == VALUES["customerReference"]
    assert VALUES["origin"] == ORIGIN
    assert str(verifier_key("ledger.example.com", SIGNER.public_key)) == VALUES["operator key"]
    assert str(verifier_key(ORIGIN, SIGNER.public_key)) == VALUES["key of this log"]
    assert checkpoint(4).signatures[0].key_id.hex() == VALUES["key id in the signature lines"]


@pytest.mark.parametrize("index", DETAILS)
def test_the_details(index):
    assert canonical_details(DETAILS[index]) == BLOCKS[f"details-{index}"]
    assert commitment(index) == VALUES[f"commitment {index}"]


@pytest.mark.parametrize("index", range(6))
def test_the_entries_and_their_leaf_hashes(index):
    assert ENTRIES[index] == BLOCKS[f"entry-{index}"]
    assert leaf_hash(ENTRIES[index]).hex() == VALUES[f"leaf hash {index}"]


def test_the_tree():
    assert subtree_root(0, 2, tiles(4)).hex() == VALUES["node(0,1)"]
    assert subtree_root(2, 4, tiles(4)).hex() == VALUES["node(2,3)"]
    assert subtree_root(4, 6, tiles(6)).hex() == VALUES["node(4,5)"]
    assert checkpoint(4).root.hex() == VALUES["root(4)"]
    assert checkpoint(6).root.hex() == VALUES["root(6)"]


@pytest.mark.parametrize("size", [4, 6])
def test_the_checkpoints(size):
    assert checkpoint(size).note.encode() == BLOCKS[f"checkpoint-{size}"]


def test_the_inclusion_proof():
    assert format_tlog_proof(2, path(2, 4), checkpoint(4).note).encode() == BLOCKS["tlog-proof-2"]


def test_the_consistency_file():
    hashes = [subtree_root(start, end, tiles(6)) for start, end in consistency_ranges(4, 6)]
    assert format_consistency_file(4, hashes, checkpoint(6).note).encode() == BLOCKS["consistency-4-6"]


def test_the_receipt_without_open():
    receipt = format_receipt(item(2), None, format_tlog_proof(2, path(2, 4), checkpoint(4).note))
    assert receipt == BLOCKS["receipt-2"]


def test_the_receipt_with_open():
    opening = Opening(item(0), tuple(path(0, 6)))
    assert (
        format_receipt(item(4), opening, format_tlog_proof(4, path(4, 6), checkpoint(6).note))
        == BLOCKS["receipt-4"]
    )


@pytest.mark.parametrize(("name", "customer"), [("receipt-2", None), ("receipt-4", "cust_001")])
@pytest.mark.parametrize("key_name", ["operator key", "key of this log"])
def test_the_receipts_verify_and_say_what_they_should(name, customer, key_name):
    verified = verify_receipt(
        BLOCKS[name], KeySet.parse(VALUES[key_name]), origin=ORIGIN, customer_id=customer
    )
    index = int(name[-1])
    assert verified.entry == parse_entry(ENTRIES[index])
    assert verified.details == DETAILS[index] == json.loads(BLOCKS[f"details-{index}"])
    assert verified.customer_id == customer
