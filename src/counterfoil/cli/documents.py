"""Telling our formats apart by their first bytes, and else by the names of their files.

Imports `core` only.  Source: docs/spec/README.md.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import Final, Literal

from counterfoil.core.tlog_proof import PROOF_HEADER
from counterfoil.limits import RECEIPT_BYTES_MAX

Kind = Literal["json", "tlog-proof", "consistency file", "checkpoint"]

# No document of ours is larger.
DOCUMENT_BYTES_MAX: Final = RECEIPT_BYTES_MAX


def kind_of(data: bytes, name: str) -> Kind:
    """Return what a document claims to be; whether it is, the reader of its format says.

    Args:
        data: its bytes; a byte order mark and an array, which no format has, count as JSON that went wrong.
        name: of its file, which decides where the bytes do not.
    """
    if data.removeprefix(BOM_UTF8).lstrip().startswith((b"{", b"[")):
        return "json"
    if data.startswith(PROOF_HEADER.encode("ascii")):
        return "tlog-proof"
    if data.startswith(b"old "):
        return "consistency file"
    return "json" if name.endswith(".json") else "checkpoint"
