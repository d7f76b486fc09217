"""Ed25519 (RFC 8032) by libsodium: the one place that signs and the one place that verifies.

libsodium is strict: it refuses small-order and non-canonical public keys and points.  A forgiving verifier would
let a bad operator publish a key under which one signature fits every root.

Source: docs/spec/note.md.
"""

from __future__ import annotations

from typing import Final, NoReturn

from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import CryptoError

from counterfoil.errors import MalformedError, VerificationError

SEED_BYTES: Final = 32
PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


class SigningKey:
    """A private key that signs; it shows its public half and nothing else.

    Attributes:
        public_key: 32 bytes.
    """

    __slots__ = ("_secret", "public_key")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise MalformedError(f"signing seed of {len(seed)} bytes, want {SEED_BYTES}")
        self.public_key, self._secret = crypto_sign_seed_keypair(seed)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of a message; the same message always gives the same bytes."""
        return crypto_sign(message, self._secret)[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        return f"SigningKey(public_key={self.public_key.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")


def check_public_key(public_key: bytes) -> None:
    """Refuse bytes that are no canonical point of the prime-order group.

    Raises:
        MalformedError: for a wrong length, a small order, a non-canonical encoding or no point at all.
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise MalformedError(f"public key of {len(public_key)} bytes, want {PUBLIC_KEY_BYTES}")
    if not crypto_core_ed25519_is_valid_point(public_key):
        raise MalformedError("public key is not a canonical point of prime order")


def verify_signature(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Verify a signature.

    Raises:
        VerificationError: `bad-signature`, for every signature that is not this key's over this message.
    """
    try:
        if len(signature) == SIGNATURE_BYTES and len(public_key) == PUBLIC_KEY_BYTES:
            crypto_sign_open(signature + message, public_key)
            return
    except (CryptoError, ValueError):
        pass  # libsodium's several ways to refuse are one refusal
    raise VerificationError("bad-signature", "the signature does not verify")
