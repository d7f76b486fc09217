"""What needs no store of one's own: verifying receipts, and trees."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.merkle import leaf_hash
from counterfoil.core.receipt import verify_receipt
from counterfoil.core.tiles import Edge
from tests.bench.world import OPERATOR, Figure, Watch, checkpoint_all, deltas, fresh_engine, record_all
from tests.bench.yardsticks import verify_rate

# The peer slows down as its tree grows: with more leaves it would look worse than it need.
_PEER_LEAVES = 100_000


def verify(count: int) -> list[Figure]:
    """Receipts as auditors hold them, under one checkpoint and under one each."""
    with fresh_engine("sqlite") as (engine, _):
        record_all(engine, count, 1)
        record_all(engine, count, count, start=count)
        checkpoint_all(engine)
        one = [proven.receipt for proven in engine.receipts("cust_000000")][:count]
        each = [next(iter(engine.receipts(f"cust_{number:06d}"))).receipt for number in range(1, count)]
    figures = []
    for receipts, which, reach, aim in (
        (one, "one checkpoint for all", "8,000", "20,000"),
        (each, "a checkpoint each", "4,000", "8,000"),
    ):
        # Keys that have not verified anything yet: what one of them has verified it remembers.
        keys = KeySet([OPERATOR.verifier_key])
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
                verify_rate(),
            )
        )
    return figures


def tree(count: int) -> list[Figure]:
    """A tree from leaf hashes, against PyPI's pymerkle."""
    from pymerkle import InmemoryTree  # noqa: PLC0415  -- only this measure needs the peer

    peer_count = min(count, _PEER_LEAVES)
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


def cold_start(count: int) -> list[Figure]:
    """`counterfoil verify` of one receipt, as a process, against an interpreter that does nothing."""
    command = shutil.which("counterfoil", path=str(Path(sys.executable).parent))
    if command is None:
        raise AssertionError("counterfoil is not installed beside this interpreter")
    with fresh_engine("sqlite") as (engine, _), tempfile.TemporaryDirectory() as folder:
        recorded = engine.record(deltas(0, 1, 1)[0])
        engine.checkpoint("cust_000000")
        receipt = Path(folder) / "receipt.json"
        receipt.write_bytes(engine.receipt(recorded.record_id).receipt)
        ours, bare = [], []
        for _ in range(count):
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
