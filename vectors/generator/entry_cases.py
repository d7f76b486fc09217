"""Entries: the items of a log."""

from __future__ import annotations

import json

from generator.example import EXAMPLE, LONG
from generator.ledger import jcs
from generator.model import Case, Maker, Topic
from generator.mutate import BAD_HASHES
from generator.tree import leaf_hash

_MAKER = Maker("entry", "entry.md")
_OPEN, _CREDIT, _DELTA, _SEAL = EXAMPLE.entries
_ADJUSTING = LONG.entries[10]
_UNKNOWN = {**_SEAL, "type": "counterfoil/redaction@v1"}
_LARGEST = str(2**63 - 1)
_ORIGIN = _OPEN["origin"]
COMMON = ("type", "index", "recordedAt", "unit", "count", "credits", "debits")


def _text(entry: dict[str, str], **changes: str | None) -> str:
    """Write an entry with some members changed, and those without a value left out."""
    changed = {name: value for name, value in {**entry, **changes}.items() if value is not None}
    return jcs(changed).decode()


def _accepted() -> list[Case]:
    most = "9" * 29 + ".999999999"
    cases = [
        ("open", "the worked example: open", _text(_OPEN)),
        ("delta-credit", "the worked example: a credit", _text(_CREDIT)),
        ("delta-debit", "the worked example: a debit with effectiveAt", _text(_DELTA)),
        ("seal", "the worked example: seal", _text(_SEAL)),
        ("delta-adjusts", "a delta that corrects an earlier one", _text(_ADJUSTING)),
        ("adjusts-neighbour", "a correction of the entry just before", _text(_ADJUSTING, adjusts="9")),
        ("adjusts-first", "a correction of the first delta", _text(_ADJUSTING, adjusts="1")),
        (
            "amount-smallest",
            "the smallest amount, which is the whole total",
            _text(_CREDIT, amount="0.000000001", credits="0.000000001"),
        ),
        (
            "amount-largest",
            "the largest amount",
            _text(_CREDIT, amount="9" * 18 + ".999999999", credits="9" * 18 + ".999999999"),
        ),
        (
            "debit-is-total",
            "a debit as large as all debits",
            _text(_DELTA, amount="-12.5", debits="12.5", credits="0"),
        ),
        (
            "totals-largest",
            "totals of 29 digits before and 9 behind the point",
            _text(_SEAL, credits=most, debits=most),
        ),
        ("index-largest", "the largest index and count", _text(_SEAL, index=_LARGEST, count=_LARGEST)),
        (
            "count-0",
            "a seal behind nothing but the open entry",
            _text(_SEAL, index="1", count="0", credits="0", debits="0"),
        ),
        (
            "effective-later",
            "effectiveAt later than recordedAt: it is the sender's and free",
            _text(_DELTA, effectiveAt="9999-12-31T23:59:59.999999Z"),
        ),
        ("unit-32", "a unit of 32 characters", _text(_SEAL, unit="u" * 32)),
        ("unit-quotes", "a unit of characters that JSON escapes", _text(_SEAL, unit='"\\"')),
        ("unit-edges", "the first and the last character that a unit may have", _text(_SEAL, unit="!~")),
        ("origin-shortest", "the shortest operator and tenant", _text(_OPEN, origin="a/b/0x" + "0" * 40)),
    ]
    return [_accept(slug, comment, text) for slug, comment, text in cases]


def _accept(slug: str, comment: str, text: str) -> Case:
    entry = json.loads(text)
    output = {"type": entry["type"], "index": entry["index"], "leafHash": leaf_hash(text.encode()).hex()}
    return _MAKER.accept(slug, comment, "step-9", {"text": text}, output)


def _refuse(step: int, cases: list[tuple[str, str, str]], code: str = "malformed") -> list[Case]:
    return [
        _MAKER.refuse(slug, comment, f"step-{step}", {"text": text}, code) for slug, comment, text in cases
    ]


