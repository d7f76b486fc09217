"""What others published as right or wrong is right or wrong here too."""

import json
from pathlib import Path

import pytest

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.ed25519 import verify_signature
from counterfoil.core.merkle import leaf_hash, verify_consistency, verify_inclusion
from counterfoil.core.note import parse_note, parse_verifier_key, verify_note
from counterfoil.core.tlog_proof import format_tlog_proof, parse_tlog_proof
from counterfoil.errors import CounterfoilError
from tests import oracle

FOLDER = Path(__file__).resolve().parents[2] / "vectors" / "external"


def load(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


INCLUSION = load("merkle-inclusion.json")["cases"]
CONSISTENCY = load("merkle-consistency.json")["cases"]
ED25519 = load("wycheproof-ed25519.json")["cases"]
KNOWN = load("known-answers.json")
# They compare the roots of equal sizes whatever their length; here a root is 32 bytes before anything is compared.
STRICTER = {"consistency/additional/sizes-are-equal-one-and-proof-is-empty"}


def outcome(verify, *arguments):
    """ "ok", or the code of the refusal."""
    try:
        verify(*arguments)
    except CounterfoilError as refusal:
        return refusal.code
    return "ok"


def hashes(texts):
    return [bytes.fromhex(text) for text in texts]


def inclusion(case):
    leaf, root = hashes([case["leafHash"], case["root"]])
    return outcome(verify_inclusion, case["index"], case["size"], leaf, hashes(case["path"]), root)


def consistency(case):
    roots = hashes([case["root1"], case["root2"]])
    return outcome(verify_consistency, case["size1"], case["size2"], *roots, hashes(case["path"]))


def test_all_cases_are_there():
    counts = [
        (len(cases), sum(case["valid"] for case in cases)) for cases in (INCLUSION, CONSISTENCY, ED25519)
    ]
    assert counts == [(98, 6), (98, 6), (151, 88)]


@pytest.mark.parametrize("case", INCLUSION, ids=lambda case: case["id"])
def test_an_inclusion_proof_of_transparency_dev_is_judged_as_they_do(case):
    assert (inclusion(case) == "ok") is case["valid"]


@pytest.mark.parametrize("case", CONSISTENCY, ids=lambda case: case["id"])
def test_a_consistency_proof_of_transparency_dev_is_judged_as_they_do(case):
    expected = case["valid"] and case["id"] not in STRICTER
    assert (consistency(case) == "ok") is expected


def test_the_one_consistency_proof_that_only_they_take_has_roots_of_12_bytes():
    cases = [case for case in CONSISTENCY if case["id"] in STRICTER]
    assert [(case["root1"], case["valid"], consistency(case)) for case in cases] == [
        (b"don't care 2".hex(), True, "malformed")
    ]


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        # These leaf "hashes" have 9 bytes: they never reach the root that their name is about.
        ("wrong-leaf", {"malformed"}),
        ("leafIdx-sub-@1", {"malformed", "root-mismatch"}),  # 0 - 1 is written as 2^64-1
        ("leafIdx-plus-@1", {"index-mismatch", "root-mismatch"}),
        ("removed-component", {"root-mismatch"}),
        ("trailing-root", {"root-mismatch"}),
        ("random-root", {"root-mismatch"}),
    ],
)
def test_their_refused_inclusion_proofs_stop_where_the_readme_says(words, codes):
    assert {inclusion(case) for case in INCLUSION if case["id"].endswith(words)} == codes


@pytest.mark.parametrize("case", ED25519, ids=lambda case: f"tc{case['id']}")
def test_a_signature_of_wycheproof_is_judged_as_they_do(case):
    key, message, signature = hashes([case["publicKey"], case["message"], case["signature"]])
    assert outcome(verify_signature, key, message, signature) == ("ok" if case["valid"] else "bad-signature")


def test_the_roots_of_the_first_eight_leaves_are_the_published_ones():
    tree = oracle.Tree([leaf_hash(bytes.fromhex(leaf)) for leaf in KNOWN["rfc6962"]["leaves"]])
    assert [tree.root(size).hex() for size in range(9)] == KNOWN["rfc6962"]["roots"]


def test_the_example_of_signed_note_verifies():
    known = KNOWN["signedNote"]
    key = parse_verifier_key(known["key"])
    note = parse_note(known["note"])
    assert str(key) == known["key"]
    assert note.text == known["text"]
    assert verify_note(note, [key]) == (key,)


def test_a_tlog_proof_of_a_plain_log_of_700_entries_verifies_and_is_written_again():
    known = KNOWN["tlogProof"]
    proof = parse_tlog_proof(known["proof"])
    leaf = leaf_hash(known["entry"].encode())
    assert leaf.hex() == known["leafHash"]
    KeySet.parse(known["key"]).verify(proof.checkpoint)
    verify_inclusion(proof.index, proof.checkpoint.size, leaf, proof.path, proof.checkpoint.root)
    assert format_tlog_proof(proof.index, proof.path, proof.checkpoint.note) == known["proof"]


def test_the_tree_of_700_entries_is_the_one_that_the_oracle_builds():
    known = KNOWN["tlogProof"]
    entries = [
        json.dumps({"delta": str(3 * i - 7), "i": i}, separators=(",", ":")) for i in range(known["size"])
    ]
    proof = parse_tlog_proof(known["proof"])
    assert entries[proof.index] == known["entry"]
    assert oracle.Tree([leaf_hash(entry.encode()) for entry in entries]).root(700) == proof.checkpoint.root
