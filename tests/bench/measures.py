"""The measures: each does one thing that users wait for, and returns figures with their yardsticks."""

from __future__ import annotations

import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from world import OPERATOR, Figure, Watch, deltas, fresh_engine, percentile, record_all

from counterfoil.core.checkpoint import KeySet, sign_checkpoint
from counterfoil.core.merkle import leaf_hash
from counterfoil.core.receipt import verify_receipt
from counterfoil.core.tiles import Edge
from counterfoil.errors import CounterfoilError

BATCH = 10_000
_MEBIBYTE = 1024 * 1024


def batch_record(*, full: bool) -> list[Figure]:
    """Batches of 10,000 over 1,000 customers, against raw SQLite writing the same rows."""
    count = 1_000_000 if full else 100_000
    rates = []
    with fresh_engine() as (engine, path):
        for start in range(0, count, BATCH):
            requests = deltas(start, start + BATCH, 1_000)
            with Watch() as watch:
                answers = engine.record_many(requests)
            if any(isinstance(answer, CounterfoilError) for answer in answers):
                raise AssertionError("a delta was refused")
            rates.append(BATCH / watch.seconds)
        raw = _raw_rates(path)
        before = path.stat().st_size / count
        with Watch() as sealing:
            for outcome in engine.checkpoint_all():
                if isinstance(outcome, CounterfoilError):
                    raise outcome
        after = path.stat().st_size / count
    name = "raw sqlite3 executemany, same rows and indexes"
    return [
        Figure(
            f"batch record, {BATCH:,} a batch, {count:,} deltas, 1,000 customers",
            statistics.median(rates),
            "deltas/s",
            "0.4 of raw",
            "0.8 of raw",
            name,
            statistics.median(raw),
        ),
        Figure(
            f"store size, {count // 1_000} deltas a customer, checkpointed",
            after,
            "bytes/delta",
            "900",
            "400",
            "before the checkpoint",
            before,
        ),
        Figure(
            f"checkpoint 1,000 customers with {count // 1_000} new deltas each",
            count / sealing.seconds,
            "deltas/s",
            "",
            "",
        ),
    ]


def _raw_rates(path: Path) -> list[float]:
    """Write the rows of a store again with the driver alone: same schema, same settings, same batches."""
    source = sqlite3.connect(path)
    schema = [
        sql for (sql,) in source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    ]
    rows = source.execute(
        "SELECT log, idx, entry, key_prefix, salt, value FROM entries ORDER BY rowid"
    ).fetchall()
    source.close()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        raw = sqlite3.connect(Path(folder) / "raw.db", isolation_level=None)
        for setting in (
            "page_size = 8192",
            "journal_mode = TRUNCATE",
            "synchronous = FULL",
            "secure_delete = ON",
            "cache_size = -65536",
            "cache_spill = OFF",
        ):
            raw.execute(f"PRAGMA {setting}")
        for statement in schema:
            raw.execute(statement)
        rates = []
        sizes: dict[bytes, int] = {}
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            sizes.update({row[0]: row[1] + 1 for row in batch})
            heads = [(log, sizes[log]) for log in sorted({row[0] for row in batch})]
            with Watch() as watch:
                raw.execute("BEGIN IMMEDIATE")
                raw.executemany(
                    "INSERT INTO entries (log, idx, entry, key_prefix, salt, value) VALUES (?, ?, ?, ?, ?, ?)",
                    batch,
                )
                raw.executemany(
                    "INSERT INTO logs (log, tenant, size, sealed_size, checkpoint_size) VALUES (?, 'default', ?, 0, 0)"
                    " ON CONFLICT (log) DO UPDATE SET size = excluded.size",
                    heads,
                )
                raw.execute("COMMIT")
            rates.append(len(batch) / watch.seconds)
        raw.close()
    return rates


def checkpoint_many(*, full: bool) -> list[Figure]:
    """One new delta each for many customers, who have a checkpoint already and who have none."""
    customers = 1_000_000 if full else 100_000
    with fresh_engine() as (engine, _):
        figures = []
        for start, which in ((0, "first"), (customers, "next")):
            record_all(engine, customers, customers, start=start)
            with Watch() as watch:
                signed = sum(not isinstance(outcome, CounterfoilError) for outcome in engine.checkpoint_all())
            if signed != customers:
                raise AssertionError(f"{signed} of {customers} were checkpointed")
            figures.append(
                Figure(
                    f"checkpoint {customers:,} customers, one new delta each, {which} checkpoint",
                    customers / watch.seconds,
                    "customers/s",
                    "3,500",
                    "8,000",
                    "PyNaCl sign and verify alone",
                    _sign_and_verify_rate(),
                )
            )
    return figures


def _sign_and_verify_rate() -> float:
    count = 2_000
    with Watch() as watch:
        for number in range(count):
            keys = KeySet([OPERATOR.verifier_key])
            keys.verify(
                sign_checkpoint(
                    "ledger.example.com/default/0x" + "0" * 40, number + 1, bytes(32), OPERATOR.signer
                )
            )
    return count / watch.seconds


