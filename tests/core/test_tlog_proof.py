"""Inclusion proofs and consistency files: one spelling, and each step of the pages in its order."""

# ruff: noqa: RUF001  -- look-alikes are what is refused

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.checkpoint import KeySet, parse_checkpoint, sign_checkpoint
from counterfoil.core.ed25519 import SigningKey
from counterfoil.core.encoding import encode_base64
from counterfoil.core.merkle import EMPTY_ROOT, verify_inclusion
from counterfoil.core.note import verifier_key
from counterfoil.core.tlog_proof import (
    format_consistency_file,
    format_tlog_proof,
    parse_consistency_file,
    parse_path,
    parse_tlog_proof,
    verify_consistency_file,
)
from tests import oracle
from tests.core.common import code_of, example_blocks, example_values
from tests.support import refused

SIGNER = SigningKey(hashlib.sha256(b"ledger").digest())
ORIGIN = "ledger.example.com/acme/0xdc4dfc3208759067a112d73bb53467d9375dc42e"
KEYS = KeySet([verifier_key("ledger.example.com", SIGNER.public_key)])
TREE = oracle.Tree([oracle.leaf_hash(b"entry %d" % index) for index in range(70)])
HASH = hashlib.sha256(b"hash").digest()


def signed(size, origin=ORIGIN, root=None, signer=SIGNER):
    return sign_checkpoint(origin, size, TREE.root(size) if root is None else root, signer)


NOTE = signed(4).note
PROOF = format_tlog_proof(2, TREE.path(2, 4), NOTE)
FILE = format_consistency_file(3, TREE.proof(3, 5), signed(5).note)

# Made by a tool that is not ours, with a witness that we do not know; 700 entries {"delta":"<3i-7>","i":<i>}.
PUBLIC = """\
c2sp.org/tlog-proof@v1
index 233
ICoiPaeuD2f2KFNVj9rm2UXV9SCGaHb48b1uUU2cteM=
Q3Eo+cAsAmkSnsGjzbYWtgPIbEXhbC4Btk1+mmvOZas=
bk7I90Xl4c1p752GrNkHvTWwcEV5TgodbZyzKRRVtuU=
/deKHVHmvbtkrJVl4GY8q7DCjkUIm+WXXpx4CBoCzCQ=
C/AMT709UxQ18O4AWQ+LghiaFSD8I1SEkP2koxkTgiE=
Okkt8L6+f/u166X8ndyaT2pIWBAUAyLP9jKfrcMr9HE=
AuX+Vkf+XMYV8wvf5dDmr1Nja/Mx+xaRNuiWPduRMAs=
Zk7dLq9qpm666TCeeF5O+1MY8cfAe/Re0I81U8JJ4fc=
joUirw5RP+VWQoq9zGlKw1o71syECqW8g8y9gXC6kBw=
ogAn7zH9TwppnCuTpODcW2PVGBWnlt6S9CNzcOI7tdc=

log.example.org/acct/3q2-7w
700
0LzgrNP7KO01Gr96RbclH70ikD0QQHK7sC90hywzrME=

— log.example.org/acct/3q2-7w gPsy5MyaC+oKBqTwnpwVsDNxUo295KV9S07SEJmwEvUQXS+tm2FGnCxZZ1fplpuRLxGtZVaOBgg9wWAif0CiLX+48gg=
— witness.example.org/w1 z8UYoQAAAABqsTuAYLf5Nh0mwFI/JWtG9AhZOq3zW1fOv+DTzZ6bi+zkZvwvZS3FnBdKMM8Blx3aEbdiKGXnbsRGvU1M0KImxXx5Aw==
"""
PUBLIC_KEY = "log.example.org/acct/3q2-7w+80fb32e4+AYCjImJtRIwruQgU4oKAz3juLwozfGQV9zmt6bQTpUzz"


