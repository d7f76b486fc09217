"""`worker`: checkpoints for as long as it runs."""

from __future__ import annotations

import io
import sys
from contextlib import ExitStack, closing

import click

from counterfoil.cli.checkpoints import say_checkpointed, say_refused
from counterfoil.cli.context import Place, open_engine, place_options
from counterfoil.cli.output import complain, json_option, plural, say
from counterfoil.cli.team import BREATH_SECONDS, PROCESSES_MAX, Duty, Stop, Team
from counterfoil.engine.clock import HostClock
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Store
from counterfoil.engine.worker import work_through
from counterfoil.errors import EXIT_IO, CounterfoilError, EngineError
from counterfoil.storage import open_store


@click.command(
    epilog="\b\nExamples:\n  counterfoil worker\n  counterfoil worker --every 0.2 --processes 2",
)
@click.option(
    "--every",
    metavar="SECONDS",
    type=click.FloatRange(0.01, 86_400),
    default=1.0,
    show_default=True,
    help="How long to rest when nothing is due.",
)
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(1, PROCESSES_MAX),
    default=1,
    show_default=True,
    help="How many sign side by side.",
)
@json_option
@place_options
def worker(place: Place, *, every: float, processes: int, as_json: bool) -> None:
    """Checkpoint what is due, of every tenant, until it is stopped.

    Due is what no checkpoint covers yet, and after the end of a UTC month every customer who had a delta in it, so that
    the month closes. Ctrl-C or SIGTERM ends it after the checkpoints that it is at. Any number may run, on any number of
    hosts that share a store on PostgreSQL; --tenant does not matter.
    """
    # What is wrong with store or keys is said once, and a passphrase asked for once: before there are several.
    with open_engine(place) as engine:
        operator = engine.operator
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Each line goes out whole and at once: several processes write to the same end.
        sys.stdout.reconfigure(line_buffering=True)
    stop = Stop()

    def work() -> None:
        keep_checkpointing(place, operator, every, stop, as_json=as_json)

    if processes == 1:
        work()
    else:
        Team([Duty("worker", work)] * processes, stop).run()


def keep_checkpointing(place: Place, operator: Operator, every: float, stop: Stop, *, as_json: bool) -> None:
    """Work through what is due, again and again; what the world does to the store is waited out."""
    with ExitStack() as opened:
        store: Store | None = None
        while not stop.is_wanted():
            rest = every
            try:
                store = store or opened.enter_context(closing(open_store(place.store, clock=HostClock())))
                _work(store, operator, stop, as_json=as_json)
            except EngineError as error:
                if error.exit_status != EXIT_IO:
                    raise
                # What to do next is to try again, which is done here.
                complain(error, advise=False)
                rest = max(every, BREATH_SECONDS)
            stop.wait(rest)


def _work(store: Store, operator: Operator, stop: Stop, *, as_json: bool) -> None:
    """Work through what is due, and say what became of it."""
    signed = refused = 0
    try:
        for _, _, outcome in work_through(store, operator, stopped=stop.is_wanted):
            if isinstance(outcome, CounterfoilError):
                say_refused(None, outcome, as_json=as_json)
                refused += 1
                continue
            signed += outcome.outcome == "signed"
            if as_json:
                say_checkpointed(None, outcome, as_json=True)
    finally:
        if not as_json and (signed or refused):
            say(f"{plural(signed, 'checkpoint')} signed, {refused:,} refused")
