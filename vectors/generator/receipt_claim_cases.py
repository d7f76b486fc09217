"""Receipts that are refused at steps 2 to 5: key, signature, origin, index, root."""

from __future__ import annotations

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
from generator.keys import raise_s
from generator.ledger import Log, jcs, tlog_proof
from generator.model import Case
from generator.mutate import STRAY, flip
from generator.receipt_parts import (
    CHECKPOINT,
    KEY_ID,
    LINE,
    MAKER,
    ORIGIN,
    PATH,
    ROOT,
    SIGNATURE,
    SIZE,
    TEXT,
    WITNESS_LINE,
    Receipt,
    changed,
    plain,
    proof,
    request,
    signed_checkpoint,
    without,
)
from generator.signing import checkpoint_text, key_id, note, signature_line
from generator.tree import leaf_hash, sha256


def _with_note(written: str) -> Receipt:
    return changed(plain, "proof", to=proof(checkpoint=written))


def _keys() -> list[Case]:
    other_keys = [OTHER_KEY.vkey(OPERATOR)]
    unknown = [
        ("no-keys", "no key given", request(plain(), keys=[])),
        (
            "other-operator",
            "the key of another operator",
            request(plain(), keys=[OTHER_KEY.vkey(OTHER_OPERATOR)]),
        ),
        ("other-key", "another key of the operator", request(plain(), keys=other_keys)),
        (
            "same-key-other-operator",
            "the same public key under another operator",
            request(plain(), keys=[KEY.vkey(OTHER_OPERATOR)]),
        ),
        (
            "operator-prefix",
            "the operator's name cut short",
            request(plain(), keys=[KEY.vkey("ledger.example.co")]),
        ),
        (
            "operator-and-tenant",
            "the key under the origin without its last part",
            request(plain(), keys=[KEY.vkey(f"{OPERATOR}/acme")]),
        ),
        (
            "neighbour-log-key",
            "the key under the origin of another log",
            request(plain(), keys=[KEY.vkey(NEIGHBOUR.origin)]),
        ),
        (
            "line-of-operator",
            "the signature line has the operator as name",
            request(_with_note(note(TEXT, KEY.line(OPERATOR, TEXT)))),
        ),
        (
            "line-other-id",
            "the id in the signature line is that of the operator's key",
            request(_with_note(note(TEXT, signature_line(ORIGIN, key_id(OPERATOR, KEY.public), SIGNATURE)))),
        ),
        (
            "witness-only",
            "only a witness signed",
            request(_with_note(note(TEXT, WITNESS_LINE)), keys=[VKEY, WITNESS_KEY.vkey(WITNESS)]),
        ),
        (
            "origin-of-neighbour",
            "the text of the checkpoint names another log",
            request(_with_note(CHECKPOINT.replace(ORIGIN, NEIGHBOUR.origin, 1))),
        ),
        (
            "unknown-key-and-origin",
            "another operator's key, and another origin is expected",
            request(plain(), keys=other_keys, origin=NEIGHBOUR.origin),
        ),
    ]
    bad = [
        (
            "size-changed",
            "the size of the checkpoint changed to 5",
            request(_with_note(note(checkpoint_text(ORIGIN, 5, ROOT), LINE))),
        ),
        (
            "root-changed",
            "the root of the checkpoint changed",
            request(_with_note(note(checkpoint_text(ORIGIN, 4, STRAY), LINE))),
        ),
        (
            "root-fits-entry",
            "the amount and the root changed so that they fit, the signature did not",
            request(_forged()),
        ),
        (
            "signature-bit",
            "the signature has one bit changed",
            request(_with_note(note(TEXT, signature_line(ORIGIN, KEY_ID, flip(SIGNATURE))))),
        ),
        (
            "signature-63-bytes",
            "a signature of 63 bytes",
            request(_with_note(note(TEXT, signature_line(ORIGIN, KEY_ID, SIGNATURE[:63])))),
        ),
        (
            "signature-65-bytes",
            "a signature of 65 bytes",
            request(_with_note(note(TEXT, signature_line(ORIGIN, KEY_ID, SIGNATURE + b"\0")))),
        ),
        (
            "signature-s-plus-l",
            "S is not reduced",
            request(_with_note(note(TEXT, signature_line(ORIGIN, KEY_ID, raise_s(SIGNATURE))))),
        ),
        (
            "signature-of-neighbour",
            "the signature of another log's checkpoint",
            request(_with_note(note(TEXT, signature_line(ORIGIN, KEY_ID, KEY.sign(NEIGHBOUR.text(4)))))),
        ),
        (
            "signature-of-proof",
            "the whole proof was signed instead of the text",
            request(_with_note(note(TEXT, signature_line(ORIGIN, KEY_ID, KEY.sign(proof()))))),
        ),
        (
            "second-key-bad",
            "one known key verifies, the other known key does not",
            request(
                _with_note(
                    note(TEXT, LINE, signature_line(ORIGIN, key_id(ORIGIN, OTHER_KEY.public), bytes(64)))
                ),
                keys=[VKEY, *other_keys],
            ),
        ),
        (
            "bad-signature-and-origin",
            "a bad signature, and another origin is expected",
            request(
                _with_note(note(TEXT, signature_line(ORIGIN, KEY_ID, bytes(64)))), origin=NEIGHBOUR.origin
            ),
        ),
    ]
    return [
        *(MAKER.refuse(slug, comment, "step-2", asked, "unknown-key") for slug, comment, asked in unknown),
        *(MAKER.refuse(slug, comment, "step-2", asked, "bad-signature") for slug, comment, asked in bad),
    ]


