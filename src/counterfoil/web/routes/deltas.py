"""Recording deltas.

Source: docs/api/reference.md.
"""

from __future__ import annotations

import asyncio
from typing import Final

import orjson
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.engine.record import Recorded
from counterfoil.errors import CounterfoilError
from counterfoil.web.access import admit
from counterfoil.web.answers import REPLAYED, answer, embedded
from counterfoil.web.bodies import read_object
from counterfoil.web.headers import idempotency_key, read_headers
from counterfoil.web.metrics import Metrics
from counterfoil.web.reading import read_delta
from counterfoil.web.routing import check_query, new_router
from counterfoil.web.state import services_of

router: Final = new_router("Deltas")

RECORD_PATH: Final = "/api/v1/balance/delta"


@router.post(RECORD_PATH)
async def record_delta(request: Request) -> Response:
    """Record one delta: on disk when the answer comes, and part of the customer's next checkpoint."""
    services, metrics = services_of(request), metrics_of(request)
    headers = read_headers(request.scope)
    caller = await admit(request, headers, "write")
    check_query(request.scope, frozenset())
    try:
        value = await read_object(request, headers, services)
        delta, _ = read_delta(value, idempotency_key(headers))
        recorded = await asyncio.wrap_future(services.recorder(caller.tenant).submit(delta))
    except CounterfoilError:
        metrics.deltas("refused")
        raise
    if not recorded.replayed:
        metrics.deltas("recorded")
        return answer(described(recorded, "QUEUED"), 201)
    metrics.deltas("replayed")
    # A replay may be of long ago.
    state = await run_in_threadpool(caller.engine.delta, recorded.record_id)
    return answer(described(recorded, state.item.status), 200, REPLAYED)


def described(recorded: Recorded, status: str) -> dict[str, object]:
    """Return what is said of a delta that is recorded."""
    entry = orjson.loads(recorded.data)
    return {
        "recordId": recorded.record_id,
        "status": status,
        "receiptId": recorded.record_id,
        "customerId": recorded.customer_id,
        "customerReference": recorded.record_id.partition(".")[0],
        "delta": embedded(entry["amount"].encode("ascii")),
        "sequenceNumber": int(entry["count"]),
        "recordedAt": entry["recordedAt"],
        "idempotencyKey": recorded.idempotency_key,
        "entry": embedded(recorded.data),
    }


def metrics_of(request: Request) -> Metrics:
    """Return where to count."""
    metrics: Metrics = request.app.state.metrics
    return metrics
