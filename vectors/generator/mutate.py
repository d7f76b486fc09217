"""Mutations that several formats share: the ways in which numbers, hashes and base64 must not be written."""

from __future__ import annotations

from collections.abc import Callable

from generator.tree import sha256

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

STRAY = sha256(b"a hash that belongs nowhere")

# Integers as they must not be written, tried in every place where an integer stands; `{}` is a good one.
BAD_INTEGERS = [
    ("empty", "nothing", ""),
    ("leading-zero", "a leading zero", "0{}"),
    ("plus", "a plus sign", "+{}"),
    ("minus", "a minus sign", "-{}"),
    ("space-first", "a space before it", " {}"),
    ("newline-end", "a newline behind it", "{}\n"),
    ("underscore", "an underscore inside", "1_0"),
    ("point", "a decimal point", "{}.0"),
    ("exponent", "an exponent", "1e1"),
    ("hexadecimal", "hexadecimal", "0x{}"),
    ("full-width", "full-width digits", "\uff15"),
    ("two-to-63", "2^63", str(2**63)),
    ("twenty-digits", "20 digits", "10000000000000000000"),
]

# 32 bytes in hex as they must not be written, made from good ones.
BAD_HASHES: list[tuple[str, str, Callable[[str], str]]] = [
    ("no-digits", "no digits", lambda _: ""),
    ("31-bytes", "31 bytes", lambda good: good[:-2]),
    ("33-bytes", "33 bytes", lambda good: good + "00"),
    ("odd", "63 digits", lambda good: good[:-1]),
    ("upper", "upper-case hex", str.upper),
    ("not-hex", "a character that is no hex digit", lambda good: "g" + good[1:]),
    ("prefix", "0x at the beginning", lambda good: "0x" + good[2:]),
    ("space", "a space between the bytes", lambda good: good[:2] + " " + good[3:]),
    ("newline", "a newline behind the digits", lambda good: good + "\n"),
    ("full-width", "a full-width digit", lambda good: "\uff15" + good[1:]),
]


def flip(data: bytes, position: int = -1) -> bytes:
    """Return the bytes with the lowest bit of one of them changed, of the last if no other is named."""
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def stray_bit(encoded: str) -> str:
    """Return base64 with the lowest unused bit of its last character set: the same bytes in another spelling."""
    body = encoded.rstrip("=")
    if body == encoded:
        raise ValueError("base64 without padding has no unused bits")
    return body[:-1] + _ALPHABET[_ALPHABET.index(body[-1]) + 1] + "=" * (len(encoded) - len(body))
