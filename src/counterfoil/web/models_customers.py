"""What the description of the API says of the records of customers and their deltas.

The examples are the answers for the worked example of docs/spec/example.md; a test asks for them.

Source: docs/api/customer-record.md.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from counterfoil.web.models import (
    RECORD_ID,
    REFERENCE,
    SEALED,
    TIME,
    Amount,
    Described,
    RecordId,
    Reference,
    Root,
    Time,
)

CHECKPOINT_ID: Final = f"chk_{REFERENCE}.4"


class AdjustedRecord(Described):
    """The earlier delta of the customer that a delta corrects."""

    record_id: str = Field(examples=[f"{REFERENCE}.1"], description="Its place: reference and index.")


class DeltaItem(Described):
    """A delta of a list."""

    record_id: RecordId
    receipt_id: str = Field(examples=[RECORD_ID], description="The same: a receipt is of a record.")
    sequence_number: int = Field(examples=[2], description="Which delta of the customer it is, from 1.")
    delta: Amount
    reason: str | None = Field(
        examples=["api_call"], description="What for, in the sender's words; null once it is erased."
    )
    reference_id: str | None = Field(
        examples=["line_001"], description="The sender's own name for it; null without one or once erased."
    )
    metadata: dict[str, Any] | None = Field(
        examples=[{"model": "aé", "tokens": 1200}],
        description="What else the sender said; null without it or once erased.",
    )
    status: Literal["QUEUED", "VERIFIED"] = Field(
        examples=["VERIFIED"], description="Whether a published checkpoint covers it."
    )
    time: str = Field(examples=[TIME], description="When it was accepted: its recordedAt.")
    effective_at: str | None = Field(
        examples=["2026-04-02T10:29:59.000000Z"], description="When it happened, as the sender says."
    )
    adjusts: AdjustedRecord | None = Field(description="What it corrects, null where it corrects nothing.")
    verification_reference: str | None = Field(
        examples=[CHECKPOINT_ID], description="The first checkpoint that covers it; null before there is one."
    )
    data_purged: bool = Field(
        examples=[False], description="Whether reason, referenceId and metadata were erased."
    )


class Pages(Described):
    """Where a page stands in its list."""

    page: int = Field(examples=[1], description="Which page this is, from 1.")
    limit: int = Field(examples=[20, 25], description="Items on a page at most.")
    total: int = Field(examples=[1, 2], description="Items on all pages.")
    total_pages: int = Field(examples=[1], description="How many pages there are.")


class Activity(Described):
    """A page of the month's deltas, the newest first."""

    items: list[DeltaItem] = Field(description="The deltas of the page.")
    pagination: Pages


class LatestCheckpoint(Described):
    """The newest checkpoint of a customer."""

    checkpoint_id: str = Field(examples=[CHECKPOINT_ID], description="Its name: customer reference and size.")
    proof_root: Root
    size: int = Field(examples=[4], description="Entries of the log that it covers.")
    delta_count: int = Field(examples=[2], description="Deltas among them.")
    balance: Amount = Field(examples=[487.5], description="Sum of these deltas, an exact decimal.")
    verified_through_at: str = Field(
        examples=[SEALED], description="The time of its seal: everything accepted until then is under it."
    )


