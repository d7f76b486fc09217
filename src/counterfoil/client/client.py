"""The client: records, fetches receipts, and believes nothing that it did not verify.

    with Client("https://ledger.example.com", "pk_live_...", keys="ledger.example.com+6a9c...", state="seen.json") as client:
        recorded = client.record("cust_001", "-12.5", "api_call")
        receipt = client.wait_for_verified(recorded)

A receipt comes out of here when it verified under the pinned key, is the one of the record that was asked for, and
stands under a checkpoint that agrees with all that were seen before.  What nothing proves is in
`counterfoil.client.reports`.

Source: docs/api/client.md.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, Unpack

from counterfoil.client.history import History
from counterfoil.client.memory import Memory
from counterfoil.client.models import (
    Checkpointed,
    FetchedStatement,
    Recorded,
    VerifiedReceipt,
    text,
)
from counterfoil.client.recording import Recording, place_of
from counterfoil.client.reports import API, BALANCE, Scope, checked_customer, scope_members
from counterfoil.client.settings import Retries, World
from counterfoil.core.checkpoint import Checkpoint, KeySet, parse_checkpoint
from counterfoil.core.encoding import JsonValue
from counterfoil.core.note import parse_verifier_key
from counterfoil.core.receipt import Receipt, Verified, parse_receipt, verify_receipt
from counterfoil.core.reference import parse_origin
from counterfoil.core.statement import FULL, LIGHT, Statement, parse_statement
from counterfoil.core.statement_verify import verify_statement
from counterfoil.core.timestamp import format_time, month_end, parse_time, read_time, to_microseconds
from counterfoil.core.tlog_proof import parse_consistency_file, verify_consistency_file
from counterfoil.errors import EngineError, MalformedError, VerificationError
from counterfoil.limits import FULL_STATEMENT_BYTES_MAX

if TYPE_CHECKING:  # a client without it says so when it is made
    import httpx

RECEIPT_MEDIA_TYPE: Final = "application/vnd.counterfoil.receipt+json"
STATEMENT_MEDIA_TYPE: Final = "application/vnd.counterfoil.statement+json"
TEXT_MEDIA_TYPE: Final = "text/plain"


class Client(Recording):
    """A client of one server, for one API key; threads may share it.

    Every call raises `CounterfoilError` with a listed code and nothing else.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        keys: KeySet | str | None = None,
        state: Path | str | None = None,
        timeout_seconds: float = 30,
        retries: Retries = Retries(),  # noqa: B008  -- frozen
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Read the memory and open a pool of connections; nothing is sent yet.

        Args:
            base_url: of the server, `https://ledger.example.com`; the API key is sent there and nowhere else.
            api_key: `pk_...`; None where only public routes are asked.
            keys: the operator's verifier key, or several with white space between, from a source that is not this
                server. With None every call that verifies refuses: `unknown-key`.
            state: the file that remembers checkpoints (`counterfoil.client.memory`); with None they are forgotten with
                this object.
            timeout_seconds: for a connection, for each part of an answer, and for the whole of its body.
            retries: how often and how long a request is tried.
            transport: of httpx, in place of its own: one with other TLS settings, a proxy, or for tests.
            clock: seconds that never go back.
            sleep: waits for so many seconds.
            randomness: returns so many unpredictable bytes.

        Raises:
            EngineError: `usage`, where httpx is not installed, or URL or API key are none; and as `Memory`.
            MalformedError: where a verifier key is none, or the memory is damaged.
        """
        try:
            from counterfoil.client.transport import Transport  # noqa: PLC0415  -- auditors have no httpx
        except ModuleNotFoundError as error:
            message = f"the client needs {error.name}: pip install 'counterfoil[client]'"
            raise EngineError("usage", message) from error
        world = World(clock, sleep, randomness)
        self._keys = KeySet.parse(keys) if isinstance(keys, str) else keys
        self._memory = Memory(state, clock=clock, sleep=sleep)
        self._world = world
        self._transport = Transport(
            base_url,
            api_key,
            timeout_seconds=timeout_seconds,
            retries=retries,
            world=world,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; what is remembered is in its file already."""
        self._transport.close()

    # Verifying.

    def receipt(
        self, record: str | Recorded, *, customer_id: str | None = None, size: int | None = None
    ) -> VerifiedReceipt:
        """Fetch the receipt of a record and verify it; nothing that does not verify is returned.

        It is of this record and no other, names this customer, and its checkpoint agrees with what was seen before. Of
        a `Recorded` it proves the very entry that was acknowledged, and the details that were sent, unless they were
        erased.

        Args:
            record: the recordId, or what `record` returned.
            customer_id: whose it must be; of a `Recorded` it is known.
            size: of the checkpoint that it is to stand under, the newest where none is named.

        Raises:
            EngineError: `record-not-found`; `not-yet-checkpointed`, before a checkpoint covers it.
            MalformedError: where what came is no receipt.
            VerificationError: `unknown-key`, `bad-signature`, `wrong-origin`, `index-mismatch`, `root-mismatch`,
                `details-mismatch`; as `ContradictionError`: `fork`, `inconsistent`.
        """
        history = self._history()
        acknowledged = record if isinstance(record, Recorded) else None
        record_id = record.record_id if isinstance(record, Recorded) else record
        place_of(record_id)
        path = (*BALANCE, "delta", record_id, "receipt")
        data = self._transport.fetch_document(path, RECEIPT_MEDIA_TYPE, {"size": size})
        receipt = parse_receipt(data)
        if customer_id is None and acknowledged is not None:
            customer_id = acknowledged.customer_id
        verified = verify_receipt(receipt, self._pinned(), customer_id=customer_id)
        _check_place(verified, record_id, size)
        if acknowledged is not None:
            _check_acknowledged(receipt, acknowledged)
        history.see(verified.checkpoint)
        return VerifiedReceipt(data, verified)

    def statement(
        self,
        customer_id: str,
        *,
        period: str | None = None,
        start_date: str | None = None,
        end_date: str | None = None,
        full: bool = False,
        allow_provisional: bool = False,
    ) -> FetchedStatement:
        """Fetch the statement of a period and verify it; nothing that does not verify is returned.

        It names this customer, is of this very period, and its checkpoint agrees with what was seen before.

        Args:
            customer_id: whose.
            period: a UTC month, `YYYY-MM`; or instead of it the next two.
            start_date: the first instant, RFC 3339 or a date.
            end_date: the first instant behind it.
            full: whether with every entry of the period, or with the first and the last alone.
            allow_provisional: whether the period may go on, complete through some instant before its end.

        Raises:
            EngineError: `usage`, where no period is named; `invalid-field`; `customer-not-found`;
                `not-yet-checkpointed`, where no checkpoint reaches into the period.
            MalformedError: where what came is no statement, or of another period than was asked for.
            VerificationError: `incomplete-period`, and as `receipt`, `time-order`, `totals-mismatch`.
        """
        wanted = _period(period, start_date, end_date)
        history = self._history()
        mode = FULL if full else LIGHT
        data = self._transport.fetch_document(
            (*BALANCE, "customers", checked_customer(customer_id), "statement"),
            STATEMENT_MEDIA_TYPE,
            {"startDate": wanted[0], "endDate": wanted[1], "mode": mode},
            bytes_max=FULL_STATEMENT_BYTES_MAX,
        )
        statement = parse_statement(data)
        _check_period(statement, wanted, mode)
        verified = verify_statement(
            statement, self._pinned(), customer_id=customer_id, allow_provisional=allow_provisional
        )
        history.see(verified.checkpoint)
        return FetchedStatement(data, verified)

    def wait_for_verified(
        self,
        record: str | Recorded,
        *,
        timeout_seconds: float = 60,
        poll_seconds: float = 1,
        customer_id: str | None = None,
    ) -> VerifiedReceipt:
        """Wait until a checkpoint covers a record, and return its receipt, verified.

        What is waited for is the receipt itself: that the server calls a delta verified proves nothing.

        Args:
            record: as `receipt`.
            timeout_seconds: for how long.
            poll_seconds: between two questions, or longer where the server asks for it.
            customer_id: as `receipt`.

        Raises:
            CounterfoilError: as `receipt`; `not-yet-checkpointed` when the time is over.
        """
        self._pinned()
        end = self._world.clock() + timeout_seconds
        while True:
            try:
                return self.receipt(record, customer_id=customer_id)
            except EngineError as error:
                pause = max(poll_seconds, float(error.facts.get("retryAfterSeconds", "0")))
                if error.code != "not-yet-checkpointed" or self._world.clock() + pause > end:
                    raise
            self._world.sleep(pause)

    def checkpoint_note(self, reference: str, size: int | None = None) -> Checkpoint:
        """Fetch a checkpoint of a log, verify it, and hold it against what was seen before; no API key is needed.

        Args:
            reference: the customer reference, `0x...`.
            size: of which size; the newest where none is named, which may not be older than one that was seen.

        Returns:
            the checkpoint; its `note` is what to keep or to pass to others.

        Raises:
            EngineError: `customer-not-found`, `record-not-found`.
            CounterfoilError: as `receipt`.
        """
        history, log = self._history(), _log(reference)
        before = history.newest(reference)
        path = (
            (*API, "checkpoints", reference) if size is None else (*API, "checkpoints", reference, str(size))
        )
        data = self._transport.fetch_document(path, TEXT_MEDIA_TYPE, public=True)
        found = parse_checkpoint(data)
        self._pinned().verify(found)
        _check_log(found, log)
        if size is None:
            history.see_newest(found, before)
        else:
            _check_size(found, size)
            history.see(found)
        return found

    def consistency_file(self, reference: str, old_size: int, new_size: int) -> str:
        """Fetch the proof that one checkpoint of a log extends another, and verify it; no API key is needed.

        Both checkpoints are held against what was seen before.

        Args:
            reference: the customer reference, `0x...`.
            old_size: of the older one.
            new_size: of the newer one.

        Returns:
            the file, as docs/spec/consistency.md has it.

        Raises:
            CounterfoilError: as `checkpoint_note`, and of the file `malformed`, `inconsistent`, `fork`.
        """
        old, new = self.checkpoint_note(reference, old_size), self.checkpoint_note(reference, new_size)
        data = self._consistency(reference, old_size, new_size)
        file = parse_consistency_file(data)
        verify_consistency_file(old, file, self._pinned())
        if (file.checkpoint.size, file.checkpoint.root) != (new.size, new.root):
            raise VerificationError("inconsistent", "the file leads to another checkpoint", wanted=new.note)
        return data.decode("utf-8")

    def checkpoint(
        self, customer_id: str | None = None, *, idempotency_key: str | None = None, **scope: Unpack[Scope]
    ) -> Checkpointed:
        """Have what is recorded put under a signed root now, of one customer or of all.

        Of one customer the checkpoint is fetched and verified, where a key is pinned. That the log is this customer's is
        the server's word: a receipt proves it.

        Args:
            customer_id: whose, all with something new where none is named.
            idempotency_key: of the request.
            scope: a period that is over, of one customer: the checkpoint that closes it. See `Scope`.

        Raises:
            CounterfoilError: `customer-not-found`, and as `checkpoint_note`.
        """
        body: dict[str, JsonValue] = {**scope_members(scope)}
        if customer_id is not None:
            body["customerId"] = checked_customer(customer_id)
        answer = self._post(*BALANCE, "checkpoint", body=body, key=self._key(idempotency_key))
        if customer_id is None or self._keys is None:
            return Checkpointed(None, answer)
        size = answer.get("size")
        if not isinstance(size, int):
            raise MalformedError("size of the answer is not a count")
        found = self.checkpoint_note(text(answer, "customerReference"), size)
        if text(answer, "proofRoot").removeprefix("0x") != found.root.hex():
            raise MalformedError("the answer names another root than the checkpoint of its size has")
        return Checkpointed(found, answer)

    def fetch_keys(self) -> tuple[str, ...]:
        """Return the verifier keys that the server says are its operator's.  Never trust them unseen.

        Whoever can give a false receipt can give the key that it verifies under. Compare them with what the operator
        gave you in another way, by contract, in print, by telephone, and pin that.
        """
        keys = self._get(*API, "keys", public=True).get("verifierKeys")
        if not isinstance(keys, list):
            raise MalformedError("verifierKeys of the answer is not a list")
        return tuple(str(parse_verifier_key(str(key))) for key in keys)

    # How.

    def _pinned(self) -> KeySet:
        if self._keys is None:
            raise VerificationError(
                "unknown-key",
                "no verifier key is pinned: give the operator's to the client, from another source",
            )
        return self._keys

    def _history(self) -> History:
        return History(self._memory, self._pinned(), self._consistency)

    def _consistency(self, reference: str, old_size: int, new_size: int) -> bytes:
        path = (*API, "checkpoints", reference, "consistency")
        return self._transport.fetch_document(
            path, TEXT_MEDIA_TYPE, {"from": old_size, "to": new_size}, public=True
        )


