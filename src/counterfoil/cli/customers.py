"""`customers` and `customer`: what the record holds.

Source: docs/spec/entry.md.
"""

from __future__ import annotations

import click

from counterfoil.cli.context import Place, open_engine, place_options
from counterfoil.cli.output import emit, json_option, plural, say, worst
from counterfoil.core.amount import format_nano
from counterfoil.engine.customers import CustomerRecord
from counterfoil.errors import CounterfoilError

_ROW = "{:<24}  {:<42}  {:>8}  {:>8}  {:>20}  {:<10}  {}"


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
        say("no customers yet: the first delta opens a customer's log")


def _refuse(error: CounterfoilError, *, as_json: bool) -> CounterfoilError:
    reference = error.facts["log"]
    if as_json:
        emit({"customerReference": reference, "result": error.code, "message": error.message})
    else:
        say(f"{'(refused)':<24}  {reference}  {error.code}: {error.message}")
    return error


@click.command(epilog="\b\nExample:\n  counterfoil customer cust_001")
@click.argument("customer_id", metavar="ID")
@json_option
@place_options
def customer(place: Place, customer_id: str, *, as_json: bool) -> None:
    """Show what the record of a customer holds."""
    with open_engine(place) as engine:
        record = engine.customer(customer_id)
    if as_json:
        emit(_finding(record))
        return
    unit = record.unit
    waiting = record.count - record.verified_count
    for name, value in (
        ("customer", record.customer_id or "erased"),
        ("reference", f"0x{record.log.hex()}"),
        ("origin", record.origin),
        ("deltas", f"{record.count:,}"),
        ("credits", f"{format_nano(record.credits)} {unit}"),
        ("debits", f"{format_nano(record.debits)} {unit}"),
        ("balance", f"{format_nano(record.balance)} {unit}"),
        ("first entry", record.opened_at),
        ("last entry", record.last_at),
        ("checkpoint", f"size {record.checkpoint_size}" if record.checkpoint_size else "none yet"),
        (
            "verified",
            f"{plural(record.verified_count, 'delta')}, {waiting:,} waiting for the next checkpoint",
        ),
        ("verified through", record.verified_through_at or "not yet"),
    ):
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
        "firstEntryAt": record.opened_at,
        "lastEntryAt": record.last_at,
        "verifiedThroughAt": record.verified_through_at,
    }
