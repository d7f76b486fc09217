"""What the measures share: a store in a temporary folder, and figures."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from counterfoil.core.ed25519 import SigningKey
from counterfoil.engine.clock import HostClock
from counterfoil.engine.engine import Engine
from counterfoil.engine.operator import Operator
from counterfoil.engine.record import Delta
from counterfoil.errors import CounterfoilError
from counterfoil.limits import BATCH_ITEMS_MAX
from counterfoil.storage import open_store

OPERATOR = Operator("ledger.example.com", SigningKey(b"\x01" * 32), b"\x02" * 32)


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
def fresh_engine() -> Iterator[tuple[Engine, Path]]:
    """An engine over a new SQLite file, with the settings that every store has."""
    # Beside the sources and not in /tmp, which may be memory: durability is to cost what it costs.
    gc.freeze()  # as the commands do
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent, prefix=".bench-") as folder:
        path = Path(folder) / "store.db"
        store = open_store(f"sqlite:///{path}", clock=HostClock(), create=True)
        try:
            yield Engine(store, OPERATOR), path
        finally:
            store.close()


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


def record_all(engine: Engine, count: int, customers: int, *, start: int = 0) -> None:
    """Record so many deltas in the largest batches."""
    for batch in range(start, start + count, BATCH_ITEMS_MAX):
        answers = engine.record_many(deltas(batch, min(batch + BATCH_ITEMS_MAX, start + count), customers))
        refused = [answer for answer in answers if isinstance(answer, CounterfoilError)]
        if refused:
            raise refused[0]


def percentile(values: list[float], part: float) -> float:
    """The value below which this part of the values lies."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]
