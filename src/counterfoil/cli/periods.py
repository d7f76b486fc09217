"""The period that a command is about: `--period`, or `--from` and `--to`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import click

from counterfoil.cli.output import hint
from counterfoil.core.timestamp import is_date, read_time, to_microseconds
from counterfoil.engine.windows import Window, month_of, parse_month
from counterfoil.errors import EngineError

_DAY: Final = 86_400_000_000


def period_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a period; it is called with a `Window` as `window`."""
    return _with_options(command, _window)


def optional_period_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the same options; it is called with None as `window` where no period is named."""
    return _with_options(command, _window_or_none)


def _with_options(
    command: Callable[..., Any], read: Callable[[str | None, str | None, str | None], Window | None]
) -> Callable[..., Any]:
    @wraps(command)
    def with_window(
        *args: Any,  # noqa: ANN401  -- passed on
        period: str | None,
        start: str | None,
        end: str | None,
        **kwargs: Any,  # noqa: ANN401  -- passed on
    ) -> Any:  # noqa: ANN401  -- passed on
        return command(*args, window=read(period, start, end), **kwargs)

    for name, parameter, metavar, words in (
        ("--to", "end", "T", "The first instant behind it: April ends with 2026-05-01."),
        (
            "--from",
            "start",
            "T",
            "The first instant of another period: a date, which begins at midnight UTC, or a time with an offset.",
        ),
        ("--period", "period", "YYYY-MM", "A UTC month."),
    ):
        with_window = click.option(name, parameter, metavar=metavar, help=words)(with_window)
    return with_window


def _window_or_none(period: str | None, start: str | None, end: str | None) -> Window | None:
    return None if period is start is end is None else _window(period, start, end)


def _window(period: str | None, start: str | None, end: str | None) -> Window:
    if period is not None and start is None and end is None:
        return parse_month(period)
    if period is not None or start is None or end is None:
        raise click.UsageError("name a month with --period, or another period with --from and --to")
    window = Window(
        to_microseconds(read_time(start, field="from")), to_microseconds(read_time(end, field="to"))
    )
    if window.start >= window.end:
        raise EngineError("invalid-field", "a period ends behind its beginning", field="to")
    if is_date(end) and month_of(window.end) != month_of(window.end + _DAY):
        # Who means a month so gets one without its last day, which no later step would notice.
        hint(f"{end} itself is not in the period, which ends as that day begins")
    return window
