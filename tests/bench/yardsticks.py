"""The limits that the machine sets: what the same work costs without Counterfoil."""

from __future__ import annotations

import sqlite3
import statistics
from contextlib import closing

import psycopg

from counterfoil.core.checkpoint import KeySet, sign_checkpoint
from counterfoil.core.merkle import leaf_hash
from tests.bench.world import BATCH, OPERATOR, Watch, file_of

# The settings that `counterfoil.storage.sql.sqlite` gives each connection.
_SQLITE_SETTINGS = (
    "page_size = 8192",
    "journal_mode = TRUNCATE",
    "synchronous = FULL",
    "secure_delete = ON",
    "cache_size = -65536",
    "cache_spill = OFF",
)
_ENTRIES = "SELECT log, idx, entry, key_prefix, salt, value FROM entries"
_ENTRY_TYPES = ("bytea", "bigint", "bytea", "bigint", "bytea", "bytea")
_ORIGIN = f"{OPERATOR.name}/default/0x{'0' * 40}"


def executemany_rate(url: str) -> float:
    """Rows a second: the entries and heads of a store written again by sqlite3 alone, same tables and batches."""
    path = file_of(url)
    rates = []
    with (
        closing(sqlite3.connect(path)) as source,
        closing(sqlite3.connect(path.with_name("raw.db"), isolation_level=None)) as raw,
    ):
        for setting in _SQLITE_SETTINGS:
            raw.execute(f"PRAGMA {setting}")
        tables = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
        for (statement,) in source.execute(tables).fetchall():
            raw.execute(statement)
        close_at = dict(source.execute("SELECT log, close_at FROM logs"))
        rows = source.execute(f"{_ENTRIES} ORDER BY rowid")
        while batch := rows.fetchmany(BATCH):
            sizes = {log: index + 1 for log, index, *_ in batch}
            heads = [(log, size, close_at[log]) for log, size in sorted(sizes.items())]
            with Watch() as watch:
                raw.execute("BEGIN IMMEDIATE")
                raw.executemany(
                    "INSERT INTO entries (log, idx, entry, key_prefix, salt, value) VALUES (?, ?, ?, ?, ?, ?)",
                    batch,
                )
                raw.executemany(
                    "INSERT INTO logs (log, tenant, size, sealed_size, checkpoint_size, close_at)"
                    " VALUES (?, 'default', ?, 0, 0, ?)"
                    " ON CONFLICT (log) DO UPDATE SET size = excluded.size, close_at = excluded.close_at",
                    heads,
                )
                raw.execute("COMMIT")
            rates.append(len(batch) / watch.seconds)
    return statistics.median(rates)


def copy_rate(url: str) -> float:
    """Rows a second: the entries of a store written again by COPY, into the same table in another schema."""
    rates = []
    with psycopg.connect(url) as source, psycopg.connect(url) as raw:
        raw.execute("CREATE SCHEMA raw")
        raw.execute("CREATE TABLE raw.entries (LIKE public.entries INCLUDING ALL)")
        raw.commit()
        with source.cursor("entries") as rows:
            rows.execute(f"{_ENTRIES} ORDER BY ctid", binary=True)  # in the order of arrival
            while batch := rows.fetchmany(BATCH):
                with Watch() as watch:
                    with raw.cursor().copy("COPY raw.entries FROM STDIN (FORMAT BINARY)") as copy:
                        copy.set_types(_ENTRY_TYPES)
                        for row in batch:
                            copy.write_row(row)
                    raw.commit()
                rates.append(len(batch) / watch.seconds)
    return statistics.median(rates)


def leaf_hash_rate() -> float:
    """Leaf hashes a second, of leaves about as long as an entry."""
    leaves = [bytes([number % 256]) * 380 for number in range(1_000)]
    with Watch() as watch:
        for _ in range(100):
            for leaf in leaves:
                leaf_hash(leaf)
    return 100 * len(leaves) / watch.seconds


def sign_and_verify_rate() -> float:
    """Checkpoints a second that are signed and verified, by one process, and neither read nor stored."""
    count = 2_000
    with Watch() as watch:
        for number in range(count):
            KeySet([OPERATOR.verifier_key]).verify(
                sign_checkpoint(_ORIGIN, number + 1, bytes(32), OPERATOR.signer)
            )
    return count / watch.seconds


def verify_rate() -> float:
    """Signatures a second."""
    checkpoint = sign_checkpoint(_ORIGIN, 1, bytes(32), OPERATOR.signer)
    count = 2_000
    with Watch() as watch:
        for _ in range(count):
            KeySet([OPERATOR.verifier_key]).verify(checkpoint)
    return count / watch.seconds
