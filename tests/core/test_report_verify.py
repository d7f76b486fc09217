"""Verifying pages: the document comes out of them, and nobody edits one unnoticed (docs/spec/report.md)."""

import base64
import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.encoding import canonical_json
from counterfoil.core.receipt import Verified, parse_receipt
from counterfoil.core.report import (
    REPORT_START,
    extract_document,
    format_report,
    parse_report,
    verify_report,
)
from counterfoil.core.statement import parse_statement
from counterfoil.limits import (
    FULL_STATEMENT_BYTES_MAX,
    RECEIPT_BYTES_MAX,
    REPORT_BYTES_MAX,
    STATEMENT_ITEMS_MAX,
)
from tests.core.logs import KEYS, Log
from tests.core.reports import BLOCKS, EXAMPLE_KEYS, EXAMPLE_PAGES, LOG, PAGES, VALUES, page_of, statement
from tests.support import refused

EVERY_PAGE = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


class TestEmbedded:
    @EVERY_PAGE
    def test_the_document_comes_out_as_it_went_in(self, page):
        report = parse_report(page)
        assert report.version == 1
        assert report.document == extract_document(page)
        assert json.loads(report.document)["type"].startswith("counterfoil/")

    def test_it_comes_out_of_a_page_of_another_version_too(self):
        page = page_of().replace(b"report@v1", b"report@v2").replace(b"<main>", b"<main><p>new</p>")
        assert extract_document(page) == statement()

    START, END = b'\n<template id="counterfoil-document">\n', b"\n</template>\n"

    @pytest.mark.parametrize("change", [
        lambda page: page[:0],
        lambda page: b"\xef\xbb\xbf" + page,
        lambda page: b" " + page,
        lambda page: page.replace(b"<!doctype", b"<!DOCTYPE", 1),
        lambda page: page.replace(b"report@v1", b"report@v0", 1),
        lambda page: page.replace(b"report@v1", b"report@v01", 1),
        lambda page: page.replace(b"\n", b"\r\n"),
        lambda page: page.replace(TestEmbedded.START, b""),
        lambda page: page.replace(TestEmbedded.END, b""),
        lambda page: page.replace(TestEmbedded.START, TestEmbedded.START * 2),
        lambda page: page + TestEmbedded.START + b"e30=" + TestEmbedded.END,
        lambda page: page + b"<TEMPLATE ID=Counterfoil-Document>e30=</TEMPLATE>",
        lambda page: page.replace(TestEmbedded.START, b'\n<template id="counterfoil-document" >\n'),
        lambda page: page.replace(TestEmbedded.START, TestEmbedded.START + b"\n"),
        lambda page: page.replace(TestEmbedded.START, TestEmbedded.START + b"e"),
        lambda page: page.replace(TestEmbedded.START, TestEmbedded.START + b"\xff"),
        lambda page: page.replace(TestEmbedded.START, TestEmbedded.START + b"eyJ9\n"),
        lambda page: page.replace(TestEmbedded.END, b"\n" + TestEmbedded.END),
    ], ids=["empty", "bom", "space", "upper-case", "version-0", "version-01", "line-ends", "no-start", "no-end", "two-starts",
            "two", "two-spellings", "start-spelled", "empty-line", "length", "not-ascii", "short-line", "last-line"])  # fmt: skip
    def test_what_does_not_hold_exactly_one_is_malformed(self, change):
        with refused("malformed"):
            extract_document(change(page_of()))

    def test_bounds_are_checked_first(self):
        with refused("too-large"):
            extract_document(b" " * (REPORT_BYTES_MAX + 1))
        encoded = b"A" * 4 * (FULL_STATEMENT_BYTES_MAX // 3 + 100) * 2
        with refused("too-large"):
            extract_document(REPORT_START + b"1 -->\n" + self.START + encoded + self.END)

    def test_the_page_of_the_largest_statement_is_within_the_bound(self):
        class Longest(Log):
            def value_at(self, _):
                # A character with the longest mark that there is.
                return {"reason": "\U000e0041" * 2_000, "referenceId": "\U000e0041" * 2_000}

        log = Longest(8).rewritten({4: {"effectiveAt": "2026-04-01T09:00:00.123456Z", "adjusts": "3"}})
        seen_of = []
        for period in ((3, 4), (3, 5)):
            head, _, rest = page_of(statement(log, period)).partition(self.START)
            seen_of.append(len(head) + len(rest.partition(self.END)[2]))
        # An index, an amount and a balance may be longer than these.
        row = seen_of[1] - seen_of[0] + 200
        assert row < 4_800
        embedded = FULL_STATEMENT_BYTES_MAX * 4 // 3 * 77 // 76
        assert embedded + STATEMENT_ITEMS_MAX * row + 1_000_000 < REPORT_BYTES_MAX


class TestVerifying:
    @EVERY_PAGE
    def test_a_page_verifies_as_it_is(self, page):
        keys = EXAMPLE_KEYS if page in EXAMPLE_PAGES.values() else KEYS
        found = verify_report(page, keys, allow_provisional=True)
        assert found.document == (parse_receipt if isinstance(found.verified, Verified) else parse_statement)(
            extract_document(page)
        )

    def test_it_says_what_the_document_proves(self):
        found = verify_report(page_of(), KEYS, origin=LOG.origin, customer_id="c1")
        assert found.verified.closing.count == LOG.entries[8].count

    @pytest.mark.parametrize(("old", "new"), [
        (b"\xe2\x80\x9c<bdi>credits", b"<bdi>000"),
        (b'">490</td>', b'">940</td>'),
        (b'data-room=".0">490', b'data-room=".0">940'),
        (b'data-room=".0"', b'data-room="000"'),
        (b"cust_001", b"cust_002"),
        (b"Statement for May", b"Statement for June"),
        (b"final:", b"provisional:"),
        (b"</main>", b"<p>Paid.</p></main>"),
        (b"</body>", b"<script>document.body.innerHTML='Paid.'</script></body>"),
        (b"</style>", b"td{display:none}</style>"),
        (b"default-src 'none'", b"default-src *"),
        (b'<tr><th scope="row" class="index">4</th>', b'<tr hidden><th scope="row" class="index">4</th>'),
        (b"</html>\n", b"</html>"),
        (b"</html>\n", b"</html>\n\n"),
    ], ids=lambda text: text.decode()[:20])  # fmt: skip
    def test_a_page_that_shows_something_else_is_malformed_though_its_document_verifies(self, old, new):
        page = EXAMPLE_PAGES["statement-may"]
        assert old in page
        edited = page.replace(old, new)
        with refused("malformed"):
            verify_report(edited, EXAMPLE_KEYS)
        assert extract_document(edited) == BLOCKS["statement-may"]

    @given(data=st.data())
    def test_no_byte_can_be_changed(self, data):
        page = bytearray(EXAMPLE_PAGES["receipt-2"])
        place = data.draw(st.integers(0, len(page) - 1))
        page[place] ^= data.draw(st.integers(1, 255))
        with pytest.raises(Exception, match=r"malformed|mismatch|bad-signature|unknown|wrong-origin"):
            verify_report(bytes(page), EXAMPLE_KEYS)

    def test_the_document_of_another_page_does_not_go_with_this_one(self):
        start, end = TestEmbedded.START, TestEmbedded.END
        mine, theirs = EXAMPLE_PAGES["statement-may"], EXAMPLE_PAGES["statement-april"]
        head, _, rest = mine.partition(start)
        encoded = theirs.partition(start)[2].partition(end)[0]
        with refused("malformed"):
            verify_report(head + start + encoded + end + rest.partition(end)[2], EXAMPLE_KEYS)

    def test_another_spelling_of_the_document_is_another_page(self):
        document = BLOCKS["receipt-2"]
        respelled = document.replace(b'{"details"', b'{ "details"', 1)
        page = format_report(document, EXAMPLE_KEYS)
        other = format_report(respelled, EXAMPLE_KEYS)
        assert page.partition(TestEmbedded.START)[0] == other.partition(TestEmbedded.START)[0]
        assert verify_report(other, EXAMPLE_KEYS).verified == verify_report(page, EXAMPLE_KEYS).verified

    @pytest.mark.parametrize("change", [
        lambda page: page,
        lambda page: page.replace(b"</main>", b"<p>Paid.</p></main>"),
        lambda page: page.replace(b"</body>", b"<script>document.body.innerHTML='Paid.'</script></body>"),
    ], ids=["as-it-is", "text", "script"])  # fmt: skip
    def test_a_page_of_another_version_is_unknown_since_whoever_edits_one_chooses_its_version(self, change):
        page = change(EXAMPLE_PAGES["receipt-2"]).replace(b"report@v1", b"report@v2", 1)
        with refused("unknown-type"):
            verify_report(page, EXAMPLE_KEYS)
        assert extract_document(page) == BLOCKS["receipt-2"]

    def test_its_document_is_judged_before_its_version(self):
        page = page_of().replace(b"report@v1", b"report@v2", 1)
        with refused("unknown-key"):
            verify_report(page, KeySet([]))
        with refused("wrong-origin"):
            verify_report(page, KEYS, customer_id="c2")

    def test_a_receipt_has_the_bound_of_receipts_in_a_page_too(self):
        long = BLOCKS["receipt-2"] + b" " * RECEIPT_BYTES_MAX
        lines = base64.b64encode(long).decode()
        encoded = "\n".join(lines[place : place + 76] for place in range(0, len(lines), 76)).encode()
        with refused("too-large"):
            verify_report(
                REPORT_START + b"1 -->\n" + TestEmbedded.START + encoded + TestEmbedded.END, EXAMPLE_KEYS
            )

    @pytest.mark.parametrize("name", ["receipt-2", "statement-may"])
    def test_its_json_is_read_once(self, name, monkeypatch):
        parsed, decode = [], json.JSONDecoder.decode

        def counting(self, text):
            parsed.append(text)
            return decode(self, text)

        monkeypatch.setattr(json.JSONDecoder, "decode", counting)
        verify_report(EXAMPLE_PAGES[name], EXAMPLE_KEYS)
        assert parsed == [BLOCKS[name].decode()]

    def test_keys_and_expectations_are_those_of_the_document(self):
        with refused("unknown-key"):
            verify_report(page_of(), KeySet([]))
        with refused("wrong-origin"):
            verify_report(page_of(), KEYS, customer_id="c2")
        with refused("wrong-origin"):
            verify_report(page_of(), KEYS, origin=VALUES["origin"])
        with refused("incomplete-period"):
            verify_report(PAGES["provisional"], KEYS)

    def test_the_document_is_judged_before_what_is_shown(self):
        document = json.loads(statement())
        altered = copy.deepcopy(document)
        altered["items"][2]["entry"]["key"] = "ab" * 32
        page = page_of(canonical_json(document))
        lines = base64.b64encode(canonical_json(altered)).decode()
        encoded = "\n".join(lines[place : place + 76] for place in range(0, len(lines), 76)).encode()
        head, _, rest = page.partition(TestEmbedded.START)
        behind = rest.partition(TestEmbedded.END)[2]
        with refused("root-mismatch"):
            verify_report(head + TestEmbedded.START + encoded + TestEmbedded.END + behind, KEYS)
