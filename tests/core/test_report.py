"""Pages for people: what they show, that they run and load nothing, and what becomes of the texts of others."""

import base64
import hashlib
import json
import re

import pytest

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.encoding import canonical_json
from counterfoil.core.report import extract_document, format_report, verify_report
from counterfoil.core.report.style import STYLE
from tests.core.reports import (
    BLOCKS,
    EXAMPLE_KEYS,
    EXAMPLE_PAGES,
    LOG,
    PAGES,
    VALUES,
    Reader,
    page_of,
    receipt,
    seen,
    statement,
)
from tests.support import refused

EVERY_PAGE = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


class TestShown:
    def test_a_receipt_shows_its_entry_its_details_and_its_totals(self):
        text = seen(EXAMPLE_PAGES["receipt-2"])
        for words in (
            "Amount\u221212.5", "2026-04-02 10:30:00.250000 UTC", "2026-04-02 10:29:59 UTC", "api_call", "line_001", '"aé"', "1200",
            "entry 2, counted from 0, of 4", "Unit\u201ccredits\u201d", "Credits500", "Balance487.5", "not named",
        ):  # fmt: skip
            assert words in text

    def test_a_receipt_that_names_its_customer_shows_it_and_what_it_corrects(self):
        text = seen(EXAMPLE_PAGES["receipt-4"])
        assert "cust_001" in text
        assert "entry 2" in text

    def test_a_statement_shows_period_totals_unit_customer_and_mode(self):
        text = seen(EXAMPLE_PAGES["statement-may"])
        for words in (
            "Statement for May 2026", "2026-05-01 00:00:00 UTC", "2026-06-01 00:00:00 UTC", "balance487.5", "balance490", "\u201ccredits\u201d",
            "cust_001", "full: with every entry", "final", "refund", "corrects entry 2",
        ):  # fmt: skip
            assert words in text

    def test_a_full_one_shows_every_entry_of_its_period_and_none_beside(self):
        rows = re.findall(r'<tr><th scope="row" class="index">([0-9]+)</th>', page_of().decode())
        assert rows == ["3", "4", "5", "6", "7", "8"]

    def test_a_light_one_shows_the_first_and_the_last_and_says_what_is_not_there(self):
        page = page_of(statement(mode="light"))
        assert re.findall(r'<tr><th scope="row" class="index">([0-9]+)</th>', page.decode()) == ["3", "8"]
        assert "those between are not in this file" in seen(page)

    @pytest.mark.parametrize(("mode", "words"), [
        ("full", "every entry is in this file"), ("light", "provided that the log keeps to its rules throughout"),
    ])  # fmt: skip
    def test_it_says_what_its_mode_proves(self, mode, words):
        assert words in seen(page_of(statement(mode=mode)))

    @EVERY_PAGE
    def test_it_says_under_what_it_stands_and_how_to_check_it(self, page):
        text = seen(page)
        origin = VALUES["origin"] if page in EXAMPLE_PAGES.values() else LOG.origin
        assert origin in text
        assert "Key id in the signature" in text
        option = "--origin LOG" if "not named" in text else "--customer ID"
        allowed = " --allow-provisional" if "(provisional)" in text else ""
        assert f"counterfoil verify FILE.html --key KEY {option}{allowed} with" in text

    def test_checkpoint_root_and_key_id_are_those_of_the_document(self):
        text = seen(EXAMPLE_PAGES["receipt-2"])
        assert VALUES["root(4)"] in text
        assert VALUES["key id in the signature lines"] in text
        assert "4 entries" in text

    def test_details_that_are_withheld_are_said_to_be(self):
        document = json.loads(receipt(7, LOG))
        del document["details"]
        assert "erased or withheld" in seen(page_of(canonical_json(document)))


