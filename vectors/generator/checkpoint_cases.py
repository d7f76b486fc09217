"""Checkpoints."""

from __future__ import annotations

from typing import Any

from generator.example import (
    EXAMPLE,
    KEY,
    NEIGHBOUR,
    OPERATOR,
    OTHER_KEY,
    OTHER_OPERATOR,
    VKEY,
    WITNESS,
    WITNESS_KEY,
)
from generator.keys import BAD_VKEYS, raise_s
from generator.model import Case, Maker, Topic
from generator.mutate import BAD_INTEGERS, flip, stray_bit
from generator.signing import b64, checkpoint_text, key, key_id, note, signature_line
from generator.tree import sha256

_MAKER = Maker("checkpoint", "checkpoint.md")
_ORIGIN = EXAMPLE.origin
_TEXT = EXAMPLE.text(4)
_ROOT = EXAMPLE.root(4)
_LINE = KEY.line(_ORIGIN, _TEXT)
_GOOD = note(_TEXT, _LINE)
_ID = key_id(_ORIGIN, KEY.public)
_SIGNATURE = KEY.sign(_TEXT)
_WITNESS_LINE = WITNESS_KEY.line(WITNESS, _TEXT)
_ZERO_LINE = signature_line(_ORIGIN, _ID, bytes(64))


def _signed(text: str, origin: str = _ORIGIN) -> str:
    """Return a note that the example's key signs, whatever its text: only the text can be refused."""
    return note(text, KEY.line(origin, text))


def _request(text: str, *keys: str) -> dict[str, Any]:
    return {"note": text, "keys": list(keys) or [VKEY]}


def _accepted() -> list[Case]:
    log_key = KEY.vkey(_ORIGIN)
    plain = "example.com/log"
    short = "o"
    marks = "!\"#$%&'()*,-./:;<=>?@[\\]^_`{|}~"
    long = "o" * 255
    cases = [
        ("operator-key", "the worked example, with the operator's key", _request(_GOOD), _ORIGIN, 4, _ROOT),
        (
            "log-key",
            "with the same public key under the log's origin",
            _request(_GOOD, log_key),
            _ORIGIN,
            4,
            _ROOT,
        ),
        ("both-keys", "with both", _request(_GOOD, VKEY, log_key), _ORIGIN, 4, _ROOT),
        (
            "unrelated-key-first",
            "with the key of somebody else before",
            _request(_GOOD, OTHER_KEY.vkey(OTHER_OPERATOR), VKEY),
            _ORIGIN,
            4,
            _ROOT,
        ),
        (
            "second-operator-key",
            "with two keys of the operator, one of which signed",
            _request(_GOOD, OTHER_KEY.vkey(OPERATOR), VKEY),
            _ORIGIN,
            4,
            _ROOT,
        ),
        (
            "witness-before",
            "a witness's line before",
            _request(note(_TEXT, _WITNESS_LINE, _LINE)),
            _ORIGIN,
            4,
            _ROOT,
        ),
        (
            "witness-behind",
            "a witness's line behind",
            _request(note(_TEXT, _LINE, _WITNESS_LINE)),
            _ORIGIN,
            4,
            _ROOT,
        ),
        (
            "witness-key-given",
            "a witness's key is given too: it is not the log's, so its line is not looked at",
            _request(
                note(_TEXT, signature_line(WITNESS, key_id(WITNESS, WITNESS_KEY.public), bytes(64)), _LINE),
                VKEY,
                WITNESS_KEY.vkey(WITNESS),
            ),
            _ORIGIN,
            4,
            _ROOT,
        ),
        (
            "size-0",
            "the empty tree",
            _request(_signed(checkpoint_text(_ORIGIN, 0, sha256(b"")))),
            _ORIGIN,
            0,
            sha256(b""),
        ),
        (
            "size-largest",
            "the largest size",
            _request(_signed(checkpoint_text(_ORIGIN, 2**63 - 1, _ROOT))),
            _ORIGIN,
            2**63 - 1,
            _ROOT,
        ),
        (
            "other-shape",
            "an origin that is not one of ours",
            _request(_signed(checkpoint_text(plain, 4, _ROOT), plain), KEY.vkey("example.com")),
            plain,
            4,
            _ROOT,
        ),
        (
            "one-part",
            "an origin of one character",
            _request(_signed(checkpoint_text(short, 4, _ROOT), short), KEY.vkey(short)),
            short,
            4,
            _ROOT,
        ),
        (
            "origin-marks",
            "an origin of all characters that are neither letters nor digits",
            _request(_signed(checkpoint_text(marks, 4, _ROOT), marks), KEY.vkey(marks)),
            marks,
            4,
            _ROOT,
        ),
        (
            "origin-255",
            "an origin of 255 characters",
            _request(_signed(checkpoint_text(long, 4, _ROOT), long), KEY.vkey(long)),
            long,
            4,
            _ROOT,
        ),
    ]
    return [
        _MAKER.accept(
            slug, comment, "step-4", request, {"origin": origin, "size": str(size), "root": root.hex()}
        )
        for slug, comment, request, origin, size, root in cases
    ]


