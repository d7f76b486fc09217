"""Amounts and totals are exact, have one spelling in evidence, and never meet a float."""

# ruff: noqa: RUF001  -- other spellings of digits are what is refused

import sys
from decimal import Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from counterfoil.core import amount as module
from counterfoil.core.amount import (
    AMOUNT_NANO_END,
    NANO,
    TOTAL_NANO_END,
    format_nano,
    parse_amount,
    parse_total,
    read_amount,
)
from counterfoil.errors import CounterfoilError
from tests.core.common import code_of
from tests.support import refused

AMOUNTS = st.integers(-AMOUNT_NANO_END + 1, AMOUNT_NANO_END - 1).filter(bool) | st.integers(
    -(10**12), 10**12
).filter(bool)
TOTALS = st.integers(0, TOTAL_NANO_END - 1) | st.integers(0, 10**12)
DIGITS = st.text("0123456789", max_size=25)
SPELLINGS = st.builds(
    lambda sign, whole, fraction, exponent: f"{sign}{whole}{fraction}{exponent}",
    st.sampled_from(["", "", "-", "+"]),
    st.just("0") | st.integers(0, 10**20).map(str) | DIGITS,
    st.just("") | DIGITS.map(lambda digits: "." + digits),
    st.just("")
    | st.builds(lambda e, n: f"{e}{n}", st.sampled_from(["e", "E", "e+", "e-", "E-"]), st.integers(0, 40)),
)


def exact_nano(text):
    """The value of a decimal text in nano, as a fraction: without any precision to run out of."""
    return Fraction(text) * NANO


class TestEvidence:
    @given(AMOUNTS)
    @example(1)
    @example(-1)
    @example(AMOUNT_NANO_END - 1)
    @example(1 - AMOUNT_NANO_END)
    def test_an_amount_is_read_back_from_its_one_spelling(self, nano):
        text = format_nano(nano)
        assert parse_amount(text) == nano == exact_nano(text)
        assert text == f"{Context(prec=60).divide(Decimal(nano), NANO).normalize(Context(prec=60)):f}"

    @given(TOTALS)
    @example(0)
    @example(TOTAL_NANO_END - 1)
    def test_a_total_is_read_back_from_its_one_spelling(self, nano):
        text = format_nano(nano)
        assert parse_total(text) == nano == exact_nano(text)

    @given(SPELLINGS)
    def test_of_all_spellings_only_the_canonical_one_is_read(self, text):
        for parse, end, fits in (
            (parse_amount, AMOUNT_NANO_END, lambda n: n != 0),
            (parse_total, TOTAL_NANO_END, lambda n: n >= 0),
        ):
            code = code_of(parse, text)
            assert code in ("ok", "malformed")
            if code == "ok":
                nano = parse(text)
                assert format_nano(nano) == text
                assert fits(nano)
                assert -end < nano < end

    @pytest.mark.parametrize("text", [
        "", "-", "+", ".", "0", "-0", "+1", "00", "01", "-01", "1.", ".5", "-.5", "1.0", "1.50", "0.0",
        "-0.0", "1e3", "1E3", "1,5", "1_000", " 1", "1 ", "1\n", "\n1", "--1", "1-", "1.2.3",
        "0.0000000001", "1.0000000001", "0.1234567890", "1000000000000000000", "-1000000000000000000",
        "1" * 5_000, "0." + "0" * 5_000 + "1", "NaN", "Infinity", "-Infinity", "inf",
        "0x1", "１", "٣", "1.٣", "−1", "1\x00", "½", "²",
    ], ids=lambda text: ascii(text)[:20])  # fmt: skip
    def test_other_spellings_of_an_amount_are_malformed(self, text):
        with refused("malformed"):
            parse_amount(text)

    @pytest.mark.parametrize("text", [
        "", "-0", "-1", "+0", "00", "01", "1.", ".5", "1.0", "0.0", "1e3", " 0", "0\n", "0.0000000001",
        "1" + "0" * 29, "9" * 30, "1" * 5_000, "NaN", "１", "1\x00",
    ], ids=lambda text: ascii(text)[:20])  # fmt: skip
    def test_other_spellings_of_a_total_are_malformed(self, text):
        with refused("malformed"):
            parse_total(text)

    @pytest.mark.parametrize(("text", "nano"), [
        ("1", 10**9), ("-1", -(10**9)), ("-12.5", -12_500_000_000), ("0.000000001", 1), ("-0.000000001", -1),
        ("-0.5", -500_000_000), ("10", 10**10), ("100.01", 100_010_000_000),
        ("999999999999999999.999999999", 10**27 - 1), ("-999999999999999999.999999999", 1 - 10**27),
    ])  # fmt: skip
    def test_the_edges_are_amounts(self, text, nano):
        assert parse_amount(text) == nano
        assert format_nano(nano) == text

    def test_a_total_holds_29_digits_before_the_point(self):
        assert parse_total("9" * 29 + ".999999999") == TOTAL_NANO_END - 1