def _log(reference: str) -> bytes:
    return place_of(f"{reference}.0")[0]


def _period(period: str | None, start_date: str | None, end_date: str | None) -> tuple[str, str]:
    """Return the first instant of a period and the first one behind it."""
    if period is not None and start_date is None and end_date is None:
        start = f"{period}-01T00:00:00.000000Z"
        try:
            parse_time(start)
        except MalformedError as error:
            raise EngineError("invalid-field", "a period is a month, YYYY-MM", field="period") from error
        return start, format_time(month_end(to_microseconds(start)))
    if period is not None or start_date is None or end_date is None:
        raise EngineError("usage", "name a month as period, or start_date and end_date")
    return read_time(start_date, field="startDate"), read_time(end_date, field="endDate")


def _check_period(statement: Statement, wanted: tuple[str, str], mode: str) -> None:
    """Refuse a statement, a good one perhaps, of another period or mode than was asked for."""
    if (statement.start, statement.end, statement.mode) != (*wanted, mode):
        raise MalformedError(
            "the statement is another one than was asked for",
            found=f"{statement.mode}, {statement.start} to {statement.end}",
            wanted=f"{mode}, {wanted[0]} to {wanted[1]}",
        )


def _check_log(checkpoint: Checkpoint, log: bytes) -> None:
    found = parse_origin(checkpoint.origin).log
    if found != log:
        raise VerificationError(
            "wrong-origin",
            "the checkpoint is of another log",
            found=f"0x{found.hex()}",
            wanted=f"0x{log.hex()}",
        )


def _check_place(verified: Verified, record_id: str, size: int | None) -> None:
    """Refuse a receipt, a good one perhaps, of another record or under another checkpoint than was asked for."""
    log, index = place_of(record_id)
    _check_log(verified.checkpoint, log)
    if verified.entry.index != index:
        raise VerificationError(
            "index-mismatch", "the receipt is of another record", found=verified.entry.index, wanted=index
        )
    if size is not None:
        _check_size(verified.checkpoint, size)


def _check_size(checkpoint: Checkpoint, size: int) -> None:
    if checkpoint.size != size:
        raise MalformedError(f"the checkpoint has size {checkpoint.size}, want {size}")


def _check_acknowledged(receipt: Receipt, recorded: Recorded) -> None:
    """Refuse a receipt that proves something else than what was acknowledged when it was recorded."""
    if receipt.item.data != recorded.data:
        raise VerificationError(
            "root-mismatch", "the entry under the signed root is not the one that was acknowledged"
        )
    details = receipt.item.details
    if details is not None and details.canonical != recorded.details:
        raise VerificationError("details-mismatch", "the details are not those that were sent")
