"""`statement`: what a period of a customer's log adds up to, as a file that anybody can verify.

Source: docs/spec/statement.md.
"""

from __future__ import annotations

from pathlib import Path

import click

from counterfoil.cli.context import Place, check_outputs, open_engine, output_option, place_options
from counterfoil.cli.documents import PAGE_FILE, STATEMENT_FILE, TABLE_FILE
from counterfoil.cli.files import write_output
from counterfoil.cli.output import escape_json, hint, put
from counterfoil.cli.periods import period_options
from counterfoil.core.report import format_report
from counterfoil.core.statement_verify import verify_statement
from counterfoil.core.table import delta_table, deltas_of
from counterfoil.engine.clock import HostClock
from counterfoil.engine.windows import Window


@click.command(
    epilog="\b\nExamples:\n  counterfoil statement cust_001 --period 2026-04 -o april.json\n"
    "  counterfoil statement cust_001 --from 2026-01-01 --to 2026-04-01 --full -o quarter.json",
)
@click.argument("customer")
@period_options
@click.option(
    "--full", is_flag=True, help="With every entry of the period, not the first and the last alone."
)
@click.option("--csv", "table", metavar="FILE", help="Write its deltas there too, as a table; with --full.")
@click.option("--html", "page", metavar="FILE", help="Write it there too, as a page for people.")
@output_option
@place_options
def statement(
    place: Place,
    customer: str,
    *,
    window: Window,
    output: str | None,
    table: str | None,
    page: str | None,
    full: bool,
) -> None:
    """Make the statement of a period.

    It proves offline and for ever that nothing of the period is missing, and what it adds up to. A period that is over is closed first, by a checkpoint.
    """
    if table is not None and not full:
        raise click.UsageError("--csv goes with --full: a light statement has not every entry")
    check_outputs(place, (output, STATEMENT_FILE), (table, TABLE_FILE), (page, PAGE_FILE))
    with open_engine(place) as engine:
        stated = engine.statement(customer, window, now=HostClock()(), full=full)
        keys = engine.operator.keys
    # All of it is made before any of it is written, so that a refusal leaves no part of it behind.
    files: dict[str, bytes] = {}
    if table is not None:
        # Only what verifies is shown.
        verified = verify_statement(stated.document, keys, customer_id=customer, allow_provisional=True)
        files[table] = "".join(delta_table(deltas_of(verified))).encode("utf-8")
    if page is not None:
        files[page] = format_report(stated.document, keys, allow_provisional=True)
    if output is not None:
        files[output] = stated.document
    for name, data in files.items():
        write_output(Path(name), data)
    if output is None:
        put(escape_json(stated.document.decode("utf-8")).encode("utf-8") + b"\n")
    if not stated.is_final:
        hint(
            f"the period goes on: it is complete through {stated.sealed_at}, and verified with --allow-provisional"
        )
