"""What a file is taken for, by its bytes and by its name, and how much of one is parsed."""

import gzip
import json
from pathlib import Path

import pytest

from counterfoil.cli.documents import kind_of, read_document
from counterfoil.core.dispute import Dispute
from counterfoil.core.encoding import canonical_json, encode_base64
from counterfoil.core.receipt import Receipt
from counterfoil.core.statement import Statement
from counterfoil.limits import (
    DISPUTE_BYTES_MAX,
    FULL_STATEMENT_BYTES_MAX,
    RECEIPT_BYTES_MAX,
    REPORT_BYTES_MAX,
)
from tests.core.common import example_blocks
from tests.core.disputes import PACKET
from tests.support import refused

BLOCKS = example_blocks()
DOCUMENTS = {
    Receipt: BLOCKS["receipt-2"],
    Statement: BLOCKS["statement-may"],
    Dispute: canonical_json(PACKET),
}
KEY = ("--key", "operator.vkey")
# Key names hold no white space, and a browser needs none.
MARKUP = "<style>body{visibility:hidden}</style><script>document.title='paid'</script>"


@pytest.fixture
def marked(kept):
    """A receipt that verifies, with markup in the name of a signature line that nobody signed."""
    receipt = json.loads(Path("receipt.json").read_text())
    line = encode_base64(b"mark" + bytes(64))
    receipt["proof"] += f"\u2014 {MARKUP} {line}\n"
    Path("marked").write_text(json.dumps(receipt, ensure_ascii=False))
    assert kept("verify", "marked", *KEY).status == 0
    return kept


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            "r.html",
            "r.htm",
            "r.HTML",
            "r.json.html",
            ".html",
            "r.shtml",
            "r.xhtml",
            "r.svg",
            "r.mht",
            "r.pdf",
            "r.md",
        ],
    )
    def test_what_is_named_as_a_viewer_shows_it_is_a_page_of_ours_or_refused(self, marked, name):
        Path("marked").rename(name)
        outcome = marked("verify", name, *KEY)
        assert (outcome.status, outcome.code) == (13, "malformed")
        assert outcome.lines[1].startswith("0 verified, 1 refused")

    @pytest.mark.parametrize("name", ["r", "r.json", "r.JSON", "r.txt", "r.html.json", "html"])
    def test_other_names_leave_it_to_the_bytes(self, marked, name):
        Path("marked").rename(name)
        assert marked("verify", name, *KEY).status == 0

    def test_that_holds_for_every_format(self, kept):
        kept("checkpoints", "cust_001", "-o", "notes")
        Path("notes/4.checkpoint").rename("c.html")
        assert kept("verify", "c.html", *KEY).code == "malformed"
        assert kept("audit", "p.pack", *KEY, "--held", "c.html").code == "malformed"
        assert kept("inspect", "c.html").code == "malformed"

    def test_a_page_of_ours_may_have_any_name(self):
        page = b"<!doctype html>\n<!-- counterfoil/report@v1 -->\n"
        assert {kind_of(page, name) for name in ("p.html", "p.HTM", "p", "p.txt")} == {"report"}

    def test_in_a_folder_what_was_one_of_ours_is_refused_by_that_name(self, marked):
        Path("f").mkdir()
        Path("marked").rename("f/r.html")
        assert marked("verify", "f", *KEY).code == "malformed"


@pytest.fixture
def strangers(kept):
    """What people name by mistake, and a state of audits."""
    kept("pack", "--all", "-o", "everyone.pack")
    kept("audit", "everyone.pack", *KEY, "--state", "audits.state")
    Path("everyone.pack.gz").write_bytes(gzip.compress(Path("everyone.pack").read_bytes()))
    kept("verify", "receipt.json", *KEY, "--csv", "table.csv")
    Path("renamed").write_bytes(Path("table.csv").read_bytes())
    Path("other").write_bytes(b"\xff\xfe")
    return kept


