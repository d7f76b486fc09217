"""What the description of the API says of balances over a scope, checkpoints and receipts of a period.

The examples are the answers for the worked example of docs/spec/example.md, asked for April; a test asks for them.

Source: docs/api/balances.md.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, RootModel

from counterfoil.limits import SCOPE_DAYS_MAX, SCOPE_MONTHS_MAX
from counterfoil.web import forms
from counterfoil.web.models import (
    RECORD_ID,
    ROOT,
    SEALED,
    Amount,
    AmountIn,
    Body,
    Described,
    Reference,
    Root,
)
from counterfoil.web.models_customers import CHECKPOINT_ID, DeltaItem, RefusedCustomer

TimePreset = Literal[
    "current_month", "last_3_months", "last_12_months", "last_24_months", "previous_month", "custom"
]


class ScopeWindow(Described):
    """A window of time; a delta is in it that was accepted at its start or later and before its end."""

    period: str | None = Field(
        examples=["2026-04"], description="The UTC month that it is; null where it is none."
    )
    start_date: str = Field(examples=["2026-04-01T00:00:00.000000Z"], description="The first instant.")
    end_date: str = Field(
        examples=["2026-05-01T00:00:00.000000Z"], description="The first instant behind the window."
    )


class Part(ScopeWindow):
    """What happened in a part of the scope."""

    delta_count: int = Field(examples=[2], description="Deltas accepted in it.")
    credits: Amount = Field(examples=[500], description="Sum of their positive amounts, an exact decimal.")
    debits: Amount = Field(
        examples=[12.5], description="Sum of their negated negative amounts, an exact decimal."
    )
    net_change: Amount = Field(examples=[487.5], description="Credits less debits, an exact decimal.")
    opening_balance: Amount = Field(
        examples=[0], description="The customer's balance before it, an exact decimal."
    )
    closing_balance: Amount = Field(
        examples=[487.5],
        description="The customer's balance at its end, or now where it goes on; an exact decimal.",
    )
    verified_this_period: int = Field(
        examples=[2],
        description="Deltas whose first checkpoint has its seal in it, whenever they were accepted.",
    )
    cumulative_balance: Amount = Field(
        examples=[487.5],
        description="Sum of all deltas that were verified by its end, an exact decimal.",
    )


class OffsetPages(Described):
    """Where a page stands in its list."""

    limit: int = Field(examples=[100], description="Items on a page at most.")
    offset: int = Field(examples=[0], description="Items before the page.")
    total: int = Field(examples=[2], description="Items on all pages.")


class DerivedBalance(Described):
    """What a scope of a customer adds up to."""

    customer_id: str = Field(examples=["cust_001"], description="As it was asked for.")
    customer_reference: Reference
    unit: str = Field(examples=["credits"], description="Of all amounts.")
    starting_balance: Amount = Field(
        examples=[0],
        description="What the scope is added to: as it was given, or the balance at the starting checkpoint; an exact decimal.",
    )
    computed_balance: Amount = Field(
        examples=[487.5],
        description="The starting balance, and every delta of the scope; an exact decimal.",
    )
    delta_count: int = Field(examples=[2], description="Deltas in the scope.")
    deltas_count: int = Field(examples=[2], description="The same, for clients that call it so.")
    verified_count: int = Field(examples=[2], description="Of these, under the newest checkpoint.")
    credits: Amount = Field(
        examples=[500], description="Sum of the positive amounts in the scope, an exact decimal."
    )
    debits: Amount = Field(
        examples=[12.5], description="Sum of the negated negative amounts in the scope, an exact decimal."
    )
    opening_balance: Amount = Field(
        examples=[0], description="The customer's balance before the scope, an exact decimal."
    )
    closing_balance: Amount = Field(
        examples=[487.5], description="The customer's balance at the scope's end, an exact decimal."
    )
    latest_receipt_id: str | None = Field(
        examples=[RECORD_ID], description="The last delta of the scope; null where there is none."
    )
    scope: ScopeWindow | None = Field(description="The window; null behind a starting checkpoint.")
    breakdown: list[Part] | None = Field(
        None, description="Of the parts of the scope, where a granularity was asked for; else absent."
    )


class DeriveAnswer(DerivedBalance):
    """What a scope adds up to, and a page of its deltas."""

    deltas: list[DeltaItem] = Field(description="A page of the deltas of the scope, the oldest first.")
    pagination: OffsetPages


class CompareAnswer(DerivedBalance):
    """Two parties' balances against the record."""

    neutral_balance: Amount = Field(
        examples=[487.5], description="What the record says: computedBalance, an exact decimal."
    )
    your_balance: Amount = Field(examples=[487.5], description="As it was sent, an exact decimal.")
    their_balance: Amount = Field(examples=[500], description="As it was sent, an exact decimal.")
    matches_yours: bool = Field(
        examples=[True], description="Whether yours is the record's, to the last digit."
    )
    matches_theirs: bool = Field(
        examples=[False], description="Whether theirs is the record's, to the last digit."
    )
    your_difference: Amount = Field(examples=[0], description="Yours less the record's, an exact decimal.")
    their_difference: Amount = Field(
        examples=[12.5], description="Theirs less the record's, an exact decimal."
    )


