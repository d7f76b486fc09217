"""`inspect`: any of our formats, and never more than was verified."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import record_id, rewrite


@pytest.fixture
def shelf(kept):
    """One file of each kind."""
    kept("checkpoints", "cust_001", "-o", "notes")
    kept("checkpoint", "cust_001", "--refresh")
    kept("consistency", "make", "cust_001", "--from", "4", "-o", "growth")
    kept("receipt", record_id(kept, 2), "-o", "receipt.json", "--tlog-proof", "proofs")
    return kept


def path_of(suffix):
    (found,) = Path("proofs").glob(f"*{suffix}")
    return str(found)


class TestKinds:
    def test_each_is_recognized_and_not_verified(self, shelf):
        for name, kind in (
            ("receipt.json", "receipt"),
            ("notes/4.checkpoint", "checkpoint"),
            ("growth", "consistency file"),
            ("operator.vkey", "verifier key"),
            (path_of(".tlog-proof"), "tlog-proof"),
            (path_of(".entry"), "entry"),
        ):
            outcome = shelf("inspect", name)
            assert (outcome.status, outcome.err) == (0, "")
            assert outcome.lines[0] == f"{kind}: not verified"
            assert shelf("inspect", name, "--json").findings[0]["kind"] == kind

    def test_a_receipt_is_explained(self, shelf):
        outcome = shelf("inspect", "receipt.json")
        for line in (
            "  amount          -12.5 EUR",
            "  balance         487.5 EUR",
            "  customer        cust_001",
        ):
            assert line in outcome.lines
        finding = shelf("inspect", "receipt.json", "--json").findings[0]
        assert (finding["index"], finding["details"], finding["claimsSigner"][:19]) == (
            2,
            {"reason": "api_call", "referenceId": "line 1"},
            "ledger.example.com/",
        )

    def test_details_cannot_pass_for_what_was_verified(self, shelf):
        forged = {"verified": "verified", "kind": "checkpoint", "index": "9", "of  index": {"a": [1]}}
        shelf("receipt", record_id(shelf, 3), "-o", "seal.json")
        rewrite("seal.json", lambda r: r.update(details={"salt": "00" * 32, "value": forged}))
        finding = shelf("inspect", "seal.json", "--json").findings[0]
        assert (finding["kind"], finding["verified"], finding["index"]) == ("receipt", "not verified", 3)
        assert finding["details"] == forged
        lines = shelf("inspect", "seal.json").lines
        assert [line for line in lines if line.startswith("  index ")] == ["  index           3"]
        assert "  details.index   9" in lines
        assert '  details."of  index"  {"a": [1]}' in lines

    def test_one_that_withholds_says_so(self, shelf):
        rewrite("receipt.json", lambda r: (r.pop("details"), r.pop("open")))
        outcome = shelf("inspect", "receipt.json")
        assert "  details         erased or withheld" in outcome.lines
        assert "  customer        not named" in outcome.lines

    def test_open_and_seal_are_explained(self, shelf):
        for index, line in ((0, "  opens           ledger.example.com/"), (4, "  details         none")):
            shelf("receipt", record_id(shelf, index), "-o", "r.json")
            assert any(shown.startswith(line) for shown in shelf("inspect", "r.json").lines)

    def test_effective_at_and_adjusts_are_shown(self, shelf):
        shelf(
            "record",
            "cust_001",
            "1",
            "--reason",
            "x",
            "--effective-at",
            "2026-04-01",
            "--adjusts",
            record_id(shelf, 2),
        )
        shelf("checkpoint", "cust_001")
        shelf("receipt", record_id(shelf, 5), "-o", "r.json")
        lines = shelf("inspect", "r.json").lines
        assert "  effective at    2026-04-01T00:00:00.000000Z" in lines
        assert "  adjusts         entry 2" in lines

    def test_a_note_of_others_is_explained_as_a_note(self, cf):
        signature = "— somebody AAAAAAAAAAAA"
        Path("note").write_text(
            f"three\nlines\nof text\nand a fourth\n\n{signature}\n{signature.replace('body', 'else')}\n"
        )
        outcome = cf("inspect", "note")
        assert outcome.lines[0] == "signed note: not verified"
        assert outcome.lines[1] == r"  text            three\nlines\nof text\nand a fourth"
        assert "someelse (key id 00000000)" in outcome.lines[2]

    def test_one_hash_is_one(self, book):
        book("record", "cust_001", "5", "--reason", "x")
        book("checkpoint", "cust_001")
        book("receipt", record_id(book, 2), "-o", "seal.json")
        assert "  proof           index 2, 1 hash" in book("inspect", "seal.json").lines

    def test_standard_input_is_one(self, kept):
        assert (
            kept("inspect", "-", stdin=Path("receipt.json").read_bytes()).lines[0] == "receipt: not verified"
        )


class TestVerified:
    def test_with_a_key_it_says_what_was_verified(self, shelf):
        assert shelf("inspect", "receipt.json", "--key", "operator.vkey").lines[0] == "receipt: verified"
        for name in ("notes/4.checkpoint", "growth", path_of(".tlog-proof")):
            first = shelf("inspect", name, "--key", "operator.vkey").lines[0]
            assert first.endswith("the signature of the checkpoint verifies; nothing else was checked")

    def test_only_a_line_of_a_given_key_is_said_to_have_signed(self, shelf):
        note = Path("notes/4.checkpoint")
        note.write_text(f"{note.read_text()}— witness.example AAAAAAAAAAAA\n")
        origin = shelf("inspect", "notes/4.checkpoint", "--json").findings[0]["origin"]
        last = shelf("inspect", "notes/4.checkpoint").lines[-1]
        assert last.startswith(f'  claims signer   ["{origin} (key id ')
        assert "witness.example" in last
        signed, claimed = shelf("inspect", "notes/4.checkpoint", "--key", "operator.vkey").lines[-2:]
        assert signed.startswith(f"  signed by       {origin} (key id ")
        assert claimed == "  claims signer   witness.example (key id 00000000)"

    def test_a_customer_that_is_not_named_is_not_verified(self, shelf):
        rewrite("receipt.json", lambda r: r.pop("open"))
        first = shelf("inspect", "receipt.json", "--key", "operator.vkey").lines[0]
        assert first == "receipt: verified, customer not checked"

    def test_what_does_not_verify_is_refused_and_not_shown(self, shelf):
        rewrite("receipt.json", lambda r: r["entry"].update(amount="-12"))
        outcome = shelf("inspect", "receipt.json", "--key", "operator.vkey")
        assert (outcome.status, outcome.out, outcome.code) == (10, "", "root-mismatch")
        # Without a key it is shown as what it is: a claim.
        assert shelf("inspect", "receipt.json").lines[0] == "receipt: not verified"

    def test_what_holds_no_signature_cannot_be_verified(self, shelf):
        for name in ("operator.vkey", path_of(".entry")):
            outcome = shelf("inspect", name, "--key", "operator.vkey")
            assert (outcome.status, outcome.code) == (2, "usage")


class TestRefused:
    @pytest.mark.parametrize("name", ["signing-key.pem", "reference-key.txt"])
    def test_a_private_key_is_shown_to_nobody(self, book, name):
        outcome = book("inspect", f"counterfoil-keys/{name}")
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", "malformed"),
            (b"text", "malformed"),
            (b"\xff\xfe", "malformed"),
            (b"{", "malformed"),
            (b"{}", "malformed"),
            (b'{"type": "something else"}', "unknown-type"),
            (b'{"type": "counterfoil/delta@v1", "index": "1"}', "malformed"),
            (b"old 4\n", "malformed"),
            (b"c2sp.org/tlog-proof@v1\n", "malformed"),
            (b"a+b+c\n", "malformed"),
            (b"x" * 300_000, "too-large"),
        ],
    )
    def test_what_is_none_of_ours_has_its_code(self, cf, data, code):
        Path("file").write_bytes(data)
        outcome = cf("inspect", "file")
        assert (outcome.out, outcome.code) == ("", code)
        assert outcome.status in (11, 13)


def test_what_is_shown_as_json_is_what_is_in_it(shelf):
    finding = shelf("inspect", "receipt.json", "--json").findings[0]
    receipt = json.loads(Path("receipt.json").read_text())
    assert finding["recordedAt"] == receipt["entry"]["recordedAt"]
    assert finding["verified"] == "not verified"
