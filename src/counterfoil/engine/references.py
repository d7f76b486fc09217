"""Deltas by the sender's own name for them.

The details that hold a `referenceId` are outside the tree and erasable, so that there is no index of them: a look-up
reads.  Hence the bound: the newest 65,536 entries of the log.  Of several deltas with one name the oldest of these is
meant, so that a request that is sent again finds the same one, although more of that name came in between.

Source: docs/api/deltas.md#adjusts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from counterfoil.core.encoding import json_string
from counterfoil.core.reference import format_record_id, hash_idempotency_key, idempotency_prefix
from counterfoil.engine.operator import Operator
from counterfoil.engine.request import Delta, check_key
from counterfoil.engine.store import Store
from counterfoil.engine.stored import head_of, key_prefix, log_corrupt, read_details, read_stored
from counterfoil.errors import EngineError
from counterfoil.limits import REFERENCE_SEARCH_ENTRIES_MAX

_PAGE: Final = 512


def resolve_adjusts(store: Store, operator: Operator, tenant: str, delta: Delta, reference_id: str) -> Delta:
    """Return a delta that says by its recordId what it adjusts, of which the sender gave the own name.

    One that was recorded before keeps what it was recorded with, as long as that is not known to be another: its target
    may have been erased meanwhile, or be out of reach of a search.

    Raises:
        EngineError: as `find_reference`; `invalid-field`, where customerId or key are none.
    """
    log = operator.log_of(tenant, delta.customer_id)
    known = _recorded_target(store, operator, tenant, log, delta, reference_id=reference_id)
    return replace(delta, adjusts=known or find_reference(store, tenant, log, reference_id))


def _recorded_target(
    store: Store, operator: Operator, tenant: str, log: bytes, delta: Delta, *, reference_id: str
) -> str | None:
    """Return what the delta that bears this key adjusts, None where there is none, or it adjusts one of another name."""
    if delta.idempotency_key is None:
        return None
    check_key(delta.idempotency_key)
    key = hash_idempotency_key(operator.reference_key, idempotency_prefix(log), delta.idempotency_key)
    wanted = (log, key_prefix(key))
    with store.read() as view:
        if head_of(view, tenant, log) is None:
            return None
        for index in view.find_keys([wanted]).get(wanted, ()):
            rows = view.entries(log, index, index + 1)
            entry = read_stored(rows[0]) if rows else None
            if entry is None or entry.key != key.hex() or entry.adjusts is None:
                continue
            target = view.entries(log, entry.adjusts, entry.adjusts + 1)
            value = read_details(target[0], read_stored(target[0])) if target else None
            if value is None or value.get("referenceId") == reference_id:
                return format_record_id(log, entry.adjusts)
    return None


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
