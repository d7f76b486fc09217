"""The second reading of a pack: keys of a log that have one hash are told apart, or stand twice.

It follows the first one, log by log, and goes on from where it stood: however many logs are suspected, a pack is read
twice at most, and nothing of a log is kept once it has ended.

Source: docs/spec/pack.md#memory, and step 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from counterfoil.core.audit import duplicate_key
from counterfoil.core.encoding import JsonValue
from counterfoil.core.entry import DELTA
from counterfoil.core.pack.lines import INNER, Lines, at_line, bounded_line, read_line, read_origin
from counterfoil.core.receipt import read_item
from counterfoil.core.seen_keys import HashedKeys
from counterfoil.errors import CounterfoilError, MalformedError, TooLargeError


class SecondReading:
    """Reads a pack once more, as far as the last log in which two keys may be equal."""

    def __init__(self, read: Callable[[], Lines]) -> None:
        """Read nothing yet.

        Args:
            read: gives the lines from the beginning.
        """
        self._lines = _numbered(read)
        # Of the log that stands here; the next one's begins with the next line of a log.
        self._number = -1
        self._in_log = False

    def settle(self, number: int, seen: HashedKeys) -> CounterfoilError | None:
        """Return why a log is refused in which two keys may be equal, None where they are different ones.

        Args:
            number: its place among the logs of the pack, from 0; behind those that were settled before.
            seen: the keys that it had when it ended.

        Raises:
            OSError: what the lines raise.
        """
        search = _Search(seen)
        while self._number <= number and not search.over and (found := next(self._lines, None)) is not None:
            self._take(*found, search if self._number == number else None)
        return search.refusal()

    def _take(self, place: int, line: bytes | str, search: _Search | None) -> None:
        """Take the next line; what is wrong with one was laid to somebody already."""
        try:
            data = bounded_line(line)
            if search is None and data.startswith(INNER):
                return
            kind, members = read_line(data)
            if kind == "log":
                self._in_log = False
                read_origin(members)
                self._number += 1
                self._in_log = True
            elif kind == "entry" and search is not None and self._in_log:
                search.take(members, place)
        except CounterfoilError:
            pass


def _numbered(read: Callable[[], Lines]) -> Iterator[tuple[int, bytes | str]]:
    """Yield the lines of a pack, counted from 1, up to what its reader refuses."""
    try:
        yield from enumerate(read(), 1)
    except CounterfoilError:
        # It did not the first time: then the suspects are not all met again.
        return


class _Search:
    """The search for a key that stands twice, among the suspects of one log."""

    def __init__(self, seen: HashedKeys) -> None:
        self._suspects = frozenset(seen.suspects)
        self._overflowed = seen.overflowed
        # Behind so many deltas the log was refused, or it ended.
        self._left = seen.added
        self._met: set[bytes] = set()
        # Index and line of the first that did.
        self._repeated: tuple[int, int] | None = None

    @property
    def over(self) -> bool:
        """Whether no further entry can change what was found."""
        return self._repeated is not None or not self._left

    def take(self, line: dict[str, JsonValue], place: int) -> None:
        """Take the next entry of the log, and where it stands in the pack."""
        entry = read_item(line, what="line").entry
        if entry.type != DELTA:
            return
        self._left -= 1
        key = bytes.fromhex(entry.key)
        if key in self._met:
            self._repeated = entry.index, place
        if key in self._suspects:
            self._met.add(key)

    def refusal(self) -> CounterfoilError | None:
        """Return why the log is refused, None where its keys are different ones."""
        if self._repeated is not None:
            index, place = self._repeated
            error = at_line(duplicate_key(index), place)
            error.facts["index"] = str(index)
            return error
        if self._left or self._met != self._suspects:
            return MalformedError("the pack was another one when it was read again")
        if self._overflowed:
            return TooLargeError("too many keys of the log have one hash: they cannot be told apart here")
        return None
