"""Entries that are refused at steps 5 to 9: members, types, and what holds within one entry."""

from __future__ import annotations

import json

from generator.entry_parts import (
    ADJUSTING,
    CREDIT,
    DELTA,
    LARGEST,
    OPEN,
    ORIGIN,
    SEAL,
    UNKNOWN,
    bad_origins,
    refuse,
    written,
)
from generator.model import Case
from generator.mutate import BAD_HASHES

_COMMON = ("type", "index", "recordedAt", "unit", "count", "credits", "debits")
# Common members as they must not be written.
_BAD = {
    "index": [
        ("leading-zero", "03"),
        ("plus", "+3"),
        ("minus", "-3"),
        ("space", " 3"),
        ("newline", "3\n"),
        ("point", "3.0"),
        ("two-to-63", str(2**63)),
        ("twenty-digits", "1" + "0" * 19),
        ("full-width", "\uff13"),
        ("empty", ""),
    ],
    "count": [
        ("leading-zero", "02"),
        ("minus", "-2"),
        ("point", "2.0"),
        ("two-to-63", str(2**63)),
        ("empty", ""),
        ("above-index", "4"),
        ("far-above-index", LARGEST),
    ],
    "recordedAt": [
        ("no-decimals", "2026-04-30T23:59:59Z"),
        ("offset", "2026-04-30T23:59:59.999999+00:00"),
        ("february-30", "2026-02-30T00:00:00.000000Z"),
        ("leap-second", "2016-12-31T23:59:60.000000Z"),
        ("year-0", "0000-01-01T00:00:00.000000Z"),
        ("empty", ""),
    ],
    "unit": [
        ("empty", ""),
        ("33-characters", "u" * 33),
        ("space", "credit points"),
        ("letter", "cr\u00e9dits"),
        ("delete", "\x7f"),
        ("newline", "credits\n"),
        ("nul", "\0"),
    ],
    "credits": [
        ("minus", "-500"),
        ("minus-zero", "-0"),
        ("plus", "+500"),
        ("leading-zero", "0500"),
        ("trailing-zero", "500.0"),
        ("no-whole-part", ".5"),
        ("exponent", "5e2"),
        ("30-digits", "1" + "0" * 29),
        ("10-decimals", "1.0000000001"),
        ("empty", ""),
    ],
    "debits": [
        ("minus", "-12.5"),
        ("trailing-zero", "12.50"),
        ("comma", "12,5"),
        ("30-digits", "1" + "0" * 29),
        ("zero-point", "0.0"),
        ("nan", "NaN"),
    ],
}


def _common() -> list[Case]:
    cases = [(f"{name}-missing", f"no {name}", written(SEAL, **{name: None})) for name in _COMMON]
    cases += [
        (f"unknown-{name}-missing", f"an unknown type without {name}", written(UNKNOWN, **{name: None}))
        for name in _COMMON[1:]
    ]
    cases += [
        (f"{name}-{slug}", f"{name} is {json.dumps(value)}", written(SEAL, **{name: value}))
        for name, values in _BAD.items()
        for slug, value in values
    ]
    cases += [
        (
            f"unknown-{name}-{slug}",
            f"an unknown type, and {name} is {json.dumps(value)}",
            written(UNKNOWN, **{name: value}),
        )
        for name, values in _BAD.items()
        for slug, value in values[:1] + [v for v in values if v[0] == "above-index"]
    ]
    return refuse(5, cases)


def _types() -> list[Case]:
    padded = written(UNKNOWN, padding="")
    cases = [
        ("type-unknown", "a type of a later version", written(UNKNOWN)),
        (
            "type-unknown-members",
            "a type of a later version with members of its own",
            written(UNKNOWN, redacts="2", reason="r\u00e9sum\u00e9"),
        ),
        (
            "type-unknown-2048",
            "an unknown type of 2,048 bytes",
            written(UNKNOWN, padding="x" * (2048 - len(padded))),
        ),
        ("type-v2", "a delta of version 2", written(DELTA, type="counterfoil/delta@v2")),
        ("type-upper", "a seal with a capital letter", written(SEAL, type="counterfoil/Seal@v1")),
        ("type-space", "a space behind the type", written(SEAL, type="counterfoil/seal@v1 ")),
        ("type-no-version", "a seal without a version", written(SEAL, type="counterfoil/seal")),
        ("type-bare", "the word alone", written(SEAL, type="seal")),
        ("type-receipt", "the type of a receipt", written(SEAL, type="counterfoil/receipt@v1")),
    ]
    return refuse(6, cases, "unknown-type")


