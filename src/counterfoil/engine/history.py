"""Places in the history of a log: where it stood at an instant, and what happened in a window.

Times and counts never fall along a log, and every entry carries the running totals.  So the sums of any window are the
difference between two entries, found by search: what a question costs does not grow with the history behind it.

Where to search, the store may hint (`near_times`, `near_counts`).  What counts are the entries' own bytes: a hint that
they contradict is passed over.

Source: docs/api/customer-record.md, docs/spec/entry.md.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from counterfoil.core.entry import SEAL, Entry
from counterfoil.core.movement import Movement
from counterfoil.core.timestamp import to_microseconds
from counterfoil.engine.store import Head, ReadTransaction, StoredEntry
from counterfoil.engine.stored import log_corrupt, read_entry, read_last, read_stored
from counterfoil.engine.windows import Window

# A range of so many entries is read at once; a longer one is halved first, an entry a step.
_READ_AT_ONCE: Final = 512
# Places that are looked up together: bounds what is held of the entries around them.
_PLACES_AT_ONCE: Final = 32

Range = tuple[int, int]


class Mark(NamedTuple):
    """A log as it stood before one of its entries, or at its end.

    Attributes:
        size: entries up to there.
        count: deltas among them.
        credits: sum of their positive amounts, in nano (10^-9).
        debits: sum of their negated negative amounts, in nano.
    """

    size: int
    count: int  # type: ignore[assignment]  # in place of tuple.count(), which no mark needs
    credits: int
    debits: int

    @property
    def balance(self) -> int:
        """Credits less debits, in nano."""
        return self.credits - self.debits


START: Final = Mark(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Span(Movement):
    """What happened in a window.

    Attributes:
        window: which.
        opening: the log before the window's first instant.
        closing: the log before the first instant behind the window.
        verified_opening: what checkpoints covered whose seal lies before the window.
        verified_closing: what checkpoints covered whose seal lies before the window's end.
    """

    window: Window
    opening: Mark
    closing: Mark
    verified_opening: Mark
    verified_closing: Mark

    @property
    def verified(self) -> int:
        """Deltas whose first checkpoint has its seal in the window."""
        return self.verified_closing.count - self.verified_opening.count


def mark_after(entry: Entry) -> Mark:
    """Return the log as it stands behind an entry."""
    return Mark(entry.index + 1, entry.count, entry.credits, entry.debits)


def marks_at(view: ReadTransaction, head: Head, times: Sequence[int]) -> list[Mark]:
    """Return for each instant, in microseconds, the log before its first entry at or behind that instant.

    Raises:
        EngineError: `log-corrupt`.
    """
    return _Search(view, head, time_of, view.near_times).marks(times)


def marks_at_counts(view: ReadTransaction, head: Head, counts: Sequence[int]) -> list[Mark]:
    """Return for each count the log before its first entry with at least that count: before delta number `count`.

    Raises:
        EngineError: `log-corrupt`.
    """
    return _Search(view, head, count_of, view.near_counts).marks(counts)


def spans(view: ReadTransaction, head: Head, windows: Sequence[Window]) -> list[Span]:
    """Return what happened in windows, which may follow on one another.

    Raises:
        EngineError: `log-corrupt`.
    """
    times = sorted({time for window in windows for time in window})
    marks = dict(zip(times, marks_at(view, head, times), strict=True))
    verified = dict(zip(times, verified_at(view, head, [marks[time] for time in times]), strict=True))
    return [
        Span(
            window,
            marks[window.start],
            marks[window.end],
            verified[window.start],
            verified[window.end],
        )
        for window in windows
    ]


def verified_at(view: ReadTransaction, head: Head, marks: Sequence[Mark]) -> list[Mark]:
    """Return for each mark what the newest published checkpoint covers whose seal lies before it.

    Raises:
        EngineError: `log-corrupt`.
    """
    wanted = [(head.log, min(mark.size, head.checkpoint_size)) for mark in marks]
    found = view.checkpoints_up_to(sorted(set(wanted)))
    # The seal under a checkpoint carries the totals of all that it covers.
    sizes = sorted({checkpoint.size for checkpoint in found.values()})
    seals = {size: _mark_under(row, size) for size, row in _singles(view, head, [size - 1 for size in sizes])}
    return [seals[found[place].size] if place in found else START for place in wanted]


def _mark_under(row: StoredEntry, size: int) -> Mark:
    entry = read_stored(row)
    if entry.type != SEAL:
        raise log_corrupt(row.log, f"no seal under its checkpoint of size {size}")
    return mark_after(entry)


def _singles(view: ReadTransaction, head: Head, indices: Sequence[int]) -> Iterator[tuple[int, StoredEntry]]:
    """Yield for each index, ascending, the index behind it and the entry at it."""
    for at in range(0, len(indices), _PLACES_AT_ONCE):
        part = indices[at : at + _PLACES_AT_ONCE]
        wanted = join([(index, index + 1) for index in part], head.log)
        rows = view.entries_of(wanted, with_details=False).get(head.log, [])
        by_index = {row.index: row for row in rows}
        for index in part:
            if index not in by_index:
                raise log_corrupt(head.log, f"entry {index} is missing")
            yield index + 1, by_index[index]


def join(ranges: Sequence[Range], log: bytes) -> list[tuple[bytes, int, int]]:
    """Return ranges of a log such that none meet, as a store wants them, which hold these."""
    joined: list[tuple[bytes, int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][2]:
            joined[-1] = (log, joined[-1][1], max(end, joined[-1][2]))
        else:
            joined.append((log, start, end))
    return joined


def time_of(entry: Entry) -> int:
    """Return the time of an entry, in microseconds: what `near_times` looks for."""
    return to_microseconds(entry.recorded_at)


def count_of(entry: Entry) -> int:
    """Return how many deltas there are up to an entry: what `near_counts` looks for."""
    return entry.count


class _Search:
    """Finds, in one log, the first entry whose value is not below a wanted one; values never fall along a log."""

    def __init__(
        self,
        view: ReadTransaction,
        head: Head,
        value_of: Callable[[Entry], int],
        near: Callable[[Sequence[tuple[bytes, int]]], list[Range]],
    ) -> None:
        self._view = view
        self._head = head
        self._value_of = value_of
        self._near = near
        self._last = read_last(head)

    def marks(self, wanted: Sequence[int]) -> list[Mark]:
        found: dict[int, Mark] = {}
        inside = []
        for value in sorted(set(wanted)):
            if value > self._value_of(self._last):
                found[value] = mark_after(self._last)
            else:
                inside.append(value)
        for at in range(0, len(inside), _PLACES_AT_ONCE):
            part = inside[at : at + _PLACES_AT_ONCE]
            found.update(zip(part, self._marks(part), strict=True))
        return [found[value] for value in wanted]

    def _marks(self, wanted: Sequence[int]) -> list[Mark]:
        hints = self._near([(self._head.log, value) for value in wanted])
        places = [
            self._narrowed(value, *self._bounded(*hint)) for value, hint in zip(wanted, hints, strict=True)
        ]
        ranges = [self._settling(*place) for place in places]
        rows = self._read(ranges)
        marks = []
        for value, place, entries in zip(wanted, places, ranges, strict=True):
            mark = self._settle(value, rows, entries)
            if mark is None:
                mark = self._settle_from_before(value, place)
            if mark is None:  # The hint was none.
                mark = self._settle_from_before(value, self._narrowed(value, 0, self._head.size))
            if mark is None:
                raise log_corrupt(self._head.log, "times or totals fall along the log")
            marks.append(mark)
        return marks

    def _bounded(self, low: int, high: int) -> Range:
        """Keep a hint within the log."""
        low = min(max(low, 0), self._head.size)
        return low, min(max(high, low), self._head.size)

    def _narrowed(self, value: int, low: int, high: int) -> Range:
        """Halve a range until it can be read at once."""
        while high - low > _READ_AT_ONCE:
            middle = (low + high) // 2
            if self._value_of(read_entry(self._view, self._head.log, middle)) < value:
                low = middle + 1
            else:
                high = middle
        return low, high

    def _settling(self, low: int, high: int) -> Range:
        """The entries that settle a place in most cases: a bundle and no other, where the hint was one."""
        return low, min(high + 1, self._head.size)

    def _read(self, ranges: Sequence[Range]) -> dict[int, StoredEntry]:
        log = self._head.log
        rows = self._view.entries_of(join(ranges, log), with_details=False).get(log, [])
        return {row.index: row for row in rows}

    def _settle_from_before(self, value: int, place: Range) -> Mark | None:
        """Read the entry before a place too: it settles what lies at the very beginning."""
        low, high = self._settling(*place)
        entries = (max(low - 1, 0), high)
        return self._settle(value, self._read([entries]), entries)

    def _settle(self, value: int, rows: dict[int, StoredEntry], entries: Range) -> Mark | None:
        """Return the mark, None where these entries do not settle that it is among them."""
        low, high = entries
        for index in range(low, high):
            if index not in rows:
                raise log_corrupt(self._head.log, f"entry {index} is missing")
        size = low + bisect_left(
            range(low, high), value, key=lambda index: self._value_of(read_stored(rows[index]))
        )
        if (size == low and low) or (size == high and high < self._head.size):
            return None
        return mark_after(read_stored(rows[size - 1])) if size else START
