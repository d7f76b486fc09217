"""Checkpoints: three lines, and which of the caller's keys speaks for them."""

# ruff: noqa: RUF001  -- look-alikes are what is refused

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core import checkpoint as module
from counterfoil.core.checkpoint import KeySet, format_body, parse_checkpoint, sign_checkpoint
from counterfoil.core.ed25519 import SigningKey
from counterfoil.core.encoding import encode_base64
from counterfoil.core.merkle import EMPTY_ROOT
from counterfoil.core.note import Note, SignatureLine, format_note, key_id, signature_line, verifier_key
from tests.core.common import code_of, example_blocks, example_values
from tests.support import refused

ORIGIN = "ledger.example.com/acme/0xdc4dfc3208759067a112d73bb53467d9375dc42e"
SIGNER = SigningKey(hashlib.sha256(b"ledger").digest())
STRANGER = SigningKey(hashlib.sha256(b"stranger").digest())
ROOT = hashlib.sha256(b"root").digest()
CHECKPOINT = sign_checkpoint(ORIGIN, 4, ROOT, SIGNER)
OPERATOR_KEY = verifier_key("ledger.example.com", SIGNER.public_key)
LOG_KEY = verifier_key(ORIGIN, SIGNER.public_key)
KEYS = KeySet([OPERATOR_KEY])


def verified(note, keys=KEYS):
    checkpoint = parse_checkpoint(note)
    keys.verify(checkpoint)
    return checkpoint


def signed(text, name=ORIGIN, signer=SIGNER):
    """A note over any text, its signature good."""
    return format_note(Note(text, (signature_line(text, name, signer),)))


