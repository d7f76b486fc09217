"""Signed notes."""

from __future__ import annotations

from typing import Any

from generator import note_bound_cases
from generator.example import KEY, OTHER_KEY, WITNESS, WITNESS_KEY
from generator.keys import BAD_VKEYS, raise_s
from generator.model import Case, Maker, Topic
from generator.mutate import flip, stray_bit
from generator.signing import b64, key_id, note, signature_line, vkey

_MAKER = Maker("note", "note.md")
_NAME = "notes.example.com"
_TEXT = "A text that is signed.\nIts second line.\n"
_KEY = KEY.vkey(_NAME)
_LINE = KEY.line(_NAME, _TEXT)
_ID = key_id(_NAME, KEY.public)
_SIGNATURE = KEY.sign(_TEXT)
_GOOD = note(_TEXT, _LINE)
_WITNESS_LINE = WITNESS_KEY.line(WITNESS, _TEXT)
# A post-quantum signature of a key that nobody here knows: 4 + 8 + 2420 bytes.
_LARGE_LINE = signature_line("large.example.org/w9", b"\x01\x02\x03\x04", bytes(2428))


def _unknown(number: int) -> str:
    return signature_line(f"w{number}.example.org", number.to_bytes(4, "big"), bytes(64))


def _signed(text: str, name: str = _NAME) -> str:
    return note(text, KEY.line(name, text))


def _request(text: str, *keys: str) -> dict[str, Any]:
    return {"note": text, "keys": list(keys) or [_KEY]}


def _accepted() -> list[Case]:
    both = [_KEY, WITNESS_KEY.vkey(WITNESS)]
    several = "One.\n\nTwo, behind an empty line.\n"
    inside = "A mark\ufeff inside.\n"
    separators = "before\u2028after\u0085and\u00a0more\n"
    cases = [
        ("plain", "one signature by the one key", _request(_GOOD), _TEXT, [_NAME]),
        (
            "line-unknown-before",
            "a line of an unknown key before",
            _request(note(_TEXT, _WITNESS_LINE, _LINE)),
            _TEXT,
            [_NAME],
        ),
        (
            "line-unknown-behind",
            "a line of an unknown key behind",
            _request(note(_TEXT, _LINE, _WITNESS_LINE)),
            _TEXT,
            [_NAME],
        ),
        (
            "line-unknown-large",
            "a line of an unknown post-quantum key",
            _request(note(_TEXT, _LARGE_LINE, _LINE)),
            _TEXT,
            [_NAME],
        ),
        (
            "line-same-name-other-id",
            "a line of the same name with another id",
            _request(note(_TEXT, signature_line(_NAME, b"\0\0\0\0", bytes(64)), _LINE)),
            _TEXT,
            [_NAME],
        ),
        (
            "line-same-id-other-name",
            "a line of another name with the same id",
            _request(note(_TEXT, signature_line("x.example.com", _ID, bytes(64)), _LINE)),
            _TEXT,
            [_NAME],
        ),
        (
            "two-keys",
            "two known keys, both verify, in the order of the lines",
            _request(note(_TEXT, _WITNESS_LINE, _LINE), *both),
            _TEXT,
            [WITNESS, _NAME],
        ),
        ("two-keys-one-line", "two keys given, one line", _request(_GOOD, *both), _TEXT, [_NAME]),
        (
            "lines-64",
            "64 signature lines",
            _request(note(_TEXT, *map(_unknown, range(63)), _LINE)),
            _TEXT,
            [_NAME],
        ),
        (
            "empty-lines-in-text",
            "the last empty line separates, one before it belongs to the text",
            _request(_signed(several)),
            several,
            [_NAME],
        ),
        (
            "separators",
            "U+2028, U+0085 and U+00A0 in the text end no line",
            _request(_signed(separators)),
            separators,
            [_NAME],
        ),
        ("mark-inside", "U+FEFF within the text", _request(_signed(inside)), inside, [_NAME]),
        (
            "name-path",
            "a name with slashes",
            _request(_signed(_TEXT, "a.example/b/c"), KEY.vkey("a.example/b/c")),
            _TEXT,
            ["a.example/b/c"],
        ),
    ]
    return [
        _MAKER.accept(slug, comment, "step-6", request, {"text": text, "signers": signers})
        for slug, comment, request, text, signers in cases
    ]


