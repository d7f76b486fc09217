"""The table of the deltas that were proven: `verify --csv FILE`.  Of ours it imports `core` and `files`.

A delta has one row, however many receipts, statements, pages and proofs have it: whoever adds the amounts up gets what
was recorded.  The rows stand in the order of the logs, whatever the files are called.

Source: docs/cli.md#counterfoil-verify.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from counterfoil.cli.documents import TABLE_FILE
from counterfoil.cli.files import open_output, require_replaceable
from counterfoil.core.entry import DELTA
from counterfoil.core.receipt import Verified
from counterfoil.core.statement import FULL
from counterfoil.core.statement_verify import VerifiedStatement
from counterfoil.core.table import delta_table, deltas_of
from counterfoil.errors import EngineError


class DeltaTable:
    """Takes what was proven, document after document, and writes the deltas in the end.

    Attributes:
        light: how many light statements were taken, which add no rows.
    """

    def __init__(self, name: str) -> None:
        """Name the file; nothing is written yet.

        Raises:
            EngineError: `usage`, where something is there that is no such table: `verify` knows neither the store
                nor the key folder, so that this is how it keeps from replacing them.
            OSError: where it cannot be read.
        """
        require_replaceable(name, TABLE_FILE)
        self._path = Path(name)
        self._full = False
        self._rows: dict[tuple[str, int], Verified] = {}
        self.light = 0

    def take(self, *proven: Verified | VerifiedStatement) -> None:
        """Take what was proven, and held against what came before it.

        Of a full statement it is every delta of the period; of a light one, which has not all of them, none.  Of two that
        are the same delta the one that says more is kept.
        """
        for one in proven:
            if isinstance(one, VerifiedStatement):
                if one.mode != FULL:
                    self.light += 1
                    continue
                self._full = True
                for delta in deltas_of(one):
                    self._put(delta)
            elif one.entry.type == DELTA:
                self._put(one)

    def _put(self, delta: Verified) -> None:
        place = (delta.checkpoint.origin, delta.entry.index)
        known = self._rows.get(place)
        if known is None or _said(known) < _said(delta):
            self._rows[place] = delta

    def require_filled(self) -> None:
        """Check that what was taken says what the rows are: of a full statement that there are none, too.

        Raises:
            EngineError: `usage`.
        """
        if not self._rows and not self._full:
            what = (
                "a light statement has not its deltas, ask for a full one"
                if self.light
                else "it has no delta"
            )
            raise EngineError("usage", f"nothing that was named fills a table: {what}")

    @contextmanager
    def written(self) -> Iterator[None]:
        """Write the file where the block does not raise; otherwise as `open_output`."""
        rows = (self._rows[place] for place in sorted(self._rows))
        with open_output(self._path) as stream:
            stream.writelines(line.encode("utf-8") for line in delta_table(rows))
            # A disk that is full says so before the block, not behind it.
            stream.flush()
            yield


def _said(verified: Verified) -> int:
    return (verified.details is not None) + (verified.customer_id is not None)
