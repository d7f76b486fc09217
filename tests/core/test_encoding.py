"""Integers, hex, base64 and JSON: one spelling where there is one, one meaning where there are several."""

# ruff: noqa: RUF001  -- other spellings of digits are what is refused

import enum
import json
import math
import string

import pytest
import rfc8785
from hypothesis import assume, given
from hypothesis import strategies as st

from counterfoil.core.encoding import (
    NumberToken,
    canonical_json,
    decode_base64,
    decode_hex,
    decode_integer,
    encode_base64,
    exact_numbers,
    excerpt,
    json_string,
    members,
    read_json,
    text_member,
)
from tests.core.common import code_of
from tests.support import refused

SAFE = 2**53 - 1
ANY_TEXT = st.text()  # every code point but surrogates: control characters and astral ones among them
NUMBERS = st.integers(-SAFE, SAFE) | st.floats(-SAFE, SAFE)
FLAT = st.none() | st.booleans() | NUMBERS | ANY_TEXT
# Names that sort otherwise by UTF-16 than by code point, and names that need escapes.
NAMES = ANY_TEXT | st.sampled_from(
    ["\U0001f600", "\ufb33", "\ue000", "\u20ac", "\r", "1", "</script>", "\x7f", '"', "\\", ""]
)
I_JSON = st.recursive(
    FLAT, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25
)


def read(text, bytes_max=10**6):
    return read_json(text, bytes_max=bytes_max, what="text")


class TestCanonicalJson:
    @given(I_JSON)
    def test_it_is_what_the_library_writes(self, value):
        assert canonical_json(value) == rfc8785.dumps(value)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(-SAFE, SAFE) | ANY_TEXT,
            lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
        )
    )
    def test_it_is_what_the_library_writes_where_the_fast_path_serves_alone(self, value):
        assert canonical_json(value) == rfc8785.dumps(value)

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_every_double_is_written_as_the_library_writes_it(self, value):
        assert canonical_json([value]) == rfc8785.dumps([value])
        assert float(canonical_json(value)) == value

    @pytest.mark.parametrize(("value", "text"), [
        # RFC 8785, appendix B.
        (0.0, "0"), (-0.0, "0"), (5e-324, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"), (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"), (1e23, "1e+23"),
        (1.0000000000000001e23, "1.0000000000000001e+23"),
        (999999999999999700000.0, "999999999999999700000"), (1e21, "1e+21"),
        (9.999999999999997e-7, "9.999999999999997e-7"),
        (0.000001, "0.000001"), (333333333.3333332, "333333333.3333332"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (1424953923781206.2, "1424953923781206.2"),
    ])  # fmt: skip
    def test_numbers_are_written_as_ecmascript_does(self, value, text):
        assert canonical_json(value) == text.encode()

    def test_names_are_in_the_order_of_utf_16(self):
        # RFC 8785, section 3.2.3.
        names = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7}
        assert [*json.loads(canonical_json(names)).values()] == [2, 4, 6, 7, 1, 5, 3]

    def test_every_character_below_0x80_is_escaped_as_the_rfc_says(self):
        short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
        for code in range(0x80):
            wanted = short.get(chr(code)) or (f"\\u{code:04x}" if code < 0x20 else chr(code))
            assert canonical_json(chr(code)).decode() == json_string(chr(code)) == f'"{wanted}"'

    @pytest.mark.parametrize("value", [
        math.nan, math.inf, -math.inf, SAFE + 1, -SAFE - 1, 10**5000, "\ud800", {"\udfff": 1},
        ["a", {"b": "\ud83d"}],
        {1: 2}, {None: 2}, {"a": {True: 1}}, b"a", {1, 2}, object(), 1j, {"a": 1.5, "b": "\ud800"},
        {"\U0001f600": 10**5000},
    ], ids=lambda value: type(value).__name__)  # fmt: skip
    def test_what_is_no_i_json_is_malformed(self, value):
        with refused("malformed"):
            canonical_json(value)
        with refused("malformed"):
            canonical_json([1.5, value])

    def test_endless_nesting_is_malformed(self):
        ring = []
        ring.append(ring)
        with refused("malformed"):
            canonical_json(ring)

    def test_subclasses_of_int_and_str_are_written_as_what_they_are(self):
        class Number(int, enum.Enum):
            THREE = 3

        class Word(enum.StrEnum):
            A = "a"

        assert canonical_json({Word.A: [Number.THREE, Word.A]}) == b'{"a":[3,"a"]}'
        assert canonical_json([True, 1]) == b"[true,1]"


