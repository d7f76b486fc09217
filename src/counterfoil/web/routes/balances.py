"""Balances of a customer over a scope: derived, compared, counted.

Source: docs/api/balances.md.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.core.amount import read_balance
from counterfoil.engine.balances import Derived
from counterfoil.engine.engine import Engine
from counterfoil.engine.published import CHECKPOINT_ID_PREFIX, read_root
from counterfoil.engine.windows import GRANULARITIES, Window, split
from counterfoil.errors import EngineError
from counterfoil.limits import INTEGER_MAX, SCOPE_DAYS_MAX, SCOPE_MONTHS_MAX
from counterfoil.web import forms
from counterfoil.web.access import Reader
from counterfoil.web.answers import amount, answer
from counterfoil.web.bodies import Body, Object, check_members, number_member, required, text_member
from counterfoil.web.described import of_delta, of_span, of_window
from counterfoil.web.forms import one_of, pattern
from counterfoil.web.models_balances import (
    CompareAnswer,
    CompareBody,
    DeriveAnswer,
    GapsAnswer,
    LimitsAnswer,
    UsageAnswer,
)
from counterfoil.web.openapi import answers, body_of
from counterfoil.web.parameters import CustomerIdPath
from counterfoil.web.routing import new_router
from counterfoil.web.scoping import SCOPE_MEMBERS, Limit, Named, Offset, Scope, scope_of
from counterfoil.web.state import Shared

router: Final = new_router("Balances")

_ROOT_TYPE: Final = "proofRoot"
_RECORD_TYPE: Final = "recordId"
_CHECKPOINT_TYPE: Final = "checkpointId"
_START_TYPES: Final = (_ROOT_TYPE, _CHECKPOINT_TYPE, _RECORD_TYPE)
_PROBLEMS: Final = (
    "amount-out-of-range",
    "invalid-scope-combination",
    "scope-too-wide",
    "customer-not-found",
    "record-not-found",
    "log-corrupt",
)
_COMPARE_MEMBERS: Final = frozenset(
    {
        "customerId",
        "yourBalance",
        "theirBalance",
        "startingBalance",
        "startingCheckpoint",
        "startingCheckpointType",
        "granularity",
        *SCOPE_MEMBERS,
    }
)

StartingBalance = Annotated[
    str | None,
    Query(
        alias="startingBalance",
        description="A decimal number that the scope is added to; 0 where none is given.",
        examples=["100.5"],
        json_schema_extra={"pattern": forms.DECIMAL, "maxLength": forms.DECIMAL_CHARACTERS_MAX},
    ),
]
StartingCheckpoint = Annotated[
    str | None,
    Query(
        alias="startingCheckpoint",
        description="Instead of a scope: the root or id of a checkpoint of the customer, or a recordId. Everything behind it is added to the balance that there was then.",
        json_schema_extra=pattern(forms.STARTING_CHECKPOINT),
    ),
]
StartingCheckpointType = Annotated[
    str | None,
    Query(
        alias="startingCheckpointType",
        description=f"What the starting checkpoint is, one of {', '.join(_START_TYPES)}. It is seen from its form; where this is given, the two must agree.",
        json_schema_extra=one_of(*_START_TYPES),
    ),
]
Granularity = Annotated[
    str | None,
    Query(
        description=f"Also add up the parts of the scope: {', '.join(GRANULARITIES)}.",
        examples=["month"],
        json_schema_extra=one_of(*GRANULARITIES),
    ),
]


@router.get(
    "/api/v1/balance/derive/{customerId}",
    summary="What a scope adds up to",
    responses=answers(DeriveAnswer, *_PROBLEMS),
)
def derive(
    *,
    customer_id: CustomerIdPath,
    caller: Reader,
    services: Shared,
    scope: Scope,
    granularity: Granularity = None,
    starting_balance: StartingBalance = None,
    starting_checkpoint: StartingCheckpoint = None,
    starting_checkpoint_type: StartingCheckpointType = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """Add up the deltas of a scope, all of them; `deltas` is a page of these, the oldest first."""
    asked = _Asked(scope, granularity, starting_balance, starting_checkpoint, starting_checkpoint_type)
    found = asked.derive(caller.engine, customer_id, services.now())
    items = caller.engine.deltas(
        customer_id, found.opening.count + 1, found.closing.count, offset=offset, limit=limit
    )
    return answer(
        {
            "customerId": customer_id,
            **_of_derived(found),
            "deltas": [of_delta(item) for item in items],
            "pagination": {"limit": limit, "offset": offset, "total": found.deltas},
        }
    )


@router.get("/api/v1/balance/limits", summary="How wide a scope may be", responses=answers(LimitsAnswer))
def read_limits(caller: Reader) -> Response:
    """Say how wide a scope may be. Nothing that was recorded is ever dropped."""
    del caller
    return answer(
        {
            "maxScopeMonths": SCOPE_MONTHS_MAX,
            "maxLastNDays": SCOPE_DAYS_MAX,
            "maxRetentionDays": None,
        }
    )


@router.post(
    "/api/v1/balance/compare",
    summary="Compare two balances with the record",
    responses=answers(CompareAnswer, *_PROBLEMS),
    openapi_extra=body_of(CompareBody),
)
async def compare(caller: Reader, services: Shared, body: Body) -> Response:
    """Hold two parties' balances against the record."""
    check_members(body, _COMPARE_MEMBERS)
    customer_id = required(text_member(body, "customerId"), "customerId")
    yours, theirs = _balance(body, "yourBalance"), _balance(body, "theirBalance")
    asked = _Asked(
        scope_of(body),
        text_member(body, "granularity"),
        number_member(body, "startingBalance"),
        text_member(body, "startingCheckpoint"),
        text_member(body, "startingCheckpointType"),
    )
    found = await run_in_threadpool(asked.derive, caller.engine, customer_id, services.now())
    return answer(
        {
            "customerId": customer_id,
            "neutralBalance": amount(found.computed),
            "yourBalance": amount(yours),
            "theirBalance": amount(theirs),
            "matchesYours": yours == found.computed,
            "matchesTheirs": theirs == found.computed,
            "yourDifference": amount(yours - found.computed),
            "theirDifference": amount(theirs - found.computed),
            **_of_derived(found),
        }
    )