def _syntax() -> list[Case]:
    bad_texts = [
        ("empty", "nothing", ""),
        ("text-alone", "a text without signatures", _TEXT),
        ("text-empty", "no text before the empty line", "\n" + KEY.line(_NAME, "")),
        ("text-empty-line", "an empty line for the text", _signed("\n")),
        ("no-signatures", "an empty line and no signature line", _TEXT + "\n"),
        ("no-empty-line", "no empty line before the signatures", _TEXT + _LINE),
        ("no-final-newline", "no newline at the end", _GOOD[:-1]),
        ("extra-final-newline", "one more newline at the end", _GOOD + "\n"),
        ("space-final", "a space for the newline at the end", _GOOD[:-1] + " "),
        ("two-final-newlines", "two more newlines at the end", _GOOD + "\n\n"),
        ("crlf", "lines end in carriage return and newline", _GOOD.replace("\n", "\r\n")),
        ("cr-in-text", "a carriage return in the text", _signed("A line.\r\nAnother.\n")),
        ("cr-at-end", "a carriage return behind the signature line", _GOOD[:-1] + "\r\n"),
        ("bom", "U+FEFF before the text, and signed", _signed("\ufeff" + _TEXT)),
        ("backspace-in-text", "U+0008 in the text", _signed("A\bB\n")),
        ("tab-in-text", "a tab in the text", _signed("A\tB\n")),
        ("nul-in-text", "U+0000 in the text", _signed("A\0B\n")),
        ("escape-in-text", "U+001B in the text, which steers terminals", _signed("A\x1b[2JB\n")),
        ("unit-separator-in-text", "U+001F in the text", _signed("A\x1fB\n")),
        ("text-behind", "text behind the signature line", _GOOD + "more\n"),
    ]
    return [
        _MAKER.refuse(slug, comment, "step-2", _request(text), "malformed")
        for slug, comment, text in bad_texts
    ]


