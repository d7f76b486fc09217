"""`worker`: checkpoints for as long as it runs."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

import click

from counterfoil.cli.checkpoints import say_checkpointed, say_refused
from counterfoil.cli.context import Place, open_engine, place_options
from counterfoil.cli.main import refusal_of
from counterfoil.cli.output import complain, hint, json_option, plural, say
from counterfoil.engine.clock import HostClock
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Store
from counterfoil.engine.worker import work_through
from counterfoil.errors import EXIT_IO, CounterfoilError, EngineError
from counterfoil.storage import open_store

_PROCESSES_MAX: Final = 64
# Between two tries of what has just failed, and between two looks at what nobody reports.
_BREATH_SECONDS: Final = 1.0


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
    type=click.IntRange(1, _PROCESSES_MAX),
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
    stop = _Stop()

    def serve() -> None:
        _serve(place, operator, every, stop, as_json=as_json)

    if processes == 1:
        serve()
    else:
        _Team(serve, stop, processes).run()


class _Stop:
    """The wish to end: of a signal, and in a process of a team of its parent's end as well."""

    def __init__(self) -> None:
        """Listen to SIGINT and SIGTERM from now on."""
        # No Event: a signal may come while this thread holds the Event's lock, and setting it would wait for that for
        # ever.  The put of this queue may be called at any moment.
        self._wishes: SimpleQueue[None] = SimpleQueue()
        self._process = os.getpid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._wishes.put(None))

    def is_wanted(self) -> bool:
        """Whether it is time to end."""
        is_orphan = self._process not in (os.getpid(), os.getppid())
        return is_orphan or not self._wishes.empty()

    def wait(self, seconds: float) -> None:
        """Rest for so long, or until it is time to end."""
        end = time.monotonic() + seconds
        while not self.is_wanted() and (left := end - time.monotonic()) > 0:
            with suppress(Empty):
                self._wishes.put(self._wishes.get(timeout=min(left, _BREATH_SECONDS)))


def _serve(place: Place, operator: Operator, every: float, stop: _Stop, *, as_json: bool) -> None:
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
                rest = max(every, _BREATH_SECONDS)
            stop.wait(rest)


def _work(store: Store, operator: Operator, stop: _Stop, *, as_json: bool) -> None:
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


class _Member(NamedTuple):
    """A process of a team.

    Attributes:
        process: that works.
        last_words: brings the refusal that it gave up with, or nothing.
    """

    process: BaseProcess
    last_words: Connection


class _Team:
    """Processes that do the same; one that is killed is replaced, one that gives up ends all."""

    def __init__(self, work: Callable[[], None], stop: _Stop, count: int) -> None:
        self._work = work
        self._stop = stop
        self._count = count
        # Forked, so that keys and passphrase are at hand: nothing is open now, and there are no threads.
        self._context = multiprocessing.get_context("fork")
        self._members: list[_Member] = []

    def run(self) -> None:
        """Keep so many processes at work until it is time to end.

        Raises:
            CounterfoilError: what one of them gave up with.
        """
        try:
            while not self._stop.is_wanted():
                while len(self._members) < self._count:
                    self._members.append(self._start())
                wait([member.process.sentinel for member in self._members], timeout=_BREATH_SECONDS)
                self._dismiss()
        finally:
            for member in self._members:
                member.process.terminate()
            for member in self._members:
                member.process.join()

    def _start(self) -> _Member:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_attempt, args=(self._work, sender))
        process.start()
        # The process has the only one now: when it ends, however that is, there is nothing more to receive.
        sender.close()
        return _Member(process, receiver)

    def _dismiss(self) -> None:
        """Let go of processes that have ended."""
        for member in [each for each in self._members if each.process.exitcode is not None]:
            self._members.remove(member)
            with closing(member.last_words) as last_words, suppress(EOFError):
                raise last_words.recv()
            if not self._stop.is_wanted():
                code = member.process.exitcode or 0
                how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
                hint(f"a worker process {how}; another takes its place")
                self._stop.wait(_BREATH_SECONDS)


def _attempt(work: Callable[[], None], last_words: Connection) -> None:
    """Work; hand over what ends it."""
    try:
        work()
    except BrokenPipeError as error:
        last_words.send(error)
    except Exception as error:  # noqa: BLE001  -- the last resort, as in `counterfoil.cli.main`
        if os.environ.get("COUNTERFOIL_DEBUG") == "1":
            traceback.print_exception(error)
        last_words.send(refusal_of(error))
