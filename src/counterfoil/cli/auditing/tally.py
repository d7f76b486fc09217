"""What an audit of packs adds up to: logs, packs, entries, and the totals of each unit.  Imports `core` only.

A log counts once, however many packs have it: with the most that a checkpoint covers, and as refused where one of them
has it so that it is refused.

Source: docs/cli.md#counterfoil-audit.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple

from counterfoil.core.audit import AuditReport


class _Log(NamedTuple):
    """What counts of a log that holds; totals are those under its newest checkpoint."""

    covered: int
    entries: int
    details_absent: int
    unit: str
    deltas: int
    credits: int
    debits: int


@dataclass(slots=True)
class UnitTotal:
    """What the logs of one unit add up to.

    Attributes:
        logs: how many there are.
        deltas: how many they have.
        credits: sum of their credits, in nano (10^-9).
        debits: sum of their debits, in nano.
    """

    logs: int = 0
    deltas: int = 0
    credits: int = 0
    debits: int = 0


@dataclass(slots=True)
class Counts:
    """What was found in all.

    Attributes:
        held: logs that hold.
        refused: logs that do not.
        entries: entries of logs that hold.
        uncovered: entries of these that no checkpoint covers.
        details_absent: details of these that are in no pack.
        units: by unit, ascending, what these add up to.
    """

    held: int = 0
    refused: int = 0
    entries: int = 0
    uncovered: int = 0
    details_absent: int = 0
    units: dict[str, UnitTotal] = field(default_factory=dict)


class Tally:
    """Takes the findings of logs, and adds them up."""

    def __init__(self, shared: Container[str]) -> None:
        """Begin with nothing.

        Args:
            shared: origins of the logs that may be told of several times.  Of others nothing is kept, so that memory does
                not grow with the number of logs that no key has signed.
        """
        self._shared = shared
        self._logs: dict[str, _Log | None] = {}
        self._counts = Counts()

    def hold(self, report: AuditReport) -> None:
        """Take a log that holds, and so has a checkpoint."""
        sealed = report.sealed
        assert sealed is not None  # noqa: S101  -- without a checkpoint nothing is decided
        log = _Log(
            report.covered,
            report.entries,
            report.details_absent,
            sealed.unit,
            sealed.count,
            sealed.credits,
            sealed.debits,
        )
        if report.origin not in self._shared:
            _add(self._counts, log)
        elif report.origin not in self._logs:
            self._logs[report.origin] = log
        elif (before := self._logs[report.origin]) is not None:
            self._logs[report.origin] = max(before, log, key=_most)

    def refuse(self, origin: str) -> None:
        """Take a log that is refused."""
        if origin in self._shared:
            self._logs[origin] = None
        else:
            _add(self._counts, None)

    def close(self) -> Counts:
        """Return what all of it adds up to; nothing may be taken after that."""
        for log in self._logs.values():
            _add(self._counts, log)
        self._logs.clear()
        self._counts.units = dict(sorted(self._counts.units.items()))
        return self._counts


def _most(log: _Log) -> tuple[int, int, int]:
    return log.covered, log.entries, -log.details_absent


def _add(counts: Counts, log: _Log | None) -> None:
    if log is None:
        counts.refused += 1
        return
    counts.held += 1
    counts.entries += log.entries
    counts.uncovered += log.entries - log.covered
    counts.details_absent += log.details_absent
    total = counts.units.setdefault(log.unit, UnitTotal())
    total.logs += 1
    total.deltas += log.deltas
    total.credits += log.credits
    total.debits += log.debits
