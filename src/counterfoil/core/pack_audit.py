"""Auditing evidence packs as they are read, line by line.

What a log must keep, `core.audit` says.  Here is what goes on when something is wrong: a fault in a log is that log's,
and the next log is read on; a fault that nobody can lay to a log is the pack's.

Nothing here opens a file: a pack is a function that gives its lines, each time from the beginning.

Source: docs/spec/pack.md, whose step numbers stand in the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from counterfoil.core.audit import AuditReport, LogAudit, duplicate_key, undecided
from counterfoil.core.checkpoint import Checkpoint, KeySet
from counterfoil.core.encoding import JsonValue, text_member
from counterfoil.core.entry import DELTA
from counterfoil.core.pack import COUNTED, Lines, bounded_line, read_end, read_header, read_line, read_origin
from counterfoil.core.receipt import read_item
from counterfoil.core.reference import operator_of
from counterfoil.core.seen_keys import HashedKeys
from counterfoil.errors import (
    CounterfoilError,
    MalformedError,
    TooLargeError,
    VerificationError,
    worst_exit,
)

# Complete tiles are nobody's here; they are dropped each time that so many entries were read.
_TILES_KEPT_ENTRIES: Final = 4_096


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
        absent: logs of which the auditor holds a checkpoint, and that are not in the pack.
        fault: why the pack is refused, None where its lines keep to the format.
    """

    operator: str
    logs: int
    entries: int
    checkpoints: int
    absent: tuple[str, ...]
    fault: CounterfoilError | None


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


def verify_pack(
    read: Callable[[], Lines], keys: KeySet, *, held: Mapping[str, Checkpoint] | None = None
) -> VerifiedPack:
    """Verify a whole pack; otherwise as `audit_pack`, which is for packs of many logs.

    Raises:
        CounterfoilError: the worst finding, by exit status; of several the first, that of the pack last.
    """
    *findings, whole = audit_pack(read, keys, held=held)
    assert isinstance(whole, PackFinding)  # noqa: S101  -- audit_pack ends with it
    # Those that had to wait for a second read came last.
    logs = sorted((one for one in findings if isinstance(one, LogFinding)), key=lambda one: one.number)
    refusals = [one.found for one in logs if isinstance(one.found, CounterfoilError)]
    if whole.fault is not None:
        refusals.append(whole.fault)
    if refusals:
        worst = worst_exit([refusal.exit_status for refusal in refusals])
        raise next(refusal for refusal in refusals if refusal.exit_status == worst)
    reports = [one.found for one in logs if isinstance(one.found, AuditReport)]
    return VerifiedPack(whole.operator, tuple(reports), whole.absent)


