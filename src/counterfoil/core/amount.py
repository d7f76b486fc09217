"""Exact decimal amounts and totals, as integers of 10^-9 (nano).

    "-12.5"  <->  -12_500_000_000

In evidence an amount has one spelling: no trailing zero, no plus, no exponent, no minus zero.  From a sender other
spellings of the same value are taken and brought to it; a value that does not fit is refused, never rounded.

Source: docs/spec/conventions.md.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

from counterfoil.core.encoding import excerpt
from counterfoil.errors import EngineError, MalformedError
from counterfoil.limits import (
    AMOUNT_FRACTION_DIGITS_MAX,
    AMOUNT_INPUT_CHARACTERS_MAX,
    AMOUNT_INTEGER_DIGITS_MAX,
    TOTAL_INTEGER_DIGITS_MAX,
)

NANO: Final = 10**AMOUNT_FRACTION_DIGITS_MAX
# Exclusive: 18 digits before the point, 29 for a total.
AMOUNT_NANO_END: Final = 10**AMOUNT_INTEGER_DIGITS_MAX * NANO
TOTAL_NANO_END: Final = 10**TOTAL_INTEGER_DIGITS_MAX * NANO

AMOUNT_PATTERN: Final = r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{0,8}[1-9])?"
TOTAL_PATTERN: Final = r"(?:0|[1-9][0-9]{0,28})(?:\.[0-9]{0,8}[1-9])?"
_CONVERSIONS_KEPT: Final = 16_384
_AMOUNT: Final = re.compile(AMOUNT_PATTERN, re.ASCII)
_TOTAL: Final = re.compile(TOTAL_PATTERN, re.ASCII)
_INPUT: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)


# Prices recur, and of two totals each delta leaves one as it is.
@lru_cache(maxsize=_CONVERSIONS_KEPT)
def to_nano(text: str) -> int:
    """Convert text that matches one of the patterns; it is not checked again."""
    whole, _, fraction = text.partition(".")
    if not fraction:
        return int(whole) * NANO
    nano = int(fraction.ljust(AMOUNT_FRACTION_DIGITS_MAX, "0"))
    # The sign stands before the whole part, which may be "-0".
    return int(whole) * NANO - nano if whole[0] == "-" else int(whole) * NANO + nano


def parse_amount(text: str) -> int:
    """Read an amount as evidence has it; return nano, not zero.

    Raises:
        MalformedError: for every other spelling, and for zero.
    """
    if not _AMOUNT.fullmatch(text) or not (nano := to_nano(text)):
        raise MalformedError(f"not an amount: {excerpt(text)}")
    return nano


def parse_total(text: str) -> int:
    """Read a total as evidence has it; return nano, zero or more.

    Raises:
        MalformedError: for every other spelling.
    """
    if not _TOTAL.fullmatch(text):
        raise MalformedError(f"not a total: {excerpt(text)}")
    return to_nano(text)


@lru_cache(maxsize=_CONVERSIONS_KEPT)
def format_nano(nano: int) -> str:
    """Write an amount or a total in its one spelling."""
    whole, fraction = divmod(abs(nano), NANO)
    sign = "-" if nano < 0 else ""
    if not fraction:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:09d}".rstrip("0")


def read_amount(value: str | int | Decimal) -> int:
    """Read an amount as a sender may write it: "+500", "-12.50", "1e3", 500, Decimal("0.1"); return nano.

    A float is no exact decimal and is refused.

    Raises:
        EngineError: `invalid-field` where it is no decimal number, `amount-out-of-range` where it is zero, has over
            18 digits before the point or over 9 significant ones after it.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise EngineError(
            "invalid-field", "an amount is a decimal number in text, an int or a Decimal", field="delta"
        )
    if isinstance(value, int):
        # Compared before it is written: str() of a huge int is slow, and from 4,300 digits on an error.
        if not -AMOUNT_NANO_END < value < AMOUNT_NANO_END:
            raise _out_of_range("over 18 digits before the point")
        value = str(value)
    text = str(value).strip(" ")
    nano = to_nano(text) if _AMOUNT.fullmatch(text) else _read(text, AMOUNT_INTEGER_DIGITS_MAX, "delta")
    if not nano:
        raise _out_of_range("an amount is not zero")
    return nano


def read_balance(text: str, *, field: str) -> int:
    """Read a balance as a sender may write it, which may be zero, and as large as a total; return nano.

    Args:
        text: a decimal number.
        field: what the sender calls it, for the refusal.

    Raises:
        EngineError: `invalid-field` where it is no decimal number, `amount-out-of-range` where it has over 29 digits
            before the point or over 9 significant ones after it.
    """
    return _read(text.strip(" "), TOTAL_INTEGER_DIGITS_MAX, field)


def _read(text: str, integer_digits_max: int, field: str) -> int:
    if len(text) > AMOUNT_INPUT_CHARACTERS_MAX or not _INPUT.fullmatch(text):
        raise EngineError("invalid-field", f"not a decimal number: {excerpt(text)}", field=field)
    return _written_out(text, integer_digits_max, field)


def _written_out(text: str, integer_digits_max: int, field: str) -> int:
    """Convert any spelling.  The pattern has bounded every part, so the integers stay small."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("+-").partition(".")
    digits = (whole + fraction).lstrip("0") or "0"
    # The value is the digits, times ten to this power.
    power: int = int(exponent or "0") - len(fraction)
    stripped = digits.rstrip("0") or "0"
    power += len(digits) - len(stripped)
    if stripped == "0":
        return 0
    if len(stripped) + power > integer_digits_max:
        raise _out_of_range(f"over {integer_digits_max} digits before the point", field)
    if power < -AMOUNT_FRACTION_DIGITS_MAX:
        raise _out_of_range("over 9 digits after the point", field)
    nano = int(stripped) * int(10 ** (power + AMOUNT_FRACTION_DIGITS_MAX))
    return -nano if mantissa.startswith("-") else nano


def _out_of_range(why: str, field: str = "delta") -> EngineError:
    return EngineError("amount-out-of-range", why, field=field)
