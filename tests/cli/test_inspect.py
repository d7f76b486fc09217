"""`inspect`: any of our formats, and never more than was verified."""

import base64
import gzip
import json
import textwrap
from pathlib import Path

import pytest

from counterfoil.limits import PACK_LINE_BYTES_MAX, REPORT_BYTES_MAX
from tests.cli.conftest import record_id, rewrite
from tests.cli.test_packs import CUSTOMERS, engine_of, lines, write
from tests.cli.test_packs import KEY as PACK_KEY

YEARS = ("--from", "2020-01-01", "--to", "2100-01-01")


def encoded(name):
    """A file in base64, as a page has it."""
    text = base64.b64encode(Path(name).read_bytes()).decode()
    return "\n".join(textwrap.wrap(text, 76))


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


@pytest.fixture
def documents(kept):
    """A statement and a full one, their pages and that of a receipt, a dispute packet, a pack."""
    assert kept("statement", "cust_001", *YEARS, "-o", "s.json", "--html", "s.html").status == 0
    assert kept("statement", "cust_001", *YEARS, "--full", "-o", "full.json").status == 0
    assert kept("receipt", record_id(kept, 2), "-o", "receipt.json", "--html", "r.html").status == 0
    Path("theirs.csv").write_text("delta\n500\n-12\n")
    assert kept("compare", "cust_001", "theirs.csv", *YEARS, "--dispute", "d.json").status == 0
    assert kept("pack", "--all", "-o", "p.pack").status == 0
    return kept


# With --key, what the first line of each says: for as long as the month goes on, through which instant, cut off here.
VERDICTS = [
    ("s.json", "statement", "verified, light, provisional, complete through 20", ""),
    ("full.json", "statement", "verified, full, provisional, complete through 20", ""),
    (
        "d.json",
        "dispute packet",
        "verified, full, provisional",
        "; what the other party says was not checked",
    ),
    ("s.html", "page of a statement", "verified, light, provisional", "; the page shows this"),
    ("r.html", "page of a receipt", "verified", "; the page shows this"),
    (
        "p.pack",
        "evidence pack",
        "the signatures of the checkpoints verify; nothing else was checked (audit)",
        "",
    ),
]


@pytest.mark.parametrize(("name", "kind", "starts", "ends"), VERDICTS)
def test_documents_of_many_entries_are_not_verified_but_with_a_key(documents, name, kind, starts, ends):
    outcome = documents("inspect", name)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.lines[0] == f"{kind}: not verified"
    assert any(line.startswith(("  claims signer  ", "   claims signer  ")) for line in outcome.lines)
    outcome = documents("inspect", name, "--key", "operator.vkey")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.lines[0].startswith(f"{kind}: {starts}")
    assert outcome.lines[0].endswith(ends)
    assert "claims signer" not in outcome.out
    assert documents("inspect", name, "--json").findings[0]["kind"] == kind


@pytest.mark.parametrize("name", [name for name, *_ in VERDICTS])
def test_standard_input_may_be_any_of_them(documents, name):
    outcome = documents("inspect", "-", stdin=Path(name).read_bytes())
    assert outcome.out == documents("inspect", name).out


class TestStatements:
    @pytest.mark.parametrize("name", ["s.json", "full.json", "s.html"])
    def test_one_says_what_its_period_adds_up_to(self, documents, name):
        lines = documents("inspect", name).lines
        for line in (
            "  from            2020-01-01T00:00:00.000000Z",
            "  to              2100-01-01T00:00:00.000000Z",
            "  customer        cust_001",
            "  opening         0 EUR",
            "  credits         500 EUR",
            "  debits          12.5 EUR",
            "  closing         487.5 EUR",
            "  deltas          2",
            "  size            4",
        ):
            assert line in lines
        assert any(line.startswith("  followed by     nothing: complete through 20") for line in lines)

    def test_one_of_a_month_that_is_over_says_what_follows(self, documents):
        assert documents("statement", "cust_001", "--period", "2020-02", "-o", "old.json").status == 0
        lines = documents("inspect", "old.json", "--key", "operator.vkey").lines
        assert lines[0] == "statement: verified, light"
        assert "  closing         0 EUR" in lines
        assert any(line.startswith("  followed by     entry 0, recorded 20") for line in lines)

    def test_it_shows_a_claim_and_refuses_it_with_a_key(self, documents):
        rewrite("s.json", lambda s: s["items"][-1]["entry"].update(credits="600"))
        assert "  closing         587.5 EUR" in documents("inspect", "s.json").lines
        outcome = documents("inspect", "s.json", "--key", "operator.vkey")
        assert (outcome.status, outcome.out, outcome.code) == (10, "", "root-mismatch")

    def test_one_that_names_no_customer_says_so(self, documents):
        rewrite("s.json", lambda s: s.pop("open"))
        lines = documents("inspect", "s.json", "--key", "operator.vkey").lines
        assert lines[0].endswith(", customer not checked")
        assert "  customer        not named" in lines


