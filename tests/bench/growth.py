"""One log that grows: what one record, one checkpoint and one receipt take, and what work on all of it takes."""

from __future__ import annotations

import random
import resource
import statistics

from counterfoil.core.checkpoint import KeySet
from counterfoil.engine.engine import Engine
from tests.bench.world import OPERATOR, Figure, Watch, deltas, fresh_engine, percentile, record_all
from tests.bench.yardsticks import leaf_hash_rate

_CUSTOMER = "cust_000000"
_SMALLEST = 1_000
# Of each kind, at each size.
_ROUNDS = 300
_KIBIBYTES_OF_MEBIBYTE = 1024


def one_log(count: int, database: str) -> list[Figure]:
    """A log of 10^3 deltas, 10^4, and so on up to the count; at each size its latencies, at the last one the rest."""
    sizes = [size for power in range(3, 10) if (size := 10**power) <= count]
    latencies = {}
    with fresh_engine(database) as (engine, _):
        log = _Log(engine)
        for size in sizes:
            new = size - log.deltas
            log.grow(new)
            before = _peak_memory()
            seconds = log.checkpoint()
            grown = _peak_memory() - before
            latencies[size] = log.latencies()
        with Watch() as auditing:
            # Keys that have not verified anything yet: what one of them has verified it remembers.
            audited = engine.audit(_CUSTOMER, KeySet([OPERATOR.verifier_key])).entries
    return [
        Figure(
            f"checkpoint one log with {new:,} new entries",
            new / seconds,
            "entries/s",
            "50,000",
            "120,000",
            "leaf hashes alone",
            leaf_hash_rate(),
        ),
        Figure(
            f"memory that this checkpoint adds, {new:,} entries",
            grown,
            "MiB",
            "flat",
            "",
            "the process before",
            before,
            decimals=1,
        ),
        *_growth(latencies),
        Figure(
            f"audit of this log, {audited:,} entries",
            audited / auditing.seconds,
            "entries/s",
            "",
            "",
            "leaf hashes alone",
            leaf_hash_rate(),
        ),
    ]


def _growth(latencies: dict[int, dict[str, list[float]]]) -> list[Figure]:
    """The median of each kind at each size, and the 99th percentile at the largest, against the smallest log."""
    figures = []
    smallest = latencies.pop(_SMALLEST)
    for kind, small in smallest.items():
        for size, found in latencies.items():
            figures.append(
                Figure(
                    f"one {kind}, log of {size:,}, median",
                    statistics.median(found[kind]),
                    "ms",
                    "2 times",
                    "1.2 times",
                    f"log of {_SMALLEST:,}",
                    statistics.median(small),
                    decimals=2,
                )
            )
        reach, aim = ("5 ms", "1 ms") if kind == "receipt" else ("", "")
        figures.append(
            Figure(
                f"one {kind}, log of {size:,}, p99",
                percentile(found[kind], 0.99),
                "ms",
                reach,
                aim,
                f"log of {_SMALLEST:,}",
                percentile(small, 0.99),
                decimals=2,
            )
        )
    return figures


def _peak_memory() -> float:
    """The most that this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIBIBYTES_OF_MEBIBYTE


class _Log:
    """The log of the one customer of a store; each method that does one thing returns the seconds that it took."""

    def __init__(self, engine: Engine) -> None:
        self.deltas = 0
        self._engine = engine
        self._reference = engine.log_of(_CUSTOMER).hex()
        self._size = 0
        self._seals: set[int] = set()
        self._random = random.Random(1)  # noqa: S311  -- the same places in every run

    def grow(self, count: int) -> None:
        record_all(self._engine, count, 1, start=self.deltas)
        self.deltas += count

    def latencies(self) -> dict[str, list[float]]:
        """Milliseconds of each kind, one after another in turn."""
        found: dict[str, list[float]] = {"record": [], "checkpoint": [], "receipt": []}
        for _ in range(_ROUNDS):
            for kind, times in found.items():
                times.append(getattr(self, kind)() * 1_000)
        return found

    def record(self) -> float:
        (delta,) = deltas(self.deltas, self.deltas + 1, 1)
        self.deltas += 1
        with Watch() as watch:
            self._engine.record(delta)
        return watch.seconds

    def checkpoint(self) -> float:
        with Watch() as watch:
            done = self._engine.checkpoint(_CUSTOMER)
        self._size = done.checkpoint.size
        self._seals.add(self._size - 1)
        return watch.seconds

    def receipt(self) -> float:
        """Of any delta that is checkpointed; entry 0 opens the log."""
        while (index := self._random.randrange(1, self._size)) in self._seals:
            pass
        with Watch() as watch:
            self._engine.receipt(f"0x{self._reference}.{index}")
        return watch.seconds
