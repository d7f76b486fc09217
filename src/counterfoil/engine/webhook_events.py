"""Events: their ids, and what is sent of them.

    customer.created.0x{reference}          delta.verified.0x{reference}.{index}
    checkpoint.verified.0x{reference}.{size}

An event is its place in a log.  So its id is the same however often it is sent, and what is sent is made from the log
each time: details that were erased meanwhile are not.

Source: docs/api/webhooks.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, cast, get_args

from counterfoil.core.amount import format_nano
from counterfoil.core.encoding import JsonValue, NumberToken, decode_integer, excerpt, json_string
from counterfoil.core.reference import REFERENCE_PATTERN
from counterfoil.engine.customers import customer_id_of
from counterfoil.engine.deltas import delta_state
from counterfoil.engine.operator import Operator
from counterfoil.engine.published import checkpoint_id
from counterfoil.engine.service import Delivery, EventKind
from counterfoil.engine.store import ReadTransaction, Store
from counterfoil.engine.stored import head_of, log_corrupt, read_checkpoint, read_entry
from counterfoil.errors import EngineError, MalformedError

CUSTOMER_CREATED: Final = "customer.created"
DELTA_VERIFIED: Final = "delta.verified"
CHECKPOINT_VERIFIED: Final = "checkpoint.verified"

_EVENT_ID: Final = re.compile(
    rf"(customer\.created|delta\.verified|checkpoint\.verified)\.({REFERENCE_PATTERN})(?:\.([0-9]{{1,19}}))?",
    re.ASCII,
)
_Members = Mapping[str, JsonValue]


class Event(NamedTuple):
    """Something that happened in a log.

    Attributes:
        log: the 20-byte customer reference.
        kind: what happened.
        number: the index of the delta, the size of the checkpoint, or 0.
    """

    log: bytes
    kind: EventKind
    number: int


def event_of(delivery: Delivery) -> Event:
    """Return the event that a delivery is of."""
    return Event(delivery.log, cast("EventKind", delivery.kind), delivery.number)


def format_event_id(event: Event) -> str:
    """Write the id of an event."""
    number = "" if event.kind == CUSTOMER_CREATED else f".{event.number}"
    return f"{event.kind}.0x{event.log.hex()}{number}"


def parse_event_id(text: str) -> Event:
    """Read the id of an event.

    Raises:
        MalformedError: where it is none.
    """
    match = _EVENT_ID.fullmatch(text)
    if match is None or (match[1] == CUSTOMER_CREATED) is not (match[3] is None):
        raise MalformedError(f"not the id of an event: {excerpt(text)}")
    number = 0 if match[3] is None else decode_integer(match[3])
    return Event(bytes.fromhex(match[2][2:]), cast("EventKind", match[1]), number)


def event_body(store: Store, operator: Operator, tenant: str, event: Event) -> bytes:
    """Return what is sent of an event: JSON, in UTF-8, with amounts as exact numbers.

    What says which event it is comes from tables that nothing protects: it is signed only where the log is this tenant's
    and there is such a kind.

    Raises:
        EngineError: `record-not-found`, where the tenant has no such event; `log-corrupt`, where the log does not hold
            what the event says.
    """
    if event.kind not in get_args(EventKind):
        raise _no_such_event()
    if event.kind == DELTA_VERIFIED:
        # Which looks at the tenant itself.
        time, data = _delta(store, operator, tenant, event)
    else:
        made = _checkpoint if event.kind == CHECKPOINT_VERIFIED else _customer
        with store.read() as view:
            if head_of(view, tenant, event.log) is None:
                raise _no_such_event()
            time, data = made(view, operator, tenant, event)
    document: dict[str, JsonValue] = {
        "id": format_event_id(event),
        "event": event.kind,
        "tenantId": tenant,
        # The same twice: receivers know it by one name or the other.
        "createdAt": time,
        "timestamp": time,
        "data": dict(data),
    }
    return _write(document).encode("utf-8")


def _customer(view: ReadTransaction, operator: Operator, tenant: str, event: Event) -> tuple[str, _Members]:
    del operator, tenant
    opened = read_entry(view, event.log, 0)
    return opened.recorded_at, {
        "customerId": customer_id_of(view, event.log),
        "customerReference": f"0x{event.log.hex()}",
        "unit": opened.unit,
        "createdAt": opened.recorded_at,
    }


def _delta(store: Store, operator: Operator, tenant: str, event: Event) -> tuple[str, _Members]:
    state = delta_state(store, operator, tenant, event.log, event.number)
    if state.checkpoint is None or state.verified_at is None:
        # It was announced in the transaction that published one.
        raise log_corrupt(event.log, f"no checkpoint covers entry {event.number} any more")
    item, verified_at = state.item, state.verified_at
    details = item.details or {}
    return verified_at, {
        "recordId": item.record_id,
        "receiptId": item.record_id,
        "verificationReference": checkpoint_id(event.log, state.checkpoint.size),
        "proofRoot": f"0x{state.checkpoint.root.hex()}",
        "customerId": state.customer_id,
        "customerReference": f"0x{event.log.hex()}",
        "delta": NumberToken(format_nano(item.entry.amount)),
        "unit": item.entry.unit,
        "sequenceNumber": item.entry.count,
        "referenceId": details.get("referenceId"),
        "reason": details.get("reason"),
        "recordedAt": item.entry.recorded_at,
        "verifiedAt": verified_at,
        # What PacSpace's clients call it.
        "blockTimestamp": verified_at,
    }


def _checkpoint(view: ReadTransaction, operator: Operator, tenant: str, event: Event) -> tuple[str, _Members]:
    log, size = event.log, event.number
    row = view.checkpoint(log, size)
    if row is None:
        raise log_corrupt(log, f"its checkpoint of size {size} is missing")
    checkpoint = read_checkpoint(row, operator, tenant)
    seal = read_entry(view, log, size - 1)
    before = view.checkpoints_up_to([(log, size - 1)]).get((log, size - 1))
    counted = read_entry(view, log, before.size - 1).count if before is not None else 0
    return seal.recorded_at, {
        "checkpointId": checkpoint_id(log, size),
        "proofRoot": f"0x{checkpoint.root.hex()}",
        "customerId": customer_id_of(view, log),
        "customerReference": f"0x{log.hex()}",
        "size": size,
        "deltaCount": seal.count,
        "newDeltas": seal.count - counted,
        "verifiedThroughAt": seal.recorded_at,
        "note": checkpoint.note,
    }


def _no_such_event() -> EngineError:
    return EngineError("record-not-found", "the tenant has no such event")


def _write(value: JsonValue) -> str:
    """Write JSON with numbers as they stand: an amount is no double."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json_string(name)}:{_write(item)}" for name, item in value.items()) + "}"
    if value is None:
        return "null"
    return json_string(value) if isinstance(value, str) and not isinstance(value, NumberToken) else str(value)
