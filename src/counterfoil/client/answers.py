"""Reading what a server answers: exact numbers, bounded, and refusals as this package's own errors.

An answer is a claim.  It is read strictly (I-JSON, no duplicate members), and no number passes through a float:

- a number under one of the names in `AMOUNTS` is a `Decimal`, always, with exactly the digits that were sent;
- any other number without a point and without an exponent is an `int`: a count, a page, a size;
- any other number is a `Decimal`.

A refusal is an RFC 9457 problem document.  Its code is ours where the document names one of ours, else that of its
HTTP status.  Words that a server sends are shown bounded and without control characters.

Source: docs/api/client.md, docs/spec/errors.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Final

from counterfoil.core.encoding import JsonValue, NumberToken, read_json
from counterfoil.errors import CODES, CounterfoilError, EngineError, MalformedError
from counterfoil.limits import JSON_NUMBER_CHARACTERS_MAX, TOTAL_INTEGER_DIGITS_MAX

Answer = dict[str, "AnswerValue"]
AnswerValue = None | bool | int | Decimal | str | list["AnswerValue"] | Answer
"""A JSON value whose numbers are exact."""

AMOUNTS: Final = frozenset({
    "balance", "closingBalance", "computedBalance", "credits", "cumulativeBalance", "debits", "delta", "endingBalance",
    "finalBalance", "netChange", "neutralBalance", "openingBalance", "recordedAmountThisPeriod", "startingBalance",
    "theirBalance", "theirDifference", "yourBalance", "yourDifference",
})  # fmt: skip
"""Names of members that are amounts or totals: a `Decimal` also where it is whole."""

# The smallest power of ten of a double is 324: metadata may hold one.  Digits before the point: those of a total.
_EXPONENT_MIN: Final = -400
_EXPONENT: Final = re.compile(r"[+-]?[0-9]{1,3}", re.ASCII)
_WHOLE: Final = re.compile(r"-?[0-9]+", re.ASCII)

# Codes of PacSpace's API for what bears another name here; all others differ by spelling alone.
_FOREIGN: Final = {
    "validation-error": "invalid-field",
    "service-unavailable": "store-unavailable",
    "internal-error": "internal",
    "not-yet-verified": "not-yet-checkpointed",
    "payload-too-large": "too-large",
}
# What a refusal without a readable code is.
_OF_STATUS: Final = {
    400: "invalid-field",
    401: "invalid-api-key",
    403: "insufficient-scope",
    404: "not-found",
    405: "method-not-allowed",
    408: "request-timeout",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid-field",
    429: "rate-limited",
}
SERVER_ERRORS: Final = 500

_WORDS_CHARACTERS_MAX: Final = 300
_FACTS_MAX: Final = 16
_FACT_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}", re.ASCII)
# Members of a problem that are said otherwise, and the names of the parameters of an error.
_NO_FACTS: Final = frozenset({"type", "title", "status", "detail", "code", "success", "message", "self"})


def read_answer(body: bytes, *, bytes_max: int) -> Answer:
    """Read an answer; return what its envelope `{"success": true, "data": {...}}` holds.

    Raises:
        TooLargeError: beyond `bytes_max`.
        MalformedError: where it is no such JSON, or a number in it is none that an API of exact decimals writes.
    """
    value = _value(body, bytes_max=bytes_max)
    if not isinstance(value, dict) or value.get("success") is not True:
        raise MalformedError("the answer is not a success with data")
    data = value.get("data")
    if not isinstance(data, dict):
        raise MalformedError("the data of the answer is not a JSON object")
    return data


def _value(body: bytes, *, bytes_max: int) -> AnswerValue:
    try:
        return _exact(read_json(body, bytes_max=bytes_max, what="answer", number_tokens=True), "")
    except RecursionError as error:
        raise MalformedError("answer nests too deeply") from error


def _exact(value: JsonValue, name: str) -> AnswerValue:
    if isinstance(value, NumberToken):
        return _number(value, name)
    if isinstance(value, dict):
        return {member: _exact(item, member) for member, item in value.items()}
    if isinstance(value, list):
        return [_exact(item, name) for item in value]
    if isinstance(value, float):  # never: numbers come as tokens
        raise MalformedError("answer holds a number that was rounded")
    return value


def _number(token: str, name: str) -> int | Decimal:
    # Bounded before it is converted, and its exponent before anybody writes it out: 1e999999999 has 11 characters.
    if len(token) > JSON_NUMBER_CHARACTERS_MAX:
        raise MalformedError(f"answer holds a number of {len(token)} characters")
    if name not in AMOUNTS and _WHOLE.fullmatch(token):
        return int(token)
    mantissa, _, exponent = token.lower().partition("e")
    if exponent and not (_EXPONENT.fullmatch(exponent) and int(exponent) >= _EXPONENT_MIN):
        raise MalformedError(f"answer holds a number with the exponent {exponent}")
    value = Decimal(f"{mantissa}e{exponent}" if exponent else mantissa)
    if value.adjusted() >= TOTAL_INTEGER_DIGITS_MAX:
        raise MalformedError(f"answer holds a number with over {TOTAL_INTEGER_DIGITS_MAX} digits")
    return value


def read_refusal(status: int, body: bytes, *, bytes_max: int) -> tuple[EngineError, bool]:
    """Read what a server refuses with.

    Returns:
        the error, and whether a problem document said so: without one, whatever stands before the server may have
        answered in its place.
    """
    try:
        value = _value(body, bytes_max=bytes_max)
    except CounterfoilError:
        value = None
    problem = value if isinstance(value, dict) else {}
    nested = problem.get("error")
    error = nested if isinstance(nested, dict) else {}
    code = _code(problem.get("code")) or _code(error.get("code"))
    detail = next(
        (text for text in (problem.get("detail"), error.get("message"), problem.get("title")) if text), ""
    )
    message = shown(detail) if isinstance(detail, str) and detail else f"the server answers {status}"
    facts: dict[str, object] = {
        name: shown(str(member))
        for name, member in list({**error, **problem}.items())[:_FACTS_MAX]
        if name not in _NO_FACTS and _FACT_NAME.fullmatch(name) and isinstance(member, (str, int, Decimal))
    }
    facts |= {"status": status}
    return EngineError(code or _code_of_status(status), message, **facts), code is not None


def _code(name: AnswerValue) -> str | None:
    """Return the listed code that a name of a problem document stands for."""
    if not isinstance(name, str):
        return None
    spelled = name.lower().replace("_", "-")
    code = _FOREIGN.get(spelled, spelled)
    return code if code in CODES else None


def _code_of_status(status: int) -> str:
    if status >= SERVER_ERRORS:
        return "store-unavailable"
    return _OF_STATUS.get(status, "malformed")


def shown(text: str) -> str:
    """Return a server's words for a message: bounded, and with nothing that moves a cursor or turns a line round."""
    kept = text[:_WORDS_CHARACTERS_MAX]
    return "".join(character if character.isprintable() else "?" for character in kept)


@contextmanager
def bearing_key(key: str | None) -> Iterator[None]:
    """Have every refusal of a write bear the key under which it can be sent again."""
    try:
        yield
    except CounterfoilError as error:
        if key is not None:
            error.facts["idempotencyKey"] = key
        raise