@router.get("/api/v1/balance/usage", summary="How much is recorded", responses=answers(UsageAnswer))
async def read_usage(caller: Reader, services: Shared) -> Response:
    """Say how much is recorded. There is no allotment: nothing is ever refused for it."""
    summary = await services.summaries.get(caller.engine)
    return answer(
        {
            "totalDeltas": summary.deltas,
            "verifiedDeltas": summary.verified,
            "totalCustomers": summary.customers,
            "used": summary.deltas,
            "allowed": None,
            "remaining": None,
        }
    )


@router.get(
    "/api/v1/balance/gaps/{customerId}",
    summary="Gaps in the sequence of deltas",
    responses=answers(GapsAnswer, "customer-not-found", "log-corrupt"),
)
def find_gaps(
    *,
    customer_id: CustomerIdPath,
    caller: Reader,
    from_sequence: Annotated[
        int, Query(alias="fromSequence", ge=1, le=INTEGER_MAX, description="The first number to check.")
    ] = 1,
    to_sequence: Annotated[
        int | None,
        Query(
            alias="toSequence",
            ge=1,
            le=INTEGER_MAX,
            description="The last one; the newest where none is named.",
        ),
    ] = None,
    limit: Limit = 1_000,
) -> Response:
    """Check that every sequence number has its delta, at most `limit` of them; there are no gaps, unless somebody tampered."""
    found = caller.engine.check_sequence(customer_id, first=from_sequence, last=to_sequence, limit=limit)
    last = found.newest if to_sequence is None else min(found.newest, to_sequence)
    return answer(
        {
            "customerId": customer_id,
            "gaps": list(found.missing),
            "checkedFrom": found.first,
            "checkedTo": found.last,
            "newestSequence": found.newest,
            "nextSequence": found.last + 1 if found.last < last else None,
        }
    )


class _Asked:
    """What a request asks to be added up."""

    def __init__(
        self,
        scope: Named,
        granularity: str | None,
        starting_balance: str | None,
        starting_checkpoint: str | None,
        starting_checkpoint_type: str | None,
    ) -> None:
        """Read it.

        Raises:
            EngineError: `invalid-field`, `amount-out-of-range`, `invalid-scope-combination`.
        """
        self._scope = scope
        self._granularity = granularity
        self._starting_balance = (
            0 if starting_balance is None else read_balance(starting_balance, field="startingBalance")
        )
        self._start = starting_checkpoint
        if starting_checkpoint_type is not None:
            _check_type(starting_checkpoint_type, starting_checkpoint)
        if starting_checkpoint is None:
            return
        # PacSpace's client sends a starting balance of 0 always.
        if scope.is_named or granularity is not None or self._starting_balance:
            raise EngineError(
                "invalid-scope-combination",
                "startingCheckpoint stands alone: without a scope, granularity and startingBalance",
            )

    def derive(self, engine: Engine, customer_id: str, now: int) -> Derived:
        """Add it up.

        Raises:
            EngineError: as `Engine.derive` and `Engine.derive_from`.
        """
        if self._start is not None:
            return engine.derive_from(customer_id, self._start)
        window = self._scope.window(now)
        parts: list[Window] = [] if self._granularity is None else split(window, self._granularity)
        return engine.derive(customer_id, window, parts=parts, starting_balance=self._starting_balance)


def _check_type(named: str, start: str | None) -> None:
    """Refuse a type that is not that of the starting checkpoint: one of both is a mistake."""
    if named not in _START_TYPES:
        words = f"startingCheckpointType is one of {', '.join(_START_TYPES)}"
        raise EngineError("invalid-field", words, field="startingCheckpointType")
    if start is None:
        raise EngineError(
            "invalid-scope-combination", "startingCheckpointType goes with a startingCheckpoint"
        )
    if read_root(start):
        seen = _ROOT_TYPE
    else:
        seen = _CHECKPOINT_TYPE if start.startswith(CHECKPOINT_ID_PREFIX) else _RECORD_TYPE
    if seen != named:
        words = f"startingCheckpoint has the form of a {seen}, and startingCheckpointType says {named}"
        raise EngineError("invalid-field", words, field="startingCheckpoint")


def _of_derived(found: Derived) -> dict[str, object]:
    described: dict[str, object] = {
        "customerReference": f"0x{found.log.hex()}",
        "unit": found.unit,
        "startingBalance": amount(found.starting_balance),
        "computedBalance": amount(found.computed),
        "deltaCount": found.deltas,
        "deltasCount": found.deltas,
        "verifiedCount": found.verified,
        "credits": amount(found.credits),
        "debits": amount(found.debits),
        "openingBalance": amount(found.opening.balance),
        "closingBalance": amount(found.closing.balance),
        "latestReceiptId": found.newest,
        "scope": None if found.window is None else of_window(found.window),
    }
    if found.breakdown:
        described["breakdown"] = [of_span(span) for span in found.breakdown]
    return described


def _balance(body: Object, name: str) -> int:
    return read_balance(required(number_member(body, name), name), field=name)