class TestMadeOfWhatWasVerified:
    @pytest.mark.parametrize("change", [
        lambda document: document["items"][2]["entry"].update(key="ab" * 32),
        lambda document: document["items"][2]["details"]["value"].update(reason="gift"),
        lambda document: document["items"].pop(2),
    ], ids=["entry", "details", "item"])  # fmt: skip
    def test_there_is_no_page_of_what_does_not_verify(self, change):
        document = json.loads(statement())
        change(document)
        with pytest.raises(Exception, match=r"root-mismatch|details-mismatch"):
            page_of(canonical_json(document))

    def test_there_is_none_without_a_key_and_none_of_an_open_period_unless_that_is_allowed(self):
        with refused("unknown-key"):
            format_report(statement(), KeySet([]))
        with refused("incomplete-period"):
            page_of(statement(period=(9, 12)))

    @pytest.mark.parametrize("document", [b"", b"[]", b"{}", b"\xff", BLOCKS["pack"], BLOCKS["checkpoint-4"]])
    def test_there_is_none_of_what_is_neither_receipt_nor_statement(self, document):
        with pytest.raises(Exception, match=r"malformed|unknown-type"):
            page_of(document)

    def test_it_is_the_same_under_every_key_that_verifies_it(self):
        of_log = KeySet.parse(VALUES["key of this log"])
        assert format_report(BLOCKS["receipt-2"], of_log) == EXAMPLE_PAGES["receipt-2"]

    def test_a_document_that_was_respelled_is_embedded_as_it_came(self):
        respelled = json.dumps(json.loads(BLOCKS["receipt-2"]), indent=3).encode()
        page = format_report(respelled, EXAMPLE_KEYS)
        assert extract_document(page) == respelled
        verify_report(page, EXAMPLE_KEYS)


class TestOneFile:
    @EVERY_PAGE
    def test_it_runs_and_loads_nothing(self, page):
        reader = Reader(page)
        assert {tag for tag, _ in reader.elements} <= {
            "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "ol", "li", "table", "caption", "thead",
            "tbody", "tr", "th", "td", "div", "time", "bdi", "b", "strong", "small", "code", "br", "dl", "dt", "dd", "figure",
            "figcaption", "span", "wbr", "svg", "text", "line", "path", "rect", "template",
        }  # fmt: skip
        attributes = {name for _, found in reader.elements for name in found}
        assert attributes <= {
            "lang", "charset", "http-equiv", "content", "name", "scope", "class", "role", "aria-labelledby", "aria-describedby",
            "tabindex", "datetime", "data-room", "viewbox", "x", "y", "x1", "x2", "y1", "y2", "d", "width", "height", "text-anchor", "id",
        }  # fmt: skip
        assert b"url(" not in page
        assert b"@import" not in page

    @EVERY_PAGE
    def test_its_policy_allows_its_own_style_and_nothing_else(self, page):
        [policy] = [
            found["content"]
            for found in Reader(page).all("meta")
            if found.get("http-equiv") == "Content-Security-Policy"
        ]
        digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
        assert policy == (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        )
        assert f"<style>{STYLE}</style>".encode() in page
        assert page.count(b"<style") == 1

    @EVERY_PAGE
    def test_it_can_be_heard(self, page):
        reader = Reader(page)
        assert reader.all("html") == [{"lang": "en"}]
        assert len(reader.all("h1")) == 1
        assert len(reader.all("caption")) == len(reader.all("table")) > 0
        assert all(found["scope"] in ("row", "col") for found in reader.all("th"))
        names = {found["id"] for _, found in reader.elements if "id" in found}
        for tag, found in reader.elements:
            assert {found[name] for name in ("aria-labelledby", "aria-describedby") if name in found} <= names
            if tag == "svg":
                assert (found["role"], found["aria-describedby"]) == ("img", "chart-words")

    def test_it_is_read_in_light_and_dark_and_printed_on_paper(self):
        assert "prefers-color-scheme:dark" in STYLE
        assert "@media print" in STYLE
        assert "size:A4" in STYLE
        assert '<meta name="color-scheme" content="light dark">' in page_of().decode()
