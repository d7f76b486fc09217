"""Refusals over HTTP: RFC 9457 problem details, and in the same document the envelope that PacSpace's clients read.

    HTTP/1.1 400 Bad Request
    Content-Type: application/problem+json

    {"type": "urn:counterfoil:error:amount-out-of-range", "title": "...", "status": 400, "detail": "...",
     "code": "amount-out-of-range", "field": "delta",
     "success": false, "error": {"code": "VALIDATION_ERROR", "message": "..."}}

Every code of `counterfoil.errors.CODES` has its place here.

Source: docs/api/errors.md, docs/spec/errors.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from counterfoil import __version__
from counterfoil.errors import CODES, CounterfoilError, EngineError, defect_of

MEDIA_TYPE: Final = "application/problem+json"

# After so many seconds the same request may pass: what passes by itself, and what somebody has to look at.
_SOON: Final = 1
_LATER: Final = 30
# Facts of a refusal that a client can use.  Others are for whoever runs the server.
_TOLD: Final = ("field", "recordId")


class Kind(NamedTuple):
    """What a code is over HTTP.

    Attributes:
        status: of the answer.
        name: the code as PacSpace names it.
        title: what it means, the same for every occurrence.
        retry_after_seconds: when the same request may pass; None where it never will.
    """

    status: int
    name: str
    title: str
    retry_after_seconds: int | None = None


_VALIDATION: Final = "VALIDATION_ERROR"
_UNAVAILABLE: Final = "SERVICE_UNAVAILABLE"
_INTERNAL: Final = "INTERNAL_ERROR"
# What the stored bytes claim does not hold: nobody who asks is at fault.
_UNPROVEN: Final = Kind(500, "VERIFICATION_FAILED", "What is stored does not verify")
_STATE: Final = Kind(
    503, _UNAVAILABLE, "The server cannot answer until its operator has looked at it", _LATER
)

KINDS: Final[dict[str, Kind]] = {
    "too-large": Kind(413, "PAYLOAD_TOO_LARGE", "A bound is passed"),
    "malformed": Kind(400, _VALIDATION, "What was sent does not keep to its format"),
    **dict.fromkeys(
        (
            "unknown-type", "unknown-key", "bad-signature", "wrong-origin", "index-mismatch", "root-mismatch",
            "inconsistent", "details-mismatch", "time-order", "totals-mismatch", "duplicate-key", "missing-seal", "fork",
            "nothing-checked", "incomplete-period",
        ),
        _UNPROVEN,
    ),
    "not-found": Kind(404, "NOT_FOUND", "There is no such thing"),
    "method-not-allowed": Kind(405, "METHOD_NOT_ALLOWED", "The path is there, for another method"),
    "invalid-api-key": Kind(401, "INVALID_API_KEY", "No API key, or one that opens nothing"),
    "rate-limited": Kind(429, "RATE_LIMITED", "The key asks too often", _SOON),
    "insufficient-scope": Kind(403, "INSUFFICIENT_SCOPE", "The API key does not open this"),
    "unsupported-media-type": Kind(415, "UNSUPPORTED_MEDIA_TYPE", "The body is of a kind that is not read"),
    "request-timeout": Kind(408, "REQUEST_TIMEOUT", "The body did not arrive in time", _SOON),
    "invalid-field": Kind(400, _VALIDATION, "A field breaks its rule"),
    "amount-out-of-range": Kind(400, _VALIDATION, "An amount is zero, or has too many digits"),
    "invalid-scope-combination": Kind(
        400, "INVALID_SCOPE_COMBINATION", "Parameters that exclude each other"
    ),
    "scope-too-wide": Kind(400, "SCOPE_TOO_WIDE", "The period is longer than the limit"),
    "customer-not-found": Kind(404, "CUSTOMER_NOT_FOUND", "There is no such customer"),
    "record-not-found": Kind(404, "NOT_FOUND", "There is no such record or checkpoint"),
    "idempotency-conflict": Kind(409, "IDEMPOTENCY_CONFLICT", "The idempotency key stands for another request"),
    "not-yet-checkpointed": Kind(409, "NOT_YET_VERIFIED", "No checkpoint covers it yet", _SOON),
    "rows-refused": Kind(400, _VALIDATION, "Some rows were refused"),
    "clock-regressed": _STATE,
    "log-corrupt": _STATE,
    "fork-refused": _STATE,
    "key-mismatch": _STATE,
    "unsafe-settings": _STATE,
    "store-unavailable": Kind(
        503, _UNAVAILABLE, "The server is busy or cannot reach its store; nothing was recorded", _SOON
    ),
    "commit-outcome-unknown": Kind(
        503, _UNAVAILABLE, "It may be recorded or not: send it again with the same Idempotency-Key", _SOON
    ),
    "out-of-space": Kind(507, "INSUFFICIENT_STORAGE", "No room to write; nothing was recorded", _LATER),
    "io-error": Kind(503, _UNAVAILABLE, "A file of the server could not be read or written", _LATER),
    "usage": Kind(500, _INTERNAL, "The server is set up wrongly"),
    "internal": Kind(500, _INTERNAL, "A defect in the server; its log says more under the X-Request-Id of this answer"),
}  # fmt: skip

# From here on the words are for whoever runs the server: they may name files, hosts and databases.
_OURS_ALONE: Final = frozenset(list(CODES)[list(CODES).index("clock-regressed") :])

# code -> status, of what the framework refuses by itself.
_OF_STATUS: Final = {
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
}

# What pydantic calls it -> how we say it.
_WORDS: Final = {
    "missing": "is missing",
    "int_parsing": "is no integer",
    "int_from_float": "is no integer",
    "bool_parsing": "is neither true nor false",
    "greater_than_equal": "is at least {ge}",
    "less_than_equal": "is at most {le}",
    "literal_error": "is one of {expected}",
}


def problem(error: CounterfoilError, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer that a refusal is.

    Args:
        error: the refusal; its fact `retryAfterSeconds` comes before what its code says.
        headers: more of them.
    """
    kind, detail = KINDS[error.code], detail_of(error)
    document: dict[str, object] = {
        "type": f"urn:counterfoil:error:{error.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": error.code,
        **{name: error.facts[name] for name in _TOLD if name in error.facts},
        "success": False,
    }
    envelope: dict[str, object] = {"code": kind.name, "message": detail}
    more = dict(headers or {})
    retry = error.facts.get("retryAfterSeconds") or kind.retry_after_seconds
    if retry is not None:
        envelope["retryAfterSeconds"] = int(retry)
        more["Retry-After"] = str(retry)
    if kind.status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}:
        # What is left of the body is not waited for.
        more["Connection"] = "close"
    document["error"] = envelope
    # In ASCII: a field may be called as somebody likes who wants it to do something in a terminal.
    return Response(json.dumps(document, separators=(",", ":")), kind.status, more, media_type=MEDIA_TYPE)