class TestReadJson:
    @given(I_JSON, st.booleans(), st.sampled_from([None, 0, 2, "\t"]))
    def test_every_spelling_of_a_value_has_the_same_canonical_bytes(self, value, ascii_only, indent):
        spelled = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
        wanted = canonical_json(value)
        assert canonical_json(read(spelled)) == wanted
        assert canonical_json(read(spelled.encode())) == wanted
        assert canonical_json(read(wanted)) == wanted

    @given(
        I_JSON,
        st.sampled_from(["x", "]", "}", ",", "1", "\0", "\x0b", "\u00a0", "\ufeff", "{}", "//", "\x1a"]),
    )
    def test_nothing_but_white_space_may_follow(self, value, rest):
        text = canonical_json(value).decode()
        read(f" \t\r\n{text} \t\r\n")
        # A digit behind a number is another number.
        assume(not (rest == "1" and text[-1] in string.digits))
        with refused("malformed"):
            read(text + rest)
        with refused("malformed"):
            read(f"{text}\n{rest}")

    @pytest.mark.parametrize("depth", range(7))
    @pytest.mark.parametrize(
        "inner",
        [
            '{"a":1,"a":1}',
            '{"a":1,"a":2}',
            '{"a":1,"\\u0061":2}',
            '{"":{},"":{}}',
            '{"b":{},"a":[],"\\ud83d\\ude00":1,"😀":1}',
        ],
    )
    def test_a_name_that_stands_twice_is_refused_at_every_depth(self, inner, depth):
        for before, after in (('{"x":', "}"), ("[0,", "]"), ('{"a":"b","y":[', "]}")):
            with refused("malformed"):
                read(before * depth + inner + after * depth)

    @given(st.dictionaries(NAMES, FLAT, min_size=1), st.data())
    def test_any_member_repeated_is_refused(self, value, data):
        name = data.draw(st.sampled_from(sorted(value)))
        items = [*value.items(), (name, data.draw(FLAT))]
        shuffled = data.draw(st.permutations(items))
        text = ",".join(f"{json.dumps(n)}:{json.dumps(v)}" for n, v in shuffled)
        with refused("malformed"):
            read("{" + text + "}")

    @pytest.mark.parametrize("text", [
        "", " ", "nul", "NaN", "[NaN]", "Infinity", "-Infinity", '{"a":-Infinity}', "nan", "'a'", '{"a":1,}',
        "[1,]", "[,1]", "{,}",
        '{"a" 1}', "{a:1}", "[1 2]", "01", "-01", "+1", "1.", ".5", "1e", "1e+", "0x10", "1_0", "--1", "- 1",
        "٣", "１", "True", "None",
        '"\t"', '"\n"', '"\x00"', '"\x1f"', '"\\x41"', '"\\u12"', '"\\u00g0"', '"\\u 041"', '"\\u+041"',
        '"\\U00000041"', '"a', "/* */1", "1//", "[1]]", "{}{}",
        '"\\ud800"', '"\\udfff"', '"\\ude00\\ud83d"', '"\\ud83d\\ud83d\\ude00"', '"\\uD83D"', '{"\\ud800":1}',
        '[[["\\udc00"]]]', '{"a":["b",{"c":"x\\ud801y"}]}',
        "\ufeff1", "\ufeff{}", "\ud800", '"\ud800"', '{"a":"\udc80"}',
    ], ids=ascii)  # fmt: skip
    def test_what_is_no_i_json_text_is_malformed(self, text):
        with refused("malformed"):
            read(text)

    @pytest.mark.parametrize("data", [
        b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b"{\x00}\x00", b"\x00\x00\x00{", b'"\xff"', b'"\xc0\xaf"',
        b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', b'"\x80"',
    ])  # fmt: skip
    def test_other_encodings_than_utf_8_are_malformed(self, data):
        with refused("malformed"):
            read(data)

    def test_an_escaped_pair_of_surrogates_is_a_character(self):
        assert read('"\\ud83d\\ude00"') == "😀"
        assert read('{"\\uD83D\\uDE00":"\\u0000\\/\\u2028"}') == {"😀": "\x00/\u2028"}

    @pytest.mark.parametrize("opening", ["[", '{"a":', "[[],", '[{"a":'])
    @pytest.mark.parametrize("closed", [False, True])
    def test_100_000_levels_are_malformed(self, opening, closed):
        closing = {"[": "]", "{": "}"}
        ends = "".join(closing[c] for c in reversed(opening.replace("[]", "")) if c in closing)
        with refused("malformed"):
            read(opening * 100_000 + ("1" + ends * 100_000 if closed else ""))

    @pytest.mark.parametrize("token", [
        "9007199254740992", "-9007199254740992", "1" * 41, "9" * 5_000, "-" + "9" * 5_000,
        "0." + "0" * 5_000 + "1", "1" * 100_000, "1e400", "-1e400", "1E+400", "1e309",
        "1e99999999999999999999", "1e-99999999999999999999", "-1e-400", "1e-324", "9007199254740992.0",
        "9007199254740993.0", "1e16", "9007199254740991.5",
        "0.1000000000000000055", "0.10000000000000000001", "0.3000000000000000444", "4.35000000000000000001",
        "123456789012.1234567", "1e-400", "0." + "1" * 39,
    ], ids=lambda token: token[:24])  # fmt: skip
    @pytest.mark.parametrize("around", ["{}", "[{}]", '{{"a":{}}}', ' {{"a":[1,{{"b":{}}}]}}'])
    def test_a_number_that_two_readers_could_read_differently_is_malformed(self, token, around):
        with refused("malformed"):
            read(around.format(token))

    @pytest.mark.parametrize(("token", "canonical"), [
        ("0", "0"), ("-0", "0"), ("-0.0", "0"), ("0e0", "0"), ("0.0e-0", "0"),
        ("9007199254740991", "9007199254740991"), ("-9007199254740991", "-9007199254740991"),
        ("1.50", "1.5"), ("1e3", "1000"), ("1E+03", "1000"), ("0.1", "0.1"),
        ("0.1000000000000000000000000000000000", "0.1"), ("1e-7", "1e-7"), ("0.0000001", "1e-7"),
        ("5e-324", "5e-324"),
        # A zero is a zero, whatever its exponent, which a Decimal could not hold.
        ("0e99999999999999999999", "0"), ("0e-99999999999999999999", "0"),
        ("-0.00e+999999999999999999999", "0"),
    ])  # fmt: skip
    def test_another_spelling_of_a_number_is_the_same_number(self, token, canonical):
        assert canonical_json(read(token)) == canonical.encode()

    @given(st.decimals(allow_nan=False, allow_infinity=False) | st.decimals(-(10**6), 10**6, places=9))
    def test_a_number_is_taken_only_if_its_decimal_value_is_that_of_its_canonical_text(self, number):
        token = str(number).replace("E+", "e").replace("E", "e")
        assume(len(token) <= 40)
        # The oracle: exact integers over a common power of ten.
        exact = (
            abs(number) <= SAFE
            and math.isfinite(float(token))
            and _same(token, rfc8785.dumps(float(token)).decode())
        )
        assert code_of(read, token) == ("ok" if exact else "malformed")

    def test_the_bound_is_in_bytes_and_comes_first(self):
        assert read('"abc"', bytes_max=5) == "abc"
        with refused("too-large"):
            read('"abcd"', bytes_max=5)
        with refused("too-large"):
            read('"é€"', bytes_max=6)  # 4 characters, 7 bytes
        assert read('"é€"', bytes_max=7) == "é€"
        with refused("too-large"):
            read(b"\xff" * 6, bytes_max=5)
        with refused("too-large"):
            read("[" * 10**6, bytes_max=10**6 - 1)

    @given(
        st.binary(max_size=60) | st.text(alphabet='[]{}:,"\\ud80e+-.0123456789truefalsn \n').map(str.encode)
    )
    def test_any_bytes_at_all_are_read_or_malformed(self, data):
        code = code_of(read, data)
        assert code in ("ok", "malformed")
        if code == "ok":
            canonical = canonical_json(read(data))
            assert canonical_json(read(canonical)) == canonical


