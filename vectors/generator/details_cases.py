"""Details and their commitments."""

from __future__ import annotations

import json

from generator.example import EXAMPLE, NEIGHBOUR, salt
from generator.ledger import commitment, jcs
from generator.model import Case, Maker, Topic
from generator.mutate import BAD_HASHES
from generator.tree import sha256

_MAKER = Maker("details", "details.md")
_SALT = salt(2).hex()
_VALUE = EXAMPLE.value(2)
_TEXT = jcs(_VALUE).decode()
_COMMITMENT = EXAMPLE.entries[2]["details"]


def _request(text: str, *, committed: str = _COMMITMENT, salted: str = _SALT) -> dict[str, str]:
    return {"salt": salted, "value": text, "commitment": committed}


def _as_read(text: str) -> dict[str, str]:
    """Return the request whose commitment is that of the value as a forgiving reader has it."""
    return _request(text, committed=commitment(salt(2), json.loads(text)))


def _committed(text: str) -> dict[str, str]:
    """Return the request whose commitment is that of exactly this text."""
    return _request(text, committed=sha256(salt(2) + text.encode()).hex())


def _nested(levels: int, brackets: str = "{}", *, filled: str = "") -> str:
    if filled:
        return '{"a":' * levels + filled + "}" * levels
    if brackets == "{}":
        return '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)
    return '{"a":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


def _sized(size: int) -> str:
    return '{"reason":"' + "x" * (size - len('{"reason":""}')) + '"}'


def _accepted() -> list[Case]:
    # RFC 8785, section 3.2.3.
    utf16 = json.dumps(
        {
            "\u20ac": "Euro Sign",
            "\r": "Carriage Return",
            "\ufb33": "Hebrew Letter Dalet With Dagesh",
            "1": "One",
            "\U0001f600": "Emoji: Grinning Face",
            "\u0080": "Control",
            "\u00f6": "Latin Small Letter O With Diaeresis",
        }
    )
    cases = [
        ("example", "the worked example: a delta", _TEXT),
        ("open", "the worked example: the customer", '{"customerId":"cust_001"}'),
        (
            "respelled",
            "white space, another order of members, escapes",
            json.dumps(dict(reversed(_VALUE.items())), indent=2),
        ),
        ("empty", "an empty object", "{}"),
        ("utf-16-order", "the names of RFC 8785 section 3.2.3, sorted by UTF-16 code units", utf16),
        (
            "escapes",
            "the characters that JSON escapes, and those that it may",
            '{"a":"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\\\/\\u007f\\u2028"}',
        ),
        ("not-normalised", "one accent as two characters stays so", '{"a":"e\\u0301"}'),
        ("literals", "null, true, false, arrays", '{"a":[null,true,false,[],{}]}'),
        (
            "integers",
            "zero, minus one and the largest integers",
            '{"a":[0,-1,9007199254740991,-9007199254740991]}',
        ),
        ("minus-zero", "minus zero is zero", '{"a":-0}'),
        ("zero-exponent", "zero with an exponent", '{"a":[0e5,0E5]}'),
        (
            "zero-exponent-huge",
            "zero with an exponent that no decimal library takes",
            '{"a":0.0e9999999999999999999}',
        ),
        ("number-40", "a number of 40 characters", f'{{"a":1.{"0" * 38}}}'),
        (
            "fractions",
            "fractions that read back as the same decimals",
            '{"a":[0.5,0.1,-12.25,1e-7,0.000001]}',
        ),
        ("respelled-numbers", "one number in several spellings", '{"a":[1200,1200.0,1.2e3,12E+2,1200.00]}'),
        ("levels-8", "eight levels", _nested(8)),
        ("levels-8-arrays", "eight levels, seven of them arrays", _nested(8, "[]")),
        (
            "levels-8-number",
            "eight levels, and a number in the innermost, which is none",
            _nested(8, filled="1"),
        ),
        ("bytes-16384", "16,384 bytes", _sized(16384)),
        (
            "bytes-16384-and-spaces",
            "16,384 bytes, and a space behind them which the canonical form lacks",
            _sized(16384) + " ",
        ),
    ]
    return [
        _MAKER.accept(slug, comment, "step-5", _as_read(text), {"canonical": jcs(json.loads(text)).decode()})
        for slug, comment, text in cases
    ]


