"""One log of an evidence pack on its way through its audit: its lines in, its finding out.

What a log must keep, `core.audit` says.  Here its first fault is remembered, with the place in the pack, and whatever
comes behind it is passed over.

Source: docs/spec/pack.md, whose step numbers stand in the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from counterfoil.core.audit import AuditReport, LogAudit, undecided
from counterfoil.core.checkpoint import Checkpoint, KeySet
from counterfoil.core.details import customer_of
from counterfoil.core.encoding import JsonValue, text_member
from counterfoil.core.entry import OPEN
from counterfoil.core.pack.lines import at_line
from counterfoil.core.receipt import read_item
from counterfoil.core.reference import operator_of
from counterfoil.core.seen_keys import HashedKeys
from counterfoil.errors import CounterfoilError, VerificationError

# Complete tiles are nobody's here; they are dropped each time that so many entries were read.
_TILES_KEPT_ENTRIES: Final = 4_096


class PackLog:
    """A log of a pack on its way through `LogAudit`.

    Attributes:
        number: its place among the logs of the pack, from 0.
        origin: the log.
        line: the last of its lines that was judged, counted from 1 in the pack.
        seen: its idempotency keys.
        found: its finding, as soon as there is one.
    """

    def __init__(
        self, number: int, origin: str, line: int, *, operator: str, keys: KeySet, held: Sequence[Checkpoint]
    ) -> None:
        self.number = number
        self.origin = origin
        self.line = line
        self.seen = HashedKeys()
        self.found: AuditReport | CounterfoilError | None = None
        self._audit: LogAudit | None = None
        self._entries = 0
        self._customer_id: str | None = None
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
            # Where it was raised is nobody's business, and would keep what was read there for as long as the finding lives.
            error.__cause__ = error.__context__ = None
            self.found = at_line(error.with_traceback(None), self.line)
        self._audit = None

    def take(self, kind: str, found: dict[str, JsonValue], line: int) -> None:
        """Take a line with an entry or a checkpoint."""
        if self._audit is None:
            return
        self.line = line
        try:
            if kind == "entry":
                self._take_entry(self._audit, found)
            else:
                # Step 5: audit steps 6 to 9.
                self._audit.checkpoint(text_member(found, "checkpoint", what="line"))
        except CounterfoilError as error:
            at_line(error, line)
            if kind == "entry":
                error.facts.setdefault("index", str(self._entries))
            self.refuse(error)

    def _take_entry(self, audit: LogAudit, found: dict[str, JsonValue]) -> None:
        # Step 4: the entry and its details as in a receipt, then audit steps 3 to 5.
        item = read_item(found, what="line")
        details = item.details
        salt, value = (None, None) if details is None else (details.salt, details.canonical)
        audit.take(item.entry, item.data, salt, value)
        if item.entry.type == OPEN and details is not None:
            self._customer_id = customer_of(details.value)
        self._entries += 1
        if self._entries % _TILES_KEPT_ENTRIES == 0:
            audit.take_tiles()

    def finish(self) -> AuditReport | CounterfoilError:
        """End the log (step 6); return its finding."""
        if self._audit is not None:
            try:
                report = replace(self._audit.finish(), customer_id=self._customer_id)
                error = undecided(report)
                self.found = report if error is None else at_line(error, self.line)
            except CounterfoilError as error:
                self.refuse(error)
        assert self.found is not None  # noqa: S101  -- without an audit it was refused
        self._audit = None
        return self.found