class TestNumberTokens:
    """Numbers as they were written, for who reads some of them as decimals."""

    @given(I_JSON, st.sampled_from([None, 2]))
    def test_made_exact_they_are_what_is_read_without(self, value, indent):
        text = json.dumps(value, ensure_ascii=False, indent=indent)
        tokens = read_json(text, bytes_max=10**6, what="text", number_tokens=True)
        assert canonical_json(exact_numbers(tokens)) == canonical_json(value)

    @pytest.mark.parametrize("token", [
        "9007199254740992", "-9007199254740992", "9" * 5_000, "1e400", "0.1000000000000000055", "1e-99999999999999999999",
        "0." + "0" * 5_000 + "1",
    ], ids=lambda token: token[:24])  # fmt: skip
    def test_they_are_read_as_text_and_refused_when_made_exact(self, token):
        tokens = read_json(f'{{"a":[{token}]}}', bytes_max=10**6, what="text", number_tokens=True)
        assert tokens == {"a": [token]}
        with refused("malformed"):
            exact_numbers(tokens)

    def test_text_that_looks_like_a_number_stays_text(self):
        tokens = read_json('["1", 1]', bytes_max=10**6, what="text", number_tokens=True)
        assert [type(token) is NumberToken for token in tokens] == [False, True]
        assert exact_numbers(tokens) == ["1", 1]

    def test_nesting_without_end_is_malformed(self):
        value = []
        for _ in range(100_000):
            value = [value]
        with refused("malformed"):
            exact_numbers(value)


