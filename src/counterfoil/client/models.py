"""What goes to a server and what comes back, as values: thin, and each with all that the server said as `raw`.

A value says what the server claims.  `Recorded` was held against the request, `VerifiedReceipt` was verified; nothing
else here is proven.

Source: docs/api/client.md, docs/api/reference.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from counterfoil.client.answers import Answer, AnswerValue, shown
from counterfoil.core.amount import format_nano, read_amount
from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.details import delta_details
from counterfoil.core.encoding import JsonValue, canonical_json
from counterfoil.core.entry import Entry, parse_entry
from counterfoil.core.receipt import Verified
from counterfoil.core.reference import check_customer_id, format_record_id, parse_record_id
from counterfoil.core.statement_verify import VerifiedStatement
from counterfoil.core.timestamp import read_time
from counterfoil.errors import CODES, EngineError, MalformedError
from counterfoil.limits import IDEMPOTENCY_KEY_CHARACTERS_MAX

Amount = str | int | Decimal
"""An exact decimal: never a float."""

_FAILED: Final = "FAILED"
_KEY: Final = re.compile(rf"[\x21-\x7e]{{1,{IDEMPOTENCY_KEY_CHARACTERS_MAX}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewDelta:
    """A delta that is to be recorded.

    Attributes:
        customer_id: whose.
        amount: signed, not zero.
        reason: why, in words.
        reference_id: what the sender calls it.
        metadata: a JSON object; what has no exact double goes as text.
        idempotency_key: 1 to 255 visible ASCII characters; one is made where none is given.
        effective_at: when it happened, RFC 3339 or a date.
        adjusts: the earlier delta of this customer that it corrects: its recordId, or `{"referenceId": ...}`.
        unit: of the log, on first use.
    """

    customer_id: str
    amount: Amount
    reason: str
    reference_id: str | None = None
    metadata: dict[str, JsonValue] | None = None
    idempotency_key: str | None = None
    effective_at: str | None = None
    adjusts: str | Mapping[str, str] | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A delta that the server says is recorded, and that is the one which was sent.

    Attributes:
        record_id: its place, `customerReference.index`.
        customer_id: whose.
        idempotency_key: the key that a retry must bear.
        amount: as sent.
        status: `QUEUED`, or `VERIFIED` where a replay is of one that a checkpoint covers.
        replayed: whether it was there before.
        recorded_at: when it was accepted.
        sequence_number: which delta of the customer it is, from 1.
        data: the exact bytes of the entry, the leaf.
        details: `reason`, `referenceId`, `metadata` as sent, canonical.
        raw: the answer.
    """

    record_id: str
    customer_id: str
    idempotency_key: str
    amount: Decimal
    status: str
    replayed: bool
    recorded_at: str
    sequence_number: int
    data: bytes = field(repr=False)
    details: bytes = field(repr=False)
    raw: Answer = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt that verified under the pinned keys, for the record that was asked for.

    Attributes:
        data: its bytes as they came, to be kept or handed on.
        verified: what it proves.
    """

    data: bytes = field(repr=False)
    verified: Verified

    @property
    def amount(self) -> Decimal:
        """The amount that it proves."""
        return Decimal(format_nano(self.verified.entry.amount))


@dataclass(frozen=True, slots=True)
class FetchedStatement:
    """The bytes of a statement of the customer and period that were asked for, and what it proves under the pinned keys."""

    data: bytes = field(repr=False)
    verified: VerifiedStatement


@dataclass(frozen=True, slots=True)
class DeltaState:
    """How a delta stands, in the server's words.

    Attributes:
        record_id: which.
        status: `QUEUED` or `VERIFIED`.
        verified_at: time of the seal of the checkpoint that first covered it, None before there is one.
        verification_reference: names that checkpoint, None likewise.
        raw: the answer.
    """

    record_id: str
    status: str
    verified_at: str | None
    verification_reference: str | None
    raw: Answer = field(repr=False)


@dataclass(frozen=True, slots=True)
class CustomerView:
    """The record of a customer and one month of it, in the server's words (docs/api/customer-record.md).

    Attributes:
        customer_id: None where the details that name the customer were erased.
        customer_reference: stands for the customer in public.
        unit: of all amounts of this customer.
        total_deltas: recorded so far.
        verified_deltas: of these, under the newest checkpoint.
        computed_balance: sum of all deltas.
        cumulative_balance: sum of the verified ones.
        verified_through_at: everything accepted up to then is under a signed root; None before the first checkpoint.
        period: the UTC month, `YYYY-MM`.
        recorded_this_period: deltas accepted in it.
        recorded_amount_this_period: their sum.
        verified_this_period: deltas that a checkpoint of this month was the first to cover.
        opening_balance: the balance before the month's first instant.
        closing_balance: the balance at its end, or now where it goes on.
        raw: the answer, with `recentActivity` and `latestCheckpoint`.
    """

    customer_id: str | None
    customer_reference: str
    unit: str
    total_deltas: int
    verified_deltas: int
    computed_balance: Decimal
    cumulative_balance: Decimal
    verified_through_at: str | None
    period: str
    recorded_this_period: int
    recorded_amount_this_period: Decimal
    verified_this_period: int
    opening_balance: Decimal
    closing_balance: Decimal
    raw: Answer = field(repr=False)


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """A checkpoint that was asked for.

    Attributes:
        checkpoint: verified and held against what was remembered; None where nothing was, because no key is pinned or
            the answer is of all customers.
        raw: the answer.
    """

    checkpoint: Checkpoint | None
    raw: Answer = field(repr=False)


@dataclass(frozen=True, slots=True)
class Draft:
    """A delta in the shape in which it is sent, and what its answer is held against.

    Attributes:
        delta: as it was given.
        nano: its amount.
        details: canonical.
        effective_at: as evidence has it.
        body: the object to send.
    """

    delta: NewDelta
    nano: int
    details: bytes
    effective_at: str | None
    body: dict[str, JsonValue]


def draft(delta: NewDelta) -> Draft:
    """Bring a delta into shape; what a server would refuse by its form is refused here.

    Raises:
        EngineError: `invalid-field`, `amount-out-of-range`.
    """
    try:
        check_customer_id(delta.customer_id)
        if not isinstance(delta.reason, str) or not delta.reason:
            raise EngineError("invalid-field", "a delta needs a reason in words", field="reason")
        if delta.reference_id is not None and not isinstance(delta.reference_id, str):
            raise EngineError("invalid-field", "a reference is text", field="referenceId")
        if delta.metadata is not None and not isinstance(delta.metadata, dict):
            raise EngineError("invalid-field", "metadata is a JSON object", field="metadata")
        details = delta_details(delta.reason, delta.reference_id, delta.metadata)
    except MalformedError as error:
        raise EngineError("invalid-field", error.message) from error
    if delta.idempotency_key is not None:
        check_key(delta.idempotency_key)
    nano = read_amount(delta.amount)
    effective_at = None if delta.effective_at is None else read_time(delta.effective_at)
    body: dict[str, JsonValue | None] = {
        "customerId": delta.customer_id,
        "delta": format_nano(nano),
        "reason": delta.reason,
        "referenceId": delta.reference_id,
        "metadata": delta.metadata,
        "effectiveAt": effective_at,
        "adjusts": _adjusts(delta.adjusts),
        "unit": delta.unit,
    }
    return Draft(
        delta, nano, details, effective_at, {name: value for name, value in body.items() if value is not None}
    )


def check_key(key: str) -> str:
    """Return an idempotency key, which stands in a header.

    Raises:
        EngineError: `invalid-field`, where it is none.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise EngineError(
            "invalid-field", "an idempotency key is 1 to 255 visible ASCII characters", field="idempotencyKey"
        )
    return key


