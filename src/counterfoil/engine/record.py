"""Recording: from a request to an entry that is durable, once, in one place, for ever.

One transaction holds all of it: lock the heads of the logs in one order, read the clock, look the idempotency keys
up, append, move the heads.  Answers are given after it has committed.

A request goes through three rooms:  `Preparation` (pure: is it a valid request?)  ->  `_Batch` (under the lock: is it new,
and what entry does it make?)  ->  `Recorded`.

Source: docs/spec/entry.md, docs/spec/details.md; docs/recording.md for retries and batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from counterfoil.core.amount import TOTAL_NANO_END
from counterfoil.core.details import commit
from counterfoil.core.encoding import canonical_json
from counterfoil.core.entry import DELTA, Entry, format_delta, format_open, parse_entry
from counterfoil.core.reference import (
    format_record_id,
)
from counterfoil.core.timestamp import format_time, month_end, to_microseconds
from counterfoil.engine.clock import next_time
from counterfoil.engine.operator import Operator
from counterfoil.engine.request import Delta, Preparation, Prepared, Randomness, check_key, check_unit
from counterfoil.engine.store import HeadMove, NamedLog, NewEntry, Store, StoredEntry, WriteTransaction
from counterfoil.engine.stored import log_corrupt, read_last, read_stored
from counterfoil.engine.transact import transact
from counterfoil.engine.webhooks import announce_customers
from counterfoil.errors import CounterfoilError, EngineError
from counterfoil.limits import (
    BATCH_ITEMS_MAX,
    SALT_BYTES,
)

DEFAULT_UNIT: Final = "credits"
# Entries so near each other are read as one range.
_NEIGHBOURS: Final = 256


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


@dataclass(slots=True)
class _Tail:
    """A log while the batch adds to it: its last entry, and the time of that in microseconds."""

    tenant: str
    last: Entry
    time: int
    sealed_size: int
    close_at: int | None
    # This batch's own entries by key: they are not in the store yet.
    added: dict[bytes, NewEntry] = field(default_factory=dict)


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
        check_key(batch_key)
    preparing = Preparation(operator, tenant, randomness, batch_key)
    prepared = [preparing.attempt(position, request) for position, request in enumerate(requests)]
    valid = [item for item in prepared if isinstance(item, Prepared)]
    if not valid:
        return [item for item in prepared if not isinstance(item, Prepared)]

    def write(transaction: WriteTransaction) -> list[Recorded | CounterfoilError]:
        batch = _Batch(transaction, operator, tenant, valid, randomness)
        answers = [batch.attempt(item) if isinstance(item, Prepared) else item for item in prepared]
        batch.append()
        return answers

    return transact(store, write)


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
        self._places, self._bearers = _bearers(transaction, wanted)
        # One call for all salts: one for each item, and one for each log, which may have to be opened.
        self._salts = iter_salts(randomness, len(items) + len({item.log for item in items}))
        self._tails: dict[bytes, _Tail] = {}
        self._rows: list[NewEntry] = []
        self._opened: list[NamedLog] = []

    def attempt(self, item: Prepared) -> Recorded | CounterfoilError:
        try:
            return self._record(item)
        except EngineError as error:
            return error

    def append(self) -> None:
        """Write what the batch has made."""
        if self._rows:
            moves = [
                HeadMove(log, tail.tenant, tail.last.index + 1, tail.sealed_size, tail.close_at)
                for log, tail in self._tails.items()
                if tail.added
            ]
            self._transaction.append(self._rows, moves)
        if self._opened:
            self._transaction.name_customers(self._opened)
            announce_customers(self._transaction, self._opened)

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
                head.tenant, last, to_microseconds(last.recorded_at), head.sealed_size, head.close_at
            )
        return tail

    def _find(self, item: Prepared, tail: _Tail) -> tuple[Entry, StoredEntry] | None:
        """Return the entry that bears the item's key, with its row."""
        if (added := tail.added.get(item.key)) is not None:
            row = StoredEntry(added.log, added.index, added.entry, added.salt, added.value)
            return read_stored(row), row
        wanted = item.key.hex()
        # The prefix is a hint: the entry's own bytes decide.
        for index in self._places.get((item.log, item.key_prefix), ()):
            bearer = self._bearers.get((item.log, index))
            if bearer is None:
                # It may bear the key: to record the delta again would be to record it twice.
                raise log_corrupt(item.log, f"entry {index} is missing")
            entry = read_stored(bearer)
            if entry.key == wanted:
                return entry, bearer
        return None

    def _check_adjusts(self, item: Prepared, tail: _Tail | None) -> None:
        if item.adjusts is None:
            return
        if tail is None or item.adjusts > tail.last.index:
            raise EngineError("record-not-found", "there is no such delta to adjust", field="adjusts")
        # Behind what is stored stand this batch's own entries, which are deltas but for the one that opens the log.
        rows = self._transaction.entries(item.log, item.adjusts, item.adjusts + 1)
        if not rows and (head := self._heads.get(item.log)) is not None and item.adjusts < head.size:
            raise log_corrupt(item.log, f"entry {item.adjusts} is missing")
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
            self._opened.append(NamedLog(item.log, self._tenant, item.customer_id))
        row = NewEntry(item.log, entry.index, data, item.key_prefix, salt, item.details)
        self._rows.append(row)
        tail.added[item.key] = row
        tail.last, tail.time = entry, time
        if tail.close_at is None or time >= tail.close_at:
            tail.close_at = month_end(time)
        record_id = format_record_id(item.log, entry.index)
        return Recorded(record_id, item.customer_id, item.key_text, data, replayed=False)

    def _open(self, item: Prepared) -> tuple[NewEntry, _Tail]:
        time = next_time(self._now, self._now - 1)
        unit = item.unit or self._transaction.tenant_unit(self._tenant) or DEFAULT_UNIT
        try:
            check_unit(unit)
        except EngineError as error:
            message = f"the stored unit of tenant {self._tenant} is none"
            raise EngineError("log-corrupt", message) from error
        value = canonical_json({"customerId": item.customer_id})
        salt = next(self._salts)
        data = format_open(
            recorded_at=format_time(time),
            unit=unit,
            details=commit(salt, value),
            origin=self._operator.origin(self._tenant, item.log),
        )
        return NewEntry(item.log, 0, data, None, salt, value), _Tail(
            self._tenant, parse_entry(data), time, 0, None
        )


def _bearers(
    transaction: WriteTransaction, wanted: Sequence[tuple[bytes, int]]
) -> tuple[Mapping[tuple[bytes, int], list[int]], dict[tuple[bytes, int], StoredEntry]]:
    """Return for each (log, key_prefix) the indices of the entries that may bear the key, and these by (log, index)."""
    if not wanted:
        return {}, {}
    places = transaction.find_keys(wanted)
    ranges = _ranges({(log, index) for (log, _), indices in places.items() for index in indices})
    found = transaction.entries_of(ranges)
    return places, {(row.log, row.index): row for rows in found.values() for row in rows}


def _ranges(places: set[tuple[bytes, int]]) -> list[tuple[bytes, int, int]]:
    """Return ranges that hold these (log, index): a batch that is sent again asks for neighbours."""
    ranges: list[tuple[bytes, int, int]] = []
    for log, index in sorted(places):
        if ranges and ranges[-1][0] == log and index - ranges[-1][2] < _NEIGHBOURS:
            ranges[-1] = (log, ranges[-1][1], index + 1)
        else:
            ranges.append((log, index, index + 1))
    return ranges


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
