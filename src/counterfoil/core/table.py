"""Tables for spreadsheets: the entries of a statement, and receipts, as CSV (RFC 4180).

A spreadsheet runs what looks like a formula.  So each column is of one of two kinds.  *Numbers* are our own spellings of
integers and amounts, which nobody else can write into: a negative one begins with "-" and stays a number.  *Texts* are
always quoted, and an apostrophe is put in front of whatever would begin a formula: at the start, and behind anything that
another reader may take for the end of a cell.  A character that nobody would see is written as its JSON escape, so that
one record is one line.

What is shown is for people.  A text with an apostrophe or an escape in it does not say what was there before: the
statement and the receipts do.

Source: OWASP, CSV Injection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from counterfoil.core.amount import format_nano
from counterfoil.core.encoding import JsonValue, canonical_json
from counterfoil.core.entry import DELTA, Entry
from counterfoil.core.receipt import Verified
from counterfoil.core.shown import UNSEEN
from counterfoil.core.statement import FULL
from counterfoil.core.statement_verify import VerifiedStatement
from counterfoil.errors import VerificationError

# What begins a formula, in its wide form too; and where a cell may begin for a reader with another separator.
_FORMULA: Final = re.compile(r"""(^|[,;|"'])(?=[=+\-@\uff0b\uff0d\uff1d\uff20])""")

_ENTRY_COLUMNS: Final = (
    "index",
    "type",
    "recordedAt",
    "effectiveAt",
    "adjusts",
    "amount",
    "unit",
    "count",
    "credits",
    "debits",
    "balance",
    "reason",
    "referenceId",
    "metadata",
)
STATEMENT_COLUMNS: Final = _ENTRY_COLUMNS
RECEIPT_COLUMNS: Final = ("origin", "customerId", "size", "root", *_ENTRY_COLUMNS)


def statement_table(statement: VerifiedStatement) -> Iterator[str]:
    """Return the lines of a table of the entries of a period, the header first; each ends in CR LF.

    Args:
        statement: a full one, verified.

    Raises:
        VerificationError: `incomplete-period`, where the statement is a light one: its rows would not add up.
    """
    if statement.mode != FULL:
        raise VerificationError(
            "incomplete-period", "a light statement has not every entry of its period: a full one has"
        )
    rows = (
        _entry_cells(item.entry, item.details.value if item.details else None) for item in statement.inside
    )
    return _lines(STATEMENT_COLUMNS, rows)


def receipts_table(receipts: Iterable[Verified]) -> Iterator[str]:
    """Return the lines of a table of verified receipts, one a row, the header first; each ends in CR LF."""
    rows = (
        [
            _text(verified.checkpoint.origin),
            _text(verified.customer_id),
            str(verified.checkpoint.size),
            _text(verified.checkpoint.root.hex()),
            *_entry_cells(verified.entry, verified.details),
        ]
        for verified in receipts
    )
    return _lines(RECEIPT_COLUMNS, rows)


def _lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield ",".join(columns) + "\r\n"
    for cells in rows:
        yield ",".join(cells) + "\r\n"


def _entry_cells(entry: Entry, details: dict[str, JsonValue] | None) -> list[str]:
    value = details or {}
    metadata = value.get("metadata")
    return [
        str(entry.index),
        _text(entry.type),
        _text(entry.recorded_at),
        _text(entry.effective_at),
        "" if entry.adjusts is None else str(entry.adjusts),
        format_nano(entry.amount) if entry.type == DELTA else "",
        _text(entry.unit),
        str(entry.count),
        format_nano(entry.credits),
        format_nano(entry.debits),
        format_nano(entry.balance),
        _text(value.get("reason")),
        _text(value.get("referenceId")),
        _text(None if metadata is None else canonical_json(metadata).decode()),
    ]


def _text(value: JsonValue) -> str:
    """Write a text column; empty where there is none."""
    if not isinstance(value, str):
        return ""
    shown = UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], value)
    return '"' + _FORMULA.sub(r"\1'", shown).replace('"', '""') + '"'