def _adjusts(adjusts: str | Mapping[str, str] | None) -> JsonValue:
    if adjusts is None:
        return None
    return {"recordId": adjusts} if isinstance(adjusts, str) else dict(adjusts)


def read_recorded(answer: Answer, sent: Draft, key: str, *, replayed: bool) -> Recorded:
    """Read the answer to a delta, and hold it against what was sent.

    Raises:
        MalformedError: where it is of another delta; it may have been recorded all the same.
    """
    entry, data = _entry(answer.get("entry"))
    record_id = text(answer, "recordId")
    log, _ = parse_record_id(record_id)
    adjusts = sent.delta.adjusts
    adjusted = None if entry.adjusts is None else format_record_id(log, entry.adjusts)
    if isinstance(adjusts, Mapping):
        # Which one a referenceId names is the server's to say, but not whether it adjusts one.
        adjusts = adjusts.get("recordId", adjusted or "")
    _same(
        customerId=(text(answer, "customerId"), sent.delta.customer_id),
        idempotencyKey=(text(answer, "idempotencyKey"), key),
        delta=(amount(answer, "delta"), Decimal(format_nano(sent.nano))),
        index=(format_record_id(log, entry.index), record_id),
        # Of an entry of another type it is 0.
        amount=(entry.amount, sent.nano),
        effectiveAt=(entry.effective_at, sent.effective_at),
        adjusts=(adjusted, adjusts),
        unit=(entry.unit, sent.delta.unit or entry.unit),
    )
    return Recorded(
        record_id,
        sent.delta.customer_id,
        key,
        Decimal(format_nano(sent.nano)),
        text(answer, "status"),
        replayed,
        entry.recorded_at,
        entry.count,
        data,
        sent.details,
        answer,
    )


