"""Checkpoints of many customers."""

from __future__ import annotations

from counterfoil.engine.store import Store
from counterfoil.engine.worker import work_through
from tests.bench.team import Team
from tests.bench.world import OPERATOR, Figure, fresh_engine, record_all, unless_refused
from tests.bench.yardsticks import sign_and_verify_rate

# SQLite has one writer at a time: a second worker would wait.
_PROCESSES = {"sqlite": 1, "postgres": 2}
_GOALS = {"sqlite": ("3,500", "8,000"), "postgres": ("5,000", "12,000")}


def checkpoint_many(count: int, database: str) -> list[Figure]:
    """One new delta each for many customers, who have no checkpoint yet and then have one, by workers."""
    processes = _PROCESSES[database]
    who = f"{processes} worker{'s' if processes > 1 else ''}"
    figures = []
    with fresh_engine(database) as (engine, url), Team(url, processes) as team:
        for start, which in ((0, "first"), (count, "next")):
            record_all(engine, count, count, start=start)
            seconds, signed = team.run(*[_work] * processes)
            if sum(signed) != count:
                raise AssertionError(f"{sum(signed)} of {count} were checkpointed")
            figures.append(
                Figure(
                    f"checkpoint {count:,} customers, one new delta each, {which} checkpoint, by {who}",
                    count / seconds,
                    "customers/s",
                    *_GOALS[database],
                    "PyNaCl sign and verify alone, 1 process",
                    sign_and_verify_rate(),
                )
            )
    return figures


def _work(store: Store) -> int:
    return sum(unless_refused(worked.outcome).outcome == "signed" for worked in work_through(store, OPERATOR))
