"""Keys that must not be trusted and signatures that must not verify."""

from __future__ import annotations

from generator.example import KEY, OPERATOR, OTHER_KEY
from generator.signing import b64, key_id, vkey

_FIELD = 2**255 - 19
_GROUP = 2**252 + 27742317777372353535851937790883648493


def _point(y: int, *, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


def raise_s(signature: bytes) -> bytes:
    """Return the signature with the order of the group added to S: the same equation, other bytes."""
    s = int.from_bytes(signature[32:], "little") + _GROUP
    return signature[:32] + s.to_bytes(32, "little")


_GOOD = KEY.vkey(OPERATOR)
_NAME, _ID, _ENCODED = _GOOD.split("+", 2)
_ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")

# Verifier keys that no caller may use; the same list for notes, checkpoints, consistency files and receipts.
BAD_VKEYS = [
    ("key-empty", "an empty key", ""),
    ("key-name-only", "a name alone", _NAME),
    ("key-two-parts", "no key behind the id", f"{_NAME}+{_ID}"),
    ("key-no-name", "no name", vkey("", KEY.public)),
    ("key-name-space", "a space in the name", vkey("ledger example", KEY.public)),
    ("key-name-no-break-space", "a no-break space in the name", vkey("ledger\u00a0example", KEY.public)),
    ("key-name-newline", "a newline in the name", vkey("ledger\nexample", KEY.public)),
    (
        "key-other-id",
        "an id that is not that of name and key",
        f"{_NAME}+{OTHER_KEY.vkey(_NAME).split('+')[1]}+{_ENCODED}",
    ),
    ("key-other-name", "the id belongs to another name", f"ledger.example.org+{_ID}+{_ENCODED}"),
    ("key-id-upper", "the id in upper case", f"{_NAME}+{_ID.upper()}+{_ENCODED}"),
    ("key-id-short", "an id of 7 digits", f"{_NAME}+{_ID[:-1]}+{_ENCODED}"),
    ("key-id-long", "an id of 10 digits", f"{_NAME}+{_ID}00+{_ENCODED}"),
    ("key-padding", "padding that does not belong there", _GOOD + "="),
    ("key-url-safe", "the key in the URL-safe alphabet", _GOOD.replace("h+W", "h-W")),
    ("key-newline", "a newline behind the key", _GOOD + "\n"),
    ("key-space", "a space before the key", " " + _GOOD),
    ("key-31-bytes", "a public key of 31 bytes", vkey(_NAME, KEY.public[:31])),
    ("key-33-bytes", "a public key of 33 bytes", vkey(_NAME, KEY.public + b"\0")),
    (
        "key-no-type",
        "no type byte before the public key",
        f"{_NAME}+{key_id(_NAME, KEY.public, b'').hex()}+{b64(KEY.public)}",
    ),
    ("key-type-2", "type 0x02, which is ECDSA", vkey(_NAME, KEY.public, b"\x02")),
    (
        "key-type-2-id-1",
        "type 0x02 with the id of a key of type 0x01",
        f"{_NAME}+{_ID}+{b64(bytes([2]) + KEY.public)}",
    ),
    ("key-type-4", "type 0x04, which is a witness's", vkey(_NAME, KEY.public, b"\x04")),
    ("key-private", "a private key, as some tools write it", "PRIVATE+KEY+" + _GOOD),
    ("key-identity", "the identity: one signature of it verifies for every text", vkey(_NAME, _point(1))),
    ("key-order-2", "a public key of order 2", vkey(_NAME, _point(_FIELD - 1))),
    ("key-order-4", "a public key of order 4", vkey(_NAME, _point(0))),
    ("key-order-4-sign", "a public key of order 4, the sign bit set", vkey(_NAME, _point(0, sign=1))),
    ("key-order-8", "a public key of order 8", vkey(_NAME, _ORDER_8)),
    ("key-identity-non-canonical", "the identity as p + 1", vkey(_NAME, _point(_FIELD + 1))),
    ("key-identity-sign", "the identity with the sign bit set", vkey(_NAME, _point(1, sign=1))),
    ("key-non-canonical", "a public key whose y is p + 3", vkey(_NAME, _point(_FIELD + 3))),
    ("key-not-on-curve", "a public key whose y is 2, which is no point", vkey(_NAME, _point(2))),
]