def _same(**claims: tuple[object, object]) -> None:
    for name, (found, wanted) in claims.items():
        if found != wanted:
            raise MalformedError(f"the answer is of another delta than the one that was sent: {name} differs")


def _entry(value: AnswerValue) -> tuple[Entry, bytes]:
    if not isinstance(value, dict):
        raise MalformedError("the answer holds no entry")
    members: dict[str, JsonValue] = {
        name: member for name, member in value.items() if isinstance(member, str)
    }
    if len(members) != len(value):
        raise MalformedError("the entry of the answer holds something else than text")
    data = canonical_json(members)
    return parse_entry(data), data


def read_batch(answer: Answer, sent: Sequence[tuple[Draft, str]]) -> list[Recorded | EngineError]:
    """Read the answer to a batch; return what became of each delta, in the order in which they were sent.

    Args:
        answer: the data of the answer.
        sent: each delta with its idempotency key.

    Raises:
        MalformedError: where it is not of these deltas; they may have been recorded all the same.
    """
    results = answer.get("results")
    if not isinstance(results, list) or len(results) != len(sent):
        raise MalformedError("the answer has not a result for each delta of the batch")
    return [
        _result(result, place, *item) for place, (result, item) in enumerate(zip(results, sent, strict=True))
    ]


def _result(result: AnswerValue, place: int, sent: Draft, key: str) -> Recorded | EngineError:
    if not isinstance(result, dict) or result.get("index") != place:
        raise MalformedError("the results of the batch are not in its order")
    if result.get("status") == _FAILED:
        code = result.get("code")
        words = result.get("error")
        return EngineError(
            code if isinstance(code, str) and code in CODES else "invalid-field",
            shown(words) if isinstance(words, str) else "the server refused it",
            idempotencyKey=key,
        )
    return read_recorded(result, sent, key, replayed=result.get("idempotent") is True)


def read_state(answer: Answer, record_id: str) -> DeltaState:
    """Read how a delta stands.

    Raises:
        MalformedError: where the answer is none, or of another record.
    """
    found = text(answer, "recordId")
    if found != record_id:
        raise MalformedError("the answer is of another record than the one that was asked for")
    return DeltaState(
        found,
        text(answer, "status"),
        optional_text(answer, "verifiedAt"),
        optional_text(answer, "verificationReference"),
        answer,
    )


def read_customer(answer: Answer, customer_id: str, period: str | None) -> CustomerView:
    """Read the record of a customer.

    Args:
        answer: the data of the answer.
        customer_id: who was asked for.
        period: the month that was asked for, None where none was named.

    Raises:
        MalformedError: where the answer is none, or of another customer or month.
    """
    found = optional_text(answer, "customerId")
    if found not in {None, customer_id} or period not in {None, text(answer, "period")}:
        raise MalformedError("the answer is of another customer or month than the one that was asked for")
    return CustomerView(
        found,
        text(answer, "customerReference"),
        text(answer, "unit"),
        count(answer, "totalDeltas"),
        count(answer, "verifiedDeltas"),
        amount(answer, "computedBalance"),
        amount(answer, "cumulativeBalance"),
        optional_text(answer, "verifiedThroughAt"),
        text(answer, "period"),
        count(answer, "recordedThisPeriod"),
        amount(answer, "recordedAmountThisPeriod"),
        count(answer, "verifiedThisPeriod"),
        amount(answer, "openingBalance"),
        amount(answer, "closingBalance"),
        answer,
    )


def text(answer: Answer, name: str) -> str:
    """Return a member that is text.

    Raises:
        MalformedError: where it is missing or something else.
    """
    found = answer.get(name)
    if not isinstance(found, str):
        raise MalformedError(f"{name} of the answer is not text")
    return found


def optional_text(answer: Answer, name: str) -> str | None:
    """Return a member that is text, None where it is absent or null.

    Raises:
        MalformedError: where it is something else.
    """
    return None if answer.get(name) is None else text(answer, name)


def count(answer: Answer, name: str) -> int:
    """Return a member that counts something.

    Raises:
        MalformedError: where it is missing, below zero or no integer.
    """
    found = answer.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise MalformedError(f"{name} of the answer is not a count")
    return found


def amount(answer: Answer, name: str) -> Decimal:
    """Return a member that is an amount.

    Raises:
        MalformedError: where it is missing or no number.
    """
    found = answer.get(name)
    if not isinstance(found, Decimal):
        raise MalformedError(f"{name} of the answer is not an amount")
    return found
