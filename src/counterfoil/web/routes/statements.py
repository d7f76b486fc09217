"""Statements of a period, to be verified offline by whoever has the operator's key.

A question writes nothing: what nobody closed yet is stated as far as the newest checkpoint covers it.  A period is closed
by the worker after the end of each month, or by whoever may write, with `POST /api/v1/balance/checkpoint`.

Source: docs/api/verification.md, docs/spec/statement.md.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import Header, Query
from starlette.responses import Response

from counterfoil.core.statement import FULL
from counterfoil.web.access import Reader
from counterfoil.web.answers import answer, embedded
from counterfoil.web.described import of_window
from counterfoil.web.models_balances import StatementAnswer
from counterfoil.web.negotiation import preferred
from counterfoil.web.openapi import answers
from counterfoil.web.parameters import CustomerIdPath
from counterfoil.web.routing import new_router
from counterfoil.web.scoping import Scope
from counterfoil.web.state import Shared

router: Final = new_router("Receipts")

STATEMENT_TYPE: Final = "application/vnd.counterfoil.statement+json"
_FORMS: Final = ("application/json", STATEMENT_TYPE)
_RESPONSES: Final = answers(
    StatementAnswer,
    "invalid-scope-combination",
    "scope-too-wide",
    "customer-not-found",
    "not-yet-checkpointed",
    "log-corrupt",
)
_RESPONSES[200]["content"] = {STATEMENT_TYPE: {"schema": {"type": "object"}}}


@router.get(
    "/api/v1/balance/customers/{customerId}/statement",
    summary="The statement of a period",
    responses=_RESPONSES,
)
def read_statement(
    customer_id: CustomerIdPath,
    caller: Reader,
    services: Shared,
    scope: Scope,
    *,
    mode: Annotated[
        Literal["light", "full"],
        Query(description="With the first and the last entry of the period, or with every one."),
    ] = "light",
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Make the statement of a period: the proof that nothing of it is missing, and of what it adds up to.

    `Accept: application/vnd.counterfoil.statement+json` gets the statement's own bytes, to be saved as a file.
    """
    window = scope.begun(services.now())
    stated = caller.engine.statement(customer_id, window, now=None, full=mode == FULL)
    form = preferred(accept, _FORMS)
    if form == STATEMENT_TYPE:
        return Response(stated.document, media_type=form)
    return answer(
        {
            "customerId": customer_id,
            **of_window(window),
            "mode": mode,
            "isFinal": stated.is_final,
            "verifiedThroughAt": stated.sealed_at,
            "statement": embedded(stated.document),
        }
    )