class ScopeMembers(Described):
    """A scope in a body, named in one way."""

    period: str | None = Field(
        None,
        examples=["2026-04"],
        pattern=forms.MONTH,
        description="A UTC month, `YYYY-MM`.",
    )
    time_preset: TimePreset | None = Field(
        None, examples=["last_12_months"], description="`custom` goes with both dates."
    )
    start_date: str | None = Field(
        None,
        examples=["2026-04-01"],
        pattern=forms.TIME,
        description="The first instant, RFC 3339 or a date.",
    )
    end_date: str | None = Field(
        None,
        examples=["2026-05-01"],
        pattern=forms.TIME,
        description=f"The first instant behind the window, RFC 3339 or a date; at most {SCOPE_MONTHS_MAX} months later.",
    )


class CompareBody(ScopeMembers, Body):
    """Two parties' balances, and what they are of: a scope, or all behind a starting checkpoint."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"customerId": "cust_001", "period": "2026-04", "yourBalance": 487.5, "theirBalance": 500}
            ]
        }
    )
    customer_id: str = Field(examples=["cust_001"], pattern=forms.CUSTOMER_ID, description="Whose record.")
    your_balance: AmountIn = Field(
        examples=[487.5, "487.5"],
        description="What one party says. At most 29 digits before the point and 9 after it.",
    )
    their_balance: AmountIn = Field(examples=[500, "500"], description="What the other party says.")
    starting_balance: AmountIn | None = Field(
        None, examples=[0], description="What the scope is added to; 0 where none is given."
    )
    starting_checkpoint: str | None = Field(
        None,
        examples=[ROOT],
        pattern=forms.STARTING_CHECKPOINT,
        description="Instead of a scope: the root or id of a checkpoint of the customer, or a recordId.",
    )
    starting_checkpoint_type: Literal["proofRoot", "checkpointId", "recordId"] | None = Field(
        None,
        examples=["proofRoot"],
        description="What the starting checkpoint is. It is seen from its form; where this is given, the two must agree.",
    )
    granularity: Literal["day", "week", "month"] | None = Field(
        None, examples=["month"], description="Also add up the parts of the scope."
    )


class LimitsAnswer(Described):
    """How wide a scope may be."""

    max_scope_months: int = Field(examples=[SCOPE_MONTHS_MAX], description="Months of a window.")
    max_last_n_days: int = Field(examples=[SCOPE_DAYS_MAX], description="Days of a breakdown by days.")
    max_retention_days: None = Field(description="Always null: nothing that was recorded is ever dropped.")


class UsageAnswer(Described):
    """How much is recorded."""

    total_deltas: int = Field(examples=[2], description="Deltas of all customers.")
    verified_deltas: int = Field(examples=[2], description="Of these, under a checkpoint.")
    total_customers: int = Field(examples=[1], description="Customers.")
    used: int = Field(examples=[2], description="The deltas again, for clients that call it so.")
    allowed: None = Field(description="Always null: there is no allotment.")
    remaining: None = Field(description="Always null: there is no allotment.")


class GapsAnswer(Described):
    """What was found between two sequence numbers."""

    customer_id: str = Field(examples=["cust_001"], description="As it was asked for.")
    gaps: list[int] = Field(
        examples=[[]], description="Numbers that no delta has; none, unless somebody changed the store."
    )
    checked_from: int = Field(examples=[1], description="The first number that was checked.")
    checked_to: int = Field(examples=[2], description="The last number that was checked.")
    newest_sequence: int = Field(examples=[2], description="The newest number that there is.")
    next_sequence: int | None = Field(
        description="Where to go on: the fromSequence of the next question; null where all was checked."
    )


class CheckpointBody(ScopeMembers, Body):
    """Whose checkpoint, and of which scope."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"customerId": "cust_001", "period": "2026-04"}]}
    )
    customer_id: str | None = Field(
        None,
        examples=["cust_001"],
        pattern=forms.CUSTOMER_ID,
        description="Whose; without one every customer with something new, and no scope.",
    )


