"""The table of the deltas that were proven: `verify --csv FILE`.  Of ours it imports `core` and `files`.

A delta has one row, however many receipts, statements, pages and proofs have it: whoever adds the amounts up gets what
was recorded.  The rows stand in the order of the logs, whatever the files are called.

Source: docs/cli.md#counterfoil-verify.
"""

from __future__ import annotations

from pathlib import Path

from counterfoil.cli.documents import TABLE_FILE
from counterfoil.cli.files import open_output, require_replaceable
from counterfoil.core.entry import DELTA
from counterfoil.core.receipt import Verified
from counterfoil.core.statement import FULL
from counterfoil.core.statement_verify import VerifiedStatement
from counterfoil.core.table import delta_table, deltas_of


class DeltaTable:
    """Takes what was proven, document after document, and writes the deltas in the end."""

    def __init__(self, name: str) -> None:
        """Name the file; nothing is written yet.

        Raises:
            EngineError: `usage`, where something is there that is no such table: `verify` knows neither the store
                nor the key folder, so that this is how it keeps from replacing them.
            OSError: where it cannot be read.
        """
        require_replaceable(name, TABLE_FILE)
        self._path = Path(name)
        self._rows: dict[tuple[str, int], Verified] = {}

    def take(self, *proven: Verified | VerifiedStatement) -> None:
        """Take what was proven, and held against what came before it.

        Of a full statement it is every delta of the period; of a light one, which has not all of them, none.  Of two that
        are the same delta the one that says more is kept.
        """
        for one in proven:
            if isinstance(one, VerifiedStatement):
                for delta in deltas_of(one) if one.mode == FULL else ():
                    self._put(delta)
            elif one.entry.type == DELTA:
                self._put(one)

    def _put(self, delta: Verified) -> None:
        place = (delta.checkpoint.origin, delta.entry.index)
        known = self._rows.get(place)
        if known is None or _said(known) < _said(delta):
            self._rows[place] = delta

    def write(self) -> None:
        """Write the file.

        Raises:
            EngineError: `usage`, where its name cannot be that of a file.
            OSError: where the system refuses.
        """
        rows = (self._rows[place] for place in sorted(self._rows))
        with open_output(self._path) as stream:
            stream.writelines(line.encode("utf-8") for line in delta_table(rows))


def _said(verified: Verified) -> int:
    return (verified.details is not None) + (verified.customer_id is not None)
