"""Amounts: exact decimals with one spelling each."""

from __future__ import annotations

from generator.ledger import nano
from generator.model import Maker, Topic

_MAKER = Maker("amount", "conventions.md")

_ACCEPTED = [
    ("one", "one", "1"),
    ("whole", "a whole number", "500"),
    ("negative", "a negative amount with a fraction", "-12.5"),
    ("ten", "zeros before the point count", "10"),
    ("fraction", "less than one", "0.25"),
    ("inner-zeros", "zeros inside the fraction", "1.001"),
    ("nine-decimals", "nine different decimals", "1.234567891"),
    ("smallest", "the smallest amount", "0.000000001"),
    ("smallest-negative", "the smallest amount, negative", "-0.000000001"),
    ("largest", "18 digits before the point and 9 after", "999999999999999999.999999999"),
    ("largest-negative", "18 digits before the point and 9 after, negative", "-999999999999999999.999999999"),
    ("beyond-double", "2^53+1, which no double holds", "9007199254740993"),
]

_REFUSED = [
    ("empty", "nothing", ""),
    ("zero", "zero is no amount", "0"),
    ("minus-zero", "zero with a sign", "-0"),
    ("zero-fraction", "zero with a fraction", "0.0"),
    ("zero-nine-decimals", "zero with nine decimals", "0.000000000"),
    ("plus", "a plus sign", "+1"),
    ("leading-zero", "a leading zero", "01"),
    ("leading-zeros", "two zeros before the point", "00.5"),
    ("leading-zero-negative", "a leading zero behind the sign", "-01"),
    ("trailing-zero", "a trailing zero behind the point", "1.0"),
    ("trailing-zero-cents", "a second decimal that is zero", "12.50"),
    ("trailing-zero-ninth", "nine decimals of which the last is zero", "0.123456780"),
    ("no-whole-part", "no digit before the point", ".5"),
    ("no-whole-part-negative", "no digit between sign and point", "-.5"),
    ("no-fraction", "no digit behind the point", "1."),
    ("point-alone", "a point alone", "."),
    ("minus-alone", "a sign alone", "-"),
    ("two-points", "two points", "1.2.3"),
    ("double-point", "two points side by side", "1..5"),
    ("double-minus", "two signs", "--1"),
    ("minus-behind", "the sign behind the digits", "1-"),
    ("minus-inside", "a space between sign and digits", "- 1"),
    ("parentheses", "a negative amount as accountants write it", "(1)"),
    ("exponent", "an exponent", "1e3"),
    ("exponent-upper", "an exponent, upper case", "1E3"),
    ("exponent-negative", "a negative exponent", "5e-1"),
    ("exponent-huge", "an exponent that costs minutes to expand", "1e2000000"),
    ("digits-19", "19 digits before the point", "1000000000000000000"),
    ("digits-19-negative", "19 digits before the point, negative", "-1000000000000000000"),
    ("decimals-10", "10 decimals", "1.0000000001"),
    ("decimals-10-small", "an amount below the smallest", "0.0000000001"),
    ("digits-4000", "four thousand digits", "9" * 4000),
    ("comma-decimal", "a comma instead of the point", "1,5"),
    ("comma-below-one", "a comma behind the zero", "0,25"),
    ("comma-thousands", "a comma between thousands", "1,000"),
    ("underscore", "an underscore between digits, as some languages read numbers", "1_000"),
    ("apostrophe", "an apostrophe between thousands", "1'000"),
    ("space-first", "a space before the digits", " 1"),
    ("space-end", "a space behind the digits", "1 "),
    ("space-inside", "a space between thousands", "1 000"),
    ("newline-end", "a newline behind the digits, which `$` of many regular expressions lets pass", "1\n"),
    ("crlf-end", "carriage return and newline behind the digits", "1\r\n"),
    ("nul", "U+0000 behind the digits", "1\0"),
    ("tab-first", "a tab before the digits", "\t1"),
    ("unit", "a unit behind the digits", "1 EUR"),
    ("currency", "a currency sign", "$1"),
    ("percent", "a percent sign", "1%"),
    ("hexadecimal", "hexadecimal digits", "0x10"),
    ("fraction-bar", "a fraction", "1/2"),
    ("nan", "not a number", "NaN"),
    ("infinity", "infinity", "Infinity"),
    ("infinity-short", "infinity, short", "-inf"),
    ("minus-sign-unicode", "U+2212 MINUS SIGN instead of the hyphen", "\u22121"),
    ("full-width", "full-width digits, which `\\d` of many languages matches", "\uff11\uff12"),
    ("arabic-indic", "an Arabic-Indic digit", "\u0663"),
    ("superscript", "a superscript digit", "\u00b2"),
    ("full-width-point", "a full-width point", "1\uff0e5"),
    ("bom", "U+FEFF before the digits", "\ufeff1"),
    ("no-break-space", "a no-break space behind the digits", "1\u00a0"),
    ("quoted", "quotation marks around the digits", '"1"'),
]

TOPIC = Topic(
    "amount",
    "Amounts: decimals with at most 18 digits before and 9 behind the point, never zero, one spelling each. "
    "The output is the amount in units of 10^-9.",
    [
        *(
            _MAKER.accept(slug, comment, "amount", {"text": text}, {"nano": str(nano(text))})
            for slug, comment, text in _ACCEPTED
        ),
        *(
            _MAKER.refuse(slug, comment, "amount", {"text": text}, "malformed")
            for slug, comment, text in _REFUSED
        ),
    ],
)
