"""Canonical reading and writing: integers, hex, base64 and JSON.

Text is read strictly: bound it, parse it, write it again, compare.  What does not come back byte for byte is
refused, because two spellings of one value would be two documents with one meaning.  JSON containers are read as
values, since databases and languages respell them; what is hashed is always the canonical form (RFC 8785).

Source: docs/spec/conventions.md.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

import rfc8785

from counterfoil.errors import MalformedError, TooLargeError
from counterfoil.limits import (
    INTEGER_DIGITS_MAX,
    INTEGER_MAX,
    JSON_INTEGER_MAX,
    JSON_NUMBER_CHARACTERS_MAX,
)

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]

_EXCERPT_CHARACTERS: Final = 80
_INTEGER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)


def excerpt(text: object) -> str:
    """Return text as a short literal for a message: escaped, so that no control character reaches a terminal."""
    shown = ascii(text)
    return shown if len(shown) <= _EXCERPT_CHARACTERS else shown[: _EXCERPT_CHARACTERS - 3] + "..."


def decode_integer(text: str) -> int:
    """Read a decimal integer: `0` or no leading zero, at most 2^63-1.

    int() alone also takes " 5", "+5", "1_000", "007" and "٣".

    Raises:
        MalformedError: for every other spelling.
    """
    if len(text) > INTEGER_DIGITS_MAX or not _INTEGER.fullmatch(text):
        raise MalformedError(f"not a decimal integer: {excerpt(text)}")
    value = int(text)
    if value > INTEGER_MAX:
        raise MalformedError(f"integer above 2^63-1: {text}")
    return value


def decode_hex(text: str, size: int | None = None) -> bytes:
    """Read lower-case hex of `size` bytes, or of any size.

    Raises:
        MalformedError: for upper case, odd length, other characters or another size.
    """
    if not _HEX.fullmatch(text):
        raise MalformedError(f"not lower-case hex: {excerpt(text)}")
    if size is not None and len(text) != 2 * size:
        raise MalformedError(f"hex of {len(text) // 2} bytes, want {size}")
    return bytes.fromhex(text)


def decode_base64(text: str, size: int | None = None) -> bytes:
    """Read standard base64 with padding, in its canonical spelling (RFC 4648, sections 3.5 and 4).

    Even the strict decoder takes stray bits in the last character; writing it again shows them.

    Raises:
        MalformedError: for every other spelling, or another number of bytes than `size`.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"not base64: {excerpt(text)}") from error
    if binascii.b2a_base64(data, newline=False).decode("ascii") != text:
        raise MalformedError(f"not canonical base64: {excerpt(text)}")
    if size is not None and len(data) != size:
        raise MalformedError(f"base64 of {len(data)} bytes, want {size}")
    return data


def encode_base64(data: bytes) -> str:
    """Write standard base64 with padding."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decode_utf8(data: bytes, *, what: str) -> str:
    """Read UTF-8 without a byte order mark.

    Raises:
        MalformedError: where the bytes are not UTF-8 or start with U+FEFF.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{what} is not UTF-8") from error
    if text.startswith("\ufeff"):
        raise MalformedError(f"{what} starts with a byte order mark")
    return text


def _refuse_duplicates(members: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    value = dict(members)
    if len(value) != len(members):
        raise MalformedError("a member name stands twice in one JSON object")
    return value


def _read_int(token: str) -> int:
    if len(token) > JSON_NUMBER_CHARACTERS_MAX or abs(value := int(token)) > JSON_INTEGER_MAX:
        raise MalformedError(f"number beyond 2^53-1, send it as a string: {excerpt(token)}")
    return value


def _read_float(token: str) -> float:
    # A double that does not stand for exactly the decimal that was written would be hashed as another number.
    if len(token) > JSON_NUMBER_CHARACTERS_MAX or abs(value := float(token)) > JSON_INTEGER_MAX:
        raise MalformedError(f"number beyond 2^53-1, send it as a string: {excerpt(token)}")
    # A zero is known by its digits: the exponent behind them may be beyond what a Decimal holds.
    mantissa = token.lower().partition("e")[0]
    if Decimal(repr(value)) != Decimal(token) if value else mantissa.strip("-0."):
        raise MalformedError(f"number without an exact double, send it as a string: {excerpt(token)}")
    return value


def _refuse_constant(token: str) -> float:
    raise MalformedError(f"not JSON: {token}")


class NumberToken(str):
    """A number of a JSON text as it was written, where not every number is to be read as a double."""

    __slots__ = ()


def _decoder(
    read_int: Callable[[str], JsonValue], read_float: Callable[[str], JsonValue]
) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_refuse_duplicates,
        parse_int=read_int,
        parse_float=read_float,
        parse_constant=_refuse_constant,
    )


_DECODER: Final = _decoder(_read_int, _read_float)
_TOKEN_DECODER: Final = _decoder(NumberToken, NumberToken)


def exact_numbers(value: JsonValue) -> JsonValue:
    """Return a value in which `NumberToken`s are numbers, under the rules of `read_json`.

    Raises:
        MalformedError: where a number is no exact double of at most 2^53-1, or the value nests too deeply.
    """
    try:
        return _exact(value)
    except RecursionError as error:
        raise MalformedError("nests too deeply") from error