class CustomerItem(Described):
    """The record of a customer with one month."""

    customer_id: str | None = Field(
        examples=["cust_001"], description="Yours; null where the details that name the customer were erased."
    )
    customer_reference: Reference
    unit: str = Field(examples=["credits"], description="Of all amounts of this customer.")
    total_deltas: int = Field(examples=[2], description="Deltas recorded, of all time.")
    verified_deltas: int = Field(examples=[2], description="Of these, under the newest checkpoint.")
    first_activity_at: str = Field(
        examples=["2026-04-01T09:00:00.000001Z"], description="When the first delta was accepted."
    )
    last_activity_at: str = Field(examples=[TIME], description="When the newest delta was accepted.")
    computed_balance: Amount = Field(examples=[487.5], description="Sum of all deltas, an exact decimal.")
    cumulative_balance: Amount = Field(
        examples=[487.5], description="Sum of all verified deltas, whatever the month; an exact decimal."
    )
    verified_through_at: str | None = Field(
        examples=[SEALED],
        description="Every delta accepted up to this instant is under a signed root, and every later one bears a later time. Null before the first checkpoint.",
    )
    most_recent_active_period: str = Field(
        examples=["2026-04"],
        description="The month of the newest delta: where to look when this one is empty.",
    )
    latest_checkpoint: LatestCheckpoint | None = Field(
        description="The newest checkpoint; null before there is one."
    )
    period: str = Field(examples=["2026-04"], description="The UTC month that the next fields are of.")
    recorded_this_period: int = Field(examples=[2], description="Deltas accepted in it.")
    recorded_amount_this_period: Amount = Field(
        examples=[487.5], description="Their signed sum, an exact decimal."
    )
    verified_this_period: int = Field(
        examples=[2],
        description="Deltas whose first checkpoint has its seal in the month, whenever they were accepted.",
    )
    opening_balance: Amount = Field(
        examples=[0], description="The balance before the month's first instant, an exact decimal."
    )
    closing_balance: Amount = Field(
        examples=[487.5],
        description="The balance at the month's end, or now where it goes on; an exact decimal.",
    )


class CustomerAnswer(CustomerItem):
    """The record of a customer: all-time totals, one month, and a page of that month's deltas."""

    recent_activity: Activity


class RefusedCustomer(Described):
    """A customer whose stored log contradicts itself: the operator has to look at it."""

    customer_reference: Reference
    code: str = Field(examples=["log-corrupt"], description="Why: docs/api/errors.md.")


class CustomersAnswer(Described):
    """A page of the records of customers, by customerId."""

    customers: list[CustomerItem] = Field(description="The records of the page.")
    refused: list[RefusedCustomer] = Field(description="Customers of the page that cannot be answered for.")
    period: str = Field(examples=["2026-04"], description="The UTC month that each record shows.")
    pagination: Pages


class UnitTotals(Described):
    """Sums over all customers with one unit."""

    unit: str = Field(examples=["credits"], description="Which unit.")
    customers: int = Field(examples=[1], description="Customers with it.")
    credits: Amount = Field(examples=[500], description="Sum of their positive amounts, an exact decimal.")
    debits: Amount = Field(
        examples=[12.5], description="Sum of their negated negative amounts, an exact decimal."
    )
    computed_balance: Amount = Field(examples=[487.5], description="Credits less debits, an exact decimal.")
    cumulative_balance: Amount = Field(
        examples=[487.5], description="The same of verified deltas alone, an exact decimal."
    )


class SummaryVerification(Described):
    """How far all customers are verified."""

    health: Literal["VERIFIED", "PENDING", "REFUSED"] = Field(
        examples=["VERIFIED"],
        description="`VERIFIED`: every delta is under a checkpoint. `PENDING`: some are not yet. `REFUSED`: the stored log of a customer contradicts itself.",
    )
    customers_fully_verified: int = Field(
        examples=[1], description="Customers whose deltas are all under a checkpoint."
    )
    customers_refused: int = Field(
        examples=[0], description="Customers whose stored logs contradict themselves."
    )
    verified_through_at: str | None = Field(
        examples=[SEALED], description="The earliest of all customers' watermarks; null where one has none."
    )


class SummaryAnswer(Described):
    """All customers in a few numbers."""

    total_customers: int = Field(examples=[1], description="How many there are.")
    total_deltas: int = Field(examples=[2], description="Deltas of all of them.")
    verified_deltas: int = Field(examples=[2], description="Of these, under a checkpoint.")
    pending_deltas: int = Field(examples=[0], description="Of these, not yet.")
    last_activity_at: Time | None = Field(
        description="When the newest delta was accepted; null without customers."
    )
    totals: list[UnitTotals] = Field(description="Sums by unit: amounts of two units do not add up.")
    verification: SummaryVerification
