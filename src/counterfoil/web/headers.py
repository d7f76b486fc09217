"""The headers of a request that mean something here, each at most once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from counterfoil.errors import EngineError

# Two of one kind would be read differently by a proxy and by us.
_ONCE: Final = frozenset(
    {
        b"x-api-key",
        b"idempotency-key",
        b"content-type",
        b"content-encoding",
        b"content-length",
        b"transfer-encoding",
    }
)


def read_headers(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Return the headers by their names in lower case, of those that may repeat the last.

    Args:
        scope: of the request (ASGI).

    Raises:
        EngineError: `invalid-field`, where one that must not repeat does.
    """
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in found and name in _ONCE:
            shown = name.decode("ascii").title()
            raise EngineError("invalid-field", f"the header {shown} stands twice", field=shown)
        found[name] = value
    return found


def idempotency_key(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the value of Idempotency-Key, None without one; what it may hold is the engine's to say."""
    value = headers.get(b"idempotency-key")
    # As the bytes stand: what is not ASCII is no key, and refused as one.
    return None if value is None else value.decode("latin-1")