def _lines() -> list[Case]:
    blob = b64(_ID + _SIGNATURE)
    bad_lines = [
        ("line-hyphen", "a hyphen instead of the em dash", f"- {_NAME} {blob}\n"),
        ("line-en-dash", "an en dash instead of the em dash", f"\u2013 {_NAME} {blob}\n"),
        ("line-two-hyphens", "two hyphens instead of the em dash", f"-- {_NAME} {blob}\n"),
        ("line-no-space", "no space behind the em dash", f"\u2014{_NAME} {blob}\n"),
        ("line-two-spaces", "two spaces behind the em dash", f"\u2014  {_NAME} {blob}\n"),
        ("line-two-spaces-inside", "two spaces behind the name", f"\u2014 {_NAME}  {blob}\n"),
        ("line-no-break-space", "a no-break space behind the em dash", f"\u2014\u00a0{_NAME} {blob}\n"),
        ("line-space-first", "a space before the em dash", f" \u2014 {_NAME} {blob}\n"),
        ("line-space-end", "a space at the end of the line", f"\u2014 {_NAME} {blob} \n"),
        ("line-fourth-part", "a word behind the signature", f"\u2014 {_NAME} {blob} now\n"),
        ("line-no-name", "no name", f"\u2014  {blob}\n"),
        ("line-name-plus", "a plus in the name", f"\u2014 notes+example {blob}\n"),
        ("line-name-no-break-space", "a no-break space in the name", f"\u2014 notes\u00a0example {blob}\n"),
        ("line-name-line-separator", "U+2028 in the name", f"\u2014 notes\u2028example {blob}\n"),
        ("line-no-signature", "no signature", f"\u2014 {_NAME}\n"),
        ("line-empty-signature", "an empty signature", f"\u2014 {_NAME} \n"),
        ("line-3-bytes", "three bytes, less than an id", f"\u2014 {_NAME} {b64(_ID[:3])}\n"),
        ("line-no-padding", "base64 without padding", f"\u2014 {_NAME} {blob.rstrip('=')}\n"),
        ("line-tail-bits", "base64 whose unused bits are not zero", f"\u2014 {_NAME} {stray_bit(blob)}\n"),
        ("line-url-safe", "base64 in the URL-safe alphabet", f"\u2014 {_NAME} {_url_safe(blob)}\n"),
        (
            "line-junk",
            "a character outside the alphabet in the base64",
            f"\u2014 {_NAME} {blob[:8]}*{blob[8:]}\n",
        ),
    ]
    cases = [
        _MAKER.refuse(slug, comment, "step-3", _request(note(_TEXT, line)), "malformed")
        for slug, comment, line in bad_lines
    ]
    broken = note(_TEXT, _LINE, f"\u2014 {WITNESS} AAAA!AAA\n")
    cases += [
        _MAKER.refuse(
            "line-unknown-broken",
            "a good line, and one of an unknown key that is no base64",
            "step-3",
            _request(broken),
            "malformed",
        ),
        _MAKER.refuse(
            "lines-65",
            "65 signature lines",
            "step-3",
            _request(note(_TEXT, *map(_unknown, range(64)), _LINE)),
            "malformed",
        ),
        _MAKER.refuse(
            "line-twice", "the same line twice", "step-4", _request(note(_TEXT, _LINE, _LINE)), "malformed"
        ),
        _MAKER.refuse(
            "line-twice-other-signature",
            "two lines of the same name and id, one of them good",
            "step-4",
            _request(note(_TEXT, _LINE, signature_line(_NAME, _ID, bytes(64)))),
            "malformed",
        ),
        _MAKER.refuse(
            "line-unknown-twice",
            "two lines of the same name and id that nobody knows",
            "step-4",
            _request(note(_TEXT, _LINE, _unknown(7), _unknown(7))),
            "malformed",
        ),
    ]
    return cases


def _url_safe(text: str) -> str:
    changed = text.replace("+", "-").replace("/", "_")
    if changed == text:
        raise ValueError("this signature has neither character, so the case would test nothing")
    return changed


def _keys() -> list[Case]:
    cases = [
        _MAKER.refuse(slug, comment, "verifier-key", _request(_GOOD, key), "malformed")
        for slug, comment, key in BAD_VKEYS
    ]
    both = _request(_GOOD, _KEY, vkey(_NAME, KEY.public, b"\x02"))
    cases.append(
        _MAKER.refuse(
            "key-good-and-bad", "a good key, and one that is none", "verifier-key", both, "malformed"
        )
    )
    return cases


