"""Single records of many callers at once: one COMMIT each, and gathered by the recorder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from counterfoil.engine.engine import Engine
from counterfoil.engine.recorder import Recorder
from counterfoil.engine.request import Delta
from tests.bench.world import CUSTOMERS, Figure, Watch, deltas, fresh_engine, record_all

# What records one by one takes tens of times as long as what is gathered.
_SLOWER = 8


def single_records(count: int, database: str) -> list[Figure]:
    """Single durable records over 1,000 customers with ten deltas each; each caller waits for its answer."""
    with fresh_engine(database) as (engine, _):
        race = _Race(engine)
        return [
            race.run(64, count, "5,000 and 2 times", "15,000"),
            race.run(64, count, coroutines=True),
            race.run(8, count // 4),
            race.run(1, count // 16),
        ]


class _Race:
    """Callers with deltas of their own, once through a recorder and once without it, on the same store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._next = 10 * CUSTOMERS
        record_all(engine, self._next, CUSTOMERS)

    def run(
        self, callers: int, count: int, reach: str = "", aim: str = "", *, coroutines: bool = False
    ) -> Figure:
        alone = _threads(self._engine.record, self._shares(callers, count // _SLOWER))
        shares = self._shares(callers, count)
        with Recorder(self._engine) as recorder:
            gathered = _coroutines(recorder, shares) if coroutines else _threads(recorder.record, shares)
        kind = ("coroutine" if coroutines else "thread") + "s" * (callers > 1)
        return Figure(
            f"single records through the recorder, {callers} {kind}",
            gathered,
            "records/s",
            reach,
            aim,
            "one COMMIT each, as many threads",
            alone,
        )

    def _shares(self, callers: int, count: int) -> list[list[Delta]]:
        """New deltas, a list for each caller."""
        start, self._next = self._next, self._next + count
        made = deltas(start, self._next, CUSTOMERS)
        return [made[place::callers] for place in range(callers)]


def _threads(record: Callable[[Delta], object], shares: list[list[Delta]]) -> float:
    """Have a thread for each share record it; return records a second."""

    def work(share: list[Delta]) -> None:
        for delta in share:
            record(delta)

    with ThreadPoolExecutor(len(shares)) as threads, Watch() as watch:
        for done in [threads.submit(work, share) for share in shares]:
            done.result()
    return sum(map(len, shares)) / watch.seconds


def _coroutines(recorder: Recorder, shares: list[list[Delta]]) -> float:
    """Likewise with coroutines of one event loop."""

    async def work(share: list[Delta]) -> None:
        for delta in share:
            await asyncio.wrap_future(recorder.submit(delta))

    async def all_of() -> None:
        await asyncio.gather(*map(work, shares))

    with Watch() as watch:
        asyncio.run(all_of())
    return sum(map(len, shares)) / watch.seconds
