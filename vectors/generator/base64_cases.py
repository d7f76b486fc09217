"""base64: the one spelling that text formats take."""

from __future__ import annotations

import base64

from generator.model import Maker, Topic
from generator.tree import sha256

_MAKER = Maker("base64", "conventions.md")
_ROOT = base64.b64encode(sha256(b"")).decode()

_ACCEPTED = [
    ("empty", "no bytes at all", ""),
    ("rfc4648-f", "RFC 4648 section 10: one byte, two characters of padding", "Zg=="),
    ("rfc4648-fo", "RFC 4648 section 10: two bytes, one character of padding", "Zm8="),
    ("rfc4648-foo", "RFC 4648 section 10: three bytes, no padding", "Zm9v"),
    ("rfc4648-foobar", "RFC 4648 section 10: six bytes", "Zm9vYmFy"),
    ("plus-and-slash", "the two characters of the standard alphabet that the URL-safe one lacks", "+/+/"),
    ("one-byte-plus", "a plus as the first of two characters", "+w=="),
    ("one-byte-slash", "a slash as the first of two characters", "/w=="),
    ("one-byte-digit", "a digit as the first of two characters", "5w=="),
    ("zero-byte", "one byte 0x00", "AA=="),
    ("hash", "32 bytes: the root of the empty tree", _ROOT),
]

_REFUSED = [
    ("padding-missing", "one byte without its padding", "Zg"),
    ("padding-missing-one", "two bytes without their padding", "Zm8"),
    ("padding-short", "one byte with one character of padding, where two belong", "Zg="),
    ("padding-long", "three bytes with padding that does not belong there", "Zm9v="),
    ("padding-extra", "two bytes with one character of padding too many", "Zm8=="),
    ("padding-extra-group", "a whole group of padding behind complete text", "Zm9v===="),
    ("padding-alone", "padding and nothing else", "===="),
    ("padding-single", "one character of padding and nothing else", "="),
    ("padding-first", "padding before the characters", "=Zg="),
    ("padding-inside", "padding in the middle", "Zg==Zg=="),
    ("length-one", "a single character, which is no whole byte", "Z"),
    ("length-five", "five characters", "Zm9vY"),
    ("tail-bits-two", "two bytes, the two unused bits of the last character are not zero", "Zm9="),
    ("tail-bits-four", "one byte, the four unused bits of the last character are not zero", "Zh=="),
    ("tail-bits-last", "one byte, only the lowest unused bit is set", "AB=="),
    ("tail-bits-hash", "32 bytes whose last character has a stray bit", _ROOT[:-2] + "V="),
    ("url-safe", "the URL-safe alphabet of RFC 4648 section 5", "-_-_"),
    ("url-safe-minus", "one minus among standard characters", "Zm9-"),
    ("url-safe-underscore", "one underscore among standard characters", "Zm9_"),
    ("newline-end", "a newline behind the text", "Zm9v\n"),
    ("newline-inside", "a newline inside, as MIME wraps lines", "Zm9v\nYmFy"),
    ("newline-first", "a newline before the text", "\nZm9v"),
    ("crlf-end", "carriage return and newline behind the text", "Zm9v\r\n"),
    ("crlf-inside", "carriage return and newline inside, which some libraries skip", "Zm9v\r\nYmFy"),
    ("tab", "a tab inside", "Zm9v\tYmFy"),
    ("space-end", "a space behind the text", "Zm9v "),
    ("space-first", "a space before the text", " Zm9v"),
    ("space-inside", "a space inside", "Zm9v YmFy"),
    ("junk", "a character outside the alphabet, which some libraries skip", "Zm9v*YmFy"),
    (
        "junk-and-newline",
        "a newline and a character outside the alphabet, in the middle of one group",
        "AA\n*AA=",
    ),
    ("junk-behind-padding", "characters behind the padding", "Zg==Zg"),
    ("nul", "the character U+0000 behind the text", "Zm9v\0"),
    ("bom", "U+FEFF before the text", "\ufeffZm9v"),
    ("full-width", "full-width letters, which some libraries fold to ASCII", "\uff3a\uff4d\uff19\uff56"),
    ("line-separator", "U+2028 behind the text", "Zm9v\u2028"),
    ("percent", "padding written as in a URL", "Zg%3D%3D"),
]

TOPIC = Topic(
    "base64",
    "Base64 with the standard alphabet, with padding, in its canonical spelling: one text for the same bytes.",
    [
        *(
            _MAKER.accept(slug, comment, "base64", {"text": text}, {"hex": base64.b64decode(text).hex()})
            for slug, comment, text in _ACCEPTED
        ),
        *(
            _MAKER.refuse(slug, comment, "base64", {"text": text}, "malformed")
            for slug, comment, text in _REFUSED
        ),
    ],
)