def _exact(value: JsonValue) -> JsonValue:
    if isinstance(value, NumberToken):
        return _read_int(value) if value.lstrip("-").isdigit() else _read_float(value)
    if isinstance(value, dict):
        return {name: _exact(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    return value


def read_json(data: bytes | str, *, bytes_max: int, what: str, number_tokens: bool = False) -> JsonValue:
    """Read one JSON value as I-JSON (RFC 7493): no duplicate members, no lone surrogates, exact numbers.

    White space, member order and escapes may vary; nothing may follow the value.

    Args:
        data: UTF-8 without a byte order mark, or its text.
        bytes_max: the bound of this container.
        what: its name, for messages.
        number_tokens: whether numbers come as `NumberToken`s: an amount is a decimal, not a double.

    Raises:
        TooLargeError: above `bytes_max`.
        MalformedError: for everything that is not I-JSON.
    """
    # A character is at least a byte: text beyond the bound in characters is beyond it in bytes.
    if len(data) > bytes_max:
        raise TooLargeError(f"{what} has over {bytes_max} bytes")
    if isinstance(data, str):
        data = encode_utf8(data, what=what)
        if len(data) > bytes_max:
            raise TooLargeError(f"{what} has over {bytes_max} bytes")
    text = decode_utf8(data, what=what)
    try:
        value: JsonValue = (_TOKEN_DECODER if number_tokens else _DECODER).decode(text)
    except json.JSONDecodeError as error:
        why = error.msg[:1].lower() + error.msg[1:].rstrip(": ")
        raise MalformedError(
            f"{what} is not JSON: {why}, line {error.lineno} column {error.colno}"
        ) from error
    except RecursionError as error:
        raise MalformedError(f"{what} nests too deeply") from error
    # Raw UTF-8 cannot hold a surrogate, an escape can.
    if "\\u" in text:
        _refuse_surrogates(value, what)
    return value


def encode_utf8(text: str, *, what: str) -> bytes:
    """Write UTF-8.

    Raises:
        MalformedError: where the text holds a lone surrogate.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedError(f"{what} holds a lone surrogate") from error


def _refuse_surrogates(value: JsonValue, what: str) -> None:
    waiting: list[JsonValue] = [value]
    while waiting:  # a stack, not recursion: the nesting is the sender's
        item = waiting.pop()
        if isinstance(item, str):
            encode_utf8(item, what=what)
        elif isinstance(item, dict):
            waiting.extend(item.keys())
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


# The standard library's own writer of strings: it escapes what RFC 8785 escapes, and in the same way.
json_string: Final = json.encoder.encode_basestring
_LITERALS: Final[dict[bool | None, str]] = {None: "null", True: "true", False: "false"}


class _NotPlain(Exception):  # noqa: N818  -- no error: a turn to the slow path
    """The value holds what only the library writes."""


def _write_plain(value: JsonValue) -> str:
    """Write a value without floats and without member names outside ASCII.

    For the rest RFC 8785 follows ECMAScript: its spelling of floats, and its order of names by UTF-16.
    """
    if isinstance(value, str):
        return json_string(value)
    if isinstance(value, dict):
        written = []
        for name in sorted(value):
            if not name.isascii():
                raise _NotPlain
            member = value[name]
            written.append(
                f"{json_string(name)}:{json_string(member) if isinstance(member, str) else _write_plain(member)}"
            )
        return "{" + ",".join(written) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_write_plain(item) for item in value]) + "]"
    if value is None or isinstance(value, bool):
        return _LITERALS[value]
    # Exactly an int: a subclass of it, an enumeration say, may write itself otherwise.
    if type(value) is int and -JSON_INTEGER_MAX <= value <= JSON_INTEGER_MAX:
        return str(value)
    raise _NotPlain


def canonical_json(value: JsonValue) -> bytes:
    """Write a value as RFC 8785 (JCS) has it.

    What is plain is written here, ten times as fast; a property test holds it to the library's bytes.

    Raises:
        MalformedError: for what is no I-JSON value: NaN, an integer beyond 2^53-1, a lone surrogate, another type.
    """
    try:
        try:
            return _write_plain(value).encode("utf-8")
        except (_NotPlain, TypeError, AttributeError):  # the latter two: a member name that is no string
            return rfc8785.dumps(value)
    except UnicodeEncodeError as error:
        raise MalformedError("text holds a lone surrogate") from error
    except (rfc8785.CanonicalizationError, ValueError, RecursionError) as error:
        raise MalformedError(f"not an I-JSON value: {error}") from error


def members(
    value: JsonValue, *, required: frozenset[str], optional: frozenset[str], what: str
) -> dict[str, JsonValue]:
    """Return a JSON object that has all required members and no unknown ones.

    Raises:
        MalformedError: where it is no object, or its members are others.
    """
    if not isinstance(value, dict):
        raise MalformedError(f"{what} is not a JSON object")
    if missing := required - value.keys():
        raise MalformedError(f"{what} lacks {', '.join(sorted(missing))}")
    if unknown := value.keys() - required - optional:
        raise MalformedError(f"{what} has an unknown member {excerpt(min(unknown))}")
    return value


def text_member(value: dict[str, JsonValue], name: str, *, what: str) -> str:
    """Return a member that must be a string.

    Raises:
        MalformedError: where it is something else.
    """
    found = value[name]
    if not isinstance(found, str):
        raise MalformedError(f"{name} of {what} is not a string")
    return found
