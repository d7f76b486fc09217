"""Reading what the store gives back, with as little trust as what a stranger sends.

Source: docs/threat-model.md (somebody who can write to the database).
"""

from __future__ import annotations

from counterfoil.core.entry import Entry, parse_entry
from counterfoil.engine.store import Head, ReadTransaction, StoredEntry
from counterfoil.errors import EngineError, MalformedError


def log_corrupt(log: bytes, why: str) -> EngineError:
    """Make the refusal of a log whose stored bytes contradict each other."""
    return EngineError("log-corrupt", f"log 0x{log.hex()}: {why}")


def read_stored(row: StoredEntry) -> Entry:
    """Read a stored entry.

    Raises:
        EngineError: `log-corrupt`, where its bytes are no entry or it stands at another index than it says.
    """
    try:
        entry = parse_entry(row.entry)
    except MalformedError as error:
        raise log_corrupt(row.log, f"entry {row.index} does not read: {error.message}") from error
    if entry.index != row.index:
        raise log_corrupt(row.log, f"entry {entry.index} is stored at index {row.index}")
    return entry


def read_last(head: Head) -> Entry:
    """Read the last entry of a log.

    Raises:
        EngineError: `log-corrupt`, as `read_stored`.
    """
    return read_stored(StoredEntry(head.log, head.size - 1, head.last_entry, None, None, None))


def head_of(view: ReadTransaction, tenant: str, log: bytes) -> Head | None:
    """Return the head of a log of this tenant; another tenant's log is as if it were not there."""
    head = view.heads([log]).get(log)
    return head if head is not None and head.tenant == tenant else None
