"""Telling our formats apart by their first bytes.

Imports `core` only.  Source: docs/spec/README.md.
"""

from __future__ import annotations

from typing import Final, Literal

from counterfoil.core.tlog_proof import PROOF_HEADER
from counterfoil.limits import RECEIPT_BYTES_MAX

Kind = Literal["json", "tlog-proof", "consistency file", "checkpoint"]

# No document of ours is larger.
DOCUMENT_BYTES_MAX: Final = RECEIPT_BYTES_MAX


def kind_of(data: bytes) -> Kind:
    """Return what a document claims to be; whether it is, the reader of its format says."""
    if data.lstrip().startswith(b"{"):
        return "json"
    if data.startswith(PROOF_HEADER.encode("ascii")):
        return "tlog-proof"
    if data.startswith(b"old "):
        return "consistency file"
    return "checkpoint"
