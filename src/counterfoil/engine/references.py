"""Deltas by the sender's own name for them.

The details that hold a `referenceId` are outside the tree and erasable, so that there is no index of them: a look-up
reads.  Hence the bound: the newest 65,536 entries of the log.  Of several deltas with one name the oldest of these is
meant, so that a request that is sent again finds the same one, although more of that name came in between.

Source: docs/api/deltas.md#adjusts.
"""

from __future__ import annotations

from typing import Final

from counterfoil.core.encoding import json_string
from counterfoil.core.reference import format_record_id
from counterfoil.engine.store import Store
from counterfoil.engine.stored import head_of, log_corrupt, read_details, read_stored
from counterfoil.errors import EngineError
from counterfoil.limits import REFERENCE_SEARCH_ENTRIES_MAX

_PAGE: Final = 512


def find_reference(store: Store, tenant: str, log: bytes, reference_id: str) -> str:
    """Return the recordId of the delta that the sender named so.

    Raises:
        EngineError: `record-not-found`, where none of the newest 65,536 entries is of that name; `log-corrupt`.
    """
    # As it stands in the canonical bytes: most details are passed over without being read.
    wanted = f'"referenceId":{json_string(reference_id)}'.encode("utf-8", "surrogatepass")
    with store.read() as view:
        head = head_of(view, tenant, log)
    size = head.size if head else 0
    for start in range(max(size - REFERENCE_SEARCH_ENTRIES_MAX, 0), size, _PAGE):
        end = min(start + _PAGE, size)
        with store.read() as view:
            rows = view.entries(log, start, end)
        if len(rows) != end - start:
            raise log_corrupt(log, f"entries are missing between {start} and {end}")
        for row in rows:
            if row.value is None or wanted not in row.value:
                continue
            # It may stand within the metadata.
            value = read_details(row, read_stored(row))
            if value is not None and value.get("referenceId") == reference_id:
                return format_record_id(log, row.index)
    raise EngineError("record-not-found", "no delta of this referenceId to adjust", field="adjusts")
