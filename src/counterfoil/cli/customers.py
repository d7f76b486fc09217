"""`customers` and `customer`: what the record holds, and what a month brought.

Source: docs/api/customer-record.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from counterfoil.cli.context import Place, open_engine, place_options
from counterfoil.cli.output import emit, in_unit, json_option, plural, say, worst
from counterfoil.core.amount import format_nano
from counterfoil.engine.clock import HostClock
from counterfoil.engine.customers import CustomerRecord, CustomerView
from counterfoil.engine.history import Span
from counterfoil.engine.windows import month_of, months_until, parse_month, split
from counterfoil.errors import CounterfoilError
from counterfoil.limits import SCOPE_MONTHS_MAX

_ROW = "{:<24}  {:<42}  {:>8}  {:>8}  {:>20}  {:<10}  {}"
_MONTH_ROW = "{:<8}  {:>8}  {:>8}  {:>20}  {:>20}  {:>20}  {}"


@click.command(epilog="\b\nExample:\n  counterfoil customers --json")
@json_option
@place_options
def customers(place: Place, *, as_json: bool) -> None:
    """List all customers, in the order of their references."""
    count = 0
    refusals: list[CounterfoilError] = []
    with open_engine(place) as engine:
        for record in engine.customers():
            if isinstance(record, CounterfoilError):
                refusals.append(_refuse(record, as_json=as_json))
                continue
            if as_json:
                emit(_finding(record))
            else:
                if not count:
                    say(
                        _ROW.format(
                            "customer",
                            "reference",
                            "deltas",
                            "verified",
                            "balance",
                            "unit",
                            "verified through",
                        )
                    )
                say(_row(record))
            count += 1
    if refusals and (error := worst(refusals, passed=count)):
        raise error
    if not count and not as_json:
        say(f"no customers yet of tenant {place.tenant}: the first delta opens a customer's log")


def _refuse(error: CounterfoilError, *, as_json: bool) -> CounterfoilError:
    reference = error.facts["log"]
    if as_json:
        emit({"customerReference": reference, "result": error.code, "message": error.message})
    else:
        say(f"{'(refused)':<24}  {reference}  {error.code}: {error.message}")
    return error


@click.command(
    epilog="\b\nExamples:\n  counterfoil customer cust_001\n  counterfoil customer cust_001 --period 2026-04\n"
    "  counterfoil customer cust_001 --months 12"
)
@click.argument("customer_id", metavar="ID")
@click.option("--period", metavar="YYYY-MM", help="The UTC month to show.  [default: this one]")
@click.option(
    "--months",
    metavar="N",
    type=click.IntRange(1, SCOPE_MONTHS_MAX),
    help=f"Show so many months that end with it one by one, at most {SCOPE_MONTHS_MAX}.",
)
@json_option
@place_options
def customer(
    place: Place, customer_id: str, period: str | None, months: int | None, *, as_json: bool
) -> None:
    """Show the record of a customer, and what a month brought."""
    month = parse_month(period) if period is not None else months_until(HostClock()(), 1)
    breakdown = split(months_until(month.start, months), "month") if months else []
    with open_engine(place) as engine:
        view = engine.customer_view(customer_id, [month, *breakdown])
    if as_json:
        emit(_viewed(view))
        return
    _show_record(view.record)
    _show_month(view.record, view.spans[0])
    if breakdown:
        _show_months(view.spans[1:], view.record.unit)


def _show_record(record: CustomerRecord) -> None:
    unit = record.unit
    waiting = record.count - record.verified_count
    for name, value in (
        ("customer", record.customer_id or "erased"),
        ("reference", f"0x{record.log.hex()}"),
        ("origin", record.origin),
        ("deltas", f"{record.count:,}"),
        ("credits", f"{in_unit(format_nano(record.credits), unit)}"),
        ("debits", f"{in_unit(format_nano(record.debits), unit)}"),
        ("balance", f"{in_unit(format_nano(record.balance), unit)}"),
        ("first activity", record.first_activity_at),
        ("last activity", record.last_activity_at),
        ("checkpoint", f"size {record.checkpoint_size}" if record.checkpoint_size else "none yet"),
        (
            "verified",
            f"{plural(record.verified_count, 'delta')}, {waiting:,} waiting for the next checkpoint",
        ),
        (
            "cumulative",
            f"{in_unit(format_nano(record.verified_balance), unit)}, the balance of what is verified",
        ),
        ("verified through", record.verified_through_at or "not yet"),
    ):
        _say_line(name, value)


def _show_month(record: CustomerRecord, span: Span) -> None:
    unit = record.unit
    say()
    _say_line("month", month_of(span.window.start))
    _say_line("opening balance", f"{in_unit(format_nano(span.opening.balance), unit)}")
    _say_line("recorded", f"{plural(span.deltas, 'delta')}, {in_unit(format_nano(span.amount), unit)}")
    _say_line("closing balance", f"{in_unit(format_nano(span.closing.balance), unit)}")
    _say_line("verified in it", plural(span.verified, "delta"))
    if not span.deltas:
        _say_line("most recent", f"{record.most_recent_active_period}, the last month with a delta in it")


def _show_months(spans: Sequence[Span], unit: str) -> None:
    say()
    say(_MONTH_ROW.format("month", "deltas", "verified", "credits", "debits", "closing balance", "unit"))
    for span in spans:
        say(
            _MONTH_ROW.format(
                month_of(span.window.start),
                span.deltas,
                span.verified,
                format_nano(span.credits),
                format_nano(span.debits),
                format_nano(span.closing.balance),
                unit,
            )
        )


def _say_line(name: str, value: str) -> None:
    say(f"{name:<16}  {value}")


def _row(record: CustomerRecord) -> str:
    return _ROW.format(
        record.customer_id or "(erased)",
        f"0x{record.log.hex()}",
        record.count,
        record.verified_count,
        format_nano(record.balance),
        record.unit,
        record.verified_through_at or "not yet",
    )


def _finding(record: CustomerRecord) -> dict[str, object]:
    return {
        "customerId": record.customer_id,
        "customerReference": f"0x{record.log.hex()}",
        "origin": record.origin,
        "unit": record.unit,
        "totalDeltas": record.count,
        "verifiedDeltas": record.verified_count,
        "credits": format_nano(record.credits),
        "debits": format_nano(record.debits),
        "computedBalance": format_nano(record.balance),
        "size": record.size,
        "checkpointSize": record.checkpoint_size,
        "firstActivityAt": record.first_activity_at,
        "lastActivityAt": record.last_activity_at,
        "cumulativeBalance": format_nano(record.verified_balance),
        "verifiedThroughAt": record.verified_through_at,
        "mostRecentActivePeriod": record.most_recent_active_period,
    }


def _viewed(view: CustomerView) -> dict[str, object]:
    month, *breakdown = view.spans
    return {
        **_finding(view.record),
        **_month(month),
        **({"months": [_month(span) for span in breakdown]} if breakdown else {}),
    }


def _month(span: Span) -> dict[str, object]:
    return {
        "period": month_of(span.window.start),
        "recordedThisPeriod": span.deltas,
        "recordedAmountThisPeriod": format_nano(span.amount),
        "verifiedThisPeriod": span.verified,
        "openingBalance": format_nano(span.opening.balance),
        "closingBalance": format_nano(span.closing.balance),
    }
