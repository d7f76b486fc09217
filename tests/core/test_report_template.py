"""The template of the pages: its figures and its charts."""

import math
import re
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest

from counterfoil.core.encoding import canonical_json
from counterfoil.core.report.markup import figure, month_of, number, plain_time
from tests.core.logs import NANO, Log
from tests.core.reports import EXAMPLE_PAGES, LOG, PAGES, Told, page_of, seen, statement

MICROSECOND = timedelta(microseconds=1)


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
        ("2026-04-02T10:30:00.250000Z", "2026-04-02 10:30:00.250000 UTC"),
        ("2026-04-02T00:00:00.000000Z", "2026-04-02 00:00:00 UTC"),
        ("2026-04-02T10:20:00.000000Z", "2026-04-02 10:20:00 UTC"),
        ("0001-01-01T00:00:00.000001Z", "0001-01-01 00:00:00.000001 UTC"),
    ])  # fmt: skip
    def test_a_time_has_six_digits_or_is_a_whole_second(self, time, shown):
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


def curve_of(page):
    """The jumps of the curve, each the place and the new level; where it begins and ends."""
    [path] = re.findall(r'class="curve" d="([^"]+)"', page.decode())
    begin, jumps, end = re.fullmatch(r"M40 (\d+)((?:H\d+V\d+)*)H(\d+)", path).groups()
    return int(begin), [tuple(map(int, jump)) for jump in re.findall(r"H(\d+)V(\d+)", jumps)], int(end)


def ends_of_axis(page):
    [start] = re.findall(r'<text class="soft" x="40" y="\d+">([^<]+)</text>', page.decode())
    [end] = re.findall(r'<text class="soft" x="7160" y="\d+" text-anchor="end">([^<]+)</text>', page.decode())
    return start, end


class TestCharts:
    def test_the_curve_jumps_at_the_time_of_each_entry_that_changes_the_balance(self):
        log = Log(40, steady=False, seed=3)
        first, behind = (datetime.fromisoformat(time) for time in log.period(3, 39))
        low, high = (pick(entry.balance for entry in log.entries[2:39]) for pick in (min, max))
        want, before = [], None
        for entry in log.entries[2:39]:
            level = 2_060 - 1_800 * (entry.balance - low) // (high - low)
            part = Fraction(
                (datetime.fromisoformat(entry.recorded_at) - first) // MICROSECOND,
                (behind - first) // MICROSECOND,
            )
            if before not in (None, level):
                want.append((40 + math.floor(7_120 * part), level))
            before = level
        _, jumps, end = curve_of(page_of(statement(log, (3, 39))))
        places = [place for place, _ in jumps]
        assert len(jumps) >= 6
        assert len({later - earlier for earlier, later in pairwise(places)}) > 3
        assert [place for place, _ in want] == places
        assert all(abs(level - wanted) <= 1 for (_, level), (_, wanted) in zip(jumps, want, strict=True))
        assert end == 7_160

    def test_the_axis_is_the_period(self):
        assert ends_of_axis(page_of()) == tuple(map(plain_time, LOG.period(3, 9)))

    def test_the_axis_begins_at_the_opening_of_a_log_that_opens_within(self):
        period = ("2020-01-01T00:00:00.000000Z", LOG.time(9))
        page = page_of(canonical_json(LOG.statement(0, 9, "full", period=period)))
        assert ends_of_axis(page) == (plain_time(LOG.time(0)), plain_time(LOG.time(9)))
        assert plain_time(LOG.time(0)) != plain_time(period[0])

    def test_the_axis_of_a_period_that_goes_on_ends_where_it_is_complete(self):
        assert ends_of_axis(PAGES["provisional"]) == (plain_time(LOG.time(9)), plain_time(LOG.time(11)))

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
            "Opening balance 0. Plus credits 500. Less debits 12.5. Closing balance 487.5. All in \u201ccredits\u201d."
            in text
        )
        assert (
            "From 2026-05-01 00:00:00 UTC to 2026-06-01 00:00:00 UTC the balance goes from 487.5 to 490, over 1 delta."
            in seen(EXAMPLE_PAGES["statement-may"])
        )

    @pytest.mark.parametrize("mode", ["full", "light"])
    @pytest.mark.parametrize("period", [(0, 0), (4, 4), (0, 1), (5, 6), (11, 12)])
    def test_there_is_none_of_a_period_without_deltas(self, period, mode):
        page = page_of(statement(period=period, mode=mode), allow_provisional=True)
        assert "What it adds up to0 deltas" in seen(page)
        assert b"<svg" not in page

    @pytest.mark.parametrize("mode", ["full", "light"])
    def test_there_is_one_of_a_period_whose_deltas_cancel_out(self, mode):
        page = page_of(statement(Told(NANO, -NANO, None), (1, 3), mode))
        assert b"<svg" in page

    def test_a_bar_of_nothing_has_no_width(self):
        page = page_of(statement(Log(4), (1, 2), "light"))
        opening, *_ = numbers(RECT, page)
        assert opening[2] == 0
