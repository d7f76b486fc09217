"""Windows of time: UTC months, the last so many months, and any other `[start, end)`.

A window holds the instants from its start up to, and without, its end: an instant on the boundary of two months belongs
to the later one.  Instants are microseconds since 1970-01-01T00:00:00Z.

Source: docs/api/customer-record.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple, get_args

from counterfoil.core.encoding import excerpt
from counterfoil.core.timestamp import MICROSECONDS, format_time, month_end, read_time, to_microseconds
from counterfoil.errors import EngineError
from counterfoil.limits import SCOPE_DAYS_MAX, SCOPE_MONTHS_MAX

Granularity = Literal["day", "week", "month"]
GRANULARITIES: Final = get_args(Granularity)

# Presets that end with the current month -> how many months they have.
_MONTHS_OF: Final = {"current_month": 1, "last_3_months": 3, "last_12_months": 12, "last_24_months": 24}
_PREVIOUS: Final = "previous_month"
_CUSTOM: Final = "custom"
TIME_PRESETS: Final = (*_MONTHS_OF, _PREVIOUS, _CUSTOM)

_MONTH: Final = re.compile(r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400 * MICROSECONDS
# 1970-01-01 was a Thursday; weeks begin on Mondays (ISO 8601).
_FIRST_MONDAY: Final = 4 * _DAY
_WEEK: Final = 7 * _DAY


class Window(NamedTuple):
    """`[start, end)`, in microseconds."""

    start: int
    end: int


def month_of(time: int) -> str:
    """Return the UTC month of an instant, `2026-04`."""
    return (_EPOCH + timedelta(microseconds=time)).strftime("%Y-%m").rjust(7, "0")


def parse_month(text: str) -> Window:
    """Read a month, `2026-04`.

    Raises:
        EngineError: `invalid-field`.
    """
    if not isinstance(text, str) or not _MONTH.fullmatch(text):
        raise EngineError("invalid-field", f"a period is a month, YYYY-MM: {excerpt(text)}", field="period")
    return _month_at(to_microseconds(f"{text}-01T00:00:00Z"))


def months_until(now: int, months: int) -> Window:
    """Return the window of so many months of which the last is the one of `now`.

    Raises:
        EngineError: `invalid-field`, where they reach back behind the year 1.
    """
    window = _month_at(now)
    for _ in range(months - 1):
        window = Window(_month_before(window.start).start, window.end)
    return window


def resolve_scope(
    now: int,
    *,
    period: str | None = None,
    time_preset: str | None = None,
    start_date: str | None = None,
    end_date: str | None = None,
) -> Window:
    """Return the window that a request names; the current month where it names none.

    Args:
        now: the clock.
        period: a month.
        time_preset: one of `TIME_PRESETS`.
        start_date: the first instant, RFC 3339 or a date, with `end_date` alone or with the preset `custom`.
        end_date: the first instant behind the window.

    Raises:
        EngineError: `invalid-scope-combination`, where more than one way to name a window is used, or half of one;
            `invalid-field`; `scope-too-wide`, above 24 months.
    """
    dates = start_date is not None or end_date is not None
    if period is not None and (time_preset is not None or dates):
        raise _combination("period stands alone: without timePreset, startDate and endDate")
    if time_preset is not None and time_preset not in TIME_PRESETS:
        raise EngineError(
            "invalid-field", f"timePreset is one of {', '.join(TIME_PRESETS)}", field="timePreset"
        )
    if time_preset not in (None, _CUSTOM) and dates:
        raise _combination(f"startDate and endDate go with timePreset {_CUSTOM}, or with none")
    if time_preset == _CUSTOM or dates:
        if start_date is None or end_date is None:
            raise _combination("startDate and endDate go together")
        return _custom(start_date, end_date)
    if period is not None:
        return parse_month(period)
    if time_preset == _PREVIOUS:
        return _month_before(_month_at(now).start)
    return months_until(now, _MONTHS_OF[time_preset or "current_month"])


def split(window: Window, granularity: str) -> list[Window]:
    """Cut a window into days, weeks (from Monday) or months, in UTC; the first and the last may be parts of one.

    Raises:
        EngineError: `invalid-field`, for another granularity; `scope-too-wide`, where it would be more than 366 days.
    """
    if granularity not in GRANULARITIES:
        raise EngineError(
            "invalid-field", f"granularity is one of {', '.join(GRANULARITIES)}", field="granularity"
        )
    if granularity == "day" and window.end - window.start > SCOPE_DAYS_MAX * _DAY:
        raise EngineError(
            "scope-too-wide", f"a breakdown into days has at most {SCOPE_DAYS_MAX}", field="granularity"
        )
    return list(_cut(window, granularity))


def _cut(window: Window, granularity: str) -> Iterator[Window]:
    start = window.start
    while start < window.end:
        end = min(_end_of(start, granularity), window.end)
        yield Window(start, end)
        start = end


def _end_of(time: int, granularity: str) -> int:
    if granularity == "month":
        return month_end(time)
    if granularity == "week":
        return time + _WEEK - (time - _FIRST_MONDAY) % _WEEK
    return time + _DAY - time % _DAY


def _custom(start_date: str, end_date: str) -> Window:
    start, end = _instant(start_date, "startDate"), _instant(end_date, "endDate")
    if start >= end:
        raise EngineError("invalid-field", "endDate lies behind startDate", field="endDate")
    if format_time(end) > _months_later(format_time(start), SCOPE_MONTHS_MAX):
        raise EngineError(
            "scope-too-wide", f"a window has at most {SCOPE_MONTHS_MAX} months", field="endDate"
        )
    return Window(start, end)


def _instant(text: str, field: str) -> int:
    return to_microseconds(read_time(text, field=field))


def _months_later(time: str, months: int) -> str:
    """Return a time with its month moved on; it need not be a real day, only compare as one: times do so as their texts."""
    year, month = divmod(int(time[:4]) * 12 + int(time[5:7]) - 1 + months, 12)
    # Behind the last year that a time can name, nothing is too late.
    return f"{year:04d}-{month + 1:02d}{time[7:]}" if year <= MAXYEAR else ":"


def _month_at(time: int) -> Window:
    end = month_end(time)
    return Window(to_microseconds(f"{format_time(time)[:7]}-01T00:00:00Z"), end)


def _month_before(start: int) -> Window:
    try:
        format_time(start - 1)
    except OverflowError as error:
        raise EngineError("invalid-field", "there is no month before the year 1", field="period") from error
    return _month_at(start - 1)


def _combination(why: str) -> EngineError:
    return EngineError("invalid-scope-combination", why)