class TestDisputes:
    def test_one_says_both_sides_and_what_lies_between(self, documents):
        lines = documents("inspect", "d.json").lines
        for line in (
            "  ours            487.5 EUR",
            "  theirs          488 EUR, as they say, in 2 rows",
            "  differences     -0.5 EUR (ours less theirs) in 2 differences",
            "  receipts        1",
            "  tolerance       300 seconds",
        ):
            assert line in lines
        [found] = documents("inspect", "d.json", "--json").findings
        assert [line.split()[:2] for line in found["difference"]] == [
            ["missing", "there"],
            ["missing", "here"],
        ]
        for line in found["difference"]:
            assert f"  difference      {line}" in lines

    def test_of_many_differences_the_first_are_shown_and_the_others_counted(self, documents):
        Path("many.csv").write_text("delta\n" + "-1\n" * 23)
        documents("compare", "cust_001", "many.csv", *YEARS, "--dispute", "d.json")
        lines = documents("inspect", "d.json").lines
        assert len([line for line in lines if line.startswith("  difference  ")]) == 20
        assert "  not shown       5 differences" in lines

    def test_one_with_other_differences_is_refused_with_a_key(self, documents):
        rewrite("d.json", lambda d: d["differences"].pop())
        assert documents("inspect", "d.json").status == 0
        assert documents("inspect", "d.json", "--key", "operator.vkey").code == "details-mismatch"


class TestPages:
    def test_one_says_what_its_document_says(self, documents):
        for page, name in (("r.html", "receipt.json"), ("s.html", "s.json")):
            first, template, *lines = documents("inspect", page).lines
            kind, *same = documents("inspect", name).lines
            assert (first, lines) == (f"page of a {kind}", same)
            assert template == "  template        version 1, with this document in it"

    def test_one_that_was_edited_says_what_its_document_does_and_is_refused_with_a_key(self, documents):
        page = Path("r.html").read_text()
        Path("r.html").write_text(page.replace("12.5", "11.5"))
        assert "  amount          -12.5 EUR" in documents("inspect", "r.html").lines
        outcome = documents("inspect", "r.html", "--key", "operator.vkey")
        assert (outcome.status, outcome.out, outcome.code) == (13, "", "malformed")

    def test_one_of_another_version_says_what_its_document_does_and_is_refused_with_a_key(self, documents):
        Path("r.html").write_text(Path("r.html").read_text().replace("report@v1", "report@v2", 1))
        lines = documents("inspect", "r.html").lines
        assert "  template        version 2, with this document in it" in lines
        outcome = documents("inspect", "r.html", "--key", "operator.vkey")
        assert (outcome.status, outcome.out, outcome.code) == (11, "", "unknown-type")

    def test_no_page_has_a_dispute_packet_in_it(self, documents):
        page = Path("r.html").read_text()
        assert encoded("receipt.json") in page
        Path("r.html").write_text(page.replace(encoded("receipt.json"), encoded("d.json")))
        assert documents("inspect", "r.html").code == "unknown-type"

    def test_another_page_is_refused(self, documents):
        Path("x.html").write_text("<html>")
        assert documents("inspect", "x.html").code == "malformed"


