"""`statements`: a period of many customers, a file each: what finance hands out at the end of a month.

Source: docs/spec/statement.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from counterfoil.cli.context import Place, customers_options, open_engine, place_options
from counterfoil.cli.files import make_folder, write_output
from counterfoil.cli.output import Progress, hint, plural, say, worst
from counterfoil.cli.periods import period_options
from counterfoil.cli.statement_index import StatementIndex
from counterfoil.core.report import format_report
from counterfoil.core.timestamp import to_microseconds
from counterfoil.engine.clock import HostClock
from counterfoil.engine.closing import require_begun
from counterfoil.engine.engine import Engine
from counterfoil.engine.windows import Window
from counterfoil.errors import CounterfoilError, EngineError


@click.command(
    epilog="\b\nExamples:\n  counterfoil statements --all --period 2026-04 -o 2026-04\n"
    "  counterfoil statements cust_001 cust_002 --period 2026-04 --full --html -o 2026-04",
)
@customers_options("Every customer whose log begins before the period ends.")
@period_options
@click.option(
    "--full", is_flag=True, help="With every entry of the period, not the first and the last alone."
)
@click.option("--html", "pages", is_flag=True, help="Write each as a page for people too.")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    required=True,
    help="Write DIR/CUSTOMER_REFERENCE.json, one a customer, and DIR/statements.csv.",
)
@place_options
def statements(
    place: Place,
    customers: Sequence[str] | None,
    *,
    window: Window,
    output: str,
    full: bool,
    pages: bool,
) -> None:
    """Make the statements of a period of customers.

    Each is what `counterfoil statement` makes; the table statements.csv says whose each file is, and what it adds up to. What is refused of one customer is said, and the others are made.
    """
    written = provisional = 0
    refusals: list[CounterfoilError] = []
    with open_engine(place) as engine, Progress("statements", "customers") as progress:
        keys, now = engine.operator.keys, HostClock()()
        require_begun(window, now)
        folder = Path(output)
        index = StatementIndex(folder)
        for name, log in progress.over(_logs(engine, customers, window)):
            try:
                stated = engine.log_statement(log, window, now=now, full=full)
                path = make_folder(folder) / f"0x{log.hex()}.json"
                write_output(path, stated.document)
                if pages:
                    page = format_report(stated.document, keys, allow_provisional=True)
                    write_output(path.with_suffix(".html"), page)
            except CounterfoilError as error:
                say(f"refused  {name}  {error.code}: {error.message}")
                refusals.append(error)
                continue
            index.take(name, f"0x{log.hex()}", path.name, stated)
            written += 1
            provisional += not stated.is_final
    if customers is None and not written and not refusals:
        raise EngineError("nothing-checked", "no customer's log begins before the end of the period")
    if written:
        index.write()
    say(f"{plural(written, 'statement')} in {output}, {len(refusals):,} refused")
    if provisional:
        hint(f"the period goes on: {plural(provisional, 'statement')} verified with --allow-provisional")
    if (refusal := worst(refusals, passed=written)) is not None:
        raise refusal


def _logs(engine: Engine, customers: Sequence[str] | None, window: Window) -> Iterator[tuple[str, bytes]]:
    """Yield name and log of the customers that were named, or of all whose logs begin before the end of the period."""
    if customers is not None:
        yield from ((customer, engine.log_of(customer)) for customer in dict.fromkeys(customers))
        return
    for record in engine.customers():
        if isinstance(record, CounterfoilError):
            # Its record does not read; its statement says why, or does without what is damaged.
            reference = str(record.facts["log"])
            yield reference, bytes.fromhex(reference.removeprefix("0x"))
        elif to_microseconds(record.opened_at) < window.end:
            yield record.customer_id or f"0x{record.log.hex()}", record.log