class CheckpointOutcome(Described):
    """What became of one customer."""

    checkpoint_id: str = Field(examples=[CHECKPOINT_ID], description="Its name: customer reference and size.")
    customer_reference: Reference
    proof_root: Root
    status: Literal["VERIFIED"] = Field(examples=["VERIFIED"], description="What it covers is verified.")
    outcome: Literal["signed", "unchanged", "superseded"] = Field(
        examples=["unchanged"],
        description="`signed` now; `unchanged`, where it was there before; `superseded`, where somebody else was first.",
    )
    size: int = Field(examples=[4], description="Entries of the log that it covers.")
    verified_through_at: str = Field(
        examples=[SEALED], description="The time of its seal: everything accepted until then is under it."
    )
    verification_reference: str = Field(examples=[CHECKPOINT_ID], description="The checkpointId again.")


class CustomerCheckpoint(CheckpointOutcome):
    """The checkpoint of one customer."""

    customer_id: str = Field(examples=["cust_001"], description="As it was asked for.")
    scope: ScopeWindow | None = Field(description="The scope that it was asked for; null without one.")


class AllCheckpoints(Described):
    """What became of the customers with something new, at most 1,000 of them."""

    checkpoints: list[CheckpointOutcome] = Field(description="Those that have one now.")
    refused: list[RefusedCustomer] = Field(description="Customers whose logs cannot be signed.")
    status: Literal["VERIFIED", "QUEUED"] = Field(
        examples=["VERIFIED"],
        description="`QUEUED`, where there may be more customers: ask again, or leave them to the worker.",
    )


class CheckpointAnswer(RootModel[CustomerCheckpoint | AllCheckpoints]):
    """The checkpoint of the customer; without a customerId, what became of each."""


class CheckpointItem(Described):
    """A published checkpoint."""

    checkpoint_id: str = Field(examples=[CHECKPOINT_ID], description="Its name: customer reference and size.")
    customer_id: str | None = Field(
        examples=["cust_001"], description="Whose; null where the details that name the customer were erased."
    )
    customer_reference: Reference
    proof_root: Root
    status: Literal["VERIFIED"] = Field(examples=["VERIFIED"], description="What it covers is verified.")
    size: int = Field(examples=[4], description="Entries of the log that it covers.")
    delta_count: int = Field(examples=[2], description="Deltas among them.")
    balance: Amount = Field(examples=[487.5], description="Sum of these deltas, an exact decimal.")
    created_at: str = Field(examples=[SEALED], description="The time of its seal.")
    verified_through_at: str = Field(
        examples=[SEALED], description="The same: everything accepted until then is under it."
    )
    verification_reference: str = Field(examples=[CHECKPOINT_ID], description="The checkpointId again.")


