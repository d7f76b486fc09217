"""Deliveries of events to webhooks: listed, and sent again.

What webhooks there are is the operator's to say (`counterfoil webhook`), never a request's: whoever names a host makes the
server connect to it.  Nothing here shows where a webhook leads.

Source: docs/api/webhooks.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import Path, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.core.timestamp import format_time
from counterfoil.engine.service import Delivery, DeliveryStatus, EventKind
from counterfoil.engine.webhook_deliveries import STATUSES, delivery_page, retry
from counterfoil.engine.webhook_events import event_of, format_event_id
from counterfoil.web import forms
from counterfoil.web.access import Reader, Writer
from counterfoil.web.answers import answer
from counterfoil.web.bodies import check_members, read_object
from counterfoil.web.forms import one_of, pattern
from counterfoil.web.headers import read_headers
from counterfoil.web.models import RECORD_ID, Body, Described, Time
from counterfoil.web.openapi import answers, body_of
from counterfoil.web.routing import new_router
from counterfoil.web.scoping import Limit, Offset
from counterfoil.web.state import Shared

router: Final = new_router("Webhooks")

_PATH: Final = "/api/v1/balance/webhooks"
_EVENT_ID: Final = f"delta.verified.{RECORD_ID}"
EventId = Annotated[
    str,
    Path(
        alias="eventId",
        description="Of the event.",
        examples=[_EVENT_ID],
        json_schema_extra=pattern(forms.EVENT_ID),
    ),
]
Status = Annotated[
    str | None, Query(description="Deliveries of this status alone.", json_schema_extra=one_of(*STATUSES))
]


class DeliveryItem(Described):
    """A delivery of an event to a webhook."""

    event_id: str = Field(examples=[_EVENT_ID])
    event: EventKind
    webhook_id: str = Field(examples=["wh_5b0d6a1c93f2e847a09b4f1d2c6e8035"])
    status: DeliveryStatus
    attempts: int = Field(examples=[1], description="How often it was tried.")
    next_attempt_at: Time | None = Field(description="Of a pending one.")
    created_at: Time
    last_outcome: str | None = Field(
        examples=["HTTP 503"], description="What the last attempt met; null before there was one."
    )


class DeliveriesAnswer(Described):
    """A page of deliveries, the newest first."""

    deliveries: list[DeliveryItem]
    total: int = Field(description="Of that status, or of all, on all pages.")
    limit: int
    offset: int


class RetryBody(Body):
    """Nothing: an empty object, or no body at all."""


class RetryAnswer(Described):
    """An event that is sent again."""

    event_id: str = Field(examples=[_EVENT_ID])
    deliveries: list[DeliveryItem] = Field(description="One for each webhook that it goes to.")


def _optional(extra: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {**extra["requestBody"], "required": False}}


@router.get(_PATH, summary="Deliveries of events", responses=answers(DeliveriesAnswer))
def list_deliveries(
    caller: Reader, services: Shared, status: Status = None, limit: Limit = 100, offset: Offset = 0
) -> Response:
    """List deliveries of events to your webhooks, the newest first. Settled ones are forgotten after 30 days."""
    page = delivery_page(services.store, caller.tenant, status, offset=offset, limit=limit)
    return answer(
        {
            "deliveries": _described(page.deliveries),
            "total": page.total,
            "limit": limit,
            "offset": offset,
        }
    )


@router.post(
    f"{_PATH}/{{eventId}}/retry",
    summary="Send an event again",
    responses=answers(RetryAnswer, "record-not-found"),
    openapi_extra=_optional(body_of(RetryBody)),
)
async def retry_event(request: Request, caller: Writer, services: Shared, event_id: EventId) -> Response:
    """Send an event again, now and whatever became of it, to every webhook that it was meant for and that is there still.

    It bears the same id, by which its receiver knows it again.
    """
    headers = read_headers(request.scope)
    if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
        check_members(await read_object(request, headers, services), ())
    found = await run_in_threadpool(retry, services.store, caller.tenant, event_id)
    return answer({"eventId": event_id, "deliveries": _described(found)})


def _described(deliveries: Sequence[Delivery]) -> list[dict[str, object]]:
    return [
        {
            "eventId": format_event_id(event_of(each)),
            "event": each.kind,
            "webhookId": each.webhook_id,
            "status": each.status,
            "attempts": each.attempts,
            "nextAttemptAt": format_time(each.due_at) if each.status == "pending" else None,
            "createdAt": format_time(each.created_at),
            "lastOutcome": each.outcome or None,
        }
        for each in deliveries
    ]
