"""Characters that a reader would not see as they are.

Texts of senders go onto pages and into spreadsheets.  A control character ends a line or a cell there; a direction mark
turns what stands around it; what has no width makes two texts look like one.  Which these are is written down here and
not asked of the Unicode tables of this Python, since a page must come out the same under each.

U+200C and U+200D stay: several scripts cannot be written without them.
"""

from __future__ import annotations

import re
from typing import Final

UNSEEN: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # no width, or a width and nothing in it
    "\u2800\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U00013430-\U0001343f"  # a blank of Braille; marks that join shorthand, music, Egyptian
    "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"  # no width, directions, ends of lines
    "\ufe00-\ufe0f\ufeff\ufff0-\uffff"  # variants, byte order mark, annotations, no characters
    "\U000e0000-\U000e0fff"  # tags, more variants
    "]"
)
