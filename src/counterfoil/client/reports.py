"""What a server tells and nothing proves: customers, balances, lists, counts, deliveries.

Each method is a route of docs/api/reference.md.  Where nothing else is said it returns the `data` of the answer as a
dict, numbers exact (`counterfoil.client.answers`), and raises `CounterfoilError` as docs/api/client.md says.

Source: docs/api/client.md, docs/api/reference.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from counterfoil.client.answers import Answer
from counterfoil.client.models import Amount, CustomerView, check_key, read_customer
from counterfoil.core.amount import TOTAL_NANO_END, format_nano, read_balance
from counterfoil.core.encoding import JsonValue
from counterfoil.core.reference import check_customer_id
from counterfoil.errors import EngineError, MalformedError

if TYPE_CHECKING:  # it needs httpx, and a client without it says so
    from counterfoil.client.transport import Query, Transport

API: Final = ("api", "v1")
BALANCE: Final = (*API, "balance")
_SCOPE: Final = {
    "period": "period",
    "time_preset": "timePreset",
    "start_date": "startDate",
    "end_date": "endDate",
}


class Scope(TypedDict, total=False):
    """The period that a question is about; without any of these it is the current UTC month.

    Attributes:
        period: a UTC month, `YYYY-MM`.
        time_preset: `current_month`, `previous_month`, `last_3_months`, `last_12_months`, `last_24_months`, `custom`.
        start_date: the first instant, RFC 3339 or a date; with `end_date`.
        end_date: the first instant behind it.
    """

    period: str
    time_preset: str
    start_date: str
    end_date: str


class Reports:
    """The routes whose answers are the server's word."""

    _transport: Transport

    # Customers.

    def customers(
        self,
        *,
        search: str | None = None,
        page: int | None = None,
        limit: int | None = None,
        period: str | None = None,
    ) -> Answer:
        """Return a page of customers, with totals and pagination."""
        query = {"search": search, "page": page, "limit": limit, "period": period}
        return self._get(*BALANCE, "customers", query=query)

    def customer(
        self,
        customer_id: str,
        *,
        period: str | None = None,
        delta_page: int | None = None,
        delta_limit: int | None = None,
    ) -> CustomerView:
        """Return the record of a customer and one month of it, the current UTC month where none is named."""
        query = {"period": period, "deltaPage": delta_page, "deltaLimit": delta_limit}
        answer = self._get(*BALANCE, "customers", checked_customer(customer_id), query=query)
        return read_customer(answer, customer_id, period)

    def summary(self) -> Answer:
        """Return counts, totals and how far all is verified, over all customers."""
        return self._get(*BALANCE, "customers", "summary")

    # Balances.

    def derive(
        self,
        customer_id: str,
        *,
        granularity: str | None = None,
        starting_balance: Amount | None = None,
        starting_checkpoint: str | None = None,
        starting_checkpoint_type: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        **scope: Unpack[Scope],
    ) -> Answer:
        """Return what a period adds up to, or what came behind a checkpoint or a delta, with a page of the deltas.

        Args:
            customer_id: whose.
            granularity: `day`, `week` or `month`: a breakdown besides.
            starting_balance: what the period is added to.
            starting_checkpoint: the root of a checkpoint, or a recordId, to begin behind; without a scope.
            starting_checkpoint_type: `proofRoot` or `recordId`.
            limit: of the deltas, at most 1,000.
            offset: of the first delta.
            scope: see `Scope`.
        """
        query = {
            "granularity": granularity,
            "startingBalance": _balance(starting_balance, "startingBalance"),
            "startingCheckpoint": starting_checkpoint,
            "startingCheckpointType": starting_checkpoint_type,
            "limit": limit,
            "offset": offset,
        }
        return self._get(
            *BALANCE, "derive", checked_customer(customer_id), query={**query, **scope_members(scope)}
        )

    def compare(
        self,
        customer_id: str,
        *,
        yours: Amount,
        theirs: Amount,
        starting_balance: Amount = 0,
        starting_checkpoint: str | None = None,
        starting_checkpoint_type: str | None = None,
        granularity: str | None = None,
        **scope: Unpack[Scope],
    ) -> Answer:
        """Hold the balances of two parties against the record; the arguments are those of `derive`."""
        body: dict[str, JsonValue] = {
            "customerId": checked_customer(customer_id),
            "yourBalance": _balance(yours, "yourBalance"),
            "theirBalance": _balance(theirs, "theirBalance"),
            "startingBalance": _balance(starting_balance, "startingBalance"),
            "startingCheckpoint": starting_checkpoint,
            "startingCheckpointType": starting_checkpoint_type,
            "granularity": granularity,
            **scope_members(scope),
        }
        return self._post(*BALANCE, "compare", body=body)

    def limits(self) -> Answer:
        """Return how long the periods of a question may be."""
        return self._get(*BALANCE, "limits")

    def period_receipt(self, customer_id: str, **scope: Unpack[Scope]) -> Answer:
        """Return what a period adds up to under a checkpoint, with its `proofRoot`.

        The sums are the server's word; what is proven is the receipt of a delta (`Client.receipt`), with the totals of
        the log up to it.
        """
        return self._get(*BALANCE, "receipt", checked_customer(customer_id), query=scope_members(scope))

    def invoice_proof(self, customer_id: str, **scope: Unpack[Scope]) -> Answer:
        """As `period_receipt`, with what an invoice links to."""
        return self._get(*BALANCE, "invoice-proof", checked_customer(customer_id), query=scope_members(scope))

    # Checks and counts.

    def checkpoints(
        self,
        customer_id: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        **scope: Unpack[Scope],
    ) -> Answer:
        """Return a page of the checkpoints of a customer, or of the newest of each; not verified (`checkpoint_note`)."""
        query: dict[str, str | int | None] = {
            "customerId": None if customer_id is None else checked_customer(customer_id),
            "limit": limit,
            "offset": offset,
        }
        return self._get(*BALANCE, "checkpoints", query={**query, **scope_members(scope)})

    def verify(self, record_id: str) -> Answer:
        """Have the server verify a record from its stored bytes, with the steps that it took.

        That is the server's word on itself, for its operator to look at.  To verify is `Client.receipt`.
        """
        return self._get(*BALANCE, "delta", record_id, "verify")

    def verify_root(self, proof_root: str) -> Answer:
        """Return what is public of the checkpoint with a root: facts without customer data, in the server's words."""
        return self._get(*API, "verify", proof_root, public=True)

    def usage(self) -> Answer:
        """Return what this API key's tenant has used."""
        return self._get(*BALANCE, "usage")

    def gaps(
        self,
        customer_id: str,
        *,
        from_sequence: int | None = None,
        to_sequence: int | None = None,
        limit: int | None = None,
    ) -> Answer:
        """Return which deltas of a customer are missing; the server looks."""
        query = {"fromSequence": from_sequence, "toSequence": to_sequence, "limit": limit}
        return self._get(*BALANCE, "gaps", checked_customer(customer_id), query=query)

    # Webhooks.

    def webhook_deliveries(
        self, *, status: str | None = None, limit: int | None = None, offset: int | None = None
    ) -> Answer:
        """Return a page of the events that were sent to webhooks, and what became of them."""
        return self._get(*BALANCE, "webhooks", query={"status": status, "limit": limit, "offset": offset})

    def retry_webhook(self, event_id: str, *, idempotency_key: str | None = None) -> Answer:
        """Have an event sent again."""
        return self._post(*BALANCE, "webhooks", event_id, "retry", body={}, key=self._key(idempotency_key))

    # How.

    def _get(self, *path: str, query: Query | None = None, public: bool = False) -> Answer:
        return self._transport.fetch_answer(path, query, public=public)

    def _post(self, *path: str, body: Mapping[str, JsonValue], key: str | None = None) -> Answer:
        return self._transport.post(path, body, key).data

    def _key(self, given: str | None) -> str:
        return self._transport.new_key() if given is None else check_key(given)


def scope_members(scope: Scope) -> dict[str, str | None]:
    """Return a scope as the API spells it.

    Raises:
        EngineError: `usage`, where it has another member.
    """
    if unknown := scope.keys() - _SCOPE.keys():
        raise EngineError("usage", f"a scope has no {min(unknown)}")
    return {_SCOPE[name]: str(value) for name, value in scope.items() if value is not None}


def checked_customer(customer_id: str) -> str:
    """Return a customerId.

    Raises:
        EngineError: `invalid-field`, where it is none.
    """
    try:
        return check_customer_id(customer_id)
    except MalformedError as error:
        raise EngineError("invalid-field", error.message, field="customerId") from error


def _balance(value: Amount | None, field: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise EngineError(
            "invalid-field", "a balance is a decimal number in text, an int or a Decimal", field=field
        )
    # Compared before it is written: str() of a huge int is slow, and from 4,300 digits on an error.
    if isinstance(value, int) and abs(value) >= TOTAL_NANO_END:
        raise EngineError("amount-out-of-range", "too many digits before the point", field=field)
    return format_nano(read_balance(str(value), field=field))