def _one_id() -> list[Case]:
    """Keys that have one id under the log's origin, whatever name they were given under."""
    first, second = (key(f"counterfoil example key {number}") for number in (86_232, 131_556))
    signed = note(_TEXT, first.line(_ORIGIN, _TEXT))
    others = [one.vkey(OTHER_OPERATOR) for one in (first, second)]
    output = {"origin": _ORIGIN, "size": "4", "root": _ROOT.hex()}
    return [
        _MAKER.accept("keys-one-id-elsewhere", "two keys that would have one id, if they spoke for this origin", "step-4", _request(_GOOD, *others, VKEY), output),
        _MAKER.refuse("keys-one-id", "two keys of the operator that have one id under the origin", "step-3", _request(signed, *(one.vkey(OPERATOR) for one in (first, second))), "malformed"),
        _MAKER.refuse("keys-one-id-both-names", "the same, one of them given under the origin", "step-3", _request(signed, first.vkey(OPERATOR), second.vkey(_ORIGIN)), "malformed"),
    ]  # fmt: skip


def _syntax() -> list[Case]:
    cases = [
        ("no-final-newline", "no newline at the end", _GOOD[:-1]),
        ("final-newline-twice", "one more newline at the end", _GOOD + "\n"),
        ("crlf", "lines end in carriage return and newline", _GOOD.replace("\n", "\r\n")),
        ("bom", "U+FEFF before the origin", "\ufeff" + _GOOD),
        ("text-alone", "no signatures", _TEXT),
        ("signature-twice", "the same signature line twice", note(_TEXT, _LINE, _LINE)),
        (
            "signature-twice-one-bad",
            "two lines of origin and id, the second does not verify",
            note(_TEXT, _LINE, _ZERO_LINE),
        ),
        (
            "lines-65",
            "65 signature lines",
            note(
                _TEXT, _LINE, *(signature_line(f"w{n}.example.org", bytes(4), bytes(64)) for n in range(64))
            ),
        ),
        (
            "signature-tail-bits",
            "base64 of the signature with a stray bit",
            note(
                _TEXT,
                signature_line(_ORIGIN, _ID, _SIGNATURE).replace(
                    b64(_ID + _SIGNATURE), stray_bit(b64(_ID + _SIGNATURE))
                ),
            ),
        ),
        (
            "signature-unknown-broken",
            "a line of an unknown key that is no base64",
            note(_TEXT, _LINE, f"\u2014 {WITNESS} AAA\n"),
        ),
    ]
    return [
        *(
            _MAKER.refuse(slug, comment, "step-1", _request(text), "malformed")
            for slug, comment, text in cases
        ),
        *(
            _MAKER.refuse(slug, comment, "step-1", _request(_GOOD, key), "malformed")
            for slug, comment, key in BAD_VKEYS
        ),
    ]


