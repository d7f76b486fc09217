"""Processes that work until they are asked to end: how they are asked, kept up, and ended together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from counterfoil.cli.main import refusal_of
from counterfoil.cli.output import hint

# Between two tries of what has just failed, and between two looks at what nobody reports.
BREATH_SECONDS: Final = 1.0
# Of one team: beyond that somebody has mistyped.
PROCESSES_MAX: Final = 64


class Stop:
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
                self._wishes.put(self._wishes.get(timeout=min(left, BREATH_SECONDS)))


class Duty(NamedTuple):
    """What a process of a team does.

    Attributes:
        name: what the process is called where it is spoken of.
        work: returns when it is time to end.
    """

    name: str
    work: Callable[[], None]


class _Member(NamedTuple):
    """A process of a team.

    Attributes:
        duty: what it does.
        process: that works.
        last_words: brings the refusal that it gave up with, or nothing.
    """

    duty: Duty
    process: BaseProcess
    last_words: Connection


class Team:
    """Processes, one a duty; one that is killed is replaced, one that gives up ends all."""

    def __init__(
        self, duties: Sequence[Duty], stop: Stop, *, before_end: Callable[[], object] = lambda: None
    ) -> None:
        """Say what is to be done.

        Args:
            duties: one a process.
            stop: the wish to end.
            before_end: called before the processes are asked to end.
        """
        self._waiting = list(duties)
        self._stop = stop
        self._before_end = before_end
        # Forked, so that keys and passphrase are at hand: nothing is open now, and there are no threads.
        self._context = multiprocessing.get_context("fork")
        self._members: list[_Member] = []

    def run(self) -> None:
        """Keep every duty done until it is time to end.

        Raises:
            CounterfoilError: what one of them gave up with.
        """
        try:
            while not self._stop.is_wanted():
                while self._waiting:
                    self._members.append(self._start(self._waiting.pop(0)))
                wait([member.process.sentinel for member in self._members], timeout=BREATH_SECONDS)
                self._dismiss()
        finally:
            self._before_end()
            for member in self._members:
                member.process.terminate()
            for member in self._members:
                member.process.join()

    def _start(self, duty: Duty) -> _Member:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_attempt, args=(duty.work, sender))
        process.start()
        # The process has the only one now: when it ends, however that is, there is nothing more to receive.
        sender.close()
        return _Member(duty, process, receiver)

    def _dismiss(self) -> None:
        """Let go of processes that have ended."""
        for member in [each for each in self._members if each.process.exitcode is not None]:
            self._members.remove(member)
            with closing(member.last_words) as last_words, suppress(EOFError):
                raise last_words.recv()
            self._waiting.append(member.duty)
            if not self._stop.is_wanted():
                code = member.process.exitcode or 0
                how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
                hint(f"a {member.duty.name} process {how}; another takes its place")
                self._stop.wait(BREATH_SECONDS)


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