def _syntax() -> list[Case]:
    seal = _text(_SEAL)
    padded = _text(_UNKNOWN, padding="")
    large = [
        ("bytes-2049", "2,049 bytes", _text(_UNKNOWN, padding="x" * (2049 - len(padded)))),
        ("bytes-2049-spaces", "2,049 bytes, of which most are spaces", " " * (2049 - len(seal)) + seal),
        (
            "bytes-two-each",
            "fewer than 2,048 characters, but more bytes",
            _text(_UNKNOWN, padding="\u00e9" * 1000),
        ),
    ]
    not_json = [
        ("empty", "nothing", ""),
        ("truncated", "the last brace is missing", seal[:-1]),
        ("brace-behind", "one brace too many", seal + "}"),
        ("two-entries", "two entries", seal + seal),
        ("comma-behind", "a comma behind the last member", seal[:-1] + ",}"),
        ("single-quotes", "single quotation marks", seal.replace('"', "'")),
        ("comment", "a comment", seal[:-1] + "/* sealed */}"),
        ("bom", "U+FEFF before the brace", "\ufeff" + seal),
        ("array", "an array of the entry", f"[{seal}]"),
        ("string", "the entry as a string", json.dumps(seal)),
        ("null", "null", "null"),
        (
            "duplicate-member",
            "a member twice with the same value",
            seal.replace('"count":"2"', '"count":"2","count":"2"'),
        ),
        (
            "duplicate-member-other",
            "a member twice with different values",
            seal.replace('"count":"2"', '"count":"2","count":"3"'),
        ),
        (
            "duplicate-escaped",
            "a member twice, once with an escape in its name",
            seal.replace('"count":"2"', '"count":"2","\\u0063ount":"2"'),
        ),
        (
            "lone-surrogate",
            "a lone surrogate in a member of an unknown type",
            _text(_UNKNOWN, note="#").replace("#", "\\ud83d"),
        ),
        (
            "surrogates-swapped",
            "a surrogate pair in the wrong order",
            _text(_UNKNOWN, note="#").replace("#", "\\udffe\\ud83e"),
        ),
        ("control-raw", "a raw newline inside a string", _text(_UNKNOWN, note="#").replace("#", "\n")),
        ("nul-behind", "U+0000 behind the brace", seal + "\0"),
    ]
    respelled = [
        ("space-behind-colon", "a space behind a colon", seal.replace('":"', '": "', 1)),
        ("space-behind-comma", "a space behind a comma", seal.replace('","', '", "', 1)),
        ("space-first", "a space before the brace", " " + seal),
        ("newline-end", "a newline behind the brace", seal + "\n"),
        ("order", "the members in the order of a table", json.dumps(_SEAL, separators=(",", ":"))),
        ("order-type-first", "the type first", f'{{"type":"{_SEAL["type"]}",' + _text(_SEAL, type=None)[1:]),
        ("escape-letter", "a letter as an escape", seal.replace('"credits"}', '"c\\u0072edits"}')),
        ("escape-slash", "the slash as an escape", seal.replace("counterfoil/", "counterfoil\\/")),
        (
            "escape-upper",
            "an escape in upper case for a character that needs one",
            _text(_UNKNOWN, note="\x1f").replace("\\u001f", "\\u001F"),
        ),
        (
            "escape-long",
            "the long escape for a newline, which has a short one",
            _text(_UNKNOWN, note="\n").replace("\\n", "\\u000a"),
        ),
        (
            "escape-delete",
            "U+007F as an escape, which needs none",
            _text(_UNKNOWN, note="\x7f").replace("\x7f", "\\u007f"),
        ),
        (
            "escape-letter-outside-ascii",
            "\u00e9 as an escape",
            _text(_UNKNOWN, note="\u00e9").replace("\u00e9", "\\u00e9"),
        ),
        (
            "order-code-points",
            "member names outside the basic plane in the order of code points, not of UTF-16 units",
            _text(_UNKNOWN)[:-1] + ',"\ufb33":"","\U0001f600":""}',
        ),
    ]
    return [*_refuse(1, large, "too-large"), *_refuse(2, not_json), *_refuse(3, respelled)]


def _values() -> list[Case]:
    cases = [
        (
            f"{name}-number",
            f"{name} is a number",
            _text(_DELTA).replace(f'"{name}":"{_DELTA[name]}"', f'"{name}":{_DELTA[name]}'),
        )
        for name in ("index", "count", "amount", "credits")
    ]
    seal = _text(_SEAL)
    for slug, value in (
        ("null", "null"),
        ("true", "true"),
        ("array", '["credits"]'),
        ("object", '{"name":"credits"}'),
    ):
        cases.append((f"unit-{slug}", f"unit is {slug}", seal.replace('"unit":"credits"', f'"unit":{value}')))
    cases.append(("type-null", "the type is null", seal.replace(f'"{_SEAL["type"]}"', "null")))
    cases.append(
        (
            "unknown-number",
            "a further member of an unknown type is a number",
            _text(_UNKNOWN, zone="1").replace('"1"', "1"),
        )
    )
    return _refuse(4, cases)


