"""Keys and signed notes by C2SP signed-note, with PyNaCl."""

from __future__ import annotations

import base64
from typing import NamedTuple

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from generator.tree import sha256

ED25519 = b"\x01"


def b64(data: bytes) -> str:
    """Write standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def key_id(name: str, public_key: bytes, kind: bytes = ED25519) -> bytes:
    """Return SHA-256(name || 0x0A || type || public key)[0:4]."""
    return sha256(name.encode() + b"\n" + kind + public_key)[:4]


def vkey(name: str, public_key: bytes, kind: bytes = ED25519) -> str:
    """Write the verifier key `name+id+base64(type || public key)`."""
    return f"{name}+{key_id(name, public_key, kind).hex()}+{b64(kind + public_key)}"


class Key(NamedTuple):
    """An Ed25519 key pair, made from a text so that anybody can make it again."""

    public: bytes
    secret: bytes

    def sign(self, text: str) -> bytes:
        """Return the 64-byte signature of a text's UTF-8."""
        return crypto_sign(text.encode(), self.secret)[:64]

    def vkey(self, name: str) -> str:
        """Write the verifier key of this key under a name."""
        return vkey(name, self.public)

    def line(self, name: str, text: str) -> str:
        """Write the signature line of this key, under a name, over a text."""
        return signature_line(name, key_id(name, self.public), self.sign(text))


def key(seed_text: str) -> Key:
    """Make the key whose seed is SHA-256(seed_text)."""
    return Key(*crypto_sign_seed_keypair(sha256(seed_text.encode())))


def signature_line(name: str, identifier: bytes, signature: bytes) -> str:
    """Write a signature line: em dash, space, name, space, base64(id || signature), newline."""
    return f"\u2014 {name} {b64(identifier + signature)}\n"


def note(text: str, *lines: str) -> str:
    """Write a note: the text, an empty line, the signature lines."""
    return text + "\n" + "".join(lines)


def checkpoint_text(origin: str, size: int | str, root: bytes) -> str:
    """Write the text of a checkpoint: three lines."""
    return f"{origin}\n{size}\n{b64(root)}\n"
