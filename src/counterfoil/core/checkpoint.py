"""Checkpoints: a signed note that says how large a log is and what its root is (C2SP tlog-checkpoint).

    ledger.example.com/acme/0xdc4dfc3208759067a112d73bb53467d9375dc42e     origin
    4                                                                      size
    GZ7GHK1l3cof8clQDN69nRsUNSKW3zP0WM4Mt85pO7U=                           root hash

    — ledger.example.com/acme/0xdc4d... sZ/TIXy3...

Exactly three lines, no extension lines: those are not covered by every kind of cosignature.  One operator key signs
all logs, each under its origin as key name.

Source: docs/spec/checkpoint.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from counterfoil.core.encoding import decode_base64, decode_integer, encode_base64, excerpt
from counterfoil.core.merkle import EMPTY_ROOT, HASH_BYTES
from counterfoil.core.note import (
    Note,
    SignatureLine,
    Signer,
    VerifierKey,
    format_note,
    key_id,
    parse_note,
    parse_verifier_key,
    signature_line,
    verify_note,
)
from counterfoil.core.reference import operator_of
from counterfoil.errors import MalformedError
from counterfoil.limits import ORIGIN_CHARACTERS_MAX

_ORIGIN: Final = re.compile(rf"[\x21-\x2a\x2c-\x7e]{{1,{ORIGIN_CHARACTERS_MAX}}}", re.ASCII)
_LINES: Final = 3
_BLANKS: Final = " \t\r"
# Hashes of verified checkpoints that a KeySet keeps, some 100 bytes each: those of the logs that one worker serves.
_REMEMBERED_MAX: Final = 262_144


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says, read and not verified.

    Attributes:
        origin: the name of the log.
        size: leaves of its tree.
        root: 32 bytes.
        note: the whole note, byte for byte.
        signatures: its signature lines.
    """

    origin: str
    size: int
    root: bytes
    note: str
    signatures: tuple[SignatureLine, ...]

    @property
    def text(self) -> str:
        """The text that is signed."""
        return format_body(self.origin, self.size, self.root)


def format_body(origin: str, size: int, root: bytes) -> str:
    """Write the text of a checkpoint, which is what is signed."""
    return f"{origin}\n{size}\n{encode_base64(root)}\n"


def sign_checkpoint(origin: str, size: int, root: bytes, signer: Signer) -> Checkpoint:
    """Sign a size and a root under an origin."""
    text = format_body(origin, size, root)
    line = signature_line(text, origin, signer)
    return Checkpoint(origin, size, root, format_note(Note(text, (line,))), (line,))


def parse_checkpoint(data: bytes | str) -> Checkpoint:
    """Read a checkpoint strictly.  Nothing is verified.

    Raises:
        TooLargeError: beyond the bound of a note.
        MalformedError: where it is no note, or its text not the three lines of a checkpoint.
    """
    note = parse_note(data)
    lines = note.text[:-1].split("\n")
    if len(lines) != _LINES:
        raise MalformedError(f"checkpoint has {len(lines)} lines, want {_LINES}")
    origin, size_text, root_text = lines
    if not _ORIGIN.fullmatch(origin):
        raise MalformedError(f"not an origin: {excerpt(origin)}")
    size = decode_integer(size_text)
    root = decode_base64(root_text, HASH_BYTES)
    if not size and root != EMPTY_ROOT:
        raise MalformedError("checkpoint of size 0 with another root than that of the empty tree")
    return Checkpoint(origin, size, root, format_note(note), note.signatures)


class KeySet:
    """The verifier keys that somebody trusts.  They come from the caller, never from what is verified.

    A key under an operator's name speaks for all of that operator's logs, a key under an origin for that log.
    Checkpoints that verified are remembered by their hash, since many receipts stand under one.
    """

    __slots__ = ("_keys", "_verified")

    def __init__(self, keys: Iterable[VerifierKey]) -> None:
        self._keys = tuple(keys)
        self._verified: set[bytes] = set()

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The keys."""
        return self._keys

    @classmethod
    def parse(cls, *texts: str) -> KeySet:
        """Read verifier keys, as text or as the text of files that hold one a line; lines with `#` are remarks.

        Raises:
            MalformedError: where one is none.
        """
        return cls(parse_verifier_key(line) for text in texts for line in key_lines(text))

    def keys_of(self, origin: str) -> list[VerifierKey]:
        """Return the keys that speak for a log, under its origin as name."""
        names = (operator_of(origin), origin)
        return [
            VerifierKey(origin, key_id(origin, key.public_key), key.public_key)
            for key in self.keys
            if key.name in names
        ]

    def verify(self, checkpoint: Checkpoint) -> None:
        """Verify that a checkpoint is signed by one of these keys, under its origin as name.

        Raises:
            VerificationError: `unknown-key` where no key speaks for the origin or no line is such a key's,
                `bad-signature` where a line of such a key does not verify.
        """
        note = Note(checkpoint.text, checkpoint.signatures)
        digest = hashlib.sha256(format_note(note).encode("utf-8")).digest()
        if digest in self._verified:
            return
        verify_note(Note(checkpoint.text, checkpoint.signatures), self.keys_of(checkpoint.origin))
        if len(self._verified) >= _REMEMBERED_MAX:
            self._verified.clear()
        self._verified.add(digest)

    def verified_part(self, checkpoint: Checkpoint) -> Checkpoint:
        """Verify a checkpoint; return it with the lines that were verified, and no others.

        Whoever carries a note can add lines of any name to it, up to its bound.  What is kept of many is kept without.

        Raises:
            VerificationError: as `verify`.
        """
        self.verify(checkpoint)
        if len(checkpoint.signatures) == 1:
            return checkpoint
        known = {(key.name, key.key_id) for key in self.keys_of(checkpoint.origin)}
        lines = tuple(line for line in checkpoint.signatures if (line.name, line.key_id) in known)
        return replace(checkpoint, note=format_note(Note(checkpoint.text, lines)), signatures=lines)


def key_lines(text: str) -> list[str]:
    """Return the lines of a file of keys, without remarks.

    Nothing but a newline ends a line: what some programs show as a line break must not end a remark.
    """
    lines = [line.strip(_BLANKS) for line in text.split("\n")]
    return [line for line in lines if line and not line.startswith("#")]
