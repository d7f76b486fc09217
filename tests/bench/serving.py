"""The HTTP API, served by `counterfoil serve` as users run it, beside a route that does nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from counterfoil.engine import apikeys
from counterfoil.engine.clock import HostClock
from counterfoil.engine.engine import Engine
from counterfoil.engine.request import Delta
from counterfoil.engine.windows import month_of
from counterfoil.storage import open_store
from counterfoil.storage.key_folder import create_key_folder
from tests.bench.load import Answered, load, request
from tests.bench.world import (
    BATCH,
    CUSTOMERS,
    OPERATOR,
    Figure,
    checkpoint_all,
    deltas,
    fresh_place,
    percentile,
    record_all,
)

_HOST = "127.0.0.1"
_CONNECTIONS = 64
_ITEMS = 100
_BATCHES = 600
_BATCH_CONNECTIONS = 16
_READS = 2_000
_PATIENCE_SECONDS = 60
# How many months the history behind a read goes back, and between how many batches a checkpoint comes.
_MONTHS = 24
_MONTH = 30 * 86_400 * 1_000_000


def serve_writes(count: int, database: str) -> list[Figure]:
    """`POST /delta` and `/delta/batch` over 1,000 customers, durable, with the checkpoint worker inside."""
    noop = _noop(count)
    with _place(database) as place, _served(place) as address:
        single = load(address, _singles(place.key, 0, count), _CONNECTIONS).only(201)
        batch = load(address, _batches(place.key, count, _BATCHES), _BATCH_CONNECTIONS).only(201)
    yardstick = "FastAPI route that does nothing, as many connections"
    return [
        Figure(
            "POST /delta, 64 connections",
            single.rate,
            "deltas/s",
            "2,500 and 0.4",
            "6,000",
            yardstick,
            noop.rate,
        ),
        _latency("POST /delta, 64 connections, p99", single, 0.99, yardstick, noop, reach="60"),
        Figure(
            f"POST /delta/batch, {_ITEMS} items, {_BATCH_CONNECTIONS} connections",
            batch.rate * _ITEMS,
            "deltas/s",
            "15,000",
            "40,000",
        ),
    ]


def serve_reads(count: int, database: str) -> list[Figure]:
    """One customer's month, and a receipt, with a history of so many deltas over two years behind them."""
    with _place(database) as place:
        reference = _fill(place, count)
        with _served(place) as address:
            noop = _noop(_READS, method="GET", connections=1)
            paths = {
                "GET /customers/{id}?period=": [
                    f"/api/v1/balance/customers/cust_000000?period={month}" for month in place.months
                ],
                "GET /delta/{id}/receipt": [
                    f"/api/v1/balance/delta/{reference}.{1 + number * 7_919 % count}/receipt"
                    for number in range(_READS)
                ],
            }
            found = {
                name: load(address, _gets(place.key, each), 1).only(200, 404) for name, each in paths.items()
            }
    yardstick = "FastAPI route that does nothing, one connection"
    return [
        figure
        for (name, answered), reach, aim in zip(found.items(), ("10", "15"), ("4", "5"), strict=True)
        for figure in (
            _latency(f"{name}, {count:,} entries, median", answered, 0.5, yardstick, noop),
            _latency(
                f"{name}, {count:,} entries, p99", answered, 0.99, yardstick, noop, reach=reach, aim=aim
            ),
        )
    ]


def _latency(
    work: str,
    answered: Answered,
    part: float,
    yardstick: str,
    noop: Answered,
    *,
    reach: str = "",
    aim: str = "",
) -> Figure:
    return Figure(
        work,
        percentile(answered.latencies, part) * 1e3,
        "ms",
        reach,
        aim,
        yardstick,
        percentile(noop.latencies, part) * 1e3,
        decimals=2,
    )