class TestPacks:
    @pytest.fixture
    def packed(self, cf):
        """A pack of seven logs of three deltas each, in the folder."""
        write(engine_of("5", "-2", "1", customers=CUSTOMERS))
        return cf

    def test_each_log_says_whose_it_is_and_how_far_it_goes(self, packed):
        found = packed("inspect", "p.pack", "--json").findings[0]
        assert (found["operator"], found["logs"], found["entries"], found["checkpoints"]) == (
            "ledger.example.com",
            7,
            35,
            7,
        )
        assert {log["customer"] for log in found["log"]} == set(CUSTOMERS)
        assert {(log["entries"], log["checkpoints"], log["size"]) for log in found["log"]} == {(5, 1, 5)}
        for log in found["log"]:
            assert log["claimsSigner"].startswith(f"{log['origin']} (key id ")

    def test_for_a_person_the_lines_of_a_log_stand_under_its_name(self, packed):
        shown = packed("inspect", "p.pack").lines
        [first, *_] = [place for place, line in enumerate(shown) if line.startswith("  log  ")]
        assert [line[:18] for line in shown[first + 1 : first + 7]] == [
            "   customer       ",
            "   entries        ",
            "   checkpoints    ",
            "   size           ",
            "   root           ",
            "   claims signer  ",
        ]

    def test_of_many_logs_the_first_are_shown_and_the_others_counted(self, cf):
        write(engine_of("5", customers=[f"c{number}" for number in range(23)]))
        outcome = cf("inspect", "p.pack")
        assert len([line for line in outcome.lines if line.startswith("  log  ")]) == 20
        assert outcome.lines[-1] == "  not shown       3 logs"
        assert len(cf("inspect", "p.pack", "--json").findings[0]["log"]) == 20

    def test_compressed_it_says_the_same(self, packed):
        wanted = packed("inspect", "p.pack").out
        Path("other").write_bytes(gzip.compress(Path("p.pack").read_bytes()))
        assert packed("inspect", "other").out == wanted

    def test_a_customer_cannot_pass_for_a_line_or_turn_what_stands_around_it(self, cf):
        write(engine_of("5"))
        forged = json.dumps("a\n   size           9\x1b[2J\u202e\ufe0f").encode()
        data = Path("p.pack").read_bytes()
        assert data.count(b'"alice"') == 1
        Path("p.pack").write_bytes(data.replace(b'"alice"', forged))
        shown = cf("inspect", "p.pack").lines
        assert r"   customer       a\n   size           9\x1b[2J\u202e\ufe0f" in shown
        assert [line for line in shown if line.startswith("   size ")] == ["   size           3"]

    def test_with_a_key_no_checkpoint_may_be_another_ones(self, packed):
        changed = lines()
        changed[-2] = changed[-2].replace(rb"\n5\n", rb"\n4\n")
        assert changed != lines()
        Path("p.pack").write_bytes(b"".join(changed))
        assert packed("inspect", "p.pack").status == 0
        outcome = packed("inspect", "p.pack", "--key", PACK_KEY)
        assert (outcome.status, outcome.out, outcome.code) == (10, "", "bad-signature")

    def test_with_a_key_there_must_be_something_to_verify(self, packed):
        first, last = lines()[0], b'{"end":{"checkpoints":"0","entries":"0","logs":"0"}}'
        Path("p.pack").write_bytes(first + last)
        assert packed("inspect", "p.pack").lines[2] == "  logs            0"
        assert packed("inspect", "p.pack", "--key", PACK_KEY).code == "nothing-checked"

    def test_one_that_was_cut_is_refused(self, packed):
        data = Path("p.pack").read_bytes()
        Path("p.pack").write_bytes(b"".join(lines()[:-1]))
        assert packed("inspect", "p.pack").code == "malformed"
        Path("p.pack").write_bytes(gzip.compress(data)[:-9])
        assert packed("inspect", "p.pack").code == "malformed"

    def test_a_line_that_is_too_long_is_not_read(self, packed):
        Path("p.pack").write_bytes(lines()[0] + b'{"entry"' + b" " * PACK_LINE_BYTES_MAX)
        assert packed("inspect", "p.pack").code == "too-large"

    def test_of_another_version_it_is_known_as_one(self, packed):
        first, *rest = lines()
        Path("p.pack").write_bytes(b"".join([first.replace(b"pack@v1", b"pack@v9"), *rest]))
        outcome = packed("inspect", "p.pack")
        assert (outcome.status, outcome.code) == (11, "unknown-type")


class TestRefused:
    def test_what_is_larger_than_any_document_is_not_read(self, cf):
        with Path("huge.html").open("wb") as stream:
            stream.truncate(REPORT_BYTES_MAX + 1)
        assert cf("inspect", "huge.html").code == "too-large"

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
