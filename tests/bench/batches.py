"""Recording in batches, onto an empty store."""

from __future__ import annotations

import statistics

from tests.bench.world import BATCH, CUSTOMERS, Figure, fresh_engine, record_all
from tests.bench.yardsticks import copy_rate, executemany_rate

_RAW = {
    "sqlite": ("raw sqlite3 executemany, same rows and indexes", executemany_rate),
    "postgres": ("raw COPY, same rows and indexes", copy_rate),
}


def batch_record(count: int, database: str) -> list[Figure]:
    """Batches of 10,000, against the database alone writing the same rows."""
    name, raw_rate = _RAW[database]
    with fresh_engine(database) as (engine, url):
        rates = [
            BATCH / record_all(engine, BATCH, CUSTOMERS, start=start) for start in range(0, count, BATCH)
        ]
        raw = raw_rate(url)
    return [
        Figure(
            f"batch record, {BATCH:,} a batch, {count:,} deltas, {CUSTOMERS:,} customers",
            statistics.median(rates),
            "deltas/s",
            "0.4 of raw",
            "0.8 of raw",
            name,
            raw,
        )
    ]
