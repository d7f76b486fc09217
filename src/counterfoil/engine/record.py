"""Recording: from a request to an entry that is durable, once, in one place, for ever.

One transaction holds all of it: lock the heads of the logs in one order, read the clock, look the idempotency keys
up, append, move the heads.  Answers are given after it has committed.

A request goes through three rooms:  `prepare` (pure: is it a valid request?)  ->  `_Batch` (under the lock: is it new,
and what entry does it make?)  ->  `Recorded`.

Source: docs/spec/entry.md, docs/spec/details.md; docs/recording.md for retries and batches.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NamedTuple

from counterfoil.core.amount import TOTAL_NANO_END, read_amount
from counterfoil.core.details import commit, delta_details
from counterfoil.core.encoding import JsonValue, canonical_json, excerpt
from counterfoil.core.entry import DELTA, Entry, format_delta, format_open, parse_entry
from counterfoil.core.reference import (
    format_record_id,
    hash_idempotency_key,
    idempotency_prefix,
    parse_record_id,
)
from counterfoil.core.timestamp import format_time, read_time, to_microseconds
from counterfoil.engine.clock import next_time
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import HeadMove, Store, StoredEntry, WriteTransaction
from counterfoil.engine.stored import key_prefix, log_corrupt, read_last, read_stored
from counterfoil.errors import CounterfoilError, EngineError, MalformedError
from counterfoil.limits import (
    BATCH_ITEMS_MAX,
    IDEMPOTENCY_KEY_CHARACTERS_MAX,
    SALT_BYTES,
    UNIT_CHARACTERS_MAX,
)

Randomness = Callable[[int], bytes]
"""Returns so many unpredictable bytes."""

DEFAULT_UNIT: Final = "credits"
_KEY: Final = re.compile(rf"[\x21-\x7e]{{1,{IDEMPOTENCY_KEY_CHARACTERS_MAX}}}", re.ASCII)
_UNIT: Final = re.compile(rf"[\x21-\x7e]{{1,{UNIT_CHARACTERS_MAX}}}", re.ASCII)
_RANDOM_KEY_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Delta:
    """A request to record a change of a customer's balance.

    Attributes:
        customer_id: whose; the first delta opens the customer's log.
        amount: a decimal number: text, int or Decimal, never a float.
        reason: what for, in words.
        reference_id: the sender's own name for it, an invoice line say.
        metadata: a JSON object; numbers must be exact doubles, anything else goes as a string.
        idempotency_key: the same key again is the same delta again; a random one is made where there is none.
        effective_at: when it happened, RFC 3339 or a date.
        adjusts: the recordId of an earlier delta of this customer that it corrects.
        unit: the unit of a new log; must be that of the log where it exists.
    """

    customer_id: str
    amount: str | int | Decimal
    reason: str
    reference_id: str | None = None
    metadata: dict[str, JsonValue] | None = None
    idempotency_key: str | None = None
    effective_at: str | None = None
    adjusts: str | None = None
    unit: str | None = None


class Recorded(NamedTuple):
    """The answer to a delta that is recorded: durable, and part of the next checkpoint.

    Attributes:
        record_id: its place, `customerReference.index`.
        customer_id: whose it is.
        idempotency_key: the key that a retry must bear.
        data: the exact bytes of the entry, the leaf.
        replayed: whether it was there before this request.
    """

    record_id: str
    customer_id: str
    idempotency_key: str
    data: bytes
    replayed: bool

    @property
    def entry(self) -> Entry:
        """The entry as stored, read from its bytes."""
        return parse_entry(self.data)


class Prepared(NamedTuple):
    """A valid request, in the terms of entries."""

    log: bytes
    customer_id: str
    unit: str | None
    amount: int
    details: bytes
    key_text: str
    key: bytes
    key_prefix: int
    key_is_new: bool
    effective_at: str | None
    adjusts: int | None


@dataclass(slots=True)
class _Tail:
    """A log while the batch adds to it: its last entry, and the time of that in microseconds."""

    tenant: str
    last: Entry
    time: int
    sealed_size: int
    # This batch's own entries by key: they are not in the store yet.
    added: dict[bytes, StoredEntry] = field(default_factory=dict)


def record_many(
    store: Store,
    operator: Operator,
    tenant: str,
    requests: Sequence[Delta],
    *,
    randomness: Randomness,
    batch_key: str | None = None,
) -> list[Recorded | CounterfoilError]:
    r"""Record deltas of one or many customers in one transaction.

    Each succeeds or fails by itself; the same batch again gives the same answers.  An item without a key gets one:
    under a batch key SHA-256( batch key || "\n" || position ) in hex, position from 0, else a random one.

    Args:
        store: where to.
        operator: whose logs.
        tenant: whose customers.
        requests: at most 10,000.
        randomness: for salts and keys.
        batch_key: 1 to 255 visible ASCII characters.

    Returns:
        for each request its answer, or the refusal that it met (`invalid-field`, `amount-out-of-range`,
        `idempotency-conflict`, `record-not-found`, `clock-regressed`, `log-corrupt`).

    Raises:
        EngineError: where nothing at all was recorded: `invalid-field` for the batch itself, or what the store says.
            After `commit-outcome-unknown` the batch may have been recorded: try again with the same keys.
    """
    if len(requests) > BATCH_ITEMS_MAX:
        raise EngineError("invalid-field", f"a batch has at most {BATCH_ITEMS_MAX} items", field="batch")
    if batch_key is not None:
        _check_key(batch_key)
    preparing = _Preparation(operator, tenant, randomness, batch_key)
    prepared = [preparing.attempt(position, request) for position, request in enumerate(requests)]
    valid = [item for item in prepared if isinstance(item, Prepared)]
    if not valid:
        return [item for item in prepared if not isinstance(item, Prepared)]
    with store.write() as transaction:
        batch = _Batch(transaction, operator, tenant, valid, randomness)
        answers = [batch.attempt(item) if isinstance(item, Prepared) else item for item in prepared]
        batch.append()
    return answers


class _Preparation:
    """What the requests of one batch share while they are checked."""

    def __init__(
        self, operator: Operator, tenant: str, randomness: Randomness, batch_key: str | None
    ) -> None:
        self._operator = operator
        self._tenant = tenant
        self._randomness = randomness
        self._batch_key = batch_key
        self._logs: dict[str, tuple[bytes, bytes]] = {}

    def attempt(self, position: int, request: Delta) -> Prepared | CounterfoilError:
        try:
            return self._prepare(position, request)
        except MalformedError as error:
            return EngineError("invalid-field", error.message)
        except EngineError as error:
            return error

    def _prepare(self, position: int, request: Delta) -> Prepared:
        if not isinstance(request, Delta):
            raise EngineError("invalid-field", "an item of a batch is a Delta", field="batch")
        log, prefix = self._log(request.customer_id)
        key_text, is_new = self._key(position, request.idempotency_key)
        key = hash_idempotency_key(self._operator.reference_key, prefix, key_text)
        if request.unit is not None:
            check_unit(request.unit)
        return Prepared(
            log,
            request.customer_id,
            request.unit,
            read_amount(request.amount),
            _details(request),
            key_text,
            key,
            key_prefix(key),
            is_new,
            None if request.effective_at is None else read_time(request.effective_at),
            None if request.adjusts is None else _adjusted_index(log, request.adjusts),
        )

    def _log(self, customer_id: str) -> tuple[bytes, bytes]:
        # A type that is no str may be unhashable; log_of refuses it.
        known = self._logs.get(customer_id) if isinstance(customer_id, str) else None
        if known is None:
            log = self._operator.log_of(self._tenant, customer_id)
            known = self._logs[customer_id] = (log, idempotency_prefix(log))
        return known

    def _key(self, position: int, key: str | None) -> tuple[str, bool]:
        if key is not None:
            _check_key(key)
            return key, False
        if self._batch_key is not None:
            return hashlib.sha256(f"{self._batch_key}\n{position}".encode("ascii")).hexdigest(), False
        return self._randomness(_RANDOM_KEY_BYTES).hex(), True


def check_unit(unit: str) -> str:
    """Return a unit.

    Raises:
        EngineError: `invalid-field`.
    """
    if not isinstance(unit, str) or not _UNIT.fullmatch(unit):
        raise EngineError("invalid-field", f"not a unit: {excerpt(unit)}", field="unit")
    return unit


def _check_key(key: str) -> None:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise EngineError(
            "invalid-field", "an idempotency key is 1 to 255 visible ASCII characters", field="idempotencyKey"
        )


def _details(request: Delta) -> bytes:
    if not isinstance(request.reason, str) or not request.reason:
        raise EngineError("invalid-field", "a delta needs a reason in words", field="reason")
    if request.reference_id is not None and not isinstance(request.reference_id, str):
        raise EngineError("invalid-field", "a reference is text", field="referenceId")
    if request.metadata is not None and not isinstance(request.metadata, dict):
        raise EngineError("invalid-field", "metadata is a JSON object", field="metadata")
    return delta_details(request.reason, request.reference_id, request.metadata)


def _adjusted_index(log: bytes, record_id: str) -> int:
    other, index = parse_record_id(record_id)
    if other != log:
        raise EngineError("invalid-field", "a delta adjusts one of the same customer", field="adjusts")
    return index


class _Batch:
    """The locked logs of one transaction, and what is about to be appended to them."""

    def __init__(
        self,
        transaction: WriteTransaction,
        operator: Operator,
        tenant: str,
        items: Sequence[Prepared],
        randomness: Randomness,
    ) -> None:
        self._transaction = transaction
        self._operator = operator
        self._tenant = tenant
        self._heads = transaction.lock_heads(sorted({item.log for item in items}))
        self._now = transaction.now()
        wanted = [
            (item.log, item.key_prefix) for item in items if not item.key_is_new and item.log in self._heads
        ]
        self._stored = transaction.find_keys(wanted) if wanted else {}
        # One call for all salts: one for each item, and one for each log, which may have to be opened.
        self._salts = iter_salts(randomness, len(items) + len({item.log for item in items}))
        self._tails: dict[bytes, _Tail] = {}
        self._rows: list[StoredEntry] = []

    def attempt(self, item: Prepared) -> Recorded | CounterfoilError:
        try:
            return self._record(item)
        except EngineError as error:
            return error

    def append(self) -> None:
        """Write what the batch has made."""
        if self._rows:
            moves = [
                HeadMove(log, tail.tenant, tail.last.index + 1, tail.sealed_size)
                for log, tail in self._tails.items()
                if tail.added
            ]
            self._transaction.append(self._rows, moves)

    def _record(self, item: Prepared) -> Recorded:
        tail = self._tail(item.log)
        if tail is not None:
            if item.unit is not None and item.unit != tail.last.unit:
                raise EngineError("invalid-field", f"the unit of this log is {tail.last.unit}", field="unit")
            if (found := self._find(item, tail)) is not None:
                return _replay(item, *found)
        self._check_adjusts(item, tail)
        return self._add(item, tail)

    def _tail(self, log: bytes) -> _Tail | None:
        tail = self._tails.get(log)
        if tail is None and (head := self._heads.get(log)) is not None:
            if head.tenant != self._tenant:
                # The tenant is part of the reference: a log of another one bears another name.
                raise log_corrupt(log, "its head names another tenant")
            last = read_last(head)
            tail = self._tails[log] = _Tail(
                head.tenant, last, to_microseconds(last.recorded_at), head.sealed_size
            )
        return tail

    def _find(self, item: Prepared, tail: _Tail) -> tuple[Entry, StoredEntry] | None:
        """Return the entry that bears the item's key, with its row."""
        if (added := tail.added.get(item.key)) is not None:
            return read_stored(added), added
        wanted = item.key.hex()
        # The prefix is a hint: the entry's own bytes decide.
        for row in self._stored.get((item.log, item.key_prefix), ()):
            entry = read_stored(row)
            if entry.key == wanted:
                return entry, row
        return None

    def _check_adjusts(self, item: Prepared, tail: _Tail | None) -> None:
        if item.adjusts is None:
            return
        if tail is None or item.adjusts > tail.last.index:
            raise EngineError("record-not-found", "there is no such delta to adjust", field="adjusts")
        # Behind what is stored stand this batch's own entries, which are deltas but for the one that opens the log.
        rows = self._transaction.entries(item.log, item.adjusts, item.adjusts + 1)
        if not item.adjusts or any(read_stored(row).type != DELTA for row in rows):
            raise EngineError("invalid-field", "what a delta adjusts is a delta", field="adjusts")

    def _add(self, item: Prepared, tail: _Tail | None) -> Recorded:
        opened = None
        if tail is None:
            opened, tail = self._open(item)
        last = tail.last
        plus, minus = last.credits, last.debits
        if item.amount > 0:
            plus += item.amount
        else:
            minus -= item.amount
        if plus >= TOTAL_NANO_END or minus >= TOTAL_NANO_END:
            raise EngineError("amount-out-of-range", "a total of the log would pass 29 digits", field="delta")
        time = next_time(self._now, tail.time)
        salt = next(self._salts)
        entry = Entry(
            DELTA,
            last.index + 1,
            format_time(time),
            last.unit,
            last.count + 1,
            plus,
            minus,
            commit(salt, item.details),
            item.amount,
            item.key.hex(),
            item.effective_at,
            item.adjusts,
        )
        data = format_delta(entry)
        # Nothing fails from here on: the log is opened with its first delta or not at all.
        if opened is not None:
            self._tails[item.log] = tail
            self._rows.append(opened)
        row = StoredEntry(item.log, entry.index, data, item.key_prefix, salt, item.details)
        self._rows.append(row)
        tail.added[item.key] = row
        tail.last, tail.time = entry, time
        record_id = format_record_id(item.log, entry.index)
        return Recorded(record_id, item.customer_id, item.key_text, data, replayed=False)

    def _open(self, item: Prepared) -> tuple[StoredEntry, _Tail]:
        time = next_time(self._now, self._now - 1)
        unit = item.unit or self._transaction.tenant_unit(self._tenant) or DEFAULT_UNIT
        if not _UNIT.fullmatch(unit):
            raise EngineError("log-corrupt", f"the stored unit of tenant {self._tenant} is none")
        value = canonical_json({"customerId": item.customer_id})
        salt = next(self._salts)
        data = format_open(
            recorded_at=format_time(time),
            unit=unit,
            details=commit(salt, value),
            origin=self._operator.origin(self._tenant, item.log),
        )
        return StoredEntry(item.log, 0, data, None, salt, value), _Tail(
            self._tenant, parse_entry(data), time, 0
        )


def iter_salts(randomness: Randomness, count: int) -> Iterator[bytes]:
    """Yield salts out of one draw."""
    pool = randomness(SALT_BYTES * count)
    for start in range(0, len(pool), SALT_BYTES):
        yield pool[start : start + SALT_BYTES]


def _replay(item: Prepared, entry: Entry, row: StoredEntry) -> Recorded:
    same = (entry.amount, entry.effective_at, entry.adjusts) == (item.amount, item.effective_at, item.adjusts)
    # After erasure there is no salt to compare with, and no hash of the request is kept: it could be guessed against.
    if same and row.salt is not None and row.value is not None:
        same = commit(row.salt, item.details) == entry.details
    if not same:
        raise EngineError(
            "idempotency-conflict",
            "another delta was recorded under this idempotency key",
            recordId=format_record_id(item.log, entry.index),
        )
    record_id = format_record_id(item.log, entry.index)
    return Recorded(record_id, item.customer_id, item.key_text, row.entry, replayed=True)
