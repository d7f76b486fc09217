"""Signed notes at their bounds, and keys of one name and id, which whoever has time for it finds."""

from __future__ import annotations

from typing import Any

from generator.bounds import DOCUMENT_BYTES, SIGNATURE_BYTES
from generator.example import KEY, OTHER_KEY
from generator.model import Case, Maker
from generator.signing import key, note, signature_line

_MAKER = Maker("note", "note.md")
_NAME = "notes.example.com"
_TEXT = "A text that is signed.\nIts second line.\n"
_KEY = KEY.vkey(_NAME)
_LINE = KEY.line(_NAME, _TEXT)
# The first two of these numbers that give keys of one id under this name.
_ONE_ID = [key(f"counterfoil example key {number}") for number in (50_488, 67_112)]


def _request(text: str, *keys: str) -> dict[str, Any]:
    return {"note": text, "keys": list(keys) or [_KEY]}


def _stranger(size: int) -> str:
    return signature_line("large.example.org/w9", b"\x01\x02\x03\x04", bytes(size))


def _named(size: int) -> str:
    """Return a verifier key of this many characters; the name makes the difference."""
    name = "n" * (size - len(KEY.vkey("n")) + 1)
    return KEY.vkey(name)


def _accepted() -> list[Case]:
    requests = [
        ("signature-longest", "a stranger's signature of 8,192 bytes", _request(note(_TEXT, _stranger(SIGNATURE_BYTES), _LINE))),
        ("signature-shortest", "a stranger's signature of one byte", _request(note(_TEXT, _stranger(1), _LINE))),
        ("key-twice", "the same key twice", _request(note(_TEXT, _LINE), _KEY, _KEY)),
        ("key-longest", "a further key of 4,096 characters", _request(note(_TEXT, _LINE), _named(4096), _KEY)),
    ]  # fmt: skip
    output = {"text": _TEXT, "signers": [_NAME]}
    return [_MAKER.accept(slug, comment, "step-6", asked, output) for slug, comment, asked in requests]


def _too_large() -> list[Case]:
    # The blank line, and the newline at the end of the text.
    text = "x" * (DOCUMENT_BYTES + 1 - len(_LINE.encode()) - 2) + "\n"
    large = note(text, KEY.line(_NAME, text))
    return [
        _MAKER.refuse("too-large", "262,145 bytes, most of which are text", "step-1", _request(large), "too-large"),
        _MAKER.refuse("key-too-large", "a further key of 4,097 characters", "verifier-key", _request(note(_TEXT, _LINE), _KEY, _named(4097)), "too-large"),
        _MAKER.refuse("signature-too-long", "a stranger's signature of 8,193 bytes", "step-3", _request(note(_TEXT, _stranger(SIGNATURE_BYTES + 1), _LINE)), "malformed"),
        _MAKER.refuse("signature-none", "a stranger's line with an id and no signature", "step-3", _request(note(_TEXT, _stranger(0), _LINE)), "malformed"),
    ]  # fmt: skip


def _one_id() -> list[Case]:
    first, second = (one.vkey(_NAME) for one in _ONE_ID)
    signed = note(_TEXT, _ONE_ID[0].line(_NAME, _TEXT))
    foreign = note(_TEXT, OTHER_KEY.line(_NAME, _TEXT))
    cases = [
        ("one-id", "two keys of one name and id, the first of which signed", _request(signed, first, second)),
        ("one-id-other-way", "the same, the other one given first", _request(signed, second, first)),
        ("one-id-unused", "two keys of one name and id, and a key that signed", _request(note(_TEXT, _LINE), first, second, _KEY)),
        ("order-one-id-unknown", "two keys of one name and id, and another key signed", _request(foreign, first, second)),
    ]  # fmt: skip
    return [
        _MAKER.refuse(f"keys-{slug}", comment, "given-keys", asked, "malformed")
        for slug, comment, asked in cases
    ]


def cases() -> list[Case]:
    """Return the cases."""
    return [*_accepted(), *_too_large(), *_one_id()]
