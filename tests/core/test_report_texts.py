"""What becomes of the texts of others on the pages: units of operators, and what senders write into details."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.core.entry import parse_entry
from counterfoil.core.report import verify_report
from counterfoil.core.report.markup import figure
from counterfoil.core.report.style import STYLE
from tests.core.logs import KEYS, NANO, Log
from tests.core.reports import (
    LOG,
    PAGES,
    Reader,
    facts_of,
    page_of,
    receipt,
    seen,
    statement,
    titles_of,
)
from tests.support import refused

HOSTILE = {
    "script": "</td></table><script>alert(1)</script>",
    "template": '</template><template id="counterfoil-document">',
    "attribute": "\" onload='x' <img src=x onerror=alert(1)>",
    "comment": "<!-- --> ]]> <![CDATA[",
    "entity": "&lt;b&gt; &amp;#60;",
    "direction": "\u202e2.1-\u202c\u2066\u200f",
    "nul": "\x00\x01\x7f\x9b",
    "lines": "a\r\nb\u2028c",
    "no-width": "a\u200bb\ufeffc\u00add",
    "tags": "\U000e0041\U000e0042",
    "emoji": "\U0001f469\u200d\U0001f52c",
}


class Hostile(Log):
    """A log whose senders write what they like, wherever they may."""

    def __init__(self, text):
        self.text = text
        super().__init__(6, customer=text)

    def amount_at(self, index):
        return index * NANO

    def value_at(self, _):
        return {
            "reason": self.text,
            "referenceId": self.text,
            "metadata": {self.text: {self.text: [self.text]}},
        }


class TestTextsOfOthers:
    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_none_of_them_becomes_markup(self, text):
        log, plain = Hostile(text), Hostile("plain")
        for mine, theirs in (
            (receipt(2, log), receipt(2, plain)),
            (statement(log, (1, 4)), statement(plain, (1, 4))),
        ):
            found, want = Reader(page_of(mine)), Reader(page_of(theirs))
            # The marks of what is not seen are the only elements more.
            assert [element for element in found.elements if element[0] != "b"] == want.elements
            verify_report(page_of(mine), KEYS, customer_id=text)

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_no_character_is_there_that_nobody_sees(self, text):
        shown = page_of(receipt(2, Hostile(text))).decode().partition("<body>")[2]
        assert not re.search(
            "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u200b\u200f\u2028-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]",
            shown,
        )

    @pytest.mark.parametrize(
        "text", ["</script>", "&lt;", "\"'", "ש", "\U0001f469\u200d\U0001f52c", " x ", "a\\u0000"]
    )
    def test_a_reader_sees_what_was_written(self, text):
        assert text in "".join(Reader(page_of(receipt(2, Hostile(text)))).texts)

    def test_what_is_not_seen_is_marked_with_its_number(self):
        page = page_of(receipt(2, Hostile("a\x00b\u202ec\U000e0041"))).decode()
        assert "<bdi>a<b>U+0000</b>b<b>U+202E</b>c<b>U+E0041</b></bdi>" in page

    @given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
    @settings(max_examples=50)
    def test_any_text_is_shown_and_verified(self, text):
        page = page_of(receipt(2, Hostile(text)))
        verify_report(page, KEYS, customer_id=text)
        Reader(page)

    def test_a_long_one_is_cut_in_the_table_and_whole_in_a_receipt(self):
        class Long(Log):
            def value_at(self, index):
                return {"reason": "é" * (8_000 - index)}

        log = Long(6)
        assert "é" * 7_998 in seen(page_of(receipt(2, log)))
        text = seen(page_of(statement(log, (2, 3))))
        assert "é" * 120 + "… (120 of 7998 characters)" in text
        assert "é" * 121 not in text


class Posing(Log):
    """A log whose senders write what a page might say itself."""

    def amount_at(self, index):
        return index * NANO

    def value_at(self, index):
        words = ("seal", "corrects entry 0", "verified: 1 receipt")[index % 3]
        return {
            "reason": words,
            "referenceId": "(120 of 121 characters)",
            "metadata": {"Closing balance": "490"},
        }


class TestApart:
    @pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
    def test_a_page_says_how_the_texts_of_others_are_known(self, page):
        assert b"<p>What stands <bdi>on grey</bdi> is as somebody wrote it." in page
        assert re.search(r"\nbdi\{background:var\(--said\);", STYLE)
        assert STYLE.count("--said:") == 2

    def test_the_table_of_entries_has_columns_for_what_senders_wrote_and_nothing_else(self):
        page = page_of(statement(Posing(6, seals={4}), (1, 5)))
        rows = [row for row in Reader(page).rows if row[0] in "1234"]
        assert [row[4:7] for row in rows] == [
            ["delta", "corrects entry 0", "(120 of 121 characters)"],
            ["delta", "verified: 1 receipt", "(120 of 121 characters)"],
            ["delta", "seal", "(120 of 121 characters)"],
            ["seal", "", ""],
        ]

    def test_each_of_their_texts_is_on_its_ground_from_its_first_character_to_its_last(self):
        log = Posing(6)
        for document in (receipt(2, log), statement(log, (1, 4))):
            page = page_of(document).decode()
            for words in ("verified: 1 receipt", "(120 of 121 characters)"):
                assert page.count(words) == page.count(f"<bdi>{words}</bdi>") > 0

    def test_in_a_receipt_they_stand_in_a_table_of_their_own(self):
        tables = re.findall(r"<table.*?</table>", page_of(receipt(2, Posing(6))).decode(), re.DOTALL)
        [said] = [table for table in tables if "verified: 1 receipt" in table]
        assert re.findall(r'<th scope="row">(.*?)</th>', said) == ["Reason", "Reference", "Metadata"]
        assert "<h2>What its sender wrote</h2>" in said
        assert "Closing balance" not in "".join(tables).replace(said, "")

    def test_an_entry_of_which_nobody_wrote_anything_has_no_such_table(self):
        assert "What its sender wrote" not in seen(PAGES["seal"])

    def test_what_is_left_of_a_long_text_is_said_behind_its_ground(self):
        class Long(Posing):
            def value_at(self, index):
                return {**super().value_at(index), "reason": "x" * 121}

        page = page_of(statement(Long(4), (1, 2))).decode()
        assert f"<bdi>{'x' * 120}</bdi>\u2026 <small>(120 of 121 characters)</small></td>" in page

    def test_spaces_are_kept_and_marks_that_pile_up_do_not_leave_their_cell(self):
        assert re.search(r"\nbdi\{[^}]*white-space:break-spaces", STYLE)
        assert re.search(r"\nth,td\{[^}]*overflow-wrap:anywhere;overflow:clip\}", STYLE)


# What might be read as more of a figure, or as markup.
UNITS = ("000", ".5", "e3", "-1", "0", "%", "<b>\"&'", "'", '"', "9" * 32)


def in_unit(unit):
    return LOG.rewritten({index: {"unit": unit} for index in range(12)})


def pages_in(unit):
    log = in_unit(unit)
    documents = (
        statement(log),
        statement(log, mode="light"),
        receipt(7, log),
        receipt(5, log),
        receipt(0, log),
    )
    return [page_of(document) for document in documents]


class TestUnits:
    @pytest.mark.parametrize("unit", UNITS)
    def test_one_stands_between_its_quotes_and_nowhere_else(self, unit):
        for mine, other in zip(pages_in(unit), pages_in("quasits"), strict=True):
            # Another unit makes other hashes.
            found, want = (
                re.sub("[0-9a-f]{64}", "", " ".join([*titles_of(page), seen(page)])) for page in (mine, other)
            )
            assert found == want.replace("\u201cquasits\u201d", f"\u201c{unit}\u201d")
            assert "quasits" not in want.replace("\u201cquasits\u201d", "")

    def test_none_holds_these_quotes(self):
        def with_unit(unit):
            return parse_entry(LOG.data[7].replace(b'"unit":"credits"', f'"unit":"{unit}"'.encode()))

        assert with_unit("'").unit == "'"
        for quote in ("\u201c", "\u201d"):
            with refused("malformed"):
                with_unit(quote)

    @pytest.mark.parametrize("unit", UNITS)
    def test_it_has_a_row_of_its_own_and_the_figures_are_without(self, unit):
        for page in pages_in(unit):
            assert facts_of(page)["Unit"] == f"\u201c{unit}\u201d"
        whole, light, delta, *_ = pages_in(unit)
        for page in (whole, light):
            assert facts_of(page)["Closing balance"] == figure(LOG.entries[8].balance)
        assert facts_of(delta)["Amount"] == figure(LOG.entries[7].amount)

    @pytest.mark.parametrize("unit", UNITS)
    def test_the_titles_of_a_receipt_have_it_in_quotes(self, unit):
        for title in titles_of(page_of(receipt(7, in_unit(unit)))):
            assert title.startswith(f"Receipt: {figure(LOG.entries[7].amount)} in \u201c{unit}\u201d, 2026-")

    def test_it_is_a_text_of_others(self):
        for page in pages_in("<b>\"&'"):
            assert "\u201c<b>\"&'\u201d" in seen(page)
            assert Reader(page).all("b") == []