def _lines() -> list[Case]:
    root = b64(_ROOT)
    head = f"{_ORIGIN}\n4\n"
    texts = [
        ("extension-line", "a fourth line", _TEXT + "2026-04-30T23:59:59.999999Z\n"),
        ("two-lines", "no root", head),
        ("one-line", "an origin alone", f"{_ORIGIN}\n"),
        ("empty-line-inside", "an empty line between origin and size", f"{_ORIGIN}\n\n4\n{root}\n"),
        ("empty-line-before", "an empty line before the origin", f"\n{_TEXT}"),
        ("empty-line-behind", "an empty line behind the root", f"{_TEXT}\n"),
        ("size-and-root-swapped", "root before size", f"{_ORIGIN}\n{root}\n4\n"),
        ("size-space-end", "a space behind the size", f"{_ORIGIN}\n4 \n{root}\n"),
        ("size-line-separator", "U+2028 behind the size", f"{_ORIGIN}\n4\u2028\n{root}\n"),
        (
            "size-0-other-root",
            "size 0 with another root than that of the empty tree",
            checkpoint_text(_ORIGIN, 0, _ROOT),
        ),
        ("root-31-bytes", "a root of 31 bytes", checkpoint_text(_ORIGIN, 4, _ROOT[:31])),
        ("root-33-bytes", "a root of 33 bytes", checkpoint_text(_ORIGIN, 4, _ROOT + b"\0")),
        ("root-empty", "an empty root", f"{head}\n"),
        ("root-hex", "the root in hex", f"{head}{_ROOT.hex()}\n"),
        ("root-no-padding", "the root without padding", f"{head}{root.rstrip('=')}\n"),
        ("root-tail-bits", "the root with a stray bit in its last character", f"{head}{stray_bit(root)}\n"),
        (
            "root-url-safe",
            "the root in the URL-safe alphabet",
            head + b64(b"\xff" * 32).replace("/", "_") + "\n",
        ),
        ("root-space-end", "a space behind the root", f"{head}{root} \n"),
        ("root-twice", "two roots", f"{_TEXT}{root}\n"),
    ]
    cases = [(slug, comment, _signed(text)) for slug, comment, text in texts]
    cases += [
        (f"size-{slug}", f"size: {comment}", _signed(f"{_ORIGIN}\n{text.format(4)}\n{root}\n"))
        for slug, comment, text in BAD_INTEGERS
        if "\n" not in text and text
    ]
    origins = [
        ("origin-empty", "no origin", ""),
        ("origin-space", "a space in the origin", "ledger.example.com/a b"),
        ("origin-plus", "a plus in the origin", "ledger.example.com/a+b"),
        ("origin-letter", "a letter outside ASCII in the origin", "ledger.example.com/caf\u00e9"),
        ("origin-line-separator", "U+2028 in the origin", "ledger.example.com/a\u2028b"),
        ("origin-delete", "U+007F in the origin", "ledger.example.com/a\x7fb"),
        ("origin-256", "an origin of 256 characters", "o" * 256),
    ]
    # The signature line has the name of a good origin: a name of these would not pass as one.
    cases += [
        (slug, comment, _signed(checkpoint_text(origin, 4, _ROOT))) for slug, comment, origin in origins
    ]
    return [
        _MAKER.refuse(slug, comment, "step-2", _request(text), "malformed") for slug, comment, text in cases
    ]


