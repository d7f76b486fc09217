"""What a store keeps so that things are found, held against the entries and checkpoints that they lead to.

All of it is a hint and decides nothing.  But a wrong one has things not found: a repeated request, a customer, a
checkpoint, the place of an instant.

Source: docs/spec/audit.md, docs/decisions/0011-found-by-name-time-and-count.md.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence

from counterfoil.core.details import customer_of
from counterfoil.core.entry import Entry
from counterfoil.engine.history import count_of, time_of
from counterfoil.engine.store import Head, NamedLog, ReadTransaction, StoredEntry
from counterfoil.engine.stored import log_corrupt, read_details
from counterfoil.errors import EngineError

_Near = Callable[[Sequence[tuple[bytes, int]]], list[tuple[int, int]]]


def check_keys(view: ReadTransaction, log: bytes, prefixes: Mapping[int, int]) -> None:
    """Refuse entries that a repeated request would not find by its key.

    Args:
        view: where they are.
        log: whose.
        prefixes: of each delta its index and the prefix of its key.

    Raises:
        EngineError: `log-corrupt`.
    """
    found = view.find_keys([(log, prefix) for prefix in prefixes.values()])
    for index, prefix in prefixes.items():
        if index not in found.get((log, prefix), ()):
            raise log_corrupt(log, f"entry {index} is stored under another key")


def check_roots(view: ReadTransaction, log: bytes, prefixes: Mapping[int, int]) -> None:
    """Refuse checkpoints, a prefix of the root by the size, that are not found by their roots.

    Raises:
        EngineError: `log-corrupt`.
    """
    found = view.find_roots([(log, size, prefix) for size, prefix in prefixes.items()])
    for size in prefixes:
        if (log, size) not in found:
            raise log_corrupt(log, f"its checkpoint of size {size} is stored under another root")


def check_name(view: ReadTransaction, head: Head, row: StoredEntry, entry: Entry) -> None:
    """Refuse a name that the details of the open entry do not say, and none where they say one.

    Erased details leave no name behind.

    Raises:
        EngineError: `log-corrupt`.
    """
    opened = read_details(row, entry)
    named = view.named_logs([head.log]).get(head.log)
    try:
        said = None if opened is None else NamedLog(head.log, head.tenant, customer_of(opened))
    except EngineError:  # what is signed names no possible customer
        said = None
    if named != said:
        raise log_corrupt(head.log, "in the list of customers it bears another name than its open entry")


class Places:
    """Holds where the store says that times and counts lie against where they do, entry by entry.

    It asks no more often than the answers change: at the beginning and the end of each range that the store names, and
    right behind that end, where a range that claims too much still answers.
    """

    def __init__(self, log: bytes) -> None:
        self._log = log
        self._base = 0
        self._entries: list[Entry] = []

    def take(self, view: ReadTransaction, entries: Sequence[Entry]) -> None:
        """Hold what is said of the next entries.

        Raises:
            EngineError: `log-corrupt`.
        """
        self._entries += entries
        self._walk(view.near_times, time_of)
        self._walk(view.near_counts, count_of)
        # Of the last one the end is known, and what is behind it is not.
        self._base += len(self._entries) - 1
        self._entries = self._entries[-1:]

    def finish(self, view: ReadTransaction) -> None:
        """Hold what is said of what comes after the last entry; there may be more entries by now.

        Raises:
            EngineError: `log-corrupt`.
        """
        size = self._base + 1
        for near, value_of in ((view.near_times, time_of), (view.near_counts, count_of)):
            ((_, high),) = near([(self._log, value_of(self._entries[-1]) + 1)])
            if high < size:
                raise self._refusal(size)

    def _walk(self, near: _Near, value_of: Callable[[Entry], int]) -> None:
        # Whatever is not above the first value may be reached before it.
        wanted = value_of(self._entries[0]) + (self._base > 0)
        while wanted <= value_of(self._entries[-1]):
            end = self._check(near, value_of, wanted)
            last = value_of(self._entries[min(end - self._base, len(self._entries) - 1)])
            if last > wanted:
                self._check(near, value_of, last)
            wanted = last + 1

    def _check(self, near: _Near, value_of: Callable[[Entry], int], wanted: int) -> int:
        """Hold the range of one value against its place; return where the range ends."""
        place = self._base + bisect_left(self._entries, wanted, key=value_of)
        ((low, high),) = near([(self._log, wanted)])
        if not low <= place <= high:
            raise self._refusal(place)
        return high

    def _refusal(self, place: int) -> EngineError:
        return log_corrupt(self._log, f"by time or count entry {place} is looked for where it is not")