def _members() -> list[Case]:
    cases = [
        (f"{label}-unknown-member", f"a member that {article} does not have", written(entry, note="hello"))
        for label, article, entry in (
            ("open", "open", OPEN),
            ("delta", "a delta", DELTA),
            ("seal", "a seal", SEAL),
        )
    ]
    cases += [
        (f"open-no-{name}", f"open without {name}", written(OPEN, **{name: None}))
        for name in ("origin", "details")
    ]
    cases += [
        (f"delta-no-{name}", f"a delta without {name}", written(DELTA, **{name: None}))
        for name in ("amount", "key", "details")
    ]
    cases += [
        (f"seal-with-{name}", f"a seal with {name}", written(SEAL, **{name: DELTA[name]}))
        for name in ("amount", "key", "details", "effectiveAt")
    ]
    cases += [
        ("seal-with-adjusts", "a seal that corrects", written(SEAL, adjusts="1")),
        ("seal-with-origin", "a seal with an origin", written(SEAL, origin=ORIGIN)),
        ("delta-with-origin", "a delta with an origin", written(DELTA, origin=ORIGIN)),
        ("open-with-amount", "open with an amount", written(OPEN, amount="1", credits="1")),
        ("open-with-key", "open with a key", written(OPEN, key=DELTA["key"])),
        ("open-with-effective", "open with effectiveAt", written(OPEN, effectiveAt=DELTA["effectiveAt"])),
        ("delta-case", "`Amount` for `amount`", written(DELTA, amount=None, Amount="-12.5")),
        ("delta-customer", "a delta with a customerId", written(DELTA, customerId="cust_001")),
    ]
    return refuse(7, cases)


def _rules() -> list[Case]:
    cases = [
        (f"{name}-{slug}", f"{name}: {comment}", written(DELTA, **{name: change(DELTA[name])}))
        for name in ("details", "key")
        for slug, comment, change in BAD_HASHES
    ]
    cases += [
        (
            f"open-details-{slug}",
            f"details of open: {comment}",
            written(OPEN, details=change(OPEN["details"])),
        )
        for slug, comment, change in BAD_HASHES
    ]
    amounts = [
        ("zero", "0"),
        ("minus-zero", "-0"),
        ("plus", "+12.5"),
        ("trailing-zero", "-12.50"),
        ("leading-zero", "-012.5"),
        ("exponent", "-125e-1"),
        ("no-whole-part", "-.5"),
        ("10-decimals", "-0.0000000001"),
        ("19-digits", "-1" + "0" * 18),
        ("space", "-12.5 "),
        ("minus-sign", "\u221212.5"),
        ("empty", ""),
    ]
    cases += [
        (f"amount-{slug}", f"amount is {json.dumps(value)}", written(DELTA, amount=value, debits="9" * 20))
        for slug, value in amounts
    ]
    times = [
        ("no-decimals", "2026-04-02T10:29:59Z"),
        ("offset", "2026-04-02T12:29:59.000000+02:00"),
        ("february-30", "2026-02-30T10:29:59.000000Z"),
        ("empty", ""),
    ]
    cases += [
        (f"effective-{slug}", f"effectiveAt is {json.dumps(value)}", written(DELTA, effectiveAt=value))
        for slug, value in times
    ]
    integers = [
        ("leading-zero", "01"),
        ("plus", "+1"),
        ("minus", "-1"),
        ("point", "1.0"),
        ("two-to-63", str(2**63)),
        ("empty", ""),
    ]
    cases += [
        (f"adjusts-{slug}", f"adjusts is {json.dumps(value)}", written(DELTA, adjusts=value))
        for slug, value in integers
    ]
    cases += [(slug, comment, written(OPEN, origin=origin)) for slug, comment, origin in bad_origins(ORIGIN)]
    return refuse(8, cases)


def _relations() -> list[Case]:
    cases = [
        ("open-index-1", "open at index 1", written(OPEN, index="1")),
        ("open-count-1", "open that counts a delta", written(OPEN, index="1", count="1")),
        ("open-credits", "open with credits", written(OPEN, credits="1")),
        ("open-debits", "open with debits", written(OPEN, debits="0.000000001")),
        ("delta-index-0", "a delta at index 0", written(CREDIT, index="0", count="0")),
        ("seal-index-0", "a seal at index 0", written(SEAL, index="0", count="0", credits="0", debits="0")),
        (
            "amount-above-credits",
            "an amount larger than all credits",
            written(CREDIT, amount="500.000000001"),
        ),
        ("amount-no-credits", "an amount, and no credits", written(CREDIT, credits="0")),
        ("debit-above-debits", "a debit larger than all debits", written(DELTA, amount="-12.500000001")),
        ("debit-no-debits", "a debit, and no debits", written(DELTA, debits="0")),
        (
            "amount-in-debits",
            "an amount that only the debits hold",
            written(CREDIT, credits="0", debits="500"),
        ),
        ("adjusts-0", "a correction of open", written(ADJUSTING, adjusts="0")),
        ("adjusts-itself", "a correction of itself", written(ADJUSTING, adjusts="10")),
        ("adjusts-later", "a correction of a later entry", written(ADJUSTING, adjusts="11")),
        ("adjusts-largest", "a correction of the largest index", written(ADJUSTING, adjusts=LARGEST)),
    ]
    return refuse(9, cases)


def cases() -> list[Case]:
    """Return the cases of these steps."""
    return [*_common(), *_types(), *_members(), *_rules(), *_relations()]
