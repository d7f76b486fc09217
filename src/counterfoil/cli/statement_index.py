"""The index of a folder of statements: whose each file is, and what it adds up to.  Imports `core` and `engine`.

It is for a spreadsheet and proves nothing: who closes a month adds its columns up, and verifies the folder.

Source: docs/cli.md#counterfoil-statements.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from counterfoil.cli.files import FileKind, require_replaceable, write_output
from counterfoil.core.amount import format_nano
from counterfoil.core.statement import parse_statement
from counterfoil.core.statement_verify import claimed_movement
from counterfoil.core.table import text_cell
from counterfoil.engine.statements import Stated

_NAME: Final = "statements.csv"
_HEADER: Final = b"customerId,reference,file,opening,credits,debits,closing,unit,isFinal\r\n"
_INDEX_FILE: Final = FileKind("an index of statements", lambda stream: stream.readline(1_024) == _HEADER)


class StatementIndex:
    """Takes the statements that were made, and writes a row for each in the end."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is written yet.

        Raises:
            EngineError: `usage`, where another file is there by the name of the index.
            OSError: where it cannot be read.
        """
        self._path = folder / _NAME
        require_replaceable(str(self._path), _INDEX_FILE)
        self._rows: list[str] = []

    def take(self, customer: str, reference: str, file: str, stated: Stated) -> None:
        """Take a statement that was made by this program, and so is not verified here."""
        statement = parse_statement(stated.document)
        movement = claimed_movement(statement)
        amounts = (movement.opening.balance, movement.credits, movement.debits, movement.closing.balance)
        cells = [
            *(text_cell(text) for text in (customer, reference, file)),
            *(format_nano(nano) for nano in amounts),
            text_cell(statement.items[0].item.entry.unit),
            "true" if stated.is_final else "false",
        ]
        self._rows.append(",".join(cells) + "\r\n")

    def write(self) -> None:
        """Write the file.

        Raises:
            EngineError, OSError: as `write_output`.
        """
        write_output(self._path, _HEADER + "".join(self._rows).encode("utf-8"))