class TestProofs:
    def test_a_proof_of_another_tool_is_read_and_verified(self):
        proof = parse_tlog_proof(PUBLIC)
        KeySet.parse(PUBLIC_KEY).verify(proof.checkpoint)
        leaf = oracle.leaf_hash(b'{"delta":"692","i":233}')
        verify_inclusion(proof.index, proof.checkpoint.size, leaf, proof.path, proof.checkpoint.root)
        assert format_tlog_proof(proof.index, proof.path, proof.checkpoint.note) == PUBLIC

    def test_the_example_of_the_specification_is_read_and_written(self):
        block = example_blocks()["tlog-proof-2"]
        proof = parse_tlog_proof(block)
        assert (proof.index, [sibling.hex() for sibling in proof.path]) == (
            2,
            [example_values()["leaf hash 3"], example_values()["node(0,1)"]],
        )
        assert format_tlog_proof(proof.index, proof.path, proof.checkpoint.note).encode() == block

    @given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
    def test_a_proof_is_read_back(self, index, path):
        proof = parse_tlog_proof(format_tlog_proof(index, path, NOTE))
        assert (proof.index, proof.path, proof.checkpoint) == (index, tuple(path), parse_checkpoint(NOTE))

    def test_every_byte_bumped_dropped_or_put_in_is_malformed_or_comes_back_byte_for_byte(self):
        data = PROOF.encode()
        read = 0
        for place in range(len(data)):
            mutants = [
                data[:place] + bytes([(data[place] + step) % 256]) + data[place + 1 :]
                for step in (1, 2, 4, 8, 16, 32, 64, 128, 255)
            ]
            mutants += [
                data[:place] + data[place + 1 :],
                *(data[:place] + bytes([byte]) + data[place:] for byte in b"\n\r 0=A\x00"),
            ]
            for mutant in mutants:
                code = code_of(parse_tlog_proof, mutant)
                assert code in ("ok", "malformed")
                if code == "ok":
                    proof = parse_tlog_proof(mutant)
                    assert (
                        format_tlog_proof(proof.index, proof.path, proof.checkpoint.note).encode() == mutant
                    )
                    assert mutant != data
                    read += 1
        # Another hash or signature is well formed; only verifying tells.
        assert read > 100

    @pytest.mark.parametrize(("old", "new"), [
        ("c2sp.org/tlog-proof@v1\n", ""), ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
        ("c2sp.org/tlog-proof@v1", "C2SP.org/tlog-proof@v1"),
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v1 "),
        ("c2sp.org/tlog-proof@v1", "\ufeffc2sp.org/tlog-proof@v1"),
        ("index 2\n", ""), ("index 2", "index 02"), ("index 2", "index +2"), ("index 2", "index -2"),
        ("index 2", "index  2"), ("index 2", "index 2 "), ("index 2", "index\t2"), ("index 2", "index 2.0"),
        ("index 2", "index ２"), ("index 2", "index"), ("index 2", "Index 2"),
        ("index 2", "index 9223372036854775808"), ("index 2", "index " + "9" * 5_000),
        ("index 2\n", "index 2\nindex 2\n"), ("index 2\n", "extra AAAA\nindex 2\n"),
        ("index 2\n", "index 2\nextra AAAA\n"), ("index 2\n", "\nindex 2\n"), ("index 2\n", "index 2\r\n"),
        ("=\n", "\n"), ("=\n", "==\n"), ("=\n", "= \n"), ("=\n", "=\r\n"), ("=\n", "=\n "),
        ("=\n\nledger", "=\nledger"), ("=\n\nledger", "=\n\n\nledger"), ("=\n\nledger", "=\n \nledger"),
        ("=\n\nledger", "=\n\n\ufeffledger"), ("\n4\n", "\n04\n"), ("\n4\n", "\n4\nmore\n"),
    ], ids=ascii)  # fmt: skip
    def test_another_spelling_is_malformed(self, old, new):
        assert old in PROOF
        with refused("malformed"):
            parse_tlog_proof(PROOF.replace(old, new, 1))

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "\n",
            "\n\n",
            "c2sp.org/tlog-proof@v1",
            "c2sp.org/tlog-proof@v1\n\n",
            "c2sp.org/tlog-proof@v1\nindex 0\n",
            "c2sp.org/tlog-proof@v1\nindex 0\n\n",
            PROOF + "\n",
            PROOF[:-1],
            PROOF + PROOF,
            NOTE,
            FILE,
            "\ud800",
        ],
    )
    def test_what_is_no_proof_is_malformed(self, text):
        with refused("malformed"):
            parse_tlog_proof(text)

    def test_over_63_hashes_are_malformed(self):
        texts = [encode_base64(HASH)] * 63
        assert len(parse_path(texts)) == 63
        with refused("malformed"):
            parse_path([*texts, texts[0]])
        with refused("malformed"):
            parse_tlog_proof(format_tlog_proof(0, [HASH] * 64, NOTE))

    @pytest.mark.parametrize("size", [0, 31, 33, 64])
    def test_a_hash_of_another_length_is_malformed(self, size):
        with refused("malformed"):
            parse_tlog_proof(format_tlog_proof(0, [bytes(size)], NOTE))

    @pytest.mark.parametrize("parse", [parse_tlog_proof, parse_consistency_file])
    @pytest.mark.parametrize(
        "data",
        ["x" * 262_145, b"\xff" * 262_145, "é" * 131_073, PROOF + "x" * 262_144],
        ids=["text", "bytes", "two-byte characters", "a proof"],
    )
    def test_over_262_144_bytes_are_too_large(self, parse, data):
        with refused("too-large"):
            parse(data)


