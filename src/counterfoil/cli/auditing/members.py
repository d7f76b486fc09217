"""Auditing a pack in one process or several, each a share of its logs.  Imports `core` only.

Source: docs/spec/pack.md.
"""

from __future__ import annotations

import gc
import multiprocessing
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import BinaryIO, Final

from counterfoil.cli.auditing.files import Progress, lines_of
from counterfoil.cli.ending import Lifeline
from counterfoil.cli.files import describe_os_error
from counterfoil.core.checkpoint import KeySet
from counterfoil.core.pack.audit import LogFinding, PackFinding, audit_share, whole_of
from counterfoil.core.pack.pins import Pins
from counterfoil.errors import CounterfoilError, EngineError

Finding = LogFinding | PackFinding

# Findings that a process hands over at a time: fewer would cost more than small logs do.
_FINDINGS_AT_ONCE: Final = 64
# Findings of a process that may wait for those of another, which is at a larger log.
_AHEAD_MAX: Final = 1_024
# What a process says besides findings.
_Told = list[Finding] | int | CounterfoilError


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit of one pack.

    Attributes:
        stream: of the file; it is read by place, so that processes share it.
        keys: that the auditor trusts.
        held: checkpoints that logs must extend, by origin.
    """

    stream: BinaryIO
    keys: KeySet
    held: Pins

    def share(self, share: tuple[int, int], progress: Progress) -> Iterator[Finding]:
        """Audit a share of the logs.

        Raises:
            EngineError: where the file cannot be read on.
        """
        lines = partial(lines_of, self.stream, progress)
        try:
            yield from audit_share(lines, self.keys, held=self.held, share=share)
        except OSError as error:
            raise describe_os_error(error) from error


def findings_of(audit: Audit, processes: int, progress: Progress) -> Generator[Finding, None, None]:
    """Audit a pack; yield the findings of its logs in their order, and that of the pack behind them.

    Raises:
        EngineError: `io-error`, where the file cannot be read on; `internal`, where a process was killed.
    """
    if processes == 1:
        for finding in audit.share((0, 1), progress):
            yield whole_of([finding]) if isinstance(finding, PackFinding) else finding
        return
    context = multiprocessing.get_context("fork")
    gc.freeze()
    with Lifeline() as lifeline, ExitStack() as stack:
        shares = []
        for number in range(processes):
            ours, theirs = context.Pipe(duplex=False)
            arguments = (lifeline, theirs, audit, (number, processes))
            member = context.Process(target=_work, args=arguments, daemon=True)
            member.start()
            stack.callback(_end, member)
            # The process has the only one now: when it ends, however that is, there is nothing more to receive.
            theirs.close()
            shares.append(_Share(ours))
        yield from _in_order(shares, progress)


def _end(member: BaseProcess) -> None:
    member.terminate()
    member.join()


class _Share:
    """What a process has told.

    Attributes:
        connection: by which it tells more.
        waiting: findings that have to wait for those of other processes.
        whole: what it said of the pack, which comes last.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.waiting: deque[LogFinding] = deque()
        self.whole: PackFinding | None = None

    def hear(self, progress: Progress) -> None:
        """Take what it tells next."""
        try:
            told: _Told = self.connection.recv()
        except (EOFError, OSError) as error:
            raise EngineError(
                "internal", "a process of the audit was killed: nothing is known of its logs"
            ) from error
        if isinstance(told, CounterfoilError):
            raise told
        if isinstance(told, int):
            progress(told)
            return
        for finding in told:
            if isinstance(finding, PackFinding):
                self.whole = finding
            else:
                self.waiting.append(finding)


def _in_order(shares: Sequence[_Share], progress: Progress) -> Iterator[Finding]:
    """Yield findings by the numbers of their logs: which process is faster is not to show."""
    due = 0
    while working := {share.connection: share for share in shares if share.whole is None}:
        owner = shares[due % len(shares)]
        if owner.whole is not None:
            # It has told of all logs, so the others have: what they tell now is of another pack.
            for share in shares:
                share.waiting.clear()
        # Who is far ahead has to wait, so that findings do not: there may be any number of them.
        heard = [
            share.connection
            for share in working.values()
            if share is owner or len(share.waiting) < _AHEAD_MAX
        ]
        for ready in wait(heard):
            assert isinstance(ready, Connection)  # noqa: S101  -- these are what it was given
            working[ready].hear(progress)
        while (waiting := shares[due % len(shares)].waiting) and waiting[0].number == due:
            yield waiting.popleft()
            due += 1
    yield whole_of([share.whole for share in shares if share.whole is not None])


def _work(lifeline: Lifeline, out: Connection, audit: Audit, share: tuple[int, int]) -> None:
    """Audit a share, and tell what is found: what a process of its own does."""
    lifeline.hold()
    ready: list[Finding] = []
    try:
        # Every share reads every line: one of them says how far it is.
        for finding in audit.share(share, out.send if share[0] == 0 else lambda _: None):
            ready.append(finding)
            if len(ready) == _FINDINGS_AT_ONCE:
                out.send(ready)
                ready = []
        out.send(ready)
    except CounterfoilError as error:
        out.send(error)
