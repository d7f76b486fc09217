"""Answers: `{"success": true, "data": ...}`, with amounts as exact JSON numbers.

A client that reads numbers as decimals gets amounts to the last digit; one that reads doubles gets the nearest.

Source: docs/api/reference.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson
from starlette.responses import Response

from counterfoil.core.amount import format_nano

REPLAYED: Final = {"Idempotency-Replayed": "true"}
_JSON: Final = "application/json"


def answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer.

    Args:
        data: of dicts, lists, text, integers, booleans, None, and what `amount` and `embedded` return; no floats.
        status: of the answer.
        headers: more of them.
    """
    return Response(b'{"success":true,"data":' + orjson.dumps(data) + b"}", status, headers, media_type=_JSON)


def amount(nano: int) -> orjson.Fragment:
    """Return an amount or a balance, in nano (10^-9), as a JSON number."""
    return orjson.Fragment(format_nano(nano))


def embedded(data: bytes) -> orjson.Fragment:
    """Return stored bytes that are JSON, an entry say, to stand in an answer as they are."""
    return orjson.Fragment(data)
