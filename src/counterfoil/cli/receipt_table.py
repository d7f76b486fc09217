"""The table of the receipts that hold: `verify --csv FILE`.  Of ours it imports `core` and `files`.

A record has one row, however many receipts, pages and proofs of it there are: whoever adds the amounts up gets what was
recorded.  The rows stand in the order of the logs, whatever the files are called.

Source: docs/cli.md#counterfoil-verify.
"""

from __future__ import annotations

from pathlib import Path

from counterfoil.cli.files import open_input, open_output
from counterfoil.core.receipt import Verified
from counterfoil.core.table import receipts_table
from counterfoil.errors import EngineError


class ReceiptTable:
    """Takes verified receipts one after the other, and writes them in the end."""

    def __init__(self, name: str) -> None:
        """Name the file; nothing is written yet.

        Raises:
            EngineError: `usage`, where something is there that is no table of receipts: `verify` knows neither the store
                nor the key folder, so that this is how it keeps from replacing them.
            OSError: where it cannot be read.
        """
        self._path = Path(name)
        self._rows: dict[tuple[str, int], Verified] = {}
        if self._path.exists() or self._path.is_symlink():
            header = next(receipts_table(())).encode("ascii")
            with open_input(name, follow=False) as stream:
                if stream.read(len(header)) != header:
                    raise EngineError("usage", f"--csv {name}: the file is there, and no table of receipts")

    def take(self, verified: Verified) -> None:
        """Take a receipt that was verified, and held against those before it; of two of one record the one that says more."""
        place = (verified.checkpoint.origin, verified.entry.index)
        known = self._rows.get(place)
        if known is None or _said(known) < _said(verified):
            self._rows[place] = verified

    def write(self) -> None:
        """Write the file.

        Raises:
            EngineError: `usage`, where its name cannot be that of a file.
            OSError: where the system refuses.
        """
        rows = (self._rows[place] for place in sorted(self._rows))
        with open_output(self._path) as stream:
            stream.writelines(line.encode("utf-8") for line in receipts_table(rows))


def _said(verified: Verified) -> int:
    return (verified.details is not None) + (verified.customer_id is not None)
