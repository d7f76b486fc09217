"""Details: what may be personal, kept outside the tree and bound to it by a commitment.

    commitment = hex( SHA-256( salt || JCS(value) ) )        salt: 32 random bytes

Salt and value can be deleted; every proof still verifies.  Without the salt nobody can test a guess of the value.

Source: docs/spec/details.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from counterfoil.core.encoding import (
    JsonValue,
    canonical_json,
    decode_hex,
    encode_utf8,
    json_string,
    members,
    text_member,
)
from counterfoil.errors import MalformedError, TooLargeError, VerificationError
from counterfoil.limits import DETAILS_BYTES_MAX, DETAILS_NESTING_MAX, JSON_INTEGER_MAX, SALT_BYTES

_DETAILS: Final = frozenset({"salt", "value"})
_DELTA_REQUIRED: Final = frozenset({"reason"})
_DELTA_OPTIONAL: Final = frozenset({"referenceId", "metadata"})
_OPEN_REQUIRED: Final = frozenset({"customerId"})


@dataclass(frozen=True, slots=True)
class Details:
    """The opening of a commitment.

    Attributes:
        salt: 32 bytes.
        value: the value, a JSON object.
        canonical: its RFC 8785 bytes.
    """

    salt: bytes
    value: dict[str, JsonValue]
    canonical: bytes


def commit(salt: bytes, canonical: bytes) -> str:
    """Return hex( SHA-256( salt || value ) )."""
    return hashlib.sha256(salt + canonical).hexdigest()


def verify_commitment(details: Details, commitment: str | None) -> None:
    """Verify that details open a commitment.

    Raises:
        VerificationError: `details-mismatch`.
    """
    if commitment is None or commit(details.salt, details.canonical) != commitment:
        raise VerificationError("details-mismatch", "the details are not those that the entry commits to")


def read_details(value: JsonValue, *, what: str) -> Details:
    """Read the details object of a receipt: `{"salt": hex, "value": {...}}`.

    Raises:
        TooLargeError: where the canonical value has over 16,384 bytes.
        MalformedError: where it is no such object.
    """
    found = members(value, required=_DETAILS, optional=frozenset(), what=what)
    salt = decode_hex(text_member(found, "salt", what=what), SALT_BYTES)
    opened = found["value"]
    if not isinstance(opened, dict):
        raise MalformedError(f"the value of {what} is not a JSON object")
    return Details(salt, opened, canonical_details(opened))


def canonical_details(value: dict[str, JsonValue]) -> bytes:
    """Return the canonical bytes of a details value.

    Raises:
        TooLargeError: above 16,384 bytes.
        MalformedError: where it nests over 8 levels, holds a number beyond 2^53-1 or is no I-JSON.
    """
    _check_shape(value, DETAILS_NESTING_MAX)
    return _bounded(canonical_json(value))


def delta_details(reason: str, reference_id: str | None, metadata: dict[str, JsonValue] | None) -> bytes:
    """Return the canonical bytes of a delta's details.

    Raises:
        TooLargeError, MalformedError: as `canonical_details`.
    """
    if metadata is not None:
        value: dict[str, JsonValue] = {"reason": reason, "metadata": metadata}
        if reference_id is not None:
            value["referenceId"] = reference_id
        return canonical_details(value)
    # Most deltas have two strings and no more: written out, they cost a third of what any JSON value does.
    reference = "" if reference_id is None else f',"referenceId":{json_string(reference_id)}'
    canonical = encode_utf8(f'{{"reason":{json_string(reason)}{reference}}}', what="details")
    return _bounded(canonical)


def _bounded(canonical: bytes) -> bytes:
    if len(canonical) > DETAILS_BYTES_MAX:
        raise TooLargeError(f"details have {len(canonical)} bytes, at most {DETAILS_BYTES_MAX}")
    return canonical


def _check_shape(value: JsonValue, levels: int) -> None:
    """Refuse nesting beyond `levels` and numbers beyond 2^53-1, which no reader of the receipt would take.

    Objects and arrays count, a tuple of a Python caller too; the recursion is as deep as the bound.
    """
    if isinstance(value, float) and abs(value) > JSON_INTEGER_MAX:
        raise MalformedError("number beyond 2^53-1, send it as a string")
    if not isinstance(value, (dict, list, tuple)):
        return
    if not levels:
        raise MalformedError(f"details nest over {DETAILS_NESTING_MAX} levels")
    for item in value.values() if isinstance(value, dict) else value:
        if type(item) is not str:  # most are, and a call costs more than the look
            _check_shape(item, levels - 1)


def check_delta_value(value: dict[str, JsonValue]) -> None:
    """Refuse a value that is not a delta's: `{"reason": string, "referenceId"?: string, "metadata"?: object}`.

    Raises:
        MalformedError: where the members are others.
    """
    members(value, required=_DELTA_REQUIRED, optional=_DELTA_OPTIONAL, what="details of a delta")
    text_member(value, "reason", what="details")
    if "referenceId" in value:
        text_member(value, "referenceId", what="details")
    if not isinstance(value.get("metadata", {}), dict):
        raise MalformedError("metadata of details is not an object")


def customer_of(value: dict[str, JsonValue]) -> str:
    """Return the customerId that the details of an `open` entry name.

    Raises:
        MalformedError: where the value is not `{"customerId": string}`.
    """
    members(value, required=_OPEN_REQUIRED, optional=frozenset(), what="details of open")
    return text_member(value, "customerId", what="details")