def audit_pack(
    read: Callable[[], Lines], keys: KeySet, *, held: Mapping[str, Checkpoint] | None = None
) -> Iterator[LogFinding | PackFinding]:
    """Audit a pack, line by line; yield a finding for each log as it ends, and one for the pack behind all.

    Memory is some 10 bytes at most for each delta of the log that is being read, and constant beside that.

    Args:
        read: gives the lines from the beginning.  It is called a second time where two keys of a log may be equal;
            the findings of such logs come behind the others.
        keys: the keys that the auditor trusts, never from the pack.
        held: checkpoints that the auditor kept from before, by origin; a log must extend its own.

    Raises:
        OSError: what `read` and its lines raise; what they refuse, as damaged gzip, is a fault of the pack.
    """
    reading = _Reading(keys, held or {})
    for line in _received(read, reading.give_up):
        if (finding := reading.take(line)) is not None:
            yield finding
        if reading.over:
            break
    if (finding := reading.finish()) is not None:
        yield finding
    if reading.suspected:
        # Where it fails this time, the suspects are not all met again.
        yield from _settled(_received(read, lambda _: None), reading.suspected)
    yield reading.whole()


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
        suspected: logs that ended and in which two keys may be equal, by number.
    """

    def __init__(self, keys: KeySet, held: Mapping[str, Checkpoint]) -> None:
        self._keys = keys
        self._held = held
        self._operator: str | None = None
        self._counts = dict.fromkeys(COUNTED, 0)
        self._met: set[str] = set()
        self._origin = ""
        self._log: _LogReading | None = None
        self._begun = 0
        self._ended = False
        self._fault: CounterfoilError | None = None
        self.over = False
        self.suspected: dict[int, _LogReading] = {}

    def take(self, line: bytes | str) -> LogFinding | None:
        """Take the next line; return the finding of the log that it ends."""
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
            self.give_up(error)
            return None
        try:
            # Step 1: a line of one of the shapes.
            kind, found = read_line(data)
        except CounterfoilError as error:
            self._blame(error)
            return None
        if kind in self._counts:
            self._counts[kind] += 1
        if kind == "log":
            return self._begin(found, self._operator)
        if kind == "end":
            return self._end(found)
        if self._log is None:
            self._blame(MalformedError(f"a line with {kind} stands in no log"))
        else:
            self._log.take(kind, found)
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
            return ended
        self._origin = origin
        if origin in self._held:
            self._met.add(origin)
        self._log = _LogReading(self._begun, origin, self._keys, self._held.get(origin), operator)
        self._begun += 1
        return ended

    def _end(self, found: dict[str, JsonValue]) -> LogFinding | None:
        """End the log that is being read, and the pack."""
        ended = self._close()
        self._ended = True
        # Step 7: it counts what stood there, and something did.
        try:
            if read_end(found) != self._counts:
                counted = ", ".join(f"{self._counts[kind]} {name}" for kind, name in COUNTED.items())
                raise MalformedError("the end counts other lines than there are", counted=counted)
            if not self._begun:
                raise VerificationError("nothing-checked", "the pack holds no log")
        except CounterfoilError as error:
            self._blame(error)
        return ended

    def _close(self) -> LogFinding | None:
        """End the log that is being read; return its finding, unless that has to wait."""
        log, self._log = self._log, None
        if log is None:
            return None
        found = log.finish()
        if log.seen.suspects:
            self.suspected[log.number] = log
            return None
        return LogFinding(log.number, log.origin, found)

    def _blame(self, error: CounterfoilError) -> None:
        """Lay a fault to the log that is being read, else to the pack; the first of each stands."""
        if self._log is not None:
            self._log.refuse(error)
        elif self._fault is None:
            self._fault = error

    def give_up(self, error: CounterfoilError) -> None:
        """Lay a fault to the log that is being read and to the pack; judge nothing more."""
        self.over = True
        if self._log is not None:
            self._log.refuse(error)
        if self._fault is None:
            self._fault = error

    def finish(self) -> LogFinding | None:
        """End the reading; return the finding of a log that is still open."""
        ended = self._close()
        if not self._ended and not self.over:
            self._blame(MalformedError("the pack has no end: it was cut"))
        return ended

    def whole(self) -> PackFinding:
        """Return the finding of the pack."""
        absent = tuple(sorted(self._held.keys() - self._met))
        logs, entries, checkpoints = self._counts.values()
        return PackFinding(self._operator or "", logs, entries, checkpoints, absent, self._fault)


class _LogReading:
    """A log of a pack on its way through `LogAudit`.

    Attributes:
        number: its place among the logs of the pack.
        origin: the log.
        seen: its idempotency keys.
        found: its finding, as soon as there is one.
    """

    def __init__(
        self, number: int, origin: str, keys: KeySet, held: Checkpoint | None, operator: str
    ) -> None:
        self.number = number
        self.origin = origin
        self.seen = HashedKeys()
        self.found: AuditReport | CounterfoilError | None = None
        self._audit: LogAudit | None = None
        self._entries = 0
        try:
            if operator_of(origin) != operator:
                raise VerificationError(
                    "wrong-origin", "the log is of another operator", found=origin, wanted=operator
                )
            self._audit = LogAudit(origin, keys, held=held, seen=self.seen)
        except CounterfoilError as error:
            self.refuse(error)

    def refuse(self, error: CounterfoilError) -> None:
        """Refuse the log, unless it was refused before; nothing more of it is judged."""
        if self.found is None:
            self.found = error
        self._audit = None

    def take(self, kind: str, found: dict[str, JsonValue]) -> None:
        """Take a line with an entry or a checkpoint."""
        if self._audit is None:
            return
        try:
            if kind == "entry":
                self._take_entry(self._audit, found)
            else:
                # Step 5: audit steps 6 to 9.
                self._audit.checkpoint(text_member(found, "checkpoint", what="line"))
        except CounterfoilError as error:
            self.refuse(error)

    def _take_entry(self, audit: LogAudit, found: dict[str, JsonValue]) -> None:
        # Step 4: the entry and its details as in a receipt, then audit steps 3 to 5.
        item = read_item(found, what="line")
        details = item.details
        salt, value = (None, None) if details is None else (details.salt, details.canonical)
        audit.take(item.entry, item.data, salt, value)
        self._entries += 1
        if self._entries % _TILES_KEPT_ENTRIES == 0:
            audit.take_tiles()

    def finish(self) -> AuditReport | CounterfoilError:
        """End the log (step 6); return its finding."""
        if self._audit is not None:
            try:
                report = self._audit.finish()
                self.found = undecided(report) or report
            except CounterfoilError as error:
                self.refuse(error)
        assert self.found is not None  # noqa: S101  -- without an audit it was refused
        self._audit = None
        return self.found


def _settled(lines: Lines, suspected: Mapping[int, _LogReading]) -> Iterator[LogFinding]:
    """Read a pack once more; yield what is to be said of logs in which two keys may be equal (step 4)."""
    searches = {number: _Search(log.seen) for number, log in suspected.items()}
    search, number = None, -1
    for line in lines:
        try:
            kind, members = read_line(bounded_line(line))
            if kind == "log":
                search = None
                read_origin(members)
                number += 1
                search = searches.get(number)
            elif kind == "entry" and search is not None:
                search.take(members)
        except CounterfoilError:
            continue  # it was laid to somebody already
    for number, log in suspected.items():
        found = searches[number].refusal() or log.found
        assert found is not None  # noqa: S101  -- it has ended
        yield LogFinding(number, log.origin, found)


class _Search:
    """The search for a key that stands twice, among the suspects of one log."""

    def __init__(self, seen: HashedKeys) -> None:
        self._suspects = frozenset(seen.suspects)
        self._overflowed = seen.overflowed
        # Behind so many deltas the log was refused, or it ended.
        self._left = seen.added
        self._met: set[bytes] = set()
        self._repeated: int | None = None

    def take(self, line: dict[str, JsonValue]) -> None:
        """Take the next entry of the log."""
        entry = read_item(line, what="line").entry
        if entry.type != DELTA or not self._left:
            return
        self._left -= 1
        key = bytes.fromhex(entry.key)
        if key in self._met and self._repeated is None:
            self._repeated = entry.index
        if key in self._suspects:
            self._met.add(key)

    def refusal(self) -> CounterfoilError | None:
        """Return why the log is refused, None where its keys are different ones."""
        if self._repeated is not None:
            return duplicate_key(self._repeated)
        if self._left or self._met != self._suspects:
            return MalformedError("the pack was another one when it was read again")
        if self._overflowed:
            return TooLargeError("too many keys of the log have one hash: they cannot be told apart here")
        return None
