"""Pages as people read them: whose they are, of what period, what may still come, and tables that can be added up."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.amount import NANO, format_nano
from counterfoil.core.report import verify_report
from counterfoil.core.report.markup import aligned, figure, figure_column, plain_time
from counterfoil.core.report.style import STYLE
from tests.core.logs import KEYS, OPERATOR, Log
from tests.core.reports import (
    EXAMPLE_KEYS,
    EXAMPLE_PAGES,
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

EVERY_PAGE = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
PROVISIONAL = pytest.mark.parametrize(
    "page", [PAGES["provisional"], PAGES["provisional-light"]], ids=["full", "light"]
)
THROUGH = plain_time(LOG.time(11))


class TestIssuer:
    @EVERY_PAGE
    def test_operator_customer_and_time_of_sealing_stand_before_all_else(self, page):
        operator = "ledger.example.com" if page in EXAMPLE_PAGES.values() else OPERATOR
        text = seen(page)
        assert text.split()[0] == operator
        head = re.split(r"Period \(by|The entry", text)[0]
        for name in ("Issued by", "For customer", "Sealed", "Log"):
            assert name in head
        assert facts_of(page)["Issued by"] == f"{operator}, as the signed checkpoint names it"

    def test_the_customer_is_the_one_that_the_document_proves(self):
        assert facts_of(page_of())["For customer"] == "c1"
        assert facts_of(EXAMPLE_PAGES["receipt-2"])["For customer"].startswith("not named")

    @pytest.mark.parametrize("name", ["provisional", "provisional-light"])
    def test_the_time_of_sealing_is_that_of_the_seal_under_the_checkpoint(self, name):
        assert facts_of(PAGES[name])["Sealed"] == THROUGH
        assert facts_of(page_of(receipt(11, LOG)))["Sealed"] == THROUGH

    @pytest.mark.parametrize(("page", "last"), [
        (page_of(), 9), (PAGES["light"], 9), (PAGES["seal"], 5), (page_of(receipt(7, LOG)), 7),
    ], ids=["full", "light", "earlier-seal", "receipt"])  # fmt: skip
    def test_where_that_seal_is_not_in_the_file_it_says_after_when(self, page, last):
        said = facts_of(page)["Sealed"]
        assert said == f"after the last entry in this file, which is of {plain_time(LOG.time(last))}"

    @EVERY_PAGE
    def test_it_says_what_counterfoil_is_and_how_to_get_it(self, page):
        head = re.split(r"Period \(by|The entry", seen(page))[0]
        assert "made with Counterfoil, open-source software" in head
        assert "pip install counterfoil" in head

    @EVERY_PAGE
    def test_it_names_no_address_that_could_be_followed(self, page):
        shown = page.partition(b"<template")[0]
        assert b"://" not in shown
        assert b"href" not in shown


class TestPeriod:
    @pytest.mark.parametrize("name", ["statement-april", "full", "light", "empty", "provisional"])
    def test_a_period_is_said_to_be_by_time_of_recording(self, name):
        text = seen(PAGES[name])
        assert "Period (by time of recording)" in text
        assert "An entry belongs to the period in which it was recorded." in text

    def test_an_entry_that_happened_before_the_period_is_in_it_and_both_times_are_shown(self):
        log = LOG.rewritten({4: {"effectiveAt": "2026-03-31T23:00:00.000000Z"}})
        [row] = [row for row in Reader(page_of(statement(log))).rows if row[0] == "4"]
        assert row[1] == "2026-04-01 09:00:05.000000said to have happened2026-03-31 23:00:00.000000"


class TestBeforeTheLog:
    @pytest.mark.parametrize("name", ["behind", "behind-light"])
    def test_a_period_before_the_log_says_when_that_began(self, name):
        began, text = f"began at {plain_time(LOG.time(0))}, after this period", seen(PAGES[name])
        assert began == facts_of(PAGES[name])["The log"]
        assert f"The period has none. The log {began}." in text

    @pytest.mark.parametrize("name", ["behind", "behind-light"])
    def test_it_is_sealed_after_the_log_began_and_not_after_an_entry_of_it(self, name):
        assert facts_of(PAGES[name])["Sealed"] == f"after the log began, at {plain_time(LOG.time(0))}"

    @pytest.mark.parametrize("page", [
        PAGES["empty"], PAGES["empty-light"], PAGES["full"], page_of(statement(period=(0, 3))),
    ], ids=["empty", "empty-light", "full", "opens-within"])  # fmt: skip
    def test_a_period_in_which_the_log_goes_on_or_begins_says_nothing_of_it(self, page):
        assert "after this period" not in seen(page)


class TestNothingLeftOut:
    @pytest.mark.parametrize("name", ["behind-light", "empty-light", "one-light", "two-light"])
    def test_a_light_one_that_leaves_out_nothing_does_not_say_so(self, name):
        text = seen(PAGES[name])
        for words in ("not in this file:", "those between", "the entries between", "first and last"):
            assert words not in text.replace("not named: this file does not say whose log it is", "")

    @pytest.mark.parametrize(("name", "held"), [
        ("one-light", "Every entry of the period, 1 in all: 1 delta."),
        ("two-light", "Every entry of the period, 2 in all: 2 deltas."),
    ])  # fmt: skip
    def test_it_has_every_entry_and_proves_what_a_full_one_does(self, name, held):
        assert held in seen(PAGES[name])
        assert "every entry is in this file" in seen(PAGES[name])
        assert facts_of(PAGES[name])["Mode"] == "light: with every entry of the period"

    def test_one_that_leaves_out_a_single_entry_says_so(self):
        text = seen(page_of(statement(period=(6, 9), mode="light")))
        assert "those between are not in this file" in text
        assert "the entries between the first and the last are not in this file" in text

    @pytest.mark.parametrize("name", ["behind", "behind-light", "empty", "empty-light"])
    def test_a_period_without_entries_is_proven_to_have_none(self, name):
        assert "It proves that nothing was recorded in the period" in seen(PAGES[name])


class TestProvisional:
    @PROVISIONAL
    def test_its_title_says_so(self, page):
        assert all(title.endswith(" (provisional)") for title in titles_of(page))

    @PROVISIONAL
    def test_its_last_balance_is_one_through_an_instant_and_none_that_closes(self, page):
        assert facts_of(page)[f"Balance through {THROUGH}"] == figure(LOG.entries[11].balance)
        assert "closing" not in seen(page).lower()

    @PROVISIONAL
    def test_its_proof_goes_as_far_as_it_is_complete_and_no_farther(self, page):
        [note] = re.findall(r'<p class="note">(.*)</p>', page.decode())
        text = re.sub("<[^>]+>", "", note)
        assert THROUGH in text
        assert "more may come until the period\u2019s end" in text
        assert "nothing of the period" not in text

    def test_a_full_one_says_that_nothing_up_to_then_was_left_out(self):
        assert f"It proves that nothing up to {THROUGH} was left out;" in seen(PAGES["provisional"])

    @PROVISIONAL
    def test_it_claims_the_entries_so_far_and_not_those_of_the_period(self, page):
        assert f"provisional: more may come; complete through {THROUGH}" in seen(page)
        assert not re.search("of the period(?! so far)", facts_of(page)["Mode"])
        [caption] = re.findall(r'id="listing">Entries</h2>([^<]+)', page.decode())
        assert "of the period so far" in caption

    @EVERY_PAGE
    def test_whoever_does_as_the_page_says_verifies_it(self, page):
        keys = EXAMPLE_KEYS if page in EXAMPLE_PAGES.values() else KEYS
        allowed = "--allow-provisional" in seen(page)
        verify_report(page, keys, allow_provisional=allowed)
        if allowed:
            with refused("incomplete-period"):
                verify_report(page, keys)

    @pytest.mark.parametrize(
        "name", ["statement-april", "statement-may", "full", "light", "empty", "empty-light"]
    )
    def test_a_final_one_says_nothing_of_it(self, name):
        text = seen(PAGES[name])
        assert facts_of(PAGES[name])["State"].startswith("final:")
        for words in ("provisional", "so far", "Balance through", "more may come"):
            assert words not in text
        assert "Closing balance" in text


class TestEntries:
    def test_amount_and_balance_stand_before_what_a_narrow_screen_has_no_room_for(self):
        heads = re.findall(r'<th scope="col" class="[a-z ]+">([^<]+)</th>', page_of().decode())
        assert heads == [
            "Entry", "Recorded (UTC)", "Amount", "Balance after it", "What", "Reason", "Reference",
        ]  # fmt: skip

    def test_a_table_that_goes_on_beside_the_screen_has_a_shadow_at_that_edge(self):
        [ground] = re.findall(r"@media screen\{\.wide\{background:([^}]*)\}\}", STYLE)
        # What covers the shadow moves with the table, the shadow does not.
        assert ground.count("local no-repeat") == ground.count("var(--paper)") == 2
        assert ground.count("var(--line)") == 2

    def test_it_says_how_many_of_each_kind_are_listed(self):
        assert "Every entry of the period, 6 in all: 5 deltas, 1 seal." in seen(page_of())
        whole = page_of(statement(period=(0, 9)))
        assert "Every entry of the period, 9 in all: 7 deltas, 1 seal, 1 opening." in seen(whole)

    def test_what_is_no_delta_is_explained_where_it_is_listed(self):
        assert "A seal closes what a signed checkpoint covers; it has no amount." in seen(page_of())
        assert "An opening is the first entry" not in seen(page_of())
        assert "An opening is the first entry of a log; it has no amount." in seen(
            page_of(statement(period=(0, 9)))
        )
        assert "A seal closes" not in seen(page_of(statement(period=(6, 9))))

    @pytest.mark.parametrize(("name", "meaning"), [
        ("open", "An opening is the first entry"), ("seal", "A seal closes"), ("receipt-2", "A delta changes"),
    ])  # fmt: skip
    def test_a_receipt_says_what_its_entry_is(self, name, meaning):
        assert meaning in facts_of(PAGES[name])["What"]

    def test_the_deltas_that_the_totals_are_of_are_counted(self):
        assert "What it adds up to5 deltas" in seen(page_of())
        assert "Totals of the log after it2 deltas" in seen(EXAMPLE_PAGES["receipt-2"])


def unbroken(markup):
    """Markup without the places at which a long figure may be broken."""
    return markup.replace("<wbr>", "")


def columns_of(page):
    """The figures of each column of each table, as (text, room behind it)."""
    found = {}
    for number, table in enumerate(re.findall(r"<table.*?</table>", unbroken(page.decode()), re.DOTALL)):
        for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL):
            for place, cell in enumerate(re.findall(r"<t[dh].*?</t[dh]>", row)):
                if match := re.fullmatch(
                    r'<td class="figure(?: long)?">(?:<span data-room="([.0]+)">)?([^<]+)(?:</span>)?</td>',
                    cell,
                ):
                    found.setdefault((number, place), []).append((match[2], match[1] or ""))
    return list(found.values())


def behind_the_point(text):
    """How many characters stand from the point on."""
    return len(text) - text.index(".") if "." in text else 0


amounts = st.integers(-(10**27), 10**27) | st.integers(-(10**6), 10**6).map(
    lambda value: value * NANO // 1000
)


class TestFiguresBelowEachOther:
    def test_the_points_of_a_column_stand_below_each_other(self):
        pages = [page_of(statement(Log(30, seed=seed), (0, 29))) for seed in range(3)]
        for page in [*pages, *EXAMPLE_PAGES.values()]:
            columns = columns_of(page)
            assert columns
            for column in columns:
                assert len({behind_the_point(text + room) for text, room in column}) == 1
        # Not because there was nothing to align.
        assert any(room for page in pages for column in columns_of(page) for _, room in column)

    @given(st.lists(amounts, min_size=1, max_size=8))
    def test_those_of_any_amounts_do(self, nanos):
        column = figure_column(nanos)
        shown = [
            re.fullmatch(
                r'(?:<span data-room="([.0]+)">)?([^<]+)(?:</span>)?', unbroken(aligned(nano, column))
            )
            for nano in nanos
        ]
        assert {behind_the_point(found[2] + (found[1] or "")) for found in shown} == {
            max(behind_the_point(figure(nano)) for nano in nanos)
        }

    @given(amounts, st.integers(0, 9))
    def test_what_is_read_and_copied_is_the_figure_as_it_was_recorded(self, nano, digits):
        exact = format_nano(nano)
        fraction = exact.partition(".")[2]
        column = figure_column([nano, 10 ** (9 - digits)])
        text = re.sub("<[^>]+>", "", aligned(nano, column))
        assert text.replace("\u2212", "-").replace("\u202f", "") == exact
        assert column.digits == max(digits, len(fraction))

    def test_the_room_behind_a_figure_is_not_seen(self):
        assert "[data-room]::after{content:attr(data-room);visibility:hidden}" in STYLE
        assert re.search(r"\.figure\{[^}]*tabular-nums;white-space:nowrap\}", STYLE)

    @pytest.mark.parametrize(("nanos", "kind"), [
        ([-(10**6) * NANO - 123], "figure"), ([10**14 * NANO, NANO // 4], "figure long"), ([], "figure"),
    ])  # fmt: skip
    def test_only_a_column_too_wide_for_paper_may_break(self, nanos, kind):
        assert figure_column(nanos).kind == kind

    def test_it_breaks_behind_a_group_and_nowhere_else(self):
        nano = 1_234_567 * NANO + 123_456_789
        short, long = figure_column([nano]), figure_column([10**15 * NANO, nano])
        assert aligned(nano, short) == "1\u202f234\u202f567.123456789"
        assert aligned(nano, long) == "1\u202f<wbr>234\u202f<wbr>567.123456789"
        breaking = r"([^{}\n]+)\{white-space:normal(;overflow-wrap:normal)?"
        assert [*re.findall(breaking, STYLE)] == [
            (name, ";overflow-wrap:normal")
            for name in (".listing thead th", ".account .long", ".instant", ".long")
        ]
        assert STYLE.count("white-space:normal") == 4


class TestTimesBelowEachOther:
    @pytest.mark.parametrize("whole_seconds", [True, False])
    def test_each_time_of_the_table_has_six_digits_and_its_zone_in_the_head(self, whole_seconds):
        page = page_of(statement(Log(30, steady=whole_seconds), (0, 29)))
        cells = re.findall(r'<td class="instant"><time datetime="([^"]+)">([^<]+)</time></td>', page.decode())
        assert [shown for _, shown in cells] == [f"{exact[:10]} {exact[11:26]}" for exact, _ in cells]
        assert len(cells) == 29
        assert {len(shown) for _, shown in cells} == {26}
        assert all(shown.endswith(".000000") for _, shown in cells) is whole_seconds
        assert b'<th scope="col" class="instant">Recorded (UTC)</th>' in page

    def test_none_is_broken_over_two_lines_but_on_a_narrow_screen(self):
        assert re.search(r"\.instant\{[^}]*white-space:nowrap\}", STYLE)
        [narrow] = re.findall(r"@media screen and \(max-width:40rem\)\{.*\.instant\{([^}]*)\}", STYLE)
        assert narrow == "white-space:normal;overflow-wrap:normal"
        printed = STYLE.partition("@media print{")[2]
        assert not re.search(r"\.(instant|figure)[^{]*\{[^}]*white-space:normal", printed)


def test_the_pages_of_a_printout_are_numbered():
    [page] = re.findall(r"@page\{.*", STYLE)
    assert '@bottom-right{content:"Page " counter(page) " of " counter(pages);' in page
