"""The deltas of a batch, each with a key of its own.

Which key that is, the first of these that there is:

1. its `idempotencyKey`;
2. what follows from the header `Idempotency-Key` and its place (`counterfoil.engine.request.batch_item_key`);
3. its `referenceId`, where `metadata.submissionType` is `tenant_summary`: PacSpace's queue of summaries sends no keys and
   sends again what got no answer, and its referenceIds follow from what is summed up;
4. a random one.

Source: docs/api/deltas.md#batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from counterfoil.core.amount import read_amount
from counterfoil.core.encoding import JsonValue, NumberToken
from counterfoil.engine.record import Recorded
from counterfoil.engine.request import Delta, batch_item_key
from counterfoil.errors import CounterfoilError, EngineError
from counterfoil.limits import REQUEST_DELTAS_MAX
from counterfoil.web.answers import amount, embedded
from counterfoil.web.bodies import check_members, text_member
from counterfoil.web.problems import detail_of
from counterfoil.web.reading import ITEM_MEMBERS, read_delta

_MEMBERS: Final = frozenset({"deltas"})
_SUMMARY: Final = "tenant_summary"


def items_of(value: Mapping[str, JsonValue]) -> list[JsonValue]:
    """Return the items of a batch, not looked into.

    Raises:
        EngineError: `invalid-field`.
    """
    check_members(value, _MEMBERS)
    items = value.get("deltas")
    if not isinstance(items, list) or not 1 <= len(items) <= REQUEST_DELTAS_MAX:
        raise EngineError(
            "invalid-field", f"deltas is an array of 1 to {REQUEST_DELTAS_MAX:,}", field="deltas"
        )
    return items


def attempt_item(item: JsonValue, position: int, batch_key: str | None) -> Delta | CounterfoilError:
    """Return the delta that an item asks for, with its key, or why it is refused."""
    try:
        return _delta(item, position, batch_key)
    except EngineError as error:
        return error


def _delta(item: JsonValue, position: int, batch_key: str | None) -> Delta:
    if not isinstance(item, dict):
        raise EngineError("invalid-field", "an item of deltas is a JSON object", field="deltas")
    asked = read_delta(item, _key(item, position, batch_key), ITEM_MEMBERS)
    if asked.adjusts_reference is not None:
        # Each would search a log.
        raise EngineError("invalid-field", "in a batch, adjusts names a recordId", field="adjusts")
    return asked.delta


def described_item(position: int, item: JsonValue, outcome: Recorded | CounterfoilError) -> dict[str, object]:
    """Return what is said of an item."""
    if isinstance(outcome, Recorded):
        entry = outcome.entry
        return {
            "index": position,
            "customerId": outcome.customer_id,
            "delta": amount(entry.amount),
            "status": "QUEUED",
            "recordId": outcome.record_id,
            "receiptId": outcome.record_id,
            "sequenceNumber": entry.count,
            "recordedAt": entry.recorded_at,
            "idempotencyKey": outcome.idempotency_key,
            "idempotent": outcome.replayed,
            "entry": embedded(outcome.data),
        }
    found = item if isinstance(item, dict) else {}
    customer_id, delta = found.get("customerId"), found.get("delta")
    return {
        "index": position,
        "customerId": customer_id if type(customer_id) is str else None,
        "delta": _as_number(delta),
        "status": "FAILED",
        "idempotent": False,
        "error": detail_of(outcome),
        "code": outcome.code,
    }


def _key(item: Mapping[str, JsonValue], position: int, batch_key: str | None) -> str | None:
    own = text_member(item, "idempotencyKey")
    if own is not None:
        return own
    if batch_key is not None:
        return batch_item_key(batch_key, position)
    metadata = item.get("metadata")
    if isinstance(metadata, dict) and metadata.get("submissionType") == _SUMMARY:
        return text_member(item, "referenceId")
    return None


def _as_number(value: JsonValue) -> object:
    """Return an amount that was refused for another reason, None where it is none."""
    if not isinstance(value, (str, NumberToken)):
        return None
    try:
        return amount(read_amount(value))
    except EngineError:
        return None
