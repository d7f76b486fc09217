"""Recording deltas, one or many at a time.

Source: docs/api/deltas.md, docs/recording.md.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Final

import orjson
from fastapi import Request, Security
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.engine.record import Recorded
from counterfoil.engine.recorder import Answer
from counterfoil.engine.request import Delta, check_key
from counterfoil.errors import EXIT_IO, CounterfoilError
from counterfoil.web.access import SCHEME, Caller, admit
from counterfoil.web.answers import REPLAYED, answer, embedded
from counterfoil.web.batches import attempt_item, described_item, items_of
from counterfoil.web.bodies import read_object
from counterfoil.web.headers import idempotency_key, read_headers
from counterfoil.web.metrics import metrics_of
from counterfoil.web.models import BatchAnswer, BatchBody, DeltaBody, RecordedDelta
from counterfoil.web.openapi import answers, body_of
from counterfoil.web.reading import read_delta
from counterfoil.web.routing import check_query, new_router
from counterfoil.web.state import Services, services_of

router: Final = new_router("Deltas")

RECORD_PATH: Final = "/api/v1/balance/delta"
_NONE: Final[frozenset[str]] = frozenset()


@router.post(
    RECORD_PATH,
    summary="Record a delta",
    dependencies=[Security(SCHEME)],
    status_code=201,
    responses=answers(
        RecordedDelta,
        "amount-out-of-range",
        "record-not-found",
        "idempotency-conflict",
        "clock-regressed",
        "commit-outcome-unknown",
        "log-corrupt",
        "out-of-space",
        status=201,
        replayed=True,
    ),
    openapi_extra=body_of(DeltaBody, with_key=True),
)
async def record_delta(request: Request) -> Response:
    """Record one delta: on disk when the answer comes, and part of the customer's next checkpoint."""
    # Called from the gate's express lane: what the framework would do for a route is done here.
    services, metrics = services_of(request), metrics_of(request)
    headers = read_headers(request.scope)
    caller = await admit(request, headers, "write")
    check_query(request.scope, _NONE)
    try:
        value = await read_object(request, headers, services)
        asked = read_delta(value, idempotency_key(headers))
        delta = asked.delta
        if asked.adjusts_reference is not None:
            delta = await run_in_threadpool(caller.engine.resolve_adjusts, delta, asked.adjusts_reference)
        recorded = await services.gathering(caller.tenant).record(delta)
    except CounterfoilError:
        metrics.deltas("refused")
        raise
    if not recorded.replayed:
        metrics.deltas("recorded")
        return answer(_described(recorded, "QUEUED"), 201)
    metrics.deltas("replayed")
    # A replay may be of long ago.
    state = await run_in_threadpool(caller.engine.delta, recorded.record_id)
    return answer(_described(recorded, state.item.status), 200, REPLAYED)


@router.post(
    f"{RECORD_PATH}/batch",
    summary="Record up to 1,000 deltas",
    dependencies=[Security(SCHEME)],
    status_code=201,
    responses=answers(
        BatchAnswer, "commit-outcome-unknown", "log-corrupt", "out-of-space", status=201, replayed=True
    ),
    openapi_extra=body_of(BatchBody, with_key=True),
)
async def record_batch(request: Request) -> Response:
    """Record deltas of any customers in one transaction; each succeeds or fails by itself.

    The same batch again gives the same answers, where its deltas have keys: their own, or those that follow from the
    header and their places.
    """
    services, metrics = services_of(request), metrics_of(request)
    headers = read_headers(request.scope)
    caller = await admit(request, headers, "write")
    items = items_of(await read_object(request, headers, services))
    batch_key = idempotency_key(headers)
    if batch_key is not None:
        check_key(batch_key)

    read = await run_in_threadpool(
        lambda: [attempt_item(item, position, batch_key) for position, item in enumerate(items)]
    )
    recorded = iter(await _record_all(services, caller, [each for each in read if isinstance(each, Delta)]))
    outcomes = [next(recorded) if isinstance(each, Delta) else each for each in read]
    described = await run_in_threadpool(lambda: list(map(described_item, count(), items, outcomes)))
    done = [outcome for outcome in outcomes if isinstance(outcome, Recorded)]
    replayed = sum(outcome.replayed for outcome in done)
    metrics.deltas("recorded", len(done) - replayed)
    metrics.deltas("replayed", replayed)
    metrics.deltas("refused", len(outcomes) - len(done))
    data = {
        "totalQueued": len(done),
        "totalFailed": len(outcomes) - len(done),
        "results": described,
    }
    if len(done) > replayed:
        return answer(data, 201)
    return answer(data, 200, REPLAYED if replayed else None)


async def _record_all(services: Services, caller: Caller, deltas: list[Delta]) -> list[Answer]:
    """Record deltas in one transaction, which those of other requests may share.

    Raises:
        EngineError: what became of that transaction, where nothing was recorded or nobody knows.
    """
    if not deltas:
        return []
    answers = await asyncio.wrap_future(services.recorder(caller.tenant).submit_many(deltas))
    for each in answers:
        if isinstance(each, CounterfoilError) and (each.exit_status == EXIT_IO or each.code == "internal"):
            raise each
    return answers


def _described(recorded: Recorded, status: str) -> dict[str, object]:
    """Return what is said of a delta that is recorded."""
    entry = orjson.loads(recorded.data)
    return {
        "recordId": recorded.record_id,
        "status": status,
        "receiptId": recorded.record_id,
        "customerId": recorded.customer_id,
        "customerReference": recorded.record_id.partition(".")[0],
        # In its one spelling, which is a JSON number too.
        "delta": embedded(entry["amount"].encode("ascii")),
        "sequenceNumber": int(entry["count"]),
        "recordedAt": entry["recordedAt"],
        "idempotencyKey": recorded.idempotency_key,
        "entry": embedded(recorded.data),
    }
