"""`compare`: a period of a customer against what the other party has of it, and the packet that proves our side.

Our side is a period of the store, or a full statement, which needs no store: its reader verifies it first.

Source: docs/spec/dispute.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from counterfoil.cli.columns import map_option, read_columns
from counterfoil.cli.context import Place, check_outputs, open_engine, place_options
from counterfoil.cli.differences import LESS, difference_facts, difference_lines, sides_of
from counterfoil.cli.documents import DISPUTE_FILE, VERIFIED_BYTES_MAX, kind_of, read_document
from counterfoil.cli.files import open_input, read_input, write_output
from counterfoil.cli.findings import describe_statement
from counterfoil.cli.keys import key_option, read_keys
from counterfoil.cli.output import AdvisedError, emit, hint, in_unit, json_option, plural, say
from counterfoil.cli.periods import optional_period_options
from counterfoil.core.amount import format_nano
from counterfoil.core.checkpoint import KeySet
from counterfoil.core.compare import Charge
from counterfoil.core.dispute import compare_period, signs_oppose
from counterfoil.core.statement import Statement
from counterfoil.core.statement_verify import VerifiedStatement, verify_statement
from counterfoil.core.timestamp import to_microseconds, to_span
from counterfoil.engine.charges import CHARGE_MEMBERS, BadRow, Charges, read_charges
from counterfoil.engine.clock import HostClock
from counterfoil.engine.disputes import Compared
from counterfoil.engine.windows import Window
from counterfoil.errors import EngineError
from counterfoil.limits import COMPARISON_TOLERANCE_SECONDS_MAX

_TOLERANCE_SECONDS: Final = 300
# What a file looks like that reads, whatever wrote it.
_READABLE: Final = "save it as CSV UTF-8, with amounts like 1234.56 and dates like 2026-10-02"
# Faults of rows that are shown to a person; a file of the wrong kind would show nothing else.
_BAD_SHOWN_MAX: Final = 20
# Of the names of the totals.
_WIDTH: Final = len(f"difference ({LESS})")


@click.command(
    epilog="\b\nExamples:\n  counterfoil compare cust_001 theirs.csv --period 2026-04\n"
    "  counterfoil compare cust_001 invoice.csv --period 2026-04 --negate \\\n"
    "    --map delta=total --map referenceId=line --dispute dispute.json\n"
    "  counterfoil compare ours.csv --statement april.json --key operator.vkey --customer cust_001",
)
@click.argument("customers", metavar="[CUSTOMER]", nargs=-1)
@click.argument("file")
@optional_period_options
@click.option(
    "--statement",
    "document",
    metavar="FILE",
    help="Compare with this full statement in place of a period of the store.",
)
@key_option(required=False)
@click.option("--customer", "expected", metavar="ID", help="The customer that the statement must name.")
@map_option
@click.option("--negate", is_flag=True, help="Change the sign of every amount of the file.")
@click.option(
    "--tolerance-seconds",
    metavar="N",
    type=click.IntRange(0, COMPARISON_TOLERANCE_SECONDS_MAX),
    default=_TOLERANCE_SECONDS,
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
    customers: Sequence[str],
    file: str,
    window: Window | None,
    document: str | None,
    keys: Sequence[str],
    expected: str | None,
    maps: Sequence[str],
    negate: bool,
    tolerance_seconds: int,
    dispute: str | None,
    as_json: bool,
) -> None:
    """Compare a period with the other party's charges.

    FILE is their CSV file, with a header; - is standard input. The members are delta, referenceId and effectiveAt. Charges are paired by reference, amount and time, and every difference is named; the differences add up to that of the totals. With --statement and --key no store is needed.
    """
    if document is None:
        customer, period = _check_period(customers, window, keys, expected)
        check_outputs(place, (dispute, DISPUTE_FILE), inputs=[file])
        charges = _read(file, maps, negate=negate, as_json=as_json)
        found = _compare_period(
            place, customer, period, charges, tolerance_seconds=tolerance_seconds, dispute=dispute
        )
    else:
        _check_statement(customers, window, keys, dispute, both_stdin=document == file == "-")
        statement = _read_statement(document, read_keys(keys), expected)
        charges = _read(file, maps, negate=negate, as_json=as_json)
        comparison = compare_period(statement, charges.rows, tolerance_seconds=tolerance_seconds)
        found = Compared(statement, comparison, {}, None)
    # Who names a customer of the store compares with the log of that one.
    _tell(found, charges, named=document is None or expected is not None, as_json=as_json)
    if signs_oppose(found.statement, charges.rows, found.comparison, tolerance_seconds=tolerance_seconds):
        way = "without" if negate else "with"
        hint(f"the signs of the file are mostly opposite to ours: most rows would pair {way} --negate")
    if (through := found.statement.provisional_through) is not None:
        hint(f"the period goes on: ours is complete through {through}")
    if outside := _count_outside(found.statement, charges.rows):
        verb = "has a time" if outside == 1 else "have times"
        hint(f"{plural(outside, 'row')} {verb} outside the period: the file is not cut to it")


def _count_outside(statement: VerifiedStatement, rows: Sequence[Charge]) -> int:
    """Return how many rows say that they happened before or behind the period; a date does with its whole day."""
    start, end = to_microseconds(statement.start), to_microseconds(statement.end)
    spans = [to_span(row.time) for row in rows if row.time is not None]
    return sum(last < start or first >= end for first, last in spans)


def _compare_period(
    place: Place,
    customer: str,
    period: Window,
    charges: Charges,
    *,
    tolerance_seconds: int,
    dispute: str | None,
) -> Compared:
    """Compare a period of the store, and write the packet where one is wanted."""
    with open_engine(place) as engine:
        found = engine.compare(
            customer,
            period,
            charges.rows,
            now=HostClock()(),
            tolerance_seconds=tolerance_seconds,
            with_packet=dispute is not None,
        )
    if dispute is not None and found.packet is not None:
        write_output(Path(dispute), found.packet)
    return found


def _check_period(
    customers: Sequence[str], window: Window | None, keys: Sequence[str], expected: str | None
) -> tuple[str, Window]:
    """Return the customer and the period of the store that are named."""
    if keys or expected is not None:
        raise click.UsageError("--key and --customer go with --statement")
    if len(customers) != 1:
        raise click.UsageError("name one customer and one file, or a statement with --statement")
    if window is None:
        raise click.UsageError("name a month with --period, or another period with --from and --to")
    return customers[0], window


def _check_statement(
    customers: Sequence[str],
    window: Window | None,
    keys: Sequence[str],
    dispute: str | None,
    *,
    both_stdin: bool,
) -> None:
    if customers:
        raise click.UsageError("with --statement name the file alone; --customer ID says whose it must be")
    if window is not None:
        raise click.UsageError("the period is that of the statement: without --period, --from and --to")
    if not keys:
        raise click.UsageError("--statement needs the operator's verifier key: --key KEY")
    if dispute is not None:
        raise click.UsageError(
            "a dispute packet has receipts, which are made from the store, not from a statement"
        )
    if both_stdin:
        raise click.UsageError("standard input is one file: the statement or the charges")


def _read(file: str, maps: Sequence[str], *, negate: bool, as_json: bool) -> Charges:
    """Read the charges; say all that is wrong with rows that do not read, a person the first of it."""
    columns, bad = read_columns(maps, CHARGE_MEMBERS), 0

    def tell(row: BadRow) -> None:
        nonlocal bad
        bad += 1
        if as_json:
            emit({"line": row.line, "code": row.error.code, "message": row.error.message})
        elif bad <= _BAD_SHOWN_MAX:
            say(f"refused  line {row.line}  {row.error.code}: {row.error.message}")

    try:
        with open_input(file) as stream:
            try:
                return read_charges(stream, columns, negate=negate, on_bad=tell)
            except EngineError as error:
                raise AdvisedError(error, _READABLE) from error
    finally:
        if not as_json and bad > _BAD_SHOWN_MAX:
            say(f"refused  {bad - _BAD_SHOWN_MAX:,} more; --json has them all")


def _read_statement(name: str, keys: KeySet, customer: str | None) -> VerifiedStatement:
    data = read_input(name, VERIFIED_BYTES_MAX)
    kind = kind_of(data, name)
    if kind == "report":
        # Most statements are no pages, and start faster without.
        from counterfoil.core.report import verify_report  # noqa: PLC0415  -- see above

        verified = verify_report(data, keys, customer_id=customer, allow_provisional=True).verified
        if isinstance(verified, VerifiedStatement):
            return verified
    elif kind == "json":
        document = read_document(data)
        if isinstance(document, Statement):
            return verify_statement(document, keys, customer_id=customer, allow_provisional=True)
    raise EngineError("usage", f"{name} is no statement, and no page with one in it")


def _tell(found: Compared, charges: Charges, *, named: bool, as_json: bool) -> None:
    statement, comparison = found.statement, found.comparison
    differences, rows, unit = comparison.differences, charges.rows, statement.unit
    sides = sides_of(statement, rows, found.elsewhere)
    totals = {
        "ours": format_nano(comparison.ours),
        "theirs": format_nano(comparison.theirs),
        "difference": format_nano(comparison.difference),
    }
    if as_json:
        for difference in differences:
            emit(difference_facts(sides, difference))
        counts = {"agreed": comparison.agreed, "differences": len(differences), "rows": len(rows)}
        skipped = {"zeroRows": charges.zero, "emptyRows": charges.empty}
        period = {
            "customer": statement.customer_id,
            "from": statement.start,
            "to": statement.end,
            "provisionalThrough": statement.provisional_through,
        }
        emit({"summary": {**period, **totals, "unit": unit, **counts, **skipped}})
        return
    # As `verify` says it: whose statement, and which period.
    described = describe_statement(statement, compared=named)
    say(described.words)
    say(described.lines[0])
    for line in difference_lines(sides, differences):
        say(line)
    for name, words in (
        ("ours", f"{in_unit(totals['ours'], unit)} in {plural(statement.deltas, 'delta')}"),
        ("theirs", f"{in_unit(totals['theirs'], unit)} in {plural(len(rows), 'row')}"),
        (
            f"difference ({LESS})",
            f"{in_unit(totals['difference'], unit)} in {plural(len(differences), 'difference')}",
        ),
        ("agreed", plural(comparison.agreed, "charge")),
    ):
        say(f"{name:<{_WIDTH}}  {words}")
    for count, words in (
        (charges.zero, "of amount zero"),
        (charges.empty, "with neither amount nor reference"),
    ):
        if count:
            say(f"{'skipped':<{_WIDTH}}  {plural(count, 'row')} {words}")
