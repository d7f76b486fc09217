"""`receipt` and `receipts`: the proofs of deltas, as files.

Source: docs/spec/receipt.md, docs/spec/tlog-proof.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from counterfoil.cli.context import (
    Place,
    check_outputs,
    customers_options,
    open_engine,
    output_option,
    place_options,
)
from counterfoil.cli.documents import PAGE_FILE, RECEIPT_FILE
from counterfoil.cli.files import make_folder, write_output
from counterfoil.cli.output import Progress, escape_json, plural, put, say
from counterfoil.core.report import format_report
from counterfoil.errors import CounterfoilError, EngineError


@click.command(
    epilog="\b\nExamples:\n  counterfoil receipt 0xdc4dfc3208759067a112d73bb53467d9375dc42e.2 -o receipt.json\n"
    "  counterfoil receipt 0xdc4dfc3208759067a112d73bb53467d9375dc42e.2 --tlog-proof proofs -o receipt.json",
)
@click.argument("record_id")
@output_option
@click.option("--html", "page", metavar="FILE", help="Write it there too, as a page for people.")
@click.option(
    "--tlog-proof",
    metavar="DIR",
    help="Write the proof for other tools too: DIR/RECORD_ID.tlog-proof, and the record that it proves as .entry.",
)
@place_options
def receipt(
    place: Place, record_id: str, *, output: str | None, page: str | None, tlog_proof: str | None
) -> None:
    """Make the receipt of one record.

    Whoever holds it and the operator's key verifies it offline, now and in ten years.
    """
    check_outputs(place, (output, RECEIPT_FILE), (page, PAGE_FILE))
    with open_engine(place) as engine:
        proven = engine.receipt(record_id)
        keys = engine.operator.keys
    shown = None if page is None else format_report(proven.receipt, keys)
    if tlog_proof is not None:
        folder = make_folder(Path(tlog_proof))
        write_output(folder / f"{proven.record_id}.tlog-proof", proven.tlog_proof.encode("utf-8"))
        write_output(folder / f"{proven.record_id}.entry", proven.data)
    if page is not None and shown is not None:
        write_output(Path(page), shown)
    if output is None:
        put(escape_json(proven.receipt.decode("utf-8")).encode("utf-8") + b"\n")
    else:
        write_output(Path(output), proven.receipt)


@click.command(
    epilog="\b\nExamples:\n  counterfoil receipts cust_001 -o receipts\n  counterfoil receipts --all -o receipts",
)
@customers_options("Every customer that has a checkpoint.")
@click.option("-o", "--output", metavar="DIR", required=True, help="Write DIR/RECORD_ID.json, one a delta.")
@place_options
def receipts(place: Place, customers: Sequence[str] | None, output: str) -> None:
    """Make the receipts of customers.

    One for every delta that a checkpoint covers; those of an earlier run are written anew under the newest one.
    """
    written = waiting = 0
    with open_engine(place) as engine, Progress("receipts", "receipts") as progress:
        for record in engine.customers() if customers is None else map(engine.customer, customers):
            if isinstance(record, CounterfoilError):
                raise record
            waiting += record.count - record.verified_count
            # A customer that was named and has none yet is refused.
            if customers is None and not record.checkpoint_size:
                continue
            folder = make_folder(Path(output))
            for proven in progress.over(engine.log_receipts(record.log)):
                write_output(folder / f"{proven.record_id}.json", proven.receipt)
                written += 1
    if waiting and not written:
        raise EngineError("not-yet-checkpointed", "no checkpoint covers a delta yet")
    rest = f"; {plural(waiting, 'delta')} not under a checkpoint yet" if waiting else ""
    say(f"{plural(written, 'receipt')} in {output}{rest}")
