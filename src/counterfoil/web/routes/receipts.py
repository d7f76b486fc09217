"""Receipts of a period: what it adds up to under one checkpoint, as PacSpace's clients know them.

What proves a single delta is its own receipt (`counterfoil.web.routes.records`).

Source: docs/api/reference.md.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from counterfoil.core.timestamp import format_time
from counterfoil.engine.closing import PeriodTotals
from counterfoil.engine.published import checkpoint_id
from counterfoil.web.access import Caller, Reader
from counterfoil.web.answers import amount, answer
from counterfoil.web.described import of_window, root_hex
from counterfoil.web.models_balances import InvoiceProof, PeriodReceipt
from counterfoil.web.openapi import answers
from counterfoil.web.parameters import CustomerIdPath
from counterfoil.web.routing import new_router
from counterfoil.web.scoping import Named, Scope
from counterfoil.web.state import Services, Shared

router: Final = new_router("Receipts")

_PROBLEMS: Final = (
    "invalid-scope-combination",
    "scope-too-wide",
    "customer-not-found",
    "not-yet-checkpointed",
    "log-corrupt",
)


@router.get(
    "/api/v1/balance/receipt/{customerId}",
    summary="The receipt of a period",
    responses=answers(PeriodReceipt, *_PROBLEMS),
)
def read_receipt(customer_id: CustomerIdPath, caller: Reader, services: Shared, scope: Scope) -> Response:
    """Say what a period adds up to under the checkpoint that closes it, or under the newest one while it goes on."""
    return answer(_described(caller, services, customer_id, scope))


@router.get(
    "/api/v1/balance/invoice-proof/{customerId}",
    summary="The receipt of a period, beside an invoice",
    responses=answers(InvoiceProof, *_PROBLEMS),
)
def read_invoice_proof(
    customer_id: CustomerIdPath, caller: Reader, services: Shared, scope: Scope
) -> Response:
    """The same, with the members that PacSpace's clients expect beside an invoice; there are no shared links here."""
    found = _described(caller, services, customer_id, scope)
    return answer(found | {"accessHint": None, "customerLinkUrl": None, "customerLinkHost": None})


def _described(caller: Caller, services: Services, customer_id: str, scope: Named) -> dict[str, object]:
    now = services.now()
    found = caller.engine.period_totals(customer_id, scope.begun(now))
    root = root_hex(found.checkpoint.root)
    url = f"{services.settings.public_url}/api/v1/verify/{root}"
    return {
        "customerId": customer_id,
        "customerReference": f"0x{found.log.hex()}",
        "receiptId": checkpoint_id(found.log, found.checkpoint.size),
        "checkpointId": checkpoint_id(found.log, found.checkpoint.size),
        "generatedAt": format_time(now),
        **of_window(found.window),
        "unit": found.unit,
        "isFinal": found.is_final,
        **_totals(found),
        "proofRoot": root,
        "verifiedThroughAt": found.sealed_at,
        "verifyUrl": url,
        "verificationApiUrl": url,
    }


def _totals(found: PeriodTotals) -> dict[str, object]:
    return {
        "deltaCount": found.deltas,
        "deltasCount": found.deltas,
        "pendingCount": found.pending,
        "startingBalance": amount(found.opening.balance),
        "finalBalance": amount(found.closing.balance),
        "netChange": amount(found.amount),
        "credits": amount(found.credits),
        "debits": amount(found.debits),
    }
