"""Entries that are refused at steps 1 to 4: size, JSON, canonical form, values that are no strings."""

from __future__ import annotations

import json

from generator.entry_parts import DELTA, SEAL, UNKNOWN, refuse, written
from generator.model import Case


def _syntax() -> list[Case]:
    seal = written(SEAL)
    padded = written(UNKNOWN, padding="")
    large = [
        ("bytes-2049", "2,049 bytes", written(UNKNOWN, padding="x" * (2049 - len(padded)))),
        ("bytes-2049-spaces", "2,049 bytes, of which most are spaces", " " * (2049 - len(seal)) + seal),
        (
            "bytes-two-each",
            "fewer than 2,048 characters, but more bytes",
            written(UNKNOWN, padding="\u00e9" * 1000),
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
            written(UNKNOWN, note="#").replace("#", "\\ud83d"),
        ),
        (
            "surrogates-swapped",
            "a surrogate pair in the wrong order",
            written(UNKNOWN, note="#").replace("#", "\\udffe\\ud83e"),
        ),
        ("control-raw", "a raw newline inside a string", written(UNKNOWN, note="#").replace("#", "\n")),
        ("nul-behind", "U+0000 behind the brace", seal + "\0"),
    ]
    respelled = [
        ("space-behind-colon", "a space behind a colon", seal.replace('":"', '": "', 1)),
        ("space-behind-comma", "a space behind a comma", seal.replace('","', '", "', 1)),
        ("space-first", "a space before the brace", " " + seal),
        ("newline-end", "a newline behind the brace", seal + "\n"),
        ("order", "the members in the order of a table", json.dumps(SEAL, separators=(",", ":"))),
        ("order-type-first", "the type first", f'{{"type":"{SEAL["type"]}",' + written(SEAL, type=None)[1:]),
        ("escape-letter", "a letter as an escape", seal.replace('"credits"}', '"c\\u0072edits"}')),
        ("escape-slash", "the slash as an escape", seal.replace("counterfoil/", "counterfoil\\/")),
        (
            "escape-upper",
            "an escape in upper case for a character that needs one",
            written(UNKNOWN, note="\x1f").replace("\\u001f", "\\u001F"),
        ),
        (
            "escape-long",
            "the long escape for a newline, which has a short one",
            written(UNKNOWN, note="\n").replace("\\n", "\\u000a"),
        ),
        (
            "escape-delete",
            "U+007F as an escape, which needs none",
            written(UNKNOWN, note="\x7f").replace("\x7f", "\\u007f"),
        ),
        (
            "escape-letter-outside-ascii",
            "\u00e9 as an escape",
            written(UNKNOWN, note="\u00e9").replace("\u00e9", "\\u00e9"),
        ),
        (
            "order-code-points",
            "member names outside the basic plane in the order of code points, not of UTF-16 units",
            written(UNKNOWN)[:-1] + ',"\ufb33":"","\U0001f600":""}',
        ),
    ]
    return [*refuse(1, large, "too-large"), *refuse(2, not_json), *refuse(3, respelled)]


def _values() -> list[Case]:
    cases = [
        (
            f"{name}-number",
            f"{name} is a number",
            written(DELTA).replace(f'"{name}":"{DELTA[name]}"', f'"{name}":{DELTA[name]}'),
        )
        for name in ("index", "count", "amount", "credits")
    ]
    seal = written(SEAL)
    for slug, value in (
        ("null", "null"),
        ("true", "true"),
        ("array", '["credits"]'),
        ("object", '{"name":"credits"}'),
    ):
        cases.append((f"unit-{slug}", f"unit is {slug}", seal.replace('"unit":"credits"', f'"unit":{value}')))
    cases.append(("type-null", "the type is null", seal.replace(f'"{SEAL["type"]}"', "null")))
    cases.append(
        (
            "unknown-number",
            "a further member of an unknown type is a number",
            written(UNKNOWN, zone="1").replace('"1"', "1"),
        )
    )
    return refuse(4, cases)


def cases() -> list[Case]:
    """Return the cases of these steps."""
    return [*_syntax(), *_values()]
