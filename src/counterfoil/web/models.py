"""What the description of the API says of bodies and answers; nothing is read or written through it.

Bodies are read strictly by `counterfoil.web.bodies`, answers are written from exact decimals: pydantic would read a
number as a double.

Source: docs/api/reference.md.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from counterfoil.limits import REQUEST_DELTAS_MAX
from counterfoil.web import forms

T = TypeVar("T")

# The worked example of docs/spec/example.md.
REFERENCE: Final = "0xdc4dfc3208759067a112d73bb53467d9375dc42e"
RECORD_ID: Final = f"{REFERENCE}.2"
ORIGIN: Final = f"ledger.example.com/acme/{REFERENCE}"
ROOT: Final = "0x199ec61cad65ddca1ff1c9500cdebd9d1b14352296df33f458ce0cb7ce693bb5"
TIME: Final = "2026-04-02T10:30:00.250000Z"
SEALED: Final = "2026-04-30T23:59:59.999999Z"
ENTRY: Final = {
    "amount": "-12.5",
    "count": "2",
    "credits": "500",
    "debits": "12.5",
    "details": "0de017968601382f50889f880094628b6a19ec3b0576c9c30fe2af1a24739a2d",
    "effectiveAt": "2026-04-02T10:29:59.000000Z",
    "index": "2",
    "key": "bc750e240d0181c330821abb6b5b4df57690b3ac7379b6a4a5d04e1f882aadc9",
    "recordedAt": TIME,
    "type": "counterfoil/delta@v1",
    "unit": "credits",
}
NOTE: Final = (
    f"{ORIGIN}\n4\nGZ7GHK1l3cof8clQDN69nRsUNSKW3zP0WM4Mt85pO7U=\n\n"
    f"— {ORIGIN} sZ/TIXy3H2hjM9xmq26C9HXHAecFkVm9CHAM+MQDBrQ0uyliFyB/u64EqyQ4txl+GA07nflz1qkbSX4X8i/Kpbp+Aw0=\n"
)

Amount = Annotated[
    Decimal,
    WithJsonSchema(
        {"type": "number", "examples": [-12.5], "description": "An exact decimal: read it as one."}
    ),
]
"""An amount or a balance in an answer."""
AmountIn = Annotated[
    Decimal,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number"},
                {"type": "string", "pattern": forms.DECIMAL, "maxLength": forms.DECIMAL_CHARACTERS_MAX},
            ],
            "examples": [-12.5, "-12.5"],
        }
    ),
]
"""An amount in a body: read as it is written, never as a double."""
Time = Annotated[str, Field(examples=[TIME], description="UTC, always six decimals.")]
Entry = Annotated[
    dict[str, str], Field(examples=[ENTRY], description="As it stands in the log: docs/spec/entry.md.")
]
Reference = Annotated[str, Field(examples=[REFERENCE], description="Stands for the customer in public.")]
RecordId = Annotated[
    str, Field(examples=[RECORD_ID], description="The place of a record: reference and index.")
]
Root = Annotated[str, Field(examples=[ROOT], description="The root hash of a checkpoint.")]
CheckpointId = Annotated[str, Field(examples=[f"chk_{REFERENCE}.4"])]


class Described(BaseModel):
    """A JSON object; its members are the names in camel case."""

    model_config = ConfigDict(alias_generator=to_camel)


class Answer(Described, Generic[T]):
    """A success."""

    success: Literal[True] = True
    data: T


class Body(Described):
    """A body: its subclasses are listed in the description by their names."""

    model_config = ConfigDict(extra="forbid")


class ErrorEnvelope(Described):
    """The refusal as PacSpace's clients read it."""

    code: str = Field(examples=["VALIDATION_ERROR"])
    message: str
    retry_after_seconds: int | None = None


class Problem(Described):
    """A refusal (RFC 9457): docs/api/errors.md."""

    type: str = Field(examples=["urn:counterfoil:error:amount-out-of-range"])
    title: str
    status: int = Field(examples=[400])
    detail: str = Field(examples=["an amount is not zero"])
    code: str = Field(examples=["amount-out-of-range"])
    field: str | None = Field(None, examples=["delta"], description="The member or parameter at fault.")
    record_id: str | None = Field(None, description="The record that the refusal is about.")
    success: Literal[False] = False
    error: ErrorEnvelope


class Adjusts(Body):
    """The earlier delta of the same customer that this one corrects, by one of two names."""

    record_id: str | None = Field(None, examples=[RECORD_ID], pattern=forms.RECORD_ID)
    reference_id: str | None = Field(None, examples=["line_001"])


