"""For whoever runs the server: is it alive, can it work, what has it done.

None of them needs a key: a proxy in front keeps strangers from them where that matters.

Source: docs/operations/server.md.
"""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.responses import PlainTextResponse, Response

from counterfoil.engine.operator import claim_store
from counterfoil.web import metrics
from counterfoil.web.answers import answer
from counterfoil.web.models import HealthAnswer
from counterfoil.web.openapi import answers
from counterfoil.web.routing import new_router
from counterfoil.web.state import Shared

router: Final = new_router("Operations")


@router.get("/healthz", summary="Whether the process answers", responses=answers(HealthAnswer))
async def healthy() -> Response:
    """Answer, without looking at the store."""
    return answer({"status": "ok"})


@router.get(
    "/readyz",
    summary="Whether requests can be served",
    responses=answers(HealthAnswer, "key-mismatch", "store-unavailable"),
)
def ready(services: Shared) -> Response:
    """Look at the store: that it answers, and belongs to this operator."""
    claim_store(services.store, services.operator)
    return answer({"status": "ok"})


@router.get(
    "/metrics",
    summary="Counters, for Prometheus",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Counters."}},
)
def counters(request: Request) -> Response:
    """Return what all processes of this server have counted."""
    return Response(metrics.metrics_of(request).text(), media_type=metrics.CONTENT_TYPE)
