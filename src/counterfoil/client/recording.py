"""Recording: each delta under one key over all attempts, its answer held against what was sent.

Source: docs/api/client.md, docs/recording.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from counterfoil.client.answers import bearing_key
from counterfoil.client.models import (
    Amount,
    DeltaState,
    Draft,
    NewDelta,
    Recorded,
    draft,
    read_batch,
    read_recorded,
    read_state,
)
from counterfoil.client.reports import BALANCE, Reports
from counterfoil.core.encoding import JsonValue
from counterfoil.core.reference import parse_record_id
from counterfoil.errors import EngineError, MalformedError
from counterfoil.limits import REQUEST_DELTAS_MAX


class Recording(Reports):
    """The routes that record, and say how a delta stands."""

    def record(
        self,
        customer_id: str,
        amount: Amount,
        reason: str,
        *,
        reference_id: str | None = None,
        metadata: dict[str, JsonValue] | None = None,
        idempotency_key: str | None = None,
        effective_at: str | None = None,
        adjusts: str | Mapping[str, str] | None = None,
        unit: str | None = None,
    ) -> Recorded:
        """Record a delta; the arguments are those of `NewDelta`.

        When it returns the delta is on the server's disk, says the server; wait for its receipt to know.

        Raises:
            EngineError: `invalid-field`, `amount-out-of-range`, `idempotency-conflict`, `record-not-found` (what it
                adjusts); `commit-outcome-unknown`, where nobody can tell: the same call with `idempotency_key`, which
                is among the facts, is safe.
            MalformedError: where the answer is of another delta than the one that was sent.
        """
        delta = NewDelta(
            customer_id, amount, reason, reference_id, metadata, idempotency_key, effective_at, adjusts, unit
        )
        sent = draft(delta)
        key = self._key(idempotency_key)
        answer, replayed = self._transport.post((*BALANCE, "delta"), sent.body, key)
        with bearing_key(key):
            return read_recorded(answer, sent, key, replayed=replayed)

    def record_many(
        self, deltas: Sequence[NewDelta], *, idempotency_key: str | None = None
    ) -> list[Recorded | EngineError]:
        """Record up to 1,000 deltas in one request of at most 1 MiB; each succeeds or fails by itself.

        An item without a key gets SHA-256( batch key || newline || position ) in hex, as on the server, so that the
        whole call again with the same `idempotency_key` is safe.

        Returns:
            for each delta, in their order, its answer or its refusal.

        Raises:
            CounterfoilError: as `record`, where nothing is known of any.
        """
        if len(deltas) > REQUEST_DELTAS_MAX:
            raise EngineError(
                "invalid-field", f"a batch has at most {REQUEST_DELTAS_MAX} items", field="deltas"
            )
        batch_key = self._key(idempotency_key)
        drafts = [_attempt(delta) for delta in deltas]
        sent: list[tuple[Draft, str]] = []
        items: list[JsonValue] = []
        for position, item in enumerate(drafts):
            if isinstance(item, Draft):
                key = item.delta.idempotency_key or _item_key(batch_key, position)
                sent.append((item, key))
                items.append({**item.body, "idempotencyKey": key})
        answers: list[Recorded | EngineError] = []
        if sent:
            answer, _ = self._transport.post((*BALANCE, "delta", "batch"), {"deltas": items}, batch_key)
            with bearing_key(batch_key):
                answers = read_batch(answer, sent)
        waiting = iter(answers)
        return [next(waiting) if isinstance(item, Draft) else item for item in drafts]

    def delta(self, record_id: str) -> DeltaState:
        """Return how a delta stands, in the server's words.

        Raises:
            EngineError: `record-not-found`, `invalid-field`.
        """
        place_of(record_id)
        return read_state(self._get(*BALANCE, "delta", record_id), record_id)


def _attempt(delta: NewDelta) -> Draft | EngineError:
    if not isinstance(delta, NewDelta):
        return EngineError("invalid-field", "an item of a batch is a NewDelta", field="deltas")
    try:
        return draft(delta)
    except EngineError as error:
        return error


def _item_key(batch_key: str, position: int) -> str:
    return hashlib.sha256(f"{batch_key}\n{position}".encode()).hexdigest()


def place_of(record_id: str) -> tuple[bytes, int]:
    """Return the log and the index that a recordId names.

    Raises:
        EngineError: `invalid-field`, where it is none.
    """
    try:
        return parse_record_id(record_id)
    except MalformedError as error:
        raise EngineError("invalid-field", error.message, field="recordId") from error
