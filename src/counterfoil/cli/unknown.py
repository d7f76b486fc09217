"""What a file is that is none of our formats to verify, for whoever named it by mistake.  Imports `core` only.

Source: docs/cli.md#counterfoil-verify.
"""

from __future__ import annotations

from typing import Final

from counterfoil.cli.documents import HEAD_BYTES, is_pack
from counterfoil.cli.keys import looks_like_key
from counterfoil.core.table import COLUMNS
from counterfoil.errors import MalformedError

_STATE_START: Final = b"counterfoil/audit-state@"
_TABLE_START: Final = f"{COLUMNS[0]},{COLUMNS[1]},".encode("ascii")
_TABLE_SUFFIXES: Final = (".csv", ".tsv", ".xlsx", ".ods")


def none_of_ours(data: bytes, name: str) -> MalformedError:
    """Return the refusal of a file of no known kind: what it is instead, and what to do with it.

    Args:
        data: its bytes, or the first `HEAD_BYTES` of them.
        name: of the file.
    """
    if data.startswith(_STATE_START):
        what = "it is a state of audits, for `counterfoil audit --state`"
    elif is_pack(data[:HEAD_BYTES]):
        what = "it is an evidence pack, for `counterfoil audit`"
    elif data.startswith(_TABLE_START) or name.lower().endswith(_TABLE_SUFFIXES):
        what = "a table proves nothing, verify the statement or the receipts"
    elif looks_like_key(data.partition(b"\n")[0].decode("ascii", "replace")):
        what = "it is a verifier key, for --key"
    else:
        return MalformedError("none of our formats")
    return MalformedError(f"none of our formats that can be verified: {what}")