def one_log(*, full: bool) -> list[Figure]:
    """One log of a million entries: its checkpoint, its receipts, its audit."""
    count = 10_000_000 if full else 1_000_000
    with fresh_engine() as (engine, _):
        record_all(engine, count, 1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with Watch() as watch:
            engine.checkpoint("cust_000000")
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / _MEBIBYTE
        log = engine.log_of("cust_000000")
        rng = random.Random(1)  # noqa: S311  -- the same places in every run
        for _ in range(100):
            engine.receipt(f"0x{log.hex()}.{rng.randrange(1, count)}")
        times = []
        for _ in range(1_000):
            record_id = f"0x{log.hex()}.{rng.randrange(1, count)}"
            with Watch() as receipt:
                engine.receipt(record_id)
            times.append(receipt.seconds * 1_000)
        with Watch() as auditing:
            engine.audit("cust_000000", OPERATOR.keys)
        hashing = [bytes([number % 256]) * 380 for number in range(1_000)]
        with Watch() as hashed:
            for _ in range(100):
                for data in hashing:
                    leaf_hash(data)
    return [
        Figure(
            f"checkpoint one log with {count:,} new entries",
            count / watch.seconds,
            "entries/s",
            "50,000",
            "120,000",
            "leaf hashes alone",
            100_000 / hashed.seconds,
        ),
        Figure(
            f"memory that this checkpoint adds, {count:,} entries",
            max(grown, 0.0),
            "MiB",
            "flat",
            "",
            decimals=1,
        ),
        Figure(
            f"receipt from a log of {count:,} entries, p99",
            percentile(times, 0.99),
            "ms",
            "5",
            "1",
            "median",
            statistics.median(times),
            decimals=2,
        ),
        Figure(f"audit of a log of {count:,} entries", count / auditing.seconds, "entries/s", "", ""),
    ]


def verify(*, full: bool) -> list[Figure]:
    """Receipts as auditors hold them, under one checkpoint and under one each."""
    count = 50_000 if full else 5_000
    with fresh_engine() as (engine, _):
        record_all(engine, count, 1)
        record_all(engine, count, count, start=count)
        for outcome in engine.checkpoint_all():
            if isinstance(outcome, CounterfoilError):
                raise outcome
        one = [proven.receipt for proven in engine.receipts("cust_000000")][:count]
        each = [next(iter(engine.receipts(f"cust_{number:06d}"))).receipt for number in range(1, count)]
    text = str(OPERATOR.verifier_key)
    figures = []
    for receipts, which, reach, aim in (
        (one, "one checkpoint for all", "8,000", "20,000"),
        (each, "a checkpoint each", "4,000", "8,000"),
    ):
        keys = KeySet.parse(text)
        with Watch() as watch:
            for receipt in receipts:
                verify_receipt(receipt, keys)
        figures.append(
            Figure(
                f"verify {len(receipts):,} receipts, {which}",
                len(receipts) / watch.seconds,
                "receipts/s",
                reach,
                aim,
                "PyNaCl verify alone",
                _verify_rate(),
            )
        )
    return figures


def _verify_rate() -> float:
    checkpoint = sign_checkpoint("ledger.example.com/default/0x" + "0" * 40, 1, bytes(32), OPERATOR.signer)
    count = 2_000
    with Watch() as watch:
        for _ in range(count):
            KeySet([OPERATOR.verifier_key]).verify(checkpoint)
    return count / watch.seconds


def tree(*, full: bool) -> list[Figure]:
    """A tree from leaf hashes, against PyPI's pymerkle."""
    from pymerkle import InmemoryTree  # noqa: PLC0415  -- only this measure needs the peer

    count = 10_000_000 if full else 1_000_000
    peer_count = 100_000
    leaves = [leaf_hash(str(number).encode()) for number in range(peer_count)]
    block = b"".join(leaves)
    with Watch() as watch:
        edge = Edge()
        for _ in range(count // peer_count):
            edge.append(block)
        edge.root()
    peer = InmemoryTree(algorithm="sha256")
    with Watch() as peer_watch:
        for leaf in leaves:
            peer.append_entry(leaf)
        peer.get_state()
    return [
        Figure(
            f"build a tree of {count:,} leaves from leaf hashes",
            count / watch.seconds,
            "leaves/s",
            "10 times pymerkle",
            "15 times",
            f"pymerkle 7.0.0, {peer_count:,} leaves",
            peer_count / peer_watch.seconds,
        )
    ]


def cold_start(*, full: bool) -> list[Figure]:
    """`counterfoil verify` of one receipt, as a process, against an interpreter that does nothing."""
    command = shutil.which("counterfoil", path=str(Path(sys.executable).parent))
    if command is None:
        raise AssertionError("counterfoil is not installed beside this interpreter")
    with fresh_engine() as (engine, path):
        recorded = engine.record(deltas(0, 1, 1)[0])
        engine.checkpoint("cust_000000")
        receipt = path.with_name("receipt.json")
        receipt.write_bytes(engine.receipt(recorded.record_id).receipt)
        runs = 50 if full else 20
        ours, bare = [], []
        for _ in range(runs):
            ours.append(
                _process_seconds([command, "verify", str(receipt), "--key", str(OPERATOR.verifier_key)])
            )
            bare.append(_process_seconds([sys.executable, "-c", "pass"]))
    return [
        Figure(
            "counterfoil verify, cold start",
            statistics.median(ours),
            "s",
            "0.25",
            "0.15",
            "python -c pass",
            statistics.median(bare),
            decimals=3,
        )
    ]


def _process_seconds(command: list[str]) -> float:
    with Watch() as watch:
        subprocess.run(command, check=True, capture_output=True)
    return watch.seconds


MEASURES = {
    "batch_record": batch_record,
    "checkpoint_many": checkpoint_many,
    "one_log": one_log,
    "verify": verify,
    "tree": tree,
    "cold_start": cold_start,
}