def detail_of(error: CounterfoilError) -> str:
    """Return what a client is told of a refusal, in words."""
    return KINDS[error.code].title if error.code in _OURS_ALONE else error.message


async def answer_refusal(request: Request, error: Exception) -> Response:
    """Answer with what the engine, or a route, refused."""
    assert isinstance(error, CounterfoilError)  # noqa: S101  -- registered for it
    # For the log: an answer does not tell all.
    request.scope["counterfoil.refusal"] = error
    return problem(error)


async def answer_status(request: Request, error: Exception) -> Response:
    """Answer with what the framework refused: no such path, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101  -- registered for it
    code = _OF_STATUS.get(error.status_code, "malformed")
    refusal = EngineError(code, KINDS[code].title)
    request.scope["counterfoil.refusal"] = refusal
    if code != "method-not-allowed":
        return problem(refusal)
    # The framework names the methods of one route; others may have the same path.
    methods: Mapping[str, frozenset[str]] = request.app.methods
    allowed = methods.get(request.scope["route"].path, frozenset({"GET"}))
    named = sorted(allowed | {"HEAD"} if "GET" in allowed else allowed)
    return problem(refusal, headers={"Allow": ", ".join(named)})


async def answer_invalid(request: Request, error: Exception) -> Response:
    """Answer with the first parameter that does not keep to its type."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  -- registered for it
    first = error.errors()[0]
    field = str(first["loc"][-1])
    words = _WORDS.get(first["type"], "breaks its rule").format(**first.get("ctx", {}))
    return await answer_refusal(request, EngineError("invalid-field", f"{field} {words}", field=field))


async def answer_defect(request: Request, error: Exception) -> Response:
    """Answer with a reference to what nobody expected, and nothing of its words."""
    return await answer_refusal(request, defect_of(error, __version__))