class TestWhatIsNoneOfOurs:
    STRANGERS = (
        ("table.csv", "verify the statement"),
        ("renamed", "verify the statement"),
        ("operator.vkey", "for --key"),
        ("audits.state", "`counterfoil audit --state`"),
        ("other", "none of our formats"),
    )

    @pytest.mark.parametrize(("name", "advice"), STRANGERS)
    def test_whoever_would_verify_it_is_told_what_it_is(self, strangers, name, advice):
        outcome = strangers("verify", name, *KEY)
        assert (outcome.status, outcome.code) == (13, "malformed")
        assert advice in outcome.err

    @pytest.mark.parametrize(
        ("name", "advice"), [*STRANGERS, ("everyone.pack", "audit"), ("everyone.pack.gz", "audit")]
    )
    def test_so_is_whoever_would_hold_a_pack_to_it(self, strangers, name, advice):
        outcome = strangers("audit", "everyone.pack", *KEY, "--held", name)
        assert (outcome.status, outcome.code) == (13, "malformed")
        assert advice in outcome.err

    @pytest.mark.parametrize(("name", "advice"), [each for each in STRANGERS if each[0] != "operator.vkey"])
    def test_so_is_whoever_would_inspect_it(self, strangers, name, advice):
        outcome = strangers("inspect", name)
        assert (outcome.status, outcome.code) == (13, "malformed")
        assert advice in outcome.err

    @pytest.mark.parametrize("name", ["receipt.json", "table.csv", "everyone.pack", "audits.state"])
    def test_a_document_is_no_key(self, strangers, name):
        outcome = strangers("verify", "receipt.json", "--key", name)
        assert (outcome.status, outcome.code) == (2, "usage")
        assert "wants a verifier key, not a document" in outcome.err

    def test_a_checkpoint_that_went_wrong_is_still_known_as_one(self, kept):
        kept("checkpoints", "cust_001", "-o", "notes")
        note = Path("notes/4.checkpoint").read_bytes()
        for changed in (note.replace(b"\n", b"\r\n"), note[:-1], note[: note.index(b"\n\n")]):
            assert kind_of(changed, "c") == "checkpoint"
            Path("c").write_bytes(changed)
            assert kept("verify", "c", *KEY).code == "malformed"


class TestPacks:
    @pytest.fixture
    def packed(self, kept):
        assert kept("pack", "--all", "-o", "everyone.pack").status == 0
        Path("everyone.pack.gz").write_bytes(gzip.compress(Path("everyone.pack").read_bytes()))
        return kept

    @pytest.mark.parametrize("name", ["everyone.pack", "everyone.pack.gz"])
    def test_whoever_would_verify_one_is_told_to_audit_it(self, packed, name):
        outcome = packed("verify", name, *KEY)
        assert (outcome.status, outcome.code) == (11, "nothing-checked")
        assert "`counterfoil audit`" in outcome.err

    @pytest.mark.parametrize("name", ["everyone.pack", "everyone.pack.gz"])
    def test_however_large_it_is(self, packed, name):
        with Path(name).open("r+b") as stream:
            stream.truncate(REPORT_BYTES_MAX + 1)
        assert packed("verify", name, *KEY).code == "nothing-checked"


@pytest.mark.parametrize("name", ["receipt.json", "s.json"])
def test_whoever_would_audit_a_document_is_told_to_verify_it(kept, name):
    kept("statement", "cust_001", "--period", "2020-02", "-o", "s.json")
    outcome = kept("audit", name, *KEY)
    assert (outcome.status, outcome.code) == (11, "unknown-type")
    assert "`counterfoil verify`" in outcome.err


def of_type(kind, size):
    """So many bytes that name a type and are no JSON."""
    start = b'{"type":' + kind
    return start + b" " * (size - len(start))


DISPUTE, STATEMENT = b'"counterfoil/dispute@v1"', b'"counterfoil/statement@v1"'


class TestBounds:
    def test_each_document_is_read_as_what_its_type_says(self):
        assert [type(read_document(data)) for data in DOCUMENTS.values()] == [*DOCUMENTS]

    @pytest.mark.parametrize(("kind", "bound"), [
        (b'"counterfoil/receipt@v1"', RECEIPT_BYTES_MAX), (b'"counterfoil/dispute@v2"', RECEIPT_BYTES_MAX), (b"7", RECEIPT_BYTES_MAX),
        (STATEMENT, FULL_STATEMENT_BYTES_MAX), (DISPUTE, DISPUTE_BYTES_MAX),
    ])  # fmt: skip
    def test_a_byte_more_than_the_bound_of_its_type_is_not_parsed(self, kind, bound):
        with refused("malformed"):
            read_document(of_type(kind, bound))
        with refused("too-large"):
            read_document(of_type(kind, bound + 1))

    @pytest.mark.parametrize("spelled", [
        rb'"counterfoil\/dispute@v1"', rb'"\u0063ounterfoil/dispute@v1"', rb'"counterfoil\u002Fdispute\u0040v\u0031"',
        rb'"counterfoil\u002fdispute@v1"', rb'"nothing", "type" : "counterfoil/dispute@v1"',
    ])  # fmt: skip
    def test_a_type_may_be_spelled_as_json_lets_it(self, spelled):
        with refused("malformed"):
            read_document(of_type(spelled, FULL_STATEMENT_BYTES_MAX + 1))

    def test_a_type_that_another_one_only_mentions_does_not_give_it_more_room(self):
        text = b'{"metadata":' + DISPUTE + b',"type":' + STATEMENT + b"}"
        with refused("too-large"):
            read_document(text + b" " * (FULL_STATEMENT_BYTES_MAX + 1 - len(text)))

    @pytest.mark.parametrize("data", DOCUMENTS.values())
    def test_each_is_parsed_once(self, data, monkeypatch):
        parsed, decode = [], json.JSONDecoder.decode

        def counting(self, text):
            parsed.append(text)
            return decode(self, text)

        monkeypatch.setattr(json.JSONDecoder, "decode", counting)
        read_document(data)
        assert parsed == [data.decode()]
