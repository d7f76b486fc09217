"""Consistency files: that a newer checkpoint extends one that somebody holds."""

from __future__ import annotations

from typing import Any

from generator.bounds import DOCUMENT_BYTES, strangers
from generator.example import EXAMPLE, KEY, LONG, NEIGHBOUR, OPERATOR, OTHER_KEY, OTHER_OPERATOR, VKEY
from generator.ledger import consistency_file
from generator.model import Case, Maker, Topic
from generator.mutate import BAD_INTEGERS, STRAY, flip, stray_bit
from generator.signing import b64, checkpoint_text, key_id, note, signature_line
from generator.tree import consistency_proof, sha256

_MAKER = Maker("consistencyFile", "consistency.md")
_OLD, _NEW = 3, 7
_HASHES = consistency_proof(_OLD, LONG.leaves(_NEW))
_OLDER = LONG.checkpoint(_OLD)
_NEWER = LONG.checkpoint(_NEW)
_FILE = consistency_file(_OLD, _HASHES, _NEWER)


def _request(old: str = _OLDER, file: str = _FILE, keys: list[str] | None = None) -> dict[str, Any]:
    return {"old": old, "file": file, "keys": [VKEY] if keys is None else keys}


def _with_hashes(*hashes: bytes) -> dict[str, Any]:
    return _request(file=consistency_file(_OLD, list(hashes), _NEWER))


def _signed(origin: str, size: int, root: bytes) -> str:
    """Return a checkpoint that the operator signs, true or not."""
    text = checkpoint_text(origin, size, root)
    return note(text, KEY.line(origin, text))


def _accepted() -> list[Case]:
    sizes = [(2, 3), (3, 7), (7, 8), (8, 255), (255, 256), (256, 257), (8, 8), (7, 7)]
    cases = [
        _MAKER.accept(
            f"from-{old}-to-{new}",
            f"from {old} to {new} entries",
            "step-7",
            _request(LONG.checkpoint(old), LONG.consistency_file(old, new)),
            {"origin": LONG.origin, "oldSize": str(old), "newSize": str(new)},
        )
        for old, new in sizes
    ]
    output = {"origin": LONG.origin, "oldSize": "3", "newSize": "7"}
    cases.append(
        _MAKER.accept(
            "log-key",
            "with the key under the log's origin",
            "step-7",
            _request(keys=[KEY.vkey(LONG.origin)]),
            output,
        )
    )
    witness = signature_line("witness.example.org/w1", b"\1\2\3\4", bytes(72))
    cases.append(
        _MAKER.accept(
            "witnessed",
            "both checkpoints carry a line that nobody here knows",
            "step-7",
            _request(_OLDER + witness, _FILE + witness),
            output,
        )
    )
    return cases


