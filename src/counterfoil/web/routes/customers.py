"""The customer record: of one, of a page of them, and all in a few numbers.

Source: docs/api/customer-record.md.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from counterfoil.engine.summary import Summary
from counterfoil.engine.windows import month_of, resolve_scope
from counterfoil.errors import CounterfoilError
from counterfoil.limits import CUSTOMER_ID_CHARACTERS_MAX
from counterfoil.web.access import Reader
from counterfoil.web.answers import amount, answer
from counterfoil.web.described import of_delta, of_view, pages
from counterfoil.web.models_customers import CustomerAnswer, CustomersAnswer, SummaryAnswer
from counterfoil.web.openapi import answers
from counterfoil.web.parameters import CustomerIdPath
from counterfoil.web.routing import new_router
from counterfoil.web.scoping import Limit, Page, Period
from counterfoil.web.state import Shared

router: Final = new_router("Customers")


@router.get(
    "/api/v1/balance/customers",
    summary="The records of customers",
    responses=answers(CustomersAnswer),
)
def list_customers(
    *,
    caller: Reader,
    services: Shared,
    period: Period = None,
    page: Page = 1,
    limit: Limit = 25,
    search: Annotated[
        str,
        Query(
            max_length=CUSTOMER_ID_CHARACTERS_MAX,
            description="A part of the customerId, in upper or lower case.",
            examples=["cust_"],
        ),
    ] = "",
) -> Response:
    """List the records of customers, by customerId. Erased ones have none and are on no page."""
    window = resolve_scope(services.now(), period=period)
    found, total = caller.engine.customer_page(
        [window], search=search, offset=(page - 1) * limit, limit=limit
    )
    return answer(
        {
            "customers": [of_view(each) for each in found if not isinstance(each, CounterfoilError)],
            "refused": [
                {"customerReference": each.facts["log"], "code": each.code}
                for each in found
                if isinstance(each, CounterfoilError)
            ],
            "period": month_of(window.start),
            "pagination": pages(page, limit, total),
        }
    )


@router.get(
    "/api/v1/balance/customers/summary",
    summary="All customers in a few numbers",
    responses=answers(SummaryAnswer),
)
async def summarize_customers(caller: Reader, services: Shared) -> Response:
    """Say of all customers how many there are, what they add up to, and how far they are verified.

    It looks at every customer, and is kept for ten seconds.
    """
    return answer(_of_summary(await services.summaries.get(caller.engine)))


@router.get(
    "/api/v1/balance/customers/{customerId}",
    summary="The record of a customer",
    responses=answers(CustomerAnswer, "customer-not-found", "log-corrupt"),
)
def read_customer(
    *,
    customer_id: CustomerIdPath,
    caller: Reader,
    services: Shared,
    period: Period = None,
    delta_page: Annotated[Page, Query(alias="deltaPage")] = 1,
    delta_limit: Annotated[Limit, Query(alias="deltaLimit")] = 20,
) -> Response:
    """Read the record of a customer: all-time totals, one month, and a page of that month's deltas, the newest first."""
    window = resolve_scope(services.now(), period=period)
    view = caller.engine.customer_view(customer_id, [window])
    [span] = view.spans
    items = caller.engine.deltas(
        customer_id,
        span.opening.count + 1,
        span.closing.count,
        newest_first=True,
        offset=(delta_page - 1) * delta_limit,
        limit=delta_limit,
    )
    return answer(
        {
            **of_view(view),
            "recentActivity": {
                "items": [of_delta(item) for item in items],
                "pagination": pages(delta_page, delta_limit, span.deltas),
            },
        }
    )


def _of_summary(summary: Summary) -> dict[str, object]:
    pending = summary.deltas - summary.verified
    health = "REFUSED" if summary.refused else "PENDING" if pending else "VERIFIED"
    return {
        "totalCustomers": summary.customers,
        "totalDeltas": summary.deltas,
        "verifiedDeltas": summary.verified,
        "pendingDeltas": pending,
        "lastActivityAt": summary.last_activity_at,
        "totals": [
            {
                "unit": unit,
                "customers": totals.customers,
                "credits": amount(totals.credits),
                "debits": amount(totals.debits),
                "computedBalance": amount(totals.credits - totals.debits),
                "cumulativeBalance": amount(totals.verified_credits - totals.verified_debits),
            }
            for unit, totals in sorted(summary.units.items())
        ],
        "verification": {
            "health": health,
            "customersFullyVerified": summary.fully_verified,
            "customersRefused": summary.refused,
            "verifiedThroughAt": summary.verified_through_at,
        },
    }