def _common() -> list[Case]:
    cases = [(f"{name}-missing", f"no {name}", _text(_SEAL, **{name: None})) for name in COMMON]
    cases += [
        (f"unknown-{name}-missing", f"an unknown type without {name}", _text(_UNKNOWN, **{name: None}))
        for name in COMMON[1:]
    ]
    bad = {
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
            ("far-above-index", _LARGEST),
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
    cases += [
        (f"{name}-{slug}", f"{name} is {json.dumps(value)}", _text(_SEAL, **{name: value}))
        for name, values in bad.items()
        for slug, value in values
    ]
    cases += [
        (
            f"unknown-{name}-{slug}",
            f"an unknown type, and {name} is {json.dumps(value)}",
            _text(_UNKNOWN, **{name: value}),
        )
        for name, values in bad.items()
        for slug, value in values[:1] + [v for v in values if v[0] == "above-index"]
    ]
    return _refuse(5, cases)


def _types() -> list[Case]:
    padded = _text(_UNKNOWN, padding="")
    cases = [
        ("type-unknown", "a type of a later version", _text(_UNKNOWN)),
        (
            "type-unknown-members",
            "a type of a later version with members of its own",
            _text(_UNKNOWN, redacts="2", reason="r\u00e9sum\u00e9"),
        ),
        (
            "type-unknown-2048",
            "an unknown type of 2,048 bytes",
            _text(_UNKNOWN, padding="x" * (2048 - len(padded))),
        ),
        ("type-v2", "a delta of version 2", _text(_DELTA, type="counterfoil/delta@v2")),
        ("type-upper", "a seal with a capital letter", _text(_SEAL, type="counterfoil/Seal@v1")),
        ("type-space", "a space behind the type", _text(_SEAL, type="counterfoil/seal@v1 ")),
        ("type-no-version", "a seal without a version", _text(_SEAL, type="counterfoil/seal")),
        ("type-bare", "the word alone", _text(_SEAL, type="seal")),
        ("type-receipt", "the type of a receipt", _text(_SEAL, type="counterfoil/receipt@v1")),
    ]
    return _refuse(6, cases, "unknown-type")


def _members() -> list[Case]:
    cases = [
        (f"{label}-unknown-member", f"a member that {article} does not have", _text(entry, note="hello"))
        for label, article, entry in (
            ("open", "open", _OPEN),
            ("delta", "a delta", _DELTA),
            ("seal", "a seal", _SEAL),
        )
    ]
    cases += [
        (f"open-no-{name}", f"open without {name}", _text(_OPEN, **{name: None}))
        for name in ("origin", "details")
    ]
    cases += [
        (f"delta-no-{name}", f"a delta without {name}", _text(_DELTA, **{name: None}))
        for name in ("amount", "key", "details")
    ]
    cases += [
        (f"seal-with-{name}", f"a seal with {name}", _text(_SEAL, **{name: _DELTA[name]}))
        for name in ("amount", "key", "details", "effectiveAt")
    ]
    cases += [
        ("seal-with-adjusts", "a seal that corrects", _text(_SEAL, adjusts="1")),
        ("seal-with-origin", "a seal with an origin", _text(_SEAL, origin=_ORIGIN)),
        ("delta-with-origin", "a delta with an origin", _text(_DELTA, origin=_ORIGIN)),
        ("open-with-amount", "open with an amount", _text(_OPEN, amount="1", credits="1")),
        ("open-with-key", "open with a key", _text(_OPEN, key=_DELTA["key"])),
        ("open-with-effective", "open with effectiveAt", _text(_OPEN, effectiveAt=_DELTA["effectiveAt"])),
        ("delta-case", "`Amount` for `amount`", _text(_DELTA, amount=None, Amount="-12.5")),
        ("delta-customer", "a delta with a customerId", _text(_DELTA, customerId="cust_001")),
    ]
    return _refuse(7, cases)


def _rules() -> list[Case]:
    cases = [
        (f"{name}-{slug}", f"{name}: {comment}", _text(_DELTA, **{name: change(_DELTA[name])}))
        for name in ("details", "key")
        for slug, comment, change in BAD_HASHES
    ]
    cases += [
        (
            f"open-details-{slug}",
            f"details of open: {comment}",
            _text(_OPEN, details=change(_OPEN["details"])),
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
        (f"amount-{slug}", f"amount is {json.dumps(value)}", _text(_DELTA, amount=value, debits="9" * 20))
        for slug, value in amounts
    ]
    times = [
        ("no-decimals", "2026-04-02T10:29:59Z"),
        ("offset", "2026-04-02T12:29:59.000000+02:00"),
        ("february-30", "2026-02-30T10:29:59.000000Z"),
        ("empty", ""),
    ]
    cases += [
        (f"effective-{slug}", f"effectiveAt is {json.dumps(value)}", _text(_DELTA, effectiveAt=value))
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
        (f"adjusts-{slug}", f"adjusts is {json.dumps(value)}", _text(_DELTA, adjusts=value))
        for slug, value in integers
    ]
    cases += [(slug, comment, _text(_OPEN, origin=origin)) for slug, comment, origin in bad_origins(_ORIGIN)]
    return _refuse(8, cases)


def bad_origins(good: str) -> list[tuple[str, str, str]]:
    """Return origins that are not operator/tenant/reference."""
    operator, tenant, reference = good.split("/")
    return [
        ("origin-two-parts", "an origin without the reference", f"{operator}/{tenant}"),
        ("origin-four-parts", "an origin of four parts", f"{good}/x"),
        ("origin-slash-end", "a slash behind the origin", f"{good}/"),
        ("origin-no-tenant", "no tenant", f"{operator}//{reference}"),
        ("origin-scheme", "a scheme before the operator", f"https://{good}"),
        (
            "origin-operator-upper",
            "a capital letter in the operator",
            f"Ledger.example.com/{tenant}/{reference}",
        ),
        ("origin-operator-dot-first", "an operator that begins with a dot", f".{good}"),
        ("origin-operator-101", "an operator of 101 characters", f"{'o' * 101}/{tenant}/{reference}"),
        ("origin-tenant-upper", "a capital letter in the tenant", f"{operator}/Acme/{reference}"),
        ("origin-tenant-dot", "a dot in the tenant", f"{operator}/a.b/{reference}"),
        ("origin-tenant-64", "a tenant of 64 characters", f"{operator}/{'t' * 64}/{reference}"),
        (
            "origin-reference-upper",
            "upper-case hex in the reference",
            f"{operator}/{tenant}/0x{reference[2:].upper()}",
        ),
        ("origin-reference-0x-upper", "`0X` for `0x`", f"{operator}/{tenant}/0X{reference[2:]}"),
        ("origin-reference-no-prefix", "no `0x`", f"{operator}/{tenant}/{reference[2:]}"),
        ("origin-reference-39", "39 digits", good[:-1]),
        ("origin-reference-42", "42 digits", f"{good}00"),
        ("origin-customer", "a customerId in the place of the reference", f"{operator}/{tenant}/cust_001"),
    ]


def _relations() -> list[Case]:
    cases = [
        ("open-index-1", "open at index 1", _text(_OPEN, index="1")),
        ("open-count-1", "open that counts a delta", _text(_OPEN, index="1", count="1")),
        ("open-credits", "open with credits", _text(_OPEN, credits="1")),
        ("open-debits", "open with debits", _text(_OPEN, debits="0.000000001")),
        ("delta-index-0", "a delta at index 0", _text(_CREDIT, index="0", count="0")),
        ("seal-index-0", "a seal at index 0", _text(_SEAL, index="0", count="0", credits="0", debits="0")),
        ("amount-above-credits", "an amount larger than all credits", _text(_CREDIT, amount="500.000000001")),
        ("amount-no-credits", "an amount, and no credits", _text(_CREDIT, credits="0")),
        ("debit-above-debits", "a debit larger than all debits", _text(_DELTA, amount="-12.500000001")),
        ("debit-no-debits", "a debit, and no debits", _text(_DELTA, debits="0")),
        (
            "amount-in-debits",
            "an amount that only the debits hold",
            _text(_CREDIT, credits="0", debits="500"),
        ),
        ("adjusts-0", "a correction of open", _text(_ADJUSTING, adjusts="0")),
        ("adjusts-itself", "a correction of itself", _text(_ADJUSTING, adjusts="10")),
        ("adjusts-later", "a correction of a later entry", _text(_ADJUSTING, adjusts="11")),
        ("adjusts-largest", "a correction of the largest index", _text(_ADJUSTING, adjusts=_LARGEST)),
    ]
    return _refuse(9, cases)


TOPIC = Topic(
    "entry",
    "Entries: the text holds the exact bytes of an entry, which must be canonical. The output names type, index and leaf hash.",
    [*_accepted(), *_syntax(), *_values(), *_common(), *_types(), *_members(), *_rules(), *_relations()],
    by_step=True,
)
