"""Receipts that are refused at step 1 because of their JSON: syntax, members, types, bounds."""

from __future__ import annotations

import json

from generator.bounds import padded
from generator.entry_parts import bad_origins
from generator.example import EXAMPLE, VKEY, salt
from generator.keys import BAD_VKEYS
from generator.ledger import commitment
from generator.model import Case
from generator.mutate import STRAY, stray_bit
from generator.receipt_parts import (
    MAKER,
    PATH,
    Receipt,
    changed,
    named,
    paths_as_text,
    plain,
    proof,
    refuse_form,
    request,
    text,
    without,
)
from generator.signing import b64

_PLAIN = text(plain())


def _container() -> list[Case]:
    cases: list[tuple[str, str, Receipt | str]] = [
        ("empty", "nothing", ""),
        ("truncated", "the last brace is missing", _PLAIN[:-1]),
        ("half", "the first half", _PLAIN[: len(_PLAIN) // 2]),
        ("text-behind", "something behind the receipt", _PLAIN + "0"),
        ("two-receipts", "two receipts", _PLAIN + "\n" + _PLAIN),
        ("comma-behind", "a comma behind the last member", _PLAIN[:-1] + ",}"),
        ("bom", "U+FEFF before the brace", "\ufeff" + _PLAIN),
        ("nul-behind", "U+0000 behind the brace", _PLAIN + "\0"),
        ("array", "an array of the receipt", f"[{_PLAIN}]"),
        ("string", "the receipt as a string", json.dumps(_PLAIN)),
        ("null", "null", "null"),
        ("proof-alone", "the tlog-proof alone", proof()),
        ("raw-newlines", "raw newlines in the proof", _PLAIN.replace("\\n", "\n")),
        ("duplicate-type", "the type twice", _PLAIN[:-1] + ',"type":"counterfoil/receipt@v1"}'),
        (
            "duplicate-entry",
            "a second entry, which some readers take and others do not",
            _PLAIN[:-1] + ',"entry":' + json.dumps({**EXAMPLE.entries[2], "amount": "-1"}) + "}",
        ),
        (
            "duplicate-amount",
            "a second amount in the entry",
            _PLAIN.replace('"amount":"-12.5"', '"amount":"-12.5","amount":"-12.5"'),
        ),
        (
            "duplicate-in-metadata",
            "a second member in the metadata",
            _PLAIN.replace('"tokens":1200', '"tokens":1200,"tokens":1200'),
        ),
        (
            "duplicate-escaped",
            "a second amount whose name has an escape",
            _PLAIN.replace('"amount":"-12.5"', '"amount":"-12.5","\\u0061mount":"-1"'),
        ),
        ("nan", "NaN in the details", _PLAIN.replace("1200", "NaN")),
        ("infinity", "a number beyond every double in the details", _PLAIN.replace("1200", "1e400")),
        ("two-to-53", "2^53 in the details", _PLAIN.replace("1200", "9007199254740992")),
        ("lone-surrogate", "a lone surrogate in the details", _PLAIN.replace("a\u00e9", "a\\ud83d")),
        (
            "member-unknown",
            "an unknown member",
            {**plain(), "verifiedThroughAt": "2026-04-30T23:59:59.999999Z"},
        ),
        ("member-unknown-null", "an unknown member that is null", {**plain(), "note": None}),
        ("member-case", "`Proof` for `proof`", {**without(plain, "proof"), "Proof": proof()}),
        ("keys-inside", "the receipt brings a key of its own", {**plain(), "keys": [VKEY]}),
        ("no-type", "no type", without(plain, "type")),
        ("no-entry", "no entry", without(plain, "entry")),
        ("no-proof", "no proof", without(plain, "proof")),
        ("type-null", "the type is null", changed(plain, "type", to=None)),
        ("type-number", "the type is a number", changed(plain, "type", to=1)),
        ("entry-null", "the entry is null", changed(plain, "entry", to=None)),
        (
            "entry-text",
            "the entry as a string of its bytes",
            changed(plain, "entry", to=json.dumps(EXAMPLE.entries[2])),
        ),
        ("entry-array", "the entry in an array", changed(plain, "entry", to=[EXAMPLE.entries[2]])),
        ("proof-null", "the proof is null", changed(plain, "proof", to=None)),
        ("proof-array", "the proof as an array of lines", changed(plain, "proof", to=proof().split("\n"))),
        ("details-null", "the details are null instead of absent", changed(plain, "details", to=None)),
        ("open-null", "`open` is null instead of absent", changed(named, "open", to=None)),
    ]
    return refuse_form(cases)


def _members() -> list[Case]:
    entry = EXAMPLE.entries[2]
    open_entry = EXAMPLE.entries[0]
    cases: list[tuple[str, str, Receipt | str]] = [
        ("entry-index-number", "the index is a number", changed(plain, "entry", "index", to=2)),
        (
            "entry-effective-null",
            "effectiveAt is null instead of absent",
            changed(plain, "entry", "effectiveAt", to=None),
        ),
        ("entry-member-unknown", "an unknown member in the entry", changed(plain, "entry", "note", to="")),
        ("entry-member-missing", "the entry lacks its unit", without(plain, "entry", "unit")),
        (
            "entry-amount-zeros",
            "the amount with a trailing zero",
            changed(plain, "entry", "amount", to="-12.50"),
        ),
        ("entry-amount-missing", "the delta lacks its amount", without(plain, "entry", "amount")),
        (
            "entry-amount-above-debits",
            "the amount is larger than all debits",
            changed(plain, "entry", "amount", to="-13"),
        ),
        ("entry-index-zeros", "the index with a leading zero", changed(plain, "entry", "index", to="02")),
        ("entry-index-0", "a delta at index 0", changed(plain, "entry", "index", to="0")),
        ("entry-count-above-index", "the count above the index", changed(plain, "entry", "count", to="3")),
        (
            "entry-time",
            "a time with an offset",
            changed(plain, "entry", "recordedAt", to="2026-04-02T10:30:00.250000+00:00"),
        ),
        ("entry-key-upper", "the key in upper case", changed(plain, "entry", "key", to=entry["key"].upper())),
        (
            "entry-commitment-short",
            "a commitment of 31 bytes",
            changed(plain, "entry", "details", to=entry["details"][2:]),
        ),
        ("entry-adjusts-itself", "a correction of itself", changed(plain, "entry", "adjusts", to="2")),
        (
            "entry-type-of-seal",
            "the members of a delta under the type of a seal",
            changed(plain, "entry", "type", to="counterfoil/seal@v1"),
        ),
        ("details-no-salt", "details without salt", without(plain, "details", "salt")),
        ("details-no-value", "details without value", without(plain, "details", "value")),
        (
            "details-unknown",
            "an unknown member beside salt and value",
            changed(plain, "details", "commitment", to=entry["details"]),
        ),
        ("details-salt-short", "a salt of 31 bytes", changed(plain, "details", "salt", to=salt(2).hex()[2:])),
        (
            "details-salt-upper",
            "the salt in upper case",
            changed(plain, "details", "salt", to=salt(2).hex().upper()),
        ),
        ("details-salt-base64", "the salt in base64", changed(plain, "details", "salt", to=b64(salt(2)))),
        (
            "details-value-text",
            "the value as JSON text",
            changed(plain, "details", "value", to='{"reason":"api_call"}'),
        ),
        (
            "details-value-array",
            "the value in an array",
            changed(plain, "details", "value", to=[{"reason": "api_call"}]),
        ),
        (
            "details-levels-9",
            "nine levels in the value",
            _with_metadata({"a": {"b": {"c": {"d": {"e": {"f": {"g": {}}}}}}}}),
        ),
        ("open-not-object", "`open` is an array", changed(named, "open", to=[])),
        ("open-no-entry", "`open` without entry", without(named, "open", "entry")),
        ("open-no-path", "`open` without path", without(named, "open", "path")),
        ("open-member-unknown", "an unknown member in `open`", changed(named, "open", "proof", to="")),
        (
            "open-path-text",
            "the path of `open` as one string",
            changed(named, "open", "path", to="\n".join(named()["open"]["path"])),
        ),
        ("open-path-null", "a hash of the path is null", changed(named, "open", "path", 0, to=None)),
        (
            "open-path-31",
            "a hash of 31 bytes in the path",
            changed(named, "open", "path", 0, to=b64(PATH[0][:31])),
        ),
        ("open-path-hex", "a hash in hex in the path", changed(named, "open", "path", 0, to=PATH[0].hex())),
        (
            "open-path-tail-bits",
            "a hash with a stray bit in its last character",
            changed(named, "open", "path", 0, to=stray_bit(named()["open"]["path"][0])),
        ),
        (
            "open-path-64",
            "64 hashes in the path",
            changed(named, "open", "path", to=paths_as_text([STRAY] * 64)),
        ),
        (
            "open-entry-credits",
            "an open entry with credits",
            changed(named, "open", "entry", "credits", to="1"),
        ),
        ("open-entry-null", "the entry of `open` is null", changed(named, "open", "entry", to=None)),
        (
            "open-details-null",
            "the details of `open` are null instead of absent",
            changed(named, "open", "details", to=None),
        ),
        (
            "open-details-salt-33",
            "a salt of 33 bytes in `open`",
            changed(named, "open", "details", "salt", to=salt(0).hex() + "00"),
        ),
    ]
    cases += [
        (
            f"open-entry-{slug}",
            f"in the entry of `open`: {comment}",
            changed(named, "open", "entry", "origin", to=origin),
        )
        for slug, comment, origin in bad_origins(open_entry["origin"])[:3]
    ]
    return [*refuse_form(cases), *refuse_form(_values_of_other_shape())]


def _with_metadata(metadata: object) -> Receipt:
    return changed(plain, "details", "value", "metadata", to=metadata)


def _values_of_other_shape() -> list[tuple[str, str, Receipt | str]]:
    """Details whose commitment is right and whose members are not those of a delta or of open."""
    delta_values = [
        ("no-reason", "no reason", {"referenceId": "line_001"}),
        ("reason-number", "the reason is a number", {"reason": 1}),
        ("reference-number", "referenceId is a number", {"reason": "a", "referenceId": 7}),
        ("metadata-array", "the metadata are an array", {"reason": "a", "metadata": []}),
        ("metadata-null", "the metadata are null", {"reason": "a", "metadata": None}),
        ("member-unknown", "an unknown member", {"reason": "a", "note": "b"}),
        ("of-open", "the value of an open entry", {"customerId": "cust_001"}),
    ]
    open_values = [
        ("of-delta", "the value of a delta", {"reason": "a"}),
        ("number", "the customerId is a number", {"customerId": 1}),
        (
            "member-unknown",
            "an unknown member beside the customerId",
            {"customerId": "cust_001", "name": "x"},
        ),
    ]
    cases: list[tuple[str, str, Receipt | str]] = []
    for slug, comment, value in delta_values:
        receipt = changed(plain, "details", "value", to=value)
        receipt["entry"]["details"] = commitment(salt(2), value)
        cases.append((f"value-{slug}", f"details of a delta: {comment}; the commitment fits", receipt))
    for slug, comment, value in open_values:
        receipt = changed(named, "open", "details", "value", to=value)
        receipt["open"]["entry"]["details"] = commitment(salt(0), value)
        cases.append((f"open-value-{slug}", f"details of `open`: {comment}; the commitment fits", receipt))
    return cases


def _types() -> list[Case]:
    later = {"type": "counterfoil/redaction@v1", "index": "2", "redacts": "1"}
    unknown = {**EXAMPLE.entries[3], **later}
    open_v2 = changed(named, "open", "entry", "type", to="counterfoil/open@v2")
    open_v2["open"]["entry"]["index"] = (
        "1"  # The rules of a later open are not known; the common ones are kept.
    )
    broken = changed(named, "open", "path", to="none")
    broken["entry"] = unknown
    del broken["details"]
    unknowns: list[tuple[str, str, Receipt | str]] = [
        ("type-v2", "a receipt of version 2", changed(plain, "type", to="counterfoil/receipt@v2")),
        ("type-statement", "the type of a statement", changed(plain, "type", to="counterfoil/statement@v1")),
        ("type-upper", "the type with a capital letter", changed(plain, "type", to="Counterfoil/receipt@v1")),
        ("type-empty", "an empty type", changed(plain, "type", to="")),
        ("type-newline", "a newline behind the type", changed(plain, "type", to="counterfoil/receipt@v1\n")),
        (
            "entry-type-unknown",
            "an entry of a type of a later version",
            {**without(plain, "details"), "entry": unknown},
        ),
        ("entry-type-v2", "a delta of version 2", changed(plain, "entry", "type", to="counterfoil/delta@v2")),
        ("open-type-unknown", "`open` holds an entry of a later version", open_v2),
    ]
    malformed: list[tuple[str, str, Receipt | str]] = [
        (
            "entry-type-unknown-index",
            "an entry of an unknown type, and its index has a leading zero",
            {**without(plain, "details"), "entry": {**unknown, "index": "02"}},
        ),
        (
            "entry-type-unknown-null",
            "an entry of an unknown type, and a member of it is null",
            {**without(plain, "details"), "entry": {**unknown, "redacts": None}},
        ),
        (
            "entry-type-unknown-proof",
            "an entry of an unknown type, and a proof with an `extra` line",
            {
                **without(plain, "details"),
                "entry": unknown,
                "proof": proof().replace("\nindex", "\nextra AAAA\nindex"),
            },
        ),
        (
            "entry-type-unknown-open",
            "an entry of an unknown type, and the path of `open` is no array",
            broken,
        ),
    ]
    return [*refuse_form(unknowns, "unknown-type"), *refuse_form(malformed)]


def _bounds() -> list[Case]:
    filler = "x" * 2000
    wide = changed(plain, "details", "value", to={"reason": "x" * (16385 - len('{"reason":""}'))})
    wide["entry"]["details"] = commitment(salt(2), wide["details"]["value"])
    long = {**EXAMPLE.entries[3], "type": "counterfoil/redaction@v1", "padding": filler}
    cases: list[tuple[str, str, Receipt | str]] = [
        ("entry-too-large", "an entry of over 2,048 bytes", {**without(plain, "details"), "entry": long}),
        ("details-too-large", "details of 16,385 bytes", wide),
    ]
    cases.append(("too-large", "262,145 bytes, most of which are spaces", padded(text(plain()))))
    return refuse_form(cases, "too-large")


def _keys() -> list[Case]:
    return [
        MAKER.refuse(
            slug, f"among the keys given: {comment}", "step-1", request(plain(), keys=[key]), "malformed"
        )
        for slug, comment, key in BAD_VKEYS
        if slug
        in {"key-empty", "key-other-id", "key-identity", "key-order-8", "key-non-canonical", "key-type-4"}
    ]


def cases() -> list[Case]:
    """Return the cases of these steps."""
    return [*_container(), *_members(), *_types(), *_bounds(), *_keys()]
