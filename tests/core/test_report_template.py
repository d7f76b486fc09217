"""The template of the pages: its figures, its charts, and that a version stays what it was."""

import hashlib
import re
from itertools import pairwise

import pytest

from counterfoil.core.report import REPORT_START
from counterfoil.core.report.markup import figure, month_of, number, plain_time
from tests.core.logs import Log
from tests.core.reports import EXAMPLE_PAGES, LOG, PAGES, page_of, seen, statement

# SHA-256 of the pages of the worked example.  Pages of version 1 are in people's hands: where one of these changes, the
# template is another, and REPORT_VERSION has to be, too.
VERSION_1 = {
    "receipt-2": "0507e89e6d56cc2baea979079281544d46a56ca91c9f2b94580b663cbc505ccb",
    "receipt-4": "42be5da6881dbe2b04ff3674d78daf29ff227526b8637d5e5db74ec95761b0fd",
    "statement-april": "57e4ac65850d1559810f8e1023b8e6a19ec92668f24dc9bc769f57e8da4083a0",
    "statement-may": "ccc7f86439a28c63c606acddd392f7a5a224f61f51145de56b286cbef3bbf4f1",
}


@pytest.mark.parametrize("name", EXAMPLE_PAGES)
def test_the_pages_of_version_1_are_what_they_were(name):
    assert EXAMPLE_PAGES[name].startswith(REPORT_START + b"1 -->\n")
    assert hashlib.sha256(EXAMPLE_PAGES[name]).hexdigest() == VERSION_1[name]


class TestFigures:
    @pytest.mark.parametrize(("nano", "shown"), [
        (0, "0"), (1, "0.000000001"), (-12_500_000_000, "\u221212.5"), (9_999 * 10**9, "9999"), (12_500 * 10**9, "12\u202f500"),
        (-1_234_567_250_000_000, "\u22121\u202f234\u202f567.25"),
        (10**36, "1" + "\u202f000" * 9),
    ])  # fmt: skip
    def test_a_figure_is_exact_and_in_groups(self, nano, shown):
        assert figure(nano) == shown

    def test_an_index_is_in_groups(self):
        assert (number(0), number(4_096), number(2**63 - 1)) == (
            "0", "4096", "9\u202f223\u202f372\u202f036\u202f854\u202f775\u202f807",
        )  # fmt: skip

    @pytest.mark.parametrize(("time", "shown"), [
        ("2026-04-02T10:30:00.250000Z", "2026-04-02 10:30:00.25 UTC"),
        ("2026-04-02T00:00:00.000000Z", "2026-04-02 00:00:00 UTC"),
        ("2026-04-02T10:20:00.000000Z", "2026-04-02 10:20:00 UTC"),
        ("0001-01-01T00:00:00.000001Z", "0001-01-01 00:00:00.000001 UTC"),
    ])  # fmt: skip
    def test_a_time_is_exact_without_zeros_that_say_nothing(self, time, shown):
        assert plain_time(time) == shown

    @pytest.mark.parametrize(("start", "end", "month"), [
        ("2026-04-01T00:00:00.000000Z", "2026-05-01T00:00:00.000000Z", "April 2026"),
        ("2025-12-01T00:00:00.000000Z", "2026-01-01T00:00:00.000000Z", "December 2025"),
        ("2024-02-01T00:00:00.000000Z", "2024-03-01T00:00:00.000000Z", "February 2024"),
        ("2026-04-01T00:00:00.000000Z", "2026-06-01T00:00:00.000000Z", None),
        ("2026-04-02T00:00:00.000000Z", "2026-05-01T00:00:00.000000Z", None),
        ("2026-04-01T00:00:00.000001Z", "2026-05-01T00:00:00.000000Z", None),
        ("2026-04-01T00:00:00.000000Z", "2026-04-30T23:59:59.999999Z", None),
    ])  # fmt: skip
    def test_a_month_is_called_by_its_name(self, start, end, month):
        assert month_of(start, end) == month


def numbers(pattern, page):
    return [tuple(map(int, found)) for found in re.findall(pattern, page.decode())]


RECT = r'<rect class="[a-z]+" x="(\d+)" y="(\d+)" width="(\d+)" height="\d+"/>'


class TestCharts:
    def test_the_curve_jumps_once_for_each_entry_that_changes_the_balance(self):
        [path] = re.findall(r'class="curve" d="([^"]+)"', page_of().decode())
        balances = [entry.balance for entry in LOG.entries[2:9]]
        levels = [int(found) for found in re.findall(r"(?<= |V)\d+", path)]
        jumps = [balance for before, balance in pairwise(balances) if before != balance]
        assert path.count("V") <= len(jumps)
        assert path.count("H") == 6
        high, low = max(balances), min(balances)
        assert (min(levels), max(levels)) == (260, 2_060)
        assert levels[0] == 2_060 - 1_800 * (balances[0] - low) // (high - low)
        assert levels[-1] == 2_060 - 1_800 * (balances[-1] - low) // (high - low)

    def test_the_bars_lead_from_the_opening_to_the_closing_balance(self):
        page = EXAMPLE_PAGES["statement-april"]
        opening, credit, debit, closing = numbers(RECT, page)
        assert opening[2] == 0
        assert (credit[0], credit[0] + credit[2]) == (40, 7_160)
        assert debit[0] + debit[2] == 7_160
        assert closing[0] == 40
        assert closing[0] + closing[2] == debit[0]

    def test_a_balance_that_goes_below_nothing_has_a_line_there(self):
        balances = [entry.balance for entry in LOG.entries[2:9]]
        crosses = min(balances) < 0 < max(balances)
        assert (b'class="zero"' in page_of()) is crosses

    def test_what_a_chart_shows_is_said_in_words(self):
        text = seen(EXAMPLE_PAGES["statement-april"])
        assert (
            "Opening balance 0 credits. Credits 500 credits. Debits \u221212.5 credits. Closing balance 487.5 credits."
            in text
        )
        assert "The balance goes from 487.5 to 490 credits over 2 entries." in seen(
            EXAMPLE_PAGES["statement-may"]
        )

    def test_a_period_without_entries_has_a_level_line_and_no_bars_where_there_is_nothing(self):
        assert b'd="M40 1160H7160"' in PAGES["empty"]
        log = Log(4)
        page = page_of(statement(log, (0, 0), "light"))
        assert [width for _, _, width in numbers(RECT, page)] == [0, 0, 0, 0]
