"""`checkpoint`, `checkpoints`, and `consistency make`: what needs the store.

Source: docs/spec/checkpoint.md, docs/spec/consistency.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from pathlib import Path

import click

from counterfoil.cli.context import (
    Place,
    check_output,
    customers_options,
    open_engine,
    output_option,
    place_options,
)
from counterfoil.cli.files import make_folder, read_input, write_output
from counterfoil.cli.output import Progress, emit, json_option, plural, put, say, worst
from counterfoil.core.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.core.encoding import encode_base64
from counterfoil.engine.checkpoint import Checkpointed
from counterfoil.engine.engine import Engine
from counterfoil.errors import CounterfoilError, EngineError
from counterfoil.limits import INTEGER_DIGITS_MAX, NOTE_BYTES_MAX


@click.command(
    epilog="\b\nExamples:\n  counterfoil checkpoint cust_001 cust_002\n  counterfoil checkpoint --all",
)
@customers_options("Every customer with entries that no checkpoint covers.")
@click.option(
    "--refresh", is_flag=True, help="Sign a new checkpoint even where nothing is new, for a fresh watermark."
)
@json_option
@place_options
def checkpoint(place: Place, customers: Sequence[str] | None, *, refresh: bool, as_json: bool) -> None:
    """Seal and sign what is new.

    Every delta so far becomes VERIFIED, and has a receipt from now on.
    """
    refusals: list[CounterfoilError] = []
    counts = {"signed": 0, "unchanged": 0, "superseded": 0}
    with open_engine(place) as engine, Progress("checkpoint", "customers") as progress:
        names = {engine.log_of(customer): customer for customer in customers or ()}
        if customers is None:
            outcomes = engine.checkpoint_all(refresh=refresh)
        else:
            outcomes = engine.checkpoint_many(customers, refresh=refresh)
        for outcome, name in zip(progress.over(outcomes), chain(names.values(), repeat(None)), strict=False):
            if isinstance(outcome, CounterfoilError):
                refusals.append(say_refused(name, outcome, as_json=as_json))
                continue
            counts[outcome.outcome] += 1
            # Of all customers the lines are for programs; a person reads the sum.
            if as_json or customers:
                say_checkpointed(name, outcome, as_json=as_json)
    if not as_json:
        signed, others = counts["signed"], counts["unchanged"] + counts["superseded"]
        rest = f", {plural(others, 'customer')} had nothing new" if others else ""
        say(f"{plural(signed, 'checkpoint')} signed{rest}, {len(refusals):,} refused")
    if (error := worst(refusals, passed=1)) is not None:
        raise error


def say_checkpointed(name: str | None, outcome: Checkpointed, *, as_json: bool) -> None:
    """Write what became of a log; `name` is the customer's, where it was given."""
    reference, published = f"0x{outcome.log.hex()}", outcome.checkpoint
    if as_json:
        emit(
            {
                "result": "ok",
                "outcome": outcome.outcome,
                "customerId": name,
                "customerReference": reference,
                **_facts(published),
                "verifiedThroughAt": outcome.verified_through_at,
            }
        )
        return
    say(
        f"{outcome.outcome:<10}  {name or reference}  size {published.size}, "
        f"verified through {outcome.verified_through_at}"
    )


def say_refused(name: str | None, error: CounterfoilError, *, as_json: bool) -> CounterfoilError:
    """Write what a log was refused with; return it as it may end the command."""
    reference = error.facts.get("log")
    if as_json:
        names = {"customerId": name, "customerReference": reference}
        emit({"result": error.code, **names, "message": error.message})
    else:
        say(f"{'refused':<10}  {name or reference}  {error.code}: {error.message}")
    # The line on standard error stands alone.
    return error if name is None else EngineError(error.code, f"{name}: {error.message}", **error.facts)


def _facts(found: Checkpoint) -> dict[str, object]:
    return {"origin": found.origin, "size": found.size, "root": found.root.hex()}


@click.command(
    epilog="\b\nExamples:\n  counterfoil checkpoints cust_001\n  counterfoil checkpoints cust_001 -o notes",
)
@click.argument("customer")
@click.option("-o", "--output", metavar="DIR", help="Write each note as DIR/SIZE.checkpoint.")
@json_option
@place_options
def checkpoints(place: Place, customer: str, output: str | None, *, as_json: bool) -> None:
    """List checkpoints, or write them as files."""
    count = 0
    with open_engine(place) as engine:
        for found in engine.checkpoints(customer):
            if output is not None:
                _write_note(make_folder(Path(output)) / f"{found.size}.checkpoint", found)
            if as_json:
                emit(_facts(found))
            elif output is None:
                say(f"size {found.size}  root {encode_base64(found.root)}")
            count += 1
    if output is not None and not as_json:
        say(f"{plural(count, 'checkpoint')} in {output}")
    elif not count and not as_json:
        say("no checkpoints yet")


def _write_note(path: Path, found: Checkpoint) -> None:
    """Write a note; one that is there already and is another is somebody else's, or evidence of a fork."""
    data = found.note.encode("utf-8")
    if path.exists() and read_input(str(path), NOTE_BYTES_MAX) != data:
        raise EngineError("usage", f"{path} is there already and is another checkpoint")
    write_output(path, data)


@click.command(
    "make",
    epilog="\b\nExamples:\n  counterfoil consistency make cust_001 --from 4 -o growth.consistency\n"
    "  counterfoil consistency make cust_001 --from notes/4.checkpoint",
)
@click.argument("customer")
@click.option(
    "--from",
    "old",
    metavar="SIZE|CHECKPOINT",
    required=True,
    help="The older checkpoint: its size, or its file.",
)
@output_option
@place_options
def consistency_make(place: Place, customer: str, old: str, output: str | None) -> None:
    """Make the proof that a log only grew.

    The file shows that CUSTOMER's newest checkpoint extends an older one.
    """
    with open_engine(place) as engine:
        text = _consistency_file(engine, customer, old)
    if output is None:
        put(text.encode("utf-8"))
    else:
        check_output(place, Path(output))
        write_output(Path(output), text.encode("utf-8"))


def _consistency_file(engine: Engine, customer: str, old: str) -> str:
    if old.isascii() and old.isdigit() and len(old) <= INTEGER_DIGITS_MAX:
        return engine.consistency_file(customer, int(old))
    return engine.consistency_file(customer, parse_checkpoint(read_input(old, NOTE_BYTES_MAX)))