def _syntax() -> list[Case]:
    cases = [
        ("empty-text", "nothing", ""),
        ("truncated", "the last brace is missing", _TEXT[:-1]),
        ("text-behind", "something behind the value", _TEXT + "0"),
        ("two-values", "two values", _TEXT + _TEXT),
        ("comma-behind", "a comma behind the last member", '{"reason":"a",}'),
        ("bom", "U+FEFF before the brace", "\ufeff" + _TEXT),
        ("array", "an array", '["a"]'),
        ("string", "a string", '"a"'),
        ("number", "a number", "1"),
        ("null", "null", "null"),
        ("nan", "NaN", '{"a":NaN}'),
        ("infinity", "Infinity", '{"a":Infinity}'),
        ("infinity-negative", "-Infinity", '{"a":-Infinity}'),
        ("undefined", "undefined", '{"a":undefined}'),
        ("capital-true", "True", '{"a":True}'),
        ("leading-zero", "a number with a leading zero", '{"a":01}'),
        ("plus", "a number with a plus sign", '{"a":+1}'),
        ("no-fraction", "a number that ends in its point", '{"a":1.}'),
        ("no-whole-part", "a number that begins with its point", '{"a":.5}'),
        ("hexadecimal", "a hexadecimal number", '{"a":0x10}'),
        ("single-quotes", "single quotation marks", "{'a':1}"),
        ("name-unquoted", "a name without quotation marks", "{a:1}"),
        ("raw-newline", "a raw newline in a string", '{"a":"\n"}'),
        ("raw-nul", "a raw U+0000 in a string", '{"a":"\0"}'),
        ("escape-unknown", "an escape that JSON does not have", '{"a":"\\x41"}'),
        ("escape-short", "an escape of three digits", '{"a":"\\u041"}'),
        ("duplicate", "a member twice", '{"reason":"a","reason":"b"}'),
        ("duplicate-same", "a member twice with the same value", '{"reason":"a","reason":"a"}'),
        (
            "duplicate-escaped",
            "a member twice, once with an escape in its name",
            '{"reason":"a","re\\u0061son":"a"}',
        ),
        ("duplicate-inner", "a member twice in an inner object", '{"metadata":{"a":1,"a":1},"reason":"a"}'),
        (
            "duplicate-inner-array",
            "a member twice in an object in an array",
            '{"metadata":{"a":[{"b":1,"b":2}]},"reason":"a"}',
        ),
        ("surrogate-high", "a lone high surrogate", '{"a":"\\ud83d"}'),
        ("surrogate-low", "a lone low surrogate", '{"a":"\\ude00"}'),
        ("surrogates-swapped", "a surrogate pair in the wrong order", '{"a":"\\ude00\\ud83d"}'),
        ("surrogate-name", "a lone surrogate in a name", '{"\\ud83d":"a"}'),
        ("surrogate-inner", "a lone surrogate deep inside", '{"a":[{"b":["\\udfff"]}]}'),
        ("no-break-space", "a no-break space between the tokens", '{"a":\u00a01}'),
        ("levels-5000", "5,000 open brackets that nothing closes", '{"a":' + "[" * 5000),
    ]
    return [
        _MAKER.refuse(slug, comment, "step-1", _request(text), "malformed") for slug, comment, text in cases
    ]


