"""What a client is told when it is made, besides where and who.

Source: docs/api/client.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long a request is tried.

    Attributes:
        attempts: at most so many, the first one included; 1 tries nothing again.
        total_seconds: no attempt begins later than this after the first one.
        first_pause_seconds: before the second attempt; doubled before each further one.
        pause_seconds_max: no pause is longer, but for one that `Retry-After` asks for.
    """

    attempts: int = 5
    total_seconds: float = 90
    first_pause_seconds: float = 0.5
    pause_seconds_max: float = 8


@dataclass(frozen=True, slots=True)
class World:
    """What requests need of the world, each replaceable.

    Attributes:
        clock: seconds that never go back, from any beginning.
        sleep: waits for so many seconds.
        randomness: returns so many unpredictable bytes.
    """

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    randomness: Callable[[int], bytes]
