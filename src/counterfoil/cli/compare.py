"""`compare`: a period of a customer against what the other party has of it, and the packet that proves our side.

Source: docs/spec/dispute.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from counterfoil.cli.context import Place, check_output, open_engine, place_options
from counterfoil.cli.files import open_input, write_output
from counterfoil.cli.findings import charges_named
from counterfoil.cli.output import emit, hint, json_option, plural, say
from counterfoil.cli.periods import period_options
from counterfoil.core.amount import format_nano
from counterfoil.core.compare import AMOUNT_DIFFERS, COUNTED_TWICE, MISSING_HERE, MISSING_THERE, Difference
from counterfoil.engine.charges import CHARGE_MEMBERS, read_charges
from counterfoil.engine.clock import HostClock
from counterfoil.engine.disputes import Compared
from counterfoil.engine.windows import Window
from counterfoil.errors import EngineError
from counterfoil.limits import COMPARISON_WINDOW_SECONDS_MAX

_WINDOW_SECONDS: Final = 300
_WORDS: Final = {
    MISSING_HERE: "missing here",
    MISSING_THERE: "missing there",
    AMOUNT_DIFFERS: "amount differs",
    COUNTED_TWICE: "counted twice",
}
# Differences that are shown to a person; two files of different things would differ in every row.
_SHOWN_MAX: Final = 100


@click.command(
    epilog="\b\nExamples:\n  counterfoil compare cust_001 theirs.csv --period 2026-04\n"
    "  counterfoil compare cust_001 invoice.csv --period 2026-04 --negate \\\n"
    "    --map delta=total --map referenceId=line --dispute dispute.json",
)
@click.argument("customer")
@click.argument("file")
@period_options
@click.option(
    "--map",
    "maps",
    metavar="MEMBER=COLUMN",
    multiple=True,
    help="The column that holds a member. May be repeated.",
)
@click.option("--negate", is_flag=True, help="Change the sign of every amount of the file.")
@click.option(
    "--window-seconds",
    metavar="N",
    type=click.IntRange(0, COMPARISON_WINDOW_SECONDS_MAX),
    default=_WINDOW_SECONDS,
    show_default=True,
    help="How far apart the times of one charge may be on the two sides.",
)
@click.option(
    "--dispute", metavar="FILE", help="Write the packet there that proves our side of each difference."
)
@json_option
@place_options
def compare(
    *,
    place: Place,
    customer: str,
    file: str,
    window: Window,
    maps: Sequence[str],
    negate: bool,
    window_seconds: int,
    dispute: str | None,
    as_json: bool,
) -> None:
    """Compare a period with the other party's charges.

    FILE is their CSV file, with a header; - is standard input. The members are delta, referenceId and effectiveAt. Charges are paired by reference, amount and time, and every difference is named; the differences add up to that of the totals.
    """
    columns = _columns(maps)
    with open_input(file) as stream:
        rows = read_charges(stream, columns, negate=negate)
    if dispute is not None:
        check_output(place, Path(dispute))
    with open_engine(place) as engine:
        found = engine.compare(customer, window, rows, now=HostClock()(), window_seconds=window_seconds)
    if dispute is not None:
        write_output(Path(dispute), found.packet)
    _tell(found, len(rows), as_json=as_json)
    if (through := found.statement.provisional_through) is not None:
        hint(f"the period goes on: ours is complete through {through}")


def _columns(maps: Sequence[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for text in maps:
        member, sign, column = text.partition("=")
        if not sign or not column or member not in CHARGE_MEMBERS:
            raise EngineError(
                "usage", f"--map {text}: not MEMBER=COLUMN; members are {' '.join(CHARGE_MEMBERS)}"
            )
        if member in columns:
            raise EngineError("usage", f"--map names {member} twice")
        columns[member] = column
    return columns


def _tell(found: Compared, rows: int, *, as_json: bool) -> None:
    comparison, unit = found.comparison, found.statement.unit
    totals = {
        "ours": format_nano(comparison.ours),
        "theirs": format_nano(comparison.theirs),
        "difference": format_nano(comparison.difference),
    }
    if as_json:
        for difference in comparison.differences:
            emit(_finding(difference))
        counts = {"agreed": comparison.agreed, "differences": len(comparison.differences), "rows": rows}
        emit({"summary": {**totals, "unit": unit, **counts}})
        return
    for difference in comparison.differences[:_SHOWN_MAX]:
        say(
            f"{_WORDS[difference.kind]:<14}  {format_nano(difference.amount):>20} {unit}  {charges_named(difference)}"
        )
    if (more := len(comparison.differences) - _SHOWN_MAX) > 0:
        say(f"{more:,} more; --json and --dispute have them all")
    say(f"ours        {totals['ours']} {unit} in {plural(found.statement.deltas, 'delta')}")
    say(f"theirs      {totals['theirs']} {unit} in {plural(rows, 'row')}")
    say(f"difference  {totals['difference']} {unit}, in {plural(len(comparison.differences), 'difference')}")
    say(f"agreed      {plural(comparison.agreed, 'charge')}")


def _finding(difference: Difference) -> dict[str, object]:
    return {
        "kind": difference.kind,
        "amount": format_nano(difference.amount),
        "index": difference.ours,
        "row": difference.theirs,
        "repeats": difference.repeats,
    }
