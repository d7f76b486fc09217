"""What the measures share: a new store on either database, deltas to put in, and figures."""

from __future__ import annotations

import gc
import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, TypeVar

from counterfoil.core.ed25519 import SigningKey
from counterfoil.engine.clock import HostClock
from counterfoil.engine.engine import Engine
from counterfoil.engine.operator import Operator
from counterfoil.engine.request import Delta
from counterfoil.errors import CounterfoilError
from counterfoil.limits import BATCH_ITEMS_MAX
from counterfoil.storage import open_store
from tests.postgres import Cluster, find_programs

OPERATOR = Operator("ledger.example.com", SigningKey(b"\x01" * 32), b"\x02" * 32)
_T = TypeVar("_T")

BATCH = BATCH_ITEMS_MAX
# Of the measures in which each customer has many deltas.
CUSTOMERS = 1_000

# Where both databases have their files.  Not /tmp, which may be memory: durability is to cost what it costs.
DISK = Path("/var/tmp")  # noqa: S108  -- mkdtemp makes what is used
# Of a small server; whatever makes commits durable is on, as the harness has it.
SERVER = {"shared_buffers": "512MB", "max_wal_size": "4GB"}


@dataclass
class Figure:
    """One row of the table."""

    work: str
    value: float
    unit: str
    reach: str
    aim: str
    yardstick_name: str = ""
    yardstick: float = 0.0
    decimals: int = 0

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


class Watch:
    """Seconds of a block."""

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start


@contextmanager
def fresh_engine(database: str) -> Iterator[tuple[Engine, str]]:
    """An engine over a new store, with the settings that every store has, and the store's URL."""
    gc.freeze()  # as the commands do
    with fresh_place(database) as url, closing(open_store(url, clock=HostClock(), create=True)) as store:
        yield Engine(store, OPERATOR), url


@contextmanager
def fresh_place(database: str) -> Iterator[str]:
    if database == "sqlite":
        with tempfile.TemporaryDirectory(dir=DISK, prefix="counterfoil-bench-") as folder:
            yield f"sqlite:///{folder}/store.db"
    else:
        with Cluster(find_programs(), DISK) as cluster:
            cluster.start(**SERVER)
            with cluster.database() as url:
                yield url


def file_of(url: str) -> Path:
    """The file of a store on SQLite."""
    return Path(url.removeprefix("sqlite:///"))


def deltas(start: int, end: int, customers: int) -> list[Delta]:
    """Deltas as a metering service sends them, over customers in turn."""
    return [
        Delta(
            customer_id=f"cust_{number % customers:06d}",
            amount=f"-{number % 500 + 1}.25",
            reason="api_call",
            reference_id=f"line_{number}",
            idempotency_key=f"req-{number}",
        )
        for number in range(start, end)
    ]


def record_all(engine: Engine, count: int, customers: int, *, start: int = 0) -> float:
    """Record so many deltas in the largest batches; return the seconds that the engine took."""
    seconds = 0.0
    for batch in range(start, start + count, BATCH):
        requests = deltas(batch, min(batch + BATCH, start + count), customers)
        with Watch() as watch:
            answers = engine.record_many(requests)
        seconds += watch.seconds
        for answer in answers:
            unless_refused(answer)
    return seconds


def checkpoint_all(engine: Engine) -> float:
    """Checkpoint every customer; return the seconds that it took."""
    with Watch() as watch:
        for outcome in engine.checkpoint_all():
            unless_refused(outcome)
    return watch.seconds


def unless_refused(answer: _T | CounterfoilError) -> _T:
    """The answer, where it is no refusal: a benchmark of refusals is none."""
    if isinstance(answer, CounterfoilError):
        raise answer
    return answer


def percentile(values: list[float], part: float) -> float:
    """The value below which this part of the values lies."""
    return sorted(values)[min(math.floor(len(values) * part), len(values) - 1)]
