"""Checkpoints: asked for, and listed.

Source: docs/api/reference.md, docs/spec/checkpoint.md.
"""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Final

from fastapi import Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.engine.checkpoint import Checkpointed
from counterfoil.engine.engine import Engine
from counterfoil.engine.published import checkpoint_id
from counterfoil.engine.windows import Window
from counterfoil.errors import CounterfoilError, EngineError
from counterfoil.limits import PAGE_ITEMS_MAX
from counterfoil.web import forms
from counterfoil.web.access import Reader, Writer
from counterfoil.web.answers import answer
from counterfoil.web.bodies import Body, check_members, text_member
from counterfoil.web.described import of_checkpoint, of_window, root_hex
from counterfoil.web.forms import pattern
from counterfoil.web.models_balances import CheckpointAnswer, CheckpointBody, CheckpointsAnswer
from counterfoil.web.openapi import answers, body_of
from counterfoil.web.routing import new_router
from counterfoil.web.scoping import SCOPE_MEMBERS, Limit, Offset, Scope, scope_of
from counterfoil.web.state import Shared

router: Final = new_router("Checkpoints")

# Members of PacSpace's API by which a checkpoint leaves deltas out.
_SUBSETS: Final = ("fingerprints", "mode")
_MEMBERS: Final = frozenset({"customerId", *_SUBSETS, *SCOPE_MEMBERS})
_PROBLEMS: Final = (
    "invalid-scope-combination",
    "scope-too-wide",
    "customer-not-found",
    "clock-regressed",
    "log-corrupt",
    "fork-refused",
    "commit-outcome-unknown",
    "out-of-space",
)


@router.post(
    "/api/v1/balance/checkpoint",
    summary="Make a checkpoint",
    status_code=201,
    responses=answers(CheckpointAnswer, *_PROBLEMS, status=201) | answers(CheckpointAnswer),
    openapi_extra=body_of(CheckpointBody),
)
async def make_checkpoint(caller: Writer, services: Shared, body: Body) -> Response:
    """Put what was recorded under a signed root now, of one customer or of all.

    Of a period that is over it is the first checkpoint that closes it, and the same one every time.  201 where one was
    signed now, 200 where there was nothing to sign.
    """
    check_members(body, _MEMBERS)
    for name in _SUBSETS:
        if body.get(name) is not None:
            raise EngineError(
                "invalid-field",
                f"a checkpoint covers everything up to its seal, so that nothing can be left out: {name} has no meaning here",
                field=name,
            )
    customer_id = text_member(body, "customerId")
    scope = scope_of(body)
    window = scope.begun(services.now()) if scope.is_named else None
    if customer_id is None:
        if window is not None:
            raise EngineError(
                "invalid-scope-combination",
                "a period goes with one customer; without a customerId there is none",
            )
        return await run_in_threadpool(_checkpoint_all, caller.engine)
    found = await run_in_threadpool(_checkpoint, caller.engine, customer_id, window, services.now())
    return answer(
        {
            "customerId": customer_id,
            **_of_outcome(found),
            "scope": None if window is None else of_window(window),
        },
        201 if found.outcome == "signed" else 200,
    )


@router.get(
    "/api/v1/balance/checkpoints",
    summary="Published checkpoints",
    responses=answers(
        CheckpointsAnswer, "invalid-scope-combination", "scope-too-wide", "customer-not-found", "log-corrupt"
    ),
)
def list_checkpoints(
    *,
    caller: Reader,
    services: Shared,
    scope: Scope,
    customer_id: Annotated[
        str | None,
        Query(
            alias="customerId",
            description="Whose; without one, the newest of each customer on the page.",
            json_schema_extra=pattern(forms.CUSTOMER_ID),
        ),
    ] = None,
    limit: Limit = 25,
    offset: Offset = 0,
) -> Response:
    """List a customer's checkpoints whose seals lie in the scope, or all, the newest first."""
    window = scope.window(services.now()) if scope.is_named else None
    if customer_id is None:
        # A customer without a checkpoint leaves its place on the page empty: only the list of customers tells its end.
        found = caller.engine.published(None, window=window, offset=offset, limit=limit)
        _, customers = caller.engine.customer_page([], limit=0)
        more = offset + limit < customers
    else:
        found = caller.engine.published(customer_id, window=window, offset=offset, limit=limit + 1)
        more = len(found) > limit
    return answer(
        {
            "checkpoints": [of_checkpoint(each) for each in found[:limit]],
            "scope": None if window is None else of_window(window),
            "pagination": {"limit": limit, "offset": offset, "hasMore": more},
        }
    )


def _checkpoint(engine: Engine, customer_id: str, window: Window | None, now: int) -> Checkpointed:
    if window is None:
        return engine.checkpoint(customer_id)
    return engine.checkpoint_window(customer_id, window, now=now)


def _checkpoint_all(engine: Engine) -> Response:
    """Checkpoint up to 1,000 customers with something new; say which, and whether there may be more."""
    outcomes = list(islice(engine.checkpoint_all(), PAGE_ITEMS_MAX))
    made = [each for each in outcomes if not isinstance(each, CounterfoilError)]
    return answer(
        {
            "checkpoints": [_of_outcome(each) for each in made],
            "refused": [
                {"customerReference": each.facts["log"], "code": each.code}
                for each in outcomes
                if isinstance(each, CounterfoilError)
            ],
            "status": "VERIFIED" if len(outcomes) < PAGE_ITEMS_MAX else "QUEUED",
        },
        201 if any(each.outcome == "signed" for each in made) else 200,
    )


def _of_outcome(found: Checkpointed) -> dict[str, object]:
    return {
        "checkpointId": checkpoint_id(found.log, found.checkpoint.size),
        "customerReference": f"0x{found.log.hex()}",
        "proofRoot": root_hex(found.checkpoint.root),
        "status": "VERIFIED",
        "outcome": found.outcome,
        "size": found.checkpoint.size,
        "verifiedThroughAt": found.verified_through_at,
        "verificationReference": checkpoint_id(found.log, found.checkpoint.size),
    }