def _same(one, other):
    """Whether two number texts have one decimal value, by digits and exponent alone."""

    def parts(text):
        mantissa, _, exponent = text.partition("e")
        sign = mantissa.startswith("-")
        whole, _, fraction = mantissa.lstrip("-").partition(".")
        digits = (whole + fraction).lstrip("0")
        stripped = digits.rstrip("0")
        if not stripped:
            return (False, "", 0)
        return (sign, stripped, int(exponent or 0) - len(fraction) + len(digits) - len(stripped))

    return parts(one) == parts(other)


class TestIntegers:
    @given(st.integers(0, 2**63 - 1))
    def test_every_integer_is_read_back(self, value):
        assert decode_integer(str(value)) == value

    @pytest.mark.parametrize("text", ["0", "1", "10", "9223372036854775807"])
    def test_the_edges_are_integers(self, text):
        assert str(decode_integer(text)) == text

    @pytest.mark.parametrize("text", [
        "", " ", "00", "01", "-0", "-1", "+1", " 1", "1 ", "1\n", "\n1", "1\x00", "1_0", "1,0", "1.0", "1e3",
        "0x1", "１", "٣", "१", "²", "Ⅷ", "True", "a",
        "9223372036854775808", "18446744073709551616", "99999999999999999999", "1" * 5_000, "0" * 5_000,
        "9" * 1_000_000, "\ud800", "1\u2028", "\ufeff1",
    ], ids=lambda text: ascii(text)[:16])  # fmt: skip
    def test_every_other_spelling_is_malformed(self, text):
        with refused("malformed"):
            decode_integer(text)

    @given(st.text())
    def test_text_is_an_integer_only_if_it_is_written_back_the_same(self, text):
        code = code_of(decode_integer, text)
        assert code in ("ok", "malformed")
        if code == "ok":
            assert str(decode_integer(text)) == text


