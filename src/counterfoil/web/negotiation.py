"""Which of the forms of a document a client asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_REFUSED: Final = re.compile(r";\s*q=0(?:\.0*)?\s*(?:;|$)")


def preferred(accept: str, offered: Sequence[str]) -> str:
    """Return the media type that a client names first, of those that are offered; the first where it names none.

    Args:
        accept: the header Accept. Weights are not compared: a client that asks for one of these forms names it alone.
        offered: media types, in lower case.
    """
    for part in accept.lower().split(","):
        name = part.partition(";")[0].strip()
        if name in offered and not _REFUSED.search(part):
            return name
    return offered[0]