class _Place:
    """A store with its keys, and an API key to it."""

    def __init__(self, url: str, folder: str, key: str) -> None:
        self.url = url
        self.folder = folder
        self.key = key
        self.months: list[str] = []


@contextmanager
def _place(database: str) -> Iterator[_Place]:
    with fresh_place(database) as url, tempfile.TemporaryDirectory(prefix="counterfoil-bench-") as folder:
        keys = Path(folder) / "keys"
        create_key_folder(
            keys, OPERATOR.name, signing_seed=b"\x01" * 32, reference_key=OPERATOR.reference_key
        )
        with closing(open_store(url, clock=HostClock(), create=True)) as store:
            Engine(store, OPERATOR)
            issued = apikeys.create(store, tenant="default", scopes=["read", "write"], randomness=os.urandom)
            yield _Place(url, str(keys), issued.text)


def _fill(place: _Place, count: int) -> str:
    """Record a history of two years of one customer; return its reference."""
    clock = _Clock(HostClock()() - _MONTHS * _MONTH)
    with closing(open_store(place.url, clock=clock)) as store:
        engine = Engine(store, OPERATOR)
        for start in range(0, count, BATCH):
            record_all(engine, min(BATCH, count - start), 1, start=start)
            checkpoint_all(engine)
            clock.now += _MONTHS * _MONTH * BATCH // count
            place.months.append(month_of(clock.now))
        place.months = sorted(set(place.months)) * (_READS // len(set(place.months)))
        return f"0x{engine.log_of('cust_000000').hex()}"


class _Clock:
    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@contextmanager
def _served(place: _Place) -> Iterator[tuple[str, int]]:
    """Run the server; give its address."""
    port = _free_port()
    with _process(
        [
            *("-m", "counterfoil", "serve", "--host", _HOST, "--port", str(port)),
            *("--store", place.url, "--keys", place.folder, "--rate-limit", "0", "--log-level", "error"),
        ],
        port,
    ):
        yield _HOST, port


def _noop(count: int, *, method: str = "POST", connections: int = _CONNECTIONS) -> Answered:
    port = _free_port()
    options = ("--host", _HOST, "--port", str(port), "--no-access-log", "--log-level", "warning")
    with _process(["-m", "uvicorn", "tests.bench.noop:app", *options], port):
        one = request(method, "/noop", {}, b"{}" if method == "POST" else b"")
        return load((_HOST, port), iter([one] * count), connections).only(200)


@contextmanager
def _process(arguments: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL) as process:
        try:
            _await(port, process)
            yield
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((_HOST, port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nobody listens: {process.args}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return probe.getsockname()[1]  # type: ignore[no-any-return]  # a port


def _gets(key: str, paths: list[str]) -> Iterator[bytes]:
    return (request("GET", path, {"X-Api-Key": key}) for path in paths)


def _singles(key: str, start: int, count: int) -> Iterator[bytes]:
    made = deltas(start, start + count, CUSTOMERS)
    return iter(
        [
            request(
                "POST",
                "/api/v1/balance/delta",
                {"X-Api-Key": key, "Idempotency-Key": str(each.idempotency_key)},
                json.dumps(_body(each)).encode(),
            )
            for each in made
        ]
    )


def _batches(key: str, start: int, count: int) -> Iterator[bytes]:
    return iter(
        [
            request(
                "POST",
                "/api/v1/balance/delta/batch",
                {"X-Api-Key": key},
                json.dumps(
                    {
                        "deltas": [
                            _body(each) | {"idempotencyKey": each.idempotency_key}
                            for each in deltas(
                                start + number * _ITEMS, start + (number + 1) * _ITEMS, CUSTOMERS
                            )
                        ]
                    }
                ).encode(),
            )
            for number in range(count)
        ]
    )


def _body(each: Delta) -> dict[str, object]:
    return {
        "customerId": each.customer_id,
        "delta": float(each.amount),
        "reason": each.reason,
        "referenceId": each.reference_id,
    }
