"""`statement`: what a period of a customer's log adds up to, as a file that anybody can verify.

Source: docs/spec/statement.md.
"""

from __future__ import annotations

from pathlib import Path

import click

from counterfoil.cli.context import Place, check_output, open_engine, place_options
from counterfoil.cli.files import write_output
from counterfoil.cli.output import escape_json, hint, put
from counterfoil.core.timestamp import read_time, to_microseconds
from counterfoil.engine.clock import HostClock
from counterfoil.engine.windows import Window, parse_month
from counterfoil.errors import EngineError


@click.command(
    epilog="\b\nExamples:\n  counterfoil statement cust_001 --period 2026-04 -o april.json\n"
    "  counterfoil statement cust_001 --from 2026-01-01 --to 2026-04-01 --full -o quarter.json",
)
@click.argument("customer")
@click.option("--period", metavar="YYYY-MM", help="A UTC month.")
@click.option("--from", "start", metavar="T", help="The first instant of another period.")
@click.option("--to", "end", metavar="T", help="The first instant behind it.")
@click.option(
    "--full", is_flag=True, help="With every entry of the period, not the first and the last alone."
)
@click.option("-o", "--output", metavar="FILE", help="Write it there instead of standard output.")
@place_options
def statement(
    place: Place,
    customer: str,
    *,
    period: str | None,
    start: str | None,
    end: str | None,
    output: str | None,
    full: bool,
) -> None:
    """Make the statement of a period.

    It proves offline and for ever that nothing of the period is missing, and what it adds up to. A period that is over is closed first, by a checkpoint.
    """
    window = _window(period, start, end)
    with open_engine(place) as engine:
        stated = engine.statement(customer, window, now=HostClock()(), full=full)
    if output is None:
        put(escape_json(stated.document.decode("utf-8")).encode("utf-8") + b"\n")
    else:
        check_output(place, Path(output))
        write_output(Path(output), stated.document)
    if not stated.is_final:
        hint(
            f"the period goes on: it is complete through {stated.sealed_at}, and verified with --allow-provisional"
        )


def _window(period: str | None, start: str | None, end: str | None) -> Window:
    if period is not None and start is None and end is None:
        return parse_month(period)
    if period is not None or start is None or end is None:
        raise click.UsageError("name a month with --period, or another period with --from and --to")
    window = Window(
        to_microseconds(read_time(start, field="from")), to_microseconds(read_time(end, field="to"))
    )
    if window.start >= window.end:
        raise EngineError("invalid-field", "the period ends before it begins", field="to")
    return window
