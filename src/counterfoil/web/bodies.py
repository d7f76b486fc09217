"""Reading what was sent, with everything bounded before it is looked at.

1. `Content-Type` is `application/json`, in UTF-8, and nothing is compressed: `unsupported-media-type`.
2. The body has at most 1 MiB, by its `Content-Length` and as it comes (`too-large`), within 10 seconds (`request-timeout`).
3. It is one JSON object by the rules of docs/spec/conventions.md#json: no duplicate members, no lone surrogates.
   Numbers stay as they were written, so that an amount is a decimal and never a double.
4. Its members are known ones.  A null is as if it were not there.

Source: docs/api/reference.md.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from counterfoil.core.encoding import JsonValue, NumberToken, excerpt, read_json
from counterfoil.errors import EngineError, MalformedError, TooLargeError
from counterfoil.web.access import admit_again
from counterfoil.web.headers import read_headers
from counterfoil.web.state import Services, services_of

Object = dict[str, JsonValue]

_TYPE: Final = re.compile(rb'application/json(?:\s*;\s*charset="?utf-8"?)?\s*', re.IGNORECASE)
# Of the digits of a Content-Length: more are beyond every bound.
_LENGTH_DIGITS_MAX: Final = 18
# Behind a body that took longer the key is looked at again.
_SLOW_SECONDS: Final = 1.0
# To read less takes under a millisecond; other requests would wait for what takes longer.
_INLINE_BYTES_MAX: Final = 16_384


async def read_object(request: Request, headers: Mapping[bytes, bytes], services: Services) -> Object:
    """Read the body of a request; numbers come as `NumberToken`s.

    Raises:
        EngineError: `unsupported-media-type`, `request-timeout`; `invalid-api-key`, where the key ended meanwhile.
        MalformedError: `malformed`, `too-large`.
    """
    began = services.steady()
    data = await _read_bytes(request, headers, services)
    if services.steady() - began > _SLOW_SECONDS:
        # A body that takes its time must not carry a key over its end.
        await admit_again(request, headers)
    if len(data) > _INLINE_BYTES_MAX:
        return await run_in_threadpool(_parse, data, services.settings.body_bytes_max)
    return _parse(data, services.settings.body_bytes_max)


def check_members(value: Mapping[str, JsonValue], known: Collection[str]) -> None:
    """Refuse members that are not known.

    Raises:
        EngineError: `invalid-field`.
    """
    if unknown := value.keys() - known:
        name = min(unknown)
        raise EngineError("invalid-field", f"there is no member {excerpt(name)}", field=name[:64])


def text_member(value: Mapping[str, JsonValue], name: str) -> str | None:
    """Return a member that is text; None where it is absent or null.

    Raises:
        EngineError: `invalid-field`, where it is something else.
    """
    found = value.get(name)
    # A number is kept as text too, of another type.
    if found is None or type(found) is str:
        return found
    raise EngineError("invalid-field", f"{name} is text", field=name)


def number_member(value: Mapping[str, JsonValue], name: str) -> str | None:
    """Return a member that is a decimal number, as it was written: a JSON number, or a string; None where it is absent.

    Raises:
        EngineError: `invalid-field`, where it is something else.
    """
    found = value.get(name)
    if found is None or isinstance(found, (str, NumberToken)):
        return found
    raise EngineError("invalid-field", f"{name} is a decimal number", field=name)


def required(found: str | None, name: str) -> str:
    """Return a member that must be there.

    Raises:
        EngineError: `invalid-field`, where it is not.
    """
    if found is None:
        raise EngineError("invalid-field", f"{name} is missing", field=name)
    return found


async def _read_bytes(request: Request, headers: Mapping[bytes, bytes], services: Services) -> bytes:
    # Step 1: a kind that is read.
    if not _TYPE.fullmatch(headers.get(b"content-type", b"")):
        raise EngineError(
            "unsupported-media-type", "the body is sent as Content-Type: application/json, in UTF-8"
        )
    if b"content-encoding" in headers or headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
        raise EngineError("unsupported-media-type", "the body is sent as it is, without a coding")
    # Step 2: bounds.
    most = services.settings.body_bytes_max
    length = headers.get(b"content-length", b"0")
    if len(length) > _LENGTH_DIGITS_MAX or not length.isdigit() or int(length) > most:
        raise _too_large(most)
    try:
        async with asyncio.timeout(services.settings.body_seconds_max):
            return await _gather(request, most)
    except TimeoutError as error:
        raise EngineError("request-timeout", "the body did not arrive in time") from error


async def _gather(request: Request, most: int) -> bytes:
    message = await request.receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        # Nearly all bodies come in one piece.
        data: bytes = message.get("body", b"")
        if len(data) > most:
            raise _too_large(most)
        return data
    pieces = bytearray()
    while message["type"] == "http.request":
        pieces += message.get("body", b"")
        if len(pieces) > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            return bytes(pieces)
        message = await request.receive()
    raise ClientDisconnect


def _too_large(most: int) -> TooLargeError:
    return TooLargeError(f"the body has over {most} bytes")


def _parse(data: bytes, most: int) -> Object:
    # Step 3: one JSON object.
    value = read_json(data, bytes_max=most, what="the body", number_tokens=True)
    if not isinstance(value, dict):
        raise MalformedError("the body is not a JSON object")
    return value


async def _body(request: Request) -> Object:
    return await read_object(request, read_headers(request.scope), services_of(request))


Body = Annotated[Object, Depends(_body)]
"""What a route declares to get its body; it checks the members itself (step 4)."""