def _syntax() -> list[Case]:
    body = "".join(b64(h) + "\n" for h in _HASHES)
    files = [
        ("empty", "nothing", ""),
        ("checkpoint-alone", "the newer checkpoint without a proof", _NEWER),
        ("proof-alone", "the proof without a checkpoint", f"old 3\n{body}\n"),
        ("no-old", "no line `old`", f"{body}\n{_NEWER}"),
        ("no-word-old", "the size without `old`", _FILE.removeprefix("old ")),
        ("old-upper", "`Old` for `old`", _FILE.replace("old", "Old", 1)),
        ("old-index", "`index` for `old`", _FILE.replace("old", "index", 1)),
        ("old-tab", "a tab behind `old`", _FILE.replace("old ", "old\t", 1)),
        ("old-no-space", "no space behind `old`", _FILE.replace("old ", "old", 1)),
        ("old-twice", "the line `old` twice", "old 3\n" + _FILE),
        ("old-last", "the line `old` behind the hashes", f"{body}old 3\n\n{_NEWER}"),
        ("no-empty-line", "no empty line before the checkpoint", f"old 3\n{body}{_NEWER}"),
        ("two-empty-lines", "two empty lines before the checkpoint", f"old 3\n{body}\n\n{_NEWER}"),
        ("empty-line-between", "an empty line between the hashes", _FILE.replace("=\n", "=\n\n", 1)),
        ("crlf", "lines end in carriage return and newline", _FILE.replace("\n", "\r\n")),
        ("bom", "U+FEFF before `old`", "\ufeff" + _FILE),
        ("no-final-newline", "no newline at the end", _FILE[:-1]),
        ("final-newline-twice", "one more newline at the end", _FILE + "\n"),
        ("hash-31-bytes", "a hash of 31 bytes", consistency_file(3, [_HASHES[0][:31], *_HASHES[1:]], _NEWER)),
        (
            "hash-33-bytes",
            "a hash of 33 bytes",
            consistency_file(3, [_HASHES[0] + b"\0", *_HASHES[1:]], _NEWER),
        ),
        ("hash-hex", "a hash in hex", _FILE.replace(b64(_HASHES[0]), _HASHES[0].hex())),
        ("hash-no-padding", "a hash without padding", _FILE.replace("=\n", "\n", 1)),
        (
            "hash-tail-bits",
            "a hash with a stray bit in its last character",
            _FILE.replace(b64(_HASHES[0]), stray_bit(b64(_HASHES[0]))),
        ),
        ("hash-space", "a space behind a hash", _FILE.replace("=\n", "= \n", 1)),
        ("hashes-64", "64 hashes", consistency_file(3, [STRAY] * 64, _NEWER)),
        ("two-on-a-line", "two hashes on one line", _FILE.replace("=\n", "= ", 1)),
        ("comment", "a comment line", _FILE.replace("\n", "\n# from 3 to 7\n", 1)),
        (
            "newer-extension-line",
            "the newer checkpoint has a fourth line",
            consistency_file(
                3, _HASHES, note(LONG.text(7) + "more\n", KEY.line(LONG.origin, LONG.text(7) + "more\n"))
            ),
        ),
        (
            "newer-root-31",
            "the root of the newer checkpoint has 31 bytes",
            consistency_file(3, _HASHES, _signed(LONG.origin, 7, LONG.root(7)[:31])),
        ),
        ("newer-twice", "the newer checkpoint twice", _FILE + _NEWER),
    ]
    cases = [(slug, comment, _request(file=text)) for slug, comment, text in files]
    cases += [
        (f"old-{slug}", f"`old`: {comment}", _request(file=consistency_file(text.format(3), _HASHES, _NEWER)))
        for slug, comment, text in BAD_INTEGERS
    ]
    olds = [
        ("older-empty", "no older checkpoint", ""),
        ("older-crlf", "the older checkpoint with carriage returns", _OLDER.replace("\n", "\r\n")),
        (
            "older-size-leading-zero",
            "the older checkpoint says size 03",
            _signed(LONG.origin, 3, LONG.root(3)).replace("\n3\n", "\n03\n"),
        ),
        ("older-is-file", "a consistency file as older checkpoint", _FILE),
        (
            "older-0-other-root",
            "the older checkpoint says size 0 with another root",
            _signed(LONG.origin, 0, LONG.root(3)),
        ),
    ]
    cases += [(slug, comment, _request(old=text)) for slug, comment, text in olds]
    cases.append(("key-broken", "a key that is none", _request(keys=[VKEY[:-1]])))
    cases.append(
        (
            "older-before-file",
            "no newline at the end of the older checkpoint, and a file of over 262,144 bytes",
            _request(old=_OLDER[:-1], file="x" * 262_145),
        )
    )
    return [
        *(_MAKER.refuse(slug, comment, "step-1", request, "malformed") for slug, comment, request in cases),
        _MAKER.refuse(
            "too-large",
            "over 262,144 bytes, most of which are signatures of strangers; its checkpoint has fewer",
            "step-1",
            _request(file=_FILE + strangers(DOCUMENT_BYTES - len(_NEWER.encode()))),
            "too-large",
        ),
    ]