def _claims() -> list[Case]:
    unknown = [
        ("no-keys", "no key given", {"note": _GOOD, "keys": []}),
        ("key-of-another", "somebody else's key", _request(_GOOD, OTHER_KEY.vkey("other.example.net"))),
        ("key-same-name", "another key under the same name", _request(_GOOD, OTHER_KEY.vkey(_NAME))),
        (
            "key-same-public-key",
            "the same public key under another name",
            _request(_GOOD, KEY.vkey("example.com")),
        ),
        (
            "key-name-case",
            "the same public key under the name in upper case",
            _request(_GOOD, KEY.vkey(_NAME.upper())),
        ),
        (
            "line-other-id",
            "the line carries another id",
            _request(note(_TEXT, signature_line(_NAME, b"\0\0\0\0", _SIGNATURE))),
        ),
        (
            "line-id-bit",
            "the id in the line has one bit changed",
            _request(note(_TEXT, signature_line(_NAME, bytes([_ID[0] ^ 1]) + _ID[1:], _SIGNATURE))),
        ),
        (
            "line-other-name",
            "the line carries another name",
            _request(note(_TEXT, signature_line("x.example.com", _ID, _SIGNATURE))),
        ),
        (
            "line-of-witness-only",
            "only a witness signed, whose key is not given",
            _request(note(_TEXT, _WITNESS_LINE)),
        ),
    ]
    changed = _TEXT.replace("second", "third")
    bad_witness = signature_line(WITNESS, key_id(WITNESS, WITNESS_KEY.public), bytes(64))
    both = [_KEY, WITNESS_KEY.vkey(WITNESS)]
    bad = [
        ("text-changed", "a word of the text changed", _request(note(changed, _LINE))),
        ("text-newline-added", "an empty line added to the text", _request(note(_TEXT + "\n", _LINE))),
        (
            "empty-line-between",
            "an empty line between two signature lines: the first now belongs to the text, which the second does not sign",
            _request(note(_TEXT, _WITNESS_LINE, "\n", _LINE)),
        ),
        (
            "text-line-removed",
            "the second line of the text removed",
            _request(note("A text that is signed.\n", _LINE)),
        ),
        (
            "text-normalised",
            "an accent as two characters where one was signed",
            _request(note("e\u0301\n", KEY.line(_NAME, "\u00e9\n"))),
        ),
        (
            "signature-first-bit",
            "the first bit of the signature changed",
            _request(note(_TEXT, signature_line(_NAME, _ID, flip(_SIGNATURE, 0)))),
        ),
        (
            "signature-last-bit",
            "a bit of the last byte of the signature changed",
            _request(note(_TEXT, signature_line(_NAME, _ID, flip(_SIGNATURE)))),
        ),
        (
            "signature-zero",
            "a signature of 64 zero bytes",
            _request(note(_TEXT, signature_line(_NAME, _ID, bytes(64)))),
        ),
        (
            "signature-63-bytes",
            "a signature of 63 bytes",
            _request(note(_TEXT, signature_line(_NAME, _ID, _SIGNATURE[:63]))),
        ),
        (
            "signature-65-bytes",
            "a signature of 65 bytes",
            _request(note(_TEXT, signature_line(_NAME, _ID, _SIGNATURE + b"\0"))),
        ),
        (
            "signature-s-plus-l",
            "S is not reduced: the order of the group was added",
            _request(note(_TEXT, signature_line(_NAME, _ID, raise_s(_SIGNATURE)))),
        ),
        (
            "signature-small-r",
            "R is the identity and S is zero",
            _request(note(_TEXT, signature_line(_NAME, _ID, b"\x01" + bytes(63)))),
        ),
        (
            "signature-of-other-key",
            "signed by another key",
            _request(note(_TEXT, signature_line(_NAME, _ID, OTHER_KEY.sign(_TEXT)))),
        ),
        (
            "signature-without-final-newline",
            "the text was signed without its last newline",
            _request(note(_TEXT, signature_line(_NAME, _ID, KEY.sign(_TEXT[:-1])))),
        ),
        (
            "signature-with-empty-line",
            "the text was signed with the empty line",
            _request(note(_TEXT, signature_line(_NAME, _ID, KEY.sign(_TEXT + "\n")))),
        ),
        (
            "good-and-bad-known",
            "one known key verifies, the other known key does not",
            _request(note(_TEXT, _LINE, bad_witness), *both),
        ),
        (
            "bad-known-and-good",
            "the same with the bad line first",
            _request(note(_TEXT, bad_witness, _LINE), *both),
        ),
        (
            "signature-of-witness-time",
            "a witness's line with a time, given as an ordinary key",
            _request(
                note(
                    _TEXT,
                    _LINE,
                    signature_line(
                        WITNESS, key_id(WITNESS, WITNESS_KEY.public), bytes(8) + WITNESS_KEY.sign(_TEXT)
                    ),
                ),
                *both,
            ),
        ),
    ]
    return [
        *(
            _MAKER.refuse(slug, comment, "step-5", request, "unknown-key")
            for slug, comment, request in unknown
        ),
        *(_MAKER.refuse(slug, comment, "step-6", request, "bad-signature") for slug, comment, request in bad),
    ]


TOPIC = Topic(
    "note",
    "Signed notes: the given keys are matched with the signature lines by name and id. "
    "The output is the text and the names of the keys that verified, in the order of the lines.",
    [*_accepted(), *_syntax(), *_lines(), *_keys(), *_claims(), *note_bound_cases.cases()],
    by_step=True,
)
