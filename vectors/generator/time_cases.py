"""Times: UTC with six decimals, one spelling each."""

from __future__ import annotations

from generator.model import Maker, Topic

_MAKER = Maker("time", "conventions.md")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_ACCEPTED = [
    ("epoch", "the beginning of 1970", "1970-01-01T00:00:00.000000Z"),
    ("example", "a time of the worked example", "2026-04-01T09:00:00.000001Z"),
    ("month-end", "the last microsecond of a month", "2026-04-30T23:59:59.999999Z"),
    ("before-epoch", "one microsecond before 1970", "1969-12-31T23:59:59.999999Z"),
    ("first", "the first instant of year 1", "0001-01-01T00:00:00.000000Z"),
    ("last", "the last microsecond of year 9999", "9999-12-31T23:59:59.999999Z"),
    ("evening", "nine in the evening", "2026-04-01T21:00:00.000000Z"),
    ("leap-day", "29 February of a leap year", "2024-02-29T12:00:00.000000Z"),
    ("leap-day-2000", "29 February of a century that 400 divides", "2000-02-29T00:00:00.000000Z"),
    ("gregorian-before-1582", "a day before the calendar was introduced", "1500-03-01T00:00:00.000000Z"),
    ("beyond-32-bits", "after the end of 32-bit seconds", "2038-01-19T03:14:08.000000Z"),
]