class MorePages(Described):
    """Where a page stands in its list."""

    limit: int = Field(examples=[25], description="Items on a page at most.")
    offset: int = Field(examples=[0], description="Items before the page.")
    has_more: bool = Field(examples=[False], description="Whether there are items behind the page.")


class CheckpointsAnswer(Described):
    """A page of checkpoints, the newest first."""

    checkpoints: list[CheckpointItem] = Field(
        description="Of the customer; or the newest of each customer on the page, where none is named."
    )
    scope: ScopeWindow | None = Field(
        description="The window in which their seals lie; null where none was named."
    )
    pagination: MorePages


class PeriodReceipt(ScopeWindow):
    """What a period adds up to under one checkpoint."""

    customer_id: str = Field(examples=["cust_001"], description="As it was asked for.")
    customer_reference: Reference
    receipt_id: str = Field(examples=[CHECKPOINT_ID], description="The checkpointId again.")
    checkpoint_id: str = Field(
        examples=[CHECKPOINT_ID],
        description="The checkpoint that closes the period, or the newest one while it goes on.",
    )
    generated_at: str = Field(examples=["2026-05-02T08:00:00.000000Z"], description="When it was answered.")
    unit: str = Field(examples=["credits"], description="Of all amounts.")
    is_final: bool = Field(
        examples=[True], description="Whether the checkpoint closes the period: nothing can be added to it."
    )
    delta_count: int = Field(examples=[2], description="Deltas of the period that the checkpoint covers.")
    deltas_count: int = Field(examples=[2], description="The same, for clients that call it so.")
    pending_count: int = Field(
        examples=[0], description="Deltas of the period that it does not cover; they are in no sum here."
    )
    starting_balance: Amount = Field(
        examples=[0], description="The balance before the period, an exact decimal."
    )
    final_balance: Amount = Field(
        examples=[487.5],
        description="The balance at its end, as far as the checkpoint covers it; an exact decimal.",
    )
    net_change: Amount = Field(examples=[487.5], description="Credits less debits, an exact decimal.")
    credits: Amount = Field(examples=[500], description="Sum of the positive amounts, an exact decimal.")
    debits: Amount = Field(
        examples=[12.5], description="Sum of the negated negative amounts, an exact decimal."
    )
    proof_root: Root
    verified_through_at: str = Field(examples=[SEALED], description="The time of the checkpoint's seal.")
    verify_url: str = Field(
        examples=[f"https://ledger.example.com/api/v1/verify/{ROOT}"],
        description="Where anybody sees that the operator signed that root.",
    )
    verification_api_url: str = Field(
        examples=[f"https://ledger.example.com/api/v1/verify/{ROOT}"], description="The same."
    )


class StatementAnswer(ScopeWindow):
    """A statement of a period, and how far it goes."""

    customer_id: str = Field(examples=["cust_001"], description="As it was asked for.")
    mode: Literal["light", "full"] = Field(examples=["light"], description="As it was asked for.")
    is_final: bool = Field(
        examples=[True], description="Whether nothing can be added to the period any more."
    )
    verified_through_at: str = Field(
        examples=[SEALED], description="The time of the seal under the statement's checkpoint."
    )
    statement: dict[str, Any] = Field(description="docs/spec/statement.md")


class InvoiceProof(PeriodReceipt):
    """What a period adds up to under one checkpoint, to stand beside an invoice."""

    access_hint: None = Field(description="Always null: there are no shared links here.")
    customer_link_url: None = Field(description="Always null, likewise.")
    customer_link_host: None = Field(description="Always null, likewise.")