class DeltaBody(Body):
    """A delta to record."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"customerId": "cust_001", "delta": 500, "reason": "initial_deposit"}]
        }
    )
    customer_id: str = Field(examples=["cust_001"], pattern=forms.CUSTOMER_ID)
    delta: AmountIn = Field(description="Not zero; at most 18 digits before the point and 9 after it.")
    reason: str = Field(examples=["api_call"], min_length=1)
    reference_id: str | None = Field(None, examples=["line_001"])
    metadata: dict[str, Any] | None = Field(None, examples=[{"model": "small", "tokens": 1200}])
    effective_at: str | None = Field(
        None,
        examples=["2026-04-02T10:29:59Z"],
        pattern=forms.TIME,
        description="When it happened, as you say: RFC 3339 or a date.",
    )
    adjusts: Adjusts | None = None
    unit: str | None = Field(
        None,
        examples=["credits"],
        pattern=forms.UNIT,
        description="Of a new customer; else that of the log.",
    )


class BatchItem(DeltaBody):
    """A delta of a batch."""

    idempotency_key: str | None = Field(None, examples=["req-0001"], pattern=forms.IDEMPOTENCY_KEY)


class BatchBody(Body):
    """Deltas to record in one transaction, each for itself."""

    deltas: list[BatchItem] = Field(min_length=1, max_length=REQUEST_DELTAS_MAX)


class RecordedDelta(Described):
    """A delta that is recorded: on disk, and part of the customer's next checkpoint."""

    record_id: RecordId
    status: Literal["QUEUED", "VERIFIED"]
    receipt_id: RecordId
    customer_id: str = Field(examples=["cust_001"])
    customer_reference: Reference
    delta: Amount
    sequence_number: int = Field(examples=[2], description="Which delta of the customer it is, from 1.")
    recorded_at: Time
    idempotency_key: str = Field(examples=["req-0002"])
    entry: Entry


class BatchResult(Described):
    """What became of one delta of a batch."""

    index: int = Field(description="Its place in the batch, from 0.")
    customer_id: str | None = Field(examples=["cust_001"])
    delta: Amount | None
    status: Literal["QUEUED", "FAILED"]
    record_id: RecordId | None = None
    receipt_id: RecordId | None = None
    sequence_number: int | None = None
    recorded_at: Time | None = None
    idempotency_key: str | None = None
    idempotent: bool = Field(description="Whether it was there before.")
    entry: Entry | None = None
    error: str | None = Field(None, description="Why it failed.")
    code: str | None = Field(None, examples=["amount-out-of-range"])


class BatchAnswer(Described):
    """What became of a batch."""

    total_queued: int = Field(description="Recorded now or before.")
    total_failed: int
    results: list[BatchResult]


class DeltaAnswer(Described):
    """A delta as it stands."""

    record_id: RecordId
    status: Literal["QUEUED", "VERIFIED"]
    verified_at: Time | None = Field(description="The seal of the first checkpoint that covers it.")
    verification_reference: CheckpointId | None = Field(description="That checkpoint.")
    proof_root: Root | None = Field(description="Its root.")
    receipt_id: RecordId
    customer_id: str | None = Field(examples=["cust_001"])
    customer_reference: Reference
    delta: Amount
    unit: str = Field(examples=["credits"])
    reason: str | None = Field(examples=["api_call"])
    reference_id: str | None = Field(examples=["line_001"])
    metadata: dict[str, Any] | None
    effective_at: Time | None
    adjusts: Adjusts | None
    recorded_at: Time
    sequence_number: int = Field(examples=[2])
    data_purged: bool = Field(description="Whether reason, referenceId and metadata were erased.")
    entry: Entry


class ReceiptAnswer(Described):
    """A receipt, and the same proof for other tools."""

    record_id: RecordId
    receipt: dict[str, Any] = Field(description="docs/spec/receipt.md")
    tlog_proof: str = Field(description="C2SP tlog-proof of the entry's bytes: docs/spec/tlog-proof.md")
    entry: Entry


class Step(Described):
    """A step of docs/spec/receipt.md that was taken, and held."""

    step: int = Field(examples=[5])
    name: str = Field(examples=["root"])
    checked: str = Field(examples=["leaf hash and path give the signed root"])


class VerifyAnswer(Described):
    """A record that was verified now, from its stored bytes."""

    record_id: RecordId
    verified: Literal[True] = True
    steps: list[Step]
    verifier_key: str
    origin: str = Field(examples=[ORIGIN])
    checkpoint_size: int = Field(examples=[4])
    proof_root: Root
    customer_id: str | None = Field(examples=["cust_001"], description="Null where that was erased.")
    delta: Amount | None


class RootSummary(Described):
    """How much is under a checkpoint."""

    record_count: int = Field(examples=[2], description="Deltas.")


class RootVerification(Described):
    """How to verify a checkpoint oneself."""

    verification_reference: CheckpointId
    verifier_key: str
    checkpoint: str = Field(examples=[NOTE], description="The signed note: docs/spec/checkpoint.md.")
    checkpoint_url: str
    source: Literal["db"] = "db"
    chain: str | None = Field(description="Null, or a word to who asked for a chain.")


class RootAnswer(Described):
    """The facts of a checkpoint, without customer data."""

    verified: Literal[True] = True
    proof_root: Root
    recorded_at: Time = Field(description="The time of the seal under it.")
    origin: str = Field(examples=[ORIGIN])
    size: int = Field(examples=[4])
    summary: RootSummary
    records: list[dict[str, Any]] = Field(
        max_length=0, description="Always empty: records are the customer's."
    )
    verification: RootVerification


class KeysAnswer(Described):
    """The operator's verifier keys."""

    operator: str = Field(examples=["ledger.example.com"])
    verifier_keys: list[str] = Field(
        examples=[["ledger.example.com+6a9c6f98+ASQWLvgS8h+WzjdOTwXUdQ6MIGhfoMT888kpZarMYOIg"]]
    )


class HealthAnswer(Described):
    """It works."""

    status: Literal["ok"] = "ok"
