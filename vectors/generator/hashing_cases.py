"""Leaf hashes of RFC 6962."""

from __future__ import annotations

from generator.example import EXAMPLE
from generator.ledger import jcs
from generator.model import Maker, Topic
from generator.tree import leaf_hash

_MAKER = Maker("leaf", "tree.md")

_ACCEPTED = [
    ("empty", "no bytes: SHA-256 of the one byte 0x00, not of nothing", ""),
    ("open", "the open entry of the worked example", jcs(EXAMPLE.entries[0]).decode()),
    ("utf-8", "the text is hashed as UTF-8", "a\u00e9\u2028\U0001f9fe"),
    ("looks-like-a-node", "64 bytes, as many as two hashes: still a leaf", "0123456789abcdef" * 4),
    ("longest", "2,048 bytes, the most that an entry may have", "x" * 2048),
]

_REFUSED = [
    ("bytes-2049", "2,049 bytes", "x" * 2049),
    ("bytes-2049-in-2048-characters", "2,048 characters of which one takes two bytes", "x" * 2047 + "\u00e9"),
    ("bytes-2050", "1,025 characters of two bytes", "\u00e9" * 1025),
    ("bytes-2049-of-three", "683 characters of three bytes", "\u20ac" * 683),
    ("bytes-2052-of-four", "513 characters of four bytes, outside the basic plane", "\U0001f9fe" * 513),
    ("bytes-4096", "twice the bound", "x" * 4096),
]

TOPIC = Topic(
    "hashing",
    "Leaf hashes: SHA-256(0x00 || entry bytes). The operation hashes any text of at most 2,048 bytes.",
    [
        *(
            _MAKER.accept(
                slug, comment, "leaf-hash", {"entry": text}, {"leafHash": leaf_hash(text.encode()).hex()}
            )
            for slug, comment, text in _ACCEPTED
        ),
        *(
            _MAKER.refuse(slug, comment, "leaf-hash", {"entry": text}, "too-large")
            for slug, comment, text in _REFUSED
        ),
    ],
)
