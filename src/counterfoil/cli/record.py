"""`record`: one delta.

Source: docs/spec/entry.md, docs/spec/details.md.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

import click

from counterfoil.cli.context import Place, open_engine, place_options
from counterfoil.cli.output import emit, in_unit, json_option, say
from counterfoil.core.amount import format_nano
from counterfoil.engine.record import Recorded
from counterfoil.engine.request import Delta
from counterfoil.engine.rows import read_metadata

_NUMBER_STARTS: Final = frozenset("0123456789.")


class _Command(click.Command):
    """A command whose arguments may be negative numbers: `-12.5` is no option here."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse a misspelt option, which has been taken for an argument, before anything is said to be missing."""
        ctx.ignore_unknown_options = True
        parser = self.make_parser(ctx)
        found, extra, _ = parser.parse_args([*args])
        arguments = [
            found.get(parameter.name) for parameter in self.params if isinstance(parameter, click.Argument)
        ]
        for value in (*arguments, *extra):
            if isinstance(value, str) and value.startswith("-") and value[1:2] not in _NUMBER_STARTS:
                name = value.partition("=")[0]
                options = [
                    option for parameter in self.params for option in parameter.opts if option.startswith("-")
                ]
                raise click.NoSuchOption(name, possibilities=get_close_matches(name, options), ctx=ctx)
        return super().parse_args(ctx, args)


@click.command(
    cls=_Command,
    epilog="\b\nExamples:\n  counterfoil record cust_001 +500 --reason initial_deposit\n"
    "  counterfoil record cust_001 -12.5 --reason api_call --idempotency-key req-0002\n"
    '  counterfoil record cust_001 -3 --reason api_call --metadata \'{"model":"small"}\'',
)
@click.argument("customer")
@click.argument("amount")
@click.option("--reason", metavar="TEXT", required=True, help="What for, in words.")
@click.option("--idempotency-key", metavar="K", help="The same key again is the same delta again.")
@click.option("--reference", metavar="R", help="Your own name for it, an invoice line say.")
@click.option("--metadata", metavar="JSON", help="A JSON object.")
@click.option("--effective-at", metavar="T", help="When it happened: RFC 3339, or a date.")
@click.option("--adjusts", metavar="RECORD_ID", help="The earlier delta that it corrects.")
@click.option("--unit", metavar="U", help="The unit of a new log.")
@json_option
@place_options
def record(
    *,
    place: Place,
    customer: str,
    amount: str,
    reason: str,
    idempotency_key: str | None,
    reference: str | None,
    metadata: str | None,
    effective_at: str | None,
    adjusts: str | None,
    unit: str | None,
    as_json: bool,
) -> None:
    """Record AMOUNT for CUSTOMER, exactly once.

    It is durable when this command ends with 0. After an error of the store run it again with the same
    --idempotency-key.
    """
    delta = Delta(
        customer,
        amount,
        reason=reason,
        reference_id=reference,
        metadata=None if metadata is None else read_metadata(metadata),
        idempotency_key=idempotency_key,
        effective_at=effective_at,
        adjusts=adjusts,
        unit=unit,
    )
    with open_engine(place) as engine:
        recorded = engine.record(delta)
    if as_json:
        emit(_finding(recorded))
        return
    entry = recorded.entry
    verb = "replayed" if recorded.replayed else "recorded"
    say(
        f"{verb}  {recorded.record_id}  {in_unit(format_nano(entry.amount), entry.unit)}  at {entry.recorded_at}"
    )
    say(
        f"balance   {in_unit(format_nano(entry.balance), entry.unit)} after {entry.count} of {recorded.customer_id}'s deltas"
    )
    if idempotency_key is None:
        say(f"key       {recorded.idempotency_key}")


def _finding(recorded: Recorded) -> dict[str, object]:
    entry = recorded.entry
    return {
        "recordId": recorded.record_id,
        "customerId": recorded.customer_id,
        "delta": format_nano(entry.amount),
        "unit": entry.unit,
        "balance": format_nano(entry.balance),
        "count": entry.count,
        "recordedAt": entry.recorded_at,
        "idempotencyKey": recorded.idempotency_key,
        "replayed": recorded.replayed,
    }