def _claims() -> list[Case]:
    zero_line = signature_line(LONG.origin, key_id(LONG.origin, KEY.public), bytes(64))
    other = OTHER_KEY.vkey(OTHER_OPERATOR)
    other_line = OTHER_KEY.line(LONG.origin, LONG.text(3))
    by_other = note(LONG.text(7), OTHER_KEY.line(LONG.origin, LONG.text(7)))
    older = [
        ("no-keys", "no key given", _request(keys=[]), "unknown-key"),
        ("key-of-another", "the key of another operator", _request(keys=[other]), "unknown-key"),
        (
            "key-of-neighbour-log",
            "the key under the origin of another log",
            _request(keys=[KEY.vkey(EXAMPLE.origin)]),
            "unknown-key",
        ),
        (
            "older-of-another-key",
            "the older checkpoint is signed by another key",
            _request(old=note(LONG.text(3), other_line)),
            "unknown-key",
        ),
        (
            "older-bad-signature",
            "the signature of the older checkpoint is zero",
            _request(old=note(LONG.text(3), zero_line)),
            "bad-signature",
        ),
        (
            "older-root-changed",
            "the root of the older checkpoint was changed",
            _request(old=_OLDER.replace(b64(LONG.root(3)), b64(STRAY))),
            "bad-signature",
        ),
        (
            "older-size-changed",
            "the size of the older checkpoint was changed to 2",
            _request(old=_OLDER.replace("\n3\n", "\n2\n")),
            "bad-signature",
        ),
    ]
    newer = [
        (
            "newer-of-another-key",
            "the newer checkpoint is signed by another key",
            _request(file=consistency_file(3, _HASHES, by_other)),
            "unknown-key",
        ),
        (
            "newer-bad-signature",
            "the signature of the newer checkpoint is zero",
            _request(file=consistency_file(3, _HASHES, note(LONG.text(7), zero_line))),
            "bad-signature",
        ),
        (
            "newer-size-changed",
            "the size of the newer checkpoint was changed to 8",
            _request(file=_FILE.replace("\n7\n", "\n8\n")),
            "bad-signature",
        ),
        (
            "newer-signature-of-older",
            "the newer checkpoint carries the signature of the older one",
            _request(
                file=consistency_file(3, _HASHES, note(LONG.text(7), KEY.line(LONG.origin, LONG.text(3))))
            ),
            "bad-signature",
        ),
    ]
    return [
        *(_MAKER.refuse(slug, comment, "step-2", request, code) for slug, comment, request, code in older),
        *(_MAKER.refuse(slug, comment, "step-3", request, code) for slug, comment, request, code in newer),
    ]


def _origins() -> list[Case]:
    other_keys = [VKEY, OTHER_KEY.vkey(OTHER_OPERATOR)]
    foreign = checkpoint_text(f"{OTHER_OPERATOR}/acme/{LONG.reference}", 7, LONG.root(7))
    foreign_note = note(foreign, OTHER_KEY.line(f"{OTHER_OPERATOR}/acme/{LONG.reference}", foreign))
    tenant = f"{OPERATOR}/other/{LONG.reference}"
    cases = [
        (
            "neighbour",
            "the newer checkpoint is another customer's",
            _request(old=LONG.checkpoint(3), file=consistency_file(3, [], NEIGHBOUR.checkpoint(4))),
        ),
        (
            "neighbour-right-hashes",
            "the hashes belong to the newer checkpoint, the older one is another customer's",
            _request(old=EXAMPLE.checkpoint(3)),
        ),
        (
            "other-tenant",
            "the same roots under another tenant",
            _request(file=consistency_file(3, _HASHES, _signed(tenant, 7, LONG.root(7)))),
        ),
        (
            "other-operator",
            "the same roots under another operator whose key is given too",
            _request(file=consistency_file(3, _HASHES, foreign_note), keys=other_keys),
        ),
        (
            "same-size-other-root",
            "the same size and another root, but of another log: no fork",
            _request(old=EXAMPLE.checkpoint(4), file=consistency_file(4, [], NEIGHBOUR.checkpoint(4))),
        ),
    ]
    return [
        _MAKER.refuse(slug, comment, "step-4", request, "wrong-origin") for slug, comment, request in cases
    ]


def _forks() -> list[Case]:
    other = _signed(LONG.origin, 3, STRAY)
    zero = _signed(LONG.origin, 3, bytes(32))
    cases = [
        (
            "fork",
            "two verified checkpoints of one origin and size with different roots",
            _request(file=consistency_file(3, [], other)),
        ),
        (
            "fork-other-way",
            "the same two, the other one older",
            _request(old=other, file=consistency_file(3, [], _OLDER)),
        ),
        ("fork-with-hash", "the same two, and a hash", _request(file=consistency_file(3, [STRAY], other))),
        (
            "fork-old-wrong",
            "the same two, and `old` is another size",
            _request(file=consistency_file(2, [], other)),
        ),
        ("fork-zero-root", "the second root is zero", _request(file=consistency_file(3, [], zero))),
    ]
    return [_MAKER.refuse(slug, comment, "step-5", request, "fork") for slug, comment, request in cases]