class TestReading:
    @given(
        st.from_regex(r"[\x21-\x2a\x2c-\x7e]{1,255}", fullmatch=True),
        st.integers(1, 2**63 - 1),
        st.binary(min_size=32, max_size=32),
    )
    def test_a_checkpoint_is_read_back(self, origin, size, root):
        checkpoint = sign_checkpoint(origin, size, root, SIGNER)
        assert parse_checkpoint(checkpoint.note) == parse_checkpoint(checkpoint.note.encode()) == checkpoint
        assert checkpoint.text == format_body(origin, size, root)
        KeySet([verifier_key(origin, SIGNER.public_key)]).verify(checkpoint)

    def test_the_published_example_of_the_specification_verifies(self):
        note = example_blocks()["checkpoint-4"]
        for name in ("operator key", "key of this log"):
            checkpoint = verified(note, KeySet.parse(example_values()[name]))
            assert (checkpoint.size, checkpoint.root.hex(), checkpoint.note.encode()) == (
                4,
                example_values()["root(4)"],
                note,
            )

    @pytest.mark.parametrize("text", [
        "{o}\n4\n", "{o}\n4\n{r}\nextension\n", "{o}\n4\n{r}\n\n", "\n{o}\n4\n{r}\n", "{o}\n\n{r}\n",
        "\n4\n{r}\n", "{o}\n4\n{r}\n\nmore\n", "4\n{o}\n{r}\n", "{o}\n{r}\n4\n", "{o}\n",
        "{o}\n04\n{r}\n", "{o}\n+4\n{r}\n", "{o}\n-4\n{r}\n", "{o}\n 4\n{r}\n", "{o}\n4 \n{r}\n",
        "{o}\n4.0\n{r}\n", "{o}\n4_0\n{r}\n", "{o}\n４\n{r}\n", "{o}\n0x4\n{r}\n",
        "{o}\n9223372036854775808\n{r}\n", "{o}\n99999999999999999999999\n{r}\n",
        "{o}\n4\n{r}=\n", "{o}\n4\n{r} \n", "{o}\n4\n \n", "{o}\n4\n\n", "{o}\n4\nAAAA\n",
        "{o}\n4\n{short}\n", "{o}\n4\n{long}\n", "{o}\n4\n{loose}\n", "{o}\n4\n{hex}\n",
        "a b\n4\n{r}\n", "a+b\n4\n{r}\n", "é\n4\n{r}\n", "a\u2028b\n4\n{r}\n", "a\x7f\n4\n{r}\n",
        "{longest}x\n4\n{r}\n", "{o}\n0\n{r}\n", "{o}\u0085\n4\n{r}\n",
    ])  # fmt: skip
    def test_a_text_of_another_form_is_malformed_though_signed(self, text):
        canonical = encode_base64(ROOT)
        body = text.format(
            o=ORIGIN, r=canonical, short=encode_base64(ROOT[:31]), long=encode_base64(ROOT + b"\x00"),
            hex=ROOT.hex(), longest="a" * 255,
            loose=canonical[:-2] + chr(ord(canonical[-2]) + 1) + "=",
        )  # fmt: skip
        with refused("malformed"):
            parse_checkpoint(signed(body))

    def test_an_origin_of_255_characters_is_read(self):
        assert parse_checkpoint(signed(format_body("a" * 255, 1, ROOT))).origin == "a" * 255

    def test_size_0_stands_only_with_the_empty_root(self):
        assert parse_checkpoint(signed(format_body(ORIGIN, 0, EMPTY_ROOT))).size == 0

    def test_every_flipped_bit_is_refused(self):
        data = CHECKPOINT.note.encode()
        codes = set()
        for place in range(len(data) * 8):
            mutant = bytearray(data)
            mutant[place // 8] ^= 1 << place % 8
            codes.add(code_of(verified, bytes(mutant)))
        assert codes == {"malformed", "unknown-key", "bad-signature"}


class TestKeys:
    @pytest.mark.parametrize("key", [OPERATOR_KEY, LOG_KEY], ids=["operator", "log"])
    def test_a_key_named_like_the_operator_or_like_the_log_speaks_for_it(self, key):
        verified(CHECKPOINT.note, KeySet([key]))
        verified(CHECKPOINT.note, KeySet.parse(str(key)))

    def test_keys_are_read_from_the_text_of_a_file_with_one_a_line_and_remarks(self):
        text = f"# of the operator\n{OPERATOR_KEY}\r\n\n  {LOG_KEY}\n"
        assert KeySet.parse(text).keys == (OPERATOR_KEY, LOG_KEY)
        assert KeySet.parse(f"{OPERATOR_KEY}\n", str(LOG_KEY)).keys == (OPERATOR_KEY, LOG_KEY)

    def test_what_a_program_may_show_as_a_line_break_does_not_end_a_remark(self):
        assert KeySet.parse(f"# not this one:\u2028{OPERATOR_KEY}\n").keys == ()

    def test_a_line_that_is_no_key_is_malformed(self):
        with refused("malformed"):
            KeySet.parse(f"{OPERATOR_KEY}\nno key\n")

    @pytest.mark.parametrize("name", [
        "ledger.example.co", "ledger.example.com.", "example.com", "ledger.example.com/",
        "ledger.example.com/acme", "ledger.example.com/acme/", ORIGIN + "/", ORIGIN[:-1] + "f",
        "Ledger.example.com", "acme", "other.example",
    ])  # fmt: skip
    def test_the_same_key_under_any_other_name_is_unknown(self, name):
        with refused("unknown-key"):
            verified(CHECKPOINT.note, KeySet([verifier_key(name, SIGNER.public_key)]))

    def test_no_key_at_all_is_an_unknown_key(self):
        with refused("unknown-key"):
            verified(CHECKPOINT.note, KeySet([]))

    def test_the_key_of_somebody_else_under_the_right_name_is_unknown(self):
        with refused("unknown-key"):
            verified(CHECKPOINT.note, KeySet([verifier_key("ledger.example.com", STRANGER.public_key)]))

    def test_a_line_under_the_operators_name_is_not_one_under_the_origin(self):
        with refused("unknown-key"):
            verified(signed(CHECKPOINT.text, "ledger.example.com"))

    def test_a_line_that_claims_a_known_key_falsely_is_a_bad_signature(self):
        forged = SignatureLine(
            ORIGIN, key_id(ORIGIN, SIGNER.public_key), STRANGER.sign(CHECKPOINT.text.encode())
        )
        with refused("bad-signature"):
            verified(format_note(Note(CHECKPOINT.text, (forged,))))

    def test_further_lines_before_and_after_are_ignored(self):
        witness = SignatureLine("witness.example", b"wxyz", bytes(72))
        stranger = signature_line(CHECKPOINT.text, ORIGIN, STRANGER)
        ours = CHECKPOINT.signatures[0]
        for lines in ((witness, ours), (ours, witness), (stranger, ours, witness)):
            assert verified(format_note(Note(CHECKPOINT.text, lines))).root == ROOT

    def test_where_two_given_keys_signed_both_must_verify(self):
        both = KeySet([OPERATOR_KEY, verifier_key(ORIGIN, STRANGER.public_key)])
        ours, theirs = CHECKPOINT.signatures[0], signature_line(CHECKPOINT.text, ORIGIN, STRANGER)
        verified(format_note(Note(CHECKPOINT.text, (theirs, ours))), both)
        bad = SignatureLine(theirs.name, theirs.key_id, bytes(64))
        with refused("bad-signature"):
            verified(format_note(Note(CHECKPOINT.text, (bad, ours))), both)

    def test_one_key_under_both_names_is_one_key(self):
        verified(CHECKPOINT.note, KeySet([OPERATOR_KEY, LOG_KEY, OPERATOR_KEY]))

    def test_an_origin_without_a_slash_is_its_own_operator(self):
        checkpoint = sign_checkpoint("solo", 1, ROOT, SIGNER)
        KeySet([verifier_key("solo", SIGNER.public_key)]).verify(checkpoint)

    def test_two_keys_that_cannot_be_told_apart_are_malformed(self):
        # An id has 32 bits: such a pair can be made.
        pair = [SigningKey(hashlib.sha256(b"collision %d" % number).digest()) for number in (39_961, 83_734)]
        keys = KeySet([verifier_key("solo", signer.public_key) for signer in pair])
        assert {key.key_id.hex() for key in keys.keys} == {"387314c3"}
        for signer in pair:
            with refused("malformed"):
                keys.verify(sign_checkpoint("solo", 1, ROOT, signer))


class TestVerifiedPart:
    def test_it_has_the_lines_of_the_given_keys_alone(self):
        both = KeySet([OPERATOR_KEY, verifier_key(ORIGIN, STRANGER.public_key)])
        witness = SignatureLine("witness.example", b"wxyz", bytes(72))
        ours, theirs = CHECKPOINT.signatures[0], signature_line(CHECKPOINT.text, ORIGIN, STRANGER)
        padded = parse_checkpoint(format_note(Note(CHECKPOINT.text, (theirs, witness, ours))))
        assert KEYS.verified_part(padded) == CHECKPOINT
        found = both.verified_part(padded)
        assert found.signatures == (theirs, ours)
        assert parse_checkpoint(found.note) == found

    def test_there_is_none_of_a_checkpoint_that_does_not_verify(self):
        bad = SignatureLine(ORIGIN, CHECKPOINT.signatures[0].key_id, bytes(64))
        with refused("bad-signature"):
            KEYS.verified_part(parse_checkpoint(format_note(Note(CHECKPOINT.text, (bad,)))))
        with refused("unknown-key"):
            KeySet([]).verified_part(CHECKPOINT)


class TestMemory:
    def test_what_verified_once_is_known_and_nothing_else_is(self, monkeypatch):
        calls = []
        monkeypatch.setattr(
            module,
            "verify_note",
            lambda note, keys, real=module.verify_note: calls.append(note) or real(note, keys),
        )
        keys = KeySet([OPERATOR_KEY])
        verified(CHECKPOINT.note, keys)
        verified(CHECKPOINT.note, keys)
        assert len(calls) == 1
        # Another size, root or signature under the same set is looked at.
        for text in (
            format_body(ORIGIN, 5, ROOT),
            format_body(ORIGIN, 4, bytes(32)),
            format_body(ORIGIN[:-1] + "f", 4, ROOT),
        ):
            forged = format_note(Note(text, CHECKPOINT.signatures))
            for _ in range(2):  # a refusal is not remembered as a success
                assert code_of(verified, forged, keys) in ("bad-signature", "unknown-key")
        assert len(calls) == 7

    def test_a_set_of_other_keys_remembers_nothing_of_this_one(self):
        verified(CHECKPOINT.note)
        with refused("unknown-key"):
            verified(CHECKPOINT.note, KeySet([]))

    def test_the_memory_is_bounded(self, monkeypatch):
        monkeypatch.setattr(module, "_REMEMBERED_MAX", 3)
        keys = KeySet([OPERATOR_KEY])
        for size in range(1, 12):
            keys.verify(sign_checkpoint(ORIGIN, size, ROOT, SIGNER))
            keys.verify(CHECKPOINT)
            assert len(keys._verified) <= 3  # noqa: SLF001  -- nothing else shows it
