"""Requests to record: what a sender hands in, and what it means once it is found valid.

Nothing here looks at a log or the store.

Source: docs/spec/details.md, docs/recording.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from counterfoil.core.amount import read_amount
from counterfoil.core.details import delta_details
from counterfoil.core.encoding import JsonValue, excerpt
from counterfoil.core.reference import hash_idempotency_key, idempotency_prefix, parse_record_id
from counterfoil.core.timestamp import read_time
from counterfoil.engine.operator import Operator
from counterfoil.engine.stored import key_prefix
from counterfoil.errors import CounterfoilError, EngineError, MalformedError
from counterfoil.limits import IDEMPOTENCY_KEY_CHARACTERS_MAX, UNIT_CHARACTERS_MAX

Randomness = Callable[[int], bytes]
"""Returns so many unpredictable bytes."""

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


class Preparation:
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
        """Return what the request at a position of the batch means, or why it is refused."""
        try:
            return self._prepare(position, request)
        except MalformedError as error:
            return EngineError("invalid-field", error.message)
        except EngineError as error:
            return error
        except Exception as error:  # noqa: BLE001  -- of a sender's own mapping, say: it concerns this request alone
            return EngineError("invalid-field", f"{type(error).__name__} while the request was read")

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
            check_key(key)
            return key, False
        if self._batch_key is not None:
            return batch_item_key(self._batch_key, position), False
        return self._randomness(_RANDOM_KEY_BYTES).hex(), True


def batch_item_key(batch_key: str, position: int) -> str:
    r"""Return the key of an item of a batch that has none itself: hex( SHA-256( batch key || "\n" || position ) ).

    Args:
        batch_key: 1 to 255 visible ASCII characters.
        position: of the item, from 0.
    """
    return hashlib.sha256(f"{batch_key}\n{position}".encode("ascii")).hexdigest()


def check_unit(unit: str) -> str:
    """Return a unit.

    Raises:
        EngineError: `invalid-field`.
    """
    if not isinstance(unit, str) or not _UNIT.fullmatch(unit):
        raise EngineError("invalid-field", f"not a unit: {excerpt(unit)}", field="unit")
    return unit


def check_key(key: str) -> None:
    """Refuse what is no idempotency key.

    Raises:
        EngineError: `invalid-field`.
    """
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
