"""What an evidence pack says that it holds, log by log, and nothing of it judged: that is `core.pack.audit`.

Of each log the first entry is read, which names its customer, and the checkpoints.  The entries behind the first are
counted by the beginnings of their lines, so that a pack of any size is told at the speed at which it is read.

Source: docs/spec/pack.md, steps 1 to 3 and 7, as far as they are about form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from counterfoil.core.checkpoint import Checkpoint, KeySet, parse_checkpoint
from counterfoil.core.details import customer_of
from counterfoil.core.encoding import JsonValue, text_member
from counterfoil.core.entry import OPEN
from counterfoil.core.pack.lines import (
    COUNTED,
    ENTRY,
    Lines,
    at_line,
    bounded_line,
    read_end,
    read_header,
    read_line,
    read_origin,
)
from counterfoil.core.receipt import read_item
from counterfoil.errors import CounterfoilError, MalformedError, VerificationError


@dataclass(frozen=True, slots=True)
class LogSummary:
    """What a pack says of one log.

    Attributes:
        origin: the log.
        customer_id: whose it is, as the details of its `open` entry name them; None where they do not.
        entries: lines with an entry.
        checkpoints: lines with a checkpoint.
        newest: the last checkpoint, None where there is none.
    """

    origin: str
    customer_id: str | None
    entries: int
    checkpoints: int
    newest: Checkpoint | None


@dataclass(frozen=True, slots=True)
class PackSummary:
    """What a pack says of itself; its end counted these lines, and they were there.

    Attributes:
        operator: whose it is.
        logs: lines that begin a log.
        entries: lines with an entry.
        checkpoints: lines with a checkpoint.
    """

    operator: str
    logs: int
    entries: int
    checkpoints: int


def summarize_pack(lines: Lines, keys: KeySet | None = None) -> Iterator[LogSummary | PackSummary]:
    """Read a pack once; yield what it says of each log as that ends, and behind all of them what of itself.

    Memory is constant, whatever the size of the pack.

    Args:
        lines: of the pack, without their newlines.
        keys: where they are given, each checkpoint must be of its log and verify under one of them.

    Raises:
        TooLargeError: where a line has over 262,144 bytes.
        MalformedError: where a line is none that may stand there, or the pack was cut.
        VerificationError: `unknown-type`, where it is of another version; with keys `unknown-key`, `bad-signature`,
            `wrong-origin`.  What is about a line names it in its facts, from 1.
    """
    reading = _Reading(keys)
    for number, line in enumerate(lines, 1):
        try:
            found = reading.take(bounded_line(line))
        except CounterfoilError as error:
            at_line(error, number)
            raise
        if found is not None:
            yield found
    yield reading.whole()


class _Reading:
    """A pack on its way: what it had so far, and the log that is being read."""

    def __init__(self, keys: KeySet | None) -> None:
        self._keys = keys
        self._operator: str | None = None
        self._counts = dict.fromkeys(COUNTED, 0)
        self._log: _Log | None = None
        self._ended = False

    def take(self, line: bytes) -> LogSummary | None:
        """Take the next line; return what is said of the log that it ends."""
        log = self._log
        if log is not None and log.entries and line.startswith(ENTRY):
            log.entries += 1
            return None
        if self._operator is None:
            self._operator = read_header(line)
            return None
        if self._ended:
            raise MalformedError("lines stand behind the end of the pack")
        kind, found = read_line(line)
        if kind == "log":
            return self._begin(read_origin(found))
        if kind == "end":
            return self._end(read_end(found))
        if log is None:
            raise MalformedError(f"a line with {kind} stands in no log")
        if kind == "entry":
            log.take_entry(found)
        else:
            log.take_checkpoint(found, self._keys)
        return None

    def _begin(self, origin: str) -> LogSummary | None:
        if self._log is not None and origin <= self._log.origin:
            raise MalformedError(f"log {origin} does not stand behind {self._log.origin}")
        ended = self._close()
        self._log = _Log(origin)
        return ended

    def _end(self, claimed: dict[str, int]) -> LogSummary | None:
        ended = self._close()
        self._ended = True
        if claimed != self._counts:
            counted = ", ".join(f"{count} {COUNTED[kind]}" for kind, count in self._counts.items())
            raise MalformedError("the end counts other lines than there are", counted=counted)
        return ended

    def _close(self) -> LogSummary | None:
        """End the log that is being read; return what is said of it."""
        log, self._log = self._log, None
        if log is None:
            return None
        log.count(self._counts)
        return log.summary()

    def whole(self) -> PackSummary:
        """Return what is said of the pack, behind its last line."""
        if self._operator is None or not self._ended:
            raise MalformedError("the pack has no end: it was cut")
        return PackSummary(self._operator, *self._counts.values())


class _Log:
    """A log of a pack on its way.

    Attributes:
        origin: the log.
        entries: lines with an entry so far.
    """

    __slots__ = ("_checkpoints", "_customer_id", "_newest", "entries", "origin")

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.entries = 0
        self._customer_id: str | None = None
        self._checkpoints = 0
        self._newest: Checkpoint | None = None

    def take_entry(self, found: dict[str, JsonValue]) -> None:
        """Take a line with an entry: of the first one what it says, of others that they are there."""
        if not self.entries:
            item = read_item(found, what="line")
            if item.entry.type == OPEN and item.details is not None:
                self._customer_id = customer_of(item.details.value)
        self.entries += 1

    def take_checkpoint(self, found: dict[str, JsonValue], keys: KeySet | None) -> None:
        """Take a line with a checkpoint, and verify it where there are keys."""
        checkpoint = parse_checkpoint(text_member(found, "checkpoint", what="line"))
        if keys is not None:
            keys.verify(checkpoint)
            # Else a signature over another log would pass for one over this.
            if checkpoint.origin != self.origin:
                raise VerificationError(
                    "wrong-origin",
                    "a checkpoint is of another log",
                    found=checkpoint.origin,
                    wanted=self.origin,
                )
        self._newest = checkpoint
        self._checkpoints += 1

    def count(self, counts: dict[str, int]) -> None:
        """Add the lines of this log to those before."""
        counts["log"] += 1
        counts["entry"] += self.entries
        counts["checkpoint"] += self._checkpoints

    def summary(self) -> LogSummary:
        """Return what the pack says of it."""
        return LogSummary(self.origin, self._customer_id, self.entries, self._checkpoints, self._newest)