def _sizes() -> list[Case]:
    empty = _signed(LONG.origin, 0, sha256(b""))
    cases = [
        (
            "old-0",
            "`old 0` where an older checkpoint of size 3 is to be extended",
            _request(file=consistency_file(0, [], _NEWER)),
        ),
        (
            "old-0-of-0",
            "an older checkpoint of size 0: such a proof proves nothing",
            _request(old=empty, file=consistency_file(0, [], _NEWER)),
        ),
        (
            "old-other-size",
            "`old 2` with the hashes from size 2, the older checkpoint has size 3",
            _request(file=LONG.consistency_file(2, 7)),
        ),
        (
            "old-larger",
            "`old 7` for an older checkpoint of size 3, the newer has 7",
            _request(file=consistency_file(7, [], _NEWER)),
        ),
        (
            "old-of-newer-size",
            "`old 8`, above both sizes",
            _request(file=consistency_file(8, _HASHES, _NEWER)),
        ),
    ]
    return [
        _MAKER.refuse(slug, comment, "step-6", request, "inconsistent") for slug, comment, request in cases
    ]


def _proofs() -> list[Case]:
    first, *rest = _HASHES
    cases = [
        ("hashes-missing", "no hashes", _with_hashes()),
        ("first-hash-missing", "the first hash is missing", _with_hashes(*rest)),
        ("last-hash-missing", "the last hash is missing", _with_hashes(*_HASHES[:-1])),
        ("hash-behind", "one more hash behind", _with_hashes(*_HASHES, STRAY)),
        ("hash-before", "one more hash before", _with_hashes(STRAY, *_HASHES)),
        ("first-hash-bit", "the first hash has one bit changed", _with_hashes(flip(first), *rest)),
        (
            "second-hash-bit",
            "the second hash has one bit changed",
            _with_hashes(first, flip(rest[0]), *rest[1:]),
        ),
        (
            "last-hash-bit",
            "the last hash has one bit changed",
            _with_hashes(*_HASHES[:-1], flip(_HASHES[-1])),
        ),
        ("hashes-reversed", "the hashes in the opposite order", _with_hashes(*reversed(_HASHES))),
        ("hashes-63", "63 hashes", _with_hashes(*[STRAY] * 63)),
        (
            "equal-with-hash",
            "equal sizes and roots, and a hash",
            _request(file=consistency_file(3, [STRAY], _OLDER)),
        ),
        (
            "newer-smaller",
            "the newer checkpoint is smaller",
            _request(old=_NEWER, file=consistency_file(7, _HASHES, _OLDER)),
        ),
        (
            "newer-smaller-no-hashes",
            "the newer checkpoint is smaller, no hashes",
            _request(old=_NEWER, file=consistency_file(7, [], _OLDER)),
        ),
        (
            "older-not-prefix",
            "the operator signed an older root that the newer tree does not begin with",
            _request(old=_signed(LONG.origin, 3, STRAY)),
        ),
        (
            "newer-not-extension",
            "the operator signed a newer root that does not extend the older tree",
            _request(file=consistency_file(3, _HASHES, _signed(LONG.origin, 7, STRAY))),
        ),
        (
            "newer-size-8",
            "the operator signed the newer root with a larger size",
            _request(file=consistency_file(3, _HASHES, _signed(LONG.origin, 9, LONG.root(7)))),
        ),
        (
            "hashes-of-other-size",
            "the hashes from 3 to 8 for a newer checkpoint of 7",
            _with_hashes(*consistency_proof(3, LONG.leaves(8))),
        ),
    ]
    return [
        _MAKER.refuse(slug, comment, "step-7", request, "inconsistent") for slug, comment, request in cases
    ]


TOPIC = Topic(
    "consistency-file",
    "Consistency files: that the newer checkpoint in the file extends an older one that somebody holds.",
    [*_accepted(), *_syntax(), *_claims(), *_origins(), *_forks(), *_sizes(), *_proofs()],
    by_step=True,
)