def _claims() -> list[Case]:
    operator_line = KEY.line(OPERATOR, _TEXT)
    unknown = [
        ("no-keys", "no key given", {"note": _GOOD, "keys": []}),
        ("other-operator", "the key of another operator", _request(_GOOD, OTHER_KEY.vkey(OTHER_OPERATOR))),
        ("other-key", "another key of the operator", _request(_GOOD, OTHER_KEY.vkey(OPERATOR))),
        (
            "same-key-other-operator",
            "the same public key under another operator",
            _request(_GOOD, KEY.vkey(OTHER_OPERATOR)),
        ),
        ("operator-prefix", "the operator's name cut short", _request(_GOOD, KEY.vkey("ledger.example.co"))),
        (
            "operator-longer",
            "a name that begins with the operator's",
            _request(_GOOD, KEY.vkey("ledger.example.com.evil.example")),
        ),
        (
            "operator-upper",
            "the operator's name in upper case",
            _request(_GOOD, KEY.vkey("LEDGER.example.com")),
        ),
        (
            "operator-and-slash",
            "the operator's name with the slash",
            _request(_GOOD, KEY.vkey("ledger.example.com/")),
        ),
        (
            "operator-and-tenant",
            "the origin without its last part",
            _request(_GOOD, KEY.vkey("ledger.example.com/acme")),
        ),
        (
            "neighbour-log-key",
            "the key under the origin of another log of the operator",
            _request(_GOOD, KEY.vkey(NEIGHBOUR.origin)),
        ),
        (
            "line-of-operator",
            "the signature line has the operator as name instead of the origin",
            _request(note(_TEXT, operator_line)),
        ),
        (
            "line-of-neighbour",
            "the signature line has the origin of another log as name",
            _request(note(_TEXT, KEY.line(NEIGHBOUR.origin, _TEXT))),
        ),
        (
            "line-other-id",
            "the line carries the id of the operator's key, not of the log's",
            _request(note(_TEXT, signature_line(_ORIGIN, key_id(OPERATOR, KEY.public), _SIGNATURE))),
        ),
        (
            "witness-only",
            "only a witness signed, and the witness's key is given",
            _request(note(_TEXT, _WITNESS_LINE), VKEY, WITNESS_KEY.vkey(WITNESS)),
        ),
        (
            "origin-changed",
            "the origin of another log in the text, the line unchanged",
            _request(_GOOD.replace(_ORIGIN, NEIGHBOUR.origin, 1)),
        ),
        (
            "text-of-other-origin-key-of-line",
            "the text names another operator; the line and the key are the example's",
            _request(_signed(checkpoint_text("other.example.net/acme", 4, _ROOT))),
        ),
    ]
    other_line = signature_line(_ORIGIN, key_id(_ORIGIN, OTHER_KEY.public), bytes(64))
    bad = [
        ("size-changed", "the size changed to 5", _request(note(checkpoint_text(_ORIGIN, 5, _ROOT), _LINE))),
        (
            "root-changed",
            "the root changed to that of 3 entries",
            _request(note(checkpoint_text(_ORIGIN, 4, EXAMPLE.root(3)), _LINE)),
        ),
        (
            "origin-changed-line-too",
            "the origin of another log in text and line, with a key of that log's id",
            _request(
                note(
                    checkpoint_text(NEIGHBOUR.origin, 4, _ROOT),
                    signature_line(NEIGHBOUR.origin, key_id(NEIGHBOUR.origin, KEY.public), _SIGNATURE),
                )
            ),
        ),
        (
            "signature-bit",
            "the signature has one bit changed",
            _request(note(_TEXT, signature_line(_ORIGIN, _ID, flip(_SIGNATURE)))),
        ),
        ("signature-zero", "a signature of zero bytes", _request(note(_TEXT, _ZERO_LINE))),
        (
            "signature-short",
            "a signature of 63 bytes",
            _request(note(_TEXT, signature_line(_ORIGIN, _ID, _SIGNATURE[:-1]))),
        ),
        (
            "signature-long",
            "a signature of 72 bytes, as with a time",
            _request(note(_TEXT, signature_line(_ORIGIN, _ID, bytes(8) + _SIGNATURE))),
        ),
        (
            "signature-s-plus-l",
            "S is not reduced",
            _request(note(_TEXT, signature_line(_ORIGIN, _ID, raise_s(_SIGNATURE)))),
        ),
        (
            "signature-of-other-key",
            "signed by another key under this key's id",
            _request(note(_TEXT, signature_line(_ORIGIN, _ID, OTHER_KEY.sign(_TEXT)))),
        ),
        (
            "second-key-bad",
            "two keys of the operator are given; the line of the second does not verify",
            _request(note(_TEXT, _LINE, other_line), VKEY, OTHER_KEY.vkey(OPERATOR)),
        ),
        (
            "second-key-bad-first",
            "the same with the bad line first",
            _request(note(_TEXT, other_line, _LINE), VKEY, OTHER_KEY.vkey(OPERATOR)),
        ),
    ]
    return [
        *(
            _MAKER.refuse(slug, comment, "step-3", request, "unknown-key")
            for slug, comment, request in unknown
        ),
        *(_MAKER.refuse(slug, comment, "step-4", request, "bad-signature") for slug, comment, request in bad),
    ]


TOPIC = Topic(
    "checkpoint",
    "Checkpoints: a given key counts where its name is the operator part of the origin or the whole origin; "
    "the signature line has the origin as name.",
    [*_accepted(), *_syntax(), *_lines(), *_claims(), *_one_id()],
    by_step=True,
)