class TestConsistencyFiles:
    def test_the_example_of_the_specification_is_read_verified_and_written(self):
        blocks, values = example_blocks(), example_values()
        file = parse_consistency_file(blocks["consistency-4-6"])
        verify_consistency_file(
            parse_checkpoint(blocks["checkpoint-4"]), file, KeySet.parse(values["operator key"])
        )
        assert (file.old_size, [sibling.hex() for sibling in file.path]) == (4, [values["node(4,5)"]])
        assert (
            format_consistency_file(file.old_size, file.path, file.checkpoint.note).encode()
            == blocks["consistency-4-6"]
        )

    def test_between_all_sizes_a_file_verifies_and_with_another_size_it_does_not(self):
        checkpoints = {size: signed(size) for size in range(1, 30)}
        for old, new in itertools.combinations_with_replacement(range(1, 30), 2):
            file = parse_consistency_file(
                format_consistency_file(old, TREE.proof(old, new), checkpoints[new].note)
            )
            verify_consistency_file(checkpoints[old], file, KEYS)
            for other in (old - 1, old + 1):
                if other in checkpoints:
                    with refused("inconsistent"):
                        verify_consistency_file(checkpoints[other], file, KEYS)
            renamed = parse_consistency_file(
                format_consistency_file(old + 1, TREE.proof(old, new), checkpoints[new].note)
            )
            with refused("inconsistent"):
                verify_consistency_file(checkpoints[old], renamed, KEYS)

    def test_every_flipped_bit_is_refused(self):
        old, data = signed(3), FILE.encode()
        codes = {}
        for place in range(len(data) * 8):
            mutant = bytearray(data)
            mutant[place // 8] ^= 1 << place % 8
            code = code_of(
                lambda m=bytes(mutant): verify_consistency_file(old, parse_consistency_file(m), KEYS)
            )
            codes[code] = codes.get(code, 0) + 1
        assert codes.keys() == {"malformed", "unknown-key", "bad-signature", "inconsistent"}
        assert sum(codes.values()) == len(data) * 8

    @pytest.mark.parametrize(("old", "new"), [
        ("old 3\n", ""), ("old 3", "old 03"), ("old 3", "old +3"), ("old 3", "old  3"), ("old 3", "old 3 "),
        ("old 3", "old"), ("old 3", "Old 3"), ("old 3", "old -1"), ("old 3", "old 9223372036854775808"),
        ("old 3\n", "old 3\nold 3\n"), ("old 3\n", "\nold 3\n"),
        ("old 3\n", "c2sp.org/tlog-witness@v1\nold 3\n"), ("=\n", "\n"), ("=\n", "= \n"), ("=\n", "=\r\n"),
        ("=\n\nledger", "=\nledger"), ("=\n\nledger", "=\n\n\nledger"),
    ], ids=ascii)  # fmt: skip
    def test_another_spelling_is_malformed(self, old, new):
        assert old in FILE
        with refused("malformed"):
            parse_consistency_file(FILE.replace(old, new, 1))

    @pytest.mark.parametrize("text", ["", "\n\n", "old 3", "old 3\n\n", FILE + "\n", FILE[:-1], NOTE, PROOF])
    def test_what_is_no_file_is_malformed(self, text):
        with refused("malformed"):
            parse_consistency_file(text)

    def test_over_63_hashes_are_malformed(self):
        assert len(parse_consistency_file(format_consistency_file(3, [HASH] * 63, NOTE)).path) == 63
        with refused("malformed"):
            parse_consistency_file(format_consistency_file(3, [HASH] * 64, NOTE))

    def test_old_0_keeps_to_the_format_and_shows_nothing(self):
        file = parse_consistency_file(format_consistency_file(0, [], NOTE))
        for old in (signed(0), signed(2)):
            with refused("inconsistent"):
                verify_consistency_file(old, file, KEYS)
        with refused("inconsistent"):
            verify_consistency_file(
                signed(0), parse_consistency_file(format_consistency_file(0, [], signed(0).note)), KEYS
            )

    STRANGER = SigningKey(hashlib.sha256(b"stranger").digest())
    OTHER = ORIGIN[:-1] + "f"

    @pytest.mark.parametrize(("old", "new", "stated", "path", "code"), [
        (signed(3), signed(5), 3, TREE.proof(3, 5), "ok"),
        (signed(5), signed(5), 5, [], "ok"),
        # Steps 2 and 3: both signatures, the older first.
        (signed(3, signer=STRANGER), signed(5), 3, TREE.proof(3, 5), "unknown-key"),
        (signed(3), signed(5, signer=STRANGER), 3, TREE.proof(3, 5), "unknown-key"),
        # Step 4: one log.
        (signed(3, OTHER), signed(5), 3, TREE.proof(3, 5), "wrong-origin"),
        (signed(5, OTHER, HASH), signed(5), 5, [], "wrong-origin"),
        # Steps 5 to 7.
        (signed(3), signed(5), 2, TREE.proof(3, 5), "inconsistent"),
        (signed(5, root=HASH), signed(5), 5, [], "fork"),
        (signed(5, root=HASH), signed(5), 5, [HASH], "fork"),
        (signed(5), signed(3), 5, [], "inconsistent"),
        (signed(5), signed(3), 5, TREE.proof(3, 5), "inconsistent"),
        (signed(5), signed(5), 5, [HASH], "inconsistent"),
        (signed(3), signed(5), 3, [], "inconsistent"),
        (signed(3), signed(5), 3, TREE.proof(3, 5)[:-1], "inconsistent"),
        (signed(3), signed(5), 3, [*TREE.proof(3, 5), HASH], "inconsistent"),
        (signed(3), signed(5), 3, [HASH, *TREE.proof(3, 5)[1:]], "inconsistent"),
        (signed(3, root=HASH), signed(5), 3, TREE.proof(3, 5), "inconsistent"),
        (signed(3), signed(5, root=HASH), 3, TREE.proof(3, 5), "inconsistent"),
        (signed(3), signed(6), 3, TREE.proof(3, 5), "inconsistent"),
    ])  # fmt: skip
    def test_each_step_has_its_code(self, old, new, stated, path, code):
        file = parse_consistency_file(format_consistency_file(stated, path, new.note))
        assert code_of(verify_consistency_file, old, file, KEYS) == code

    def test_a_bad_signature_on_either_side_is_one(self):
        for old, new in ((signed(3), signed(5)), (signed(5), signed(5))):
            for spoiled in ("old", "new"):
                notes = {"old": old.note, "new": new.note}
                other = signed(6).note.rpartition(" ")[2]
                notes[spoiled] = notes[spoiled].rpartition(" ")[0] + " " + other
                file = parse_consistency_file(
                    format_consistency_file(old.size, TREE.proof(old.size, new.size), notes["new"])
                )
                with refused("bad-signature"):
                    verify_consistency_file(parse_checkpoint(notes["old"]), file, KEYS)

    def test_a_fork_names_both_roots(self):
        file = parse_consistency_file(format_consistency_file(5, [], signed(5).note))
        with refused("fork") as caught:
            verify_consistency_file(signed(5, root=HASH), file, KEYS)
        assert caught.value.facts == {"first": HASH.hex(), "second": TREE.root(5).hex()}
        assert caught.value.exit_status == 12

    def test_an_empty_log_is_no_beginning(self):
        with refused("inconsistent"):
            verify_consistency_file(
                signed(0, root=EMPTY_ROOT),
                parse_consistency_file(format_consistency_file(0, [], signed(5).note)),
                KEYS,
            )