_REFUSED = [
    ("empty", "nothing", ""),
    ("february-30", "30 February", "2024-02-30T00:00:00.000000Z"),
    ("february-29", "29 February of a common year", "2023-02-29T00:00:00.000000Z"),
    ("february-29-1900", "29 February of a century that 400 does not divide", "1900-02-29T00:00:00.000000Z"),
    ("april-31", "31 April", "2026-04-31T00:00:00.000000Z"),
    ("day-0", "day 0", "2026-04-00T00:00:00.000000Z"),
    ("day-32", "day 32", "2026-01-32T00:00:00.000000Z"),
    ("month-0", "month 0", "2026-00-01T00:00:00.000000Z"),
    ("month-13", "month 13", "2026-13-01T00:00:00.000000Z"),
    ("hour-24", "24 o'clock, which ISO 8601 allows", "2026-04-01T24:00:00.000000Z"),
    ("minute-60", "minute 60", "2026-04-01T09:60:00.000000Z"),
    ("leap-second", "a leap second that there was", "2016-12-31T23:59:60.000000Z"),
    ("second-61", "second 61", "2026-04-01T09:00:61.000000Z"),
    ("year-0", "year 0000", "0000-01-01T00:00:00.000000Z"),
    ("year-10000", "a year of five digits", "10000-01-01T00:00:00.000000Z"),
    ("year-signed", "a year with a sign", "+2026-04-01T09:00:00.000000Z"),
    ("year-negative", "a negative year", "-0001-01-01T00:00:00.000000Z"),
    ("year-two-digits", "a year of two digits", "26-04-01T09:00:00.000000Z"),
    ("no-decimals", "no decimals", "2026-04-01T09:00:00Z"),
    ("decimals-0", "a point and no decimals", "2026-04-01T09:00:00.Z"),
    ("decimals-3", "milliseconds", "2026-04-01T09:00:00.000Z"),
    ("decimals-5", "five decimals", "2026-04-01T09:00:00.00000Z"),
    ("decimals-7", "seven decimals", "2026-04-01T09:00:00.0000000Z"),
    ("decimals-9", "nanoseconds", "2026-04-01T09:00:00.000000000Z"),
    ("decimal-comma", "a comma before the decimals", "2026-04-01T09:00:00,000000Z"),
    ("offset-zero", "UTC as an offset", "2026-04-01T09:00:00.000000+00:00"),
    ("offset-minus-zero", "UTC as a negative offset", "2026-04-01T09:00:00.000000-00:00"),
    ("offset", "a local time with its offset", "2026-04-01T11:00:00.000000+02:00"),
    ("no-zone", "no zone", "2026-04-01T09:00:00.000000"),
    ("zone-name", "a zone by name", "2026-04-01T09:00:00.000000UTC"),
    ("zone-twice", "the zone twice", "2026-04-01T09:00:00.000000ZZ"),
    ("zone-behind-space", "a space before the zone", "2026-04-01T09:00:00.000000 Z"),
    ("lower-z", "lower-case z", "2026-04-01T09:00:00.000000z"),
    ("lower-t", "lower-case t", "2026-04-01t09:00:00.000000Z"),
    ("space-for-t", "a space between date and time", "2026-04-01 09:00:00.000000Z"),
    (
        "x-for-t",
        "another letter between date and time, which one standard library takes",
        "2026-04-01x09:00:00.000000Z",
    ),
    ("no-seconds", "no seconds", "2026-04-01T09:00Z"),
    ("date-only", "a date alone", "2026-04-01"),
    ("time-only", "a time alone", "09:00:00.000000Z"),
    ("week-date", "a week date", "2026-W14-3T09:00:00.000000Z"),
    ("ordinal-date", "an ordinal date", "2026-091T09:00:00.000000Z"),
    ("basic-format", "the basic format of ISO 8601", "20260401T090000.000000Z"),
    ("one-digit-month", "a month of one digit", "2026-4-01T09:00:00.000000Z"),
    ("one-digit-hour", "an hour of one digit", "2026-04-01T9:00:00.000000Z"),
    ("slashes", "slashes in the date", "2026/04/01T09:00:00.000000Z"),
    ("epoch-seconds", "seconds since 1970", "1775034000"),
    ("newline-end", "a newline behind the time", "2026-04-01T09:00:00.000000Z\n"),
    ("space-first", "a space before the time", " 2026-04-01T09:00:00.000000Z"),
    (
        "space-inside",
        "a space in place of a digit, which some scanners read as zero",
        "2026-04-01T09:00:00. 00000Z",
    ),
    (
        "plus-inside",
        "a sign in place of a digit, which some readers of numbers take",
        "2026-04-01T09:00:00.+00000Z",
    ),
    ("underscore-inside", "an underscore between digits", "2026-04-01T09:00:00.00_000Z"),
    ("full-width", "a full-width digit", "\uff12026-04-01T09:00:00.000000Z"),
    ("arabic-indic", "Arabic-Indic digits in the day", "2026-04-\u0660\u0661T09:00:00.000000Z"),
    ("minus-sign-unicode", "U+2010 HYPHEN in the date", "2026\u201004\u201001T09:00:00.000000Z"),
    ("bom", "U+FEFF before the time", "\ufeff2026-04-01T09:00:00.000000Z"),
    ("nul", "U+0000 behind the time", "2026-04-01T09:00:00.000000Z\0"),
]


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _microseconds(text: str) -> int:
    """Count the days from 1 January of year 1 one year and one month at a time."""
    year, month, day = int(text[0:4]), int(text[5:7]), int(text[8:10])
    days = sum(366 if _is_leap(y) else 365 for y in range(1, year))
    days += sum(_DAYS[m - 1] for m in range(1, month)) + (1 if month > 2 and _is_leap(year) else 0)  # noqa: PLR2004  -- February
    days += day - 1
    days_to_1970 = sum(366 if _is_leap(y) else 365 for y in range(1, 1970))
    seconds = (
        (days - days_to_1970) * 86400 + int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
    )
    return seconds * 10**6 + int(text[20:26])


TOPIC = Topic(
    "time",
    "Times: `2026-04-01T09:00:00.000000Z`, UTC with six decimals, a real instant of the years 0001 to 9999. "
    "The output is the number of microseconds since 1970, negative before.",
    [
        *(
            _MAKER.accept(slug, comment, "time", {"text": text}, {"microseconds": str(_microseconds(text))})
            for slug, comment, text in _ACCEPTED
        ),
        *(
            _MAKER.refuse(slug, comment, "time", {"text": text}, "malformed")
            for slug, comment, text in _REFUSED
        ),
    ],
)
