"""What nobody would see is known by its code point, the same under every version of Python."""

import sys
import unicodedata

import pytest

from counterfoil.core.shown import UNSEEN

# In use by the Unicode tables of this Python: controls, formats, ends of lines, noncharacters.
CATEGORIES = {"Cc", "Cf", "Zl", "Zp"}
# Needed to write Persian, Hindi and many others; part of how the numbers of Syriac and Kaithi are written.
LEFT = {0x200C, 0x200D, 0x70F, 0x8E2, 0x110BD, 0x110CD, *range(0x600, 0x606), 0x6DD, 0x890, 0x891}


def test_every_control_and_format_character_is_one_but_those_that_scripts_are_written_with():
    formats = {
        code
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in CATEGORIES and not 0xD800 <= code < 0xE000
    }
    assert {code for code in formats if not UNSEEN.fullmatch(chr(code))} == LEFT & formats


@pytest.mark.parametrize(
    "text", ["a", "é", "ש", "日", "\U0001f600", " ", "\u00a0", "\\", '"', "\u200d"], ids=ascii
)
def test_what_is_seen_is_left_alone(text):
    assert not UNSEEN.search(text)


@pytest.mark.parametrize("text", ["\x00", "\n", "\r", "\t", "\x7f", "\x9b", "\u202e", "\u2066", "\u200b", "\ufeff",
    "\u2028", "\u3164", "\u2800", "\U0001d173", "\ufffe", "\U000e0041"], ids=ascii)  # fmt: skip
def test_what_is_not_seen_is_found(text):
    assert UNSEEN.fullmatch(text)
