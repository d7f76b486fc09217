"""What finance and auditors wait for: statements, and audits of packs."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

from counterfoil.cli.auditing.files import PackFiles
from counterfoil.cli.auditing.members import Audit, findings_of
from counterfoil.core.checkpoint import KeySet
from counterfoil.core.merkle import leaf_hash
from counterfoil.core.pack.audit import PackFinding
from counterfoil.core.statement_verify import verify_statement
from counterfoil.core.timestamp import to_microseconds
from counterfoil.engine.engine import Engine
from counterfoil.engine.windows import Window
from tests.bench.world import (
    DISK,
    OPERATOR,
    Figure,
    Watch,
    checkpoint_all,
    fresh_engine,
    percentile,
    record_all,
)
from tests.bench.yardsticks import verify_rate

_CUSTOMERS = 100
_STATEMENTS = 300
_FULL_ITEMS = 10_000
_MILLISECONDS = 1_000


def audit_packs(count: int) -> list[Figure]:
    """Audit a pack of many logs with their details, in one process and in two."""
    with tempfile.TemporaryDirectory(dir=DISK, prefix="counterfoil-bench-") as folder:
        path = Path(folder) / "bench.pack"
        with fresh_engine("sqlite") as (engine, _):
            record_all(engine, count, _CUSTOMERS)
            checkpoint_all(engine)
            with path.open("wb") as stream:
                stream.writelines(engine.pack_lines())
        bare = _bare_rate(path)
        rates = [_audit_rate(path, processes) for processes in (1, 2)]
    name = "json.loads and a leaf hash of each line"
    one, two = rates
    return [
        Figure(f"audit a pack of {count:,} deltas", one, "entries/s", "25,000", "80,000", name, bare),
        Figure(
            "the same in two processes", two, "entries/s", "1.8 times one", "2 times", "in one process", one
        ),
    ]


def _audit_rate(path: Path, processes: int) -> float:
    with PackFiles() as files, files.open(str(path)) as stream, Watch() as watch:
        audit = Audit(stream, KeySet([OPERATOR.verifier_key]), {})
        *logs, whole = findings_of(audit, processes, lambda _: None)
    if not isinstance(whole, PackFinding) or whole.fault is not None or len(logs) != _CUSTOMERS:
        raise AssertionError("the pack does not hold")
    return whole.entries / watch.seconds


def _bare_rate(path: Path) -> float:
    """Lines a second that are parsed as JSON and hashed, and nothing else."""
    lines = path.read_bytes().splitlines()
    with Watch() as watch:
        for line in lines:
            json.loads(line)
            leaf_hash(line)
    return len(lines) / watch.seconds


def statements(count: int, database: str) -> list[Figure]:
    """Make and verify statements of periods of one large log."""
    with fresh_engine(database) as (engine, _):
        record_all(engine, count, 1)
        checkpoint_all(engine)
        chance = random.Random(1)  # noqa: S311  -- the same periods each time
        made, verified = [], []
        for _ in range(_STATEMENTS):
            first, last = sorted(chance.sample(range(1, count), 2))
            window = Window(_time(engine, first), _time(engine, last))
            with Watch() as watch:
                document = engine.statement("cust_000000", window, now=None).document
            made.append(watch.seconds * _MILLISECONDS)
            # Keys that have not verified anything yet: what one of them has verified it remembers.
            keys = KeySet([OPERATOR.verifier_key])
            with Watch() as watch:
                verify_statement(document, keys)
            verified.append(watch.seconds * _MILLISECONDS)
        # With the one before and the one after it has as many items as there may be.
        window = Window(_time(engine, 2), _time(engine, min(_FULL_ITEMS, count)))
        document = engine.statement("cust_000000", window, now=None, full=True).document
        with Watch() as watch:
            items = len(verify_statement(document, KeySet([OPERATOR.verifier_key])).items)
    signature = _MILLISECONDS / verify_rate()
    return [
        Figure(
            f"make a light statement of a log of {count:,} deltas, p99",
            percentile(made, 0.99),
            "ms",
            "20",
            "5",
            "one Ed25519 verification",
            signature,
            decimals=2,
        ),
        Figure(
            "verify it, p99",
            percentile(verified, 0.99),
            "ms",
            "3",
            "1",
            "one Ed25519 verification",
            signature,
            decimals=2,
        ),
        Figure(
            f"verify a full statement of {items:,} items",
            watch.seconds,
            "s",
            "0.5",
            "0.15",
            "one Ed25519 verification",
            signature / _MILLISECONDS,
            decimals=3,
        ),
    ]


def _time(engine: Engine, number: int) -> int:
    [found] = engine.deltas("cust_000000", number, number, limit=1)
    return to_microseconds(found.entry.recorded_at)
