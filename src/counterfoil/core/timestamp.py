"""Times: UTC, always six decimals, `2026-04-01T09:00:00.000000Z`.

The text is of fixed width, so that times compare as their texts do.  A number of microseconds since
1970-01-01T00:00:00Z, negative before it, is what arithmetic uses.  Where somebody knows the day alone, a date,
`2026-04-01`, stands for all instants of it, in UTC.

Source: docs/spec/conventions.md.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from counterfoil.core.encoding import excerpt
from counterfoil.errors import EngineError, MalformedError
from counterfoil.limits import TIME_INPUT_CHARACTERS_MAX

MICROSECONDS: Final = 1_000_000
TIME_PATTERN: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
_TIME: Final = re.compile(TIME_PATTERN, re.ASCII)
DATE_CHARACTERS: Final = 10
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# RFC 3339, section 5.6, and a plain date.  fromisoformat alone takes an offset of 10:60, and in later versions 24:00.
_INPUT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:\.([0-9]{1,20}))?"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]))?",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY_MICROSECONDS: Final = 86_400 * MICROSECONDS


@lru_cache(maxsize=4096)
def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def check_instant(text: str) -> None:
    """Refuse text that matches `TIME_PATTERN` and yet names no day of the calendar.

    Raises:
        MalformedError: for 30 February, month 13, the year 0000.
    """
    if not _is_date(text[:10]):
        raise MalformedError(f"no such day: {excerpt(text)}")


def parse_time(text: str) -> int:
    """Read a time as evidence has it; return microseconds.

    Raises:
        MalformedError: for every other spelling, and for what is no real instant of the years 0001 to 9999.
    """
    if not _TIME.fullmatch(text):
        raise MalformedError(f"not a time: {excerpt(text)}")
    check_instant(text)
    return to_microseconds(text)


def to_microseconds(text: str) -> int:
    """Convert a time that was read already."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


def is_date(text: str) -> bool:
    """Return whether a time or a date that was read already is a date."""
    return len(text) == DATE_CHARACTERS


def parse_time_or_date(text: str) -> tuple[int, int]:
    """Read a time or a date as evidence has it; return its first and its last microsecond.

    Raises:
        MalformedError: as `parse_time`.
    """
    if not _DATE.fullmatch(text):
        instant = parse_time(text)
        return instant, instant
    check_instant(text)
    return to_span(text)


def to_span(text: str) -> tuple[int, int]:
    """Convert a time or a date that was read already to its first and its last microsecond."""
    if not is_date(text):
        instant = to_microseconds(text)
        return instant, instant
    start = to_microseconds(f"{text}T00:00:00Z")
    return start, start + _DAY_MICROSECONDS - 1


def format_time(microseconds: int) -> str:
    """Write a time.

    Raises:
        OverflowError: outside the years 0001 to 9999.
    """
    seconds, rest = divmod(microseconds, MICROSECONDS)
    return f"{_format_second(seconds)}.{rest:06d}Z"


# Entries of one batch share their second.
@lru_cache(maxsize=256)
def _format_second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def month_end(microseconds: int) -> int:
    """Return the instant at which the UTC month of a time ends and the next begins, in microseconds."""
    day = _EPOCH + timedelta(microseconds=microseconds)
    first = (datetime(day.year, day.month, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
    # Not by way of the first of the next month: the last one of all has none that can be named.
    return first + calendar.monthrange(day.year, day.month)[1] * _DAY_MICROSECONDS


def read_time(value: str, *, field: str = "effectiveAt") -> str:
    """Read a time as a sender may write it, RFC 3339 or a plain date (midnight UTC); return it as evidence has it.

    Args:
        value: the time.
        field: what the sender calls it, for the refusal.

    Raises:
        EngineError: `invalid-field` where it is no such time, or is finer than a microsecond.
    """
    if not isinstance(value, str):
        raise _invalid("a time is text", value, field)
    match = _INPUT.fullmatch(value) if len(value) <= TIME_INPUT_CHARACTERS_MAX else None
    if match is None:
        raise _invalid(
            "neither a date like 2026-10-02 nor a time with an offset like 2026-10-02T19:00:00+02:00",
            value,
            field,
        )
    day, clock, fraction, zone = match.groups()
    if clock is None:
        clock, zone = "00:00:00", "Z"
    fraction = (fraction or "").rstrip("0")
    if len(fraction) > 6:  # noqa: PLR2004  -- microseconds
        raise _invalid("a time is not finer than a microsecond", value, field)
    offset = "+00:00" if zone in "Zz" else zone
    try:
        instant = datetime.fromisoformat(f"{day}T{clock}.{fraction:0<6}{offset}")
        return format_time((instant - _EPOCH) // _MICROSECOND)
    except (ValueError, OverflowError) as error:
        raise _invalid("no such time", value, field) from error


def _invalid(why: str, value: object, field: str) -> EngineError:
    return EngineError("invalid-field", f"{why}: {excerpt(value)}", field=field)