def _forged() -> Receipt:
    """Return a receipt whose entry has another amount, with the root that follows and the old signature."""
    entry = {**EXAMPLE.entries[2], "amount": "-1.5", "debits": "1.5"}
    forged = Log(OPERATOR, "acme", "cust_001", key=KEY, reference_key=EXAMPLE.reference_key)
    forged.entries = [*EXAMPLE.entries[:2], entry, EXAMPLE.entries[3]]
    receipt = changed(plain, "entry", to=entry)
    written = note(checkpoint_text(ORIGIN, SIZE, forged.root(SIZE)), LINE)
    return {**receipt, "proof": tlog_proof(2, forged.path(2, SIZE), written)}


def _origins() -> list[Case]:
    mixed = changed(plain, "proof", to=NEIGHBOUR.receipt(2, SIZE)["proof"])
    cases = [
        (
            "expected-neighbour",
            "the caller expects another customer's log",
            request(plain(), origin=NEIGHBOUR.origin),
        ),
        (
            "expected-tenant",
            "the caller expects another tenant",
            request(plain(), origin=ORIGIN.replace("/acme/", "/other/")),
        ),
        (
            "expected-operator",
            "the caller expects another operator",
            request(plain(), origin=ORIGIN.replace(OPERATOR, OTHER_OPERATOR)),
        ),
        (
            "expected-prefix",
            "the caller expects the origin without its last digit",
            request(plain(), origin=ORIGIN[:-1]),
        ),
        (
            "expected-newline",
            "the caller expects the origin with a newline behind",
            request(plain(), origin=ORIGIN + "\n"),
        ),
        ("expected-empty", "the caller expects an empty origin", request(plain(), origin="")),
        (
            "proof-of-neighbour-expected",
            "the proof is another customer's, and the caller expects this one",
            request(mixed, origin=ORIGIN),
        ),
        (
            "origin-and-index",
            "another origin is expected, and the index of the proof is wrong",
            request(changed(plain, "proof", to=proof(index=1)), origin=NEIGHBOUR.origin),
        ),
    ]
    return [MAKER.refuse(slug, comment, "step-3", asked, "wrong-origin") for slug, comment, asked in cases]


def _indices() -> list[Case]:
    beyond = changed(plain, "entry", "index", to="9")
    beyond["proof"] = proof(index=9)
    at_size = changed(plain, "entry", "index", to="4")
    at_size["proof"] = proof(index=4)
    largest = changed(plain, "entry", "index", to=str(2**63 - 1))
    largest["proof"] = proof(index=2**63 - 1)
    first = EXAMPLE.receipt(1, SIZE)
    cases = [
        ("proof-index", "the proof says index 1", changed(plain, "proof", to=proof(index=1))),
        ("proof-index-0", "the proof says index 0", changed(plain, "proof", to=proof(index=0))),
        (
            "proof-index-largest",
            "the proof says the largest index",
            changed(plain, "proof", to=proof(index=2**63 - 1)),
        ),
        ("entry-index", "the entry says index 3", changed(plain, "entry", "index", to="3")),
        (
            "entry-of-other-receipt",
            "the entry and details of index 1 with the proof of index 2",
            {**first, "proof": proof()},
        ),
        (
            "proof-of-other-receipt",
            "the proof of index 1 with the entry of index 2",
            changed(plain, "proof", to=first["proof"]),
        ),
        ("index-is-size", "entry and proof say index 4 of 4", at_size),
        ("index-beyond-size", "entry and proof say index 9 of 4", beyond),
        ("index-largest", "entry and proof say the largest index", largest),
        (
            "checkpoint-too-small",
            "the checkpoint of 2 entries for index 2",
            changed(plain, "proof", to=proof(checkpoint=EXAMPLE.checkpoint(2))),
        ),
        (
            "checkpoint-empty",
            "a checkpoint of the empty tree",
            changed(plain, "proof", to=proof(checkpoint=signed_checkpoint(size=0, root=sha256(b"")))),
        ),
        (
            "index-and-root",
            "the proof says index 1, and a hash is wrong",
            changed(plain, "proof", to=proof(index=1, path=[STRAY, STRAY])),
        ),
    ]
    return [
        MAKER.refuse(slug, comment, "step-4", request(receipt), "index-mismatch")
        for slug, comment, receipt in cases
    ]


