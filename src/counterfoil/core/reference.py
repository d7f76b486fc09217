r"""Names: operator, tenant, customer reference, origin, record id.

    customerReference = "0x" || hex( HMAC-SHA256( referenceKey,
                            "counterfoil/customer-reference@v1\n" || tenant || "\n" || customerId )[0:20] )
    origin            = operator "/" tenant "/" customerReference
    recordId          = customerReference "." index

The same customerId always yields the same reference; nobody without the operator's reference key can test a guess.

Source: docs/spec/reference.md.
"""

from __future__ import annotations

import hmac
import re
from typing import Final, NamedTuple

from counterfoil.core.encoding import decode_integer, excerpt
from counterfoil.errors import MalformedError
from counterfoil.limits import REFERENCE_KEY_BYTES

REFERENCE_BYTES: Final = 20
OPERATOR_PATTERN: Final = r"[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?"
TENANT_PATTERN: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
REFERENCE_PATTERN: Final = r"0x[0-9a-f]{40}"
ORIGIN_PATTERN: Final = f"{OPERATOR_PATTERN}/{TENANT_PATTERN}/{REFERENCE_PATTERN}"

_OPERATOR: Final = re.compile(OPERATOR_PATTERN, re.ASCII)
_TENANT: Final = re.compile(TENANT_PATTERN, re.ASCII)
_RECORD_ID: Final = re.compile(rf"{REFERENCE_PATTERN}\.[0-9]{{1,19}}", re.ASCII)
_ORIGIN: Final = re.compile(ORIGIN_PATTERN, re.ASCII)
_CUSTOMER_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}", re.ASCII)
# A word of the HTTP API's paths, which a customer would hide behind.
_RESERVED_CUSTOMER_ID: Final = "summary"


class Origin(NamedTuple):
    """The name of one customer's log, in its parts.

    Attributes:
        operator: who signs.
        tenant: an opaque label of the operator's client.
        log: the 20 bytes of the customer reference.
    """

    operator: str
    tenant: str
    log: bytes

    def __str__(self) -> str:
        return f"{self.operator}/{self.tenant}/0x{self.log.hex()}"


def check_operator(text: str) -> str:
    """Return an operator name.

    Raises:
        MalformedError: where it is none.
    """
    return _checked(_OPERATOR, text, "an operator name")


def check_tenant(text: str) -> str:
    """Return a tenant label.

    Raises:
        MalformedError: where it is none.
    """
    return _checked(_TENANT, text, "a tenant")


def check_customer_id(text: str) -> str:
    """Return a customerId.

    Raises:
        MalformedError: where it is none.
    """
    if text == _RESERVED_CUSTOMER_ID:
        raise MalformedError(f"customerId {text} is reserved")
    return _checked(_CUSTOMER_ID, text, "a customerId")


def check_reference_key(reference_key: bytes) -> None:
    """Refuse a reference key that has not 32 bytes.

    Raises:
        MalformedError: where it has not.
    """
    if not isinstance(reference_key, bytes) or len(reference_key) != REFERENCE_KEY_BYTES:
        raise MalformedError(f"a reference key has {REFERENCE_KEY_BYTES} bytes")


def _checked(pattern: re.Pattern[str], text: object, what: str) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise MalformedError(f"not {what}: {excerpt(text)}")
    return text


def customer_reference(reference_key: bytes, tenant: str, customer_id: str) -> bytes:
    """Return the 20 bytes of a customer's reference.

    Raises:
        MalformedError: where the key has not 32 bytes, or the tenant or customerId is none.
    """
    check_reference_key(reference_key)
    message = f"counterfoil/customer-reference@v1\n{check_tenant(tenant)}\n{check_customer_id(customer_id)}"
    return hmac.digest(reference_key, message.encode("ascii"), "sha256")[:REFERENCE_BYTES]


def reference_check(reference_key: bytes) -> bytes:
    r"""Return the 32 bytes by which a store knows its reference key again.

    HMAC-SHA256( referenceKey, "counterfoil/reference-check@v1\n" ): under another reference key every customer would
    open a second log.
    """
    check_reference_key(reference_key)
    return hmac.digest(reference_key, b"counterfoil/reference-check@v1\n", "sha256")


def idempotency_prefix(log: bytes) -> bytes:
    """Return what stands before an idempotency key when it is hashed (see `hash_idempotency_key`)."""
    return f"counterfoil/idempotency-key@v1\n0x{log.hex()}\n".encode("ascii")


def hash_idempotency_key(reference_key: bytes, prefix: bytes, key: str) -> bytes:
    r"""Return the 32 bytes that stand for an idempotency key in an entry.

    HMAC-SHA256( referenceKey, "counterfoil/idempotency-key@v1\n" || customerReference || "\n" || key ): the key may
    hold an order number, which nobody shall guess from an entry.
    """
    return hmac.digest(reference_key, prefix + key.encode("ascii"), "sha256")


def parse_origin(text: str) -> Origin:
    """Read the origin of a customer's log.

    Raises:
        MalformedError: where it has another shape than operator/tenant/0x + 40 hex digits.
    """
    _checked(_ORIGIN, text, "a customer's origin")
    operator, tenant, reference = text.split("/")
    return Origin(operator, tenant, bytes.fromhex(reference[2:]))


def operator_of(origin: str) -> str:
    """Return the operator part of any origin: all before the first slash."""
    return origin.partition("/")[0]


def format_record_id(log: bytes, index: int) -> str:
    """Write a recordId: a delta is its place."""
    return f"0x{log.hex()}.{index}"


def parse_record_id(text: str) -> tuple[bytes, int]:
    """Read a recordId; return the log and the index.

    Raises:
        MalformedError: where it is none.
    """
    _checked(_RECORD_ID, text, "a recordId")
    reference, _, index = text.partition(".")
    return bytes.fromhex(reference[2:]), decode_integer(index)
