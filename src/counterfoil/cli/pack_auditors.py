"""Auditing a pack in one process or several, each a share of its logs.  Imports `core` only.

Source: docs/spec/pack.md.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count
from multiprocessing.connection import Connection, wait
from typing import BinaryIO, Final

from counterfoil.cli.files import describe_os_error
from counterfoil.cli.pack_files import Progress, lines_of
from counterfoil.core.checkpoint import KeySet
from counterfoil.core.pack_audit import LogFinding, PackFinding, audit_share, whole_of
from counterfoil.core.pack_pins import Pins
from counterfoil.errors import CounterfoilError, EngineError

Finding = LogFinding | PackFinding

# Findings that a process hands over at a time: fewer would cost more than small logs do.
_FINDINGS_AT_ONCE: Final = 64
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
        """Audit a share of the logs."""
        lines = partial(lines_of, self.stream, progress)
        return audit_share(lines, self.keys, held=self.held, share=share)


def findings_of(audit: Audit, processes: int, progress: Progress) -> Iterator[Finding]:
    """Audit a pack; yield the findings of its logs in their order, and that of the pack behind them.

    Raises:
        EngineError: `io-error`, where the file cannot be read on; `internal`, where a process was killed.
    """
    if processes == 1:
        yield from _in_order(_reading(audit, (0, 1), progress), 1)
    else:
        yield from _in_order(_from_members(audit, processes, progress), processes)


def _reading(audit: Audit, share: tuple[int, int], progress: Progress) -> Iterator[Finding]:
    try:
        yield from audit.share(share, progress)
    except OSError as error:
        raise describe_os_error(error) from error


def _in_order(findings: Iterator[Finding], shares: int) -> Iterator[Finding]:
    """Yield findings by the numbers of their logs: which process is faster, or which log waits, is not to show."""
    waiting: list[tuple[int, LogFinding]] = []
    parts: list[PackFinding] = []
    due = count()
    number = next(due)
    for finding in findings:
        if isinstance(finding, PackFinding):
            parts.append(finding)
            continue
        heappush(waiting, (finding.number, finding))
        while waiting and waiting[0][0] == number:
            yield heappop(waiting)[1]
            number = next(due)
    if len(parts) != shares:
        raise EngineError("internal", "a process of the audit was killed: nothing is known of its logs")
    yield whole_of(parts)


def _from_members(audit: Audit, processes: int, progress: Progress) -> Iterator[Finding]:
    """Yield what processes find, as it comes."""
    context = multiprocessing.get_context("fork")
    gc.freeze()
    members = []
    listening: list[Connection] = []
    try:
        for number in range(processes):
            ours, theirs = context.Pipe(duplex=False)
            member = context.Process(target=_work, args=(theirs, audit, (number, processes)), daemon=True)
            member.start()
            theirs.close()
            members.append(member)
            listening.append(ours)
        while listening:
            for ready in wait(listening):
                assert isinstance(ready, Connection)  # noqa: S101  -- these are what it was given
                try:
                    told: _Told = ready.recv()
                except EOFError:
                    listening.remove(ready)
                    continue
                if isinstance(told, CounterfoilError):
                    raise told
                if isinstance(told, int):
                    progress(told)
                else:
                    yield from told
    finally:
        for member in members:
            member.terminate()
            member.join()


def _work(out: Connection, audit: Audit, share: tuple[int, int]) -> None:
    """Audit a share, and tell what is found: what a process of its own does."""
    # Ctrl-C reaches all of them; the one that started them ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ready: list[Finding] = []
    try:
        # Every share reads every line: one of them says how far it is.
        for finding in _reading(audit, share, out.send if share[0] == 0 else lambda _: None):
            ready.append(finding)
            if len(ready) == _FINDINGS_AT_ONCE:
                out.send(ready)
                ready = []
        out.send(ready)
    except CounterfoilError as error:
        out.send(error)