def _bounds() -> list[Case]:
    deep = [
        ("levels-9", "nine levels", _nested(9)),
        ("levels-9-arrays", "nine levels, eight of them arrays", _nested(9, "[]")),
        ("levels-9-number", "nine levels, and a number in the innermost", _nested(9, filled="1")),
        ("levels-9-mixed", "nine levels, mixed", '{"a":[{"b":[{"c":[{"d":[[]]}]}]}]}'),
        ("levels-500", "500 levels", _nested(500, "[]")),
        (
            "levels-9-and-large",
            "nine levels, and over 16,384 bytes",
            f'{{"a":{_nested(8)},{_sized(16385)[1:]}',
        ),
    ]
    large = [
        ("bytes-16385", "16,385 bytes", _sized(16385)),
        (
            "bytes-16385-characters-fewer",
            "16,385 bytes of fewer characters",
            '{"reason":"' + "\u00e9" * 8186 + '"}',
        ),
    ]
    return [
        *(
            _MAKER.refuse(slug, comment, "step-2", _as_read(text), "malformed")
            for slug, comment, text in deep
        ),
        *(
            _MAKER.refuse(slug, comment, "step-3", _as_read(text), "too-large")
            for slug, comment, text in large
        ),
        _MAKER.refuse(
            "bytes-16385-and-salt",
            "16,385 bytes, and a salt of 31 bytes",
            "step-3",
            _request(_sized(16385), salted=_SALT[2:]),
            "too-large",
        ),
    ]


def _numbers() -> list[Case]:
    texts = [
        ("two-to-53", "2^53", "9007199254740992"),
        ("two-to-53-negative", "-2^53", "-9007199254740992"),
        ("two-to-53-plus-1", "2^53+1, which no double holds", "9007199254740993"),
        ("two-to-53-exponent", "a number above 2^53 with an exponent", "1e16"),
        ("two-to-53-fraction", "2^53 with a fraction", "9007199254740992.0"),
        ("twenty-digits", "20 digits", "12345678901234567890"),
        ("1e400", "a number beyond every double", "1e400"),
        ("1e400-negative", "the same, negative", "-1e400"),
        ("1e308", "the largest doubles", "1e308"),
        ("1e-400", "a number so small that a double is zero", "1e-400"),
        ("5e-400", "the same with another digit", "5e-400"),
        (
            "tenth-19-digits",
            "a tenth as the double holds it, more digits than it takes to write it",
            "0.1000000000000000055",
        ),
        ("tenth-and-little", "a tenth and 10^-20", "0.10000000000000000001"),
        ("third", "20 digits of a third", "0.33333333333333333333"),
        ("half-and-little", "a half and 10^-30", "0.500000000000000000000000000001"),
        ("cents", "an amount of 17 digits that a double rounds", "90071992547409.931"),
        ("characters-41", "one, in 41 characters", f"1.{'0' * 39}"),
        ("exponent-million", "a number that costs minutes to expand", "1e1000000"),
    ]
    cases = []
    for slug, comment, token in texts:
        text = f'{{"a":{token}}}'
        # Committed to as it is written: only the rule for numbers refuses it.
        cases.append(_MAKER.refuse(slug, comment, "step-1", _committed(text), "malformed"))
    nested = '{"metadata":{"ids":[1,2,9007199254740993]},"reason":"a"}'
    cases.append(
        _MAKER.refuse("inner", "a number above 2^53 deep inside", "step-1", _committed(nested), "malformed")
    )
    large = f'{{"a":9007199254740993,{_sized(16385)[1:]}'
    cases.append(
        _MAKER.refuse(
            "number-and-large",
            "2^53+1, and over 16,384 bytes",
            "step-1",
            _committed(large),
            "malformed",
        )
    )
    return cases


def _hashes() -> list[Case]:
    return [
        *(
            _MAKER.refuse(
                f"salt-{slug}",
                f"salt: {comment}",
                "step-4",
                _request(_TEXT, salted=change(_SALT)),
                "malformed",
            )
            for slug, comment, change in BAD_HASHES
        ),
        *(
            _MAKER.refuse(
                f"commitment-{slug}",
                f"commitment: {comment}",
                "step-4",
                _request(_TEXT, committed=change(_COMMITMENT)),
                "malformed",
            )
            for slug, comment, change in BAD_HASHES
        ),
    ]


