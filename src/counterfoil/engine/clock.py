"""The host's clock, watched.

Source: docs/spec/entry.md (times of a log strictly increase); docs/operations/README.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from counterfoil.core.timestamp import parse_time
from counterfoil.errors import EngineError
from counterfoil.limits import CLOCK_REGRESSION_SECONDS_MAX

Clock = Callable[[], int]
"""Microseconds since 1970-01-01T00:00:00Z; may raise `clock-regressed`."""

_FIRST_TIME: Final = parse_time("0001-01-01T00:00:00.000000Z")
_LAST_TIME: Final = parse_time("9999-12-31T23:59:59.999999Z")
_NANOSECONDS_OF_MICROSECOND: Final = 1_000
_DRIFT_NANOSECONDS_MAX: Final = CLOCK_REGRESSION_SECONDS_MAX * 1_000_000_000
# Unlike the plain monotonic clock this one goes on while a laptop sleeps, as the wall clock does.
_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class HostClock:
    """The wall clock, held against the steady one that nobody can set.

    Once the two have parted by more than 5 seconds the wall clock was set under the process, and which of its times
    were right is no longer known: it stays refused until the process starts again.
    """

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = lambda: time.clock_gettime_ns(_STEADY),
    ) -> None:
        """Begin to watch; both functions return nanoseconds."""
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()

    def __call__(self) -> int:
        """Return microseconds since 1970-01-01T00:00:00Z.

        Raises:
            EngineError: `clock-regressed`.
        """
        now = self._wall()
        parted = now - self._steady() - self._offset
        if abs(parted) > _DRIFT_NANOSECONDS_MAX:
            raise EngineError(
                "clock-regressed",
                "the host's clock was set while the process ran; put it right and start again",
                parted_seconds=f"{parted / 1e9:.3f}",
            )
        return now // _NANOSECONDS_OF_MICROSECOND


def next_time(now: int, last: int) -> int:
    """Return the time of the next entry: the clock's, and always later than the entry before, in microseconds.

    Raises:
        EngineError: `clock-regressed`, where the clock lies more than 5 seconds behind the last entry, or outside
            the years that a time can name.
    """
    if now < last - CLOCK_REGRESSION_SECONDS_MAX * 1_000_000:
        raise EngineError(
            "clock-regressed",
            "the clock lies behind the last entry of the log; put it right and try again",
            behind_seconds=f"{(last - now) / 1e6:.3f}",
        )
    time = max(now, last + 1)
    if not _FIRST_TIME <= time <= _LAST_TIME:
        raise EngineError("clock-regressed", "the clock stands outside the years 0001 to 9999; put it right")
    return time