def _roots() -> list[Case]:
    neighbour = NEIGHBOUR.receipt(2, SIZE)
    smaller = changed(plain, "entry", "amount", to="-1.5")
    smaller["entry"]["debits"] = "1.5"
    paths = [
        ("first-hash-bit", "the first hash of the path has one bit changed", [flip(PATH[0]), PATH[1]]),
        ("last-hash-bit", "the last hash of the path has one bit changed", [PATH[0], flip(PATH[1])]),
        ("hashes-swapped", "the hashes in the opposite order", [PATH[1], PATH[0]]),
        ("hashes-none", "no hashes", []),
        ("first-hash-missing", "the first hash is missing", [PATH[1]]),
        ("last-hash-missing", "the last hash is missing", [PATH[0]]),
        ("hash-behind", "one more hash behind", [*PATH, STRAY]),
        ("hash-before", "one more hash before", [leaf_hash(jcs(EXAMPLE.entries[2])), *PATH]),
        ("hashes-63", "63 hashes", [STRAY] * 63),
        ("hashes-of-index-3", "the path of index 3", EXAMPLE.path(3, SIZE)),
    ]
    members = [
        ("amount", "-1.5"),
        ("recordedAt", "2026-04-02T10:30:00.250001Z"),
        ("unit", "EUR"),
        ("count", "1"),
        ("credits", "501"),
        ("debits", "13"),
        ("key", EXAMPLE.entries[1]["key"]),
        ("effectiveAt", "2026-04-02T10:29:59.000001Z"),
        ("details", EXAMPLE.entries[1]["details"]),
        ("adjusts", "1"),
    ]
    cases = [(slug, comment, changed(plain, "proof", to=proof(path=path))) for slug, comment, path in paths]
    cases += [
        (
            f"entry-{name}",
            f"{name} of the entry is {value}",
            changed(lambda: without(plain, "details"), "entry", name, to=value),
        )
        for name, value in members
    ]
    cases += [
        ("entry-sign", "a credit instead of the debit", changed(plain, "entry", "amount", to="12.5")),
        ("entry-amount-and-total", "another amount with the total that fits", smaller),
        ("entry-no-effective", "the entry lacks effectiveAt", without(plain, "entry", "effectiveAt")),
        (
            "entry-of-neighbour",
            "the entry and details of the same index of another customer",
            {**neighbour, "proof": proof()},
        ),
        (
            "proof-of-neighbour",
            "the proof of the same index of another customer",
            changed(plain, "proof", to=neighbour["proof"]),
        ),
        (
            "entry-seal-for-delta",
            "a seal in the place of the delta",
            {**without(plain, "details"), "entry": {**EXAMPLE.entries[3], "index": "2"}},
        ),
        (
            "checkpoint-larger",
            "the right path under a checkpoint that says 5 entries",
            changed(plain, "proof", to=proof(checkpoint=signed_checkpoint(size=5))),
        ),
        (
            "checkpoint-older",
            "the path under 4 entries with the checkpoint of 3",
            changed(plain, "proof", to=proof(checkpoint=EXAMPLE.checkpoint(3))),
        ),
        (
            "checkpoint-other-root",
            "the operator signed another root",
            changed(plain, "proof", to=proof(checkpoint=signed_checkpoint(root=STRAY))),
        ),
        (
            "checkpoint-leaf-as-root",
            "the operator signed the leaf hash as root",
            changed(
                plain,
                "proof",
                to=proof(checkpoint=signed_checkpoint(root=leaf_hash(jcs(EXAMPLE.entries[2])))),
            ),
        ),
        (
            "root-and-details",
            "a wrong hash, and details that do not match",
            changed(
                lambda: changed(plain, "details", "value", "reason", to="x"),
                "proof",
                to=proof(path=[STRAY, PATH[1]]),
            ),
        ),
    ]
    return [
        MAKER.refuse(slug, comment, "step-5", request(receipt), "root-mismatch")
        for slug, comment, receipt in cases
    ]


def cases() -> list[Case]:
    """Return the cases of these steps."""
    return [*_keys(), *_origins(), *_indices(), *_roots()]
