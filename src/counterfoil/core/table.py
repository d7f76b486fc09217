"""Tables for spreadsheets: deltas that were proven, by receipts or by a full statement, as CSV (RFC 4180).

One row a delta, so that amounts may be added up.  What the log adds up to so far has names that say so.

A spreadsheet runs what looks like a formula.  So each column is of one of two kinds.  *Numbers* are our own spellings of
integers and amounts, which nobody else can write into: a negative one begins with "-" and stays a number.  *Texts* are
always quoted, and an apostrophe is put in front of whatever would begin a formula: at the start, and behind anything that
another reader may take for the end of a cell.  A character that nobody would see is written as its JSON escape, so that
one record is one line.

What is shown is for people.  A text with an apostrophe or an escape in it does not say what was there before: the
statement and the receipts do.

Source: docs/cli.md#table, OWASP, CSV Injection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from counterfoil.core.amount import format_nano
from counterfoil.core.encoding import JsonValue, canonical_json
from counterfoil.core.entry import DELTA
from counterfoil.core.receipt import Verified
from counterfoil.core.shown import UNSEEN
from counterfoil.core.statement_verify import VerifiedStatement, require_full

# What begins a formula, in its wide form too; and where a cell may begin for a reader with another separator.
_FORMULA: Final = re.compile(r"""(^|[,;|"'])(?=[=+\-@\uff0b\uff0d\uff1d\uff20])""")

COLUMNS: Final = (
    "customerId",
    "index",
    "recordedAt",
    "effectiveAt",
    "amount",
    "unit",
    "balance",
    "reason",
    "referenceId",
    "adjusts",
    "countSoFar",
    "creditsSoFar",
    "debitsSoFar",
    "metadata",
    "origin",
    "size",
    "root",
)


def deltas_of(statement: VerifiedStatement) -> Iterator[Verified]:
    """Return the deltas of a period, each as a receipt of it under the same checkpoint would prove it.

    Args:
        statement: a full one, verified.

    Raises:
        EngineError: `usage`, where the statement is a light one: its deltas would not add up.
    """
    require_full(statement)
    return (
        Verified(
            item.entry,
            item.details.value if item.details else None,
            statement.customer_id,
            statement.checkpoint,
        )
        for item in statement.inside
        if item.entry.type == DELTA
    )


def delta_table(deltas: Iterable[Verified]) -> Iterator[str]:
    """Return the lines of a table of deltas, one a row, the header first; each ends in CR LF."""
    yield ",".join(COLUMNS) + "\r\n"
    for verified in deltas:
        yield ",".join(_cells(verified)) + "\r\n"


def _cells(verified: Verified) -> list[str]:
    entry, checkpoint, value = verified.entry, verified.checkpoint, verified.details or {}
    metadata = value.get("metadata")
    return [
        text_cell(verified.customer_id),
        str(entry.index),
        text_cell(entry.recorded_at),
        text_cell(entry.effective_at),
        format_nano(entry.amount),
        text_cell(entry.unit),
        format_nano(entry.balance),
        text_cell(value.get("reason")),
        text_cell(value.get("referenceId")),
        "" if entry.adjusts is None else str(entry.adjusts),
        str(entry.count),
        format_nano(entry.credits),
        format_nano(entry.debits),
        text_cell(None if metadata is None else canonical_json(metadata).decode()),
        text_cell(checkpoint.origin),
        str(checkpoint.size),
        text_cell(checkpoint.root.hex()),
    ]


def text_cell(value: JsonValue) -> str:
    """Write a cell of a text column, quoted, with nothing in it that a spreadsheet runs; empty where there is none."""
    if not isinstance(value, str):
        return ""
    shown = UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], value)
    return '"' + _FORMULA.sub(r"\1'", shown).replace('"', '""') + '"'
