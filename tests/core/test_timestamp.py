"""Times: UTC microseconds with one spelling, held against the standard library's calendar."""

# ruff: noqa: RUF001  -- other spellings of digits are what is refused

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.timestamp import (
    check_instant,
    format_time,
    is_date,
    month_end,
    parse_time,
    parse_time_or_date,
    read_time,
    to_microseconds,
    to_span,
)
from tests.core.common import code_of
from tests.support import refused

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
INSTANTS = st.datetimes(timezones=st.just(UTC))
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def spelled(instant):
    """The one spelling, written by hand: strftime does not pad the year everywhere."""
    i = instant
    return f"{i.year:04}-{i.month:02}-{i.day:02}T{i.hour:02}:{i.minute:02}:{i.second:02}.{i.microsecond:06}Z"


class TestEvidence:
    @given(INSTANTS)
    def test_a_time_is_read_back_and_counts_microseconds(self, instant):
        text = spelled(instant)
        microseconds = (instant - EPOCH) // MICROSECOND
        assert parse_time(text) == to_microseconds(text) == microseconds
        assert format_time(microseconds) == text
        check_instant(text)

    @given(INSTANTS, INSTANTS)
    def test_times_compare_as_their_texts_do(self, one, other):
        assert (spelled(one) < spelled(other)) == (parse_time(spelled(one)) < parse_time(spelled(other)))

    @pytest.mark.parametrize(("text", "microseconds"), [
        ("1970-01-01T00:00:00.000000Z", 0), ("1969-12-31T23:59:59.999999Z", -1),
        ("2026-04-02T10:30:00.250000Z", 1_775_125_800_250_000),
        ("2000-02-29T00:00:00.000000Z", 951_782_400_000_000),
        ("0001-01-01T00:00:00.000000Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ])  # fmt: skip
    def test_known_instants(self, text, microseconds):
        assert parse_time(text) == microseconds
        assert format_time(microseconds) == text

    def test_exactly_the_days_of_the_calendar_are_days(self):
        count = 0
        for year in (1, 1900, 1999, 2000, 2024, 2026, 2100, 9999):
            for month in range(14):
                for day in range(33):
                    text = f"{year:04}-{month:02}-{day:02}T00:00:00.000000Z"
                    try:
                        datetime(year, month, day, tzinfo=UTC)
                        is_day = True
                    except ValueError:
                        is_day = False
                    assert (
                        code_of(parse_time, text)
                        == code_of(check_instant, text)
                        == ("ok" if is_day else "malformed")
                    )
                    count += is_day
        assert count == 6 * 365 + 2 * 366

    @pytest.mark.parametrize("text", [
        "", "2026-04-02", "2026-04-02T10:30:00Z", "2026-04-02T10:30:00.25Z", "2026-04-02T10:30:00.2500000Z",
        "2026-04-02T10:30:00.250000", "2026-04-02T10:30:00.250000+00:00", "2026-04-02T10:30:00.250000z",
        "2026-04-02t10:30:00.250000Z", "2026-04-02 10:30:00.250000Z", " 2026-04-02T10:30:00.250000Z",
        "2026-04-02T10:30:00.250000Z\n", "2026-04-02T10:30:00,250000Z", "2026-04-02T24:00:00.000000Z",
        "2026-04-02T23:60:00.000000Z", "2026-04-02T23:59:60.000000Z", "2026-04-02T25:00:00.000000Z",
        "0000-01-01T00:00:00.000000Z", "10000-01-01T00:00:00.000000Z", "-001-01-01T00:00:00.000000Z",
        "26-04-02T10:30:00.250000Z",
        "2026-4-02T10:30:00.250000Z", "2026-W14-4T10:30:00.250000Z", "20260402T103000.250000Z",
        "２026-04-02T10:30:00.250000Z", "٢026-04-02T10:30:00.250000Z", "2026-04-02T10:30:00.25000٠Z",
        "2026-02-29T00:00:00.000000Z",
        "2026-04-31T00:00:00.000000Z", "2026-13-01T00:00:00.000000Z", "2026-00-01T00:00:00.000000Z",
        "2026-01-00T00:00:00.000000Z", "2026-04-02T10:30:00.250000Z\x00", "9" * 100_000,
    ], ids=lambda text: ascii(text)[:34])  # fmt: skip
    def test_other_spellings_are_malformed(self, text):
        with refused("malformed"):
            parse_time(text)

    @pytest.mark.parametrize(
        "microseconds", [-62_135_596_800_000_001, 253_402_300_800_000_000, 2**63, -(2**63), 10**30]
    )
    def test_outside_the_calendar_nothing_is_written(self, microseconds):
        with pytest.raises(OverflowError):
            format_time(microseconds)


class TestDates:
    @given(st.dates())
    def test_a_date_is_all_instants_of_its_day(self, day):
        text = f"{day.year:04}-{day.month:02}-{day.day:02}"
        first, last = parse_time_or_date(text)
        assert format_time(first) == f"{text}T00:00:00.000000Z"
        assert format_time(last) == f"{text}T23:59:59.999999Z"
        assert to_span(text) == (first, last)
        assert is_date(text)

    @given(INSTANTS)
    def test_a_time_is_one_instant(self, instant):
        text = spelled(instant)
        assert parse_time_or_date(text) == to_span(text) == (parse_time(text), parse_time(text))
        assert not is_date(text)

    @pytest.mark.parametrize("text", [
        "", "2026-04", "2026-4-02", "2026-02-30", "0000-01-01", "2026-04-02Z", " 2026-04-02", "2026-04-02\n", "2026/04/02",
        "02.04.2026", "２026-04-02", "2026-04-02T10:30:00Z",
    ], ids=ascii)  # fmt: skip
    def test_other_spellings_of_either_are_malformed(self, text):
        with refused("malformed"):
            parse_time_or_date(text)


class TestMonthEnd:
    @pytest.mark.parametrize(("time", "end"), [
        ("2026-04-01T00:00:00.000000Z", "2026-05-01T00:00:00.000000Z"),
        ("2026-04-30T23:59:59.999999Z", "2026-05-01T00:00:00.000000Z"),
        ("2026-05-01T00:00:00.000000Z", "2026-06-01T00:00:00.000000Z"),
        ("2026-12-31T23:59:59.999999Z", "2027-01-01T00:00:00.000000Z"),
        ("2026-02-28T23:59:59.999999Z", "2026-03-01T00:00:00.000000Z"),
        ("2024-02-28T23:59:59.999999Z", "2024-03-01T00:00:00.000000Z"),
        ("2024-02-29T00:00:00.000000Z", "2024-03-01T00:00:00.000000Z"),
        ("1900-02-28T12:00:00.000000Z", "1900-03-01T00:00:00.000000Z"),
        ("2000-02-29T12:00:00.000000Z", "2000-03-01T00:00:00.000000Z"),
        ("1970-01-01T00:00:00.000000Z", "1970-02-01T00:00:00.000000Z"),
        ("1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00.000000Z"),
        ("0001-01-01T00:00:00.000000Z", "0001-02-01T00:00:00.000000Z"),
        ("9999-11-30T23:59:59.999999Z", "9999-12-01T00:00:00.000000Z"),
    ])  # fmt: skip
    def test_it_is_the_first_instant_of_the_next_month(self, time, end):
        assert month_end(parse_time(time)) == parse_time(end)

    @pytest.mark.parametrize("time", ["9999-12-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"])
    def test_the_last_month_of_all_ends_too(self, time):
        assert month_end(parse_time(time)) == parse_time("9999-12-31T23:59:59.999999Z") + 1

    @given(INSTANTS)
    def test_the_instant_before_lies_in_the_month_and_the_end_does_not(self, instant):
        time = (instant - EPOCH) // MICROSECOND
        end = month_end(time)
        assert time < end
        assert format_time(end - 1)[:7] == format_time(time)[:7]
        assert format_time(end - 1).endswith("T23:59:59.999999Z")
        if (instant.year, instant.month) != (9999, 12):
            following = instant.year * 12 + instant.month
            assert format_time(end) == f"{following // 12:04}-{following % 12 + 1:02}-01T00:00:00.000000Z"
            assert month_end(end) > end

    @given(INSTANTS, INSTANTS)
    def test_two_times_of_one_month_have_one_end_and_later_months_end_later(self, one, other):
        ends = [month_end((instant - EPOCH) // MICROSECOND) for instant in (one, other)]
        months = [(instant.year, instant.month) for instant in (one, other)]
        assert (ends[0] == ends[1]) == (months[0] == months[1])
        assert (ends[0] < ends[1]) == (months[0] < months[1])


class TestInput:
    @given(INSTANTS, OFFSETS, st.sampled_from(["T", "t", " "]), st.integers(0, 6), st.integers(0, 8))
    def test_any_offset_and_precision_is_brought_to_utc_microseconds(
        self, instant, offset, separator, digits, zeros
    ):
        instant = instant.replace(microsecond=instant.microsecond // 10 ** (6 - digits) * 10 ** (6 - digits))
        try:
            local = instant.astimezone(offset)
        except OverflowError:
            return
        fraction = f"{local.microsecond:06}"[:digits] + "0" * zeros
        minutes = int(offset.utcoffset(None).total_seconds()) // 60
        zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
        text = f"{spelled(local)[:10]}{separator}{spelled(local)[11:19]}{'.' + fraction if fraction else ''}{zone}"
        if len(text) <= 40:
            assert read_time(text) == spelled(instant)
        else:
            with refused("invalid-field", field="effectiveAt"):
                read_time(text)

    @pytest.mark.parametrize(("text", "time"), [
        ("2026-04-02", "2026-04-02T00:00:00.000000Z"),
        ("2026-04-02T10:30:00Z", "2026-04-02T10:30:00.000000Z"),
        ("2026-04-02t10:30:00.25z", "2026-04-02T10:30:00.250000Z"),
        ("2026-04-02 10:30:00+02:00", "2026-04-02T08:30:00.000000Z"),
        ("2026-04-02T10:30:00-00:00", "2026-04-02T10:30:00.000000Z"),
        ("2026-04-02T00:00:00+23:59", "2026-04-01T00:01:00.000000Z"),
        ("2026-04-02T10:30:00.123456000Z", "2026-04-02T10:30:00.123456Z"),
        ("0001-01-01", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ])  # fmt: skip
    def test_rfc_3339_and_plain_dates_are_taken(self, text, time):
        assert read_time(text) == time
        assert parse_time(read_time(text)) == parse_time(time)

    @pytest.mark.parametrize("text", [
        "", "now", "2026", "2026-04", "20260402", "2026-W14-4", "2026-092", "2026-04-02T10:30Z",
        "2026-04-02T10Z", "2026-04-02T10:30:00", "2026-04-02T10:30:00.Z", "2026-04-02T10:30:00,5Z",
        "2026-04-02T10:30:00+0200", "2026-04-02T10:30:00+02", "2026-04-02T10:30:00 +02:00",
        "2026-04-02T10:30:00UTC", "2026-04-02Z", "2026-04-02+02:00", " 2026-04-02", "2026-04-02 ",
        "2026-04-02\n", "2026-04-02T10:30:00Z\n",
        "2026-02-29", "2026-04-31", "0000-01-01", "2026-13-01", "10000-01-01", "2026-04-02T24:00:00Z",
        "2026-04-02T23:59:60Z", "2026-04-02T23:60:00Z", "2026-04-02T25:00:00Z",
        # Offsets that datetime.fromisoformat would take.
        "2026-04-02T10:30:00+10:60", "2026-04-02T10:30:00+00:99", "2026-04-02T10:30:00+24:00",
        "2026-04-02T10:30:00-24:00", "2026-04-02T10:30:00+99:99", "2026-04-02T10:30:00+02:00:30",
        "2026-04-02T10:30:00.1234567Z", "2026-04-02T10:30:00.0000001Z",
        "2026-04-02T10:30:00." + "0" * 21 + "Z", "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999999-00:01", "２026-04-02", "٢٠٢٦-٠٤-٠٢", "1" * 1_000_000,
    ], ids=lambda text: ascii(text)[:34])  # fmt: skip
    def test_anything_else_is_an_invalid_field(self, text):
        with refused("invalid-field", field="effectiveAt"):
            read_time(text)

    @pytest.mark.parametrize(
        "value", [None, 0, 1.5, True, b"2026-04-02", datetime(2026, 4, 2, tzinfo=UTC), ["2026-04-02"], {}]
    )
    def test_other_types_are_invalid_fields(self, value):
        with refused("invalid-field", field="effectiveAt"):
            read_time(value)

    @given(
        st.text(max_size=45)
        | st.from_regex(
            r"[0-9]{4}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,8})?(Z|[+-][0-2][0-9]:[0-9]{2}))?",
            fullmatch=True,
        )
    )
    def test_any_text_is_read_or_an_invalid_field(self, text):
        code = code_of(read_time, text)
        assert code in ("ok", "invalid-field")
        if code == "ok":
            assert format_time(parse_time(read_time(text))) == read_time(text)