class TestHex:
    @given(st.binary(max_size=80))
    def test_bytes_are_read_back(self, data):
        assert decode_hex(data.hex()) == decode_hex(data.hex(), len(data)) == data
        with refused("malformed"):
            decode_hex(data.hex(), len(data) + 1)

    @pytest.mark.parametrize(
        "text",
        [
            "0",
            "0A",
            "AB",
            "0g",
            "0x00",
            " 00",
            "00 ",
            "00\n",
            "0 0",
            "0 00",
            "００",
            "٠٠",
            "00\x00",
            "a\u0300",
            "\ud800\ud800",
            "--",
        ],
        ids=ascii,
    )
    def test_every_other_spelling_is_malformed(self, text):
        with refused("malformed"):
            decode_hex(text)

    def test_the_size_is_exact(self):
        for size in (0, 31, 33, 64):
            with refused("malformed"):
                decode_hex("00" * size, 32)


class TestBase64:
    @given(st.binary(max_size=80))
    def test_bytes_are_read_back(self, data):
        assert decode_base64(encode_base64(data)) == decode_base64(encode_base64(data), len(data)) == data
        with refused("malformed"):
            decode_base64(encode_base64(data), len(data) + 1)

    def test_of_all_spellings_of_one_and_two_bytes_one_is_read(self):
        alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
        taken = 0
        for padding, count in (("==", 2), ("=", 3)):
            for first in "AQgw/":
                for last in alphabet:
                    code = code_of(decode_base64, first * (count - 1) + last + padding)
                    assert code in ("ok", "malformed")
                    taken += code == "ok"
        # The last character may have 2 bits of 6, or 4 of 6.
        assert taken == 5 * 4 + 5 * 16

    @pytest.mark.parametrize("text", [
        "AA", "AAA", "A", "AA=", "AAAA=", "AAAA====", "=", "====", "A===", "AAB=", "AB==", "AA==AA==", "AA=A",
        "AA==\n", "\nAA==", "AA\n==", "AA ==", " AAAA", "AAAA ", "AA\r\nAA",
        "-_-_", "A-AA", "A_AA", "AA.A", "AA\x00A", "ＡＡＡＡ", "AAAé", "\ud800AAA", "AA==\x00", "AAAA\n",
    ], ids=ascii)  # fmt: skip
    def test_every_other_spelling_is_malformed(self, text):
        with refused("malformed"):
            decode_base64(text)

    @given(st.binary(min_size=1, max_size=40), st.data())
    def test_a_character_put_in_anywhere_is_other_bytes_or_malformed(self, data, choose):
        text = encode_base64(data)
        place = choose.draw(st.integers(0, len(text)))
        mutant = text[:place] + choose.draw(st.characters(max_codepoint=0x3000)) + text[place:]
        with refused("malformed"):
            decode_base64(mutant)


ASKED = {"required": frozenset({"a"}), "optional": frozenset({"b"}), "what": "thing"}


class TestMembers:
    def test_required_and_optional_members_are_taken(self):
        assert members({"a": 1}, **ASKED) == {"a": 1}
        assert members({"a": 1, "b": None}, **ASKED) == {"a": 1, "b": None}

    @pytest.mark.parametrize(
        "value",
        [
            {},
            {"b": 1},
            {"a": 1, "c": 1},
            {"a": 1, "": 1},
            {"A": 1},
            {"a": 1, "a ": 1},
            [],
            ["a"],
            "a",
            None,
            1,
            True,
        ],
        ids=repr,
    )
    def test_missing_and_unknown_members_and_other_types_are_malformed(self, value):
        with refused("malformed"):
            members(value, **ASKED)

    @pytest.mark.parametrize("value", [None, 1, True, [], {}, 1.5])
    def test_what_is_no_text_is_malformed(self, value):
        with refused("malformed"):
            text_member({"a": value}, "a", what="thing")


@given(st.text(max_size=200) | st.binary() | st.integers())
def test_an_excerpt_is_short_visible_ascii(value):
    shown = excerpt(value)
    assert len(shown) <= 80
    assert all(" " <= character <= "~" for character in shown)
