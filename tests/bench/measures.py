"""The list of measures.  Each does something that users wait for, and returns figures with their yardsticks."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.bench.auditing import audit_packs, statements
from tests.bench.batches import batch_record
from tests.bench.checkpointing import checkpoint_many
from tests.bench.growth import one_log
from tests.bench.proving import cold_start, tree, verify
from tests.bench.recording import single_records
from tests.bench.serving import serve_reads, serve_writes
from tests.bench.storing import stored
from tests.bench.world import Figure

DATABASES = ("sqlite", "postgres")


class Measure(NamedTuple):
    """A measure.

    Attributes:
        run: takes the count, and the database where there is a choice.
        count: of what there is most in it.
        full: the same with `--full`.
        databases: those that it is run on; none where what is measured needs no store.
        runs: how often it is run, whose median counts; with `--full` twice more.
    """

    run: Callable[..., list[Figure]]
    count: int
    full: int
    databases: tuple[str, ...] = ()
    runs: int = 3


MEASURES = {
    "verify": Measure(verify, 5_000, 50_000),
    "tree": Measure(tree, 1_000_000, 10_000_000),
    "audit_packs": Measure(audit_packs, 100_000, 1_000_000),
    "cold_start": Measure(cold_start, 20, 50),
    "single_records": Measure(single_records, 12_800, 51_200, DATABASES),
    "batch_record": Measure(batch_record, 100_000, 1_000_000, DATABASES),
    "checkpoint_many": Measure(checkpoint_many, 100_000, 1_000_000, DATABASES, runs=1),
    "one_log": Measure(one_log, 1_000_000, 10_000_000, DATABASES, runs=1),
    "statements": Measure(statements, 1_000_000, 10_000_000, DATABASES, runs=1),
    "serve_writes": Measure(serve_writes, 20_000, 100_000, DATABASES),
    "serve_reads": Measure(serve_reads, 1_000_000, 10_000_000, DATABASES, runs=1),
    "stored": Measure(stored, 1_000_000, 5_000_000, DATABASES, runs=1),
}
