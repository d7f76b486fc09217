"""Is all that was acknowledged sealed, and did no watermark ever pass what was not?  For every way to number and to seal."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from itertools import accumulate
from typing import Any, NamedTuple


class Ack(NamedTuple):
    """What a writer was told: where its row stands, the row's own time, and when it began to ask."""

    log: Any
    place: int
    time: Any
    began: int


class Seen(NamedTuple):
    """What a reader saw, and when: everything up to the time stands below `size`, and is sealed."""

    log: Any
    size: int
    time: Any
    at: int


class Losses(NamedTuple):
    """Acknowledged rows that break the promise.

    Attributes:
        unsealed: no seal covers them, though the sealing went on to the end.
        passed: a watermark that somebody saw lies at or behind their time, and what it stands for does not cover them.
        late: they bear no later time than a watermark that was seen before they were asked for.
    """

    unsealed: list[Ack]
    passed: list[Ack]
    late: list[Ack]


def losses(acks, sealed, seen):
    """Return what is lost.

    Args:
        acks: `Ack` each.
        sealed: every (log, place) that is sealed at the end.
        seen: `Seen` each.
    """
    by_size, by_moment = _Highest(seen, "size"), _Highest(seen, "at")
    return Losses(
        [ack for ack in acks if (ack.log, ack.place) not in sealed],
        [ack for ack in acks if by_size.reaches(ack, ack.place, strictly=False)],
        [ack for ack in acks if by_moment.reaches(ack, ack.began, strictly=True)],
    )


class _Highest:
    """The highest watermark of a log up to some size or moment."""

    def __init__(self, seen, by):
        found = defaultdict(list)
        for each in seen:
            found[each.log].append((getattr(each, by), each.time))
        self._of = {}
        for log, pairs in found.items():
            pairs.sort()
            self._of[log] = ([at for at, _ in pairs], list(accumulate((time for _, time in pairs), max)))

    def reaches(self, ack, bound, *, strictly):
        """Whether a watermark up to a bound lies at or behind the time of a row."""
        at, highest = self._of.get(ack.log, ([], []))
        count = (bisect_left if strictly else bisect_right)(at, bound)
        return count > 0 and ack.time <= highest[count - 1]
