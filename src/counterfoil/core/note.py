"""Signed notes and verifier keys (C2SP signed-note).

    example.com/log                       text: ends in a newline
    4
    GZ7GHK1l3cof8clQDN69nRsUNSKW3zP0WM4Mt85pO7U=

    — example.com/log sZ/TIXy3...         signature lines: em dash, name, base64( key id || signature )

A name and a 4-byte key id say which key a line claims; the id is a hint, not a commitment.  Lines of unknown keys
are ignored, a line of a known key must verify.

Source: docs/spec/note.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from counterfoil.core.ed25519 import PUBLIC_KEY_BYTES, check_public_key, verify_signature
from counterfoil.core.encoding import (
    decode_base64,
    decode_hex,
    decode_utf8,
    encode_base64,
    encode_utf8,
    excerpt,
)
from counterfoil.errors import MalformedError, TooLargeError, VerificationError
from counterfoil.limits import (
    NOTE_BYTES_MAX,
    SIGNATURE_BYTES_MAX,
    SIGNATURE_LINES_MAX,
    VERIFIER_KEY_CHARACTERS_MAX,
)

ED25519_TYPE: Final = b"\x01"
KEY_ID_BYTES: Final = 4
# Of what a refusal says of signature lines: those of three logs with the longest names.
_CLAIMS_CHARACTERS_MAX: Final = 1_024
_NOT_IN_A_NAME: Final = re.compile(r"[\s+]")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


class Signer(Protocol):
    """What signs: an Ed25519 key in memory, or later one in an HSM."""

    @property
    def public_key(self) -> bytes:
        """The 32-byte public key."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of a message.

        Raises:
            EngineError: where it cannot; nothing else.
        """


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """An Ed25519 public key under a name.

    Attributes:
        name: whose key it is: an operator, or the origin of one log.
        key_id: 4 bytes, SHA-256( name || 0x0A || 0x01 || public key )[0:4].
        public_key: 32 bytes.
    """

    name: str
    key_id: bytes
    public_key: bytes

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(ED25519_TYPE + self.public_key)}"


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature line: the name and key id that it claims, and the bytes behind them."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note that was read, not verified.

    Attributes:
        text: what is signed, with its final newline.
        signatures: the lines, in order.
    """

    text: str
    signatures: tuple[SignatureLine, ...]


def check_key_name(name: str) -> None:
    """Refuse a name that cannot stand in a signature line.

    Raises:
        MalformedError: where it is empty or holds white space, `+` or a lone surrogate.
    """
    if not name or _NOT_IN_A_NAME.search(name):
        raise MalformedError(f"not a key name: {excerpt(name)}")
    encode_utf8(name, what="key name")


def verifier_key(name: str, public_key: bytes) -> VerifierKey:
    """Make the verifier key of a public key under a name.

    Raises:
        MalformedError: where the name or the key is none.
    """
    check_key_name(name)
    check_public_key(public_key)
    return VerifierKey(name, key_id(name, public_key), public_key)


def key_id(name: str, public_key: bytes) -> bytes:
    """Return SHA-256( name || 0x0A || 0x01 || public key )[0:4]."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519_TYPE + public_key).digest()[:KEY_ID_BYTES]


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a verifier key `name+hex8+base64(0x01 || public key)`; the id is computed again and compared.

    Raises:
        TooLargeError: beyond `VERIFIER_KEY_CHARACTERS_MAX`.
        MalformedError: for everything that is no Ed25519 verifier key.
    """
    if len(text) > VERIFIER_KEY_CHARACTERS_MAX:
        raise TooLargeError(f"verifier key has over {VERIFIER_KEY_CHARACTERS_MAX} characters")
    # The name holds no "+", the base64 may.
    parts = text.split("+", 2)
    if len(parts) != 3:  # noqa: PLR2004  -- the three parts of the format
        raise MalformedError(f"not a verifier key: {excerpt(text)}")
    name, identifier, encoded = parts
    claimed = decode_hex(identifier, KEY_ID_BYTES)
    typed = decode_base64(encoded, 1 + PUBLIC_KEY_BYTES)
    if typed[:1] != ED25519_TYPE:
        raise MalformedError(f"verifier key of type 0x{typed[:1].hex()}, want Ed25519 (0x01)")
    key = verifier_key(name, typed[1:])
    if key.key_id != claimed:
        raise MalformedError("the id of the verifier key is not that of its name and public key")
    return key


