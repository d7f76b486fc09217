"""Auditing evidence packs as they are read, line by line.

What a log must keep, `core.audit` says; `core.pack.log` leads a log through it.  Here is what goes on when something is
wrong: a fault in a log is that log's, and the next log is read on; a fault that nobody can lay to a log is the pack's.
Every refusal says the line of the pack that it is about in its facts, and of an entry the index.

Nothing here opens a file: a pack is a function that gives its lines, each time from the beginning.

Source: docs/spec/pack.md, whose step numbers stand in the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from counterfoil.core.audit import AuditReport
from counterfoil.core.checkpoint import KeySet
from counterfoil.core.encoding import JsonValue
from counterfoil.core.pack.lines import (
    COUNTED,
    INNER,
    Lines,
    at_line,
    bounded_line,
    read_end,
    read_header,
    read_line,
    read_origin,
)
from counterfoil.core.pack.log import PackLog
from counterfoil.core.pack.pins import Pins
from counterfoil.core.pack.repeated_keys import SecondReading
from counterfoil.errors import (
    CounterfoilError,
    MalformedError,
    VerificationError,
    worst_exit,
)
from counterfoil.limits import PACK_STRAY_LINES_MAX


@dataclass(frozen=True, slots=True)
class LogFinding:
    """What became of one log of a pack.

    Attributes:
        number: its place among the logs of the pack, from 0.
        origin: the log.
        found: what was checked and holds, or why it is refused or nothing was decided.
    """

    number: int
    origin: str
    found: AuditReport | CounterfoilError


@dataclass(frozen=True, slots=True)
class PackFinding:
    """What became of the pack as a whole; it comes behind those of its logs.

    Attributes:
        operator: whose it is, empty where the first line does not say.
        logs: lines that begin a log.
        entries: lines with an entry.
        checkpoints: lines with a checkpoint.
        lines: how many were read, of whatever kind.
        absent: logs of which the auditor holds a checkpoint, and that are not in the pack.
        fault: why the pack is refused, None where its lines keep to the format.
        claimed: of a share, what the end counts; None where there is no end, or a fault before it.
    """

    operator: str
    logs: int
    entries: int
    checkpoints: int
    lines: int
    absent: tuple[str, ...]
    fault: CounterfoilError | None
    claimed: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class VerifiedPack:
    """What a pack proves.

    Attributes:
        operator: whose logs they are.
        logs: what was checked of each, in order.
        absent: logs of which the auditor holds a checkpoint, and that are not in the pack.
    """

    operator: str
    logs: tuple[AuditReport, ...]
    absent: tuple[str, ...]


def verify_pack(read: Callable[[], Lines], keys: KeySet, *, held: Pins | None = None) -> VerifiedPack:
    """Verify a whole pack; otherwise as `audit_pack`, which is for packs of many logs.

    Raises:
        CounterfoilError: the worst finding, by exit status; of several the first, that of the pack last.
    """
    *findings, whole = audit_pack(read, keys, held=held)
    assert isinstance(whole, PackFinding)  # noqa: S101  -- audit_pack ends with it
    logs = [one for one in findings if isinstance(one, LogFinding)]
    refusals = [one.found for one in logs if isinstance(one.found, CounterfoilError)]
    if whole.fault is not None:
        refusals.append(whole.fault)
    if refusals:
        worst = worst_exit([refusal.exit_status for refusal in refusals])
        raise next(refusal for refusal in refusals if refusal.exit_status == worst)
    reports = [one.found for one in logs if isinstance(one.found, AuditReport)]
    return VerifiedPack(whole.operator, tuple(reports), whole.absent)


def audit_pack(
    read: Callable[[], Lines], keys: KeySet, *, held: Pins | None = None
) -> Iterator[LogFinding | PackFinding]:
    """Audit a pack, line by line; yield a finding for each log as it ends, and one for the pack behind all.

    Memory is some 10 bytes at most for each delta of the log that is being read, and constant beside that.

    Args:
        read: gives the lines from the beginning.  It is called a second time where two keys of a log may be equal.
        keys: the keys that the auditor trusts, never from the pack.
        held: checkpoints that the auditor kept from before, by origin; a log must extend all of its own.

    Raises:
        OSError: what `read` and its lines raise; what they refuse, as damaged gzip, is a fault of the pack.
    """
    for finding in audit_share(read, keys, held=held):
        yield whole_of([finding]) if isinstance(finding, PackFinding) else finding


def audit_share(
    read: Callable[[], Lines],
    keys: KeySet,
    *,
    held: Pins | None = None,
    share: tuple[int, int] = (0, 1),
) -> Iterator[LogFinding | PackFinding]:
    """Audit a share of a pack's logs; otherwise as `audit_pack`.

    Each share reads the whole pack, and passes over the lines of logs that are not its own nearly for nothing.  So
    several processes audit a pack without one that hands the lines out.

    Args:
        read: as `audit_pack`.
        keys: as `audit_pack`.
        held: as `audit_pack`.
        share: number of this share from 0, and how many there are; those logs are its own whose number leaves it as the
            remainder.  Only `whole_of` all shares is a verdict on the pack.
    """
    reading = _Reading(keys, held or {}, share, SecondReading(read))
    for line in _received(read, reading.fail):
        if (finding := reading.take(line)) is not None:
            yield finding
        if reading.over:
            break
    if (finding := reading.finish()) is not None:
        yield finding
    yield reading.whole()


def whole_of(parts: Sequence[PackFinding]) -> PackFinding:
    """Return what became of a pack as a whole, from the last findings of all its shares."""
    first = parts[0]
    logs, entries, checkpoints = (
        sum(counts)
        for counts in zip(*[(one.logs, one.entries, one.checkpoints) for one in parts], strict=True)
    )
    fault = first.fault
    if len({(one.operator, one.lines, one.absent, one.claimed) for one in parts}) > 1:
        fault = MalformedError("the pack was another one when it was read again")
    elif first.claimed is not None and first.claimed != (logs, entries, checkpoints):
        counted = f"{logs} logs, {entries} entries, {checkpoints} checkpoints"
        # The end is the last line, or there was another fault.
        fault = at_line(
            MalformedError("the end counts other lines than there are", counted=counted), first.lines
        )
    return PackFinding(first.operator, logs, entries, checkpoints, first.lines, first.absent, fault)


def _received(read: Callable[[], Lines], failed: Callable[[CounterfoilError], None]) -> Iterator[bytes | str]:
    """Yield the lines of a pack up to what its reader refuses."""
    try:
        yield from read()
    except CounterfoilError as error:
        failed(error)


class _Reading:
    """A pack on its way: what it had so far, and the log that is being read.

    Attributes:
        over: whether nothing that comes may be judged.
    """

    def __init__(self, keys: KeySet, held: Pins, share: tuple[int, int], again: SecondReading) -> None:
        self._keys = keys
        self._held = held
        self._again = again
        self._strays = 0
        self._number, self._shares = share
        # Whether the log that is being read is of another share: its lines are nothing to this one.
        self._passing = False
        self._operator: str | None = None
        self._counts = dict.fromkeys(COUNTED, 0)
        self._met: set[str] = set()
        self._origin = ""
        # The line that is being judged, from 1.
        self._line = 0
        self._log: PackLog | None = None
        self._begun = 0
        self._ended = False
        self._claimed: tuple[int, int, int] | None = None
        self._fault: CounterfoilError | None = None
        self.over = False

    def take(self, line: bytes | str) -> LogFinding | None:
        """Take the next line; return the finding of the log that it ends."""
        self._line += 1
        try:
            # Steps 1 and 2: a line within its bound; the first says what this is, and whose.
            data = bounded_line(line)
            if self._operator is None:
                self._operator = read_header(data)
                return None
            # Step 7: the end is the last line.
            if self._ended:
                raise MalformedError("lines stand behind the end of the pack")
        except CounterfoilError as error:
            self._give_up(error, self._line)
            return None
        if self._passing and data.startswith(INNER):
            return None
        return self._judge(data, self._operator)

    def _judge(self, data: bytes, operator: str) -> LogFinding | None:
        """Take a line between the first and the last."""
        try:
            # Step 1: a line of one of the shapes.
            kind, found = read_line(data)
        except CounterfoilError as error:
            self._blame(error)
            # Whoever passes over a log does not look at those that begin like its lines, so nobody counts them.
            if not data.startswith(INNER):
                self._stray()
            return None
        if kind == "log":
            # Lines that stand in no log are counted once, by the first share.
            self._counts[kind] += not self._number
            return self._begin(found, operator)
        if kind == "end":
            return self._end(found)
        if self._passing:
            return None
        self._counts[kind] += self._log is not None or not self._number
        if self._log is None:
            self._blame(MalformedError(f"a line with {kind} stands in no log"))
        else:
            self._log.take(kind, found, self._line)
        return None

    def _begin(self, found: dict[str, JsonValue], operator: str) -> LogFinding | None:
        """Begin a log; return the finding of the one before."""
        ended = self._close()
        # Step 3: a log of this operator, behind those before it.
        try:
            origin = read_origin(found)
            if origin <= self._origin:
                self._blame(MalformedError(f"log {origin} does not stand behind {self._origin}"))
        except MalformedError as error:
            self._blame(error)
            self._stray()
            return ended
        self._origin = origin
        if origin in self._held:
            self._met.add(origin)
        number = self._begun
        self._begun += 1
        if number % self._shares == self._number:
            self._log = PackLog(
                number,
                origin,
                self._line,
                operator=operator,
                keys=self._keys,
                held=self._held.get(origin, ()),
            )
        else:
            self._passing = True
        return ended

    def _end(self, found: dict[str, JsonValue]) -> LogFinding | None:
        """End the log that is being read, and the pack."""
        ended = self._close()
        self._ended = True
        # Step 7: it counts what stood there, which `whole_of` checks, and something did.
        try:
            counts = read_end(found)
            if self._fault is None:
                self._claimed = (counts["log"], counts["entry"], counts["checkpoint"])
            if not self._begun:
                raise VerificationError("nothing-checked", "the pack holds no log")
        except CounterfoilError as error:
            self._blame(error)
        return ended

    def _close(self) -> LogFinding | None:
        """End the log that is being read; return its finding."""
        log, self._log, self._passing = self._log, None, False
        if log is None:
            return None
        found = log.finish()
        if log.seen.suspects and (refusal := self._again.settle(log.number, log.seen)) is not None:
            found = at_line(refusal, log.line)
        return LogFinding(log.number, log.origin, found)

    def _blame(self, error: CounterfoilError) -> None:
        """Lay a fault to the log that is being read, else to the pack; the first of each stands."""
        if self._passing:
            return
        at_line(error, self._line)
        if self._log is not None:
            self._log.refuse(error)
        elif self._fault is None:
            self._fault = error

    def _stray(self) -> None:
        """Count a line that says nothing: nobody need read on behind any number of them."""
        self._strays += 1
        if self._strays > PACK_STRAY_LINES_MAX:
            error = MalformedError(f"over {PACK_STRAY_LINES_MAX:,} lines are none of those that a pack has")
            self._give_up(error, self._line)

    def fail(self, error: CounterfoilError) -> None:
        """Take that the next line cannot be read."""
        self._give_up(error, self._line + 1)

    def _give_up(self, error: CounterfoilError, line: int) -> None:
        """Lay a fault to the log that is being read and to the pack; judge nothing more."""
        self.over = True
        at_line(error, line)
        if self._log is not None:
            self._log.refuse(error)
        if self._fault is None:
            self._fault = error

    def finish(self) -> LogFinding | None:
        """End the reading; return the finding of a log that is still open."""
        ended = self._close()
        if not self._ended and not self.over:
            # Where it should stand there is no line.
            self._blame(at_line(MalformedError("the pack has no end: it was cut"), self._line + 1))
        return ended

    def whole(self) -> PackFinding:
        """Return the finding of the pack."""
        absent = tuple(sorted(self._held.keys() - self._met))
        logs, entries, checkpoints = self._counts.values()
        return PackFinding(
            self._operator or "",
            logs,
            entries,
            checkpoints,
            self._line,
            absent,
            self._fault,
            self._claimed,
        )
