"""The second reading of a pack: keys of a log that have one hash are told apart, or stand twice.

Source: docs/spec/pack.md#memory, and step 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from counterfoil.core.audit import duplicate_key
from counterfoil.core.encoding import JsonValue
from counterfoil.core.entry import DELTA
from counterfoil.core.pack import at_line, bounded_line, read_line, read_origin
from counterfoil.core.receipt import read_item
from counterfoil.core.seen_keys import HashedKeys
from counterfoil.errors import CounterfoilError, MalformedError, TooLargeError


def settle(
    lines: Iterable[bytes | str], suspected: Mapping[int, HashedKeys]
) -> dict[int, CounterfoilError | None]:
    """Read a pack once more; return what is to be said of logs in which two keys may be equal.

    Args:
        lines: of the pack, from the beginning.
        suspected: by the number of the log, the keys that it had when it ended.

    Returns:
        By the same number why the log is refused, None where its keys are different ones.
    """
    searches = {number: _Search(seen) for number, seen in suspected.items()}
    search, number = None, -1
    for place, line in enumerate(lines, 1):
        try:
            kind, members = read_line(bounded_line(line))
            if kind == "log":
                search = None
                read_origin(members)
                number += 1
                search = searches.get(number)
            elif kind == "entry" and search is not None:
                search.take(members, place)
        except CounterfoilError:
            continue  # it was laid to somebody already
    return {number: search.refusal() for number, search in searches.items()}


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

    def take(self, line: dict[str, JsonValue], place: int) -> None:
        """Take the next entry of the log, and where it stands in the pack."""
        entry = read_item(line, what="line").entry
        if entry.type != DELTA or not self._left:
            return
        self._left -= 1
        key = bytes.fromhex(entry.key)
        if key in self._met and self._repeated is None:
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
