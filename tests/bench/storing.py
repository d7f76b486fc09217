"""A store that fills up: how fast it still takes deltas, how much room they take, how long an audit of all takes."""

from __future__ import annotations

import sqlite3
import statistics
from contextlib import closing
from functools import partial

import psycopg

from counterfoil.engine.engine import Engine
from counterfoil.engine.store import Store
from tests.bench.team import Team
from tests.bench.world import CUSTOMERS, OPERATOR, Figure, checkpoint_all, file_of, fresh_engine, record_all
from tests.bench.yardsticks import leaf_hash_rate

# Deltas from one checkpoint to the next.
_STEP_MAX = 100_000


def stored(count: int, database: str) -> list[Figure]:
    """Many deltas over 1,000 customers, checkpointed after each 100,000; then 100,000 more."""
    step = min(count // 10, _STEP_MAX)
    figures = []
    recording, checkpointing = [], []
    with fresh_engine(database) as (engine, url):
        for stored_deltas in range(step, count + 1, step):
            recording.append(step / record_all(engine, step, CUSTOMERS, start=stored_deltas - step))
            unsealed = _bytes(url)
            checkpointing.append(step / checkpoint_all(engine))
            _vacuum(url)
            if stored_deltas == step:
                figures.append(_size(step, _bytes(url), "before the checkpoint", unsealed))
            if stored_deltas == 10 * step:
                # In this order: the second needs no room of the first any more.
                size = _bytes(url)
                figures.append(_size(stored_deltas, size, *_least(url)))
                figures += _audits(engine, url, stored_deltas)
        onto = step / record_all(engine, step, CUSTOMERS, start=count)
    return [
        Figure(
            f"batch record onto {count:,} stored deltas, the next {step:,}",
            onto,
            "deltas/s",
            "0.6 of empty",
            "0.9 of empty",
            f"the first {step:,}, onto the empty store",
            recording[0],
        ),
        Figure(
            f"checkpoint {CUSTOMERS:,} customers with {step // CUSTOMERS:,} new deltas each",
            statistics.median(checkpointing),
            "deltas/s",
            "",
            "",
            "leaf hashes alone",
            leaf_hash_rate(),
        ),
        *figures,
    ]


def _size(count: int, size: int, other: str, other_size: int) -> Figure:
    work = f"store size, {count:,} deltas, checkpointed, indexes included"
    return Figure(work, size / count, "bytes/delta", "500", "200", other, other_size / count)


def _bytes(url: str) -> int:
    """What a store takes on the disk, indexes included."""
    if url.startswith("sqlite:"):
        return file_of(url).stat().st_size
    with psycopg.connect(url) as connection:
        (size,) = connection.execute(
            "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchone()
    return size


def _least(url: str) -> tuple[str, int]:
    """Give back the room of deleted rows; return how, and the bytes without it.  SQLite's file keeps it for new rows."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(file_of(url))) as connection:
            free, page = (
                connection.execute(f"PRAGMA {what}").fetchone()[0] for what in ("freelist_count", "page_size")
            )
        return "without free pages", _bytes(url) - free * page
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM FULL")
    return "after VACUUM FULL", _bytes(url)


def _vacuum(url: str) -> None:
    """Do what a server does by itself every minute, which is longer than all of this takes."""
    if not url.startswith("sqlite:"):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM entries, logs, tiles")


def _audits(engine: Engine, url: str, count: int) -> list[Figure]:
    logs = list(engine.logs())
    rates = {}
    for processes in (1, 2):
        with Team(url, processes) as team:
            seconds, entries = team.run(
                *(partial(_audit, logs=logs[first::processes]) for first in range(processes))
            )
        rates[processes] = sum(entries) / seconds
    work = f"audit of {count:,} deltas of {CUSTOMERS:,} customers"
    return [
        Figure(f"{work}, 1 process", rates[1], "entries/s", "", "", "leaf hashes alone", leaf_hash_rate()),
        Figure(f"{work}, 2 processes", rates[2], "entries/s", "80,000", "200,000", "1 process", rates[1]),
    ]


def _audit(store: Store, logs: list[bytes]) -> int:
    engine = Engine(store, OPERATOR)
    return sum(engine.audit_log(log, OPERATOR.keys).entries for log in logs)