def _mismatches() -> list[Case]:
    spaced = json.dumps(_VALUE, ensure_ascii=False)
    by_code_point = '{"\ufb33":1,"\U0001f600":2}'
    escaped = '{"a":"\\u00e9"}'
    cases = [
        (
            "salt-bit",
            "the salt has one bit changed",
            _request(_TEXT, salted=_SALT[:-1] + f"{int(_SALT[-1], 16) ^ 1:x}"),
        ),
        ("salt-of-neighbour", "the salt of another entry", _request(_TEXT, salted=salt(1).hex())),
        ("salt-zero", "a salt of zero bytes", _request(_TEXT, salted="00" * 32)),
        (
            "salt-reversed",
            "the bytes of the salt in the opposite order",
            _request(_TEXT, salted=salt(2)[::-1].hex()),
        ),
        (
            "commitment-bit",
            "the commitment has one bit changed",
            _request(_TEXT, committed=_COMMITMENT[:-1] + f"{int(_COMMITMENT[-1], 16) ^ 1:x}"),
        ),
        (
            "commitment-of-neighbour",
            "the commitment of another customer's entry",
            _request(_TEXT, committed=NEIGHBOUR.entries[2]["details"]),
        ),
        (
            "commitment-unsalted",
            "the hash of the value without the salt",
            _request(_TEXT, committed=sha256(_TEXT.encode()).hex()),
        ),
        (
            "commitment-salt-behind",
            "the hash of the value and then the salt",
            _request(_TEXT, committed=sha256(_TEXT.encode() + salt(2)).hex()),
        ),
        (
            "commitment-hex-salt",
            "the salt was hashed as hex",
            _request(_TEXT, committed=sha256((_SALT + _TEXT).encode()).hex()),
        ),
        (
            "commitment-prefixed",
            "a leaf's byte 0x00 was hashed before",
            _request(_TEXT, committed=sha256(b"\0" + salt(2) + _TEXT.encode()).hex()),
        ),
        ("value-word", "a word changed", _request(_TEXT.replace("api_call", "api_calls"))),
        ("value-case", "a letter changed its case", _request(_TEXT.replace("api_call", "API_call"))),
        ("value-number", "a number changed by one", _request(_TEXT.replace("1200", "1201"))),
        ("value-number-as-text", "a number became a string", _request(_TEXT.replace("1200", '"1200"'))),
        (
            "value-accent",
            "the accent as two characters: nothing is normalised",
            _request(_TEXT.replace("\u00e9", "e\u0301")),
        ),
        ("value-space", "a space inside a string", _request(_TEXT.replace("api_call", "api_call "))),
        (
            "value-member-removed",
            "a member removed",
            _request(jcs({"reason": "api_call", "referenceId": "line_001"}).decode()),
        ),
        ("value-member-added", "a member added", _request(jcs({**_VALUE, "note": ""}).decode())),
        (
            "value-member-null",
            "a member is null instead of missing",
            _request(jcs({**_VALUE, "note": None}).decode()),
        ),
        ("value-other", "the details of another entry", _request('{"reason":"initial_deposit"}')),
        ("value-empty", "an empty object", _request("{}")),
        ("not-canonical-spaces", "the commitment is that of the text with its spaces", _committed(spaced)),
        (
            "not-canonical-order",
            "the commitment is that of names in the order of code points",
            _committed(by_code_point),
        ),
        ("not-canonical-escape", "the commitment is that of a text with an escape", _committed(escaped)),
        (
            "not-canonical-number",
            "the commitment is that of a number with a fraction of zero",
            _committed('{"a":1.0}'),
        ),
        (
            "not-canonical-exponent",
            "the commitment is that of 1e-7 written out",
            _committed('{"a":0.0000001}'),
        ),
        ("not-canonical-minus-zero", "the commitment is that of minus zero", _committed('{"a":-0}')),
    ]
    return [
        _MAKER.refuse(slug, comment, "step-5", request, "details-mismatch")
        for slug, comment, request in cases
    ]


TOPIC = Topic(
    "details",
    "Details: the value is JSON text, the commitment is SHA-256(salt || canonical form of the value). "
    "The operation takes any object; which members belong to which entry is a receipt's to check.",
    [*_accepted(), *_syntax(), *_numbers(), *_bounds(), *_hashes(), *_mismatches()],
    by_step=True,
)