def parse_note(data: bytes | str) -> Note:
    """Read a note strictly.  Nothing is verified.

    Raises:
        TooLargeError: beyond `NOTE_BYTES_MAX`.
        MalformedError: where it is no note.
    """
    if isinstance(data, str):
        data = encode_utf8(data, what="note")
    if len(data) > NOTE_BYTES_MAX:
        raise TooLargeError(f"note has over {NOTE_BYTES_MAX} bytes")
    text = decode_utf8(data, what="note")
    if _CONTROL.search(text):
        raise MalformedError("note holds a control character other than the newline")
    body, separator, lines = text.rpartition("\n\n")
    if not separator or not body:
        raise MalformedError("note has no blank line before its signatures")
    if not lines.endswith("\n"):
        raise MalformedError("note does not end in a newline")
    rows = lines[:-1].split("\n")
    if len(rows) > SIGNATURE_LINES_MAX:
        raise MalformedError(f"note has over {SIGNATURE_LINES_MAX} signature lines")
    signatures = tuple(_parse_signature_line(row) for row in rows)
    if len({(line.name, line.key_id) for line in signatures}) != len(signatures):
        raise MalformedError("note has two signature lines of one name and key id")
    return Note(body + "\n", signatures)


def _parse_signature_line(row: str) -> SignatureLine:
    parts = row.split(" ")
    if len(parts) != 3 or parts[0] != "—":  # noqa: PLR2004  -- dash, name, signature
        raise MalformedError(f"not a signature line: {excerpt(row)}")
    check_key_name(parts[1])
    blob = decode_base64(parts[2])
    if not KEY_ID_BYTES < len(blob) <= KEY_ID_BYTES + SIGNATURE_BYTES_MAX:
        raise MalformedError(f"signature line of {len(blob)} bytes")
    return SignatureLine(parts[1], blob[:KEY_ID_BYTES], blob[KEY_ID_BYTES:])


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Verify every line of a known key; return those keys, in the order of the lines.

    Raises:
        MalformedError: where two of the keys differ and bear one name and id.
        VerificationError: `unknown-key` where no line is a known key's, `bad-signature` where one does not verify.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for given in keys:
        # The id is 4 bytes: two keys can be made to share it, and then a line would not say which is meant.
        if known.setdefault((given.name, given.key_id), given) != given:
            raise MalformedError(f"two keys of one name and id: {given.name}+{given.key_id.hex()}")
    claimed = [
        (key, line.signature)
        for line in note.signatures
        if (key := known.get((line.name, line.key_id))) is not None
    ]
    if not claimed:
        raise VerificationError(
            "unknown-key",
            "no signature line is of a given key",
            lines=_claims(note.signatures),
        )
    message = note.text.encode("utf-8")
    for key, signature in claimed:
        verify_signature(key.public_key, message, signature)
    return tuple(key for key, _ in claimed)


def _claims(lines: Sequence[SignatureLine]) -> str:
    """Say which keys lines claim; of names that are as long as a note may be, the beginning."""
    text = ", ".join(f"{line.name}+{line.key_id.hex()}" for line in lines)
    return text if len(text) <= _CLAIMS_CHARACTERS_MAX else f"{text[:_CLAIMS_CHARACTERS_MAX]}..."


def sign_note(text: str, name: str, signer: Signer) -> str:
    """Sign a text under a name; return the whole note."""
    return format_note(Note(text, (signature_line(text, name, signer),)))


def signature_line(text: str, name: str, signer: Signer) -> SignatureLine:
    """Sign a text under a name; return the line alone."""
    return SignatureLine(name, key_id(name, signer.public_key), signer.sign(text.encode("utf-8")))


def format_note(note: Note) -> str:
    """Write a note."""
    return f"{note.text}\n{format_signatures(note.signatures)}"


def format_signatures(lines: Sequence[SignatureLine]) -> str:
    """Write signature lines."""
    return "".join(f"— {line.name} {encode_base64(line.key_id + line.signature)}\n" for line in lines)
