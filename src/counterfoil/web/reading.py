"""What a body asks to be recorded.

    {"customerId": "cust_001", "delta": -12.5, "reason": "api_call",
     "referenceId"?: "line_001", "metadata"?: {...}, "effectiveAt"?: "2026-04-02T10:29:59Z", "unit"?: "credits",
     "adjusts"?: {"recordId": "0x....1"} | {"referenceId": "line_000"}}

Source: docs/api/reference.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from counterfoil.core.encoding import JsonValue, exact_numbers
from counterfoil.engine.request import Delta
from counterfoil.errors import EngineError, MalformedError
from counterfoil.web.bodies import check_members, number_member, required, text_member

# A member of PacSpace's API that has no meaning here; a null is as if it were not there.
_FOREIGN: Final = "vendorAccountId"
DELTA_MEMBERS: Final = frozenset(
    {"customerId", "delta", "reason", "referenceId", "metadata", "effectiveAt", "unit", "adjusts", _FOREIGN}
)
ITEM_MEMBERS: Final = DELTA_MEMBERS | {"idempotencyKey"}
_ADJUSTS_MEMBERS: Final = frozenset({"recordId", "referenceId"})


class Asked(NamedTuple):
    """A delta that is to be recorded.

    Attributes:
        delta: as the engine takes it.
        adjusts_reference: the referenceId of the delta that it corrects, where that is how it is named.
    """

    delta: Delta
    adjusts_reference: str | None


def read_delta(
    value: Mapping[str, JsonValue], key: str | None, known: frozenset[str] = DELTA_MEMBERS
) -> Asked:
    """Read what is to be recorded; what the fields may hold is the engine's to say.

    Args:
        value: the object, numbers as `NumberToken`s.
        key: its idempotency key.
        known: the members that it may have.

    Raises:
        EngineError: `invalid-field`.
    """
    check_members(value, known)
    if value.get(_FOREIGN) is not None:
        words = f"{_FOREIGN} names an account of billing middleware, which there is none of here"
        raise EngineError("invalid-field", words, field=_FOREIGN)
    record_id, reference_id = _adjusts(value.get("adjusts"))
    delta = Delta(
        customer_id=required(text_member(value, "customerId"), "customerId"),
        amount=required(number_member(value, "delta"), "delta"),
        reason=required(text_member(value, "reason"), "reason"),
        reference_id=text_member(value, "referenceId"),
        metadata=_metadata(value.get("metadata")),
        idempotency_key=key,
        effective_at=text_member(value, "effectiveAt"),
        adjusts=record_id,
        unit=text_member(value, "unit"),
    )
    return Asked(delta, reference_id)


def _metadata(value: JsonValue) -> dict[str, JsonValue] | None:
    if value is None:
        return None
    try:
        found = exact_numbers(value)
    except MalformedError as error:
        raise EngineError("invalid-field", error.message, field="metadata") from error
    if not isinstance(found, dict):
        raise EngineError("invalid-field", "metadata is a JSON object", field="metadata")
    return found


def _adjusts(value: JsonValue) -> tuple[str | None, str | None]:
    """Return the recordId and the referenceId of what is corrected, at most one of them."""
    if value is None:
        return None, None
    if not isinstance(value, dict):
        raise EngineError("invalid-field", "adjusts is a JSON object", field="adjusts")
    check_members(value, _ADJUSTS_MEMBERS)
    record_id, reference_id = text_member(value, "recordId"), text_member(value, "referenceId")
    if (record_id is None) is (reference_id is None):
        raise EngineError("invalid-field", "adjusts has a recordId or a referenceId", field="adjusts")
    return record_id, reference_id