class TestInput:
    @given(SPELLINGS | SPELLINGS.map(lambda text: f"  {text} "))
    @example("1e18")
    @example("-0.0000000010e0")
    @example("1e-9")
    @example("0.1e-8")
    @example("1e-10")
    @example("100000000000000000000e-9")
    @example("0e999")
    @example("999999999999999999.9999999990")
    def test_a_number_is_read_exactly_or_refused(self, text):
        number = text.strip(" ")
        code = code_of(read_amount, text)
        assert code == wanted_code(number)
        if code == "ok":
            nano = read_amount(text)
            assert nano == exact_nano(number)
            assert parse_amount(format_nano(nano)) == nano

    @given(st.decimals() | st.decimals(allow_nan=False, places=9) | st.decimals(allow_nan=False, places=12))
    def test_a_decimal_is_read_exactly_or_refused(self, number):
        code = code_of(read_amount, number)
        if not number.is_finite():
            assert code == "invalid-field"
            return
        assume(len(str(number)) <= 40)
        if code == "ok":
            assert read_amount(number) == Fraction(number) * NANO
        else:
            nano = Fraction(number) * NANO if abs(number.adjusted()) < 1000 else Fraction(1, 3)
            assert nano == 0 or nano.denominator != 1 or abs(nano) >= AMOUNT_NANO_END

    @given(st.integers())
    @example(0)
    @example(10**18)
    @example(-(10**18))
    @example(10**18 - 1)
    @example(10**5000)
    @example(-(10**5000))
    def test_an_int_is_read_exactly_or_out_of_range(self, number):
        if number and abs(number) < 10**18:
            assert read_amount(number) == number * NANO
        else:
            with refused("amount-out-of-range", field="delta"):
                read_amount(number)

    @pytest.mark.parametrize(("text", "nano"), [
        ("+500", 500 * NANO), ("500", 500 * NANO), ("-12.50", -12_500_000_000), ("-12.5", -12_500_000_000),
        ("1e3", 1000 * NANO), ("1E+3", 1000 * NANO), ("1e+003", 1000 * NANO), ("12.5e-1", 1_250_000_000),
        ("1000e-3", NANO), ("0.0000000010", 1), ("100000000000000000", 10**17 * NANO),
        ("1e17", 10**17 * NANO), (" 5 ", 5 * NANO), ("1.000000000000000000000000000000", NANO),
    ])  # fmt: skip
    def test_other_spellings_of_a_value_are_taken(self, text, nano):
        assert read_amount(text) == nano

    @pytest.mark.parametrize("text", [
        "", " ", "-", "+", ".", "e", "e3", "1e", "1e+", "01", "-01", "1.", ".5", "1,5",
        "1_000", "1 000", "--1", "+-1", "1.2.3", "NaN", "nan", "Infinity", "-inf", "0x1f",
        "\t1", "1\n", "\u00a01", "１", "٣", "−1", "½", "1\x00", "$1", "1%", "1" * 41, "1." + "0" * 40,
        "1" * 5_000, "1e" + "9" * 5_000,
    ], ids=lambda text: ascii(text)[:20])  # fmt: skip
    def test_what_is_no_decimal_number_of_40_characters_is_an_invalid_field(self, text):
        with refused("invalid-field", field="delta"):
            read_amount(text)

    @pytest.mark.parametrize("text", [
        "0", "+0", "-0", "0.00", "-0.000", "0e5", "0e999", "0.0e-999", "1e18", "-1e18", "1e999", "1e1000", "1e-1000", "1e" + "9" * 38,
        "1000000000000000000", "1e-10", "0.0000000001", "1.0000000001", "1e-999",
        "999999999999999999.9999999999", "12.34e-8",
    ])  # fmt: skip
    def test_zero_and_what_does_not_fit_is_out_of_range_and_never_rounded(self, text):
        with refused("amount-out-of-range", field="delta"):
            read_amount(text)

    @pytest.mark.parametrize(
        "value",
        [
            1.0,
            0.1,
            -12.5,
            float("nan"),
            1e300,
            True,
            False,
            None,
            b"1",
            [1],
            {"a": 1},
            (1,),
            1j,
            Fraction(1, 2),
            object(),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_a_float_and_other_types_are_invalid_fields(self, value):
        with refused("invalid-field", field="delta"):
            read_amount(value)

    def test_the_precision_of_the_surrounding_decimal_context_does_not_matter(self):
        with localcontext(Context(prec=3)):
            assert read_amount("123456789012345678.123456789") == 123456789012345678123456789
            assert read_amount(Decimal("123456789012345678.123456789")) == 123456789012345678123456789


def test_no_float_is_ever_made():
    """Watch every value that the functions of the module hold while they read and write."""
    seen = set()

    def watch(frame, event, argument):  # noqa: ARG001  -- the signature of a trace function
        if frame.f_code.co_filename != module.__file__:
            return None
        seen.update(type(value) for value in (*frame.f_locals.values(), argument))
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        for text in (
            "+500",
            "-12.50",
            "1e3",
            "12.5e-1",
            "1e-9",
            "1e18",
            "1e-10",
            "0",
            "x",
            "999999999999999999.999999999",
            Decimal("0.1"),
            7,
        ):
            try:
                nano = read_amount(text)
            except CounterfoilError:
                continue
            parse_amount(format_nano(nano))
            parse_total(format_nano(abs(nano)))
    finally:
        sys.settrace(before)
    assert int in seen
    assert float not in seen


def wanted_code(number):
    """What docs/spec/conventions.md says of a sender's number, worked out with fractions."""
    mantissa, e, exponent = number.lower().partition("e")
    whole, point, fraction = mantissa.removeprefix("-").removeprefix("+").partition(".")
    is_number = (
        len(number) <= 40
        and whole.isdigit()
        and (whole == "0" or whole[0] != "0")
        and (fraction.isdigit() if point else True)
        and (exponent.lstrip("+-").isdigit() if e else True)
    )
    if not is_number:
        return "invalid-field"
    nano = exact_nano(number)
    return "ok" if nano and nano.denominator == 1 and abs(nano) < AMOUNT_NANO_END else "amount-out-of-range"
